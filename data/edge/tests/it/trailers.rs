//! What comes behind a body.

#![allow(clippy::unwrap_used)]

use std::io::Write;

use world::{ProtocolVersion, TargetHealth};

use crate::client::Client;
use crate::h2_peers::{Call, H2Client, H2Origin, Setup, wait};
use crate::h2_targets::Scene;
use crate::origin::{Origin, Then, reply};
use crate::rig::{Rig, eventually};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
    5\r\nhello\r\n0\r\nX-Sum: 532\r\nContent-Length: 3\r\n\r\n";

/// An answer's head, and all that comes behind it up to this end.
fn whole(client: &mut Client, end: &str) -> (String, String) {
    let mut bytes = Vec::new();
    loop {
        bytes.extend(client.take(1).unwrap());
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.ends_with(end)
        {
            return (format!("{head}\r\n"), body.into());
        }
    }
}

/// RFC 9110, 6.5: an intermediary may pass trailers on; fields that say how a message is framed or routed are none.
#[test]
fn trailers_of_an_answer_reach_the_client() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |_, stream| {
        stream.write_all(ANSWER).unwrap();
        Then::Keep
    });
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: test\r\nTE: trailers\r\n\r\n");
        let (head, body) = whole(&mut client, "X-Sum: 532\r\n\r\n");
        assert!(head.contains("\r\nTrailer: X-Sum\r\n"), "{head}");
        assert_eq!(body, "5\r\nhello\r\n0\r\nX-Sum: 532\r\n\r\n");
    }
    // Who does not know chunks gets the data alone.
    client.send("GET / HTTP/1.0\r\nHost: test\r\n\r\n");
    assert_eq!(client.answer(false).text(), "hello");
}

#[test]
fn trailers_of_a_request_reach_its_target() {
    let mut rig = Rig::start();
    let origin = Origin::healthy(rig.target_at(0), |_, stream| reply(stream, 200, "ok"));
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    client.send("POST / HTTP/1.1\r\nHost: test\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
    client.send("0\r\nX-Sum: 1\r\nHost: other\r\n\r\n");
    assert_eq!(client.answer(false).text(), "ok");
    let got = origin.got().pop().unwrap();
    assert_eq!((got.header("Trailer"), got.body.as_slice()), (Some("X-Sum"), &b"hi"[..]));
    assert_eq!(got.trailers, ["X-Sum: 1"]);
}

/// The names that a listener has for headers of the load balancer's own, as clients try to say them.
const RENAMED: (&str, &str) = ("X-Amzn-Tls-Version", "X-Tls");

/// "ELB User Guide, HTTP header modification: Rename mTLS/TLS headers": what only the load balancer may say is no client's
/// trailer either.
#[test]
fn a_trailer_under_a_name_that_the_listener_took_goes_no_further() {
    let mut rig = Rig::start();
    let origin = Origin::healthy(rig.target_at(0), |_, stream| reply(stream, 200, "ok"));
    let mut balancer = rig.balancer(&[0]);
    balancer.listeners[0].request_header_names = vec![(RENAMED.0.into(), RENAMED.1.into())];
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let mut client = Client::connect(rig.door());
    client.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
    client.send("0\r\nX-Sum: 1\r\nx-TLS: none\r\nX-Amzn-Tls-Version: none\r\n\r\n");
    assert_eq!(client.answer(false).text(), "ok");
    assert_eq!(origin.got().pop().unwrap().trailers, ["X-Sum: 1"]);
}

/// Sends a body with trailers behind it, which a target gets as they come or all at once.
fn send_trailers(client: &H2Client, trailers: &[(&str, &str)]) -> u16 {
    let fields = trailers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let fields = http::HeaderMap::from_iter(fields);
    let request = client.request("POST", "/").body(()).unwrap();
    wait(async {
        let (response, mut stream) = client.begin(request, false).await;
        stream.send_data("hi".into(), false).unwrap();
        stream.send_trailers(fields).unwrap();
        response.await.unwrap().status().as_u16()
    })
}

#[test]
fn a_client_by_http2_has_no_such_trailers_either() {
    for version in [ProtocolVersion::Http1, ProtocolVersion::Http2] {
        let mut scene = Scene::new(version);
        let got: std::sync::Arc<std::sync::Mutex<Vec<String>>> = std::sync::Arc::default();
        let seen = got.clone();
        let at = scene.rig.target_at(0);
        let origin = (version == ProtocolVersion::Http1).then(|| Origin::healthy(at, |_, stream| reply(stream, 200, "ok")));
        let _origin = (version == ProtocolVersion::Http2).then(|| {
            H2Origin::healthy(at, Setup::default(), move |mut call: Call| {
                let seen = seen.clone();
                async move {
                    let (_, trailers) = call.read().await;
                    let names = trailers.iter().flatten().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
                    *seen.lock().unwrap() = names.collect();
                    call.answer(200, "");
                }
            })
        });
        let mut balancer = scene.balancer(&[0]);
        balancer.listeners[0].request_header_names = vec![(RENAMED.0.into(), RENAMED.1.into())];
        scene.rig.apply(balancer);
        scene.rig.serve.await_health(0, &TargetHealth::Healthy);
        let client = scene.client();
        let at_target = || match &origin {
            Some(origin) => origin.got().pop().unwrap().trailers,
            None => got.lock().unwrap().clone(),
        };
        assert_eq!(send_trailers(&client, &[("x-sum", "1"), ("x-tls", "none"), ("x-amzn-tls-version", "none")]), 200);
        eventually("the sum arrives alone", || (at_target() == ["x-sum: 1"]).then_some(()));
        assert_eq!(send_trailers(&client, &[("x-tls", "none")]), 200);
        eventually("nothing arrives", || at_target().is_empty().then_some(()));
    }
}
