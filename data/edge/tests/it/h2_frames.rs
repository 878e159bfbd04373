//! HTTP/2 from clients, frame by frame: what RFC 9113 says a server must not bear, floods, and nonsense.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::{Strategy, any, prop};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rustls::ClientConfig;
use world::TargetHealth;

use crate::h2::{NAME, start};
use crate::origin::{Origin, reply};
use crate::rig::Rig;
use crate::secure::{Authority, SecureClient};

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Types of frames (RFC 9113, 6).
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
/// Codes of errors (RFC 9113, 7).
const PROTOCOL: u32 = 1;
const FLOW_CONTROL: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE: u32 = 6;
const REFUSED: u32 = 7;
const COMPRESSION: u32 = 9;
const CALM: u32 = 11;

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Header fields as literals that no table remembers (RFC 7541, 6.2.2).
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name, value] {
            push_length(&mut out, text.len());
            out.extend_from_slice(text.as_bytes());
        }
    }
    out
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    if length < 127 {
        return out.push(u8::try_from(length).unwrap());
    }
    out.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        out.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    out.push(u8::try_from(rest).unwrap());
}

const GET: [(&str, &str); 4] = [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", NAME)];

fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&GET))
}

/// A request whose body is still to come.
fn post(stream: u32, more: &[(&str, &str)]) -> Vec<u8> {
    let fields = [&[(":method", "POST"), (":scheme", "https"), (":path", "/"), (":authority", NAME)], more].concat();
    frame(HEADERS, END_HEADERS, stream, &block(&fields))
}

/// What the edge says to frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    GoAway(u32),
    Reset(u32),
    /// Headers on this stream.
    Answer(u32),
    Pong,
    /// The connection ended without a word.
    End,
}

/// A connection of frames.
pub struct Raw(pub SecureClient, Vec<u8>);

impl Raw {
    pub fn connect(rig: &Rig, config: &Arc<ClientConfig>) -> Self {
        let client = SecureClient::connect(rig.door(), NAME, config).unwrap();
        client.stream.sock.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // Who is not read from any more has been borne no longer, too.
        client.stream.sock.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
        Self(client, Vec::new())
    }

    /// Sends as much as is taken.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.send(bytes).and_then(|()| self.0.stream.flush()).is_ok()
    }

    /// The next thing said that is more than small talk.
    fn said(&mut self) -> Said {
        loop {
            let Some((kind, flags, stream, payload)) = self.next() else { return Said::End };
            let code = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
            match kind {
                GOAWAY => return Said::GoAway(code(4)),
                RST_STREAM => return Said::Reset(code(0)),
                HEADERS => return Said::Answer(stream),
                PING if flags & ACK != 0 => return Said::Pong,
                _ => {}
            }
        }
    }

    /// The next frame: its kind, flags, stream and payload.
    pub fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        while self.1.len() < 9 || self.1.len() < 9 + self.length() {
            let mut bytes = [0; 16 * 1024];
            let count = self.0.stream.read(&mut bytes).ok().filter(|count| *count > 0)?;
            self.1.extend_from_slice(&bytes[..count]);
        }
        let length = self.length();
        let whole: Vec<u8> = self.1.drain(..9 + length).collect();
        Some((whole[3], whole[4], u32::from_be_bytes(whole[5..9].try_into().unwrap()), whole[9..].to_vec()))
    }

    fn length(&self) -> usize {
        usize::from(self.1[0]) << 16 | usize::from(self.1[1]) << 8 | usize::from(self.1[2])
    }
}

struct Setting {
    rig: Rig,
    config: Arc<ClientConfig>,
    _origin: Origin,
    _authority: Authority,
}

impl Setting {
    fn new() -> Self {
        let (rig, authority) = start(&[0], |_| {});
        let origin = Origin::healthy(rig.target_at(0), |_, stream| reply(stream, 200, "hello"));
        rig.serve.await_health(0, &TargetHealth::Healthy);
        let mut config = authority.client();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self { rig, config: Arc::new(config), _origin: origin, _authority: authority }
    }

    /// A connection that has greeted.
    fn greeted(&self) -> Raw {
        let mut raw = Raw::connect(&self.rig, &self.config);
        raw.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat());
        raw
    }

    fn serves(&self) {
        let mut raw = self.greeted();
        raw.send(&get(1));
        assert_eq!(raw.said(), Said::Answer(1));
    }

    /// These frames on a new connection are answered with an error of one of these codes, or with the general PROTOCOL_ERROR,
    /// which says less than RFC 9113 would like and as much to a client. Whoever may end a stream may as well end the connection
    /// (5.4.2).
    #[track_caller]
    fn errs(&self, what: &str, frames: &[Vec<u8>], codes: &[u32]) {
        let mut raw = self.greeted();
        raw.send(&frames.concat());
        let said = loop {
            match raw.said() {
                Said::Answer(_) => {}
                other => break other,
            }
        };
        let is_wanted = matches!(said, Said::GoAway(code) | Said::Reset(code) if code == PROTOCOL || codes.contains(&code));
        assert!(is_wanted, "{what}: {said:?}, not one of {codes:?}");
    }
}

#[test]
fn a_client_that_greets_otherwise_is_sent_away() {
    let setting = Setting::new();
    for greeting in [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", &[0; 64]] {
        let mut raw = Raw::connect(&setting.rig, &setting.config);
        raw.send(greeting);
        assert!(matches!(raw.said(), Said::End | Said::GoAway(PROTOCOL)), "{greeting:?}");
    }
    // The first frame must be SETTINGS (RFC 9113, 3.4).
    let mut raw = Raw::connect(&setting.rig, &setting.config);
    raw.send(&[PREFACE, &frame(PING, 0, 0, &[0; 8])].concat());
    assert!(matches!(raw.said(), Said::Pong | Said::GoAway(PROTOCOL)));
    setting.serves();
}

#[test]
fn frames_out_of_place_are_errors() {
    let setting = Setting::new();
    let errs = |what, frames: &[Vec<u8>], codes: &[u32]| setting.errs(what, frames, codes);
    errs("6.1: DATA on stream 0", &[frame(DATA, 0, 0, b"a")], &[PROTOCOL]);
    errs("6.2: HEADERS on stream 0", &[get(0)], &[PROTOCOL]);
    errs("6.3: PRIORITY on stream 0", &[frame(PRIORITY, 0, 0, &[0; 5])], &[PROTOCOL]);
    errs("6.4: RST_STREAM on stream 0", &[frame(RST_STREAM, 0, 0, &[0; 4])], &[PROTOCOL]);
    errs("6.4: RST_STREAM on an idle stream", &[frame(RST_STREAM, 0, 5, &[0; 4])], &[PROTOCOL]);
    errs("6.5: SETTINGS on a stream", &[frame(SETTINGS, 0, 1, &[])], &[PROTOCOL]);
    errs("6.6: PUSH_PROMISE from a client", &[frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])], &[PROTOCOL]);
    errs("6.7: PING on a stream", &[frame(PING, 0, 1, &[0; 8])], &[PROTOCOL]);
    errs("6.8: GOAWAY on a stream", &[frame(GOAWAY, 0, 1, &[0; 8])], &[PROTOCOL]);
    errs("6.10: CONTINUATION of nothing", &[frame(CONTINUATION, END_HEADERS, 1, &[])], &[PROTOCOL]);
    errs("6.10: a frame within a header block", &[frame(HEADERS, 0, 1, &block(&GET)), frame(PING, 0, 0, &[0; 8])], &[PROTOCOL]);
    errs("5.1: DATA on an idle stream", &[frame(DATA, 0, 1, b"a")], &[PROTOCOL]);
    errs("5.1: WINDOW_UPDATE on an idle stream", &[frame(WINDOW_UPDATE, 0, 9, &[0, 0, 0, 1])], &[PROTOCOL]);
    errs("5.1.1: an even stream", &[get(2)], &[PROTOCOL]);
    errs("5.1.1: a stream that goes back", &[get(5), get(3)], &[PROTOCOL, STREAM_CLOSED]);
    errs("5.1: HEADERS on a closed stream", &[get(1), get(1)], &[PROTOCOL, STREAM_CLOSED]);
    errs("5.1: DATA behind the end", &[get(1), frame(DATA, 0, 1, b"a")], &[PROTOCOL, STREAM_CLOSED]);
    errs("8.1: trailers that are not the end", &[post(1, &[]), post(1, &[])], &[PROTOCOL]);
}

#[test]
fn frames_of_a_wrong_size_are_errors() {
    let setting = Setting::new();
    let errs = |what, frames: &[Vec<u8>], codes: &[u32]| setting.errs(what, frames, codes);
    errs("4.2: more than 16 KiB", &[post(1, &[]), frame(DATA, 0, 1, &[0; 16_385])], &[FRAME_SIZE]);
    errs("6.1: more padding than payload", &[post(1, &[]), frame(DATA, PADDED, 1, &[5, 0, 0])], &[PROTOCOL]);
    errs("6.2: more padding than headers", &[frame(HEADERS, PADDED | END_HEADERS, 1, &[200, 0, 0])], &[PROTOCOL]);
    errs("6.3: PRIORITY of 4 bytes", &[frame(PRIORITY, 0, 1, &[0; 4])], &[FRAME_SIZE]);
    errs("6.4: RST_STREAM of 3 bytes", &[get(1), frame(RST_STREAM, 0, 1, &[0; 3])], &[FRAME_SIZE]);
    errs("6.5: SETTINGS of 5 bytes", &[frame(SETTINGS, 0, 0, &[0; 5])], &[FRAME_SIZE]);
    errs("6.5: SETTINGS that confirm and say more", &[frame(SETTINGS, ACK, 0, &[0; 6])], &[FRAME_SIZE]);
    errs("6.7: PING of 7 bytes", &[frame(PING, 0, 0, &[0; 7])], &[FRAME_SIZE]);
    errs("6.8: GOAWAY of 7 bytes", &[frame(GOAWAY, 0, 0, &[0; 7])], &[FRAME_SIZE]);
    errs("6.9: WINDOW_UPDATE of 3 bytes", &[frame(WINDOW_UPDATE, 0, 0, &[0; 3])], &[FRAME_SIZE]);
}

#[test]
fn settings_and_windows_keep_to_their_ranges() {
    let setting = Setting::new();
    let errs = |what, frames: &[Vec<u8>], codes: &[u32]| setting.errs(what, frames, codes);
    let set = |name: u16, value: u32| frame(SETTINGS, 0, 0, &[&name.to_be_bytes()[..], &value.to_be_bytes()].concat());
    errs("6.5.2: ENABLE_PUSH of 2", &[set(2, 2)], &[PROTOCOL]);
    errs("6.5.2: a window of 2^31", &[set(4, 1 << 31)], &[FLOW_CONTROL]);
    errs("6.5.2: frames of at most 1 KiB", &[set(5, 1024)], &[PROTOCOL]);
    errs("6.5.2: frames of at most 2^24", &[set(5, 1 << 24)], &[PROTOCOL]);
    errs("6.9: WINDOW_UPDATE of nothing", &[frame(WINDOW_UPDATE, 0, 0, &[0; 4])], &[PROTOCOL]);
    let most = 0x7fff_ffff_u32.to_be_bytes();
    errs("6.9.1: the connection's window overflows", &[frame(WINDOW_UPDATE, 0, 0, &most)], &[FLOW_CONTROL]);
    errs("6.9.1: a stream's window overflows", &[post(1, &[]), frame(WINDOW_UPDATE, 0, 1, &most)], &[FLOW_CONTROL]);
    let pieces: Vec<Vec<u8>> = (0..20).map(|_| frame(DATA, 0, 1, &[0; 16_384])).collect();
    let beyond = [vec![post(1, &[("content-length", "9999999")])], pieces].concat();
    // A target that reads leaves room; a stream that is over has its data dropped.
    let mut raw = setting.greeted();
    raw.send(&beyond.concat());
    assert!(!matches!(raw.said(), Said::Pong));
    // What is not known is ignored (RFC 9113, 5.5 and 6.5.2).
    let mut raw = setting.greeted();
    raw.send(&[set(0x99, 7), frame(0x77, 0xff, 0, b"unknown"), frame(PING, 0, 0, &[1; 8]), get(1)].concat());
    assert_eq!((raw.said(), raw.said()), (Said::Pong, Said::Answer(1)));
}

/// RFC 9113, 8.2 and 8.3: malformed requests.
#[test]
fn malformed_requests_are_errors_of_their_streams() {
    let setting = Setting::new();
    let check = |what: &str, fields: &[(&str, &str)]| {
        setting.errs(what, &[frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(fields))], &[PROTOCOL]);
    };
    let with = |name, value| [&GET[..], &[(name, value)]].concat();
    check("a name in upper case", &with("X-A", "1"));
    check("a connection header", &with("connection", "close"));
    check("keep-alive", &with("keep-alive", "5"));
    check("transfer-encoding", &with("transfer-encoding", "chunked"));
    check("upgrade", &with("upgrade", "websocket"));
    check("te that is not trailers", &with("te", "gzip"));
    check("a pseudo-header field behind others", &[GET[0], GET[1], ("x", "1"), GET[2], GET[3]]);
    check("a pseudo-header field twice", &with(":path", "/b"));
    check("an unknown pseudo-header field", &with(":other", "1"));
    check("a status", &with(":status", "200"));
    check("no method", &GET[1..]);
    check("no scheme", &[GET[0], GET[2], GET[3]]);
    check("an empty path", &[GET[0], GET[1], (":path", ""), GET[3]]);
    check("a line feed in a value", &with("x", "a\nb"));
    check("a NUL in a value", &with("x", "a\0b"));
    check("a length that is no number", &with("content-length", "1x"));
    check("a length without a body", &with("content-length", "5"));
    setting.errs(
        "5.1: a stream of its own kind",
        &[post(1, &[("content-length", "3")]), frame(DATA, END_STREAM, 1, b"ab")],
        &[PROTOCOL],
    );
    setting.errs("8.1.1: too much", &[post(1, &[("content-length", "1")]), frame(DATA, END_STREAM, 1, b"ab")], &[PROTOCOL]);
    setting.errs(
        "RFC 7541: an index that is not there",
        &[frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff, 0x7f])],
        &[COMPRESSION],
    );
    setting.errs("RFC 7541: half an integer", &[frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff])], &[COMPRESSION]);
    // Refused by rules of ours, with a page (RFC 9113, 8.1.1: "may be answered").
    for fields in [with("x", " a"), with("host", "other"), GET[..3].to_vec()] {
        let mut raw = setting.greeted();
        raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&fields)));
        assert_eq!(raw.said(), Said::Answer(1), "{fields:?}");
    }
}

#[test]
fn a_connection_has_128_streams() {
    let setting = Setting::new();
    let mut raw = setting.greeted();
    let all: Vec<u8> = (0..129).flat_map(|n| post(1 + 2 * n, &[])).collect();
    raw.send(&all);
    assert_eq!(raw.said(), Said::Reset(REFUSED), "the 129th is refused");
}

#[test]
fn headers_without_end_are_not_borne() {
    let setting = Setting::new();
    let mut raw = setting.greeted();
    raw.send(&frame(HEADERS, 0, 1, &block(&GET)));
    let piece = frame(CONTINUATION, 0, 1, &block(&[("x", &"a".repeat(8_000))]));
    let borne = (0..10_000).take_while(|_| raw.send(&piece)).count();
    assert!(borne < 10_000, "80 MB of headers");
    // All of them together may have 64 K.
    let many: Vec<(String, String)> = (0..9).map(|n| (format!("x-{n}"), "a".repeat(8_000))).collect();
    let mut raw = setting.greeted();
    let fields: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let text = block(&[&GET[..], &fields].concat());
    let (first, rest) = text.split_at(16_000);
    let last = rest.len().div_ceil(16_000) - 1;
    raw.send(&frame(HEADERS, END_STREAM, 1, first));
    for (number, piece) in rest.chunks(16_000).enumerate() {
        raw.send(&frame(CONTINUATION, if number == last { END_HEADERS } else { 0 }, 1, piece));
    }
    assert!(matches!(raw.said(), Said::Answer(1) | Said::GoAway(_) | Said::Reset(_)), "431, or the end");
    setting.serves();
}

/// CVE-2019-9512, 9515, 9518 and their kind: frames that cost little to send.
#[test]
fn floods_of_frames_that_bring_nothing_end_their_connection() {
    let setting = Setting::new();
    let floods = [
        ("PING", frame(PING, 0, 0, &[0; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0])),
        ("PRIORITY", frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 1])),
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("unknown", frame(0x77, 0, 0, &[0; 100])),
    ];
    for (what, frame) in floods {
        let mut raw = setting.greeted();
        let many = frame.repeat(16_384 / frame.len());
        let borne = (0..1_000).take_while(|_| raw.send(&many)).count();
        assert!(borne < 1_000, "16 MB of {what}");
    }
    // Empty frames of a body bring nothing either.
    let mut raw = setting.greeted();
    raw.send(&post(1, &[]));
    let many = frame(DATA, 0, 1, &[]).repeat(1_000);
    let borne = (0..1_000).take_while(|_| raw.send(&many)).count();
    assert!(borne < 1_000, "9 MB of empty DATA");
    setting.serves();
}

/// CVE-2023-44487, by hand: a request and its end, again and again.
#[test]
fn rapid_resets_end_their_connection() {
    let setting = Setting::new();
    let mut raw = setting.greeted();
    for number in 0..20_000 {
        let stream = 1 + 2 * number;
        if !raw.send(&[get(stream), frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()) {
            break;
        }
        assert!(number < 19_000, "19,000 resets were borne");
    }
    loop {
        match raw.said() {
            Said::Answer(_) | Said::Reset(_) | Said::Pong => {}
            Said::GoAway(code) => return assert_eq!(code, CALM),
            // The farewell was overtaken by the end.
            Said::End => return,
        }
    }
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop::collection::vec(any::<u8>(), 0..40);
    let fields = prop::sample::subsequence(
        vec![GET[0], GET[1], GET[2], GET[3], ("x", "1"), ("content-length", "3"), ("te", "trailers"), ("cookie", "a=b")],
        0..8,
    );
    let structured = (fields, any::<u8>(), 0..12_u32)
        .prop_map(|(fields, flags, stream)| frame(HEADERS, flags & 0x2d | END_HEADERS, stream, &block(&fields)));
    let random = (0..11_u8, any::<u8>(), 0..12_u32, payload)
        .prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload));
    let valid = (0..12_u32).prop_map(|stream| get(stream | 1));
    proptest::prop_oneof![4 => random, 4 => structured, 3 => valid]
}

#[test]
fn nonsense_ends_its_own_connection_alone() {
    let setting = Setting::new();
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let frames = (prop::collection::vec(any_frame(), 1..12), prop::option::of(0..200_usize));
    let outcome = runner.run(&frames, |(frames, cut)| {
        let mut raw = setting.greeted();
        let mut bytes = frames.concat();
        bytes.truncate(cut.unwrap_or(usize::MAX));
        raw.send(&bytes);
        raw.0.stream.conn.send_close_notify();
        raw.send(&[]);
        let _ = raw.0.stream.sock.shutdown(std::net::Shutdown::Write);
        while raw.said() != Said::End {}
        Ok(())
    });
    outcome.unwrap();
    setting.serves();
}
