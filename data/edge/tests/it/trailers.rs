//! What comes behind a body.

#![allow(clippy::unwrap_used)]

use std::io::Write;

use crate::client::Client;
use crate::origin::{Origin, Then, reply};
use crate::rig::Rig;

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
