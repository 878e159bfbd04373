//! Active health checks with the parameters of an ALB.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use world::{HealthCheckPort, TargetHealth, TargetReason};

use crate::client::get;
use crate::origin::{Origin, Then, reply};
use crate::rig::{Rig, eventually};

fn unhealthy(reason: TargetReason) -> TargetHealth {
    TargetHealth::Unhealthy { reason, draining: false }
}

/// How many bytes lie at the other end of a connection within this machine.
fn unread(stream: &TcpStream) -> usize {
    let hex = |at: SocketAddr| match at {
        SocketAddr::V4(at) => format!("{:08X}:{:04X}", u32::from(*at.ip()).swap_bytes(), at.port()),
        SocketAddr::V6(at) => panic!("{at}"),
    };
    let ends = format!("{} {} ", hex(stream.peer_addr().unwrap()), hex(stream.local_addr().unwrap()));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let line = table.lines().find(|line| line.contains(&ends)).unwrap_or_else(|| panic!("{ends} is not in {table}"));
    let queues = line.split_ascii_whitespace().nth(4).unwrap();
    usize::from_str_radix(queues.split_once(':').unwrap().1, 16).unwrap()
}

/// A target that answers everything with the status of the moment.
fn moody(rig: &Rig, number: u8) -> (Origin, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let now = status.clone();
    (Origin::start(rig.target_at(number), move |_, stream| reply(stream, now.load(Ordering::SeqCst), "moody")), status)
}

#[test]
fn checks_look_as_those_of_an_alb() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let check = &origin.checks()[0];
    assert!(check.head.starts_with("GET /health HTTP/1.1\r\n"));
    assert_eq!(check.header("Host"), Some(rig.target_at(0).to_string().as_str()));
    assert_eq!((check.header("User-Agent"), check.header("Connection")), (Some("ELB-HealthChecker/2.0"), Some("close")));
    assert_eq!(rig.serve.healths(0), [TargetHealth::Healthy], "one passed check is enough for a new target");
}

#[test]
fn thresholds_count_in_both_directions() {
    let mut rig = Rig::start();
    let (origin, status) = moody(&rig, 0);
    let mut balancer = rig.balancer(&[0]);
    let check = &mut balancer.target_groups[0].health_check;
    (check.interval_ms, check.healthy_threshold, check.unhealthy_threshold) = (100, 4, 3);
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let before = origin.checks().len();
    status.store(500, Ordering::SeqCst);
    let bad = unhealthy(TargetReason::ResponseCodeMismatch { status: 500 });
    rig.serve.await_health(0, &bad);
    assert!((3..=5).contains(&(origin.checks().len() - before)), "three failures make it unhealthy");
    let before = origin.checks().len();
    status.store(200, Ordering::SeqCst);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    assert!((4..=6).contains(&(origin.checks().len() - before)), "four passes make it healthy again");
    assert_eq!(rig.serve.healths(0), [TargetHealth::Healthy, bad, TargetHealth::Healthy]);
}

#[test]
fn an_unhealthy_target_gets_nothing_while_another_is_well() {
    let mut rig = Rig::start();
    let ((sick, status), _well) = (moody(&rig, 0), Origin::named(rig.target_at(1), "well"));
    rig.serve_with(&[0, 1]);
    status.store(503, Ordering::SeqCst);
    rig.serve.await_health(0, &unhealthy(TargetReason::ResponseCodeMismatch { status: 503 }));
    let before = sick.got().len();
    (0..20).for_each(|_| assert_eq!(get(rig.door(), "/").text(), "well"));
    assert_eq!(sick.got().len(), before);
}

#[test]
fn when_all_are_unhealthy_all_are_tried() {
    let mut rig = Rig::start();
    let (origin, status) = moody(&rig, 0);
    rig.serve_with(&[0]);
    status.store(500, Ordering::SeqCst);
    rig.serve.await_health(0, &unhealthy(TargetReason::ResponseCodeMismatch { status: 500 }));
    assert_eq!(get(rig.door(), "/").status, 500, "the target's own answer: the group fails open");
    assert!(!origin.got().is_empty());
}

#[test]
fn reasons_tell_silence_from_refusal() {
    let mut rig = Rig::start();
    let _silent = Origin::start(rig.target_at(0), |_, stream| {
        std::thread::sleep(Duration::from_secs(1)); // slow on purpose
        reply(stream, 200, "")
    });
    let balancer = rig.balancer(&[0, 1]);
    rig.apply(balancer);
    rig.serve.await_health(0, &unhealthy(TargetReason::Timeout));
    rig.serve.await_health(1, &unhealthy(TargetReason::FailedHealthChecks));
}

#[test]
fn what_speaks_no_http_fails_its_checks_at_once() {
    let mut rig = Rig::start();
    let _banner = Origin::start(rig.target_at(0), |_, stream| {
        stream.write_all(b"SSH-2.0-x\r\n").unwrap();
        Then::Keep
    });
    let balancer = rig.balancer(&[0]);
    rig.apply(balancer);
    rig.serve.await_health(0, &unhealthy(TargetReason::FailedHealthChecks));
}

/// "ELB User Guide, Quotas": 32 K of all headers of an answer, 16 K of one.
#[test]
fn answers_to_checks_may_be_as_long_as_those_to_requests() {
    let mut rig = Rig::start();
    let _long = Origin::start(rig.target_at(0), |_, stream| {
        stream.write_all(format!("HTTP/1.1 200 OK\r\nX-A: {}", "a".repeat(16_000)).as_bytes()).unwrap();
        eventually("that is read", || (unread(stream) == 0).then_some(()));
        stream.write_all(format!("\r\nX-B: {}", "b".repeat(4_000)).as_bytes()).unwrap();
        eventually("that is read", || (unread(stream) == 0).then_some(()));
        stream.write_all(b"\r\nContent-Length: 0\r\n\r\n").unwrap();
        Then::Keep
    });
    let balancer = rig.balancer(&[0]);
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    assert_eq!(get(rig.door(), "/").status, 200);
}

#[test]
fn informational_answers_are_none_to_a_check() {
    let mut rig = Rig::start();
    let _hinting = Origin::start(rig.target_at(0), |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        reply(stream, 200, "")
    });
    let _switching = Origin::start(rig.target_at(1), |_, stream| reply(stream, 101, ""));
    let balancer = rig.balancer(&[0, 1]);
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    rig.serve.await_health(1, &unhealthy(TargetReason::ResponseCodeMismatch { status: 101 }));
}

#[test]
fn path_port_and_matcher_are_the_groups() {
    let mut rig = Rig::start();
    let _traffic = Origin::start(rig.target_at(0), |_, stream| reply(stream, 200, "traffic"));
    let mut health_at = rig.target_at(0);
    health_at.set_port(9_001);
    let health = Origin::start(health_at, |got, stream| reply(stream, if got.path() == "/deep?x=1" { 299 } else { 200 }, ""));
    let mut balancer = rig.balancer(&[0]);
    let check = &mut balancer.target_groups[0].health_check;
    (check.port, check.path, check.matcher) = (HealthCheckPort::Port(9_001), "/deep?x=1".into(), vec![(250, 260), (299, 299)]);
    rig.apply(balancer.clone());
    rig.serve.await_health(0, &TargetHealth::Healthy);
    assert_eq!(get(rig.door(), "/").text(), "traffic");
    balancer.target_groups[0].health_check.matcher = vec![(200, 298)];
    rig.apply(balancer);
    rig.serve.await_health(0, &unhealthy(TargetReason::ResponseCodeMismatch { status: 299 }));
    assert!(health.checks().iter().all(|got| got.path() == "/deep?x=1"));
}

#[test]
fn the_interval_is_kept() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    let mut balancer = rig.balancer(&[0]);
    balancer.target_groups[0].health_check.interval_ms = 400;
    rig.apply(balancer);
    let started = Instant::now();
    eventually("five checks", || (origin.checks().len() >= 5).then_some(()));
    assert!(started.elapsed() >= Duration::from_millis(1_500), "{:?}", started.elapsed());
}

#[test]
fn a_new_target_serves_soon_after_it_listens() {
    let mut rig = Rig::start();
    let mut balancer = rig.balancer(&[0]);
    let check = &mut balancer.target_groups[0].health_check;
    (check.interval_ms, check.timeout_ms) = (30_000, 2_000);
    rig.apply(balancer);
    let _origin = Origin::named(rig.target_at(0), "zero");
    let listening = Instant::now();
    rig.serve.await_health(0, &TargetHealth::Healthy);
    assert!(listening.elapsed() < Duration::from_secs(3), "{:?}", listening.elapsed());
}

#[test]
fn without_checks_a_target_counts_as_healthy() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    let mut balancer = rig.balancer(&[0]);
    balancer.target_groups[0].health_check.enabled = false;
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    assert_eq!(get(rig.door(), "/").text(), "zero");
    assert!(origin.checks().is_empty());
}
