//! What is passed on of targets: to the file on disk, and between an edge and the one that takes over from it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;
use std::sync::Arc;

use base::NetworkInterfaceId;

use super::{Member, MemberKey, TargetEvent, Targets};
use crate::control::store::StoredHealth;
use crate::target::{InFlight, Standing, Target};

impl TargetEvent {
    /// Whom it is about.
    pub fn key(&self) -> &MemberKey {
        match self {
            TargetEvent::Health { key, .. } | TargetEvent::Deadline { key, .. } => key,
        }
    }
}

impl Targets {
    /// For the file on disk.
    pub fn remember(&self) -> Vec<StoredHealth> {
        let stored = |(key, member): (&MemberKey, &Member)| StoredHealth {
            load_balancer: key.load_balancer.to_string(),
            group: key.group.to_string(),
            target: key.target.clone(),
            generation: member.generation,
            health: member.health.clone(),
        };
        self.members.iter().map(stored).collect()
    }

    /// Targets with requests under way.
    pub fn busy(&self) -> Vec<MemberKey> {
        self.members.iter().filter(|(_, m)| m.target.outstanding() > 0).map(|(key, _)| key.clone()).collect()
    }

    /// Likewise, here or at the edges before this one.
    pub fn busy_anywhere(&self) -> Vec<MemberKey> {
        self.busy().into_iter().chain(self.elsewhere.iter().cloned()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Those of these targets at which the edges before this one have something under way that is not let be.
    pub fn left_elsewhere<'a>(&self, gone: &'a [Arc<Target>]) -> Vec<(MemberKey, &'a Arc<Target>)> {
        let left = |key: &MemberKey| {
            let scope = key.scope();
            let target = gone.iter().find(|target| target.scope == scope && !target.is_let_be())?;
            Some((key.clone(), target))
        };
        self.elsewhere.iter().filter_map(left).collect()
    }

    /// The edge before this one has requests under way at these and no others.
    pub fn busy_elsewhere(&mut self, targets: Vec<MemberKey>) {
        self.elsewhere = targets.into_iter().collect();
    }

    /// All of them by the number that they have in this process.
    pub fn by_number(&self) -> BTreeMap<u64, &MemberKey> {
        self.members.iter().map(|(key, member)| (member.target.number, key)).collect()
    }

    /// Counts what goes on here at a target of the edge before this one: one that is registered, or one that is not any more and
    /// whose flows are let be.
    pub fn resume(&mut self, key: Option<&MemberKey>, address: SocketAddrV4, from: &NetworkInterfaceId) -> InFlight {
        let member = key.and_then(|key| self.members.get(key)).filter(|m| m.target.address == address);
        if let Some(member) = member {
            return InFlight::resume(&member.target);
        }
        let gone = Target::new(self.next_number, 0, address, from.clone(), self.idle.clone());
        gone.set_standing(Standing::Draining);
        self.next_number += 1;
        InFlight::resume(&Arc::new(gone))
    }

    /// Another edge checks them from now on.
    pub fn stop_checking(&mut self) {
        self.members.values_mut().for_each(Member::stop_checking);
    }

    /// Its draining is over: no request is tried again. Returns its number.
    pub fn cut(&self, key: &MemberKey) -> Option<u64> {
        self.members.get(key).map(|member| &member.target).inspect(|target| target.set_cut()).map(|target| target.number)
    }
}
