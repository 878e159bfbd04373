//! Which targets have their checks noted in a log, and where. It checks nothing.

use world::{LoadBalancer, RegisteredTarget, TargetGroup};

use super::registered::key_of;
use super::{Member, MemberKey, Targets, check_address};
use crate::log::Logs;
use crate::log::health::HealthLog;

impl Targets {
    /// Has the checks of a load balancer's targets noted where it wants them.
    pub fn log_checks(&mut self, balancer: &LoadBalancer, logs: &Logs) {
        let was_on = self.logging.contains(&balancer.id);
        if balancer.health_check_log.is_none() && !was_on {
            return;
        }
        for group in &balancer.target_groups {
            self.members_of(&balancer.id, &group.id).for_each(|(key, member)| note(key, member, balancer, group, logs));
        }
        match balancer.health_check_log {
            Some(_) => self.logging.insert(balancer.id.clone()),
            None => self.logging.remove(&balancer.id),
        };
    }

    /// Likewise of one target that has just come.
    pub fn log_check(&self, balancer: &LoadBalancer, told: &RegisteredTarget, logs: &Logs) {
        if !self.logging.contains(&balancer.id) {
            return;
        }
        let Some(group) = balancer.target_groups.iter().find(|group| group.id == told.group) else { return };
        let key = key_of(told);
        self.members.get(&key).into_iter().for_each(|member| note(&key, member, balancer, group, logs));
    }
}

fn note(key: &MemberKey, member: &Member, balancer: &LoadBalancer, group: &TargetGroup, logs: &Logs) {
    let kind = HealthLog::kind_of(&group.health_check, group.version);
    let address = check_address(group, &key.target, *member.target.address.ip());
    let channel = logs.health(balancer, &member.zone);
    member.check_log.replace(channel.map(|channel| HealthLog { channel, address, group: group.id.to_string(), kind }));
}
