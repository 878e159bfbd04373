//! Requests that two readers could read in two ways: the edge refuses them, and no byte of them reaches a target.

#![allow(clippy::unwrap_used)]

use crate::client::Client;
use crate::origin::{Origin, reply};
use crate::rig::Rig;

/// Sends these bytes with a request for `/smuggled` behind them; gives the first answer's status.
fn status_of(rig: &Rig, bytes: &str) -> u16 {
    let mut client = Client::connect(rig.door());
    client.send(bytes).send("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = client.answer(false);
    assert!(answer.status == 200 || client.is_closed(), "the connection goes on after a refusal of {bytes:?}");
    answer.status
}

#[test]
fn ambiguous_requests_are_refused_whole() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    for (status, request) in [
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nhello"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nhello"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
        (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
        (400, "GET / HTTP/1.1\nHost: a\n\n"),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\rTransfer-Encoding: chunked\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a/../b\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\n\r\n"),
        (400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, "GET / x HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, "GET somewhere HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, "GET http://user@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, "G\u{e9}T / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nX\u{e9}: b\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"),
        (405, "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (405, "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
        (505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
        (505, "PRI * HTTP/2.0\r\n\r\n"),
    ] {
        assert_eq!(status_of(&rig, request), status, "{request:?}");
    }
    let long = "a".repeat(16 * 1024);
    assert_eq!(status_of(&rig, &format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")), 414);
    assert_eq!(status_of(&rig, &format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n")), 400);
    assert_eq!(status_of(&rig, &format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: b\r\n".repeat(300))), 400);
    assert!(origin.got().is_empty(), "{:?}", origin.got());
}

#[test]
fn bad_chunks_end_the_connection_and_the_request() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    for body in [
        "5 \r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5;\nx\r\nhello\r\n0\r\n\r\n",
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        assert_eq!(status_of(&rig, &request), 400, "{body:?}");
    }
    assert!(origin.got().is_empty(), "no request was whole: {:?}", origin.got());
}

#[test]
fn the_framing_that_goes_on_is_our_own() {
    let mut rig = Rig::start();
    let origin = Origin::healthy(rig.target_at(0), |got, stream| reply(stream, 200, &String::from_utf8_lossy(&got.body)));
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nTrailer: X-Sum\r\n\r\n");
    client.send("5;a=b\r\nhello\r\n").send("6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n");
    assert_eq!(client.answer(false).text(), "hello world");
    client.send("POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 0011\r\n\r\nhello world");
    assert_eq!(client.answer(false).text(), "hello world");
    assert_eq!(client.get("/c").text(), "");
    let got = origin.got();
    assert_eq!(
        (got[0].header("Transfer-Encoding"), got[0].header("Content-Length"), got[0].header("Trailer")),
        (Some("chunked"), None, Some("X-Sum"))
    );
    assert_eq!((got[1].header("Transfer-Encoding"), got[1].header("Content-Length")), (None, Some("11")));
    assert_eq!((got[2].header("Transfer-Encoding"), got[2].header("Content-Length")), (None, None));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut rig = Rig::start();
    let origin = Origin::healthy(rig.target_at(0), |got, stream| reply(stream, 200, got.path()));
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    let texts: Vec<String> = (0..3).map(|_| client.answer(false).text()).collect();
    assert_eq!(texts, ["/1", "/2", "/3"]);
    assert_eq!(origin.got()[1].body, b"abc");
}

#[test]
fn answers_that_cannot_be_trusted_become_502() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |got, stream| {
        use std::io::Write;
        let answer = match got.path() {
            "/both" => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "/two" => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
            "/feed" => "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
            "/folded" => "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
            "/gzip" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "/upgrade" => "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
            "/smtp" => "220 hello\r\n\r\n",
            _ => "HTTP/2 200\r\n\r\n",
        };
        stream.write_all(answer.as_bytes()).unwrap();
        crate::origin::Then::Close
    });
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    for path in ["/both", "/two", "/feed", "/folded", "/gzip", "/upgrade", "/smtp", "/version"] {
        assert_eq!(client.get(path).status, 502, "{path}");
    }
}

#[test]
fn what_follows_an_answer_is_nobodys() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |got, stream| {
        use std::io::Write;
        let extra = if got.path() == "/more" { "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison" } else { "" };
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok{extra}").as_bytes()).unwrap();
        crate::origin::Then::Keep
    });
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    for path in ["/more", "/", "/more", "/more", "/"] {
        assert_eq!(client.get(path).text(), "ok");
    }
}
