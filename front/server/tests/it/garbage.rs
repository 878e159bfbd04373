//! Broken HTTP, endless bodies, clients that dawdle: the server goes on, and its state stays as it was.

use std::io::{ErrorKind, Read, Write};

use base::Rng;

use crate::rig::{PATIENCE, Rig};

const BROKEN: [&[u8]; 16] = [
    b"",
    b"\r\n\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nshort",
    b"GET /\x00\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT localhost:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /_allod/../../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
];

#[test]
fn garbage_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::start(directory.path());
    rig.is_well();
    let before = rig.rows();
    let rig = Rig::start(directory.path());
    for bytes in BROKEN {
        let got = rig.raw(bytes);
        let good = got.is_empty() || got.starts_with(b"HTTP/1.1 4");
        assert!(good, "{} to {}", String::from_utf8_lossy(&got), String::from_utf8_lossy(bytes));
    }
    let mut rng = Rng::new(7);
    let good = rig.signed("ec2", "/", &[], b"Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0/16");
    for _ in 0..300 {
        let noise: Vec<u8> = (0..rng.u64() % 600).map(|_| rng.u64().to_le_bytes()[0]).collect();
        rig.raw(&noise);
        // A good request of which the signed part, or what is signed, was changed in a place.
        let mut bent = good.clone();
        let at = bent.len() - 1 - usize::try_from(rng.u64()).unwrap() % 40;
        bent[at] ^= 1 << (rng.u64() % 7);
        rig.raw(&bent);
    }
    // Many header lines, and one without end.
    rig.raw(format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(20_000)).as_bytes());
    rig.raw(format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(4 << 20)).as_bytes());
    rig.raw(format!("GET /{} HTTP/1.1\r\n", "b".repeat(4 << 20)).as_bytes());
    rig.is_well();
    assert!(rig.rows() == before, "something was changed");
}

#[test]
fn a_body_over_the_limit_gets_an_answer_however_it_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::start(directory.path());
    let ec2 = "AWS4-HMAC-SHA256 Credential=AKIAX/20260131/eu-central-1/ec2/aws4_request, SignedHeaders=host, Signature=00";
    for (head, code) in [
        (format!("Authorization: {ec2}\r\n"), "<Response><Errors><Error><Code>RequestEntityTooLarge</Code>"),
        ("X-Amz-Target: AmazonSSM.PutParameter\r\n".into(), "\"__type\":\"RequestEntityTooLarge\""),
        (String::new(), "<ErrorResponse><Error><Type>Sender</Type><Code>RequestEntityTooLarge</Code>"),
    ] {
        let start = format!("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}");
        let length = (1 << 20) + 1;
        let whole = [format!("{start}Content-Length: {length}\r\n\r\n").as_bytes(), &vec![b'a'; length]].concat();
        let chunk = [b"10000\r\n".as_slice(), &[b'a'; 0x10000], b"\r\n"].concat();
        let chunked = [format!("{start}Transfer-Encoding: chunked\r\n\r\n").as_bytes(), &chunk.repeat(64), b"0\r\n\r\n"].concat();
        // Who asks first, or announces more than is worth reading, sends nothing of it.
        let asked = format!("{start}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n").into_bytes();
        let endless = format!("{start}Content-Length: {}\r\n\r\n", u64::from(u32::MAX) * 1_000).into_bytes();
        for request in [&whole, &chunked, &asked, &endless] {
            let answer = rig.exchange(request);
            assert_eq!(answer.status, 413, "{answer:?}");
            assert!(answer.body.contains(code), "{answer:?}");
        }
    }
    // One that never ends is not read for ever.
    let mut stream = rig.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let chunk = [b"100000\r\n".as_slice(), &vec![b'a'; 1 << 20], b"\r\n"].concat();
    let sent = (0..1_000).take_while(|_| stream.write_all(&chunk).is_ok()).count();
    assert!(sent < 100, "{sent} MiB were taken");
    // A body at the limit is read: its signature is what is wrong with it.
    let at_limit =
        format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}", 1 << 20, "a".repeat(1 << 20));
    assert_eq!(rig.exchange(at_limit.as_bytes()).code(), "MissingAuthenticationToken");
    rig.is_well();
}

#[test]
fn a_client_that_dawdles_is_let_go_and_holds_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::start(directory.path());
    let slow: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = rig.connect();
            stream.write_all(b"POST / HTTP/1.1\r\nHost: local").unwrap();
            stream
        })
        .collect();
    rig.is_well();
    for stream in &slow {
        stream.set_nonblocking(true).unwrap();
        let waited_for = stream.peek(&mut [0]).is_err_and(|e| e.kind() == ErrorKind::WouldBlock);
        assert!(waited_for, "others were served only when this one had been let go");
        stream.set_nonblocking(false).unwrap();
    }
    for mut stream in slow {
        stream.set_read_timeout(Some(PATIENCE * 2)).unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).expect("the server closes the connection");
        assert!(got.is_empty() || got.starts_with(b"HTTP/1.1 408"));
    }
    rig.is_well();
}
