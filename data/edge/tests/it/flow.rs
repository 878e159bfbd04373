//! Connections through a network load balancer.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use edge::FrontReport;
use world::{BalancerKind, Protocol, Stickiness, TargetHealth, TargetReason};

use crate::draining::in_ms;
use crate::flow_peers::{Caller, PATIENCE, Speaker, network, node};
use crate::rig::{Rig, eventually};

/// An edge with this load balancer and targets that say their names.
fn start(rig: &mut Rig, targets: &[u8], change: impl FnOnce(&mut world::LoadBalancer)) -> Vec<Speaker> {
    let names = ["zero", "one", "two", "three"];
    let speakers = targets.iter().map(|n| Speaker::echo(rig.target_at(*n), names[usize::from(*n)])).collect();
    let mut balancer = network(rig, targets, Protocol::Tcp);
    change(&mut balancer);
    rig.apply(balancer);
    targets.iter().for_each(|n| rig.serve.await_health(*n, &TargetHealth::Healthy));
    speakers
}

fn count(names: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts
}

/// "Routing algorithm: [...] a flow hash algorithm [...] Each individual TCP connection is routed to a single target for the life
/// of the connection."
#[test]
fn each_connection_has_one_target_and_all_targets_have_some() {
    let mut rig = Rig::start();
    let _speakers = start(&mut rig, &[0, 1], |_| {});
    let mut callers: Vec<Caller> = (0..64).map(|_| Caller::call(rig.door())).collect();
    for round in 0..3 {
        callers.iter_mut().for_each(|caller| caller.echo(&format!("round {round}")).unwrap());
    }
    let counts = count(callers.into_iter().map(|c| c.name));
    assert!(counts.len() == 2 && counts.values().all(|n| *n >= 10), "{counts:?}");
    for host in [2, 3] {
        Caller::call(node(&rig, host)).echo("by a node").unwrap();
    }
}

#[test]
fn who_has_said_all_still_hears_the_rest() {
    let mut rig = Rig::start();
    let _target = Speaker::start(rig.target_at(0), |mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(format!("{} bytes", all.len()).as_bytes()).unwrap();
    });
    let mut balancer = network(&rig, &[0], Protocol::Tcp);
    balancer.target_groups[0].health_check.enabled = false;
    rig.apply(balancer);
    let mut client = TcpStream::connect(rig.door()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(&[7; 100_000]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "100000 bytes");
}

/// A byte of a long stream that differs from its neighbours and does not repeat soon.
fn byte_at(position: usize) -> u8 {
    ((position ^ (position >> 8) ^ (position >> 16)) & 0xff) as u8
}

#[test]
fn much_goes_both_ways_at_once_and_arrives_as_it_was() {
    const BYTES: usize = 24 * 1024 * 1024;
    let mut rig = Rig::start();
    let _speakers = start(&mut rig, &[0], |_| {});
    let mut caller = Caller::call(rig.door());
    let mut writing = caller.stream.try_clone().unwrap();
    let writer = thread::spawn(move || {
        let mut sent = 0;
        while sent < BYTES {
            // Pieces of all sizes.
            let length = (1 + (sent * 7_919) % 200_000).min(BYTES - sent);
            let piece: Vec<u8> = (sent..sent + length).map(byte_at).collect();
            writing.write_all(&piece).unwrap();
            sent += length;
        }
        writing.shutdown(Shutdown::Write).unwrap();
    });
    let (mut heard, mut bytes) = (0, vec![0; 300_000]);
    loop {
        let count = caller.stream.read(&mut bytes).unwrap();
        if count == 0 {
            break;
        }
        let wrong = bytes[..count].iter().enumerate().find(|(n, byte)| **byte != byte_at(heard + n));
        assert_eq!(wrong, None, "after {heard}");
        heard += count;
    }
    writer.join().unwrap();
    assert_eq!(heard, BYTES);
}

#[test]
fn a_side_that_takes_nothing_holds_the_other_one_up() {
    let mut rig = Rig::start();
    let (_until, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let _target = Speaker::start(rig.target_at(0), move |stream| {
        let _ = held.lock().unwrap().recv();
        drop(stream);
    });
    let mut balancer = network(&rig, &[0], Protocol::Tcp);
    balancer.target_groups[0].health_check.enabled = false;
    rig.apply(balancer);
    let mut client = TcpStream::connect(rig.door()).unwrap();
    client.set_write_timeout(Some(Duration::from_millis(700))).unwrap();
    let piece = vec![1; 1024 * 1024];
    let mut taken = 0;
    let stuck = loop {
        match client.write(&piece) {
            Ok(count) => taken += count,
            Err(e) => break e,
        }
        assert!(taken < 256 * 1024 * 1024, "it is all kept somewhere");
    };
    assert_eq!(stuck.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_thousand_connections_are_open_at_once() {
    let mut rig = Rig::start();
    let _speakers = start(&mut rig, &[0, 1], |_| {});
    let (door, node) = (rig.door(), node(&rig, 3));
    let mut callers: Vec<Caller> = (0..1_000).map(|n| Caller::call(if n % 2 == 0 { door } else { node })).collect();
    callers.iter_mut().enumerate().for_each(|(n, caller)| caller.echo(&format!("number {n}")).unwrap());
}

#[test]
fn a_target_that_refuses_is_passed_over_and_one_that_dies_resets_its_clients() {
    let mut rig = Rig::start();
    let mut speakers = start(&mut rig, &[0, 1], |balancer| {
        // Only the traffic itself tells.
        balancer.target_groups[0].health_check.interval_ms = 60_000;
    });
    let mut callers: Vec<Caller> = (0..16).map(|_| Caller::call(rig.door())).collect();
    speakers[0].kill();
    let begun = Instant::now();
    let now = count((0..32).map(|_| Caller::call(rig.door()).name));
    assert_eq!(now.into_iter().collect::<Vec<_>>(), [("one".to_string(), 32)]);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    for caller in &mut callers {
        match caller.name.as_str() {
            "zero" => assert!(caller.echo("gone").is_err()),
            _ => caller.echo("still there").unwrap(),
        }
    }
    speakers[1].kill();
    let mut nobody = TcpStream::connect(rig.door()).unwrap();
    nobody.set_read_timeout(Some(PATIENCE)).unwrap();
    let ended = nobody.read(&mut [0]).map_err(|e| e.kind());
    assert_eq!(ended, Err(std::io::ErrorKind::ConnectionReset));
}

/// "If you enable connection termination for unhealthy targets [...]": on by default.
#[test]
fn connections_to_a_target_that_becomes_unhealthy_are_ended_or_kept_as_is_wanted() {
    for keeps in [false, true] {
        let mut rig = Rig::start();
        let mut speakers = start(&mut rig, &[0, 1], |balancer| balancer.target_groups[0].flow.cut_when_unhealthy = !keeps);
        let mut caller = eventually("a caller of target 0", || Some(Caller::call(rig.door())).filter(|c| c.name == "zero"));
        speakers[0].close();
        eventually("it is unhealthy", || {
            matches!(rig.serve.healths(0).last(), Some(TargetHealth::Unhealthy { .. })).then_some(())
        });
        match keeps {
            true => caller.echo("still there").unwrap(),
            false => assert!(caller.was_reset()),
        }
        assert!((0..16).all(|_| Caller::call(rig.door()).name == "one"));
    }
}

/// "Unhealthy draining interval": flows to an unhealthy target go on for so long.
#[test]
fn connections_to_an_unhealthy_target_have_time_to_end_where_that_is_wanted() {
    let mut rig = Rig::start();
    let mut speakers = start(&mut rig, &[0, 1], |balancer| {
        let flow = &mut balancer.target_groups[0].flow;
        (flow.cut_when_unhealthy, flow.unhealthy_draining_ms) = (false, 1_500);
    });
    let mut caller = eventually("a caller of target 0", || Some(Caller::call(rig.door())).filter(|c| c.name == "zero"));
    let unhealthy = |draining| TargetHealth::Unhealthy { reason: TargetReason::FailedHealthChecks, draining };
    speakers[0].close();
    rig.serve.await_health(0, &unhealthy(true));
    assert!((0..16).all(|_| Caller::call(rig.door()).name == "one"), "nothing new goes there");
    caller.echo("what was there goes on").unwrap();
    rig.serve.await_health(0, &unhealthy(false));
    assert!(caller.was_reset());
}

#[test]
fn connections_to_an_unhealthy_target_have_no_more_time_than_is_wanted_last() {
    const LONG_MS: u64 = 360_000_000;
    for (before_ms, cut) in [(LONG_MS, true), (LONG_MS, false), (0, true)] {
        let mut rig = Rig::start();
        let wanted = |balancer: &mut world::LoadBalancer, cut: bool, ms: u64| {
            let flow = &mut balancer.target_groups[0].flow;
            (flow.cut_when_unhealthy, flow.unhealthy_draining_ms) = (cut, ms);
        };
        let mut speakers = start(&mut rig, &[0, 1], |balancer| wanted(balancer, false, before_ms));
        let mut caller = eventually("a caller of target 0", || Some(Caller::call(rig.door())).filter(|c| c.name == "zero"));
        let unhealthy = |draining| TargetHealth::Unhealthy { reason: TargetReason::FailedHealthChecks, draining };
        speakers[0].close();
        rig.serve.await_health(0, &unhealthy(before_ms > 0));
        caller.echo("it goes on").unwrap();
        let mut balancer = network(&rig, &[0, 1], Protocol::Tcp);
        wanted(&mut balancer, cut, 0);
        rig.apply(balancer);
        rig.serve.await_health(0, &unhealthy(false));
        match cut {
            true => assert!(caller.was_reset()),
            false => caller.echo("nothing ends it").unwrap(),
        }
    }
}

/// "[...] unless the unhealthy target triggers the load balancer to fail open": new connections go there too.
#[test]
fn connections_to_the_last_target_outlive_its_health() {
    let mut rig = Rig::start();
    let _speakers = start(&mut rig, &[0], |_| {});
    let mut caller = Caller::call(rig.door());
    let mut balancer = network(&rig, &[0], Protocol::Tcp);
    balancer.target_groups[0].health_check.port = world::HealthCheckPort::Port(1);
    rig.apply(balancer);
    eventually("it is unhealthy", || matches!(rig.serve.healths(0).last(), Some(TargetHealth::Unhealthy { .. })).then_some(()));
    Caller::call(rig.door()).echo("new").unwrap();
    caller.echo("still there").unwrap();
}

/// "Fail open": "If all registered targets are unhealthy, the load balancer routes to all of them".
#[test]
fn without_any_healthy_target_all_are_tried() {
    let mut rig = Rig::start();
    let _speakers = start(&mut rig, &[0, 1], |_| {});
    let mut balancer = network(&rig, &[0, 1], Protocol::Tcp);
    balancer.target_groups[0].health_check.port = world::HealthCheckPort::Port(1);
    rig.apply(balancer);
    for number in [0, 1] {
        let is_unhealthy = || matches!(rig.serve.healths(number).last(), Some(TargetHealth::Unhealthy { .. }));
        eventually("both are unhealthy", || is_unhealthy().then_some(()));
    }
    let counts = count((0..32).map(|_| Caller::call(rig.door()).name));
    assert_eq!(counts.len(), 2, "{counts:?}");
}

/// "Deregistration delay": established connections stay, unless `deregistration_delay.connection_termination.enabled`.
#[test]
fn connections_outlive_deregistration_unless_they_are_to_be_ended() {
    for cuts in [false, true] {
        let mut rig = Rig::start();
        let _speakers = start(&mut rig, &[0, 1], |balancer| balancer.target_groups[0].flow.cut_at_deregistration = cuts);
        let mut caller = eventually("a caller of target 0", || Some(Caller::call(rig.door())).filter(|c| c.name == "zero"));
        let mut balancer = network(&rig, &[0, 1], Protocol::Tcp);
        balancer.target_groups[0].flow.cut_at_deregistration = cuts;
        balancer.target_groups[0].targets[0].mode = in_ms(500);
        rig.apply(balancer.clone());
        rig.serve.await_health(0, &TargetHealth::Draining);
        assert!((0..16).all(|_| Caller::call(rig.door()).name == "one"), "nothing new goes there");
        caller.echo("what was there goes on").unwrap();
        rig.serve.await_health(0, &TargetHealth::Drained);
        balancer.target_groups[0].targets.remove(0);
        rig.apply(balancer);
        match cuts {
            true => assert!(caller.was_reset()),
            false => caller.echo("for as long as it wants").unwrap(),
        }
    }
}

/// "After the idle timeout period elapses, if either the client or the target sends data, it receives a TCP RST packet".
#[test]
fn an_idle_connection_is_reset_and_a_busy_one_is_not() {
    let mut rig = Rig::start();
    let _speakers = start(&mut rig, &[0], |balancer| balancer.listeners[0].tcp_idle_timeout_ms = Some(900));
    let (mut idle, mut busy) = (Caller::call(rig.door()), Caller::call(rig.door()));
    let begun = Instant::now();
    idle.stream.set_nonblocking(true).unwrap();
    let ended = eventually("the idle one ends", || {
        busy.echo("busy").unwrap();
        thread::sleep(Duration::from_millis(20)); // a talk with pauses
        match idle.stream.read(&mut [0]) {
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => None,
            ended => Some(ended.map_err(|e| e.kind())),
        }
    });
    assert_eq!(ended, Err(std::io::ErrorKind::ConnectionReset));
    assert!((900..2_500).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    busy.echo("still busy").unwrap();
}

/// "Sticky sessions: [...] all of [a source IP address's] traffic is routed to the same target".
#[test]
fn a_client_stays_with_its_target_where_that_is_wanted() {
    let mut rig = Rig::start();
    let _speakers = start(&mut rig, &[0, 1, 2], |balancer| balancer.target_groups[0].stickiness = Some(Stickiness::SourceIp));
    let mut seen = BTreeMap::new();
    for host in 1..=24 {
        let own = Ipv4Addr::new(127, 0, 7, host);
        let counts = count((0..5).map(|_| Caller::call_from(own, rig.door()).name));
        assert_eq!(counts.len(), 1, "{counts:?}");
        seen.extend(counts);
    }
    assert_eq!(seen.len(), 3, "clients are spread over all targets");
}

/// "Cross-zone load balancing": off by default, "each load balancer node distributes traffic only across the registered
/// targets in its Availability Zone".
#[test]
fn a_node_keeps_to_its_zone_and_the_shared_address_to_zones_that_are_well() {
    let mut rig = Rig::start();
    let mut speakers = start(&mut rig, &[0, 1], |balancer| balancer.target_groups[0].cross_zone = false);
    let names = |at| count((0..24).map(|_| Caller::call(at).name));
    assert_eq!(names(node(&rig, 2)).into_keys().collect::<Vec<_>>(), ["zero"]);
    assert_eq!(names(node(&rig, 3)).into_keys().collect::<Vec<_>>(), ["one"]);
    assert_eq!(names(rig.door()).len(), 2);
    speakers[0].kill();
    eventually("it is unhealthy", || matches!(rig.serve.healths(0).last(), Some(TargetHealth::Unhealthy { .. })).then_some(()));
    assert_eq!(names(rig.door()).into_keys().collect::<Vec<_>>(), ["one"]);
    let report = || FrontReport::read(&rig.paths()).unwrap();
    eventually("the failed zone is told", || (report().listeners[0].failed_zones == ["a"]).then_some(()));
}

#[test]
fn the_front_door_goes_to_nobody_else_where_another_listener_wants_it() {
    let mut rig = Rig::start();
    let _speakers = start(&mut rig, &[0], |_| {});
    let report = FrontReport::read(&rig.paths()).unwrap();
    let alone = &report.listeners[0];
    assert_eq!(
        (alone.url.as_str(), alone.front_door_wanted_by.as_deref()),
        ("tcp://web-1.eu-central-1.elb.localhost:8080", None)
    );
    let mut caller = Caller::call(rig.door());
    let mut other = rig.balancer(&[]);
    other.kind = BalancerKind::Application;
    other.id = "arn:aws:elasticloadbalancing:eu-central-1:000000000000:loadbalancer/app/other/2".into();
    other.dns_name = "other-2.eu-central-1.elb.localhost".into();
    other.listeners[0].id = "listener/other".into();
    (other.nodes[0].front, other.nodes[1].front) = (rig.address(4), rig.address(5));
    rig.apply(other.clone());
    let report = FrontReport::read(&rig.paths()).unwrap();
    let flow = report.listeners.iter().find(|l| l.dns_name.starts_with("web-1")).unwrap();
    assert_eq!(flow.front_door_wanted_by.as_deref(), Some("listener/other"));
    assert_eq!((flow.front_door, flow.url.as_str()), (node(&rig, 2).into(), format!("tcp://{}:8080", rig.address(2)).as_str()));
    assert_eq!(crate::client::get(rig.door(), "/").status, 503, "HTTP is spoken there now");
    caller.echo("who was there before stays").unwrap();
    Caller::call(node(&rig, 2)).echo("its own addresses stay too").unwrap();
}

#[test]
fn what_cannot_be_served_is_refused_with_a_reason() {
    let mut rig = Rig::start();
    type Change = fn(&mut world::LoadBalancer);
    let cases: [(Change, &str); 6] = [
        (|b| b.listeners[0].protocol = Protocol::Http, "takes an application load balancer"),
        (|b| b.target_groups[0].protocol = Protocol::Http, "takes an application load balancer"),
        (|b| b.listeners[0].protocol = Protocol::Udp, "cannot take"),
        (|b| b.listeners[0].protocol = Protocol::Tls, "has no certificate"),
        (|b| b.target_groups.clear(), "does not forward"),
        (|b| b.target_groups[0].stickiness = Some(Stickiness::BalancerCookie { duration_ms: 1 }), "sticky by a cookie"),
    ];
    for (change, expected) in cases {
        let mut balancer = network(&rig, &[0], Protocol::Tcp);
        change(&mut balancer);
        let reason = rig.refused(balancer);
        assert!(reason.contains(expected), "{reason}");
    }
    let mut application = rig.balancer(&[0]);
    application.listeners[0].protocol = Protocol::Tcp;
    assert!(rig.refused(application).contains("takes a network load balancer"));
}
