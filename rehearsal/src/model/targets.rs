//! Load balancers and their targets as the simulated edge has them. Effects of the two come in any order: a target is looked
//! after once its group is there.

use std::collections::BTreeSet;

use base::{LoadBalancerArn, TargetGroupArn, Time};
use world::{Effect, RegisteredTarget, Slot, Target, TargetHealth, TargetMode, Want};

use super::{Health, Model};
use crate::event::{Coming, Event, Registered};
use crate::standing::Face;

impl Model {
    /// What the edge has in a target's slot.
    pub(crate) fn target(&self, slot: &Slot) -> Option<&RegisteredTarget> {
        self.targets.get(&slot.id)
    }

    pub(super) fn apply_balancer(&mut self, now: Time, effect: &Effect, coming: &mut Vec<Coming>) {
        let id = LoadBalancerArn::from(effect.slot.id.as_str());
        self.faces_version += 1;
        let known: BTreeSet<TargetGroupArn> =
            self.checks.extract_if(.., |(of, _), _| *of == id).map(|((_, group), _)| group).collect();
        let Some(Want::LoadBalancer(wanted)) = &effect.want else {
            self.balancers.remove(&id);
            self.retain_health(|at| at.balancer != id);
            return;
        };
        self.balancers.insert(id.clone(), Face::of(wanted));
        self.checks.extend(wanted.target_groups.iter().map(|g| ((id.clone(), g.id.clone()), g.health_check.clone())));
        let groups: BTreeSet<&TargetGroupArn> = wanted.target_groups.iter().map(|g| &g.id).collect();
        self.retain_health(|at| at.balancer != id || groups.contains(&at.group));
        let is_new = |t: &&RegisteredTarget| t.load_balancer == id && groups.contains(&t.group) && !known.contains(&t.group);
        for target in self.targets.values().filter(is_new).cloned().collect::<Vec<_>>() {
            self.apply_target(now, &target, coming);
        }
    }

    pub(super) fn apply_registration(&mut self, now: Time, effect: &Effect, coming: &mut Vec<Coming>) {
        let wanted = if let Some(Want::Target(wanted)) = &effect.want { Some(wanted) } else { None };
        let old = match wanted {
            Some(wanted) => self.targets.insert(effect.slot.id.clone(), wanted.clone()),
            None => self.targets.remove(&effect.slot.id),
        };
        if let Some(old) = old.filter(|old| wanted.is_none_or(|wanted| wanted.load_balancer != old.load_balancer)) {
            self.touch(&old.target.key.id);
            self.health.remove(&registered(&old));
        }
        if let Some(wanted) = wanted {
            self.apply_target(now, wanted, coming);
        }
    }

    fn retain_health(&mut self, keeps: impl Fn(&Registered) -> bool) {
        let (touched, machines) = (&mut self.touched, &self.machines);
        self.health.retain(|at, _| {
            let kept = keeps(at);
            if let Some(touched) = touched.as_mut().filter(|_| !kept) {
                let id = machines.get_key_value(at.key.id.as_str()).map(|(id, _)| id.clone());
                touched.insert(id.unwrap_or_else(|| at.key.id.as_str().into()));
            }
            kept
        });
    }

    /// Looks after a target as it is wanted, if its group is there.
    fn apply_target(&mut self, now: Time, told: &RegisteredTarget, coming: &mut Vec<Coming>) {
        let at = registered(told);
        let Some(check) = self.checks.get(&(at.balancer.clone(), at.group.clone())).cloned() else { return };
        let Target { generation, mode, .. } = told.target;
        let known = self.health.get_mut(&at).filter(|h| h.generation == generation);
        match (mode, known) {
            (TargetMode::Active, Some(_)) => {}
            (TargetMode::Active, None) => {
                let fresh = Health { generation, health: TargetHealth::Initial, active: true, check };
                coming.push(self.checked(now, &at, &fresh, 1, false));
                coming.push(self.checked(now, &at, &fresh, fresh.check.unhealthy_threshold, true));
                self.touch(&at.key.id);
                self.health.insert(at, fresh);
            }
            (TargetMode::Draining { .. }, Some(h)) if !h.active => {}
            (TargetMode::Draining { until }, _) => {
                let draining = Health { generation, health: TargetHealth::Draining, active: false, check };
                self.touch(&at.key.id);
                self.health.insert(at.clone(), draining);
                let mut end = self.after(now, self.delays.drain_ms, Event::Drained(at, generation));
                end.at = end.at.min(until).max(now);
                coming.push(end);
            }
        }
    }
}

fn registered(told: &RegisteredTarget) -> Registered {
    Registered { key: told.target.key.clone(), balancer: told.load_balancer.clone(), group: told.group.clone() }
}
