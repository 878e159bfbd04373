//! Active health checks, as an ALB makes them ("ELB User Guide, Health checks for Application Load Balancer target
//! groups"), and the judgement over their outcomes. It reports; routing is not its business.
//!
//! The first check comes at once, further ones after the interval. Ours beyond AWS: while a new target refuses
//! connections or answers wrongly, it is looked at more often, so that it serves as soon as its application listens.
//! Such extra checks can only make it healthy; those that count against it keep to the interval.

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::time::Duration;

use base::NetworkInterfaceId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};
use world::{HealthCheck, Protocol, TargetHealth, TargetReason};

use crate::connector::Connector;
use crate::http::HttpError;
use crate::http::head::{HEADERS_MAX, parse_answer};
use crate::http::scan::HeadScan;
use crate::stream::Stream;
use crate::tls::outgoing::Speaks;

/// Pauses between the looks at a new target; the last one is repeated for a while, then doubled up to the interval.
const EARLY_PAUSES_MS: [u64; 4] = [50, 100, 200, 250];
const EARLY_STEADY_LOOKS: u32 = 40;
/// Head of a check's answer that is read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// What follows the head is read for so long, so that the application is not cut off while it writes.
const REST_MAX: Duration = Duration::from_millis(500);
const REST_BYTES_MAX: usize = 1024 * 1024;

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
                (already || self.failed >= check.unhealthy_threshold).then_some(TargetHealth::Unhealthy { reason })
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
    pub address: SocketAddrV4,
    pub from: NetworkInterfaceId,
}

/// Checks a target for as long as it is polled; calls `changed` with each new health, and `passed` after each check
/// that succeeds.
pub async fn keep_checking(
    subject: Subject,
    connector: Rc<Connector>,
    mut judge: Judge,
    mut changed: impl AsyncFnMut(TargetHealth),
    passed: impl Fn(),
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
        let (outcome, connection) = probe(&subject, &connector).await;
        if outcome.is_ok() {
            passed();
        }
        if let Some(health) = judge.judge(&outcome, &subject.check, counts) {
            changed(health).await;
        }
        if let Some(connection) = connection {
            read_rest(connection).await;
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

/// One check. The connection comes along when the application may still be writing to it.
async fn probe(subject: &Subject, connector: &Connector) -> (Outcome, Option<Stream>) {
    let within = Duration::from_millis(subject.check.timeout_ms);
    if subject.check.protocol == Protocol::Tcp {
        // "A TCP health check attempts to open a TCP connection on the specified port" and needs no more.
        return match timeout(within, connector.connect(&subject.from, subject.address)).await {
            Err(_) => (Err(TargetReason::Timeout), None),
            Ok(connected) => (connected.map(|_| ()).map_err(|_| TargetReason::FailedHealthChecks), None),
        };
    }
    match timeout(within, ask(subject, connector)).await {
        Err(_) => (Err(TargetReason::Timeout), None),
        Ok(Err(_)) => (Err(TargetReason::FailedHealthChecks), None),
        Ok(Ok((status, connection))) => {
            let passes = subject.check.matcher.iter().any(|(low, high)| (*low..=*high).contains(&status));
            (if passes { Ok(()) } else { Err(TargetReason::ResponseCodeMismatch { status }) }, Some(connection))
        }
    }
}

async fn ask(subject: &Subject, connector: &Connector) -> io::Result<(u16, Stream)> {
    let tls = (subject.check.protocol == Protocol::Https).then_some(Speaks::Http1);
    let mut connection = connector.open(&subject.from, subject.address, tls).await?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nUser-Agent: ELB-HealthChecker/2.0\r\nAccept-Encoding: gzip, compressed\r\n\r\n",
        subject.check.path, subject.address
    );
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(1024);
    let mut scan = HeadScan::default();
    loop {
        if connection.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(span) = scan.advance(&answer).map_err(invalid)? {
            return Ok((status_of(&answer[span.begin..span.end])?, connection));
        }
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

fn status_of(head: &[u8]) -> io::Result<u16> {
    let mut slots = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    parse_answer(head, &mut slots, false).map(|a| a.status).map_err(invalid)
}

fn invalid(error: HttpError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

async fn read_rest(mut connection: Stream) {
    let mut sink = vec![0; 4096];
    let mut left = REST_BYTES_MAX;
    let _ = timeout(REST_MAX, async {
        while left > 0 {
            match connection.read(&mut sink).await {
                Ok(0) | Err(_) => return,
                Ok(bytes) => left = left.saturating_sub(bytes),
            }
        }
    })
    .await;
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
        TargetHealth::Unhealthy { reason }
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
