//! How a client's HTTP/2 connection, or a stream of it, comes to its end: by age, by idleness, by a change, or because the client
//! is a burden.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use world::TargetHealth;

use crate::h2::{connect, nothing, start, with_target};
use crate::h2_peers::wait;
use crate::origin::{Origin, Then, reply};
use crate::rig::eventually;

/// CVE-2023-44487: requests that are broken off as soon as they are sent.
#[test]
fn who_breaks_off_without_end_is_sent_away() {
    let (_rig, authority, _origin, client) = with_target(|_, stream| reply(stream, 200, "x"), nothing);
    let error = wait(async {
        for number in 0.. {
            let mut sender = match client.sender.clone().ready().await {
                Ok(sender) => sender,
                Err(error) => return error,
            };
            if number < 5_000
                && let Ok((_, mut stream)) = sender.send_request(client.request("GET", "/").body(()).unwrap(), true)
            {
                stream.send_reset(Reason::CANCEL);
            }
            tokio::task::yield_now().await;
        }
        unreachable!("an endless loop has ended")
    });
    assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM), "{error:?}");
    assert_eq!(connect(&_rig, &authority).get("/").status, 200);
}

#[test]
fn a_connection_says_goodbye_when_its_listener_goes() {
    let (mut rig, authority) = start(&[0], nothing);
    let _origin = Origin::named(rig.target_at(0), "one");
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let client = connect(&rig, &authority);
    assert_eq!(client.get("/").status, 200);
    let mut balancer = rig.balancer(&[0]);
    balancer.listeners.clear();
    rig.apply(balancer);
    let error = wait(async {
        loop {
            if let Err(error) = client.sender.clone().ready().await {
                return error;
            }
            tokio::task::yield_now().await;
        }
    });
    assert!(error.is_go_away() && error.reason() == Some(Reason::NO_ERROR), "{error:?}");
}

#[test]
fn requests_under_way_end_in_peace_when_the_edge_does() {
    let (mut rig, _authority, origin, client) = with_target(
        |_, stream| {
            stream.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
            let _ = stream.peek(&mut [0]);
            reply(stream, 200, "late")
        },
        nothing,
    );
    let asking = client.clone();
    let answer = std::thread::spawn(move || asking.get("/"));
    eventually("the target has the request", || (!origin.got().is_empty()).then_some(()));
    rig.shut_down(true).unwrap();
    let got = answer.join().unwrap();
    assert_eq!((got.status, got.text()), (200, "late"));
}

/// "client_keep_alive": the connection ends with the first answer after it.
#[test]
fn an_old_connection_is_ended() {
    let (_rig, _authority, _origin, client) =
        with_target(|_, stream| reply(stream, 200, ""), |balancer| balancer.client_keep_alive_ms = 400);
    assert_eq!(client.get("/").status, 200);
    eventually("the connection has ended", || {
        wait(async { client.sender.clone().ready().await }).err().map(|e| assert!(e.is_go_away(), "{e:?}"))
    });
}

#[test]
fn idle_connections_are_ended() {
    let (_rig, _authority, _origin, client) =
        with_target(|_, stream| reply(stream, 200, ""), |balancer| balancer.idle_timeout_ms = 500);
    assert_eq!(client.get("/").status, 200);
    eventually("the connection has ended", || {
        wait(async { client.sender.clone().ready().await }).err().map(|e| assert!(e.is_go_away(), "{e:?}"))
    });
}

#[test]
fn a_body_that_stops_coming_is_answered_with_408() {
    let (_rig, _authority, _origin, client) =
        with_target(|_, stream| reply(stream, 200, ""), |balancer| balancer.idle_timeout_ms = 700);
    let status = wait(async {
        let (response, mut stream) = client.begin(client.request("POST", "/").body(()).unwrap(), false).await;
        stream.send_data(Bytes::from_static(b"abc"), false).unwrap();
        response.await.unwrap().status()
    });
    assert_eq!(status, 408);
}

#[test]
fn a_client_that_gives_no_room_is_let_go_alone() {
    let (_rig, _authority, _origin, client) = with_target(
        |got, stream| {
            let size = if got.path() == "/big" { 2_000_000 } else { 10 };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
            match stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&vec![b'x'; size])) {
                Ok(()) => Then::Keep,
                Err(_) => Then::Close,
            }
        },
        |balancer| balancer.idle_timeout_ms = 900,
    );
    let error = wait(async {
        let (response, _stream) = client.begin(client.request("GET", "/big").body(()).unwrap(), true).await;
        let mut body = response.await.unwrap().into_body();
        // It reads what comes, and never says so; the connection's own window is given back by another stream's answer.
        loop {
            match body.data().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error,
                None => panic!("the whole answer came"),
            }
        }
    });
    assert!(error.is_reset(), "{error:?}");
}

/// "Desync mitigation mode": an ambiguous request is the last one of its connection.
#[test]
fn nothing_follows_an_ambiguous_request() {
    let (_rig, _authority, origin, client) = with_target(|_, stream| reply(stream, 200, ""), nothing);
    let request = client.request("GET", "/").header("content-length", "3").body(()).unwrap();
    assert_eq!(wait(client.ask(request, Some(Bytes::from_static(b"abc")))).unwrap().status, 200);
    eventually("the connection has ended", || {
        wait(async { client.sender.clone().ready().await }).err().map(|e| assert!(e.is_go_away(), "{e:?}"))
    });
    assert_eq!(origin.got().len(), 1);
}
