//! Replacement under an instance maintenance policy whose maximum leaves room above the desired capacity: others are
//! launched before unhealthy and outlived instances end ("Instance maintenance policies", launch before terminating). Pure.

use base::Time;

use super::group::{Action, Planner};
use super::{Because, LaunchReason};
use crate::group::{MaintenancePolicy, Process};
use crate::member::{Class, Health, Lifecycle, Member};

/// Instances that are ready to use: in service, healthy, and warmed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) count: usize,
    /// When the next one has warmed up.
    pub(crate) next_at: Option<Time>,
}

impl MaintenancePolicy {
    /// Whether others are launched before instances end.
    pub(crate) fn launches_ahead(self) -> bool {
        self.max_percent > 100
    }

    /// So many stay ready, rounded up.
    pub(crate) fn floor(self, desired: usize) -> usize {
        (desired * self.min_percent as usize).div_ceil(100)
    }

    /// At most so many are pending, or in service and healthy: one above the desired capacity where the rounding would
    /// leave no room.
    pub(crate) fn ceiling(self, desired: usize) -> usize {
        let most = desired * self.max_percent as usize / 100;
        if self.launches_ahead() { most.max(desired + 1) } else { most.max(desired) }
    }
}

impl<'a> Planner<'_, 'a> {
    /// What has to be replaced while others serve in its place: the unhealthy ones, then the outlived ones by age.
    pub(super) fn due(&mut self) -> Vec<(&'a Member, Because)> {
        let view = self.view;
        if !view.maintenance.is_some_and(MaintenancePolicy::launches_ahead) || !self.allows(Process::Terminate) {
            return Vec::new();
        }
        let mut due = Vec::new();
        if view.counts.unwell > 0 && self.allows(Process::ReplaceUnhealthy) {
            let unwell = (view.members)().into_iter().filter(|m| m.class() == Class::Unwell);
            due.extend(unwell.filter_map(|m| match m.health {
                Health::Unhealthy(sickness) => Some((m, Because::Unhealthy(sickness))),
                Health::Healthy => None,
            }));
        }
        let Some(lifetime) = view.lifetime.filter(|_| view.surplus == 0 && view.counts.pending == 0) else { return due };
        let serves = |m: &&Member| m.class() == Class::InService && m.lifecycle == Lifecycle::InService && !m.protected;
        let mut by_age: Vec<(Time, &Member)> =
            (view.members)().into_iter().filter(serves).map(|m| (m.launched_at + lifetime, m)).collect();
        by_age.sort_by(|a, b| (a.0, &a.1.instance).cmp(&(b.0, &b.1.instance)));
        due.extend(by_age.iter().take_while(|(at, _)| *at <= view.now).map(|(_, m)| (*m, Because::Expired)));
        if let Some((at, _)) = by_age.iter().find(|(at, _)| *at > view.now) {
            self.wake(*at);
        }
        due
    }

    /// Launches in place of what is due, up to the ceiling, and ends it where enough others are ready.
    pub(super) fn replace_ahead(&mut self, due: &[(&'a Member, Because)], over: usize) {
        let Some(policy) = self.view.maintenance else { return };
        let (counts, desired) = (self.view.counts, self.view.desired + self.view.surplus);
        let floor = policy.floor(desired);
        let ready = (self.view.ready)();
        let mut left = ready.count;
        for (member, because) in due.iter().take(over) {
            // What is unhealthy is not among the ready ones.
            let costs = usize::from(*because == Because::Expired);
            if left < floor + costs {
                ready.next_at.into_iter().for_each(|at| self.wake(at));
                break;
            }
            left -= costs;
            self.retire(member.instance.clone(), *because);
        }
        let room = self.room_ahead(policy);
        let ahead = counts.extra + over;
        if due.len() > ahead && self.allows(Process::Launch) {
            self.launch_ahead(due, ahead, room.min(due.len() - ahead));
        }
    }

    /// How many may still be launched before others end.
    pub(super) fn room_ahead(&self, policy: MaintenancePolicy) -> usize {
        let counts = self.view.counts;
        let there = counts.pending + counts.extra + counts.in_service;
        policy.ceiling(self.view.desired + self.view.surplus).saturating_sub(there)
    }

    /// How many of those above the wanted capacity go now: all where it was asked for; what was launched to even out the zones
    /// lets another one go only when enough others are ready.
    pub(super) fn spare(&mut self, over: usize) -> usize {
        let ahead = self.view.maintenance.filter(|p| p.launches_ahead() && !self.view.asked);
        let Some(policy) = ahead else { return over };
        let ready = (self.view.ready)();
        let spare = over.min(ready.count.saturating_sub(policy.floor(self.view.desired)));
        if spare < over {
            ready.next_at.into_iter().for_each(|at| self.wake(at));
        }
        spare
    }

    /// Under a policy that leaves no room above the wanted capacity: instances of the fullest zones end, down to the least and
    /// one at least, and others are launched where there are fewest.
    pub(super) fn rebalance_in_place(&mut self, outside: usize) {
        if !self.allows(Process::Terminate) {
            return;
        }
        let most = self.renewals();
        let moves = self.moves(&mut self.sites(), outside, most).len();
        for id in self.choose(moves, &|m| !m.protected) {
            self.retire(id, Because::Unbalanced);
        }
    }

    fn launch_ahead(&mut self, due: &[(&'a Member, Because)], ahead: usize, count: usize) {
        let (mut sites, mut ready) = (self.sites(), self.ready());
        // They stand where those stood that go.
        due.iter().for_each(|(member, _)| sites.empty(&member.zone));
        for (_, because) in due.iter().skip(ahead).take(count) {
            let why = LaunchReason::Ahead(*because);
            if let Some((member, place)) = super::group::next_ready(&mut ready, &sites) {
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
}
