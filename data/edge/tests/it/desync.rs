//! Desync mitigation: our classes beside those of AWS's own classifier, and what each mode does with them.

#![allow(clippy::unwrap_used)]

use edge::testing::classify;
use http_desync_guardian::RequestSafetyTier as Tier;
use http_desync_guardian::request_analyzer::HttpRequestData;
use proptest::prelude::*;
use proptest::sample::select;
use world::DesyncMode;

use crate::client::Client;
use crate::origin::{Origin, reply};
use crate::rig::Rig;

/// What AWS's classifier finds compliant or acceptable and this parser refuses all the same, by the words of the refusal:
/// it forwards nothing that it does not understand, and an ALB has rules beyond desynchronisation.
const STRICTER: [&str; 17] = [
    // Lines that end in a bare line feed, a version other than 1.0 and 1.1, a space in the target: acceptable there.
    "malformed: a line that does not end in CR LF",
    "malformed: a line's end",
    "an HTTP version other than 1.0 and 1.1",
    "malformed: the first line",
    // A head without an end is not even ambiguous here.
    "a head that does not end",
    // No value, and more digits than a length needs.
    "malformed: the Content-Length",
    // Codings beside `chunked`, known ones too.
    "a transfer coding other than chunked",
    "malformed: more than one Transfer-Encoding",
    // `identity` beside a length, and a coding in HTTP/1.0, are ambiguous there.
    "malformed: both Content-Length and Transfer-Encoding",
    "malformed: a transfer coding in HTTP/1.0",
    // Whom the request is for.
    "malformed: no Host",
    "malformed: more than one Host",
    "malformed: the Host",
    "malformed: the request target",
    "a method that a load balancer does not serve",
    // Control characters in names and values are acceptable there.
    "malformed: a header's name",
    "malformed: a header's value",
];

fn header() -> impl Strategy<Value = &'static str> {
    select(vec![
        "Host: a",
        "Host: a",
        "Host: a",
        "host: b",
        "Accept: */*",
        "X: y",
        "X: \u{e4}y",
        "X-Long-Enough-To-Look: z",
        "Cookie: a=b",
        "Content-Length: 5",
        "Content-Length: 5",
        "content-length: 5",
        "Content-Length: 0",
        "Content-Length: 6",
        "Content-Length: 05",
        "Content-Length:",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: 5x",
        "Content-Length:\t5 ",
        "Content-Length: 99999999999999999999",
        "Content-Length : 5",
        "Content_Length: 5",
        "Content--Length: 5",
        "Content.Length: 5",
        "Content-Lengths: 5",
        "X-Content-Length: 5",
        "contentlength: 5",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked",
        "transfer-encoding: Chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding:chunked;a=b",
        "Transfer-Encoding : chunked",
        "Transfer_Encoding: chunked",
        "Transfer-Encoding-: chunked",
        "-Transfer-Encoding: chunked",
        " Transfer-Encoding: chunked",
        "X: y\r\n z",
        "X: y\nTransfer-Encoding: chunked",
        ": z",
        "no colon",
        "X\x01: y",
    ])
}

fn head() -> impl Strategy<Value = Vec<u8>> {
    let line = (
        select(vec!["GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS", "G@T", "TRACE"]),
        select(vec!["/", "/", "/a?b=c", "/a b", "http://a/", "*", "a", "/\x01", "/#", "/\u{e4}"]),
        select(vec!["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/0.9", "HTTP/x", "1.1"]),
    );
    let text = (line, prop::collection::vec(header(), 0..6)).prop_map(|((method, target, version), headers)| {
        let headers: String = headers.iter().map(|h| format!("{h}\r\n")).collect();
        format!("{method} {target} {version}\r\nHost: a\r\n{headers}\r\n").into_bytes()
    });
    let byte = prop_oneof![select(b" \t\r\n:-_;,0123\0\x0b\x7fabC".to_vec()), any::<u8>()];
    let change = prop::option::weighted(0.4, (any::<prop::sample::Index>(), byte, 0..3));
    (text, change).prop_map(|(mut text, change)| {
        if let Some((at, byte, how)) = change {
            let at = at.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                _ => drop(text.remove(at)),
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn classes_are_those_of_awss_own_classifier(head in head()) {
        // What follows the first empty line is a body here, and more of the head there.
        let end = head.windows(4).position(|w| w == b"\r\n\r\n").map_or(head.len(), |at| at + 4);
        let head = &head[..end];
        prop_assume!(!head.starts_with(b"\r\n"));
        let theirs = HttpRequestData::analyze_raw_request(head);
        match classify(head) {
            Ok(reason) => {
                let class = reason.as_deref().map_or("Compliant", |r| r.split(' ').next().unwrap());
                prop_assert_eq!(class, format!("{:?}", theirs.tier), "{:?}, there {:?}", reason, theirs.message);
            }
            Err(why) => {
                let expected = theirs.tier >= Tier::Ambiguous || STRICTER.contains(&why.as_str());
                prop_assert!(expected, "{} is refused: {}", String::from_utf8_lossy(head), why);
            }
        }
    }
}

#[test]
fn reasons_are_those_of_access_logs() {
    for (line, headers, expected) in [
        ("GET", "", None),
        ("POST", "Content-Length: 5", None),
        ("POST", "Transfer-Encoding: chunked", None),
        ("GET", "Content-Length: 0", Some("Acceptable GetHeadZeroContentLength")),
        ("HEAD", "Content-Length: 1", Some("Ambiguous UndefinedContentLengthSemantics")),
        ("GET", "Transfer-Encoding: chunked", Some("Ambiguous UndefinedTransferEncodingSemantics")),
        ("POST", "Content-Length: 5\r\nContent-Length: 5", Some("Ambiguous DuplicateContentLength")),
        ("POST", "Content-Length: 5\r\nTransfer-Encoding: chunked", Some("Ambiguous BothTeClPresent")),
        ("POST", "Transfer_Encoding: chunked", Some("Ambiguous SuspiciousHeader")),
    ] {
        let head = format!(
            "{line} / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n{headers}{}\r\n",
            if headers.is_empty() { "" } else { "\r\n" }
        );
        assert_eq!(classify(head.as_bytes()).unwrap().as_deref(), expected, "{head}");
        let theirs = HttpRequestData::analyze_raw_request(head.as_bytes());
        let reason = expected.map_or("Compliant", |e| e.split_once(' ').unwrap().1);
        assert_eq!(format!("{:?}", theirs.reason), reason, "{head}");
    }
}

/// Both say where the body ends; understood, and ambiguous.
const AMBIGUOUS: &str =
    "POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
const ACCEPTABLE: &str = "GET /one HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";

#[test]
fn modes_pass_close_behind_and_block() {
    let mut rig = Rig::start();
    let origin = Origin::healthy(rig.target_at(0), |got, stream| reply(stream, 200, &String::from_utf8_lossy(&got.body)));
    rig.serve_with(&[0]);
    for (mode, request, status, goes_on) in [
        (DesyncMode::Monitor, ACCEPTABLE, 200, true),
        (DesyncMode::Monitor, AMBIGUOUS, 200, true),
        (DesyncMode::Defensive, ACCEPTABLE, 200, true),
        (DesyncMode::Defensive, AMBIGUOUS, 200, false),
        (DesyncMode::Strictest, ACCEPTABLE, 400, false),
        (DesyncMode::Strictest, AMBIGUOUS, 400, false),
    ] {
        let mut balancer = rig.balancer(&[0]);
        balancer.http.desync = mode;
        rig.apply(balancer);
        let before = origin.got().len();
        let mut client = Client::connect(rig.door());
        let answer = client.send(request).answer(false);
        assert_eq!((answer.status, answer.header("Connection") == Some("keep-alive")), (status, goes_on), "{mode:?} {request:?}");
        if goes_on {
            assert_eq!(client.get("/two").status, 200);
        } else {
            assert!(client.is_closed(), "{mode:?} {request:?}");
        }
        let got = origin.got().split_off(before);
        let paths: Vec<&str> = got.iter().map(|g| g.path()).collect();
        assert_eq!(
            paths,
            if status == 400 {
                vec![]
            } else if goes_on {
                vec!["/one", "/two"]
            } else {
                vec!["/one"]
            }
        );
        for got in got.iter().filter(|g| g.head.starts_with("POST")) {
            assert_eq!(
                (got.header("Content-Length"), got.body.as_slice()),
                (None, &b"ok"[..]),
                "one framing goes on: {}",
                got.head
            );
        }
    }
}

/// ALB's monitor mode lets some of these pass.
#[test]
fn no_mode_passes_what_cannot_be_understood() {
    let mut rig = Rig::start();
    let origin = Origin::healthy(rig.target_at(0), |_, stream| reply(stream, 200, ""));
    rig.serve_with(&[0]);
    for mode in [DesyncMode::Monitor, DesyncMode::Defensive, DesyncMode::Strictest] {
        let mut balancer = rig.balancer(&[0]);
        balancer.http.desync = mode;
        rig.apply(balancer);
        for (request, status) in [
            ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
            ("GET / HTTP/1.1\nHost: a\n\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
        ] {
            let mut client = Client::connect(rig.door());
            assert_eq!(client.send(request).answer(false).status, status, "{mode:?} {request:?}");
            assert!(client.is_closed(), "{mode:?} {request:?}");
        }
    }
    assert_eq!(origin.got().len(), 0);
}

#[test]
fn a_targets_connection_ends_with_an_ambiguous_request() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let used = || origin.connections() - origin.checks().len();
    let mut client = Client::connect(rig.door());
    (0..3).for_each(|_| assert_eq!(client.get("/").status, 200));
    let checks = origin.checks().len();
    let kept = used();
    for _ in 0..3 {
        assert_eq!(Client::connect(rig.door()).send(AMBIGUOUS).answer(false).status, 200);
    }
    assert!(used() + origin.checks().len() - checks >= kept + 2, "each took a connection away");
}
