//! The edge through restarts of `serve` and its own, and configurations that it must refuse.

#![allow(clippy::unwrap_used)]

use std::thread;

use edge::{EdgeError, FrontReport};
use world::{Action, Effect, Frame, Observation, Protocol, RegisteredTarget, Slot, SlotKind, TargetHealth, Want};

use crate::client::{Client, get};
use crate::origin::Origin;
use crate::rig::{BALANCER, GROUP, PORT, Rig, Serve, eventually, options};

fn slot() -> Slot {
    Slot::new(SlotKind::LoadBalancer, BALANCER)
}

#[test]
fn traffic_goes_on_without_serve_and_all_is_told_when_it_returns() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    assert_eq!(client.get("/").status, 200);
    rig.reconnect();
    assert_eq!(rig.serve.applied, [(slot(), 1)]);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    assert_eq!(client.get("/").text(), "zero", "on the same connection");
}

#[test]
fn an_edge_that_ended_comes_back_with_its_configuration() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    rig.shut_down(false).unwrap();
    assert!(std::net::TcpStream::connect(rig.door()).is_err());
    let again = options(rig.directory.path(), rig.network);
    let edge = thread::spawn(move || edge::run(again));
    rig.serve = Serve::connect(rig.directory.path());
    assert_eq!(rig.serve.applied, [(slot(), 1)]);
    assert_eq!(get(rig.door(), "/").text(), "zero", "what was healthy need not wait for a check");
    rig.serve.send(&Frame::Shutdown { purge: true });
    edge.join().unwrap().unwrap();
    let left: Vec<_> = std::fs::read_dir(rig.paths().run()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn one_edge_serves_a_data_directory() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let first = rig.take_edge();
    rig.start_another();
    first.join().unwrap().unwrap();
    assert_eq!(rig.serve.applied, [(slot(), 1)], "the second one has taken over");
    let paths = rig.paths();
    std::fs::remove_file(paths.run().join("edge-handover.sock")).unwrap();
    let third = edge::run(options(rig.directory.path(), rig.network));
    assert!(matches!(third, Err(EdgeError::AlreadyRunning(_))), "one that hands nothing over stays: {third:?}");
}

#[test]
fn what_serve_does_not_name_is_removed() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    rig.serve.send(&Frame::Sync { slots: vec![slot()] });
    assert_eq!(get(rig.door(), "/").status, 200);
    rig.serve.send(&Frame::Sync { slots: vec![Slot::new(SlotKind::Instance, "i-1")] });
    eventually("nobody listens", || std::net::TcpStream::connect(rig.door()).is_err().then_some(()));
    eventually("the report is empty", || FrontReport::read(&rig.paths()).filter(|r| r.listeners.is_empty()));
}

#[test]
fn older_versions_are_ignored_and_removal_closes_the_door() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    rig.serve.send(&Frame::Effect(Effect { slot: slot(), version: 0, want: None }));
    let balancer = rig.balancer(&[0]);
    rig.apply(balancer);
    assert_eq!(get(rig.door(), "/").status, 200);
    rig.serve.send(&Frame::Effect(Effect { slot: slot(), version: 9, want: None }));
    eventually("nobody listens", || std::net::TcpStream::connect(rig.door()).is_err().then_some(()));
}

#[test]
fn the_report_tells_where_users_go() {
    let mut rig = Rig::start();
    let balancer = rig.balancer(&[]);
    rig.apply(balancer);
    let report = FrontReport::read(&rig.paths()).unwrap();
    let listener = &report.listeners[0];
    assert_eq!((listener.port, listener.front_door), (PORT, rig.door().into()));
    assert_eq!(listener.url, format!("http://web-1.eu-central-1.elb.localhost:{PORT}/"));
    assert_eq!(listener.nodes.iter().map(|(zone, _)| zone.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn what_cannot_be_served_is_refused_in_words_and_the_old_goes_on() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let good = rig.balancer(&[0]);
    let mut https = good.clone();
    https.listeners[0].protocol = Protocol::Https;
    let mut unknown = good.clone();
    unknown.listeners[0].default_action =
        Action::Forward { groups: vec![world::WeightedGroup { group: "other".into(), weight: 1 }], sticky_ms: None };
    let mut outside = good.clone();
    outside.nodes[0].front = std::net::Ipv4Addr::new(192, 0, 2, 1);
    let mut injected = good.clone();
    injected.target_groups[0].health_check.path = "/ HTTP/1.1\r\nX: y".into();
    let mut header = good.clone();
    let action = Action::FixedResponse { status: 200, content_type: Some("a\r\nX: y".into()), body: String::new() };
    header.listeners[0].default_action = action;
    for (balancer, word) in
        [(https, "security policy"), (unknown, "other"), (outside, "192.0.2.1"), (injected, "path"), (header, "content type")]
    {
        let reason = rig.refused(balancer);
        assert!(reason.contains(word), "{reason}");
        assert_eq!(get(rig.door(), "/").text(), "zero");
    }
}

/// The slot of a target by itself, and what `serve` wishes for it.
fn target(rig: &Rig, number: u8) -> (Slot, Want) {
    let told = RegisteredTarget { load_balancer: BALANCER.into(), group: GROUP.into(), target: rig.target(number) };
    let want = Want::Target(told);
    (want.slot(), want)
}

/// Says how a target shall be, and waits until it is so.
fn tell(rig: &mut Rig, number: u8, version: u64, wanted: bool) {
    let (slot, want) = target(rig, number);
    rig.serve.send(&Frame::Effect(Effect { slot: slot.clone(), version, want: Some(want).filter(|_| wanted) }));
    let answer = Observation::Applied { slot, version };
    rig.serve.await_observation("the target is told", |o| (*o == answer).then_some(()));
}

#[test]
fn targets_come_and_go_by_themselves_in_any_order() {
    let mut rig = Rig::start();
    let _origins = [Origin::named(rig.target_at(0), "zero"), Origin::named(rig.target_at(1), "one")];
    tell(&mut rig, 0, 3, true);
    let empty = rig.balancer(&[]);
    rig.apply(empty.clone());
    rig.serve.await_health(0, &TargetHealth::Healthy);
    assert_eq!(get(rig.door(), "/").text(), "zero", "it was told before its load balancer");
    tell(&mut rig, 1, 4, true);
    rig.serve.await_health(1, &TargetHealth::Healthy);
    let mut seen: Vec<String> = (0..4).map(|_| get(rig.door(), "/").text()).collect();
    seen.sort();
    assert_eq!(seen, ["one", "one", "zero", "zero"]);
    let (slot, _) = target(&rig, 0);
    rig.serve.send(&Frame::Effect(Effect { slot, version: 2, want: None }));
    tell(&mut rig, 1, 5, true);
    assert_eq!((0..4).filter(|_| get(rig.door(), "/").text() == "zero").count(), 2, "an older version is ignored");
    tell(&mut rig, 0, 6, false);
    assert_eq!((0..4).filter(|_| get(rig.door(), "/").text() == "one").count(), 4);
    rig.apply(empty);
    assert_eq!(get(rig.door(), "/").text(), "one", "the load balancer says nothing about its targets");
    tell(&mut rig, 1, 7, false);
    assert_eq!(get(rig.door(), "/").status, 503);
}

#[test]
fn an_edge_that_forgot_the_last_changes_is_told_of_these_and_no_others() {
    let mut rig = Rig::start();
    let _origins = [Origin::named(rig.target_at(0), "zero"), Origin::named(rig.target_at(1), "one")];
    let empty = rig.balancer(&[]);
    rig.apply(empty);
    tell(&mut rig, 0, 2, true);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let file = rig.paths().run().join("edge-config.json");
    let saved = eventually("target and health are on the disk", || {
        std::fs::read_to_string(&file).ok().filter(|text| text.contains("\"version\":2") && text.contains("\"healthy\""))
    });
    tell(&mut rig, 1, 3, true);
    tell(&mut rig, 0, 4, false);
    // Killed before it could write that down.
    rig.shut_down(false).unwrap();
    std::fs::write(&file, saved).unwrap();
    rig.start_another();
    let (zero, one) = (target(&rig, 0), target(&rig, 1));
    assert_eq!(rig.serve.applied, [(slot(), 1), (zero.0, 2)], "it says what it has");
    assert_eq!(get(rig.door(), "/").text(), "zero", "and serves it, healthy as it was");
    tell(&mut rig, 1, 3, true);
    rig.serve.await_health(1, &TargetHealth::Healthy);
    rig.serve.send(&Frame::Sync { slots: vec![slot(), one.0.clone()] });
    eventually("what is not named is gone", || (0..4).all(|_| get(rig.door(), "/").text() == "one").then_some(()));
    rig.reconnect();
    assert_eq!(rig.serve.applied, [(slot(), 1), (one.0, 3)]);
}

#[test]
fn many_targets_told_in_one_go_are_all_answered() {
    let mut rig = Rig::start();
    let empty = rig.balancer(&[]);
    rig.apply(empty);
    for number in 0..2_000_u64 {
        let mut told = RegisteredTarget { load_balancer: BALANCER.into(), group: GROUP.into(), target: rig.target(0) };
        told.target.key.id = format!("i-{number}");
        let want = Want::Target(told);
        rig.serve.send(&Frame::Effect(Effect { slot: want.slot(), version: 2 + number, want: Some(want) }));
    }
    eventually("each is applied", || {
        let seen = rig.serve.observations();
        let applied = seen.iter().filter(|o| matches!(o, Observation::Applied { slot, .. } if slot.kind == SlotKind::Target));
        (applied.count() == 2_000).then_some(())
    });
    rig.reconnect();
    assert_eq!(rig.serve.applied.len(), 2_001);
}
