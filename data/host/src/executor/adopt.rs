//! Coming back: a new host takes over what an old one made, and removes what nobody knows. And going for good.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use base::InstanceId;
use world::{Exit, RunPaths, Slot, SlotKind, Want};

use super::doors::Door;
use super::held::{Held, Process, Stage};
use super::usage::{Begin, Usages};
use super::{Executor, Gone, HeldInterface, HeldNetwork};
use crate::cgroup::Cgroups;
use crate::disk::Disks;
use crate::events::{Events, Source};
use crate::failure::{During, Result};
use crate::metadata::Metadata;
use crate::netns::{self, Namespace};
use crate::network::Machine;
use crate::nftables::Nftables;
use crate::process;
use crate::records::{self, Boot, BootState, Record, Records};
use crate::relay::Relays;
use crate::sys::process as system;
use crate::{naming, skeleton};

/// How long a purge waits for killed processes to be gone.
const PURGE: Duration = Duration::from_secs(20);
const PURGE_STEP: Duration = Duration::from_millis(2);

/// Names the region's cgroups: eight digits of the data directory's real path.
pub(crate) fn region_name(paths: &RunPaths) -> String {
    let real = fs::canonicalize(paths.data()).unwrap_or_else(|_| paths.data().to_path_buf());
    format!("{:08x}", naming::hash(real.as_os_str().as_encoded_bytes().iter().copied()) & 0xffff_ffff)
}

impl Executor {
    /// Takes over what is there, or starts from nothing.
    pub fn open(paths: RunPaths) -> Result<Self> {
        let (records, rebooted) = Records::open(&paths)?;
        let cgroups = Cgroups::open(&region_name(&paths))?;
        let machine =
            Machine { home: Namespace::current().during("opening our own network namespace")?, nftables: Nftables::load() };
        let mut executor = Self {
            skeleton: skeleton::prepare(&records::host_directory(&paths))?,
            metadata: Metadata::open(&records::host_directory(&paths))?,
            relays: Relays::new(paths.clone()),
            disks: Disks::open(&paths)?,
            events: Events::new().during("making an epoll set")?,
            paths,
            machine,
            cgroups,
            records,
            vpcs: Default::default(),
            networks: Default::default(),
            interfaces: Default::default(),
            instances: Default::default(),
            gone: Default::default(),
            observations: Vec::new(),
            usages: Usages::default(),
            stale_groups: BTreeSet::new(),
            remover: None,
            emptying_at: Some(Instant::now()),
            retry_at: None,
        };
        if rebooted {
            executor.remove_stray_pins();
        }
        executor.adopt_all()?;
        Ok(executor)
    }

    fn adopt_all(&mut self) -> Result<()> {
        for record in self.records.load()? {
            let slot = record.slot.clone();
            if let Err(failure) = self.adopt(record) {
                // The effect will come again, as for something new.
                tracing::error!("{slot} cannot be taken over: {failure}");
                self.records.forget(&slot);
            }
        }
        for (id, vpc) in &mut self.vpcs {
            vpc.router.rebuild(&self.machine).inspect_err(|e| tracing::error!("the rules of {id}: {e}")).ok();
        }
        self.open_missing_doors();
        self.remove_stray_pins();
        for name in self.cgroups.names() {
            if self.instances.get(name.as_str()).is_none_or(|held| held.process.is_none()) {
                self.drop_group(&name);
            }
        }
        for id in self.vpcs.keys().cloned().collect::<Vec<_>>() {
            self.drop_idle_vpc(&id);
        }
        for id in self.instances.keys().cloned().collect::<Vec<_>>() {
            self.advance(&id).inspect_err(|e| tracing::error!("{id}: {e}")).ok();
        }
        Ok(())
    }

    fn adopt(&mut self, record: Record) -> Result<()> {
        let Record { slot, version, removed, want, port, door, boot } = record;
        match want {
            Some(Want::Network(want)) => {
                self.vpc(&want.id)?.router.adopt_network(want.clone());
                self.networks.insert(want.id.clone(), HeldNetwork { version, want });
            }
            Some(Want::Interface(want)) => {
                if let Some(port) = port.filter(|_| self.open_namespace(&want.id).is_some()) {
                    self.vpc(&want.vpc)?.router.adopt_port(port);
                    self.interfaces.insert(want.id.clone(), HeldInterface { version, want });
                } else {
                    self.apply_interface(version, want)?;
                }
            }
            Some(Want::Instance(instance)) => {
                let id = instance.id.clone();
                let door = Door::at(door);
                self.instances
                    .insert(id.clone(), Held { version, instance: *instance, removed, port, door, boot, process: None });
                self.adopt_process(&id)?;
            }
            Some(Want::LoadBalancer(_) | Want::Target(_) | Want::Delivery(_) | Want::Certificate(_)) => {}
            None => {
                let generation = boot.map_or(u64::MAX, |boot| boot.generation);
                self.gone.insert(slot, Gone { version, generation });
            }
        }
        Ok(())
    }

    /// Finds the instance's init again, or the fact that it has ended.
    fn adopt_process(&mut self, id: &InstanceId) -> Result<()> {
        let Some(held) = self.instances.get_mut(id) else {
            return Ok(());
        };
        let Some(Boot { generation, state: BootState::Running { pid, start_time_ticks, asked_to_stop } }) = held.boot.clone()
        else {
            held.port = None;
            return Ok(());
        };
        let same = |_: &std::os::fd::OwnedFd| system::start_time_ticks(pid).is_ok_and(|ticks| ticks == start_time_ticks);
        let Some(pidfd) = system::open_pidfd(pid).ok().filter(same) else {
            let exit = if asked_to_stop { Exit::Asked } else { Exit::Signal(libc::SIGKILL) };
            held.boot = Some(Boot { generation, state: BootState::Stopped { exit } });
            (held.port, held.door) = (None, Door::default());
            return self.save(id);
        };
        let exit_token = self.events.watch(&pidfd, Source::Exit(id.clone())).during("watching an instance's init")?;
        process::release_adopted(&pidfd).inspect_err(|e| tracing::warn!("{id}: {e}")).ok();
        let grace = Duration::from_millis(held.instance.stop_grace_ms);
        let stage = if asked_to_stop { Stage::Stopping { deadline: Some(Instant::now() + grace) } } else { Stage::Up };
        held.process = Some(Process { pid, pidfd, exit_token, generation, stage, meter: None });
        if let Some(port) = held.port.clone() {
            self.vpc(&port.interface.vpc)?.router.adopt_port(port);
        }
        self.begin_metering(id, Begin::Adopted);
        Ok(())
    }

    /// Removes pinned namespaces that no slot stands for.
    fn remove_stray_pins(&mut self) {
        let known: BTreeSet<&str> =
            self.vpcs.keys().map(|id| id.as_str()).chain(self.interfaces.keys().map(|id| id.as_str())).collect();
        for path in pins(&self.paths) {
            let stray = path.file_name().and_then(|name| name.to_str()).is_none_or(|name| !known.contains(name));
            if stray {
                netns::unpin(&path).inspect_err(|e| tracing::warn!("removing {}: {e}", path.display())).ok();
            }
        }
    }

    /// Removes everything that was made, but for the disks and logs of instances that were not terminated.
    pub fn purge(mut self) -> Result<()> {
        for held in self.instances.values() {
            if let Some(process) = &held.process {
                system::signal(&process.pidfd, libc::SIGKILL).ok();
            }
        }
        let deadline = Instant::now() + PURGE;
        let ids: Vec<_> = self.instances.keys().cloned().collect();
        while self.instances.values().any(|held| held.process.is_some()) && Instant::now() < deadline {
            for held in self.instances.values_mut() {
                // No new boot may follow the end of this one.
                held.instance.power = world::Power::Off;
            }
            for ready in self.events.wait(Some(PURGE_STEP)).during("waiting for instances to end")? {
                if let Some(Source::Exit(id)) = self.events.meaning(ready).map(|event| event.source) {
                    self.exited(&id);
                }
            }
        }
        for id in ids {
            self.clean_up_boot(&id);
        }
        let slots: Vec<Slot> = self.applied().into_iter().map(|(slot, _)| slot).collect();
        for slot in slots.iter().rev().filter(|slot| slot.kind != SlotKind::Instance) {
            self.remove(slot, u64::MAX).inspect_err(|e| tracing::error!("removing {slot}: {e}")).ok();
        }
        self.empty_trash();
        remove_leftovers(&self.paths, &self.cgroups, deadline)
    }

    /// Deletes what terminated instances left, and waits for it.
    fn empty_trash(&mut self) {
        self.remover_ended();
        match self.disks.start_emptying() {
            Ok(Some(mut child)) => drop(child.wait()),
            Ok(None) => {}
            Err(e) => tracing::warn!("deleting old disks: {e}"),
        }
    }
}

fn pins(paths: &RunPaths) -> Vec<std::path::PathBuf> {
    let directory = paths.interface_namespace(&"x".into());
    let entries = directory.parent().and_then(|directory| fs::read_dir(directory).ok());
    entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// What may be left whatever the records say: groups with processes, pins, our files under `run`.
pub(crate) fn remove_leftovers(paths: &RunPaths, cgroups: &Cgroups, deadline: Instant) -> Result<()> {
    for name in cgroups.names() {
        cgroups.kill(&name);
        while !(cgroups.is_empty(&name) && cgroups.remove(&name)) && Instant::now() < deadline {
            std::thread::sleep(PURGE_STEP);
        }
    }
    cgroups.remove_region();
    for pin in pins(paths) {
        netns::unpin(&pin).during(format_args!("removing {}", pin.display()))?;
    }
    if let Some(directory) = paths.interface_namespace(&"x".into()).parent() {
        fs::remove_dir(directory).ok();
    }
    match fs::remove_dir_all(records::host_directory(paths)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).during("removing the host's records"),
        _ => Ok(()),
    }
}
