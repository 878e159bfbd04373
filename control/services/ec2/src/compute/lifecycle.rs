//! How an instance changes its course: start, stop, reboot, terminate, and what follows from what was observed.
//! Pure transitions of the row; the reconciler turns them into wishes.

use base::Time;
use world::Exit;

use super::instance::{Cause, Instance, InstanceState, Intent, Observed, Seen, Why};
use super::launch_data::ShutdownBehavior;

impl Instance {
    /// Starts a stopped instance; one that runs stays as it is. False when its state does not allow it.
    pub(crate) fn start(&mut self, now: Time) -> bool {
        match self.state() {
            InstanceState::Pending | InstanceState::Running => true,
            InstanceState::Stopped => {
                self.generation += 1;
                self.intent = Intent::Running;
                self.cause = None;
                self.launched_at = now;
                true
            }
            _ => false,
        }
    }

    /// Stops a running instance; one that is stopped stays as it is. False when its state does not allow it.
    pub(crate) fn stop(&mut self, now: Time) -> bool {
        match self.state() {
            InstanceState::Stopping | InstanceState::Stopped => true,
            InstanceState::Pending | InstanceState::Running => {
                self.intent = Intent::Stopped;
                self.cause = Some(Cause { why: Why::User, at: now });
                true
            }
            _ => false,
        }
    }

    /// Boots a running instance anew. False when its state does not allow it.
    pub(crate) fn reboot(&mut self) -> bool {
        match self.state() {
            // A boot that is under way already is as good as a new one.
            InstanceState::Pending => true,
            InstanceState::Running => {
                self.generation += 1;
                self.intent = Intent::Rebooting;
                true
            }
            _ => false,
        }
    }

    /// Boots an instance anew with what was changed of it, as a stop and a start would; one that is stopped or about
    /// to be takes the change on at its next start.
    pub(crate) fn restart(&mut self, now: Time) {
        if matches!(self.state(), InstanceState::Pending | InstanceState::Running) {
            self.generation += 1;
            self.intent = Intent::Running;
            self.cause = None;
            self.launched_at = now;
        }
    }

    /// Ends the instance for good. Repeating it changes nothing.
    pub(crate) fn terminate(&mut self, now: Time, why: Why) {
        if self.intent != Intent::Terminated {
            self.intent = Intent::Terminated;
            self.cause = Some(Cause { why, at: now });
        }
    }

    /// Its first process is up.
    pub(crate) fn observe_running(&mut self, generation: u64, at: Time) {
        if generation == self.generation && self.observed.state_of(generation) != Seen::Stopped {
            self.observed = Observed { generation, state: Seen::Running, at };
            if self.intent == Intent::Rebooting {
                self.intent = Intent::Running;
            }
        }
    }

    /// No process of it is left.
    pub(crate) fn observe_stopped(&mut self, generation: u64, exit: Exit, at: Time) {
        if generation != self.generation {
            return;
        }
        self.observed = Observed { generation, state: Seen::Stopped, at };
        if !matches!(self.intent, Intent::Running | Intent::Rebooting) {
            return;
        }
        match exit {
            Exit::Reboot => {
                self.generation += 1;
                self.intent = Intent::Rebooting;
            }
            Exit::Asked | Exit::Poweroff | Exit::Signal(_) | Exit::Status(_) => {
                self.cause = Some(Cause { why: Why::Itself, at });
                self.intent = match self.shutdown_behavior {
                    ShutdownBehavior::Stop => Intent::Stopped,
                    ShutdownBehavior::Terminate => Intent::Terminated,
                };
            }
        }
    }

    /// It could not start: like AWS, the instance goes from pending to terminated; one that had run before goes back
    /// to stopped, its disk kept.
    pub(crate) fn observe_failed(&mut self, generation: u64, reason: &str, at: Time) {
        if generation != self.generation || self.is_ending() {
            return;
        }
        let why = Why::Failed { reason: reason.into() };
        if generation == 1 {
            self.terminate(at, why);
        } else {
            self.observed = Observed { generation, state: Seen::Stopped, at };
            self.intent = Intent::Stopped;
            self.cause = Some(Cause { why, at });
        }
    }
}

impl Observed {
    fn state_of(&self, generation: u64) -> Seen {
        if self.generation == generation { self.state } else { Seen::Nothing }
    }
}
