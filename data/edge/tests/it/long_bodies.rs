//! Answers so long that they move within the kernel.

#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Read, Write};

use crate::client::Client;
use crate::origin::{Origin, Then};
use crate::rig::Rig;

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at % 251) as u8).collect()
}

#[test]
fn long_answers_arrive_whole_one_after_the_other() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |got, stream| {
        let bytes: usize = got.path()[1..].parse().unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n");
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&pattern(bytes))).map_or(Then::Close, |()| Then::Keep)
    });
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    for bytes in [150_000, 3_000_000, 131_072, 7, 20_000_001] {
        let answer = client.get(&format!("/{bytes}"));
        assert_eq!((answer.status, answer.body.len()), (200, bytes));
        assert!(answer.body == pattern(bytes), "{bytes} bytes arrive as they were sent");
    }
}

#[test]
fn a_target_that_dies_within_a_long_answer_ends_the_clients_connection() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n");
        let _ = stream.write_all(&pattern(2_000_000));
        Then::Close
    });
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    let error = client.try_answer(false).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset), "{error:?}");
}

#[test]
fn a_client_that_leaves_within_a_long_answer_harms_nobody() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |_, stream| {
        let sent = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n");
        sent.and_then(|()| stream.write_all(&pattern(50_000_000))).map_or(Then::Close, |()| Then::Keep)
    });
    rig.serve_with(&[0]);
    for _ in 0..3 {
        let mut client = Client::connect(rig.door());
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        client.stream.read_exact(&mut [0; 200_000]).unwrap();
    }
    assert_eq!(Client::connect(rig.door()).get("/").body.len(), 50_000_000);
}
