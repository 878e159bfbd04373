//! The lowest layer of instances that use this machine's own `/usr`: empty directories, links, and an `/etc` of chosen
//! files. Made once and shared by all, read-only. Nothing of `/root`, `/home`, `/var`, `/opt` gets in, nor any file of
//! `/etc` that is not listed here or that not everyone may read.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::failure::{During, Failure, Result};
use crate::naming;

/// Raised when what is written here changes, so that a new version builds a new layer.
const VERSION: u8 = 2;
/// Files and links that the layer may hold; a distribution has about a thousand.
const ENTRIES_MAX: usize = 20_000;
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
const DEPTH_MAX: usize = 8;

const DIRECTORIES: [(&str, u32); 28] = [
    ("boot", 0o755),
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("home/ec2-user", 0o755),
    ("media", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("opt/aws", 0o755),
    ("opt/aws/bin", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("srv", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("usr/local", 0o755),
    ("usr/local/sbin", 0o755),
    ("var", 0o755),
    ("var/cache", 0o755),
    ("var/lib", 0o755),
    ("var/lib/cloud", 0o755),
    ("var/log", 0o755),
    ("var/mail", 0o755),
    ("var/opt", 0o755),
    ("var/spool", 0o755),
    ("var/tmp", 0o1777),
];

/// Links at the top that are made only when this machine has them too.
const MACHINE_LINKS: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

const LINKS: [(&str, &str); 3] = [("etc/mtab", "/proc/self/mounts"), ("var/run", "/run"), ("var/lock", "/run/lock")];

/// What is taken from the machine's `/etc`. A name that ends in `*` stands for all that start so.
const ETC: [&str; 27] = [
    "alternatives",
    "bash.bashrc",
    "ca-certificates*",
    "debian_version",
    "ethertypes",
    "fonts",
    "gai.conf",
    "host.conf",
    "inputrc",
    "java*",
    "ld.so*",
    "locale.alias",
    "localtime",
    "login.defs",
    "magic*",
    "mime.types",
    "os-release",
    "pam.d",
    "perl",
    "profile",
    "protocols",
    "python*",
    "rpc",
    "security",
    "services",
    "ssl",
    "timezone",
];

const FILES: [(&str, u32, &str); 11] = [
    ("etc/passwd", 0o644, PASSWD),
    ("etc/shadow", 0o640, SHADOW),
    ("etc/group", 0o644, GROUP),
    (
        "etc/nsswitch.conf",
        0o644,
        "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n",
    ),
    // The VPC's resolver. Where none runs yet, the router answers at once that it cannot be reached.
    ("etc/resolv.conf", 0o644, "nameserver 169.254.169.253\noptions timeout:2 attempts:2\n"),
    ("etc/motd", 0o644, ""),
    ("usr/local/sbin/poweroff", 0o755, "#!/bin/sh\n# Asks this instance's init to power off.\nexec kill -s PWR 1\n"),
    ("usr/local/sbin/halt", 0o755, "#!/bin/sh\n# Asks this instance's init to power off.\nexec kill -s PWR 1\n"),
    ("usr/local/sbin/reboot", 0o755, "#!/bin/sh\n# Asks this instance's init to reboot.\nexec kill -s INT 1\n"),
    ("usr/local/sbin/shutdown", 0o755, SHUTDOWN),
    ("opt/aws/bin/cfn-signal", 0o755, include_str!("cfn-signal.pl")),
];

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
man:x:6:12:man:/var/cache/man:/usr/sbin/nologin
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
ec2-user:x:1000:1000:EC2 default user:/home/ec2-user:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
";

const SHADOW: &str = "root:*:20000:0:99999:7:::
daemon:*:20000:0:99999:7:::
bin:*:20000:0:99999:7:::
sys:*:20000:0:99999:7:::
man:*:20000:0:99999:7:::
mail:*:20000:0:99999:7:::
www-data:*:20000:0:99999:7:::
ec2-user:!:20000:0:99999:7:::
nobody:*:20000:0:99999:7:::
";

const GROUP: &str = "root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:ec2-user
tty:x:5:
disk:x:6:
mail:x:8:
man:x:12:
www-data:x:33:
shadow:x:42:
utmp:x:43:
staff:x:50:
users:x:100:
ec2-user:x:1000:
nogroup:x:65534:
";

const SHUTDOWN: &str = "#!/bin/sh
# Asks this instance's init to power off, or with -r to reboot; at once only.
signal=PWR
for argument; do
    case $argument in
        -r | --reboot) signal=INT ;;
        -c) echo 'shutdown: nothing is scheduled' >&2; exit 1 ;;
        +0 | now | -h | -H | -P | --halt | --poweroff) ;;
        +*) echo 'shutdown: only now is supported' >&2; exit 1 ;;
    esac
done
exec kill -s $signal 1
";

/// Makes the layer under `directory` unless it is there already, and gives its path. It is complete or absent.
pub(crate) fn prepare(directory: &Path) -> Result<PathBuf> {
    let chosen = chosen_files(Path::new("/etc")).during("looking through /etc")?;
    let path = directory.join(format!("skeleton-{:016x}", fingerprint(&chosen)));
    if path.is_dir() {
        return Ok(path);
    }
    let draft = directory.join("skeleton-draft");
    if draft.exists() {
        fs::remove_dir_all(&draft).during("removing an unfinished skeleton")?;
    }
    build(&draft, &chosen).during("making the skeleton of the image ami-host")?;
    fs::rename(&draft, &path).during("finishing the skeleton of the image ami-host")?;
    Ok(path)
}

struct Chosen {
    path: PathBuf,
    metadata: fs::Metadata,
}

fn chosen_files(etc: &Path) -> io::Result<Vec<Chosen>> {
    let mut found = Vec::new();
    let mut names: Vec<_> = fs::read_dir(etc)?.flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    for name in names {
        let listed = |pattern: &&str| match pattern.strip_suffix('*') {
            Some(start) => name.to_str().is_some_and(|name| name.starts_with(start)),
            None => name == **pattern,
        };
        if ETC.iter().any(listed) {
            collect(&etc.join(&name), 0, &mut found)?;
        }
    }
    Ok(found)
}

/// Adds `path` and all below that everyone may read.
fn collect(path: &Path, depth: usize, found: &mut Vec<Chosen>) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    let kind = metadata.file_type();
    let readable = kind.is_symlink() || metadata.mode() & 0o004 != 0;
    let fits = kind.is_symlink() || kind.is_dir() || (kind.is_file() && metadata.len() <= FILE_BYTES_MAX);
    if !readable || !fits || depth > DEPTH_MAX {
        return Ok(());
    }
    if found.len() >= ENTRIES_MAX {
        return Err(io::Error::other(Failure::new("the chosen part of /etc has too many files")));
    }
    found.push(Chosen { path: path.into(), metadata });
    if kind.is_dir() {
        let mut children: Vec<_> = fs::read_dir(path)?.flatten().map(|entry| entry.path()).collect();
        children.sort();
        children.iter().try_for_each(|child| collect(child, depth + 1, found))?;
    }
    Ok(())
}

fn fingerprint(chosen: &[Chosen]) -> u64 {
    let numbers = |m: &fs::Metadata| [m.len(), m.mtime().cast_unsigned(), m.mtime_nsec().cast_unsigned(), u64::from(m.mode())];
    let files = chosen.iter().flat_map(|c| {
        let path = c.path.as_os_str().as_encoded_bytes().to_vec();
        path.into_iter().chain(numbers(&c.metadata).into_iter().flat_map(u64::to_le_bytes))
    });
    let own = FILES.iter().flat_map(|(path, _, text)| path.bytes().chain(text.bytes()));
    naming::hash([VERSION].into_iter().chain(own).chain(files))
}

fn build(root: &Path, chosen: &[Chosen]) -> io::Result<()> {
    fs::create_dir_all(root)?;
    fs::set_permissions(root, Permissions::from_mode(0o755))?;
    for (name, mode) in DIRECTORIES {
        fs::create_dir(root.join(name))?;
        fs::set_permissions(root.join(name), Permissions::from_mode(mode))?;
    }
    std::os::unix::fs::chown(root.join("home/ec2-user"), Some(1000), Some(1000))?;
    for name in MACHINE_LINKS {
        if let Ok(target) = fs::read_link(Path::new("/").join(name)) {
            symlink(target, root.join(name))?;
        }
    }
    for (name, target) in LINKS {
        symlink(target, root.join(name))?;
    }
    for Chosen { path, metadata } in chosen {
        copy(path, metadata, &root.join(path.strip_prefix("/").unwrap_or(path)))?;
    }
    for (name, mode, text) in FILES {
        fs::write(root.join(name), text)?;
        fs::set_permissions(root.join(name), Permissions::from_mode(mode))?;
    }
    // `shadow` of the skeleton's own group file.
    std::os::unix::fs::chown(root.join("etc/shadow"), Some(0), Some(42))
}

fn copy(from: &Path, metadata: &fs::Metadata, to: &Path) -> io::Result<()> {
    if metadata.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    if metadata.is_dir() {
        fs::create_dir(to)?;
    } else {
        fs::copy(from, to)?;
    }
    fs::set_permissions(to, Permissions::from_mode(metadata.mode() & 0o755))
}

#[cfg(test)]
mod tests {
    use super::{chosen_files, fingerprint};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn takes_what_is_listed_and_readable_by_all() {
        let etc = tempfile::tempdir().expect("a directory");
        let write = |name: &str, mode| {
            let path = etc.path().join(name);
            fs::create_dir_all(path.parent().expect("has one")).expect("made");
            fs::write(&path, "x").expect("written");
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
        };
        write("ssl/certs/a.pem", 0o644);
        write("ssl/private/key.pem", 0o600);
        write("shadow", 0o644);
        write("ld.so.cache", 0o644);
        let names = || {
            let chosen = chosen_files(etc.path()).expect("read");
            let names = chosen.iter().map(|c| c.path.strip_prefix(etc.path()).expect("below").display().to_string());
            (names.collect::<Vec<_>>(), fingerprint(&chosen))
        };
        let (before, print) = names();
        assert_eq!(before, ["ld.so.cache", "ssl", "ssl/certs", "ssl/certs/a.pem", "ssl/private"]);
        write("ssl/certs/b.pem", 0o644);
        assert_ne!(names().1, print, "another file makes another skeleton");
    }
}
