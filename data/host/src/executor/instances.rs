//! Instances: from what is wanted and what is there to the next step.

use std::time::{Duration, Instant};

use base::InstanceId;
use world::{Image, Instance, Power, Slot, SlotKind};

use super::doors::Door;
use super::held::{Held, Process, Stage, Step, Wish, exit, gone};
use super::usage::Begin;
use super::{EMPTYING_DELAY, Executor, Gone, RETRY, now};
use crate::disk::{Disk, Disks};
use crate::events::Source;
use crate::failure::{During, Failure, Result};
use crate::image::{self, Base, Service};
use crate::netns::Namespace;
use crate::network::{Inner, Link};
use crate::process::{self, Answer, Order, Sources, Starting};
use crate::records::{Boot, BootState};
use crate::sys::process as system;
use crate::sys::process::Ended;

/// How long an init may take to prepare itself.
const PREPARE: Duration = Duration::from_secs(20);
/// What the host waits beyond the grace that init itself keeps.
const STOP_MARGIN: Duration = Duration::from_secs(2);
const STOP_GRACE_MS_MAX: u64 = 600_000;

impl Executor {
    pub(super) fn apply_instance(&mut self, version: u64, want: Instance) -> Result<()> {
        let id = want.id.clone();
        if want.memory_bytes == 0 || want.cpu_millicores == 0 {
            return Err(Failure::new("an instance needs processor time and memory"));
        }
        if want.hostname.is_empty() || want.hostname.len() > 64 || !want.hostname.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Failure::new(format!("{:?} is no host name", want.hostname)));
        }
        let before = match self.instances.get_mut(&id) {
            Some(held) => {
                let moved = held.port.as_ref().is_some_and(|port| port.interface.address != want.interface.address);
                if moved && want.generation == held.instance.generation && want.power == Power::On {
                    return Err(Failure::new("the address of a running instance cannot change"));
                }
                // A process keeps the interface it was started with until it is stopped.
                Some(held.set_wish((version, false, want)))
            }
            None => {
                let held = Held {
                    version,
                    instance: want,
                    removed: false,
                    port: None,
                    door: Door::default(),
                    boot: None,
                    process: None,
                };
                self.instances.insert(id.clone(), held);
                None
            }
        };
        self.save_wish(&id, before)?;
        self.gone.remove(&Slot::new(SlotKind::Instance, id.as_str()));
        self.advance(&id)
    }

    pub(super) fn remove_instance(&mut self, id: &InstanceId, version: u64) -> Result<()> {
        if let Some(held) = self.instances.get_mut(id) {
            let before = held.set_wish((version, true, held.instance.clone()));
            self.save_wish(id, Some(before))?;
        }
        self.advance(id)
    }

    /// Records a new wish. Where it cannot be, the one before holds, so that the new one is not taken for applied.
    fn save_wish(&mut self, id: &InstanceId, before: Option<Wish>) -> Result<()> {
        self.save(id).inspect_err(|_| match (self.instances.get_mut(id), before) {
            (Some(held), Some(before)) => drop(held.set_wish(before)),
            _ => drop(self.instances.remove(id)),
        })
    }

    /// Reports the present state again: the effect may have changed nothing.
    pub(super) fn repeat_state(&mut self, id: &InstanceId) {
        if let Some(observation) = self.instances.get(id).and_then(|held| held.observation(now())) {
            self.observe(observation);
        } else if let Some(known) = self.gone.get(&Slot::new(SlotKind::Instance, id.as_str())) {
            self.observe(gone(id, known.generation));
        }
    }

    pub(super) fn save(&self, id: &InstanceId) -> Result<()> {
        self.instances.get(id).map_or(Ok(()), |held| self.records.save(&held.record()))
    }

    /// Takes the next step towards what is wanted.
    pub(super) fn advance(&mut self, id: &InstanceId) -> Result<()> {
        match self.instances.get(id).map_or(Step::Nothing, Held::step) {
            Step::Nothing => Ok(()),
            Step::Stop => {
                self.stop(id);
                Ok(())
            }
            Step::Start => {
                if let Err(failure) = self.start(id) {
                    self.start_failed(id, &failure);
                }
                Ok(())
            }
            Step::Update => self.update(id),
            Step::Dispose => self.dispose(id),
        }
    }

    fn update(&mut self, id: &InstanceId) -> Result<()> {
        let Some(held) = self.instances.get_mut(id) else {
            return Ok(());
        };
        self.cgroups.limit(id, held.limits())?;
        if let Some(vpc) = self.vpcs.get_mut(&held.instance.interface.vpc).filter(|_| held.port.is_some()) {
            held.port = Some(vpc.router.update(&self.machine, &held.instance.interface)?);
        }
        self.save(id)
    }

    /// From decision to a clone that prepares itself. An error leaves to `start_failed` what was made.
    fn start(&mut self, id: &InstanceId) -> Result<()> {
        let Some(held) = self.instances.get(id) else {
            return Ok(());
        };
        let (instance, limits) = (held.instance.clone(), held.limits());
        let disk = self.disks.provide(id)?;
        let (service, sources) = self.sources(&instance.image, disk)?;
        let log = Disks::console_log(&self.paths, id)?;
        self.stale_groups.remove(id.as_str());
        let entrance = self.cgroups.create(id, limits)?;
        let starting = process::start(Order { instance: &instance, service, log, entrance })?;
        let handed = process::hand_over(&starting, &sources);
        let pid = starting.pid;
        self.watch_start(id, starting, instance.generation)?;
        handed?;
        let namespace = Namespace::open(format!("/proc/{pid}/ns/net")).during("opening an instance's network namespace")?;
        self.yield_address(&instance.interface);
        self.vpc(&instance.interface.vpc)?;
        let Some(vpc) = self.vpcs.get_mut(&instance.interface.vpc) else {
            return Err(Failure::new("the instance's VPC is missing"));
        };
        let port = vpc.router.attach(&self.machine, &instance.interface, &namespace, Inner::Instance)?;
        if let Some(held) = self.instances.get_mut(id) {
            held.port = Some(port);
        }
        // Before the word is given: user data finds the door open.
        self.open_door(id, &namespace);
        Ok(())
    }

    fn sources(&self, image: &Image, disk: Disk) -> Result<(Option<Service>, Sources)> {
        let skeleton = Some(self.skeleton.clone());
        match image {
            Image::Host => Ok((None, Sources { disk, skeleton, image: None })),
            Image::Imported { location, .. } => {
                let (manifest, files) = image::load(&self.paths, location)?;
                let skeleton = skeleton.filter(|_| manifest.base == Base::Host);
                Ok((manifest.service(), Sources { disk, skeleton, image: Some(files) }))
            }
        }
    }

    fn watch_start(&mut self, id: &InstanceId, starting: Starting, generation: u64) -> Result<()> {
        let Starting { pid, pidfd, socket } = starting;
        let watched = self.events.watch(&pidfd, Source::Exit(id.clone())).and_then(|exit_token| {
            let token = self.events.watch(&socket, Source::Answer(id.clone()));
            token.map(|token| (exit_token, token)).inspect_err(|_| self.events.forget(&pidfd, exit_token))
        });
        let (exit_token, token) = watched.during("watching an instance's init").inspect_err(|_| {
            system::signal(&pidfd, libc::SIGKILL).ok();
        })?;
        let stage = Stage::Preparing { socket, token, deadline: Instant::now() + PREPARE };
        if let Some(held) = self.instances.get_mut(id) {
            held.process = Some(Process { pid, pidfd, exit_token, generation, stage, meter: None });
        }
        Ok(())
    }

    /// The clone has answered, or closed its end.
    pub fn answered(&mut self, id: &InstanceId) {
        let Some(Process { stage: Stage::Preparing { socket, .. }, .. }) =
            self.instances.get(id).and_then(|h| h.process.as_ref())
        else {
            return;
        };
        let released = match process::answer(socket) {
            Answer::Prepared => self.release(id),
            Answer::Failed(failure) => Err(failure),
        };
        if let Err(failure) = released {
            self.start_failed(id, &failure);
        }
    }

    /// Records that the instance runs, and only then lets it.
    fn release(&mut self, id: &InstanceId) -> Result<()> {
        let Some(held) = self.instances.get_mut(id) else {
            return Ok(());
        };
        let Some(process) = held.process.as_mut() else {
            return Ok(());
        };
        let start_time_ticks = system::start_time_ticks(process.pid).during("reading a process's start time")?;
        let state = BootState::Running { pid: process.pid, start_time_ticks, asked_to_stop: false };
        held.boot = Some(Boot { generation: process.generation, state });
        self.save(id)?;
        let Some(held) = self.instances.get_mut(id) else {
            return Ok(());
        };
        if let Some(process) = held.process.as_mut()
            && let Stage::Preparing { socket, token, .. } = std::mem::replace(&mut process.stage, Stage::Up)
        {
            process::release(&socket)?;
            self.events.forget(&socket, token);
        }
        self.begin_metering(id, Begin::Fresh);
        let Some(held) = self.instances.get(id) else {
            return Ok(());
        };
        let observation = held.observation(now());
        self.observations.extend(observation);
        Ok(())
    }

    /// Ends a start that went wrong. The failure is reported when the process is gone, if there is one.
    fn start_failed(&mut self, id: &InstanceId, failure: &Failure) {
        tracing::warn!("{id} does not start: {failure}");
        let Some(held) = self.instances.get_mut(id) else {
            return;
        };
        let generation = held.instance.generation;
        match held.process.as_mut() {
            Some(process) => {
                let failing = Stage::Failing { reason: failure.to_string() };
                if let Stage::Preparing { socket, token, .. } = std::mem::replace(&mut process.stage, failing) {
                    self.events.forget(&socket, token);
                }
                system::signal(&process.pidfd, libc::SIGKILL).ok();
            }
            None => {
                held.boot = Some(Boot { generation, state: BootState::Failed { reason: failure.to_string() } });
                let observation = held.observation(now());
                self.observations.extend(observation);
                self.drop_group(id);
                self.save(id).inspect_err(|e| tracing::error!("{e}")).ok();
            }
        }
    }

    /// Asks init to shut the instance down.
    fn stop(&mut self, id: &InstanceId) {
        let Some(held) = self.instances.get_mut(id) else {
            return;
        };
        let grace = Duration::from_millis(held.instance.stop_grace_ms.min(STOP_GRACE_MS_MAX));
        let Some(process) = held.process.as_mut() else {
            return;
        };
        let preparing = matches!(process.stage, Stage::Preparing { .. });
        let signal = if preparing { libc::SIGKILL } else { libc::SIGTERM };
        let stopping = Stage::Stopping { deadline: Some(Instant::now() + grace + STOP_MARGIN) };
        if let Stage::Preparing { socket, token, .. } = std::mem::replace(&mut process.stage, stopping) {
            self.events.forget(&socket, token);
        }
        system::signal(&process.pidfd, signal).inspect_err(|e| tracing::warn!("stopping {id}: {e}")).ok();
        if let Some(Boot { state: BootState::Running { asked_to_stop, .. }, .. }) = &mut held.boot {
            *asked_to_stop = true;
        }
        self.save(id).inspect_err(|e| tracing::error!("{e}")).ok();
    }

    /// A deadline has passed.
    pub(super) fn end_patience(&mut self, id: &InstanceId) {
        let Some(process) = self.instances.get_mut(id).and_then(|held| held.process.as_mut()) else {
            return;
        };
        match &mut process.stage {
            Stage::Preparing { .. } => self.start_failed(id, &Failure::new("the instance's init did not get ready in time")),
            Stage::Stopping { deadline } => {
                *deadline = None;
                system::signal(&process.pidfd, libc::SIGKILL).ok();
                self.cgroups.kill(id);
            }
            _ => {}
        }
    }

    /// An init has ended, and with it, as the kernel sees to, everything in its PID namespace.
    pub fn exited(&mut self, id: &InstanceId) {
        let Some(held) = self.instances.get_mut(id) else {
            return;
        };
        let Some(process) = &held.process else {
            return;
        };
        let ended = match system::ended(process.pid, &process.pidfd) {
            Ok(None) => return,
            Ok(Some(ended)) => ended,
            Err(e) => {
                tracing::error!("asking how {id} ended: {e}");
                Ended::Unknown
            }
        };
        self.end_metering(id);
        let Some(held) = self.instances.get_mut(id) else {
            return;
        };
        let Some(process) = held.process.take() else {
            return;
        };
        self.events.forget(&process.pidfd, process.exit_token);
        let state = match process.stage {
            Stage::Preparing { socket, token, .. } => {
                self.events.forget(&socket, token);
                BootState::Failed { reason: "the instance's init ended while it prepared itself".into() }
            }
            Stage::Failing { reason } => BootState::Failed { reason },
            Stage::Up => BootState::Stopped { exit: exit(ended, false) },
            Stage::Stopping { .. } => BootState::Stopped { exit: exit(ended, true) },
        };
        held.boot = Some(Boot { generation: process.generation, state });
        let observation = held.observation(now());
        self.observations.extend(observation);
        self.clean_up_boot(id);
        self.save(id).inspect_err(|e| tracing::error!("{e}")).ok();
        if let Err(failure) = self.advance(id) {
            tracing::error!("{id}: {failure}");
        }
    }

    /// Takes away what a boot had beside its process.
    pub(super) fn clean_up_boot(&mut self, id: &InstanceId) {
        self.drop_group(id);
        self.close_door(id);
        let Some(held) = self.instances.get_mut(id) else {
            return;
        };
        let interface = held.port.take().map_or_else(|| held.instance.interface.clone(), |port| port.interface);
        if let Some(vpc) = self.vpcs.get_mut(&interface.vpc) {
            vpc.router.detach(&self.machine, &interface.id, Link::Leave);
        }
        self.drop_idle_vpc(&interface.vpc);
    }

    /// Lets go of an instance when that is recorded. Where it cannot be, it is tried again: nobody else would ask for it.
    fn dispose(&mut self, id: &InstanceId) -> Result<()> {
        let Some(held) = self.instances.get(id) else {
            return Ok(());
        };
        let (version, generation) = (held.version, held.instance.generation);
        let noted = self.disks.discard(id).and_then(|()| {
            self.emptying_at.get_or_insert(Instant::now() + EMPTYING_DELAY);
            self.note_gone(Slot::new(SlotKind::Instance, id.as_str()), Gone { version, generation })
        });
        if noted.is_err() {
            self.retry_at.get_or_insert(Instant::now() + RETRY);
            return noted;
        }
        self.instances.remove(id);
        self.observe(gone(id, generation));
        Ok(())
    }

    /// Tries again what could not be recorded.
    pub(super) fn dispose_ended(&mut self) {
        let ended = self.instances.iter().filter(|(_, held)| held.step() == Step::Dispose);
        for id in ended.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            // The first failure was logged.
            self.dispose(&id).ok();
        }
    }
}
