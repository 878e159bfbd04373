//! An instance as the host holds it, and what follows from that: its next step and what to report. Nothing here acts.

use std::os::fd::OwnedFd;
use std::time::Instant;

use base::{InstanceId, Time};
use world::{Exit, Instance, InstanceState, Observation, Power, Slot, SlotKind, Want};

use super::doors::Door;
use super::now;
use super::usage::Meter;
use crate::cgroup::Limits;
use crate::events::Token;
use crate::network::Port;
use crate::records::{Boot, BootState, Record};
use crate::sys::process::{Ended, Pid};

/// An instance's init as a process.
pub(super) struct Process {
    pub pid: Pid,
    pub pidfd: OwnedFd,
    pub exit_token: Token,
    pub generation: u64,
    /// From the moment at which it is up.
    pub meter: Option<Meter>,
    pub stage: Stage,
}

pub(super) enum Stage {
    /// It builds its root and will answer.
    Preparing {
        socket: OwnedFd,
        token: Token,
        deadline: Instant,
    },
    /// It could not start; killed, its end is awaited.
    Failing {
        reason: String,
    },
    Up,
    /// Asked to stop; killed at the deadline.
    Stopping {
        deadline: Option<Instant>,
    },
}

/// An instance with what is there of it.
pub(super) struct Held {
    pub version: u64,
    pub instance: Instance,
    /// To be terminated: process, interface and disk.
    pub removed: bool,
    pub port: Option<Port>,
    pub door: Door,
    pub boot: Option<Boot>,
    pub process: Option<Process>,
}

/// Version, whether the instance is to be terminated, and how it is to be.
pub(super) type Wish = (u64, bool, Instance);

/// What to do next for an instance.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    Stop,
    Start,
    Update,
    Dispose,
}

pub(super) fn gone(id: &InstanceId, generation: u64) -> Observation {
    Observation::Instance { id: id.clone(), generation, state: InstanceState::Gone, at: now() }
}

impl Held {
    /// Gives the wish before.
    pub fn set_wish(&mut self, (version, removed, instance): Wish) -> Wish {
        let before = std::mem::replace(&mut self.instance, instance);
        (std::mem::replace(&mut self.version, version), std::mem::replace(&mut self.removed, removed), before)
    }

    pub fn step(&self) -> Step {
        let on = self.instance.power == Power::On && !self.removed;
        match &self.process {
            Some(process) => match process.stage {
                Stage::Failing { .. } | Stage::Stopping { .. } => Step::Nothing,
                _ if !on || process.generation < self.instance.generation => Step::Stop,
                _ => Step::Update,
            },
            None if self.removed => Step::Dispose,
            None if on && self.boot.as_ref().is_none_or(|boot| boot.generation < self.instance.generation) => Step::Start,
            None => Step::Nothing,
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.process.as_ref()?.stage {
            Stage::Preparing { deadline, .. } => Some(*deadline),
            Stage::Stopping { deadline } => *deadline,
            _ => None,
        }
    }

    /// The state to report; none while it starts or stops, or before anything happened.
    pub fn observation(&self, at: Time) -> Option<Observation> {
        let id = self.instance.id.clone();
        let report = |generation, state| Some(Observation::Instance { id, generation, state, at });
        if let Some(process) = &self.process {
            // One that is stopping will be heard of when it has stopped.
            return if matches!(process.stage, Stage::Up) { report(process.generation, InstanceState::Running) } else { None };
        }
        match &self.boot {
            Some(Boot { generation, state: BootState::Stopped { exit } }) => {
                // An instance that was off already when it was asked to stop is as stopped as it can be.
                report(*generation, InstanceState::Stopped { exit: *exit })
            }
            Some(Boot { generation, state: BootState::Failed { reason } }) => {
                report(*generation, InstanceState::Failed { reason: reason.clone() })
            }
            Some(Boot { state: BootState::Running { .. }, .. }) => None,
            None if self.instance.power == Power::Off => {
                report(self.instance.generation, InstanceState::Stopped { exit: Exit::Asked })
            }
            None => None,
        }
    }

    pub fn limits(&self) -> Limits {
        Limits { cpu_millicores: self.instance.cpu_millicores, memory_bytes: self.instance.memory_bytes }
    }

    pub fn record(&self) -> Record {
        Record {
            slot: Slot::new(SlotKind::Instance, self.instance.id.as_str()),
            version: self.version,
            removed: self.removed,
            want: Some(Want::Instance(Box::new(self.instance.clone()))),
            port: self.port.clone(),
            door: self.door.address,
            boot: self.boot.clone(),
        }
    }
}

/// What the end of an init means.
pub(super) fn exit(ended: Ended, asked: bool) -> Exit {
    match ended {
        _ if asked => Exit::Asked,
        Ended::Status(status) => Exit::Status(status),
        // The kernel ends the init of a PID namespace with these when something in it calls reboot(2).
        Ended::Signal(libc::SIGHUP) => Exit::Reboot,
        Ended::Signal(libc::SIGINT) => Exit::Poweroff,
        Ended::Signal(signal) => Exit::Signal(signal),
        // Only after a change of hosts, on a kernel before 6.15, when the machine's init was faster to reap it.
        Ended::Unknown => Exit::Signal(libc::SIGKILL),
    }
}

#[cfg(test)]
mod tests {
    use super::exit;
    use crate::sys::process::Ended;
    use world::Exit;

    #[test]
    fn ends_mean_what_the_kernel_says() {
        for (ended, asked, wanted) in [
            (Ended::Status(0), true, Exit::Asked),
            (Ended::Signal(9), true, Exit::Asked),
            (Ended::Signal(1), false, Exit::Reboot),
            (Ended::Signal(2), false, Exit::Poweroff),
            (Ended::Signal(9), false, Exit::Signal(9)),
            (Ended::Status(70), false, Exit::Status(70)),
        ] {
            assert_eq!(exit(ended, asked), wanted, "{ended:?} {asked}");
        }
    }
}
