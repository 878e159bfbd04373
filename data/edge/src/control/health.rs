//! Active health checks, as an ALB makes them ("ELB User Guide, Health checks for Application Load Balancer target
//! groups"), and the judgement over their outcomes. It reports; routing is not its business.
//!
//! The first check comes at once, further ones after the interval. Ours beyond AWS: while a new target refuses
//! connections or answers wrongly, it is looked at more often, so that it serves as soon as its application listens.
//! Such extra checks can only make it healthy; those that count against it keep to the interval.

use std::net::SocketAddrV4;
use std::rc::Rc;
use std::time::Duration;

use base::NetworkInterfaceId;
use tokio::time::{Instant, sleep_until};
use world::{HealthCheck, ProtocolVersion, TargetHealth, TargetReason};

use super::probe::{Look, probe};
use crate::connector::Connector;
use crate::log::health::Checked;
use crate::log::text::Moment;

/// Pauses between the looks at a new target; the last one is repeated for a while, then doubled up to the interval.
const EARLY_PAUSES_MS: [u64; 4] = [50, 100, 200, 250];
const EARLY_STEADY_LOOKS: u32 = 40;

/// What one check has found.
pub type Outcome = Result<(), TargetReason>;

/// Turns outcomes into health.
#[derive(Clone, Debug)]
pub struct Judge {
    health: TargetHealth,
    passed: u32,
    failed: u32,
}

impl Judge {
    pub fn new(health: TargetHealth) -> Self {
        Self { health, passed: 0, failed: 0 }
    }

    pub fn health(&self) -> &TargetHealth {
        &self.health
    }

    /// Takes in an outcome; `counts` is false for an extra look. Returns the health if it has changed.
    pub fn judge(&mut self, outcome: &Outcome, check: &HealthCheck, counts: bool) -> Option<TargetHealth> {
        let next = match outcome {
            Ok(()) => {
                self.failed = 0;
                self.passed = self.passed.saturating_add(1);
                let needed = if self.health == TargetHealth::Initial { 1 } else { check.healthy_threshold };
                (self.passed >= needed).then_some(TargetHealth::Healthy)
            }
            Err(_) if !counts => None,
            Err(reason) => {
                self.passed = 0;
                self.failed = self.failed.saturating_add(1);
                let already = matches!(self.health, TargetHealth::Unhealthy { .. });
                let reason = reason.clone();
                (already || self.failed >= check.unhealthy_threshold)
                    .then_some(TargetHealth::Unhealthy { reason, draining: false })
            }
        };
        let changed = next.filter(|next| *next != self.health)?;
        self.health = changed.clone();
        Some(changed)
    }
}

/// What is checked, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub check: HealthCheck,
    /// What the group's targets speak.
    pub version: ProtocolVersion,
    /// The header of the PROXY protocol comes first.
    pub announces: bool,
    pub address: SocketAddrV4,
    pub from: NetworkInterfaceId,
}

/// Checks a target for as long as it is polled; calls `checked` after each check, and `changed` with each new health.
pub async fn keep_checking(
    subject: Subject,
    connector: Rc<Connector>,
    mut judge: Judge,
    mut changed: impl AsyncFnMut(TargetHealth),
    checked: impl Fn(&Checked<'_>),
) {
    let interval = Duration::from_millis(subject.check.interval_ms);
    let mut early = EarlyLooks::default();
    let mut next_counting = Instant::now();
    loop {
        let started = Instant::now();
        let counts = started >= next_counting;
        if counts {
            next_counting = started + interval;
        }
        let began = Moment::now();
        let Look { outcome, code, rest } = probe(&subject, &connector).await;
        checked(&Checked { started: began, took: started.elapsed(), status: code, outcome: &outcome });
        if let Some(health) = judge.judge(&outcome, &subject.check, counts) {
            changed(health).await;
        }
        if let Some(rest) = rest {
            rest.read().await;
        }
        let impatient = *judge.health() == TargetHealth::Initial && outcome != Err(TargetReason::Timeout);
        let next = if impatient { next_counting.min(Instant::now() + early.pause(interval)) } else { next_counting };
        sleep_until(next).await;
    }
}

/// Pauses between looks at a target that is not there yet.
#[derive(Debug, Default)]
struct EarlyLooks(u32);

impl EarlyLooks {
    fn pause(&mut self, interval: Duration) -> Duration {
        let look = self.0;
        self.0 = self.0.saturating_add(1);
        let last = EARLY_PAUSES_MS[EARLY_PAUSES_MS.len() - 1];
        let doublings = look.saturating_sub(EARLY_STEADY_LOOKS).min(20);
        let ms = EARLY_PAUSES_MS.get(look as usize).copied().unwrap_or(last) << doublings;
        Duration::from_millis(ms).min(interval)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use world::{HealthCheck, HealthCheckPort, Protocol, TargetHealth, TargetReason};

    use super::{EarlyLooks, Judge, Outcome};

    const BAD: Outcome = Err(TargetReason::ResponseCodeMismatch { status: 500 });
    const SLOW: Outcome = Err(TargetReason::Timeout);

    fn check() -> HealthCheck {
        HealthCheck {
            enabled: true,
            protocol: Protocol::Http,
            port: HealthCheckPort::Traffic,
            path: "/".into(),
            interval_ms: 5_000,
            timeout_ms: 2_000,
            healthy_threshold: 3,
            unhealthy_threshold: 2,
            matcher: vec![(200, 200)],
        }
    }

    fn unhealthy(reason: TargetReason) -> TargetHealth {
        TargetHealth::Unhealthy { reason, draining: false }
    }

    /// Judges these outcomes from a state on; a letter for each health that came out, `.` for none.
    fn judge(from: TargetHealth, outcomes: &[(&Outcome, bool)]) -> String {
        let mut judge = Judge::new(from);
        let letter = |health: Option<TargetHealth>| match health {
            None => '.',
            Some(TargetHealth::Healthy) => 'H',
            Some(TargetHealth::Unhealthy { .. }) => 'U',
            Some(_) => '?',
        };
        outcomes.iter().map(|(outcome, counts)| letter(judge.judge(outcome, &check(), *counts))).collect()
    }

    #[test]
    fn a_new_target_needs_one_pass_and_an_old_one_its_thresholds() {
        assert_eq!(judge(TargetHealth::Initial, &[(&BAD, true), (&Ok(()), true)]), ".H");
        assert_eq!(judge(TargetHealth::Initial, &[(&BAD, true), (&BAD, false), (&BAD, false), (&BAD, true)]), "...U");
        assert_eq!(judge(TargetHealth::Healthy, &[(&BAD, true), (&Ok(()), true), (&BAD, true), (&BAD, true)]), "...U");
        let sick = unhealthy(TargetReason::Timeout);
        assert_eq!(judge(sick.clone(), &[(&Ok(()), true), (&Ok(()), true), (&Ok(()), true)]), "..H");
        assert_eq!(judge(sick.clone(), &[(&Ok(()), true), (&Ok(()), true), (&SLOW, true), (&Ok(()), true)]), "....");
        assert_eq!(judge(sick, &[(&SLOW, true), (&BAD, true), (&BAD, true)]), ".U.", "a new reason is told once");
    }

    #[test]
    fn early_looks_begin_quickly_and_end_at_the_interval() {
        let mut looks = EarlyLooks::default();
        let interval = Duration::from_secs(30);
        let pauses: Vec<u64> = (0..200).map(|_| looks.pause(interval).as_millis() as u64).collect();
        assert_eq!(pauses[..5], [50, 100, 200, 250, 250]);
        assert!(pauses.windows(2).all(|w| w[0] <= w[1]));
        assert_eq!(pauses[199], 30_000);
    }
}
