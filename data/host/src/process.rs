//! Starting an instance's init: a clone of this process in namespaces of its own. It waits for its layers, builds its
//! root, says that it is prepared, and waits for the word to go on. If the host dies before giving it, the next one
//! gives it when the old one had recorded that the instance runs, and kills the clone when it had not. So an instance
//! either runs and is recorded, or does not run.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::{fs, io};

use world::Instance;

use crate::cgroup::Entrance;
use crate::disk::{Disk, IDS_PER_INSTANCE};
use crate::failure::{During, Failure, Result};
use crate::image::Service;
use crate::init;
use crate::rootfs::{self, Layers};
use crate::sys::process::{Cloned, Pid};
use crate::sys::{check, mount, process, socket};

const NAMESPACES: libc::c_int =
    libc::CLONE_NEWUSER | libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC | libc::CLONE_NEWNET;

/// What the clone says when it only waits for the word.
const PREPARED: &[u8] = b"prepared";
const GO: &[u8] = b"go";
const MESSAGE_BYTES_MAX: usize = 4096;
/// The word from a host that came later. Blocked until it is waited for, and then one of those that init ignores.
const SIGNAL_GO: libc::c_int = libc::SIGCONT;

/// Killed before anything of the machine's when memory runs out.
const OOM_SCORE: &str = "200";

/// Descriptors of the clone.
const SOCKET: i32 = 3;
const LOG: i32 = 4;

/// An instance whose init prepares itself.
pub(crate) struct Starting {
    pub pid: Pid,
    pub pidfd: OwnedFd,
    pub socket: OwnedFd,
}

/// Paths of an instance's layers as the host sees them.
pub(crate) struct Sources {
    pub disk: Disk,
    /// None for an image that is a whole root file system.
    pub skeleton: Option<PathBuf>,
    pub image: Option<PathBuf>,
}

/// What a start needs.
pub(crate) struct Order<'a> {
    pub instance: &'a Instance,
    pub service: Option<Service>,
    pub log: fs::File,
    pub entrance: Entrance,
}

/// What the clone answered.
pub(crate) enum Answer {
    Prepared,
    Failed(Failure),
}

/// Clones. The clone waits for its layers.
pub(crate) fn start(order: Order<'_>) -> Result<Starting> {
    let (ours, theirs) = socket::pair().during("making a socket pair")?;
    // SAFETY: the host has one thread.
    match unsafe { process::clone(NAMESPACES, order.entrance.directory.as_ref().map(AsFd::as_fd)) }
        .during("cloning an instance's init")?
    {
        Cloned::Child => child(order, &theirs),
        Cloned::Parent { pid, pidfd } => Ok(Starting { pid, pidfd, socket: ours }),
    }
}

/// Maps the clone's users and hands over its layers. It is then busy with its mounts.
pub(crate) fn hand_over(starting: &Starting, sources: &Sources) -> Result<()> {
    let pid = starting.pid;
    let map = format!("0 {} {IDS_PER_INSTANCE}\n", sources.disk.first_id);
    fs::write(format!("/proc/{pid}/uid_map"), &map).during("mapping an instance's users")?;
    fs::write(format!("/proc/{pid}/gid_map"), &map).during("mapping an instance's groups")?;
    let users = fs::File::open(format!("/proc/{pid}/ns/user")).during("opening an instance's user namespace")?;
    let shifted = |path: &Path| {
        let tree = mount::detached_tree(path, Some(users.as_fd()));
        tree.during(format_args!("shifting the ids of {} (its file system must allow idmapped mounts)", path.display()))
    };
    let layers = Layers {
        disk: mount::detached_tree(&sources.disk.path, None).during("opening an instance's disk")?,
        machine: match &sources.skeleton {
            Some(skeleton) => Some((shifted(skeleton)?, shifted(Path::new("/usr"))?)),
            None => None,
        },
        image: sources.image.as_deref().map(shifted).transpose()?,
    };
    let (letters, trees) = layers.describe();
    let trees: Vec<BorrowedFd<'_>> = trees.into_iter().map(AsFd::as_fd).collect();
    socket::send(&starting.socket, letters.as_bytes(), &trees).during("handing over the layers")
}

/// Reads the clone's answer. To be called when its socket is readable.
pub(crate) fn answer(socket: &OwnedFd) -> Answer {
    match socket::receive(socket, MESSAGE_BYTES_MAX) {
        Ok((bytes, _)) if bytes == PREPARED => Answer::Prepared,
        Ok((bytes, _)) if bytes.is_empty() => Answer::Failed(Failure::new("the instance's init ended while it prepared itself")),
        Ok((bytes, _)) => Answer::Failed(Failure::new(String::from_utf8_lossy(&bytes))),
        Err(e) => Answer::Failed(Failure::new(format!("no answer from the instance's init: {e}"))),
    }
}

/// Lets a prepared instance run.
pub(crate) fn release(socket: &OwnedFd) -> Result<()> {
    socket::send(socket, GO, &[]).during("giving an instance the word")
}

/// Lets an instance run that an earlier host recorded, in case that host did not come to give the word. One that
/// runs already takes no notice.
pub(crate) fn release_adopted(pidfd: &OwnedFd) -> Result<()> {
    process::signal(pidfd, SIGNAL_GO).during("giving an instance the word")
}

/// The clone's way from birth to init.
fn child(order: Order<'_>, socket: &OwnedFd) -> ! {
    let became = catch_unwind(AssertUnwindSafe(|| {
        let passed = order.entrance.pass().during("moving into the instance's cgroups");
        let descriptors = keep_descriptors(socket, &order.log).during("sorting descriptors");
        descriptors.and_then(|(socket, log)| become_init(&order, passed, socket, log))
    }));
    // Only a failure comes here: it has been told to the host, or there is no host any more.
    drop(became);
    // SAFETY: ends the clone without running destructors that belong to the host.
    unsafe { libc::_exit(init::STATUS_BROKEN) }
}

/// The order is only borrowed: to drop it would close the host's descriptors, which are closed already.
fn become_init(order: &Order<'_>, passed: Result<()>, socket: OwnedFd, log: fs::File) -> Result<()> {
    let told = passed.and_then(|()| prepare(order.instance, &socket));
    let report = match &told {
        Ok(()) => socket::send(&socket, PREPARED, &[]),
        Err(failure) => socket::send(&socket, failure.to_string().as_bytes(), &[]),
    };
    report.during("answering the host")?;
    told?;
    let (word, _) = socket::receive(&socket, MESSAGE_BYTES_MAX).during("waiting for the word")?;
    if word != GO {
        process::await_signal(SIGNAL_GO).during("waiting for the word")?;
    }
    drop(socket);
    // Now that every cgroup is the instance's own, nothing outside of them is to be seen.
    // SAFETY: no pointers.
    check(unsafe { libc::unshare(libc::CLONE_NEWCGROUP) }).during("leaving the host's cgroup namespace")?;
    process::drop_capabilities().during("dropping capabilities")?;
    // The memory still holds what the host knew.
    process::hide_memory().during("hiding memory")?;
    init::run(init::Plan { instance: order.instance.clone(), service: order.service.clone(), log })
}

/// Closes everything but the socket and the log, which get fixed numbers.
fn keep_descriptors(socket: &OwnedFd, log: &fs::File) -> io::Result<(OwnedFd, fs::File)> {
    use std::os::fd::FromRawFd;
    // SAFETY: descriptors of the host are not used again in this clone, whose values are never dropped either; the
    // two kept are owned by the values made here alone.
    unsafe {
        let high = |fd: i32| check(libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 64));
        let (socket, log) = (high(socket.as_raw_fd())?, high(log.as_raw_fd())?);
        check(libc::dup3(socket, SOCKET, libc::O_CLOEXEC))?;
        check(libc::dup3(log, LOG, libc::O_CLOEXEC))?;
        process::close_from(LOG.cast_unsigned() + 1)?;
        let null = check(libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC))?;
        for standard in 0..3 {
            check(libc::dup2(null, standard))?;
        }
        libc::close(null);
        Ok((OwnedFd::from_raw_fd(SOCKET), fs::File::from_raw_fd(LOG)))
    }
}

fn prepare(instance: &Instance, socket: &OwnedFd) -> Result<()> {
    init::block_signals().during("blocking signals")?;
    // SAFETY: no pointers.
    check(unsafe { libc::setsid() }).during("starting a session")?;
    fs::write("/proc/self/oom_score_adj", OOM_SCORE).during("setting the OOM score")?;
    process::set_title("init").during("setting the title")?;
    let (letters, trees) = socket::receive(socket, MESSAGE_BYTES_MAX).during("receiving the layers")?;
    let layers = Layers::collect(&letters, trees).ok_or_else(|| Failure::new("the host sent no layers"))?;
    process::become_user(0, 0).during("becoming root of the instance")?;
    // SAFETY: the name's bytes live through the call.
    check(unsafe { libc::sethostname(instance.hostname.as_ptr().cast(), instance.hostname.len()) })
        .during("setting the host name")?;
    rootfs::enter(&layers, instance.memory_bytes)
}
