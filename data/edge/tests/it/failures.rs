//! What a client gets when targets fail, and the corners of the protocol.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::time::{Duration, Instant};

use world::{Action, Condition, ListenerRule, Pattern, TargetHealth};

use crate::client::{Client, get};
use crate::origin::{Origin, Then, reply};
use crate::rig::{Rig, eventually};

#[test]
fn without_targets_the_answer_is_503() {
    let mut rig = Rig::start();
    let balancer = rig.balancer(&[]);
    rig.apply(balancer);
    let answer = get(rig.door(), "/");
    assert_eq!((answer.status, answer.header("Server")), (503, Some("awselb/2.0")));
    assert!(answer.text().contains("503 Service Temporarily Unavailable"));
    let balancer = rig.balancer(&[0]);
    rig.apply(balancer);
    assert_eq!(get(rig.door(), "/").status, 503, "a target that was never healthy gets nothing");
}

#[test]
fn a_target_that_closes_or_babbles_is_a_bad_gateway() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |got, stream| {
        match got.path() {
            "/half" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le").unwrap(),
            "/size" => stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n").unwrap(),
            "/second" => stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nx").unwrap(),
            "/long" => stream.write_all(format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(20_000)).as_bytes()).unwrap(),
            _ => {}
        }
        Then::Close
    });
    rig.serve_with(&[0]);
    for path in ["/closes", "/half", "/size", "/second", "/long"] {
        let answer = get(rig.door(), path);
        assert_eq!((answer.status, answer.header("Server")), (502, Some("awselb/2.0")), "{path}");
    }
    let mut client = Client::connect(rig.door());
    let chunked = "POST /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
    assert_eq!(client.send(chunked).answer(false).status, 502, "a request that is streamed, too");
    let mut client = Client::connect(rig.door());
    assert_eq!((client.get("/size").status, client.get("/second").status), (502, 502), "the client's connection goes on");
}

/// What speaks another protocol says so with its first bytes, and then waits: nobody waits with it.
#[test]
fn a_target_that_speaks_no_http_is_a_bad_gateway_at_once() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |got, stream| {
        let said: &[&[u8]] = match got.path() {
            "/ssh" => &[b"SSH-2.0-x\r\n"],
            "/smtp" => &[b"220 mail ESMTP\r\n"],
            "/pieces" => &[b"HTTP", b"/0.9 200 OK"],
            "/header" => &[b"HTTP/1.1 200 OK\r\nX-A: 1\r\nno header\r\n"],
            _ => &[b"\0"],
        };
        said.iter().for_each(|piece| stream.write_all(piece).unwrap());
        Then::Keep
    });
    rig.serve_with(&[0]);
    for path in ["/ssh", "/smtp", "/pieces", "/header", "/zero"] {
        let answer = get(rig.door(), path);
        assert_eq!((answer.status, answer.header("Server")), (502, Some("awselb/2.0")), "{path}");
    }
    let chunked = "POST /ssh HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
    assert_eq!(Client::connect(rig.door()).send(chunked).answer(false).status, 502, "a request that is streamed, too");
}

/// "ELB User Guide, Quotas": 32 K of all headers of an answer, 16 K of one.
#[test]
fn an_answer_with_too_large_a_head_is_a_bad_gateway() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |got, stream| {
        let parts: Vec<usize> = got.path()[1..].split('/').map(|length| length.parse().unwrap()).collect();
        let start = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n".to_string();
        let head = parts.iter().fold(start, |head, length| format!("{head}X: {}\r\n", "a".repeat(length - 5)));
        let _ = stream.write_all(format!("{head}\r\n").as_bytes());
        Then::Keep
    });
    rig.serve_with(&[0]);
    let (line, others) = (16 * 1024, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".len());
    let whole = format!("{}/{}", line, line - others);
    let more = format!("{}/{}", line, line - others + 1);
    for (path, status) in [(whole, 200), (more, 502), ("16000/16000/16000".into(), 502), ("17000".into(), 502)] {
        assert_eq!(Client::connect(rig.door()).get(&format!("/{path}")).status, status, "{path}");
    }
}

#[test]
fn a_silent_target_is_a_gateway_timeout() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |got, stream| {
        if got.path() == "/silent" {
            std::thread::sleep(Duration::from_secs(2)); // slow on purpose
        }
        reply(stream, 200, "late")
    });
    let mut balancer = rig.balancer(&[0]);
    balancer.idle_timeout_ms = 600;
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let started = Instant::now();
    let mut client = Client::connect(rig.door());
    assert_eq!(client.get("/silent").status, 504);
    assert!(started.elapsed() >= Duration::from_millis(600));
    assert_eq!(client.get("/").text(), "late", "the client's connection goes on, the late answer reaches nobody");
}

#[test]
fn a_break_within_the_body_is_told_by_the_connections_end() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |got, stream| {
        let head = if got.path() == "/chunks" {
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nwo"
        } else {
            "Content-Length: 10\r\n\r\nhello"
        };
        stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}").as_bytes()).unwrap();
        Then::Close
    });
    rig.serve_with(&[0]);
    for path in ["/length", "/chunks"] {
        let mut client = Client::connect(rig.door());
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(client.try_answer(false).is_err(), "{path}: a part passed for the whole");
    }
}

#[test]
fn head_has_the_headers_and_no_body() {
    let mut rig = Rig::start();
    let origin = Origin::healthy(rig.target_at(0), |got, stream| {
        assert!(got.head.starts_with("HEAD ") || got.path() == "/get");
        let body = if got.path() == "/get" { "0123456789" } else { "" };
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{body}").as_bytes()).unwrap();
        Then::Keep
    });
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    for _ in 0..3 {
        let answer = client.send("HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n").answer(true);
        assert_eq!((answer.status, answer.header("Content-Length")), (200, Some("10")));
        assert_eq!(client.get("/get").text(), "0123456789");
    }
    assert_eq!(origin.got().len(), 6);
    let balancer = rig.balancer(&[]);
    rig.apply(balancer);
    let answer = client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").answer(true);
    assert_eq!(answer.status, 503);
    assert_eq!(client.get("/").status, 503, "no body of our own came after HEAD");
}

#[test]
fn answers_without_a_body_leave_the_connection_in_step() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |got, stream| {
        let head: &[u8] = match got.path() {
            "/204" => b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            "/304" => b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n",
            _ => b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        };
        stream.write_all(head).unwrap();
        Then::Keep
    });
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    assert_eq!(client.get("/204").header("Content-Length"), None, "RFC 9110, 8.6");
    assert_eq!(client.get("/304").header("Content-Length"), Some("77"));
    assert_eq!(client.get("/200").status, 200);
}

#[test]
fn expect_is_the_targets_to_answer() {
    let mut rig = Rig::start();
    let origin = Origin::healthy(rig.target_at(0), |got, stream| reply(stream, 200, &String::from_utf8_lossy(&got.body)));
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(client.answer(false).status, 100, "before a byte of the body was sent");
    assert_eq!(client.send("hello").answer(false).text(), "hello");
    assert_eq!(origin.got()[0].header("Expect"), Some("100-continue"));
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn a_target_may_refuse_what_is_expected() {
    let mut rig = Rig::start();
    let at = rig.target_at(0);
    let listener = std::net::TcpListener::bind(at).unwrap();
    let answering = std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut bytes) = (stream.unwrap(), vec![0; 8192]);
            let count = std::io::Read::read(&mut stream, &mut bytes).unwrap();
            let is_check = String::from_utf8_lossy(&bytes[..count]).contains("ELB-HealthChecker");
            let status = if is_check { "200 OK" } else { "417 Expectation Failed" };
            stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
            if !is_check {
                return;
            }
        }
    });
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    let answer = client.answer(false);
    assert_eq!((answer.status, answer.header("Connection")), (417, Some("close")));
    assert!(client.is_closed(), "what a client may still send is not taken for a request");
    answering.join().unwrap();
}

/// RFC 9112, 9.6: who ends a connection says so in the last answer.
#[test]
fn an_answer_ahead_of_the_requests_end_says_that_the_connection_ends() {
    let mut rig = Rig::start();
    let at = rig.target_at(0);
    let listener = std::net::TcpListener::bind(at).unwrap();
    std::thread::spawn(move || {
        // Answers every head at once, whatever follows.
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut bytes = vec![0; 8192];
                while let Ok(1..) = std::io::Read::read(&mut stream, &mut bytes) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly");
                }
            });
        }
    });
    let mut balancer = rig.balancer(&[0]);
    let fixed = Action::FixedResponse { status: 403, content_type: None, body: "no".into() };
    let conditions = vec![Condition::Path { values: vec![Pattern::Glob("/fixed".into())] }];
    let (id, transforms) = ("rule".into(), Vec::new());
    balancer.listeners[0].rules = vec![ListenerRule { id, priority: 1, conditions, transforms, action: fixed }];
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let bodies = [("Content-Length: 100", "begin"), ("Transfer-Encoding: chunked", "5\r\nbegin\r\n")];
    for (framing, begin) in bodies {
        for path in ["/", "/fixed"] {
            let mut client = Client::connect(rig.door());
            client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{begin}"));
            assert_eq!(client.answer(false).header("Connection"), Some("close"), "{path} {framing}");
            assert!(client.is_closed());
        }
    }
    let mut client = Client::connect(rig.door());
    for path in ["/fixed", "/", "/fixed"] {
        // One head in two pieces: it is read on for.
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Le")).stream.flush().unwrap();
        std::thread::yield_now();
        let answer = client.send("ngth: 5\r\n\r\nwhole").answer(false);
        assert_eq!(answer.header("Connection"), Some("keep-alive"), "{path}");
    }
}

#[test]
fn long_bodies_pass_in_both_directions() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |got, stream| reply(stream, 200, std::str::from_utf8(&got.body).unwrap()));
    rig.serve_with(&[0]);
    let body: String = (0..300_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    let mut client = Client::connect(rig.door());
    client.send(format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    assert!(client.answer(false).text() == body);
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for part in body.as_bytes().chunks(7_777) {
        client.send(format!("{:x}\r\n", part.len())).send(part).send("\r\n");
    }
    assert!(client.send("0\r\n\r\n").answer(false).text() == body);
}

#[test]
fn a_slow_head_is_given_up() {
    let mut rig = Rig::start();
    let mut balancer = rig.balancer(&[]);
    balancer.idle_timeout_ms = 500;
    rig.apply(balancer);
    let mut client = Client::connect(rig.door());
    let started = Instant::now();
    client.send("GET / HTTP/1.1\r\nHo");
    assert_eq!(client.answer(false).status, 408);
    // The clock of a worker may be some milliseconds behind.
    assert!(started.elapsed() >= Duration::from_millis(400) && client.is_closed());
    let mut idle = Client::connect(rig.door());
    assert!(idle.is_closed(), "a connection without a request ends without a word");
}

#[test]
fn a_clients_connection_has_an_end_of_life() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    let mut balancer = rig.balancer(&[0]);
    balancer.client_keep_alive_ms = 1_000;
    balancer.listeners[0].rules = vec![ListenerRule {
        id: "own".into(),
        priority: 1,
        conditions: vec![Condition::Path { values: vec![Pattern::Glob("/own".into())] }],
        transforms: Vec::new(),
        action: Action::FixedResponse { status: 200, content_type: None, body: String::new() },
    }];
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    for path in ["/", "/own"] {
        let mut client = Client::connect(rig.door());
        // One request after the other: the end comes with an answer, not between two of them.
        let last = eventually("the last answer", || {
            Some(client.get(path)).filter(|answer| answer.header("Connection") == Some("close"))
        });
        assert_eq!((last.status, client.is_closed()), (200, true), "{path}");
    }
    let mut quiet = Client::connect(rig.door());
    assert_eq!(quiet.get("/").status, 200);
    assert!(quiet.is_closed(), "also between two requests");
}
