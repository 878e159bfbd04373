//! Deregistration: a draining target finishes what it has, gets nothing new, and is cut at its deadline.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base::Time;
use world::{TargetHealth, TargetMode};

use crate::client::{Client, get};
use crate::origin::{Origin, reply};
use crate::rig::{Rig, eventually};

pub fn in_ms(ms: u64) -> TargetMode {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_millis(ms);
    TargetMode::Draining { until: Time::from_unix_ms(i64::try_from(now.as_millis()).unwrap()) }
}

/// Target 0 holds `/hold` until it is let go.
fn holding(rig: &Rig) -> (Origin, Arc<AtomicBool>) {
    let go = Arc::new(AtomicBool::new(false));
    let inner = go.clone();
    let origin = Origin::healthy(rig.target_at(0), move |got, stream| {
        let end = Instant::now() + Duration::from_secs(10);
        while got.path() == "/hold" && !inner.load(Ordering::SeqCst) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        reply(stream, 200, "zero")
    });
    (origin, go)
}

#[test]
fn requests_under_way_are_finished() {
    let mut rig = Rig::start();
    let ((origin, go), _other) = (holding(&rig), Origin::named(rig.target_at(1), "one"));
    rig.serve_with(&[0, 1]);
    let mut held = [Client::connect(rig.door()), Client::connect(rig.door())];
    held.iter_mut().for_each(|client| {
        client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    });
    eventually("one waits at target 0", || origin.got().iter().any(|got| got.path() == "/hold").then_some(()));
    let mut balancer = rig.balancer(&[0, 1]);
    balancer.target_groups[0].targets[0].mode = in_ms(10_000);
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Draining);
    let before = origin.got().len();
    (0..10).for_each(|_| assert_eq!(get(rig.door(), "/").text(), "one"));
    assert_eq!(origin.got().len(), before, "nothing new goes there");
    assert_eq!(rig.serve.healths(0).last(), Some(&TargetHealth::Draining));
    go.store(true, Ordering::SeqCst);
    let mut texts = held.iter_mut().map(|client| client.answer(false).text()).collect::<Vec<_>>();
    texts.sort();
    assert_eq!(texts, ["one", "zero"]);
    rig.serve.await_health(0, &TargetHealth::Drained);
}

#[test]
fn an_idle_target_is_drained_at_once() {
    let mut rig = Rig::start();
    let _origins = [Origin::named(rig.target_at(0), "zero"), Origin::named(rig.target_at(1), "one")];
    rig.serve_with(&[0, 1]);
    (0..4).for_each(|_| drop(get(rig.door(), "/")));
    let mut balancer = rig.balancer(&[0, 1]);
    balancer.target_groups[0].targets[0].mode = in_ms(300_000);
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Drained);
}

#[test]
fn the_deadline_cuts_what_is_left() {
    let mut rig = Rig::start();
    let (origin, _go) = holding(&rig);
    let other = Origin::named(rig.target_at(1), "one");
    rig.serve_with(&[0, 1]);
    let mut clients = [Client::connect(rig.door()), Client::connect(rig.door())];
    clients.iter_mut().for_each(|client| {
        client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    });
    eventually("one waits at target 0", || origin.got().iter().any(|got| got.path() == "/hold").then_some(()));
    let started = Instant::now();
    let mut balancer = rig.balancer(&[0, 1]);
    balancer.target_groups[0].targets[0].mode = in_ms(700);
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Drained);
    assert!(started.elapsed() >= Duration::from_millis(650));
    let mut statuses = clients.iter_mut().map(|client| client.answer(false).status).collect::<Vec<_>>();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 502], "the delay's end ends the request too, as at AWS");
    assert_eq!(other.got().iter().filter(|got| got.path() == "/hold").count(), 1);
}

#[test]
fn a_target_that_comes_back_is_checked_anew() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let mut balancer = rig.balancer(&[0]);
    balancer.target_groups[0].targets[0].mode = in_ms(60_000);
    rig.apply(balancer.clone());
    rig.serve.await_health(0, &TargetHealth::Drained);
    assert_eq!(get(rig.door(), "/").status, 503);
    (balancer.target_groups[0].targets[0].mode, balancer.target_groups[0].targets[0].generation) = (TargetMode::Active, 2);
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    assert_eq!(get(rig.door(), "/").text(), "zero");
}
