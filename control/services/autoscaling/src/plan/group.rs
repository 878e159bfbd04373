//! What a group as a whole does next: its size, the balance of its zones, the age of its instances and its warm pool.
//! Pure. It decides from counts, and looks at single instances only when some of them must be chosen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{InstanceId, Time};

use super::select::{Candidate, victims};
use super::zones::{Place, Site, Sites};
use super::{Because, LaunchReason, Ready};
use crate::group::{MaintenancePolicy, Process, TerminationPolicy};
use crate::member::{Health, Lifecycle, Member};

/// "Maximum instance lifetime" and "Availability Zone rebalancing": so many at a time, one at least.
const SHARE_PERCENT: usize = 10;

/// Everything that the decision needs.
pub(crate) struct GroupView<'a> {
    pub(crate) now: Time,
    pub(crate) desired: usize,
    /// `desired` was changed on request, and is not reached yet.
    pub(crate) asked: bool,
    /// Instances that it may have above `desired`, and launches.
    pub(crate) surplus: usize,
    pub(crate) max_size: usize,
    pub(crate) deleting: bool,
    pub(crate) suspended: &'a BTreeSet<Process>,
    pub(crate) policies: &'a [TerminationPolicy],
    /// The launch template of new instances.
    pub(crate) template: &'a str,
    /// Where instances may stand, and what does.
    pub(crate) sites: Vec<Site>,
    /// Zones whose launches fail, and until when none is tried there.
    pub(crate) avoid: BTreeMap<String, Time>,
    pub(crate) counts: Counts,
    /// Unhealthy ones that were taken out and not made up for.
    pub(crate) replacing: usize,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) maintenance: Option<MaintenancePolicy>,
    /// Asked for only when a maintenance policy needs it.
    pub(crate) ready: &'a dyn Fn() -> Ready,
    /// How many the warm pool shall have; none without a pool.
    pub(crate) pool: Option<usize>,
    /// None of these is called out of the pool: a refresh replaces them.
    pub(crate) passed_over: Option<&'a BTreeSet<InstanceId>>,
    /// All instances, in order of id: asked for only when some must be chosen.
    pub(crate) members: &'a dyn Fn() -> Vec<&'a Member>,
}

/// Instances of a group by what they count as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) pending: usize,
    /// Pending, and one more than wanted until they serve.
    pub(crate) extra: usize,
    pub(crate) in_service: usize,
    /// In service and unhealthy.
    pub(crate) unwell: usize,
    pub(crate) leaving: usize,
    /// Coming into the warm pool.
    pub(crate) warming: usize,
    /// Ready in the warm pool.
    pub(crate) warm: usize,
}

impl Counts {
    /// What makes up the capacity.
    pub(crate) fn capacity(self) -> usize {
        self.pending + self.in_service + self.unwell
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupPlan {
    pub(crate) actions: Vec<Action>,
    /// When to look again though nothing changed.
    pub(crate) wake_at: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Its way out begins.
    Retire {
        instance: InstanceId,
        because: Because,
    },
    Launch {
        place: Place,
        why: LaunchReason,
    },
    /// Out of the warm pool into the group.
    Call {
        instance: InstanceId,
        why: LaunchReason,
    },
    /// Launches one for the warm pool.
    Prepare {
        place: Place,
    },
}

/// Decides. Carrying the plan out and asking again with nothing new gives no further launches or retirements.
pub(crate) fn plan_group(view: &GroupView) -> GroupPlan {
    let mut planner = Planner { view, plan: GroupPlan::default() };
    if view.deleting {
        planner.retire_all();
    } else {
        planner.size();
        planner.pool();
    }
    planner.plan
}

pub(super) struct Planner<'v, 'a> {
    pub(super) view: &'v GroupView<'a>,
    plan: GroupPlan,
}

/// A tenth, and one at least.
fn share(of: usize) -> usize {
    (of * SHARE_PERCENT / 100).max(1)
}

impl<'v, 'a> Planner<'v, 'a> {
    pub(super) fn act(&mut self, action: Action) {
        self.plan.actions.push(action);
    }

    pub(super) fn wake(&mut self, at: Time) {
        self.plan.wake_at = Some(self.plan.wake_at.map_or(at, |old| old.min(at)));
    }

    pub(super) fn allows(&self, process: Process) -> bool {
        !self.view.suspended.contains(&process)
    }

    pub(super) fn sites(&self) -> Sites<'v> {
        Sites::new(&self.view.sites, &self.view.avoid, self.view.now)
    }

    pub(super) fn retire(&mut self, instance: InstanceId, because: Because) {
        self.act(Action::Retire { instance, because });
    }

    fn retire_all(&mut self) {
        let from = self.view.counts.capacity();
        let stays = |m: &&Member| !m.lifecycle.is_ending() && m.lifecycle != Lifecycle::Detaching;
        for member in (self.view.members)().into_iter().filter(stays) {
            self.retire(member.instance.clone(), Because::GroupDeleted { from });
        }
    }

    fn size(&mut self) {
        let (from, wanted) = (self.view.counts.capacity(), self.view.desired + self.view.surplus);
        let due = if from >= wanted { self.due() } else { Vec::new() };
        if from < wanted && self.allows(Process::Launch) {
            self.grow(from, wanted);
        } else if !due.is_empty() {
            self.replace_ahead(&due, from - wanted);
            self.shrink(from, wanted + due.len(), &due);
        } else if from > wanted && self.allows(Process::Terminate) {
            let spare = self.spare(from - wanted);
            self.shrink(from, from - spare, &[]);
        } else if from == wanted && self.view.surplus == 0 && self.is_settled() {
            let before = self.plan.actions.len();
            self.renew();
            if self.plan.actions.len() == before {
                self.balance();
            }
        }
    }

    /// Nothing is on its way, and all are well.
    fn is_settled(&self) -> bool {
        let counts = self.view.counts;
        counts.pending + counts.extra + counts.unwell + counts.leaving == 0
    }

    /// First what is ready in the warm pool, then new ones ("Decrease latency using warm pools").
    fn grow(&mut self, from: usize, wanted: usize) {
        let mut ready = self.ready();
        let mut sites = self.sites();
        for index in 0..wanted - from {
            let why =
                if index < self.view.replacing { LaunchReason::Replacement } else { LaunchReason::TooFew { from, to: wanted } };
            if let Some((member, place)) = next_ready(&mut ready, &sites) {
                sites.fill(&place);
                self.act(Action::Call { instance: member.instance.clone(), why });
                continue;
            }
            let Some(place) = sites.emptiest().map(|s| s.place.clone()) else {
                sites.retry_at().into_iter().for_each(|at| self.wake(at));
                return;
            };
            sites.fill(&place);
            self.act(Action::Launch { place, why });
        }
    }

    pub(super) fn ready(&self) -> Vec<&'a Member> {
        if self.view.counts.warm == 0 {
            return Vec::new();
        }
        let is_passed_over = |m: &Member| self.view.passed_over.is_some_and(|all| all.contains(&m.instance));
        let ready =
            |m: &&Member| matches!(m.lifecycle, Lifecycle::WarmedRunning | Lifecycle::WarmedStopped) && !is_passed_over(m);
        (self.view.members)().into_iter().filter(ready).filter(|m| m.health == Health::Healthy).collect()
    }

    /// Gives up what is too much; what is due goes for another reason.
    fn shrink(&mut self, from: usize, wanted: usize, due: &[(&'a Member, Because)]) {
        if from <= wanted {
            return;
        }
        let stays = |m: &Member| due.iter().all(|(d, _)| d.instance != m.instance);
        for id in self.choose(from - wanted, &stays) {
            self.retire(id, Because::TooMany { from, to: wanted });
        }
    }

    /// So many instances to give up, as the termination policies say.
    pub(super) fn choose(&self, count: usize, may_go: &dyn Fn(&Member) -> bool) -> Vec<InstanceId> {
        let counts = |m: &&Member| m.lifecycle.serves() && !m.extra && may_go(m);
        let members: Vec<&Member> = (self.view.members)().into_iter().filter(counts).collect();
        let zones: Vec<&str> = self.view.sites.iter().map(|s| s.place.zone.as_str()).collect();
        let candidates: Vec<Candidate> = members.iter().map(|m| Candidate::of(m, &zones, self.view.template)).collect();
        victims(candidates, self.view.policies, count, self.view.now)
    }

    /// "Replace Auto Scaling instances based on maximum instance lifetime": one after the other, up to a tenth at once
    /// when more are due; protected ones wait. With Launch or Terminate suspended none is replaced.
    fn renew(&mut self) {
        let Some(lifetime) = self.view.lifetime else { return };
        if !self.allows(Process::Launch) || !self.allows(Process::Terminate) {
            return;
        }
        let members = (self.view.members)();
        let serving = members.into_iter().filter(|m| m.lifecycle == Lifecycle::InService && !m.protected);
        let mut by_age: Vec<(Time, &Member)> = serving.map(|m| (m.launched_at + lifetime, m)).collect();
        by_age.sort_by(|a, b| (a.0, &a.1.instance).cmp(&(b.0, &b.1.instance)));
        let due = by_age.iter().take_while(|(at, _)| *at <= self.view.now).count().min(self.renewals());
        for (_, member) in &by_age[..due] {
            self.retire(member.instance.clone(), Because::Expired);
        }
        if let Some((at, _)) = by_age.first().filter(|_| due == 0) {
            self.wake(*at);
        }
    }

    /// How many may end at once: down to the least of a maintenance policy, and one at least.
    pub(super) fn renewals(&self) -> usize {
        let desired = self.view.desired;
        match self.view.maintenance {
            None => share(desired),
            Some(policy) => (self.view.ready)().count.saturating_sub(policy.floor(desired)).max(1),
        }
    }

    /// More in the zones that lack some, when zones differ by more than one or instances stand outside of the group's
    /// zones; once they serve, the group is too large and shrinks where there are most. It may go above its maximum by a
    /// tenth, or by one ("Rebalancing activities"), or as far as a maintenance policy says. With Terminate suspended it stays
    /// so large until that is resumed.
    fn balance(&mut self) {
        if !self.allows(Process::AzRebalance) || !self.allows(Process::Launch) {
            return;
        }
        let mut sites = self.sites();
        let zones = sites.zones();
        let inside: usize = zones.values().map(|z| z.serving).sum();
        let outside = self.view.counts.capacity().saturating_sub(inside);
        let (least, most) = zones.values().fold((usize::MAX, 0), |(l, m), z| (l.min(z.serving), m.max(z.serving)));
        if outside == 0 && most <= least.saturating_add(1) {
            return;
        }
        let (room, moves) = match self.view.maintenance {
            Some(policy) if !policy.launches_ahead() => return self.rebalance_in_place(outside),
            Some(policy) => (self.room_ahead(policy), usize::MAX),
            None => {
                let most = self.view.max_size + share(self.view.max_size);
                (most.saturating_sub(self.view.counts.capacity()), share(self.view.desired))
            }
        };
        let places = self.moves(&mut sites, outside, room.min(moves));
        let added = places.len();
        for place in places {
            self.act(Action::Launch { place, why: LaunchReason::Balance });
        }
        // A zone that lacks instances while its launches fail is tried again later.
        if added == 0 {
            sites.retry_at().into_iter().for_each(|at| self.wake(at));
        }
    }

    /// Where instances are to be rather than where they are, `most` of them at most.
    pub(super) fn moves(&self, sites: &mut Sites, outside: usize, most: usize) -> Vec<Place> {
        let mut movable = self.movable();
        let mut strangers = outside.min(movable.get("").copied().unwrap_or_default());
        let mut places = Vec::new();
        while places.len() < most {
            let Some(place) = sites.emptiest().map(|s| s.place.clone()) else { break };
            if strangers > 0 {
                strangers -= 1;
            } else if !sites.take_above(sites.serving(&place.zone) + 1, &mut movable) {
                break;
            }
            sites.fill(&place);
            places.push(place);
        }
        places
    }

    /// How many unprotected ones each zone has; those outside of the group's zones under no name.
    fn movable(&self) -> BTreeMap<&'a str, usize> {
        let mut free = BTreeMap::new();
        for member in (self.view.members)().into_iter().filter(|m| m.lifecycle == Lifecycle::InService && !m.protected) {
            let known = self.view.sites.iter().any(|s| s.place.zone == member.zone);
            *free.entry(if known { member.zone.as_str() } else { "" }).or_default() += 1;
        }
        free
    }

    /// "Create a warm pool": it is kept at its size; what is too much goes.
    fn pool(&mut self) {
        let counts = self.view.counts;
        let called = self.plan.actions.iter().filter(|a| matches!(a, Action::Call { .. })).count();
        let (present, wanted) = ((counts.warm + counts.warming).saturating_sub(called), self.view.pool.unwrap_or_default());
        if present < wanted && self.allows(Process::Launch) {
            let mut sites = self.sites();
            for _ in present..wanted {
                let Some(place) = sites.emptiest_of_pool().map(|s| s.place.clone()) else {
                    sites.retry_at().into_iter().for_each(|at| self.wake(at));
                    return;
                };
                sites.fill_pool(&place);
                self.act(Action::Prepare { place });
            }
        } else if present > wanted && self.allows(Process::Terminate) {
            let called: BTreeSet<InstanceId> = self.plan.actions.iter().filter_map(Action::called).cloned().collect();
            let stored = |m: &&Member| m.lifecycle.is_warm() && !m.lifecycle.is_ending() && !called.contains(&m.instance);
            let mut stored: Vec<&Member> = (self.view.members)().into_iter().filter(stored).collect();
            // What is not ready yet goes first.
            stored.sort_by_key(|m| (m.lifecycle != Lifecycle::WarmedPending, m.launched_at));
            for member in stored.into_iter().take(present - wanted) {
                self.retire(member.instance.clone(), Because::PoolTooLarge);
            }
        }
    }
}

impl Action {
    fn called(&self) -> Option<&InstanceId> {
        match self {
            Self::Call { instance, .. } => Some(instance),
            _ => None,
        }
    }
}

/// Takes the ready instance whose zone is the emptiest.
pub(super) fn next_ready<'a>(ready: &mut Vec<&'a Member>, sites: &Sites) -> Option<(&'a Member, Place)> {
    let at = (0..ready.len()).min_by_key(|i| (sites.serving(&ready[*i].zone), &ready[*i].instance))?;
    let member = ready.swap_remove(at);
    Some((member, Place { zone: member.zone.clone(), subnet: Some(member.subnet.clone()) }))
}
