//! Which requests are tried elsewhere, and which are not.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use world::TargetHealth;

use crate::client::{Client, get};
use crate::origin::{Origin, Then, reply};
use crate::rig::Rig;

#[test]
fn a_refused_connection_is_tried_elsewhere_for_every_method() {
    let mut rig = Rig::start();
    let (mut dead, living) = (Origin::named(rig.target_at(0), "zero"), Origin::named(rig.target_at(1), "one"));
    let mut balancer = rig.balancer(&[0, 1]);
    balancer.target_groups[0].health_check.interval_ms = 60_000;
    rig.apply(balancer);
    (0..2).for_each(|n| rig.serve.await_health(n, &TargetHealth::Healthy));
    dead.kill();
    for method in ["GET", "POST", "PATCH", "DELETE"] {
        for _ in 0..4 {
            let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
            assert_eq!(Client::connect(rig.door()).send(request).answer(false).text(), "one", "{method}");
        }
    }
    assert_eq!(living.got().len(), 16);
    assert!(living.got().iter().all(|got| got.body == b"hi"));
}

#[test]
fn killing_a_target_under_load_fails_no_idempotent_request() {
    let mut rig = Rig::start();
    let slow = |name: &'static str| {
        move |_: &crate::origin::Got, stream: &mut std::net::TcpStream| {
            std::thread::sleep(Duration::from_millis(3));
            reply(stream, 200, name)
        }
    };
    let mut origins = [0, 1].map(|n| Origin::healthy(rig.target_at(n), slow(if n == 0 { "zero" } else { "one" })));
    rig.serve_with(&[0, 1]);
    let door = rig.door();
    let served = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let served = served.clone();
            std::thread::spawn(move || {
                let mut client = Client::connect(door);
                (0..100).for_each(|_| {
                    assert_eq!(client.get("/").status, 200);
                    served.fetch_add(1, Ordering::SeqCst);
                });
            })
        })
        .collect();
    crate::rig::eventually("the load runs", || (served.load(Ordering::SeqCst) > 100).then_some(()));
    origins[0].kill();
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert!(served.load(Ordering::SeqCst) == 800 && !origins[0].got().is_empty() && !origins[1].got().is_empty());
}

#[test]
fn what_may_not_be_done_twice_is_sent_once() {
    let mut rig = Rig::start();
    let origins = [0, 1].map(|n| Origin::healthy(rig.target_at(n), |_, _| Then::Close));
    rig.serve_with(&[0, 1]);
    let answer = Client::connect(rig.door()).send("POST /pay HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").answer(false);
    assert_eq!(answer.status, 502);
    let tried = |path: &str| origins.iter().flat_map(Origin::got).filter(|got| got.path() == path).count();
    assert_eq!(tried("/pay"), 1);
    assert_eq!(get(rig.door(), "/look").status, 502);
    assert_eq!(tried("/look"), 2, "a request that may be repeated is tried at each target");
    let chunked = "PUT /put HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    assert_eq!(Client::connect(rig.door()).send(chunked).answer(false).status, 502);
    assert_eq!(tried("/put"), 1, "a body that is gone cannot be sent again");
}

/// A target that closes each connection after its answer without having said so: the next request races with that.
#[test]
fn a_kept_connection_that_was_closed_costs_no_request() {
    let mut rig = Rig::start();
    let origin = Origin::healthy(rig.target_at(0), |_, stream| {
        reply(stream, 200, "ok");
        Then::Close
    });
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    for n in 0..200 {
        assert_eq!(client.get("/").status, 200, "request {n}");
    }
    assert!(origin.got().len() >= 200);
    for _ in 0..20 {
        // What may not be repeated asks the kernel whether the kept connection was closed.
        crate::rig::eventually("the close is on its way", || (origin.closed() >= origin.got().len()).then_some(()));
        assert_eq!(client.send("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").answer(false).status, 200);
    }
    assert_eq!(origin.got().iter().filter(|got| got.path() == "/post").count(), 20, "each was sent once");
}

#[test]
fn a_failing_target_is_avoided_before_its_checks_tell() {
    let mut rig = Rig::start();
    let mut first = Origin::named(rig.target_at(0), "zero");
    let _second = Origin::named(rig.target_at(1), "one");
    let mut balancer = rig.balancer(&[0, 1]);
    balancer.target_groups[0].health_check.interval_ms = 60_000;
    rig.apply(balancer);
    (0..2).for_each(|n| rig.serve.await_health(n, &TargetHealth::Healthy));
    first.kill();
    (0..20).for_each(|_| assert_eq!(get(rig.door(), "/").text(), "one"));
    let _back = Origin::named(rig.target_at(0), "zero again");
    crate::rig::eventually("it is tried again", || (get(rig.door(), "/").text() == "zero again").then_some(()));
}

/// Requests that cannot be repeated take connections that were used a moment ago; many that are idle for longer do not keep
/// those from being kept.
#[test]
fn connections_of_a_rush_that_is_over_give_way() {
    const RUSH: usize = 700;
    let mut rig = Rig::start();
    let all_there = Barrier::new(RUSH);
    let origin = Origin::healthy(rig.target_at(0), move |got, stream| {
        if got.path() == "/rush" {
            all_there.wait();
        }
        reply(stream, 200, "taken")
    });
    rig.serve_with(&[0]);
    let mut clients: Vec<Client> = (0..RUSH).map(|_| Client::connect(rig.door())).collect();
    for client in &mut clients {
        client.send("GET /rush HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    clients.iter_mut().for_each(|client| assert_eq!(client.answer(false).status, 200));
    // So long that none of them is taken for what cannot be repeated.
    std::thread::sleep(Duration::from_millis(2_100)); // slow on purpose
    let before = origin.connections();
    for _ in 0..20 {
        assert_eq!(clients[0].send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").answer(false).text(), "taken");
    }
    // One, and one more for each time that a busy machine lets the last one become idle for long.
    assert!(origin.connections() < before + 10, "{} connections more", origin.connections() - before);
}
