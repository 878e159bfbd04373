//! HTTP/2 from clients that ask for much, and of targets that fail them: nobody is held responsible for what others do, and
//! nobody waits for what has come.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Reason;
use rustix::net::sockopt::set_socket_recv_buffer_size;
use world::Action;

use crate::h2::{NAME, connect, nothing, start, with_target};
use crate::h2_frames::{DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, Raw, SETTINGS, WINDOW_UPDATE, block, frame};
use crate::h2_peers::wait;
use crate::origin::{Then, reply};

/// A client that asks and does not read is not listened to; when it reads, what it had asked meanwhile is answered.
#[test]
fn requests_that_came_while_answers_could_not_leave_are_read_when_they_can() {
    let body = "x".repeat(4_000);
    let (rig, authority, origin, _client) = with_target(move |_, stream| reply(stream, 200, &body), nothing);
    let mut config = authority.client();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut raw = Raw::connect(&rig, &config.into());
    set_socket_recv_buffer_size(&raw.0.stream.sock, 32 * 1024).unwrap();
    let more = frame(WINDOW_UPDATE, 0, 0, &0x3fff_ffff_u32.to_be_bytes());
    raw.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), &more].concat());
    let fields = block(&[(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", NAME)]);
    let mut asked = 0;
    loop {
        let streams = (asked..asked + 100).map(|number| u32::try_from(1 + 2 * number).unwrap());
        let many: Vec<u8> = streams.flat_map(|stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields)).collect();
        assert!(raw.send(&many));
        asked += 100;
        // Longer than the edge looks after deadlines of streams that are over.
        let until = Instant::now() + Duration::from_secs(3);
        while origin.got().len() < asked && Instant::now() < until {
            thread::yield_now();
        }
        if origin.got().len() < asked {
            break;
        }
        assert!(asked < 20_000, "80 MB have left to a client that does not read");
    }
    let mut answered = 0;
    while answered < asked {
        let (kind, flags, ..) = raw.next().expect("an answer to each request");
        answered += usize::from(kind == DATA && flags & END_STREAM != 0);
    }
}

/// A target that breaks off is not held against its client (CVE-2023-44487 is about what clients break off).
#[test]
fn answers_that_a_target_breaks_off_are_not_their_clients_fault() {
    let (_rig, _authority, _origin, client) = with_target(
        |got, stream| match got.path() {
            "/half" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").unwrap();
                Then::Close
            }
            _ => reply(stream, 200, "whole"),
        },
        nothing,
    );
    wait(async {
        for _ in 0..250 {
            let got = client.ask(client.request("GET", "/half").body(()).unwrap(), None).await;
            assert_eq!(got.unwrap_err().reason(), Some(Reason::INTERNAL_ERROR));
        }
    });
    assert_eq!(client.get("/").text(), "whole");
}

/// Some clients end what they send with a reset when the answer has come before that: gRPC's of Go, for one.
#[test]
fn requests_that_are_ended_behind_their_answers_are_not_broken_off() {
    let (rig, authority) = start(&[], |balancer| {
        balancer.listeners[0].default_action = Action::FixedResponse { status: 418, content_type: None, body: "early".into() };
    });
    let client = connect(&rig, &authority);
    wait(async {
        for _ in 0..250 {
            let (response, mut stream) = client.begin(client.request("POST", "/").body(()).unwrap(), false).await;
            let response = response.await.unwrap();
            assert_eq!(crate::h2_peers::read(&mut response.into_body()).await.unwrap().0, b"early");
            stream.send_reset(Reason::CANCEL);
        }
    });
    assert_eq!(client.get("/").status, 418);
}

/// "ELB User Guide, Connection idle timeout": it begins anew with each request, however soon that is answered.
#[test]
fn requests_that_are_answered_at_once_keep_their_connection() {
    let (rig, authority) = start(&[], |balancer| {
        balancer.idle_timeout_ms = 1_500;
        balancer.listeners[0].default_action = Action::FixedResponse { status: 418, content_type: None, body: String::new() };
    });
    let client = connect(&rig, &authority);
    wait(async {
        for _ in 0..10 {
            let got = client.ask(client.request("GET", "/").body(()).unwrap(), None).await;
            assert_eq!(got.unwrap().status, 418);
            tokio::time::sleep(Duration::from_millis(300)).await; // slow on purpose
        }
    });
}

/// Uploads that wait for their targets hold room that others need only as long as it is theirs.
#[test]
fn bodies_that_have_gone_leave_room_to_others() {
    let (_rig, _authority, _origin, client) = with_target(
        |got, stream| match got.path() {
            "/never" => {
                // Until nobody waits for it any more.
                let _ = stream.read(&mut [0]);
                Then::Close
            }
            _ => reply(stream, 200, "taken"),
        },
        nothing,
    );
    wait(async {
        let mut held = Vec::new();
        for _ in 0..24 {
            let (response, mut stream) = client.begin(client.request("POST", "/never").body(()).unwrap(), false).await;
            crate::h2_peers::send(&mut stream, Bytes::from(vec![7; 60_000])).await.unwrap();
            stream.send_data(Bytes::new(), true).unwrap();
            held.push((response, stream));
        }
        let got = client.ask(client.request("POST", "/").body(()).unwrap(), Some(Bytes::from(vec![7; 500_000]))).await;
        assert_eq!(got.unwrap().text(), "taken");
    });
}

#[test]
fn a_request_whose_end_comes_along_has_no_body() {
    let (rig, authority, origin, _client) = with_target(|_, stream| reply(stream, 200, "x"), nothing);
    let mut config = authority.client();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut raw = Raw::connect(&rig, &config.into());
    let fields = block(&[(":method", "GET"), (":scheme", "https"), (":path", "/bare"), (":authority", NAME)]);
    let head = frame(HEADERS, END_HEADERS, 1, &fields);
    raw.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), &head, &frame(DATA, END_STREAM, 1, &[])].concat());
    while raw.next().unwrap().0 != HEADERS {}
    let got = origin.got().into_iter().find(|got| got.path() == "/bare").unwrap();
    assert_eq!((got.header("transfer-encoding"), got.header("content-length")), (None, None));
}

/// RFC 9110, 9.3.2: no answer to HEAD has content, not even one that refuses it.
#[test]
fn refusals_of_head_have_no_content() {
    let (rig, authority) = start(&[], nothing);
    let mut config = authority.client();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut raw = Raw::connect(&rig, &config.into());
    let fields = [(":method", "HEAD"), (":scheme", "https"), (":path", "/"), (":authority", NAME), ("host", "other")];
    raw.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&fields))].concat());
    loop {
        let (kind, flags, ..) = raw.next().unwrap();
        if kind == HEADERS {
            return assert_ne!(flags & END_STREAM, 0);
        }
    }
}
