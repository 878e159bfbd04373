//! Starting a process inside the instance.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::image::Service;
use crate::sys::process;

pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Status of a process that could not become its program, as shells have it.
const STATUS_NO_PROGRAM: i32 = 127;
const OPEN_FILES: libc::rlim_t = 65_536;
const OPEN_FILES_MAX: libc::rlim_t = 1_048_576;

/// A program to run.
pub(super) struct Job {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    directory: PathBuf,
    /// `UID[:GID]` or names from the image's own `/etc/passwd`.
    user: Option<String>,
}

impl Job {
    /// A script, run as root with a plain environment.
    pub fn script(path: &str) -> Self {
        Self { arguments: vec![path.into()], environment: environment(&[]), directory: "/".into(), user: None }
    }

    pub fn service(service: &Service) -> Self {
        let given: Vec<_> = service.environment.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        Self {
            arguments: service.arguments.clone(),
            environment: environment(&given),
            directory: service.directory.clone(),
            user: service.user.clone(),
        }
    }

    /// Forks and executes.
    pub fn start(&self, input: BorrowedFd<'_>, output: BorrowedFd<'_>) -> io::Result<libc::pid_t> {
        let (uid, gid) = match &self.user {
            Some(user) => find_user(user)?,
            None => (0, 0),
        };
        let program = self.program()?;
        let text = |s: &String| CString::new(s.as_str()).map_err(io::Error::from);
        let arguments = self.arguments.iter().map(text).collect::<io::Result<Vec<_>>>()?;
        let environment = self.environment.iter().map(|(k, v)| text(&format!("{k}={v}")));
        let environment = environment.collect::<io::Result<Vec<_>>>()?;
        let directory = CString::new(self.directory.as_os_str().as_bytes())?;
        let (arguments, environment) = (pointers(&arguments), pointers(&environment));
        // SAFETY: init has one thread, so the child may go on using everything; it only makes system calls on
        // memory prepared above and ends with `execve` or `_exit`.
        unsafe {
            let pid = libc::fork();
            if pid != 0 {
                return crate::sys::check(pid);
            }
            let ready = prepare(input, output, &directory, (uid, gid));
            if ready.is_ok() {
                libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr());
            }
            let error = ready.err().unwrap_or_else(io::Error::last_os_error);
            let line = format!("allod-init: cannot run {}: {error}\n", self.arguments[0]);
            libc::write(output.as_raw_fd(), line.as_ptr().cast(), line.len());
            libc::_exit(STATUS_NO_PROGRAM)
        }
    }

    /// The file to execute: a name without a slash is looked for in `PATH`.
    fn program(&self) -> io::Result<CString> {
        let name = self.arguments.first().ok_or(io::ErrorKind::InvalidInput)?;
        if name.contains('/') {
            return Ok(CString::new(name.as_str())?);
        }
        let path = self.environment.iter().find(|(key, _)| key == "PATH").map_or(PATH, |(_, value)| value.as_str());
        let found = path.split(':').map(|directory| Path::new(directory).join(name)).find(|file| file.is_file());
        let found = found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{name} is not in {path}")))?;
        Ok(CString::new(found.as_os_str().as_bytes())?)
    }
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
}

fn environment(given: &[(String, String)]) -> Vec<(String, String)> {
    let plain = [("PATH", PATH), ("HOME", "/root"), ("LANG", "C.UTF-8"), ("TERM", "linux")];
    let plain = plain.into_iter().filter(|(key, _)| given.iter().all(|(name, _)| name != key));
    plain.map(|(key, value)| (key.into(), value.into())).chain(given.iter().cloned()).collect()
}

/// What the child does before it becomes its program.
fn prepare(input: BorrowedFd<'_>, output: BorrowedFd<'_>, directory: &CStr, user: (u32, u32)) -> io::Result<()> {
    let files = libc::rlimit { rlim_cur: OPEN_FILES, rlim_max: OPEN_FILES_MAX };
    // SAFETY: pointers to locals that live through their calls; the descriptors are open.
    unsafe {
        libc::setsid();
        for (from, to) in [(input, 0), (output, 1), (output, 2)] {
            crate::sys::check(libc::dup2(from.as_raw_fd(), to))?;
        }
        // Where the machine's own limit is lower, it stays.
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const files);
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        crate::sys::check(libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()))?;
        libc::umask(0o022);
        crate::sys::check(libc::chdir(directory.as_ptr()))?;
    }
    if user == (0, 0) { Ok(()) } else { process::become_user(user.0, user.1) }
}

/// Finds a user as an image names it: `name`, `name:group`, or numbers.
fn find_user(text: &str) -> io::Result<(u32, u32)> {
    let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("the image has no user {text:?}"));
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let entry =
        passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|f| f.len() > 3 && (f[0] == user || f[2] == user));
    let uid = match &entry {
        Some(fields) => fields[2].parse().map_err(|_| unknown())?,
        None => user.parse().map_err(|_| unknown())?,
    };
    let gid = match (group, &entry) {
        (Some(group), _) => find_group(group).ok_or_else(unknown)?,
        (None, Some(fields)) => fields[3].parse().map_err(|_| unknown())?,
        (None, None) => 0,
    };
    Ok((uid, gid))
}

fn find_group(name: &str) -> Option<u32> {
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let mut entries = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
    entries.find(|f| f.len() > 2 && f[0] == name).map_or_else(|| name.parse().ok(), |fields| fields[2].parse().ok())
}

/// How a process ended, in words.
pub(super) fn describe(status: i32) -> String {
    if libc::WIFSIGNALED(status) {
        format!("was killed by signal {}", libc::WTERMSIG(status))
    } else {
        format!("ended with status {}", libc::WEXITSTATUS(status))
    }
}
