//! Datagrams through a network load balancer.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use world::{FlowAttributes, Protocol, Stickiness, TargetHealth, TargetReason};

use crate::draining::in_ms;
use crate::flow_peers::{Asker, Caller, Datagrams, PATIENCE, Speaker, network, node};
use crate::rig::{Rig, eventually};

fn start(rig: &mut Rig, targets: &[u8], protocol: Protocol, change: impl FnOnce(&mut world::LoadBalancer)) -> Vec<Datagrams> {
    let names = ["zero", "one", "two"];
    let peers = targets.iter().map(|n| Datagrams::echo(rig.target_at(*n), names[usize::from(*n)])).collect();
    let mut balancer = network(rig, targets, protocol);
    change(&mut balancer);
    rig.apply(balancer);
    targets.iter().for_each(|n| rig.serve.await_health(*n, &TargetHealth::Healthy));
    peers
}

/// The name that an answer begins with.
fn name(answer: &str) -> String {
    answer.split(' ').next().unwrap().into()
}

/// "A UDP flow has the same source and destination, so it is consistently routed to a single target throughout its lifetime.
/// Different UDP flows have different source IP addresses and ports, so they can be routed to different targets."
#[test]
fn a_client_and_a_target_talk_for_as_long_as_they_like_and_others_with_others() {
    let mut rig = Rig::start();
    let _peers = start(&mut rig, &[0, 1], Protocol::Udp, |_| {});
    let mut seen = BTreeSet::new();
    for number in 0..24 {
        let at = if number % 2 == 0 { rig.door() } else { node(&rig, 3) };
        let asker = Asker::new(at);
        let answers: BTreeSet<String> = (0..4).map(|round| asker.ask(&format!("{number}.{round}"))).map(|a| name(&a)).collect();
        assert_eq!(answers.len(), 1, "{answers:?}");
        seen.extend(answers);
    }
    assert_eq!(seen.len(), 2);
    let long = "x".repeat(60_000);
    assert!(Asker::new(rig.door()).ask(&long).ends_with(&long), "the longest datagrams go too");
}

/// "TCP_UDP": "To support both TCP and UDP on the same port, create a TCP_UDP listener."
#[test]
fn one_port_is_for_connections_and_datagrams() {
    let mut rig = Rig::start();
    let _peers = start(&mut rig, &[0], Protocol::TcpUdp, |_| {});
    assert_eq!(Asker::new(rig.door()).ask("by UDP"), "zero by UDP");
    Caller::call(rig.door()).echo("by TCP").unwrap();
}

/// "Preserving client IP address with Proxy protocol v2 and Network Load Balancer": "UDP is supported".
#[test]
fn targets_are_told_of_their_clients_in_each_datagram_where_that_is_wanted() {
    for protocol in [Protocol::Udp, Protocol::TcpUdp] {
        let mut rig = Rig::start();
        let target = UdpSocket::bind(rig.target_at(0)).unwrap();
        target.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut balancer = network(&rig, &[0], protocol);
        balancer.target_groups[0].health_check.enabled = false;
        balancer.target_groups[0].flow.proxy_protocol = true;
        rig.apply(balancer);
        rig.serve.await_health(0, &TargetHealth::Healthy);
        for asker in [Asker::new(rig.door()), Asker::new(node(&rig, 3))] {
            let own = asker.0.local_addr().unwrap();
            let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c".to_vec();
            let SocketAddr::V4(at) = asker.0.peer_addr().unwrap() else { panic!("not IPv4") };
            header.extend([127, 0, 0, 1].iter().chain(&at.ip().octets()));
            header.extend(own.port().to_be_bytes().iter().chain(&at.port().to_be_bytes()));
            for text in ["first", "", "third"] {
                asker.0.send(text.as_bytes()).unwrap();
                let mut bytes = [0; 128];
                let (count, from) = target.recv_from(&mut bytes).unwrap();
                assert_eq!(bytes[..count], [&header, text.as_bytes()].concat());
                target.send_to(b"plain", from).unwrap();
                let count = asker.0.recv(&mut bytes).unwrap();
                assert_eq!(&bytes[..count], b"plain", "answers are as the target gives them");
            }
        }
    }
}

#[test]
fn what_is_silent_for_too_long_is_forgotten_and_begins_anew() {
    let mut rig = Rig::start();
    let peers = start(&mut rig, &[0, 1], Protocol::Udp, |balancer| balancer.listeners[0].tcp_idle_timeout_ms = Some(400));
    assert_eq!(peers.len(), 2);
    let asker = Asker::new(rig.door());
    let first = name(&asker.ask("once"));
    let number = if first == "zero" { 0 } else { 1 };
    // Who is deregistered keeps its flows while they last, and gets no new ones.
    let mut balancer = network(&rig, &[0, 1], Protocol::Udp);
    balancer.listeners[0].tcp_idle_timeout_ms = Some(400);
    balancer.target_groups[0].targets[number].mode = in_ms(60_000);
    rig.apply(balancer);
    for _ in 0..5 {
        assert_eq!(name(&asker.ask("again")), first);
    }
    let drained = Instant::now();
    rig.serve.await_health(number as u8, &TargetHealth::Drained);
    assert!(drained.elapsed() < Duration::from_secs(5), "a flow that ends is under way no more");
    assert_ne!(name(&asker.ask("later")), first);
}

#[test]
fn a_flow_to_a_target_that_becomes_unhealthy_goes_to_another() {
    let mut rig = Rig::start();
    let mut peers = start(&mut rig, &[0, 1], Protocol::Udp, |_| {});
    let asker = Asker::new(rig.door());
    let first = name(&asker.ask("once"));
    peers[if first == "zero" { 0 } else { 1 }].twin.kill();
    eventually("another one answers", || (name(&asker.ask("again")) != first).then_some(()));
}

/// Flows of UDP are never cut, but where a target is unhealthy "the next packet will get routed to a new target"; to the same one
/// as before where there is no healthy one, and while it has time to end what it has.
#[test]
fn datagrams_leave_an_unhealthy_target_for_a_healthy_one() {
    for unhealthy_draining_ms in [0, 60_000] {
        let mut rig = Rig::start();
        let mut peers = start(&mut rig, &[0, 1], Protocol::Udp, |balancer| {
            let group = &mut balancer.target_groups[0];
            group.flow = FlowAttributes { unhealthy_draining_ms, ..FlowAttributes::default() };
        });
        let asker = Asker::new(rig.door());
        let first = name(&asker.ask("once"));
        let (ill, well) = if first == "zero" { (0, 1) } else { (1, 0) };
        peers[ill].twin.kill();
        let draining = unhealthy_draining_ms > 0;
        rig.serve.await_health(ill as u8, &TargetHealth::Unhealthy { reason: TargetReason::FailedHealthChecks, draining });
        if draining {
            assert_eq!(name(&asker.ask("still")), first);
            continue;
        }
        let second = name(&asker.ask("again"));
        assert_ne!(second, first);
        peers[well].twin.kill();
        rig.serve.await_health(well as u8, &TargetHealth::Unhealthy { reason: TargetReason::FailedHealthChecks, draining });
        assert_eq!(name(&asker.ask("nobody is well")), second);
        let at = rig.target_at(ill as u8);
        peers[ill].twin = Speaker::echo(at, "back");
        rig.serve.await_health(ill as u8, &TargetHealth::Healthy);
        assert_eq!(name(&asker.ask("one is well again")), first);
    }
}

/// One whose instance was stopped, which nobody has deregistered: "Target.InvalidState", and unused.
#[test]
fn datagrams_leave_a_target_that_is_gone_at_once() {
    for others_are_well in [true, false] {
        let mut rig = Rig::start();
        let mut peers = start(&mut rig, &[0, 1], Protocol::Udp, |balancer| {
            balancer.target_groups[0].flow = FlowAttributes::default();
        });
        let asker = Asker::new(rig.door());
        let first = name(&asker.ask("once"));
        let (gone, stays) = if first == "zero" { (0, 1) } else { (1, 0) };
        if !others_are_well {
            peers[stays].twin.kill();
            let reason = TargetReason::FailedHealthChecks;
            rig.serve.await_health(stays as u8, &TargetHealth::Unhealthy { reason, draining: false });
        }
        let mut balancer = network(&rig, &[stays as u8], Protocol::Udp);
        balancer.target_groups[0].flow = FlowAttributes::default();
        rig.apply(balancer);
        assert_ne!(name(&asker.ask("again")), first, "{gone}");
    }
}

#[test]
fn a_client_stays_with_its_target_where_that_is_wanted_and_after_a_restart() {
    let mut rig = Rig::start();
    let _peers = start(&mut rig, &[0, 1, 2], Protocol::Udp, |balancer| {
        balancer.target_groups[0].stickiness = Some(Stickiness::SourceIp);
    });
    let of = |rig: &Rig, host: u8| name(&Asker::from(Ipv4Addr::new(127, 0, 9, host), rig.door()).ask("who"));
    let before: Vec<String> = (1..=12).map(|host| of(&rig, host)).collect();
    assert_eq!(before, (1..=12).map(|host| of(&rig, host)).collect::<Vec<_>>(), "whatever the port");
    assert_eq!(before.iter().collect::<BTreeSet<_>>().len(), 3);
    rig.restart();
    assert_eq!(before, (1..=12).map(|host| of(&rig, host)).collect::<Vec<_>>());
}

#[test]
fn a_listener_that_goes_answers_no_more() {
    let mut rig = Rig::start();
    let peers = start(&mut rig, &[0], Protocol::Udp, |_| {});
    let asker = Asker::new(rig.door());
    assert_eq!(asker.ask("there"), "zero there");
    let mut balancer = network(&rig, &[0], Protocol::Udp);
    balancer.listeners.clear();
    rig.apply(balancer);
    assert_eq!(asker.ask_once("gone"), None);
    let balancer = network(&rig, &[0], Protocol::Udp);
    rig.apply(balancer);
    assert_eq!(asker.ask("back"), format!("zero back"), "{}", peers[0].address());
}
