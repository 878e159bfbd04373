//! Who gets a request: load balancers that share an address, fixed responses, algorithms, WebSocket.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use world::{Action, Algorithm, TargetHealth};

use crate::client::{Client, get};
use crate::origin::{Origin, Then, reply};
use crate::rig::{Rig, eventually};

#[test]
fn load_balancers_share_the_front_door_by_name() {
    let mut rig = Rig::start();
    for (number, name) in ["one", "two"].into_iter().enumerate() {
        let mut balancer = rig.balancer(&[]);
        (balancer.id, balancer.dns_name) = (format!("arn:{name}").as_str().into(), format!("{name}.elb.localhost"));
        let host = u8::try_from(number).unwrap() * 2 + 100;
        (balancer.nodes[0].front, balancer.nodes[1].front) = (rig.address(host), rig.address(host + 1));
        balancer.listeners[0].default_action = Action::FixedResponse { status: 418, content_type: None, body: name.into() };
        rig.apply(balancer);
    }
    let mut client = Client::connect(rig.door());
    let names = ["one.elb.localhost", "TWO.elb.localhost:8080", "one.elb.localhost.", "one.elb.localhost:"];
    for (host, wanted) in names.into_iter().zip(["one", "two", "one", "one"]) {
        let answer = client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).answer(false);
        assert_eq!((answer.status, answer.text().as_str()), (418, wanted), "{host}");
    }
    let lost = client.get("/");
    assert_eq!(lost.status, 404);
    assert!(lost.text().contains("one.elb.localhost") && lost.text().contains("two.elb.localhost"), "{}", lost.text());
    let own = std::net::SocketAddrV4::new(rig.address(102), crate::rig::PORT);
    assert_eq!(get(own, "/").text(), "two", "its own address needs no name");
}

#[test]
fn a_fixed_response_is_given_as_written() {
    let mut rig = Rig::start();
    let mut balancer = rig.balancer(&[]);
    balancer.listeners[0].default_action =
        Action::FixedResponse { status: 503, content_type: Some("application/json".into()), body: "{\"closed\":true}".into() };
    rig.apply(balancer);
    let mut client = Client::connect(rig.door());
    let answer = client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").answer(false);
    assert_eq!(
        (answer.status, answer.header("Content-Type"), answer.text().as_str()),
        (503, Some("application/json"), "{\"closed\":true}")
    );
    let head = client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").answer(true);
    assert_eq!((head.status, head.header("Content-Length")), (503, Some("15")));
    assert_eq!(client.get("/").status, 503);
}

#[test]
fn the_least_busy_target_gets_the_request() {
    let mut rig = Rig::start();
    let go = Arc::new(AtomicBool::new(false));
    let origins = [0, 1].map(|n| {
        let go = go.clone();
        Origin::healthy(rig.target_at(n), move |got, stream| {
            while got.path() == "/hold" && !go.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            reply(stream, 200, if n == 0 { "zero" } else { "one" })
        })
    });
    let mut balancer = rig.balancer(&[0, 1]);
    balancer.target_groups[0].algorithm = Algorithm::LeastOutstandingRequests;
    rig.apply(balancer);
    (0..2).for_each(|n| rig.serve.await_health(n, &TargetHealth::Healthy));
    let mut held = Client::connect(rig.door());
    held.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is under way", || origins.iter().any(|o| !o.got().is_empty()).then_some(()));
    // On one connection: the next request is not read before the one before has left its target.
    let mut client = Client::connect(rig.door());
    let texts: Vec<String> = (0..6).map(|_| client.get("/").text()).collect();
    go.store(true, Ordering::SeqCst);
    let busy = held.answer(false).text();
    assert!(texts.iter().all(|text| *text != busy), "{busy} was busy: {texts:?}");
}

#[test]
fn a_websocket_goes_through() {
    let mut rig = Rig::start();
    let origin = Origin::healthy(rig.target_at(0), |got, stream| {
        assert_eq!((got.header("Upgrade"), got.header("Connection")), (Some("websocket"), Some("upgrade")));
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello").unwrap();
        let mut bytes = [0; 4];
        while stream.read_exact(&mut bytes).is_ok() {
            stream.write_all(&bytes).unwrap();
        }
        Then::Close
    });
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    client.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n");
    let answer = client.answer(false);
    assert_eq!((answer.status, answer.header("Upgrade")), (101, Some("websocket")));
    assert_eq!(client.take(5).unwrap(), b"hello");
    assert_eq!(client.send("\x00abc").take(4).unwrap(), b"\x00abc");
    assert_eq!(client.send("GET ").take(4).unwrap(), b"GET ");
    client.end_writing();
    assert!(client.is_closed());
    assert_eq!(origin.got()[0].header("Sec-WebSocket-Key"), Some("x"));
}

/// Other protocols pass as WebSockets do; those by which requests would get past the load balancer's rules are asked of nobody.
#[test]
fn other_upgrades_go_through_and_no_other_http() {
    let mut rig = Rig::start();
    let origin = Origin::healthy(rig.target_at(0), |got, stream| {
        let Some(protocol) = got.header("Upgrade") else { return reply(stream, 200, "as before") };
        let protocol = if got.path() == "/other" { "another" } else { protocol };
        let head = format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: {protocol}\r\nConnection: Upgrade\r\n\r\nhello");
        stream.write_all(head.as_bytes()).unwrap();
        let mut bytes = [0; 4];
        while stream.read_exact(&mut bytes).is_ok() {
            stream.write_all(&bytes).unwrap();
        }
        Then::Close
    });
    rig.serve_with(&[0]);
    for protocol in ["foo/1", "tcp", "WebSocket", "SPDY/3.1"] {
        let mut client = Client::connect(rig.door());
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Upgrade\r\nUpgrade: {protocol}\r\n\r\n"));
        let answer = client.answer(false);
        assert_eq!(
            (answer.status, answer.header("Upgrade"), answer.header("Connection")),
            (101, Some(protocol), Some("upgrade"))
        );
        assert_eq!(client.take(5).unwrap(), b"hello");
        assert_eq!(client.send("\x00abc").take(4).unwrap(), b"\x00abc");
        client.end_writing();
        assert!(client.is_closed());
        let got = origin.got().pop().unwrap();
        assert_eq!((got.header("Upgrade"), got.header("Connection")), (Some(protocol), Some("upgrade")));
    }
    let mut client = Client::connect(rig.door());
    let named = "Connection: Upgrade\r\n";
    let asked = |lines: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let mut stripped: Vec<String> =
        ["h2c", "H2C", "h2", "HTTP/2.0", "http/1.1", "TLS/1.0", "foo, h2c", "foo/", "/1", "", "foo/1/2", "a b"]
            .iter()
            .map(|protocol| asked(&format!("{named}Upgrade: {protocol}\r\n")))
            .collect();
    stripped.push(asked(&format!("{named}Upgrade: foo\r\nUpgrade: bar\r\n")));
    stripped.push(asked(&format!("{named}Upgrade: h2c\r\nUpgrade: foo\r\n")));
    stripped.push(asked("Upgrade: foo\r\n"));
    stripped.push(asked(&format!("{named}Upgrade: foo\r\nContent-Length: 0\r\n")));
    stripped.push(format!("POST / HTTP/1.1\r\nHost: a\r\n{named}Upgrade: foo\r\nContent-Length: 2\r\n\r\nok"));
    for request in &stripped {
        assert_eq!(client.send(request).answer(false).text(), "as before", "{request}");
        let got = origin.got().pop().unwrap();
        assert_eq!((got.header("Upgrade"), got.header("Connection")), (None, None), "{request}");
    }
    let request = "GET /other HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n";
    assert_eq!(client.send(request).answer(false).status, 502, "the target changed to something else");
}
