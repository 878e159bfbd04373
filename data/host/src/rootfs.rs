//! An instance's file systems, put together inside its own mount namespace: layers under an overlay, a private
//! `/dev`, a masked `/proc`, a read-only `/sys`. Runs in the new process as root of its user namespace.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::failure::{During, Failure, Result};
use crate::sys::{check, mount};

/// Where layers are put together before they become the root. Every system has it; nothing of it is touched.
const STAGE: &str = "/tmp";
const NODES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
const DEV_LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];
/// A pipe that init reads: what is written to it is in the console log.
pub(crate) const CONSOLE: &str = "/dev/console";
const PROC_READ_ONLY: [&str; 4] = ["bus", "fs", "irq", "sys"];
const PROC_HIDDEN_FILES: [&str; 5] = ["kcore", "keys", "sysrq-trigger", "timer_list", "latency_stats"];
const HIDDEN_DIRECTORIES: [&str; 3] = ["proc/acpi", "proc/scsi", "sys/firmware"];
/// Directories that are mounted over; a complete image may lack some.
const MOUNT_POINTS: [&str; 4] = ["dev", "proc", "run", "sys"];

const NO_SUID_DEV: libc::c_ulong = libc::MS_NOSUID | libc::MS_NODEV;
const NO_SUID_DEV_EXEC: libc::c_ulong = NO_SUID_DEV | libc::MS_NOEXEC;

/// Detached trees, made by the host: only it may shift ids, and only it can reach the data directory.
#[derive(Debug)]
pub(crate) struct Layers {
    /// The instance's own directory: `root`, `root-work`, `usr`, `usr-work`.
    pub disk: OwnedFd,
    /// The skeleton and the machine's `/usr`; none under a complete image.
    pub machine: Option<(OwnedFd, OwnedFd)>,
    /// An imported image's files.
    pub image: Option<OwnedFd>,
}

impl Layers {
    /// A letter for each tree, to go with the descriptors in this order.
    pub fn describe(&self) -> (String, Vec<&OwnedFd>) {
        let mut trees = vec![('d', &self.disk)];
        trees.extend(self.machine.iter().flat_map(|(skeleton, usr)| [('s', skeleton), ('u', usr)]));
        trees.extend(self.image.iter().map(|image| ('i', image)));
        trees.into_iter().unzip()
    }

    /// Reads what `describe` wrote.
    pub fn collect(letters: &[u8], trees: Vec<OwnedFd>) -> Option<Self> {
        let mut trees = trees.into_iter();
        let (mut disk, mut skeleton, mut usr, mut image) = (None, None, None, None);
        for letter in letters {
            let tree = Some(trees.next()?);
            match letter {
                b'd' => disk = tree,
                b's' => skeleton = tree,
                b'u' => usr = tree,
                b'i' => image = tree,
                _ => return None,
            }
        }
        Some(Self { disk: disk?, machine: skeleton.zip(usr), image })
    }
}

/// Builds everything and makes it this process's root.
///
/// `memory_bytes` is the instance's: what lies in its `/dev/shm` and `/run` counts as memory, and may be half of it and
/// a fifth of it, as systems of their own have it. Without a limit, files there would take the place of all processes.
pub(crate) fn enter(layers: &Layers, memory_bytes: u64) -> Result<()> {
    stage(layers)?;
    let root = Path::new("root");
    for name in MOUNT_POINTS {
        ready_mount_point(&root.join(name))?;
    }
    devices(&root.join("dev"), memory_bytes / 2).during("making /dev")?;
    proc(&root.join("proc")).during("mounting /proc")?;
    let sys = root.join("sys");
    mount::mount("sysfs", &sys, "sysfs", NO_SUID_DEV_EXEC | libc::MS_RDONLY, "").during("mounting /sys")?;
    for name in HIDDEN_DIRECTORIES {
        let path = root.join(name);
        if path.is_dir() {
            mount::mount("tmpfs", &path, "tmpfs", NO_SUID_DEV_EXEC | libc::MS_RDONLY, "size=0").during("hiding a directory")?;
        }
    }
    let run = format!("mode=0755,size={}", memory_bytes / 5);
    mount::mount("tmpfs", root.join("run"), "tmpfs", NO_SUID_DEV, &run).during("mounting /run")?;
    fs::create_dir(root.join("run/lock")).during("making /run/lock")?;
    mount::pivot_into(root).during("changing the root")
}

/// Mounts the overlays at `STAGE/root`.
fn stage(layers: &Layers) -> Result<()> {
    mount::mount("tmpfs", STAGE, "tmpfs", NO_SUID_DEV_EXEC, "mode=0755,size=64k").during("mounting a stage")?;
    std::env::set_current_dir(STAGE).during("entering the stage")?;
    let mut below = Vec::new();
    let mut usr_below = Vec::new();
    let attach = |tree: &OwnedFd, name: &str| {
        fs::create_dir(name).and_then(|()| mount::attach(tree, name)).during(format_args!("attaching the layer {name}"))
    };
    attach(&layers.disk, "disk")?;
    if let Some(image) = &layers.image {
        attach(image, "image")?;
        below.push("image");
        if Path::new("image/usr").is_dir() {
            usr_below.push("image/usr");
        }
    }
    if let Some((skeleton, usr)) = &layers.machine {
        attach(skeleton, "skeleton")?;
        attach(usr, "usr")?;
        below.push("skeleton");
        usr_below.extend(["skeleton/usr", "usr"]);
    }
    fs::create_dir("root").during("making the root")?;
    overlay("root", &below, "disk/root").during("mounting the root overlay")?;
    if layers.machine.is_some() {
        overlay("root/usr", &usr_below, "disk/usr").during("mounting the overlay of /usr")?;
    }
    Ok(())
}

fn overlay(target: &str, lower: &[&str], upper: &str) -> io::Result<()> {
    let options = format!("lowerdir={},upperdir={upper},workdir={upper}-work,userxattr", lower.join(":"));
    mount::mount("overlay", target, "overlay", 0, &options)
}

/// Makes sure that a real directory is there to be mounted over.
fn ready_mount_point(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(Failure::new(format!("the image's {} is no directory", path.display()))),
        Err(_) => fs::create_dir(path).during(format_args!("making {}", path.display())),
    }
}

fn devices(dev: &Path, shm_bytes: u64) -> io::Result<()> {
    mount::mount("tmpfs", dev, "tmpfs", libc::MS_NOSUID | libc::MS_NOEXEC, "mode=0755,size=64k")?;
    for name in NODES {
        fs::write(dev.join(name), "")?;
        mount::bind(Path::new("/dev").join(name), dev.join(name))?;
    }
    for (name, target) in DEV_LINKS {
        symlink(target, dev.join(name))?;
    }
    for name in ["pts", "shm", "mqueue"] {
        fs::create_dir(dev.join(name))?;
    }
    let options = "newinstance,ptmxmode=0666,mode=0620,gid=5";
    mount::mount("devpts", dev.join("pts"), "devpts", libc::MS_NOSUID | libc::MS_NOEXEC, options)?;
    mount::mount("tmpfs", dev.join("shm"), "tmpfs", NO_SUID_DEV, &format!("mode=1777,size={shm_bytes}"))?;
    let console = crate::sys::c_path(dev.join("console"))?;
    // SAFETY: the path lives through the call.
    check(unsafe { libc::mkfifo(console.as_ptr(), 0o622) })?;
    // Not left to the mask of whoever started the host.
    fs::set_permissions(dev.join("console"), fs::Permissions::from_mode(0o622))
}

fn proc(proc: &Path) -> io::Result<()> {
    mount::mount("proc", proc, "proc", NO_SUID_DEV_EXEC, "")?;
    // No user namespaces inside an instance: they would give back what the capability set takes away.
    fs::write(proc.join("sys/user/max_user_namespaces"), "0")?;
    for name in PROC_READ_ONLY {
        let path = proc.join(name);
        if path.exists() {
            mount::bind(&path, &path)?;
            mount::make_read_only(&path)?;
        }
    }
    for name in PROC_HIDDEN_FILES {
        let path = proc.join(name);
        if path.exists() {
            mount::bind("/dev/null", &path)?;
        }
    }
    Ok(())
}
