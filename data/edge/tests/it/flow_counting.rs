//! What is reported of flows, checked against those that were made.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use world::{BalancerTraffic, FlowTraffic, Frame, Observation, Pace, Protocol, TargetHealth};

use crate::flow_peers::{Asker, Caller, Datagrams, PATIENCE, Speaker, network, node};
use crate::rig::{Rig, eventually};

/// The sum of all reports, with the last word about what is open.
fn told(rig: &Rig, zone: &str) -> FlowTraffic {
    let of = |o: Observation| match o {
        Observation::Traffic { balancers, .. } => balancers.into_iter().find(|b: &BalancerTraffic| b.zone == zone)?.flows,
        _ => None,
    };
    rig.serve.observations().into_iter().filter_map(of).fold(FlowTraffic::default(), |sum, more| {
        let mut all = FlowTraffic {
            client_resets: sum.client_resets + more.client_resets,
            target_resets: sum.target_resets + more.target_resets,
            balancer_resets: sum.balancer_resets + more.balancer_resets,
            unhealthy_routed: sum.unhealthy_routed + more.unhealthy_routed,
            packets: sum.packets + more.packets,
            ..more
        };
        for (all, sum) in [(&mut all.tcp, sum.tcp), (&mut all.udp, sum.udp)] {
            all.new += sum.new;
            all.processed_bytes += sum.processed_bytes;
        }
        all
    })
}

#[track_caller]
fn await_told(rig: &Rig, what: &str, holds: impl Fn(&FlowTraffic) -> bool) {
    eventually(what, || holds(&told(rig, "a")).then_some(()));
}

fn rig() -> Rig {
    let mut rig = Rig::start();
    rig.serve.send(&Frame::Report { every_ms: 100 });
    rig
}

#[test]
fn connections_and_their_bytes_are_counted_and_who_has_reset_them() {
    let mut rig = rig();
    let _speaker = Speaker::echo(rig.target_at(0), "zero");
    let balancer = network(&rig, &[0], Protocol::Tcp);
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let at = node(&rig, 2);
    let mut callers: Vec<Caller> = (0..3).map(|_| Caller::call(at)).collect();
    callers[0].echo("12345678").unwrap();
    await_told(&rig, "three are open", |t| (t.tcp.active, t.tcp.new, t.tcp.processed_bytes) == (3, 3, 3 * 5 + 2 * 8));
    // Who closes with something unread, or without a farewell, resets.
    let own = callers.pop().unwrap().stream;
    rustix::net::sockopt::set_socket_linger(&own, Some(Duration::ZERO)).unwrap();
    drop(own);
    await_told(&rig, "the client's reset", |t| (t.client_resets, t.tcp.active) == (1, 2));
    drop(callers);
    await_told(&rig, "all have ended", |t| t.tcp.active == 0);
    let sum = told(&rig, "a");
    assert_eq!((sum.client_resets, sum.target_resets, sum.balancer_resets, sum.unhealthy_routed), (1, 0, 0, 0));
    assert_eq!(told(&rig, "b"), FlowTraffic::default());
}

/// All stretches, each with what moved in it.
fn paces(rig: &Rig, zone: &str) -> Vec<Pace> {
    let of = |o: Observation| match o {
        Observation::Traffic { balancers, .. } => balancers,
        _ => Vec::new(),
    };
    let balancers = rig.serve.observations().into_iter().flat_map(of).filter(|b| b.zone == zone);
    balancers.flat_map(|balancer| balancer.paces).collect()
}

/// "ProcessedPackets", "PeakBytesPerSecond", "PeakPacketsPerSecond": while a flow lasts, and at its end.
#[test]
fn packets_are_counted_and_how_fast_they_come() {
    let mut rig = rig();
    let _speaker = Speaker::echo(rig.target_at(0), "zero");
    let balancer = network(&rig, &[0], Protocol::Tcp);
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let mut caller = Caller::call(node(&rig, 2));
    (0..100).for_each(|_| caller.echo("ping").unwrap());
    await_told(&rig, "200 packets with data, while it is open", |t| t.packets >= 200 && t.tcp.active == 1);
    // More than in any packet of a loopback.
    caller.echo(&"x".repeat(1 << 20)).unwrap();
    let before = told(&rig, "a").packets;
    drop(caller);
    await_told(&rig, "all of them", |t| t.tcp.active == 0 && t.packets >= before + 2 * 16);
    eventually("all are in some stretch", || {
        let (sum, paces) = (told(&rig, "a"), paces(&rig, "a"));
        assert!(sum.packets < 4_000, "{sum:?}");
        assert!(paces.iter().all(|pace| pace.ms >= 100), "{paces:?}");
        let moved = |of: fn(&Pace) -> u64| paces.iter().map(of).sum::<u64>();
        (moved(|p| p.packets) == sum.packets && moved(|p| p.bytes) == sum.tcp.processed_bytes).then_some(())
    });
    assert_eq!(paces(&rig, "b"), []);
}

#[test]
fn resets_of_targets_and_our_own_are_told_apart() {
    let mut rig = rig();
    let speaker = Speaker::start(rig.target_at(0), |mut stream| drop(stream.read(&mut [0])));
    let mut balancer = network(&rig, &[0], Protocol::Tcp);
    balancer.target_groups[0].health_check.enabled = false;
    balancer.listeners[0].tcp_idle_timeout_ms = Some(400);
    rig.apply(balancer);
    let silent = TcpStream::connect(node(&rig, 2)).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    await_told(&rig, "the idle one", |t| t.balancer_resets == 1);
    drop(speaker);
    let mut refused = TcpStream::connect(node(&rig, 2)).unwrap();
    let _ = refused.write_all(b"x");
    await_told(&rig, "the refusal, and the reset that tells of it", |t| (t.target_resets, t.balancer_resets) == (1, 2));
}

#[test]
fn datagrams_and_flows_to_ill_targets_are_counted() {
    let mut rig = rig();
    let _peer = Datagrams::echo(rig.target_at(0), "zero");
    let mut balancer = network(&rig, &[0], Protocol::Udp);
    balancer.listeners[0].tcp_idle_timeout_ms = Some(700);
    balancer.target_groups[0].health_check.port = world::HealthCheckPort::Port(1);
    rig.apply(balancer);
    eventually("it is unhealthy", || matches!(rig.serve.healths(0).last(), Some(TargetHealth::Unhealthy { .. })).then_some(()));
    assert_eq!(Asker::new(node(&rig, 2)).ask("four"), "zero four");
    await_told(&rig, "a flow of 4 and 9 bytes", |t| (t.udp.new, t.udp.processed_bytes, t.unhealthy_routed) == (1, 13, 1));
    await_told(&rig, "two packets", |t| t.packets == 2);
    await_told(&rig, "it is over", |t| t.udp.active == 0);
}
