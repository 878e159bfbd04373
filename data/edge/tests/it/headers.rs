//! The headers that a load balancer adds, changes and keeps to itself.

#![allow(clippy::unwrap_used)]

use std::io::Write;

use crate::client::Client;
use crate::origin::{Got, Origin, Then, reply};
use crate::rig::Rig;

/// Sends a request with these header lines; gives what the target got.
fn forwarded(rig: &Rig, origin: &Origin, headers: &str) -> Got {
    let answer = Client::connect(rig.door()).send(format!("GET /a?b=c HTTP/1.1\r\n{headers}\r\n")).answer(false);
    assert_eq!(answer.status, 200, "{headers:?}");
    origin.got().pop().unwrap()
}

#[test]
fn the_target_learns_who_called() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let got = forwarded(&rig, &origin, "Host: a\r\n");
    assert!(got.head.starts_with("GET /a?b=c HTTP/1.1\r\n"));
    assert_eq!(got.header("X-Forwarded-For"), Some("127.0.0.1"));
    assert_eq!((got.header("X-Forwarded-Proto"), got.header("X-Forwarded-Port")), (Some("http"), Some("8080")));
    assert_eq!(got.header("Host"), Some("a:8080"), "the port is not a default one");
    assert_eq!(forwarded(&rig, &origin, "Host: a:\r\n").header("Host"), Some("a:8080"), "an empty port is none");
    let root = got.header("X-Amzn-Trace-Id").unwrap().strip_prefix("Root=1-").unwrap().to_string();
    let (time, id) = root.split_once('-').unwrap();
    assert_eq!((time.len(), id.len()), (8, 24), "{root}");
    assert!(root.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'), "{root}");
    assert_ne!(forwarded(&rig, &origin, "Host: a\r\n").header("X-Amzn-Trace-Id"), got.header("X-Amzn-Trace-Id"));
}

#[test]
fn claims_of_the_client_are_extended_or_replaced() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let got = forwarded(
        &rig,
        &origin,
        "Host: a\r\nx-forwarded-for: 9.9.9.9, 8.8.8.8\r\nX-Forwarded-For: 7.7.7.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\n",
    );
    assert_eq!(got.header("X-Forwarded-For"), Some("9.9.9.9, 8.8.8.8, 7.7.7.7, 127.0.0.1"));
    assert_eq!((got.header("X-Forwarded-Proto"), got.header("X-Forwarded-Port")), (Some("http"), Some("8080")));
    assert_eq!(got.head.to_ascii_lowercase().matches("x-forwarded-").count(), 3, "{}", got.head);
    let got = forwarded(&rig, &origin, "Host: a\r\nX-Amzn-Trace-Id: Self=1-old;Root=1-67891233-abcdef;App=x\r\n");
    let trace = got.header("X-Amzn-Trace-Id").unwrap();
    assert!(
        trace.starts_with("Self=1-") && trace.ends_with(";Root=1-67891233-abcdef;App=x") && !trace.contains("old"),
        "{trace}"
    );
    let many = vec!["1.1.1.1"; 31].join(", ");
    let answer =
        Client::connect(rig.door()).send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {many}\r\n\r\n")).answer(false);
    assert_eq!(answer.status, 463);
}

#[test]
fn headers_of_one_hop_end_here() {
    let mut rig = Rig::start();
    let origin = Origin::healthy(rig.target_at(0), |_, stream| {
        let head = "HTTP/1.1 200 OK\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nX-Kept: 2\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        Then::Close
    });
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Connection: keep-alive\r\nX-Kept: 2\r\n\r\n");
    let answer = client.answer(false);
    let got = origin.got().pop().unwrap();
    for name in ["Connection", "X-Mine", "Keep-Alive", "TE", "Upgrade", "Proxy-Connection"] {
        assert_eq!(got.header(name), None, "{}", got.head);
    }
    assert_eq!(got.header("X-Kept"), Some("2"));
    for name in ["X-Secret", "Keep-Alive", "Proxy-Connection"] {
        assert_eq!(answer.header(name), None, "{}", answer.head);
    }
    assert_eq!((answer.header("X-Kept"), answer.text().as_str()), (Some("2"), "ok"));
    assert_eq!(answer.header("Connection"), Some("keep-alive"), "the target's close is not the client's");
    assert!(answer.header("Date").is_some_and(|d| d.ends_with(" GMT")), "{}", answer.head);
    assert_eq!(client.get("/").status, 200, "the client's connection is kept");
}

/// "The server MUST send an Upgrade header field in a 426 response to indicate the required protocol(s)" (RFC 9110, 15.5.22),
/// which `Connection` then names (RFC 9110, 7.8).
#[test]
fn who_must_upgrade_is_told_to_what() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |got, stream| {
        let status = if got.path() == "/426" { "426 Upgrade Required" } else { "200 OK" };
        let head = format!("HTTP/1.1 {status}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        Then::Keep
    });
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    let answer = client.get("/426");
    let told = (answer.status, answer.header("Upgrade"), answer.header("Connection"));
    assert_eq!(told, (426, Some("websocket"), Some("upgrade, keep-alive")), "{}", answer.head);
    assert_eq!(answer.head.matches("Connection").count(), 1, "{}", answer.head);
    let answer = client.get("/");
    assert_eq!((answer.header("Upgrade"), answer.header("Connection")), (None, Some("keep-alive")), "{}", answer.head);
    let answer = client.send("GET /426 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").answer(false);
    let told = (answer.header("Upgrade"), answer.header("Connection"));
    assert_eq!(told, (Some("websocket"), Some("upgrade, close")), "{}", answer.head);
}

#[test]
fn connection_cannot_take_away_what_the_load_balancer_says() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let names = "X-Forwarded-For, X-Forwarded-Proto, X-Amzn-Trace-Id, Host, Content-Length";
    let got = forwarded(&rig, &origin, &format!("Host: a\r\nConnection: {names}\r\nX-Forwarded-For: 9.9.9.9\r\n"));
    assert_eq!(got.header("X-Forwarded-For"), Some("9.9.9.9, 127.0.0.1"));
    assert!(["X-Forwarded-Proto", "X-Amzn-Trace-Id", "Host"].iter().all(|n| got.header(n).is_some()), "{}", got.head);
}

/// RFC 9112, 3.2.2: a server takes the absolute form, and its host wins over the field.
#[test]
fn absolute_targets_of_either_scheme_name_their_host() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    for target in ["http://b/path?x", "https://b/path?x", "HTTPS://b/path?x"] {
        let answer = Client::connect(rig.door()).send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).answer(false);
        assert_eq!(answer.status, 200, "{target}");
        let got = origin.got().pop().unwrap();
        assert_eq!((got.path(), got.header("Host")), ("/path?x", Some("b:8080")), "{target}");
        assert_eq!(got.header("X-Forwarded-Proto"), Some("http"), "{target}: how it came, not what it calls itself");
    }
    for target in ["ftp://b/", "https:/b", "https://", "https://u@b/", "http+s://b/", "://b/"] {
        let answer = Client::connect(rig.door()).send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).answer(false);
        assert_eq!(answer.status, 400, "{target}");
    }
}

#[test]
fn host_and_invalid_names_follow_the_attributes() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let got = forwarded(&rig, &origin, "Host: a:1\r\nX_Under: 1\r\n");
    assert_eq!((got.header("Host"), got.header("X_Under")), (Some("a:1"), Some("1")));
    let mut balancer = rig.balancer(&[0]);
    (balancer.preserve_host_header, balancer.drop_invalid_header_fields) = (true, true);
    rig.apply(balancer);
    let got = forwarded(&rig, &origin, "Host: a\r\nX_Under: 1\r\nX-Hyphen: 1\r\n");
    assert_eq!((got.header("Host"), got.header("X_Under"), got.header("X-Hyphen")), (Some("a"), None, Some("1")));
    let answer = Client::connect(rig.door()).send("GET http://b/path HTTP/1.1\r\nHost: a\r\n\r\n").answer(false);
    assert_eq!(answer.status, 200);
    let got = origin.got().pop().unwrap();
    assert_eq!((got.path(), got.header("Host")), ("/path", Some("b")), "the absolute form's host wins");
    Client::connect(rig.door()).send("GET / HTTP/1.0\r\n\r\n").answer(false);
    assert_eq!(origin.got().pop().unwrap().header("Host"), Some("web-1.eu-central-1.elb.localhost"));
}

#[test]
fn old_clients_get_answers_that_they_understand() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |got, stream| {
        if got.path() == "/length" {
            return reply(stream, 200, "ok");
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").unwrap();
        Then::Keep
    });
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    let kept = client.send("GET /length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").answer(false);
    assert_eq!((kept.header("Connection"), kept.text().as_str()), (Some("keep-alive"), "ok"));
    let last = client.send("GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").answer(false);
    assert_eq!((last.header("Transfer-Encoding"), last.header("Connection")), (None, Some("close")));
    assert_eq!(last.text(), "ok", "the connection's end is the body's");
    let mut client = Client::connect(rig.door());
    assert_eq!(client.send("GET /length HTTP/1.0\r\n\r\n").answer(false).header("Connection"), Some("close"));
    assert!(client.is_closed());
}
