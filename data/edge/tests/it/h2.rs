//! HTTP/2 from clients: what targets and clients see, by whole requests. Single frames are tried in `h2_frames`.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use world::{Action, ClientCertificates, TargetHealth};

use crate::client::Client;
use crate::h2_peers::{H2Client, read, send, wait};
use crate::origin::{Origin, Then, reply};
use crate::rig::{Rig, eventually};
use crate::secure::{Authority, SecureClient, secure};

pub const NAME: &str = "web.test";

/// An edge with one HTTPS listener, as `change` wants it, and targets that are healthy.
pub fn start(targets: &[u8], change: impl FnOnce(&mut world::LoadBalancer)) -> (Rig, Authority) {
    let (mut rig, authority) = (Rig::start(), Authority::new());
    let mut balancer = rig.balancer(targets);
    secure(&mut balancer, vec![authority.issue("one", &[NAME])], ClientCertificates::Off);
    change(&mut balancer);
    rig.apply(balancer);
    (rig, authority)
}

pub fn connect(rig: &Rig, authority: &Authority) -> H2Client {
    H2Client::connect(rig.door(), NAME, authority)
}

/// Targets that answer with what `handler` says, and a client.
pub fn with_target(
    handler: impl Fn(&crate::origin::Got, &mut TcpStream) -> Then + Send + Sync + 'static,
    change: impl FnOnce(&mut world::LoadBalancer),
) -> (Rig, Authority, Origin, H2Client) {
    let (rig, authority) = start(&[0], change);
    let origin = Origin::healthy(rig.target_at(0), handler);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let client = connect(&rig, &authority);
    (rig, authority, origin, client)
}

/// What is changed where nothing is.
pub fn nothing(_: &mut world::LoadBalancer) {}

#[test]
fn requests_go_on_as_http11_and_answers_come_back_as_http2() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nX-A: 1\r\nX-a: 2\r\n\r\nhello";
    let (rig, _authority, origin, client) = with_target(
        move |_, stream| {
            stream.write_all(answer.as_bytes()).unwrap();
            Then::Keep
        },
        nothing,
    );
    let request = client.request("GET", "/a/b?x=1&y=%20").header("x-own", "1").header("te", "trailers").body(()).unwrap();
    let got = wait(client.ask(request, None)).unwrap();
    assert_eq!((got.status, got.text()), (200, "hello"));
    assert_eq!(got.headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(got.header("server"), Some("awselb/2.0"));
    assert!(got.header("date").is_some());
    for hop in ["connection", "keep-alive", "x-hop", "transfer-encoding"] {
        assert_eq!(got.header(hop), None, "{hop}");
    }
    let [at_target] = origin.got().try_into().unwrap();
    assert!(at_target.head.starts_with("GET /a/b?x=1&y=%20 HTTP/1.1\r\n"), "{}", at_target.head);
    assert_eq!(at_target.header("Host"), Some(format!("{NAME}:{}", rig.door().port()).as_str()));
    assert_eq!(at_target.header("X-Forwarded-Proto"), Some("https"));
    assert_eq!(at_target.header("X-Forwarded-For"), Some("127.0.0.1"));
    assert_eq!((at_target.header("x-own"), at_target.header("te")), (Some("1"), None));
    assert!(at_target.header("X-Amzn-Trace-Id").is_some());
}

#[test]
fn streams_are_answered_side_by_side() {
    let (_rig, _authority, origin, client) = with_target(
        |got, stream| {
            // The first one is the slowest.
            if got.path() == "/0" {
                let mut wait = [0];
                stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
                let _ = stream.peek(&mut wait);
            }
            reply(stream, 200, got.path())
        },
        nothing,
    );
    let order = wait(async {
        let mut waiting = tokio::task::JoinSet::new();
        for number in 0..100 {
            let client = client.clone();
            waiting.spawn_on(
                async move {
                    let path = format!("/{number}");
                    let got = client.ask(client.request("GET", &path).body(()).unwrap(), None).await.unwrap();
                    assert_eq!(got.text(), path);
                    number
                },
                crate::h2_peers::runtime(),
            );
        }
        waiting.join_all().await
    });
    assert_eq!(order.len(), 100);
    assert_eq!(origin.got().len(), 100);
}

#[test]
fn bodies_of_any_size_are_streamed_both_ways() {
    let (_rig, _authority, origin, client) = with_target(
        |got, stream| {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", got.body.len());
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&got.body)).unwrap();
            Then::Keep
        },
        nothing,
    );
    for (size, tells_length) in
        [(0, true), (1, true), (16_384, true), (3_000_000, true), (0, false), (100, false), (700_000, false)]
    {
        let body: Bytes = (0..size).map(|n: usize| (n % 251) as u8).collect::<Vec<_>>().into();
        let mut request = client.request("POST", "/echo");
        if tells_length {
            request = request.header("content-length", size);
        }
        let got = wait(client.ask(request.body(()).unwrap(), Some(body.clone()))).unwrap();
        assert_eq!((got.status, got.body.len()), (200, size));
        assert!(got.body == body, "{size} bytes came back changed");
        let at_target = origin.got().pop().unwrap();
        let length = tells_length.then(|| size.to_string());
        assert_eq!(at_target.header("Content-Length").map(str::to_string), length, "{size} {tells_length}");
        // The end of nothing may come along with the head, and then there is no body.
        if size > 0 || tells_length {
            assert_eq!(at_target.header("Transfer-Encoding").is_some(), !tells_length);
        }
    }
}

#[test]
fn answers_of_unknown_length_end_with_their_stream() {
    let (_rig, _authority, _origin, client) = with_target(
        |got, stream| {
            let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
            let by_close = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde";
            let cut = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcde";
            let malformed = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n";
            let (text, then) = match got.path() {
                "/chunked" => (chunked, Then::Keep),
                "/close" => (by_close, Then::Close),
                "/malformed" => (malformed, Then::Close),
                _ => (cut, Then::Close),
            };
            stream.write_all(text.as_bytes()).unwrap();
            then
        },
        nothing,
    );
    for path in ["/chunked", "/close"] {
        let got = client.get(path);
        assert_eq!((got.status, got.text(), got.header("content-length")), (200, "abcde", None), "{path}");
    }
    let error = wait(client.ask(client.request("GET", "/cut").body(()).unwrap(), None)).unwrap_err();
    assert!(error.is_reset(), "{error}");
    assert_eq!(client.get("/malformed").status, 502, "nothing of it has gone on");
    assert_eq!(client.get("/chunked").status, 200, "the connection goes on");
}

#[test]
fn answers_without_a_body_have_none() {
    let (_rig, _authority, _origin, client) = with_target(
        |got, stream| {
            let text = match got.path() {
                "/head" => "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
                "/304" => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
                _ => "HTTP/1.1 204 No Content\r\n\r\n",
            };
            stream.write_all(text.as_bytes()).unwrap();
            Then::Keep
        },
        nothing,
    );
    let head = wait(client.ask(client.request("HEAD", "/head").body(()).unwrap(), None)).unwrap();
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("1234"), 0));
    assert_eq!((client.get("/304").status, client.get("/204").status), (304, 204));
}

#[test]
fn informational_answers_go_ahead_of_the_final_one() {
    let (_rig, _authority, _origin, client) = with_target(
        |_, stream| {
            stream.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n").unwrap();
            reply(stream, 200, "done")
        },
        nothing,
    );
    // The client's crate keeps them to itself, so that a final answer behind one shows that it was understood.
    let request = client.request("POST", "/").header("expect", "100-continue").body(()).unwrap();
    let got = wait(client.ask(request, Some(Bytes::from_static(b"body")))).unwrap();
    assert_eq!((got.status, got.text()), (200, "done"));
}

#[test]
fn trailers_of_a_request_reach_its_target() {
    let (rig, authority) = start(&[0], nothing);
    let listener = std::net::TcpListener::bind(rig.target_at(0)).unwrap();
    let target = std::thread::spawn(move || {
        loop {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = Vec::new();
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut bytes) {
                text.extend_from_slice(&bytes[..count]);
                let is_check = text.starts_with(b"GET /health");
                if is_check || text.windows(6).any(|w| w == b"sum: 1") && text.ends_with(b"\r\n\r\n") {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
                    if !is_check {
                        return String::from_utf8(text).unwrap();
                    }
                    text.clear();
                }
            }
        }
    });
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let client = connect(&rig, &authority);
    wait(async {
        let (response, mut stream) = client.begin(client.request("POST", "/").body(()).unwrap(), false).await;
        stream.send_data(Bytes::from_static(b"abc"), false).unwrap();
        let trailers = [("x-sum", "1"), ("content-length", "9")].map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()));
        stream.send_trailers(http::HeaderMap::from_iter(trailers)).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
    });
    let text = target.join().unwrap();
    assert!(text.ends_with("3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"), "{text}");
}

#[test]
fn cookies_in_several_fields_go_on_in_one() {
    let (_rig, _authority, origin, client) = with_target(|_, stream| reply(stream, 200, ""), nothing);
    let request = client.request("GET", "/").header("cookie", "a=1").header("x", "y").header("cookie", "b=2; c=3");
    assert_eq!(wait(client.ask(request.body(()).unwrap(), None)).unwrap().status, 200);
    let head = origin.got().pop().unwrap().head;
    assert_eq!(head.to_ascii_lowercase().matches("cookie:").count(), 1, "{head}");
    assert!(head.contains("cookie: a=1; b=2; c=3\r\n"), "{head}");
}

#[test]
fn the_load_balancer_answers_by_itself() {
    let (rig, authority) = start(&[], |balancer| {
        let fixed = |status, body: &str| Action::FixedResponse { status, content_type: None, body: body.into() };
        let rule = |number: u32, path: &str, action| world::ListenerRule {
            id: format!("rule-{number}"),
            priority: number,
            conditions: vec![world::Condition::Path { values: vec![world::Pattern::Glob(path.into())] }],
            transforms: Vec::new(),
            action,
        };
        let redirect = Action::Redirect {
            protocol: "HTTPS".into(),
            host: "#{host}".into(),
            port: "443".into(),
            path: "/new/#{path}".into(),
            query: "#{query}".into(),
            status: 301,
        };
        balancer.listeners[0].rules = vec![rule(1, "/fixed", fixed(418, "short")), rule(2, "/old", redirect)];
    });
    let client = connect(&rig, &authority);
    let got = client.get("/fixed");
    assert_eq!((got.status, got.text(), got.header("connection")), (418, "short", None));
    assert_eq!(got.header("content-type"), Some("text/plain; charset=utf-8"));
    let got = client.get("/old?x=1");
    assert_eq!((got.status, got.header("location")), (301, Some(format!("https://{NAME}:443/new/old?x=1").as_str())));
    let got = client.get("/");
    assert_eq!((got.status, got.header("server")), (503, Some("awselb/2.0")));
    assert!(got.text().contains("503 Service Temporarily Unavailable"), "{}", got.text());
    let head = wait(client.ask(client.request("HEAD", "/fixed").body(()).unwrap(), None)).unwrap();
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (418, Some("5"), 0));
    let body = Some(Bytes::from(vec![7; 200_000]));
    let got = wait(client.ask(client.request("POST", "/fixed").body(()).unwrap(), body)).unwrap();
    assert_eq!(got.status, 418, "the body of a request that nobody reads does no harm");
    assert_eq!(client.get("/fixed").status, 418);
}

/// A reset right behind an answer may overtake it: some clients then throw the answer away.
#[test]
fn a_client_may_go_on_sending_behind_its_answer() {
    let (rig, authority) = start(&[], |balancer| {
        balancer.listeners[0].default_action = Action::FixedResponse { status: 418, content_type: None, body: "early".into() };
    });
    let client = connect(&rig, &authority);
    wait(async {
        let (response, mut stream) = client.begin(client.request("POST", "/").body(()).unwrap(), false).await;
        let response = response.await.unwrap();
        assert_eq!(response.status(), 418);
        assert_eq!(read(&mut response.into_body()).await.unwrap().0, b"early");
        send(&mut stream, Bytes::from(vec![7; 100_000])).await.unwrap();
        stream.send_data(Bytes::new(), true).unwrap();
    });
    assert_eq!(client.get("/").status, 418);
}

/// "ELB User Guide, Troubleshoot": what is answered to requests that are not served.
#[test]
fn requests_that_are_not_served_are_refused_alone() {
    let (_rig, _authority, origin, client) = with_target(|_, stream| reply(stream, 200, ""), nothing);
    let check = |request: http::request::Builder, status: u16| {
        let request = request.body(()).unwrap();
        let told = format!("{request:?}");
        assert_eq!(wait(client.ask(request, None)).unwrap().status, status, "{told}");
    };
    let forwarded = vec!["192.0.2.1"; 31].join(", ");
    check(client.request("TRACE", "/"), 405);
    check(client.request("GET", "/").header("x-forwarded-for", forwarded), 463);
    check(client.request("GET", "/").header("host", "other.test"), 400);
    check(client.request("GET", "/").header("x-long", "a".repeat(16 * 1024)), 400);
    check(client.request("GET", &format!("/{}", "a".repeat(16 * 1024))), 414);
    check((0..300).fold(client.request("GET", "/"), |r, n| r.header(format!("x-{n}"), "1")), 400);
    assert_eq!(origin.got().len(), 0);
    check(client.request("GET", "/"), 200);
    check(client.request("GET", "/").header("host", NAME), 200);
}

#[test]
fn a_request_whose_target_dies_is_taken_to_another() {
    let (rig, authority) = start(&[0, 1], nothing);
    let _dies = Origin::healthy(rig.target_at(0), |_, _| Then::Close);
    let _lives = Origin::healthy(rig.target_at(1), |got, stream| reply(stream, 200, &got.body.len().to_string()));
    (0..2).for_each(|n| rig.serve.await_health(n, &TargetHealth::Healthy));
    let client = connect(&rig, &authority);
    for _ in 0..6 {
        let got = wait(client.ask(client.request("PUT", "/").body(()).unwrap(), Some(Bytes::from_static(b"12345")))).unwrap();
        assert_eq!((got.status, got.text()), (200, "5"));
    }
    let posts: Vec<u16> = (0..6)
        .map(|_| wait(client.ask(client.request("POST", "/").body(()).unwrap(), Some(Bytes::from_static(b"1")))).unwrap().status)
        .collect();
    assert!(posts.iter().all(|status| [200, 502].contains(status)) && posts.contains(&200), "{posts:?}");
}

#[test]
fn a_target_is_let_go_when_its_client_breaks_off() {
    let (sender, left) = std::sync::mpsc::channel();
    let (_rig, _authority, origin, client) = with_target(
        move |_, stream| {
            // Until the edge hangs up.
            let ended = matches!(stream.read(&mut [0]), Ok(0) | Err(_));
            sender.send(ended).unwrap();
            Then::Close
        },
        nothing,
    );
    let (response, mut stream) = wait(client.begin(client.request("GET", "/").body(()).unwrap(), true));
    eventually("the target has the request", || (!origin.got().is_empty()).then_some(()));
    stream.send_reset(Reason::CANCEL);
    drop(response);
    assert!(left.recv_timeout(Duration::from_secs(10)).unwrap());
}

#[test]
fn http2_is_not_agreed_on_where_it_is_off() {
    let (rig, authority) = start(&[0], |balancer| balancer.http.http2 = false);
    let _origin = Origin::named(rig.target_at(0), "one");
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let mut config = authority.client();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut client = SecureClient::connect(rig.door(), NAME, &Arc::new(config)).unwrap();
    assert_eq!(client.stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(client.get(NAME, "").unwrap().0, 200);
}

/// "ELB User Guide, Listeners: native support for HTTP/2 with HTTPS listeners": in the clear there is none.
#[test]
fn http2_in_the_clear_is_refused() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "one");
    rig.serve_with(&[0]);
    let mut client = Client::connect(rig.door());
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let answer = client.answer(false);
    assert!([400, 505].contains(&answer.status), "{}", answer.status);
    assert!(client.is_closed());
}

#[test]
fn an_answer_before_the_end_of_its_request_reaches_the_client() {
    let (rig, authority) = start(&[0], nothing);
    let listener = std::net::TcpListener::bind(rig.target_at(0)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let (mut stream, mut bytes) = (stream, [0; 4096]);
                while let Ok(count @ 1..) = stream.read(&mut bytes) {
                    let is_check = bytes[..count].starts_with(b"GET /health");
                    let status = if is_check { "200 OK" } else { "413 Too Large" };
                    let text = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                    if stream.write_all(text.as_bytes()).is_err() || !is_check {
                        return;
                    }
                }
            });
        }
    });
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let client = connect(&rig, &authority);
    wait(async {
        let (response, mut stream) = client.begin(client.request("POST", "/").body(()).unwrap(), false).await;
        let sending = tokio::spawn(async move { send(&mut stream, vec![1; 10_000_000].into()).await });
        let (head, mut body) = response.await.unwrap().into_parts();
        assert_eq!(head.status, 413);
        // The end of the stream comes as a reset that says that nothing is wrong (RFC 9113, 8.1).
        match read(&mut body).await {
            Ok((body, _)) => assert_eq!(body.len(), 0),
            Err(error) => assert_eq!(error.reason(), Some(Reason::NO_ERROR)),
        }
        assert!(sending.await.unwrap().is_err());
    });
}
