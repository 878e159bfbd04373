//! HTTP/2 connections to targets, as many requests share them.

#![allow(clippy::unwrap_used)]

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use world::{Frame, Observation, ProtocolVersion, Stickiness, TargetHealth};

use crate::h2_peers::{Call, H2Client, H2Origin, Setup, read, runtime, send, wait};
use crate::h2_targets::Scene;
use crate::rig::eventually;

async fn get(client: H2Client, path: &'static str) -> u16 {
    client.ask(client.request("GET", path).body(()).unwrap(), None).await.unwrap().status
}

#[test]
fn requests_that_are_given_up_leave_their_places_to_others() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let setup = Setup { streams_max: Some(10), ..Setup::default() };
    let origin = H2Origin::healthy(scene.rig.target_at(0), setup, |call: Call| async move {
        if call.head.uri.path() == "/never" {
            std::future::pending::<()>().await;
        }
        call.answer(200, "");
    });
    scene.serve(&[0]);
    let client = scene.client();
    for round in 1..=15 {
        let asked: Vec<_> = (0..10).map(|_| runtime().spawn(get(client.clone(), "/never"))).collect();
        eventually("all are at the target", || (origin.calls().len() == round * 10).then_some(()));
        asked.iter().for_each(|task| task.abort());
        // Those that come before the last one is told to end may need another connection.
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(origin.connections() <= 3, "{}", origin.connections());
    assert_eq!(wait(get(client, "/")), 200);
}

#[test]
fn a_target_that_takes_connections_and_says_nothing_is_passed_over() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let mute = TcpListener::bind(scene.rig.target_at(0)).unwrap();
    let _origin = H2Origin::healthy(scene.rig.target_at(1), Setup::default(), |call: Call| async move { call.answer(200, "") });
    let mut balancer = scene.balancer(&[0, 1]);
    balancer.target_groups[0].health_check.enabled = false;
    scene.rig.apply(balancer);
    scene.rig.serve.await_health(0, &TargetHealth::Healthy);
    let client = scene.client();
    let begun = Instant::now();
    let asked: Vec<_> = (0..20).map(|_| runtime().spawn(get(client.clone(), "/"))).collect();
    asked.into_iter().for_each(|answer| assert_eq!(wait(answer).unwrap(), 200));
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    drop(mute);
}

#[test]
fn those_who_wait_for_a_connection_get_it_when_its_first_asker_has_left() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let gate = Arc::new(Semaphore::new(0));
    let (inner, begun) = (gate.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = begun.clone();
    let origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), move |call: Call| {
        let (gate, begun) = (inner.clone(), counted.clone());
        async move {
            begun.fetch_add(1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
            call.answer(200, "");
        }
    });
    scene.serve(&[0]);
    let client = scene.client();
    let asked: Vec<_> = (0..5).map(|_| runtime().spawn(get(client.clone(), "/"))).collect();
    asked[0].abort();
    eventually("the others are at the target", || (begun.load(Ordering::SeqCst) >= 4).then_some(()));
    gate.add_permits(10);
    asked.into_iter().skip(1).for_each(|answer| assert_eq!(wait(answer).unwrap(), 200));
    assert_eq!(origin.connections(), 1);
}

/// The connection's idle timeout, "attributes: idle_timeout.timeout_seconds": data of either direction is not idleness.
#[test]
fn a_client_that_only_listens_is_not_late_and_one_that_does_nothing_is() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let ended = Arc::new(AtomicUsize::new(0));
    let inner = ended.clone();
    let _origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), move |mut call: Call| {
        let ended = inner.clone();
        async move {
            let mut stream = call.respond.send_response(http::Response::new(()), false).unwrap();
            if call.head.uri.path() == "/much" {
                while send(&mut stream, vec![b'x'; 64 * 1024].into()).await.is_ok() {}
                ended.fetch_add(1, Ordering::SeqCst);
                return;
            }
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(250)).await; // slow on purpose
                stream.send_data("news ".into(), false).unwrap();
            }
            let piece = call.body.data().await.unwrap().unwrap();
            stream.send_data(piece, true).unwrap();
        }
    });
    let mut balancer = scene.balancer(&[0]);
    balancer.idle_timeout_ms = 1_000;
    scene.rig.apply(balancer);
    scene.rig.serve.await_health(0, &TargetHealth::Healthy);
    let client = scene.client();
    let heard = wait(async {
        let (response, mut stream) = client.begin(client.request("POST", "/news").body(()).unwrap(), false).await;
        let mut body = response.await.unwrap().into_body();
        let mut heard = Vec::new();
        while heard.len() < 50 {
            heard.extend_from_slice(&body.data().await.unwrap().unwrap());
        }
        stream.send_data("thanks".into(), true).unwrap();
        heard.extend(read(&mut body).await.unwrap().0);
        heard
    });
    assert_eq!(heard, [&b"news ".repeat(10)[..], b"thanks"].concat());
    let (response, _stream) = wait(client.begin(client.request("POST", "/much").body(()).unwrap(), false));
    let body = wait(response).unwrap().into_body();
    eventually("the target is told", || (ended.load(Ordering::SeqCst) == 1).then_some(()));
    drop(body);
    let other = scene.client();
    let (response, _stream) = wait(other.begin(other.request("POST", "/news").body(()).unwrap(), false));
    assert_eq!(wait(response).unwrap().status(), 200, "the worker goes on");
}

/// A target that takes one request at a time on each connection, and answers when the gate lets it.
fn narrow(scene: &Scene, number: u8, gate: &Arc<Semaphore>) -> H2Origin {
    let (setup, gate) = (Setup { streams_max: Some(1), ..Setup::default() }, gate.clone());
    H2Origin::healthy(scene.rig.target_at(number), setup, move |call: Call| {
        let gate = gate.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            call.answer(200, "");
        }
    })
}

/// Connections of one worker to one target: those of one client's connection are one worker's.
const LINKS: usize = 64;

/// "ELB User Guide, Troubleshoot": a request that finds all connections to its target full waits for a place.
#[test]
fn a_request_waits_for_a_free_place_on_full_connections() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let gate = Arc::new(Semaphore::new(0));
    let origin = narrow(&scene, 0, &gate);
    scene.serve(&[0]);
    let client = scene.client();
    let asked: Vec<_> = (0..LINKS + 20).map(|_| runtime().spawn(get(client.clone(), "/"))).collect();
    eventually("all connections are full", || (origin.calls().len() == LINKS).then_some(()));
    // Those who give up waiting leave the others where they are.
    asked[LINKS + 18..].iter().for_each(|task| task.abort());
    gate.add_permits(1);
    eventually("one of those who wait follows", || (origin.calls().len() == LINKS + 1).then_some(()));
    gate.add_permits(1_000);
    for answer in asked.into_iter().take(LINKS + 18) {
        assert_eq!(wait(answer).unwrap(), 200);
    }
    assert_eq!((origin.calls().len(), origin.connections()), (LINKS + 18, LINKS));
}

#[test]
fn those_who_wait_get_their_places_in_the_order_in_which_they_came() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let gate = Arc::new(Semaphore::new(0));
    let origin = narrow(&scene, 0, &gate);
    scene.serve(&[0]);
    let client = scene.client();
    let mut asked: Vec<_> = (0..LINKS).map(|_| runtime().spawn(get(client.clone(), "/"))).collect();
    eventually("all connections are full", || (origin.calls().len() == LINKS).then_some(()));
    for path in ["/1", "/2", "/3", "/4", "/5"] {
        let (response, _stream) = wait(client.begin(client.request("GET", path).body(()).unwrap(), true));
        asked.push(runtime().spawn(async move { response.await.unwrap().status().as_u16() }));
    }
    // One place after the other comes free, and each time one more request comes.
    for number in 1..=5 {
        asked.push(runtime().spawn(get(client.clone(), "/later")));
        gate.add_permits(1);
        eventually("one follows", || (origin.calls().len() == LINKS + number).then_some(()));
    }
    let paths: Vec<String> = origin.calls()[LINKS..].iter().map(|call| call.uri.path().into()).collect();
    assert_eq!(paths, ["/1", "/2", "/3", "/4", "/5"]);
    gate.add_permits(1_000);
    asked.into_iter().for_each(|answer| assert_eq!(wait(answer).unwrap(), 200));
    assert_eq!(origin.connections(), LINKS);
}

/// "ELB User Guide, Troubleshoot: HTTP 503"; "CloudWatch metrics for your Application Load Balancer, RejectedConnectionCount".
#[test]
fn a_request_that_finds_no_place_in_time_is_answered_with_503_and_counted() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    scene.rig.serve.send(&Frame::Report { every_ms: 100 });
    let over = Arc::new(Semaphore::new(0));
    let (setup, inner) = (Setup { streams_max: Some(1), ..Setup::default() }, over.clone());
    // It is never idle.
    let origin = H2Origin::healthy(scene.rig.target_at(0), setup, move |mut call: Call| {
        let over = inner.clone();
        async move {
            let mut stream = call.respond.send_response(http::Response::new(()), false).unwrap();
            while tokio::time::timeout(Duration::from_millis(100), over.acquire()).await.is_err() {
                stream.send_data("news ".into(), false).unwrap();
            }
            stream.send_data("end".into(), true).unwrap();
        }
    });
    let mut balancer = scene.balancer(&[0]);
    // Many times what is between two pieces of news: a busy machine makes nobody late but the one who waits for a place.
    balancer.idle_timeout_ms = 5_000;
    scene.rig.apply(balancer);
    scene.rig.serve.await_health(0, &TargetHealth::Healthy);
    let client = scene.client();
    let asked: Vec<_> = (0..LINKS).map(|_| runtime().spawn(get(client.clone(), "/"))).collect();
    eventually("all connections are full", || (origin.calls().len() == LINKS).then_some(()));
    assert_eq!(wait(get(client.clone(), "/")), 503);
    eventually("it is counted", || (rejected(&scene) == 1).then_some(()));
    over.add_permits(1_000);
    asked.into_iter().for_each(|answer| assert_eq!(wait(answer).unwrap(), 200));
    assert_eq!((wait(get(client, "/")), origin.connections()), (200, LINKS), "the connections are as good as before");
}

/// What reports of traffic told of connections that were refused for want of room.
fn rejected(scene: &Scene) -> u64 {
    let of = |o: Observation| match o {
        Observation::Traffic { balancers, .. } => balancers.iter().map(|b| b.rejected_connections).sum(),
        _ => 0,
    };
    scene.rig.serve.observations().into_iter().map(of).sum()
}

#[test]
fn a_request_goes_on_to_a_target_that_has_a_place() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let gate = Arc::new(Semaphore::new(0));
    let (full, free) = (narrow(&scene, 0, &gate), narrow(&scene, 1, &gate));
    scene.serve(&[0]);
    let client = scene.client();
    let asked: Vec<_> = (0..LINKS).map(|_| runtime().spawn(get(client.clone(), "/"))).collect();
    eventually("all connections are full", || (full.calls().len() == LINKS).then_some(()));
    scene.serve(&[0, 1]);
    let more: Vec<_> = (0..20).map(|_| runtime().spawn(get(client.clone(), "/"))).collect();
    eventually("the other target has all of them", || (free.calls().len() == 20).then_some(()));
    gate.add_permits(1_000);
    asked.into_iter().chain(more).for_each(|answer| assert_eq!(wait(answer).unwrap(), 200));
}

/// "ELB User Guide, Sticky sessions": requests of a session go to one target, and leave it when it cannot take them.
#[test]
fn a_session_waits_for_its_target_for_a_while() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let gate = Arc::new(Semaphore::new(1));
    let (full, free) = (narrow(&scene, 0, &gate), narrow(&scene, 1, &Arc::new(Semaphore::new(1_000))));
    let apply = |scene: &mut Scene, targets: &[u8]| {
        let mut balancer = scene.balancer(targets);
        balancer.idle_timeout_ms = 6_000;
        balancer.target_groups[0].stickiness = Some(Stickiness::BalancerCookie { duration_ms: 60_000 });
        scene.rig.apply(balancer);
        targets.iter().for_each(|n| scene.rig.serve.await_health(*n, &TargetHealth::Healthy));
    };
    apply(&mut scene, &[0]);
    let client = scene.client();
    let first = client.get("/");
    let cookie = first.header("set-cookie").unwrap().split(';').next().unwrap().to_string();
    apply(&mut scene, &[0, 1]);
    let bound = |path: &str| client.request("GET", path).header("cookie", cookie.as_str()).body(()).unwrap();
    let ask = |path: &str| {
        let (client, request) = (client.clone(), bound(path));
        runtime().spawn(async move { client.ask(request, None).await.map(|got| got.status).unwrap_or(0) })
    };
    let held: Vec<_> = (0..LINKS).map(|_| ask("/")).collect();
    eventually("all connections are full", || (full.calls().len() == 1 + LINKS).then_some(()));
    let waits = ask("/waits");
    gate.add_permits(1);
    eventually("it follows", || (full.calls().len() == 2 + LINKS).then_some(()));
    assert!(free.calls().is_empty(), "it waited for its own target");
    assert_eq!(wait(ask("/leaves")).unwrap(), 200);
    assert_eq!(free.calls().len(), 1, "nothing came free there");
    gate.add_permits(1_000);
    assert_eq!(wait(waits).unwrap(), 200);
    // Those that held the connections may have become late meanwhile.
    held.into_iter().for_each(|answer| drop(wait(answer)));
}
