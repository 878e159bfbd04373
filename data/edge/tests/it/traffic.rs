//! Requests through a load balancer whose targets are well.

#![allow(clippy::unwrap_used)]

use crate::client::{Client, get};
use crate::origin::Origin;
use crate::rig::{BALANCER, GROUP, PORT, Rig, eventually};
use std::io::Read;
use std::net::SocketAddrV4;
use std::os::unix::net::UnixStream;

#[test]
fn requests_take_turns_over_the_zones() {
    let mut rig = Rig::start();
    let _origins = [Origin::named(rig.target_at(0), "zero"), Origin::named(rig.target_at(1), "one")];
    rig.serve_with(&[0, 1]);
    let bodies: Vec<String> = (0..10).map(|_| get(rig.door(), "/").text()).collect();
    assert_eq!(bodies.iter().filter(|b| *b == "zero").count(), 5, "{bodies:?}");
    assert!(bodies.windows(2).all(|w| w[0] != w[1]), "{bodies:?}");
    for host in [2, 3] {
        assert_eq!(get(SocketAddrV4::new(rig.address(host), PORT), "/").status, 200);
    }
}

#[test]
fn connections_are_kept_on_both_sides() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let checks = origin.checks().len();
    let mut client = Client::connect(rig.door());
    (0..50).for_each(|_| assert_eq!(client.get("/").status, 200));
    let for_users = origin.connections() - origin.checks().len();
    assert!(for_users <= 1 + origin.checks().len() - checks, "{for_users} connections for 50 requests");
    assert_eq!(origin.got().len(), 50);
}

#[test]
fn answers_and_failures_are_counted_by_group() {
    let mut rig = Rig::start();
    let mut origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    (0..3).for_each(|_| assert_eq!(get(rig.door(), "/").status, 200));
    origin.kill();
    assert_eq!(get(rig.door(), "/").status, 502);
    // A worker counts after it has answered.
    eventually("three answers and a failure are counted", || {
        let mut text = String::new();
        UnixStream::connect(rig.paths().edge_metrics_socket()).unwrap().read_to_string(&mut text).unwrap();
        let counted: serde_json::Value = serde_json::from_str(&text).unwrap();
        let [balancer, group, totals] = counted[0].as_array().unwrap().as_slice() else { panic!("{text}") };
        assert_eq!((balancer.as_str(), group.as_str()), (Some(BALANCER), Some(GROUP)));
        let is = |name: &str, value: u64| totals[name] == value;
        (is("requests", 3) && is("target_2xx", 3) && is("target_5xx", 0) && is("failures", 1)).then_some(())
    });
}
