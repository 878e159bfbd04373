//! Answers of targets by HTTP/2 that no proxy may pass on as they are (RFC 9110; RFC 9113, 8).

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use http::{HeaderMap, Response};
use world::ProtocolVersion;

use crate::h2_peers::{Call, Got, H2Origin, Setup, wait};
use crate::h2_targets::Scene;

/// What a client gets of an answer, and of the next one on the same connections.
#[track_caller]
fn got<F: Future<Output = ()> + Send + 'static>(answer: impl Fn(Call) -> F + Send + Sync + 'static) -> Got {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let _origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), answer);
    scene.serve(&[0]);
    let client = scene.client();
    let asked = wait(client.ask(client.request("GET", "/").body(()).unwrap(), None)).unwrap();
    let again = wait(client.ask(client.request("GET", "/").body(()).unwrap(), None)).unwrap();
    assert_eq!(again.status, asked.status);
    asked
}

fn head(status: u16, headers: &[(&str, &str)]) -> Response<()> {
    headers.iter().fold(Response::builder().status(status), |head, (name, value)| head.header(*name, *value)).body(()).unwrap()
}

#[test]
fn an_answer_that_has_no_content_is_passed_on_without_it() {
    for status in [204, 304] {
        let got = got(move |mut call| async move {
            let mut stream = call.respond.send_response(head(status, &[]), false).unwrap();
            // The edge may have ended the stream when it saw the head.
            let _ = stream.send_data(Bytes::from_static(b"content"), true);
        });
        assert_eq!((got.status, got.text()), (status, ""));
    }
}

#[test]
fn a_change_of_protocol_is_no_answer_by_http2() {
    let got = got(|mut call| async move {
        call.respond.send_informational(head(101, &[])).unwrap();
        call.answer(200, "switched");
    });
    assert_eq!(got.status, 502);
}

#[test]
fn an_answer_with_two_lengths_is_not_understood() {
    let got = got(|mut call| async move {
        let head = head(200, &[("content-length", "2"), ("content-length", "2")]);
        let mut stream = call.respond.send_response(head, false).unwrap();
        let _ = stream.send_data(Bytes::from_static(b"ok"), true);
    });
    assert_eq!(got.status, 502);
}

#[test]
fn trailers_go_on_unless_they_frame_or_route() {
    let got = got(|mut call| async move {
        let mut stream = call.respond.send_response(head(200, &[]), false).unwrap();
        stream.send_data(Bytes::from_static(b"ok"), false).unwrap();
        let names = [("content-length", "9"), ("host", "other"), ("x-sum", "1")];
        let trailers = names.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        stream.send_trailers(HeaderMap::from_iter(trailers)).unwrap();
    });
    let trailers = got.trailers.as_ref().unwrap();
    assert_eq!((got.text(), trailers.len(), trailers.get("x-sum").unwrap().as_bytes()), ("ok", 1, &b"1"[..]));
}
