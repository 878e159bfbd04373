//! PID 1 of an instance: reaps, keeps the console log, runs user data once and the image's service for ever, and
//! shuts everything down when asked. It runs in a clone of the host that never comes back to the host's code, and it
//! needs nobody: the host may die and return without it noticing.
//!
//! Order of a boot, as on a machine with cloud-init whose services read what user data wrote: user data first (once
//! in the life of the disk, as root, when it starts with `#!`), and when it has ended, `/etc/rc.local` and the image's
//! entry point side by side. User data that never ends therefore holds the entry point back; it should put
//! what must go on into the background.

mod boot;
mod console;
mod run;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use world::Instance;

use crate::image::Service;
use crate::sys::check;
use console::Console;

/// Status of an init that could not do its work at all.
pub(crate) const STATUS_BROKEN: i32 = 70;

/// A service that ends is started again after this time, doubled each time up to the longest.
const RESTART_DELAY_MS_MIN: u64 = 200;
const RESTART_DELAY_MS_MAX: u64 = 30_000;
/// A service that ran this long counts as having started well.
const RESTART_RESET_MS: u64 = 10_000;

/// Real-time signals by which systemd's tools ask PID 1 to halt, power off, reboot: SIGRTMIN+3, +4, +5.
const SIGNAL_HALT: i32 = 37;
const SIGNAL_POWEROFF: i32 = 38;
const SIGNAL_REBOOT: i32 = 39;

/// What this boot is to do.
pub(crate) struct Plan {
    pub instance: Instance,
    pub service: Option<Service>,
    pub log: File,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The host said so.
    Asked,
    Poweroff,
    Reboot,
}

/// The image's entry point.
struct Supervised {
    service: Service,
    pid: Option<libc::pid_t>,
    started: Instant,
    delay_ms: u64,
    due: Option<Instant>,
}

struct Init {
    instance: Instance,
    console: Console,
    signals: OwnedFd,
    user_data: Option<(libc::pid_t, Instant)>,
    rc_local: Option<libc::pid_t>,
    supervised: Option<Supervised>,
    /// Set once everything is to end: why, and when patience does.
    ending: Option<(End, Instant)>,
}

/// Runs the instance until it ends. Every signal must be blocked already.
pub(crate) fn run(plan: Plan) -> ! {
    let status = match Init::new(plan) {
        Ok(mut init) => init.live(),
        Err(_) => STATUS_BROKEN,
    };
    // SAFETY: ends the process without running the destructors and exit handlers of the host it was cloned from.
    unsafe { libc::_exit(status) }
}

/// Blocks every signal, so that none is lost before `run` reads them.
pub(crate) fn block_signals() -> io::Result<()> {
    // SAFETY: the set is filled before it is used and lives through the call.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        check(libc::sigprocmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut())).map(drop)
    }
}

impl Init {
    fn new(plan: Plan) -> io::Result<Self> {
        // SAFETY: the set is filled before it is used; the new descriptor is owned at once.
        let signals = unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            OwnedFd::from_raw_fd(check(libc::signalfd(-1, &raw const all, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK))?)
        };
        let now = Instant::now();
        let supervised = plan.service.map(|service| Supervised {
            service,
            pid: None,
            started: now,
            delay_ms: RESTART_DELAY_MS_MIN,
            due: None,
        });
        Ok(Self {
            instance: plan.instance,
            console: Console::open(plan.log)?,
            signals,
            user_data: None,
            rc_local: None,
            supervised,
            ending: None,
        })
    }

    fn live(&mut self) -> i32 {
        self.console.say(&format!("{} boot {}", self.instance.id, self.instance.generation));
        let first = boot::furnish(&self.instance).unwrap_or_else(|failure| {
            self.console.say(&failure.to_string());
            false
        });
        self.start_user_data(first);
        loop {
            self.reap();
            self.run_due();
            if let Some(end) = self.over() {
                return self.leave(end);
            }
            self.wait();
            while let Some((signal, from_outside)) = self.next_signal() {
                self.obey(signal, from_outside);
            }
        }
    }

    fn start_user_data(&mut self, first: bool) {
        match boot::user_data(&self.instance, first) {
            boot::UserData::Nothing => self.start_rest(),
            boot::UserData::NotAScript(why) => {
                self.console.say(why);
                self.start_rest();
            }
            boot::UserData::Script(path) => {
                self.console.say("running user data");
                match self.console.start(&run::Job::script(path)) {
                    Ok(pid) => self.user_data = Some((pid, Instant::now())),
                    Err(e) => {
                        self.console.say(&format!("user data does not start: {e}"));
                        self.start_rest();
                    }
                }
            }
        }
    }

    /// What comes when user data has ended.
    fn start_rest(&mut self) {
        if self.ending.is_some() {
            return;
        }
        if boot::is_executable(boot::RC_LOCAL) {
            self.console.say("running /etc/rc.local");
            match self.console.start(&run::Job::script(boot::RC_LOCAL)) {
                Ok(pid) => self.rc_local = Some(pid),
                Err(e) => self.console.say(&format!("/etc/rc.local does not start: {e}")),
            }
        }
        if let Some(supervised) = &mut self.supervised {
            supervised.due = Some(Instant::now());
        }
    }

    fn run_due(&mut self) {
        let now = Instant::now();
        if self.ending.is_some() {
            return;
        }
        let Some(supervised) = &mut self.supervised else {
            return;
        };
        if supervised.due.is_none_or(|due| due > now) {
            return;
        }
        supervised.due = None;
        supervised.started = now;
        match self.console.start(&run::Job::service(&supervised.service)) {
            Ok(pid) => supervised.pid = Some(pid),
            Err(e) => {
                self.console.say(&format!("{} does not start: {e}", supervised.service.name()));
                supervised.postpone(now);
            }
        }
    }

    /// Collects every child that has ended.
    fn reap(&mut self) {
        loop {
            let mut status = 0;
            // SAFETY: the status lives through the call.
            let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
            if pid <= 0 {
                return;
            }
            self.ended(pid, status);
        }
    }

    fn ended(&mut self, pid: libc::pid_t, status: i32) {
        let now = Instant::now();
        if let Some((_, started)) = self.user_data.take_if(|(user_data, _)| *user_data == pid) {
            let ms = now.duration_since(started).as_millis();
            self.console.drain();
            self.console.say(&format!("user data {} after {ms} ms", run::describe(status)));
            self.start_rest();
        } else if self.rc_local.take_if(|rc_local| *rc_local == pid).is_some() {
            self.console.drain();
            self.console.say(&format!("/etc/rc.local {}", run::describe(status)));
        } else if let Some(supervised) = self.supervised.as_mut().filter(|s| s.pid == Some(pid)) {
            supervised.pid = None;
            self.console.drain();
            if self.ending.is_none() {
                supervised.postpone(now);
                let (name, delay_ms) = (supervised.service.name(), supervised.waiting_ms(now));
                self.console.say(&format!("{name} {}; it starts again in {delay_ms} ms", run::describe(status)));
            }
        }
    }

    /// Why the instance is over: nothing is left of it, or patience is. In that case the kernel kills the rest,
    /// which no process escapes, when this one ends.
    fn over(&self) -> Option<End> {
        let (end, deadline) = self.ending?;
        if deadline <= Instant::now() {
            return Some(end);
        }
        // SAFETY: a null siginfo is allowed; this only asks whether there are children.
        let none_left =
            unsafe { libc::waitid(libc::P_ALL, 0, std::ptr::null_mut(), libc::WEXITED | libc::WNOHANG | libc::WNOWAIT) < 0 };
        none_left.then_some(end)
    }

    /// The status to end with, where the kernel does not end this process by itself.
    fn leave(&mut self, end: End) -> i32 {
        self.console.drain();
        self.console.say(match end {
            End::Asked => "stopped",
            End::Poweroff => "powering off",
            End::Reboot => "rebooting",
        });
        let how = match end {
            End::Asked => return 0,
            End::Poweroff => libc::LINUX_REBOOT_CMD_POWER_OFF,
            End::Reboot => libc::LINUX_REBOOT_CMD_RESTART,
        };
        // SAFETY: no pointers. Inside a PID namespace this ends the namespace, and tells its parent how.
        unsafe { libc::reboot(how) };
        STATUS_BROKEN
    }

    fn wait(&mut self) {
        let supervised = self.supervised.as_ref().filter(|_| self.ending.is_none()).and_then(|s| s.due);
        let ending = self.ending.map(|(_, deadline)| deadline);
        let due = supervised.into_iter().chain(ending).min();
        let timeout_ms = due.map_or(-1, |due| {
            let left = due.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
            i32::try_from(left).unwrap_or(i32::MAX)
        });
        let watch = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut watched = [watch(self.signals.as_raw_fd()), watch(self.console.as_fd().as_raw_fd())];
        // SAFETY: two valid pollfds. Being interrupted is as good as an event.
        unsafe { libc::poll(watched.as_mut_ptr(), 2, timeout_ms) };
        if watched[1].revents != 0 {
            self.console.drain();
        }
    }

    /// The next signal that came, and whether its sender is outside of the instance.
    fn next_signal(&self) -> Option<(i32, bool)> {
        // SAFETY: zeros are a valid value, and the kernel writes a whole structure or nothing.
        let (length, info) = unsafe {
            let mut info: libc::signalfd_siginfo = std::mem::zeroed();
            let size = size_of::<libc::signalfd_siginfo>();
            (libc::read(self.signals.as_raw_fd(), (&raw mut info).cast(), size), info)
        };
        // A sender that has no number in our PID namespace shows as zero.
        (length > 0).then(|| (info.ssi_signo.cast_signed(), info.ssi_pid == 0))
    }

    fn obey(&mut self, signal: i32, from_outside: bool) {
        let end = match signal {
            libc::SIGTERM if from_outside => End::Asked,
            libc::SIGTERM | libc::SIGPWR | SIGNAL_HALT | SIGNAL_POWEROFF => End::Poweroff,
            libc::SIGINT | SIGNAL_REBOOT => End::Reboot,
            _ => return,
        };
        match &mut self.ending {
            // What the host asks counts more than what the instance wanted.
            Some((ending, _)) if end == End::Asked => *ending = End::Asked,
            Some(_) => {}
            None => {
                self.console.say("asking every process to end");
                self.ending = Some((end, Instant::now() + Duration::from_millis(self.instance.stop_grace_ms)));
                signal_all(libc::SIGTERM);
            }
        }
    }
}

impl Supervised {
    fn postpone(&mut self, now: Instant) {
        if now.duration_since(self.started) >= Duration::from_millis(RESTART_RESET_MS) {
            self.delay_ms = RESTART_DELAY_MS_MIN;
        }
        self.due = Some(now + Duration::from_millis(self.delay_ms));
        self.delay_ms = (self.delay_ms * 2).min(RESTART_DELAY_MS_MAX);
    }

    fn waiting_ms(&self, now: Instant) -> u128 {
        self.due.map_or(0, |due| due.saturating_duration_since(now).as_millis())
    }
}

/// Signals every process of the instance but this one.
fn signal_all(signal: i32) {
    // SAFETY: no pointers. In a PID namespace -1 means the processes of that namespace. None left is fine.
    unsafe { libc::kill(-1, signal) };
}
