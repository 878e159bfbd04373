//! Requests through a load balancer whose targets are well.

#![allow(clippy::unwrap_used)]

use crate::client::{Client, get};
use crate::origin::Origin;
use crate::rig::{PORT, Rig};
use std::net::SocketAddrV4;

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
