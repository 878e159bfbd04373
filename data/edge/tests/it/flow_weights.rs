//! A network load balancer's listener that divides its flows among target groups ("Network Load Balancers now support Weighted
//! Target Groups", AWS Networking & Content Delivery Blog).

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::Read;
use std::net::Ipv4Addr;

use world::{LoadBalancer, Protocol, Stickiness, TargetHealth};

use crate::flow_peers::{Asker, Caller, Datagrams, Speaker, network};
use crate::rig::{GROUP, Rig, eventually};
use crate::rules::{SECOND, forward, with_second};

/// A load balancer with one target in each of two groups.
fn two_groups(rig: &Rig, protocol: Protocol) -> LoadBalancer {
    with_second(rig, network(rig, &[0], protocol), &[1])
}

fn weigh(rig: &mut Rig, balancer: &mut LoadBalancer, weights: [u32; 2]) {
    balancer.listeners[0].default_action = forward(&[(GROUP, weights[0]), (SECOND, weights[1])], None);
    rig.apply(balancer.clone());
    (0..2).for_each(|n| rig.serve.await_health(n, &TargetHealth::Healthy));
}

#[test]
fn weights_share_out_connections_and_zero_gets_none() {
    let mut rig = Rig::start();
    let _speakers = [Speaker::echo(rig.target_at(0), "first"), Speaker::echo(rig.target_at(1), "second")];
    let mut balancer = two_groups(&rig, Protocol::Tcp);
    let mut seconds = |rig: &mut Rig, weights: [u32; 2]| {
        weigh(rig, &mut balancer, weights);
        (0..400).filter(|_| Caller::call(rig.door()).name == "second").count()
    };
    let many = seconds(&mut rig, [1, 3]);
    // Five standard deviations around 300.
    assert!((256..=344).contains(&many), "{many} of 400");
    let mut caller = eventually("a caller of the second", || Some(Caller::call(rig.door())).filter(|c| c.name == "second"));
    assert_eq!(seconds(&mut rig, [1, 0]), 0);
    caller.echo("what was there goes on").unwrap();
    assert_eq!(seconds(&mut rig, [0, 5]), 400);
    weigh(&mut rig, &mut balancer, [0, 0]);
    assert!(Caller::try_call(rig.door()).is_err(), "nobody has weight");
}

/// Groups do not stand in for each other, as those of an application load balancer do not.
#[test]
fn a_group_whose_targets_are_gone_keeps_its_share() {
    let mut rig = Rig::start();
    let _speaker = Speaker::echo(rig.target_at(0), "first");
    let mut balancer = two_groups(&rig, Protocol::Tcp);
    balancer.target_groups[1].targets.clear();
    balancer.listeners[0].default_action = forward(&[(GROUP, 1), (SECOND, 1)], None);
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let served = (0..200).filter(|_| Caller::try_call(rig.door()).is_ok()).count();
    assert!((65..=135).contains(&served), "{served} of 200");
}

#[test]
fn datagrams_are_divided_too_and_a_flow_keeps_its_group() {
    let mut rig = Rig::start();
    let _peers = [Datagrams::echo(rig.target_at(0), "first"), Datagrams::echo(rig.target_at(1), "second")];
    let mut balancer = two_groups(&rig, Protocol::Udp);
    weigh(&mut rig, &mut balancer, [1, 1]);
    let askers: Vec<Asker> = (0..40).map(|_| Asker::new(rig.door())).collect();
    let first: Vec<String> = askers.iter().map(|asker| asker.ask("x")).collect();
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 2);
    weigh(&mut rig, &mut balancer, [0, 1]);
    assert_eq!(askers.iter().map(|asker| asker.ask("x")).collect::<Vec<_>>(), first, "flows go on where they are");
    assert!((0..20).all(|_| Asker::new(rig.door()).ask("x") == "second x"));
}

/// Each group has its own stickiness and its own header of the PROXY protocol.
#[test]
fn a_sticky_client_keeps_its_group_and_each_group_hears_what_it_wants() {
    const PROXY: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
    let mut rig = Rig::start();
    let _speakers = [Speaker::echo(rig.target_at(0), "first"), Speaker::echo(rig.target_at(1), "second")];
    let mut balancer = two_groups(&rig, Protocol::Tcp);
    balancer.target_groups[0].stickiness = Some(Stickiness::SourceIp);
    balancer.target_groups[1].flow.proxy_protocol = true;
    weigh(&mut rig, &mut balancer, [1, 1]);
    let mut seen = BTreeSet::new();
    for host in 1..=32 {
        let own = Ipv4Addr::new(127, 0, 8, host);
        let names: BTreeSet<String> = (0..4).map(|_| Caller::call_from(own, rig.door()).name).collect();
        assert_eq!(names.len(), 1, "{names:?}");
        seen.extend(names);
        let mut caller = Caller::call_from(own, rig.door());
        if caller.name == "second" {
            let mut heard = [0; PROXY.len()];
            caller.stream.read_exact(&mut heard).unwrap();
            assert_eq!(heard, *PROXY);
        } else {
            caller.echo("nothing before").unwrap();
        }
    }
    assert_eq!(seen.len(), 2, "clients are spread over both");
}

#[test]
fn more_groups_than_five_and_groups_of_other_protocols_are_refused() {
    let mut rig = Rig::start();
    let mut balancer = two_groups(&rig, Protocol::Tcp);
    balancer.target_groups[1].protocol = Protocol::Udp;
    balancer.listeners[0].default_action = forward(&[(GROUP, 1), (SECOND, 0)], None);
    assert!(rig.refused(balancer.clone()).contains("cannot take"));
    balancer.listeners[0].default_action = forward(&[(GROUP, 1); 6], None);
    assert!(rig.refused(balancer).contains("up to 5"));
}
