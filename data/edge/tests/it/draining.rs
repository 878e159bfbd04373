//! Deregistration: a draining target finishes what it has, gets nothing new, and is cut at its deadline.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base::Time;
use world::{Action, RegisteredTarget, Target, TargetHealth, TargetMode};

use crate::client::{Client, get};
use crate::origin::{Origin, Then, reply};
use crate::rig::{BALANCER, GROUP, Rig, eventually};

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

/// Whichever is heard first: that the delay is over, or that the target is gone because it is.
#[test]
fn a_target_that_is_taken_away_at_its_deadline_is_cut_too() {
    let mut rig = Rig::start();
    let (origin, go) = holding(&rig);
    let other = Origin::named(rig.target_at(1), "one");
    let mut balancer = rig.balancer(&[]);
    rig.apply(balancer.clone());
    let mut generation = 0;
    let mut registered = |rig: &mut Rig, number: u8, mode| {
        generation += u64::from(mode == TargetMode::Active);
        let target = Target { mode, generation, ..rig.target(number) };
        rig.tell(RegisteredTarget { load_balancer: BALANCER.into(), group: GROUP.into(), target })
    };
    for number in [1, 0] {
        registered(&mut rig, number, TargetMode::Active);
        rig.serve.await_health(number, &TargetHealth::Healthy);
    }
    let held = hold_at_target_0(&rig, &origin);
    let slot = registered(&mut rig, 0, in_ms(0));
    rig.forget(slot);
    assert_held_is_cut(held, &other);
    // With less than no time, and the other way round.
    registered(&mut rig, 0, TargetMode::Active);
    eventually("target 0 is back", || (get(rig.door(), "/").text() == "zero").then_some(()));
    let held = hold_at_target_0(&rig, &origin);
    registered(&mut rig, 0, in_ms(0));
    rig.serve.await_health(0, &TargetHealth::Drained);
    assert_held_is_cut(held, &other);
    // A load balancer that loses its group says nothing of the kind: what is under way is finished.
    registered(&mut rig, 0, TargetMode::Active);
    eventually("target 0 is back", || (get(rig.door(), "/").text() == "zero").then_some(()));
    let mut held = hold_at_target_0(&rig, &origin);
    balancer.target_groups.clear();
    balancer.listeners[0].default_action = Action::FixedResponse { status: 404, content_type: None, body: String::new() };
    rig.apply(balancer);
    go.store(true, Ordering::SeqCst);
    assert_eq!(held.answer(false).text(), "zero");
}

/// What has begun to reach the client ends with its connection: it cannot take a part for the whole, and a tunnel does not wait
/// for it.
#[test]
fn the_deadline_ends_answers_that_have_begun_and_tunnels() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |got, stream| {
        let begun: &[u8] = match got.path() {
            "/tunnel" => b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello",
            "/length" => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello",
            _ => b"HTTP/1.0 200 OK\r\n\r\nhello",
        };
        stream.write_all(begun).unwrap();
        let _ = stream.read(&mut [0]);
        Then::Close
    });
    rig.serve_with(&[0]);
    let clients = ["/tunnel", "/length", "/end"].map(|path| {
        let mut client = Client::connect(rig.door());
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
        let mut came = Vec::new();
        while !came.windows(5).any(|part| part == b"hello") {
            let mut piece = [0; 1024];
            let length = client.stream.read(&mut piece).unwrap();
            assert!(length > 0, "{path}: {}", String::from_utf8_lossy(&came));
            came.extend_from_slice(&piece[..length]);
        }
        (path, client)
    });
    let started = Instant::now();
    let mut balancer = rig.balancer(&[0]);
    balancer.target_groups[0].targets[0].mode = in_ms(300);
    rig.apply(balancer);
    for (path, mut client) in clients {
        let mut rest = Vec::new();
        let _ = client.stream.read_to_end(&mut rest);
        // The tail of the data that had come, if it was cut into two; no last chunk.
        assert!(!String::from_utf8_lossy(&rest).contains('0'), "{path}: {:?}", String::from_utf8_lossy(&rest));
        eventually("the client's connection is over", || client.stream.write_all(b"more").err());
        assert!(started.elapsed() < Duration::from_secs(5), "{path}");
    }
    rig.serve.await_health(0, &TargetHealth::Drained);
}

/// A client whose request is under way at target 0; the other one of the pair has its answer.
fn hold_at_target_0(rig: &Rig, origin: &Origin) -> Client {
    let before = origin.got().len();
    let mut clients = [Client::connect(rig.door()), Client::connect(rig.door())];
    for client in &mut clients {
        client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    eventually("one waits at target 0", || origin.got()[before..].iter().any(|got| got.path() == "/hold").then_some(()));
    let [one, other] = clients;
    let waits = |client: &Client| {
        client.stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let waits = client.stream.peek(&mut [0]).is_err();
        client.stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        waits
    };
    if waits(&one) { one } else { other }
}

#[track_caller]
fn assert_held_is_cut(mut held: Client, other: &Origin) {
    let (before, started) = (other.got().len(), Instant::now());
    assert_eq!(held.answer(false).status, 502);
    assert!(started.elapsed() < Duration::from_secs(3), "after {:?}", started.elapsed());
    assert_eq!(other.got().len(), before, "it is not run again");
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
