//! Which targets have their checks noted in a log, and where. It checks nothing.

use world::LoadBalancer;

use super::{MemberKey, Targets, check_address};
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
            let kind = HealthLog::kind_of(&group.health_check, group.version);
            for target in &group.targets {
                let key = MemberKey { load_balancer: balancer.id.clone(), group: group.id.clone(), target: target.key.clone() };
                let Some(member) = self.members.get(&key) else { continue };
                let (address, group) = (check_address(group, target), group.id.to_string());
                let channel = logs.health(balancer, &target.zone);
                member.check_log.replace(channel.map(|channel| HealthLog { channel, address, group, kind }));
            }
        }
        match balancer.health_check_log {
            Some(_) => self.logging.insert(balancer.id.clone()),
            None => self.logging.remove(&balancer.id),
        };
    }
}
