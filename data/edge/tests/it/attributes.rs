//! Attributes of load balancers and listeners that change headers.

#![allow(clippy::unwrap_used)]

use std::io::Write;

use world::ForwardedFor;

use crate::client::Client;
use crate::origin::{Got, Origin, Then};
use crate::rig::Rig;

fn forwarded(client: &mut Client, origin: &Origin, headers: &str) -> Got {
    let answer = client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n")).answer(false);
    assert_eq!(answer.status, 200, "{headers:?}");
    origin.got().pop().unwrap()
}

#[test]
fn x_forwarded_for_is_appended_to_preserved_or_removed() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let came = "X-Forwarded-For: 9.9.9.9\r\n";
    for (mode, port, headers, expected) in [
        (ForwardedFor::Append, false, came, Some("9.9.9.9, 127.0.0.1")),
        (ForwardedFor::Append, true, came, Some("9.9.9.9, 127.0.0.1:PORT")),
        (ForwardedFor::Append, true, "", Some("127.0.0.1:PORT")),
        (ForwardedFor::Preserve, true, came, Some("9.9.9.9")),
        (ForwardedFor::Preserve, false, "", None),
        (ForwardedFor::Remove, true, came, None),
    ] {
        let mut balancer = rig.balancer(&[0]);
        (balancer.http.forwarded_for, balancer.http.forwarded_client_port) = (mode, port);
        rig.apply(balancer);
        let mut client = Client::connect(rig.door());
        let expected = expected.map(|e| e.replace("PORT", &client.stream.local_addr().unwrap().port().to_string()));
        let got = forwarded(&mut client, &origin, headers);
        assert_eq!(got.header("X-Forwarded-For"), expected.as_deref(), "{mode:?}, {port}, {headers:?}");
        assert_eq!((got.header("X-Forwarded-Proto"), got.header("X-Forwarded-Port")), (Some("http"), Some("8080")));
    }
}

#[test]
fn answers_get_the_headers_of_their_listener() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |got, stream| {
        let server = if got.path() == "/named" { "Server: mine\r\n" } else { "" };
        let text = format!("HTTP/1.1 200 OK\r\n{server}X-Frame-Options: ALLOW\r\nContent-Length: 2\r\n\r\nok");
        stream.write_all(text.as_bytes()).unwrap();
        Then::Keep
    });
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    let answer = client.get("/");
    assert_eq!((answer.header("Server"), answer.header("X-Frame-Options")), (Some("awselb/2.0"), Some("ALLOW")));
    assert_eq!(client.get("/named").header("Server"), Some("mine"), "the target's own name stays");

    let mut balancer = rig.balancer(&[0]);
    balancer.listeners[0].server_header = false;
    balancer.listeners[0].answer_headers =
        vec![("X-Frame-Options".into(), "DENY".into()), ("Strict-Transport-Security".into(), "max-age=1".into())];
    rig.apply(balancer);
    let answer = client.get("/");
    assert_eq!(answer.header("Server"), None, "{}", answer.head);
    assert_eq!(answer.head.matches("X-Frame-Options").count(), 1, "{}", answer.head);
    assert_eq!((answer.header("X-Frame-Options"), answer.header("Strict-Transport-Security")), (Some("DENY"), Some("max-age=1")));
    assert_eq!(client.get("/named").header("Server"), Some("mine"), "only the load balancer's name is left out");
    // "The Application Load Balancer adds the header with the configured value to all responses" ("HTTP header modification for
    // your Application Load Balancer: Add response headers"), its own among them.
    let own = |status: u16, bytes: &str| {
        let mut client = Client::connect(rig.door());
        let answer = client.send(bytes).answer(false);
        assert_eq!(
            (answer.status, answer.header("Server"), answer.header("X-Frame-Options")),
            (status, None, Some("DENY")),
            "{bytes}"
        );
    };
    own(400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
    own(400, "GET / HTTP/1.1\r\n\r\n");
    own(400, "no request\r\n\r\n");
    own(414, &format!("GET /{} HTTP/1.1\r\n", "a".repeat(17_000)));
    own(463, &format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {}1.1.1.1\r\n\r\n", "1.1.1.1, ".repeat(30)));
    own(405, "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n");
    own(505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n");
}

#[test]
fn nobody_else_speaks_under_the_names_that_a_listener_gives() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let mut balancer = rig.balancer(&[0]);
    balancer.listeners[0].request_header_names = vec![("X-Amzn-Mtls-Clientcert-Subject".into(), "X-Who".into())];
    rig.apply(balancer);
    let got = forwarded(&mut Client::connect(rig.door()), &origin, "X-Who: the queen\r\nX-Whom: her\r\n");
    assert_eq!((got.header("X-Who"), got.header("X-Whom")), (None, Some("her")));
}
