//! Which target of a group gets a request: health thresholds, zones, weights, slow starts ("ELB User Guide, Target groups
//! for your Application Load Balancers").

#![allow(clippy::unwrap_used)]

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use edge::FrontReport;
use world::{Algorithm, LoadBalancer, MinimumHealthy, Observation, TargetHealth};

use crate::client::Client;
use crate::origin::{Origin, reply};
use crate::rig::{PORT, Rig, eventually};

const NAMES: [&str; 6] = ["zero", "one", "two", "three", "four", "five"];

fn named(rig: &Rig, numbers: &[u8]) -> Vec<Origin> {
    numbers.iter().map(|n| Origin::named(rig.target_at(*n), NAMES[usize::from(*n)])).collect()
}

fn is_unhealthy(rig: &Rig, number: u8) -> bool {
    matches!(rig.serve.healths(number).last(), Some(TargetHealth::Unhealthy { .. }))
}

/// Applies it and waits until these are healthy and those are not.
fn apply(rig: &mut Rig, balancer: LoadBalancer, healthy: &[u8], unhealthy: &[u8]) {
    rig.apply(balancer);
    healthy.iter().for_each(|n| rig.serve.await_health(*n, &TargetHealth::Healthy));
    unhealthy.iter().for_each(|n| eventually("it is unhealthy", || is_unhealthy(rig, *n).then_some(())));
}

/// How many of so many requests each target got.
fn shares(at: SocketAddrV4, requests: usize) -> [usize; 6] {
    let mut client = Client::connect(at);
    let mut shares = [0; 6];
    for _ in 0..requests {
        let answer = client.get("/");
        assert!(answer.status < 500 || answer.text() != "", "{}", answer.head);
        if let Some(at) = NAMES.iter().position(|name| *name == answer.text()) {
            shares[at] += 1;
        }
    }
    shares
}

#[test]
fn a_shared_address_leads_to_all_zones_but_those_that_dns_would_leave_out() {
    let mut rig = Rig::start();
    let mut origins = named(&rig, &[0, 1]);
    let mut balancer = rig.balancer(&[0, 1]);
    balancer.target_groups[0].cross_zone = false;
    apply(&mut rig, balancer.clone(), &[0, 1], &[]);
    // Each connection is a visitor of one zone, as a client that has asked DNS.
    let visits = |rig: &Rig| {
        let mut visits = [0; 2];
        for _ in 0..20 {
            let shares = shares(rig.door(), 3);
            let zone = shares[..2].iter().position(|requests| *requests == 3);
            visits[zone.unwrap_or_else(|| panic!("{shares:?}"))] += 1;
        }
        visits
    };
    let [a, b] = visits(&rig);
    assert!(a >= 5 && b >= 5, "{a} visitors of zone a, {b} of zone b");
    drop(origins.remove(0));
    eventually("target 0 is unhealthy", || is_unhealthy(&rig, 0).then_some(()));
    assert_eq!(visits(&rig), [0, 20], "zone a has failed");
    balancer.target_groups[0].targets.remove(0);
    apply(&mut rig, balancer, &[1], &[]);
    assert_eq!(visits(&rig), [0, 20], "zone a is empty");
}

/// Fails its checks, and answers users with its name.
fn unwell(rig: &Rig, number: u8) -> Origin {
    Origin::start(rig.target_at(number), move |got, stream| {
        let is_check = got.header("User-Agent") == Some("ELB-HealthChecker/2.0");
        reply(stream, if is_check { 500 } else { 200 }, NAMES[usize::from(number)])
    })
}

#[test]
fn a_node_keeps_to_its_zone_without_cross_zone() {
    let mut rig = Rig::start();
    // Even numbers are in zone a, odd ones in b.
    let mut origins = named(&rig, &[0, 1, 2]);
    let mut balancer = rig.balancer(&[0, 1, 2]);
    balancer.target_groups[0].cross_zone = false;
    apply(&mut rig, balancer.clone(), &[0, 1, 2], &[]);
    let node = |host| SocketAddrV4::new(rig.address(host), PORT);
    assert_eq!(shares(node(2), 20), [10, 0, 10, 0, 0, 0]);
    assert_eq!(shares(node(3), 20), [0, 20, 0, 0, 0, 0]);
    let failed = |rig: &Rig| FrontReport::read(&rig.paths()).unwrap().listeners[0].failed_zones.clone();
    assert!(failed(&rig).is_empty());
    // Nobody is left in zone b: it is for DNS to leave it out, its node does not send elsewhere.
    origins.remove(1);
    eventually("target 1 is unhealthy", || is_unhealthy(&rig, 1).then_some(()));
    assert_eq!(Client::connect(node(3)).get("/").status, 502, "it tries the unhealthy target");
    assert_eq!(shares(node(2), 20), [10, 0, 10, 0, 0, 0]);
    eventually("zone b is reported", || (failed(&rig) == ["b"]).then_some(()));
    balancer.target_groups[0].targets.remove(1);
    apply(&mut rig, balancer.clone(), &[0, 2], &[]);
    let node = |host| SocketAddrV4::new(rig.address(host), PORT);
    assert_eq!(Client::connect(node(3)).get("/").status, 503, "no target in the zone");
    balancer.target_groups[0].cross_zone = true;
    apply(&mut rig, balancer, &[0, 2], &[]);
    assert_eq!(shares(SocketAddrV4::new(rig.address(3), PORT), 20), [10, 0, 10, 0, 0, 0]);
}

#[test]
fn below_its_threshold_a_group_sends_to_all() {
    let mut rig = Rig::start();
    let mut origins = named(&rig, &[0, 1]);
    origins.extend([2, 3].map(|n| unwell(&rig, n)));
    let mut balancer = rig.balancer(&[0, 1, 2, 3]);
    let mut with = |rig: &mut Rig, count, percent| {
        balancer.target_groups[0].fail_open = MinimumHealthy { count, percent };
        apply(rig, balancer.clone(), &[0, 1], &[2, 3]);
        shares(rig.door(), 40)
    };
    assert_eq!(with(&mut rig, Some(2), None), [20, 20, 0, 0, 0, 0]);
    assert_eq!(with(&mut rig, Some(3), None), [10, 10, 10, 10, 0, 0]);
    assert_eq!(with(&mut rig, Some(1), Some(50)), [20, 20, 0, 0, 0, 0]);
    assert_eq!(with(&mut rig, Some(1), Some(51)), [10, 10, 10, 10, 0, 0]);
    assert_eq!(with(&mut rig, None, None), [20, 20, 0, 0, 0, 0]);
}

#[test]
fn too_few_healthy_targets_take_all_zones_out_of_dns_with_cross_zone() {
    let mut rig = Rig::start();
    let _origins = (named(&rig, &[0]), unwell(&rig, 1));
    let mut balancer = rig.balancer(&[0, 1]);
    balancer.target_groups[0].dns_failover = MinimumHealthy { count: Some(2), percent: None };
    apply(&mut rig, balancer, &[0], &[1]);
    let failed = |rig: &Rig| FrontReport::read(&rig.paths()).map(|r| r.listeners[0].failed_zones.clone());
    eventually("both zones are reported", || (failed(&rig)? == ["a", "b"]).then_some(()));
}

#[test]
fn weighted_random_is_even_and_not_in_turn() {
    let mut rig = Rig::start();
    let _origins = named(&rig, &[0, 1, 2]);
    let mut balancer = rig.balancer(&[0, 1, 2]);
    balancer.target_groups[0].algorithm = Algorithm::WeightedRandom;
    apply(&mut rig, balancer, &[0, 1, 2], &[]);
    let mut client = Client::connect(rig.door());
    let texts: Vec<String> = (0..600).map(|_| client.get("/").text()).collect();
    for name in &NAMES[..3] {
        let share = texts.iter().filter(|t| t == name).count();
        // Four standard deviations around 200.
        assert!((154..=246).contains(&share), "{name} got {share} of 600");
    }
    assert!(texts.windows(2).any(|pair| pair[0] == pair[1]), "drawn, not in turn");
}

#[test]
fn an_anomalous_target_is_told_of_and_gets_less_until_it_recovers() {
    let mut rig = Rig::start();
    let broken = Arc::new(AtomicBool::new(true));
    let mut origins = named(&rig, &[0, 1, 2]);
    let is_broken = broken.clone();
    origins.push(Origin::healthy(rig.target_at(3), move |_, stream| {
        let status = if is_broken.load(Ordering::SeqCst) { 500 } else { 200 };
        reply(stream, status, "three")
    }));
    let mut balancer = rig.balancer(&[0, 1, 2, 3]);
    balancer.target_groups[0].algorithm = Algorithm::WeightedRandom;
    balancer.target_groups[0].anomaly_mitigation = true;
    apply(&mut rig, balancer.clone(), &[0, 1, 2, 3], &[]);
    let last_word = |rig: &Rig| {
        rig.serve.observations().into_iter().rev().find_map(|o| match o {
            Observation::TargetAnomaly { target, anomalous, mitigated, .. } if target.id == "i-3" => Some((anomalous, mitigated)),
            _ => None,
        })
    };
    eventually("it gets much less than its quarter", || {
        let shares = shares(rig.door(), 200);
        (shares[3] < 15).then_some(())
    });
    assert_eq!(last_word(&rig), Some((true, true)));
    // Without mitigation it is as anomalous, and gets its full share.
    let mut unmitigated = balancer.clone();
    unmitigated.target_groups[0].anomaly_mitigation = false;
    rig.apply(unmitigated);
    eventually("it gets its quarter again, and that is told", || {
        let shares = shares(rig.door(), 200);
        (shares[3] > 30 && last_word(&rig) == Some((true, false))).then_some(())
    });
    rig.apply(balancer);
    rig.restart();
    let told = |rig: &Rig| (last_word(rig) == Some((false, false))).then_some(());
    eventually("another edge knows nothing of it, and says so", || told(&rig));
    eventually("it gets less again", || {
        shares(rig.door(), 200);
        (last_word(&rig) == Some((true, true))).then_some(())
    });
    broken.store(false, Ordering::SeqCst);
    eventually("it is well again", || {
        shares(rig.door(), 200);
        told(&rig)
    });
}

#[test]
fn a_target_that_starts_slowly_takes_part_by_and_by() {
    let mut rig = Rig::start();
    let _origins = named(&rig, &[0, 1]);
    let mut balancer = rig.balancer(&[0]);
    balancer.target_groups[0].slow_start_ms = 4_000;
    apply(&mut rig, balancer.clone(), &[0], &[]);
    balancer.target_groups[0].targets.push(rig.target(1));
    apply(&mut rig, balancer, &[0, 1], &[]);
    let early = shares(rig.door(), 100)[1];
    assert!(early < 40, "{early} of 100 at once");
    eventually("it takes its full share", || (shares(rig.door(), 100)[1] >= 49).then_some(()));
}

/// "When you enable slow start for an empty target group and then register targets using a single registration operation, these
/// targets do not enter slow start mode."
#[test]
fn targets_that_come_into_an_empty_group_together_do_not_start_slowly() {
    let mut rig = Rig::start();
    let _origins = named(&rig, &[0, 1]);
    let mut balancer = rig.balancer(&[0, 1]);
    balancer.target_groups[0].slow_start_ms = 900_000;
    apply(&mut rig, balancer, &[0, 1], &[]);
    assert_eq!(shares(rig.door(), 40)[..2], [20, 20]);
}
