//! Makes the world as effects want it, slot by slot, and notes what it observes. It knows the newest version of each
//! slot; it does not know who listens.

mod adopt;
pub(crate) use adopt::{region_name, remove_leftovers};
mod doors;
mod held;
mod instances;
mod links;
mod usage;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use base::{InstanceId, NetworkInterfaceId, Time, VpcId};
use world::{Effect, Exit, Interface, Network, Observation, RunPaths, Slot, SlotKind, Want};

use crate::cgroup::Cgroups;
use crate::disk::Disks;
use crate::events::{Events, Source, Token};
use crate::failure::{Failure, Result};
use crate::metadata::{Metadata, Subject};
use crate::naming;
use crate::netns::Namespace;
use crate::network::{Machine, Router};
use crate::records::{Boot, BootState, Record, Records};
use crate::relay::Relays;
use held::Held;
use usage::Usages;

/// Slots of one kind.
const SLOTS_MAX: usize = 4096;
/// Slots that are gone, kept to know an effect that comes late.
const GONE_MAX: usize = 16_384;
/// How often what could not be removed or recorded at once is tried again.
const RETRY: Duration = Duration::from_millis(50);
/// Old disks are deleted some at a time, and not while their instances' successors start.
const EMPTYING_DELAY: Duration = Duration::from_secs(1);

/// A VPC that has a router.
struct Vpc {
    router: Router,
    metadata: std::net::TcpListener,
    token: Token,
}

/// A network as wanted.
struct HeldNetwork {
    version: u64,
    want: Network,
}

/// An interface that belongs to no instance.
struct HeldInterface {
    version: u64,
    want: Interface,
}

/// What is remembered of a slot that is gone.
#[derive(Clone, Copy, Debug)]
struct Gone {
    version: u64,
    /// The last boot's number; for an instance that was never here the largest, so that its report is not taken for
    /// one of an earlier boot.
    generation: u64,
}

pub(crate) struct Executor {
    paths: RunPaths,
    machine: Machine,
    cgroups: Cgroups,
    disks: Disks,
    skeleton: PathBuf,
    records: Records,
    pub events: Events,
    pub metadata: Metadata,
    pub relays: Relays,
    vpcs: BTreeMap<VpcId, Vpc>,
    networks: BTreeMap<VpcId, HeldNetwork>,
    interfaces: BTreeMap<NetworkInterfaceId, HeldInterface>,
    instances: BTreeMap<InstanceId, Held>,
    gone: BTreeMap<Slot, Gone>,
    observations: Vec<Observation>,
    usages: Usages,
    /// Groups whose directories were still in use.
    stale_groups: BTreeSet<String>,
    remover: Option<(Child, Option<(std::os::fd::OwnedFd, Token)>)>,
    emptying_at: Option<Instant>,
    retry_at: Option<Instant>,
}

impl Executor {
    /// Newest version applied of each slot, gone ones too.
    pub fn applied(&self) -> Vec<(Slot, u64)> {
        let networks = self.networks.iter().map(|(id, held)| (Slot::new(SlotKind::Network, id.as_str()), held.version));
        let interfaces = self.interfaces.iter().map(|(id, held)| (Slot::new(SlotKind::Interface, id.as_str()), held.version));
        let instances = self.instances.iter().map(|(id, held)| (Slot::new(SlotKind::Instance, id.as_str()), held.version));
        let gone = self.gone.iter().map(|(slot, gone)| (slot.clone(), gone.version));
        networks.chain(interfaces).chain(instances).chain(gone).collect()
    }

    /// The present state of every instance.
    pub fn states(&self) -> Vec<Observation> {
        let present = self.instances.values().filter_map(|held| held.observation(now()));
        let gone = self.gone.iter().filter(|(slot, _)| slot.kind == SlotKind::Instance);
        present.chain(gone.map(|(slot, gone)| held::gone(&InstanceId::from(slot.id.as_str()), gone.generation))).collect()
    }

    /// What was observed since the last call.
    pub fn take_observations(&mut self) -> Vec<Observation> {
        std::mem::take(&mut self.observations)
    }

    fn observe(&mut self, observation: Observation) {
        self.observations.push(observation);
    }

    /// Carries out an effect. The same one again only repeats the answer; an older one is dropped.
    pub fn apply(&mut self, effect: Effect) {
        let Effect { slot, version, want } = effect;
        if self.version(&slot).is_some_and(|known| known > version) {
            return;
        }
        let before = self.observations.len();
        let outcome = self.admit(&slot, want.as_ref()).and_then(|()| match want {
            Some(Want::Network(network)) => self.apply_network(version, network),
            Some(Want::Interface(interface)) => self.apply_interface(version, interface),
            Some(Want::Instance(instance)) => self.apply_instance(version, *instance),
            Some(Want::LoadBalancer(_) | Want::Target(_)) => Err(Failure::new("a host serves no load balancers")),
            Some(Want::Delivery(_)) => Err(Failure::new("a host delivers no messages")),
            Some(Want::Certificate(_)) => Err(Failure::new("a host issues no certificates")),
            None => self.remove(&slot, version),
        });
        let answer = match outcome {
            Ok(()) => Observation::Applied { slot: slot.clone(), version },
            Err(failure) => Observation::Refused { slot: slot.clone(), version, reason: failure.to_string() },
        };
        let told = self.observations.len() > before;
        // The answer comes before what followed from it.
        self.observations.insert(before, answer);
        if slot.kind == SlotKind::Instance && !told {
            self.repeat_state(&InstanceId::from(slot.id));
        }
    }

    fn version(&self, slot: &Slot) -> Option<u64> {
        let id = slot.id.as_str();
        let held = match slot.kind {
            SlotKind::Network => self.networks.get(id).map(|held| held.version),
            SlotKind::Interface => self.interfaces.get(id).map(|held| held.version),
            SlotKind::Instance => self.instances.get(id).map(|held| held.version),
            SlotKind::LoadBalancer | SlotKind::Target | SlotKind::Delivery | SlotKind::Certificate => None,
        };
        held.or_else(|| self.gone.get(slot).map(|gone| gone.version))
    }

    fn admit(&self, slot: &Slot, want: Option<&Want>) -> Result<()> {
        if !naming::is_plain(&slot.id) {
            return Err(Failure::new(format!("{:?} is no id that a host can use", slot.id)));
        }
        let Some(want) = want else {
            return Ok(());
        };
        if want.slot() != *slot {
            return Err(Failure::new(format!("the effect for {slot} describes {}", want.slot())));
        }
        let (interface, count) = match want {
            Want::Network(_) => (None, self.networks.len()),
            Want::Interface(interface) => (Some(interface), self.interfaces.len()),
            Want::Instance(instance) => (Some(&instance.interface), self.instances.len()),
            Want::LoadBalancer(_) | Want::Target(_) | Want::Delivery(_) | Want::Certificate(_) => (None, 0),
        };
        if count >= SLOTS_MAX && self.version(slot).is_none() {
            return Err(Failure::new(format!("a host holds at most {SLOTS_MAX} of a kind")));
        }
        let ids = interface.into_iter().flat_map(|interface| [interface.id.as_str(), interface.vpc.as_str()]);
        match ids.into_iter().find(|id| !naming::is_plain(id)) {
            Some(id) => Err(Failure::new(format!("{id:?} is no id that a host can use"))),
            None => Ok(()),
        }
    }

    /// Removes every slot that is not listed, and forgets what was gone.
    pub fn sync(&mut self, slots: Vec<Slot>) {
        let listed: BTreeSet<Slot> = slots.into_iter().collect();
        // The last kinds first: a network outlives what is in it.
        let mut unlisted: Vec<_> = self.applied().into_iter().filter(|(slot, _)| !listed.contains(slot)).collect();
        unlisted.sort_by(|a, b| b.0.cmp(&a.0));
        for (slot, version) in unlisted {
            if self.gone.remove(&slot).is_some() {
                self.records.forget(&slot);
            } else if let Err(failure) = self.remove(&slot, version) {
                tracing::error!("removing {slot}, which should not exist: {failure}");
            }
        }
    }

    fn remove(&mut self, slot: &Slot, version: u64) -> Result<()> {
        match slot.kind {
            SlotKind::Network => self.remove_network(&slot.id.as_str().into())?,
            SlotKind::Interface => self.remove_interface(&slot.id.as_str().into())?,
            SlotKind::Instance if self.instances.contains_key(slot.id.as_str()) => {
                return self.remove_instance(&slot.id.as_str().into(), version);
            }
            SlotKind::Instance => {}
            SlotKind::LoadBalancer | SlotKind::Target => return Err(Failure::new("a host serves no load balancers")),
            SlotKind::Delivery => return Err(Failure::new("a host delivers no messages")),
            SlotKind::Certificate => return Err(Failure::new("a host issues no certificates")),
        }
        let generation = self.gone.get(slot).map_or(u64::MAX, |gone| gone.generation);
        self.note_gone(slot.clone(), Gone { version, generation })
    }

    /// Remembers that a slot is gone.
    fn note_gone(&mut self, slot: Slot, gone: Gone) -> Result<()> {
        let boot = Some(Boot { generation: gone.generation, state: BootState::Stopped { exit: Exit::Asked } });
        self.records.save(&Record {
            slot: slot.clone(),
            version: gone.version,
            removed: true,
            want: None,
            port: None,
            door: None,
            boot,
        })?;
        self.gone.insert(slot, gone);
        if self.gone.len() > GONE_MAX
            && let Some((slot, _)) = self.gone.pop_first()
        {
            self.records.forget(&slot);
        }
        Ok(())
    }

    /// When something is to be done although nothing happens.
    pub fn due(&self) -> Option<Instant> {
        let stops = self.instances.values().filter_map(Held::deadline);
        let emptying = self.emptying_at.filter(|_| self.remover.is_none());
        let report = self.usages.periods.wait_ms(now()).map(|ms| Instant::now() + Duration::from_millis(ms));
        stops.chain(self.retry_at).chain(emptying).chain(self.metadata.due()).chain(self.relays.due()).chain(report).min()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        let late = self.instances.iter().filter(|(_, held)| held.deadline().is_some_and(|d| d <= now));
        for id in late.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.end_patience(&id);
        }
        self.report_usage();
        self.metadata.expire(&mut self.events, now);
        self.relays.tick(&mut self.events, now);
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.clear_stale();
            self.dispose_ended();
        }
        if self.emptying_at.is_some_and(|at| at <= now) && self.remover.is_none() {
            self.start_remover();
        }
    }

    fn clear_stale(&mut self) {
        self.stale_groups.retain(|name| {
            self.cgroups.kill(name);
            !self.cgroups.remove(name)
        });
        if !self.stale_groups.is_empty() {
            self.retry_at = Some(Instant::now() + RETRY);
        }
    }

    fn drop_group(&mut self, name: &str) {
        self.cgroups.kill(name);
        if !self.cgroups.remove(name) {
            self.stale_groups.insert(name.to_owned());
            self.retry_at.get_or_insert(Instant::now() + RETRY);
        }
    }

    fn start_remover(&mut self) {
        self.emptying_at = None;
        match self.disks.start_emptying() {
            Ok(None) => {}
            Ok(Some(child)) => {
                let watched = i32::try_from(child.id()).ok().and_then(|pid| {
                    let pidfd = crate::sys::process::open_pidfd(pid).ok()?;
                    let token = self.events.watch(&pidfd, Source::Remover).ok()?;
                    Some((pidfd, token))
                });
                self.remover = Some((child, watched));
            }
            Err(e) => tracing::error!("deleting old disks: {e}"),
        }
    }

    /// The process that deletes old disks has ended.
    pub fn remover_ended(&mut self) {
        if let Some((mut child, watched)) = self.remover.take() {
            if let Some((pidfd, token)) = watched {
                self.events.forget(&pidfd, token);
            }
            match child.wait() {
                Ok(status) if !status.success() => tracing::warn!("deleting old disks: rm ended with {status}"),
                Err(e) => tracing::warn!("deleting old disks: {e}"),
                Ok(_) => {}
            }
        }
    }

    /// Takes connections to the metadata service of a VPC.
    pub fn accept_metadata(&mut self, vpc: &VpcId) {
        if let Some(Vpc { metadata, .. }) = self.vpcs.get(vpc) {
            self.metadata.accept(&mut self.events, vpc, metadata);
        }
    }

    /// Serves a connection to the metadata service.
    pub fn serve_metadata(&mut self, connection: u64, readable: bool) {
        let (instances, vpcs) = (&self.instances, &self.vpcs);
        let find = |vpc: &VpcId, source: std::net::Ipv4Addr| {
            let holder = vpcs.get(vpc)?.router.holder(source)?;
            let held = instances.values().find(|held| held.instance.interface.id == *holder)?;
            Some(Subject {
                instance: held.instance.id.clone(),
                user_data: held.instance.user_data.as_deref(),
                metadata: &held.instance.metadata,
            })
        };
        self.metadata.serve(&mut self.events, connection, readable, &find);
    }

    fn namespace_pin(&self, id: &str) -> PathBuf {
        self.paths.interface_namespace(&id.into())
    }

    /// The VPC's router, made when there is none: effects may come in any order.
    fn vpc(&mut self, id: &VpcId) -> Result<&mut Vpc> {
        if !self.vpcs.contains_key(id) {
            let router = Router::open(&self.machine, &self.namespace_pin(id))?;
            let metadata = self.metadata.listen(&self.machine.home, router.namespace())?;
            let token = self.events.watch(&metadata, Source::Metadata(id.clone()));
            let token = token.map_err(|e| Failure::new(format!("watching the metadata service: {e}")))?;
            self.vpcs.insert(id.clone(), Vpc { router, metadata, token });
        }
        self.vpcs.get_mut(id).ok_or_else(|| Failure::new("a router that was just made is missing"))
    }

    /// Removes the VPC's router when nothing is connected to it and no network wants it.
    fn drop_idle_vpc(&mut self, id: &VpcId) {
        if self.networks.contains_key(id) || !self.vpcs.get(id).is_some_and(|vpc| vpc.router.is_idle()) {
            return;
        }
        if let Some(vpc) = self.vpcs.remove(id) {
            self.metadata.close_all(&mut self.events, id);
            self.events.forget(&vpc.metadata, vpc.token);
        }
        if let Err(e) = crate::netns::unpin(&self.namespace_pin(id)) {
            tracing::error!("removing the namespace of {id}: {e}");
        }
    }

    fn open_namespace(&self, id: &NetworkInterfaceId) -> Option<Namespace> {
        Namespace::open(self.paths.interface_namespace(id)).ok()
    }
}

/// The wall clock, read here and never in the control plane.
fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
