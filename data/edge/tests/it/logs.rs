//! Log files of load balancers, as they lie below `buckets/`.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use rustls::version;
use world::{
    Action, ClientCertificates, Condition, DesyncMode, ListenerRule, LoadBalancer, LogPlace, Pattern, TargetHealth, TargetReason,
    Transform, TrustStore,
};

use crate::client::Client;
use crate::h2_peers::{H2Client, wait};
use crate::origin::{Origin, reply};
use crate::rig::{GROUP, PORT, Rig, eventually};
use crate::secure::{Authority, SecureClient, secure, start_secure};

const NAME: &str = "web-1.eu-central-1.elb.localhost";

pub fn place(prefix: &str) -> Option<LogPlace> {
    Some(LogPlace { bucket: "my-logs".into(), prefix: prefix.into() })
}

fn files_below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

/// All lines of files below this prefix, split into their fields.
fn lines(rig: &Rig, prefix: &str) -> Vec<Vec<String>> {
    let mut files = Vec::new();
    files_below(&rig.paths().buckets().join("my-logs").join(prefix), &mut files);
    files.retain(|file| file.to_str().unwrap().ends_with(".log.gz"));
    files.sort();
    let mut lines = Vec::new();
    for file in files {
        let mut text = String::new();
        MultiGzDecoder::new(fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
        lines.extend(text.lines().map(fields));
    }
    lines.sort_by_key(|line| line.iter().find(|field| field.starts_with("20")).cloned());
    lines
}

/// Fields are delimited by spaces; some are enclosed in double quotes.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => fields.push(String::new()),
            _ => fields.last_mut().unwrap().push(letter),
        }
    }
    assert!(!quoted, "{line}");
    fields
}

/// Switches all logs off, and waits for so many lines of this prefix.
pub fn written(rig: &mut Rig, mut balancer: LoadBalancer, prefix: &str, count: usize) -> Vec<Vec<String>> {
    (balancer.access_log, balancer.connection_log, balancer.health_check_log) = (None, None, None);
    rig.apply(balancer);
    eventually("the log is written", || Some(lines(rig, prefix)).filter(|lines| lines.len() >= count))
}

fn is_seconds(text: &str, digits: usize) -> bool {
    text.split_once('.').is_some_and(|(whole, part)| whole.parse::<u32>().is_ok() && part.len() == digits)
}

#[test]
fn requests_are_logged_with_all_fields_of_the_user_guide() {
    let mut rig = Rig::start();
    let origin = Origin::healthy(rig.target_at(0), |got, stream| reply(stream, 201, &"x".repeat(got.body.len())));
    rig.serve_with(&[0]);
    let mut balancer = rig.balancer(&[0]);
    balancer.access_log = place("some/prefix");
    rig.apply(balancer.clone());
    let mut client = Client::connect(rig.door());
    let request =
        "POST /a/b?c=\"d\" HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: \"me\" 1.0\r\nContent-Length: 4\r\n\r\nabcd";
    let answer = client.send(request).answer(false);
    let answered = answer.head.len() + answer.body.len();
    let traced = "X-Amzn-Trace-Id: Root=1-w\r\nX-Amzn-Trace-Id: Root=1-x;a=b\r\n";
    let second = client.send(format!("GET / HTTP/1.0\r\n{traced}Connection: keep-alive\r\n\r\n")).answer(false);
    assert_eq!((answer.status, second.status), (201, 201));
    let from = client.stream.local_addr().unwrap().to_string();
    let lines = written(&mut rig, balancer, "some/prefix/AWSLogs/000000000000/elasticloadbalancing/eu-central-1", 2);
    let line: Vec<&str> = lines[0].iter().map(String::as_str).collect();
    assert_eq!(line.len(), 34, "{line:?}");
    let target = rig.target_at(0).to_string();
    assert_eq!((line[0], line[2], line[3], line[4]), ("http", "app/web/1", &*from, &*target));
    assert!(line[1].ends_with('Z') && line[1].len() == 27 && line[1] >= line[21], "{line:?}");
    assert!(line[5..8].iter().all(|time| is_seconds(time, 3)), "{line:?}");
    assert_eq!(line[8..12], ["201", "201", &request.len().to_string(), &answered.to_string()]);
    let url = format!("POST http://www.example.com:{PORT}/a/b?c=\\x22d\\x22 HTTP/1.1");
    assert_eq!(line[12..17], [&*url, "\\x22me\\x22 1.0", "-", "-", GROUP]);
    let trace = origin.got()[0].header("X-Amzn-Trace-Id").unwrap().to_string();
    assert_eq!(line[17..21], [&*trace, "-", "-", "0"]);
    assert_eq!(line[22..29], ["forward", "-", "-", &*target, "201", "-", "-"]);
    assert!(line[29].starts_with("TID_") && line[29].len() == 36, "{line:?}");
    assert_eq!(line[30..34], ["-", "-", "-", &rig.address(2).to_string()]);
    let line = &lines[1];
    assert_eq!(line[12], format!("GET http://{NAME}:{PORT}/ HTTP/1.0"));
    assert!(line[17].starts_with("Self=1-") && line[17].ends_with(";Root=1-x;a=b"), "{line:?}");
    assert_eq!(origin.got()[1].header("X-Amzn-Trace-Id"), Some(line[17].as_str()), "what the target gets");
    assert_eq!(line[29], lines[0][29], "the same connection");
}

#[test]
fn what_no_target_has_answered_is_logged_too() {
    let mut rig = Rig::start();
    rig.serve_with(&[]);
    let mut balancer = rig.balancer(&[0]);
    balancer.access_log = place("");
    balancer.http.desync = DesyncMode::Strictest;
    let rule = |priority, path: &str, action| ListenerRule {
        id: format!("rule-{priority}"),
        priority,
        conditions: vec![Condition::Path { values: vec![Pattern::Glob(path.into())] }],
        transforms: Vec::new(),
        action,
    };
    let fixed = Action::FixedResponse { status: 418, content_type: None, body: "no".into() };
    let redirect = Action::Redirect {
        protocol: "HTTPS".into(),
        host: "#{host}".into(),
        port: "443".into(),
        path: "/#{path}".into(),
        query: "#{query}".into(),
        status: 301,
    };
    let mut broken = rule(3, "/broken", balancer.listeners[0].default_action.clone());
    broken.transforms = vec![Transform::Url { regex: "^/broken".into(), replace: "no-path".into() }];
    balancer.listeners[0].rules = vec![rule(1, "/fixed", fixed), rule(2, "/redirect", redirect), broken];
    rig.apply(balancer.clone());
    let mut expected = Vec::new();
    for (request, status, wanted) in [
        ("GET /fixed HTTP/1.1\r\nHost: a\r\n\r\n", 418, ["1", "fixed-response", "-", "-", "-", "-"]),
        ("GET /redirect?a HTTP/1.1\r\nHost: a\r\n\r\n", 301, ["2", "redirect", "https://a:443/redirect?a", "-", "-", "-"]),
        ("GET /broken HTTP/1.1\r\nHost: a\r\n\r\n", 500, ["3", "forward", "-", "-", "-", "TransformInvalidPath"]),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 503, ["0", "forward", "-", "-", "-", "-"]),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            400,
            ["-", "-", "-", "Acceptable", "GetHeadZeroContentLength", "-"],
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400, ["-", "-", "-", "Severe", "BadContentLength", "-"]),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, ["-", "-", "-", "Severe", "BadHeader", "-"]),
    ] {
        assert_eq!(Client::connect(rig.door()).send(request).answer(false).status, status, "{request}");
        expected.push((status, wanted));
    }
    let lines = written(&mut rig, balancer, "", expected.len());
    assert_eq!(lines.len(), expected.len());
    for (line, (status, wanted)) in lines.iter().zip(expected) {
        assert_eq!(line.len(), 34, "{line:?}");
        assert_eq!((line[4].as_str(), &line[5..8]), ("-", &["-1", "-1", "-1"].map(String::from)[..]), "{line:?}");
        assert_eq!((line[8].clone(), line[9].as_str()), (status.to_string(), "-"));
        let got = [&line[20], &line[22], &line[23], &line[27], &line[28], &line[32]];
        assert_eq!(got, wanted.map(String::from).each_ref(), "{line:?}");
    }
    assert_eq!(lines[6][12], format!("- http://{NAME}:{PORT}- -"));
}

/// A long body moves within the kernel, past all that counts elsewhere.
#[test]
fn bytes_of_a_long_answer_are_logged_as_sent() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |_, stream| reply(stream, 200, &"x".repeat(1_000_000)));
    rig.serve_with(&[0]);
    let mut balancer = rig.balancer(&[0]);
    balancer.access_log = place("");
    rig.apply(balancer.clone());
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = Client::connect(rig.door()).send(request).answer(false);
    let lines = written(&mut rig, balancer, "", 1);
    let sent = answer.head.len() + answer.body.len();
    assert_eq!(lines[0][10..12], [request.len().to_string(), sent.to_string()]);
}

/// Each of these bytes takes four in a log.
#[test]
fn the_longest_requests_are_logged_too() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let mut balancer = rig.balancer(&[0]);
    balancer.access_log = place("");
    rig.apply(balancer.clone());
    let long = "\"".repeat(16_000);
    let request = format!("GET /{long} HTTP/1.1\r\nHost: a\r\nUser-Agent: {long}\r\nX-Amzn-Trace-Id: {long}\r\n\r\n");
    assert_eq!(Client::connect(rig.door()).send(&request).answer(false).status, 200);
    let lines = written(&mut rig, balancer, "", 1);
    let quotes = |field: usize| lines[0][field].matches("\\x22").count();
    assert_eq!([12, 13, 17].map(quotes), [16_000, 8_192, 16_000]);
}

/// Access logs of refused requests: type, status, target's status, request, user agent, and classification's reason.
fn check_refused(lines: &[Vec<String>], expected: &[(u16, [&str; 4])]) {
    assert_eq!(lines.len(), expected.len(), "{lines:?}");
    for (line, (status, wanted)) in lines.iter().zip(expected) {
        assert_eq!((line.len(), line[8].clone(), &*line[9]), (34, status.to_string(), "-"), "{line:?}");
        assert_eq!(line[5..8], ["-1", "-1", "-1"], "{line:?}");
        assert_eq!([&*line[0], &*line[12], &*line[13], &*line[28]], *wanted, "{line:?}");
    }
}

#[test]
fn refused_requests_are_logged_with_what_they_say() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n").unwrap();
        crate::origin::Then::Close
    });
    rig.serve_with(&[0]);
    let mut balancer = rig.balancer(&[0]);
    balancer.access_log = place("");
    balancer.idle_timeout_ms = 1_000;
    rig.apply(balancer.clone());
    let from = format!("Host: a\r\nUser-Agent: me\r\nX-Forwarded-For: {}1\r\n", "1,".repeat(30));
    let long = format!("GET /long HTTP/1.1\r\nHost: a\r\nUser-Agent: me\r\nX: {}\r\n\r\n", "x".repeat(17_000));
    let url = |method: &str, path: &str, version: &str| format!("{method} http://a:{PORT}{path} {version}");
    let nothing = format!("- http://{NAME}:{PORT}- -");
    let mut expected = Vec::new();
    for (request, status, line, agent, reason) in [
        (
            "TRACE /a?b HTTP/1.1\r\nHost: a:81\r\nUser-Agent: \"me\"\r\n",
            405,
            url("TRACE", "/a?b", "HTTP/1.1"),
            "\\x22me\\x22",
            "-",
        ),
        (&*format!("GET / HTTP/1.0\r\n{from}"), 463, url("GET", "/", "HTTP/1.0"), "me", "-"),
        ("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n", 501, url("PUT", "/", "HTTP/1.1"), "-", "BadTransferEncoding"),
        ("GET /b HTTP/3.0\r\nHost: a\r\nUser-Agent: me\r\n", 505, url("GET", "/b", "HTTP/3.0"), "me", "BadVersion"),
        (&long, 400, url("GET", "/long", "HTTP/1.1"), "me", "-"),
        ("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: me\r\nX : x\r\n", 400, nothing.clone(), "-", "BadHeader"),
        ("GET  / HTTP/1.1\r\nHost: a\r\n", 400, nothing.clone(), "-", "BadMethod"),
        ("GET /late HTTP/1.1\r\nHost: a\r\nUser-Agent: me\r\nX: y", 408, url("GET", "/late", "HTTP/1.1"), "me", "-"),
        ("GET /c HTTP/1.1\r\nHost: a\r\nUser-Agent: me\r\n", 502, url("GET", "/c", "HTTP/1.1"), "me", "-"),
    ] {
        assert_eq!(Client::connect(rig.door()).send(format!("{request}\r\n")).answer(false).status, status, "{request}");
        expected.push((status, line, agent, reason));
    }
    let lines = written(&mut rig, balancer, "", expected.len());
    let expected: Vec<_> =
        expected.iter().map(|(status, line, agent, reason)| (*status, ["http", line, agent, reason])).collect();
    check_refused(&lines, &expected);
}

#[test]
fn requests_refused_by_http2_are_logged_as_such() {
    let mut rig = Rig::start();
    let (authority, mut balancer) = (Authority::new(), rig.balancer(&[]));
    secure(&mut balancer, vec![authority.issue("own", &["web.test"])], ClientCertificates::Off);
    balancer.access_log = place("");
    rig.apply(balancer.clone());
    let client = H2Client::connect(rig.door(), "web.test", &authority);
    let from = format!("{}1", "1,".repeat(30));
    let mut expected = Vec::new();
    for (method, path, header, status, told) in [
        ("TRACE", "/a?b", ("x", "y"), 405, true),
        ("GET", "/", ("x-forwarded-for", &*from), 463, true),
        ("GET", "/x", ("x", &*"x".repeat(17_000)), 400, true),
        ("GET", &*format!("/{}", "x".repeat(17_000)), ("x", "y"), 414, false),
    ] {
        let request = client.request(method, path).header("user-agent", "me").header(header.0, header.1).body(()).unwrap();
        assert_eq!(wait(client.ask(request, None)).unwrap().status, status, "{method} {status}");
        let line = format!("{method} https://web.test:{PORT}{path} HTTP/2.0");
        expected.push((status, if told { (line, "me") } else { (format!("- https://{NAME}:{PORT}- -"), "-") }));
    }
    let lines = written(&mut rig, balancer, "", expected.len());
    let expected: Vec<_> = expected.iter().map(|(status, (line, agent))| (*status, ["h2", line, agent, "-"])).collect();
    check_refused(&lines, &expected);
}

#[test]
fn a_switched_on_log_shows_that_it_can_be_written() {
    let mut rig = Rig::start();
    let mut balancer = rig.balancer(&[]);
    (balancer.access_log, balancer.connection_log, balancer.health_check_log) = (place("a"), place("b"), place("c"));
    rig.apply(balancer.clone());
    for (prefix, name) in [("a", "ELBAccessLogTestFile"), ("b", "ELBConnectionLogTestFile"), ("c", "ELBHealthCheckLogTestFile")] {
        let file = rig.paths().buckets().join("my-logs").join(prefix).join("AWSLogs/000000000000").join(name);
        eventually("the test file is there", || fs::read_to_string(&file).ok().filter(|text| text.contains("app/web/1")));
    }
    balancer.access_log = Some(LogPlace { bucket: "..".into(), prefix: "x".into() });
    assert!(rig.refused(balancer.clone()).contains("no name of a bucket"));
    balancer.access_log = place("../../x");
    assert!(rig.refused(balancer).contains("no prefix"));
}

#[test]
fn an_edge_that_ends_leaves_no_line_behind() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let mut balancer = rig.balancer(&[0]);
    balancer.access_log = place("");
    rig.apply(balancer);
    let mut clients: Vec<Client> = (0..10).map(|_| Client::connect(rig.door())).collect();
    for client in &mut clients {
        (0..20).for_each(|_| assert_eq!(client.get("/").status, 200));
    }
    rig.shut_down(false).unwrap();
    assert_eq!(lines(&rig, "").len(), 200);
}

#[test]
fn websockets_are_logged_when_they_end() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |_, stream| {
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").unwrap();
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).unwrap();
        stream.write_all(b"hello back").unwrap();
        crate::origin::Then::Close
    });
    rig.serve_with(&[0]);
    let mut balancer = rig.balancer(&[0]);
    balancer.access_log = place("");
    rig.apply(balancer.clone());
    let request = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let mut client = Client::connect(rig.door());
    let answer = client.send(request).try_answer(true).unwrap();
    assert_eq!(client.send("hello").take(10).unwrap(), b"hello back");
    drop(client);
    let line = &written(&mut rig, balancer, "", 1)[0];
    assert_eq!((line[0].as_str(), line[8].as_str(), line[9].as_str()), ("ws", "101", "101"));
    let moved = (line[10].parse::<usize>().unwrap(), line[11].parse::<usize>().unwrap());
    assert_eq!(moved, (request.len() + 5, answer.head.len() + 10));
}

#[test]
fn connections_are_logged_with_what_they_have_agreed_on() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    let (authority, stranger) = (Authority::new(), Authority::new());
    start_secure(&mut rig, vec![authority.issue("own", &[NAME])], ClientCertificates::Off);
    let mut balancer = rig.balancer(&[0]);
    let (trust_store, ignore_expiry, advertise_names) = ("store".to_string(), false, false);
    let verify = ClientCertificates::Verify { trust_store, ignore_expiry, advertise_names };
    secure(&mut balancer, vec![authority.issue("own", &[NAME])], verify);
    let authorities = authority.0.as_ref().pem();
    balancer.trust_stores = vec![TrustStore { id: "store".into(), authorities, revocations: Vec::new() }];
    (balancer.access_log, balancer.connection_log) = (place("access"), place("connection"));
    rig.apply(balancer.clone());
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let certificate = authority.issue("client", &["client.example"]);
    let config = Arc::new(authority.client_with(&[&version::TLS13], Some(&certificate)));
    let mut client = SecureClient::connect(rig.door(), NAME, &config).unwrap();
    assert_eq!(client.get(NAME, "").unwrap().0, 200);
    let unknown = stranger.issue("client", &["client.example"]);
    let config = Arc::new(authority.client_with(&[&version::TLS12], Some(&unknown)));
    assert!(SecureClient::connect(rig.door(), NAME, &config).is_err());
    let connections = written(&mut rig, balancer, "connection", 2);
    let line: Vec<&str> = connections[0].iter().map(String::as_str).collect();
    assert_eq!(line.len(), 15, "{line:?}");
    assert_eq!((line[1], line[3]), ("127.0.0.1", &*PORT.to_string()));
    assert_eq!((line[4], line[5]), ("TLSv1.3", "TLS_AES_128_GCM_SHA256"));
    assert!(is_seconds(line[6], 3), "{line:?}");
    assert!(line[8].starts_with("NotBefore=") && line[8].contains(";NotAfter="), "{line:?}");
    assert_eq!((line[10], line[12]), ("Success", "X25519"));
    assert_eq!((line[13], line[14]), ("app/web/1", &*rig.address(2).to_string()));
    let requests = eventually("the access log", || Some(lines(&rig, "access")).filter(|lines| !lines.is_empty()));
    let request: Vec<&str> = requests[0].iter().map(String::as_str).collect();
    assert_eq!(request[29], line[11], "one id links the two logs");
    assert_eq!((request[0], request[14], request[15]), ("https", "TLS_AES_128_GCM_SHA256", "TLSv1.3"));
    assert_eq!((request[18], request[19]), (NAME, "own"));
    let line: Vec<&str> = connections[1].iter().map(String::as_str).collect();
    assert_eq!((line[4], line[6], line[10]), ("TLSv1.2", "-", "Failed:ClientCertUntrusted"));
}

#[test]
fn health_checks_are_logged_with_what_they_found() {
    let mut rig = Rig::start();
    let _well = Origin::named(rig.target_at(0), "zero");
    let _ill = Origin::start(rig.target_at(1), |_, stream| reply(stream, 503, ""));
    let mut balancer = rig.balancer(&[0, 1, 2]);
    balancer.health_check_log = place("checks");
    rig.apply(balancer.clone());
    rig.serve.await_health(0, &TargetHealth::Healthy);
    rig.serve.await_health(
        1,
        &TargetHealth::Unhealthy { reason: TargetReason::ResponseCodeMismatch { status: 503 }, draining: false },
    );
    rig.serve.await_health(2, &TargetHealth::Unhealthy { reason: TargetReason::FailedHealthChecks, draining: false });
    written(&mut rig, balancer, "checks", 3);
    // Each zone has a file of its own, and one may be there before the other.
    let is_there = |lines: &Vec<Vec<String>>| (0..3).all(|n| lines.iter().any(|line| line[3] == rig.target_at(n).to_string()));
    let lines = eventually("each target has a line", || Some(lines(&rig, "checks")).filter(is_there));
    for (number, wanted, node) in [
        (0, ["PASS", "200", "-"], rig.address(2)),
        (1, ["FAIL", "503", "TargetError"], rig.address(3)),
        (2, ["FAIL", "-", "ConnectionReset"], rig.address(2)),
    ] {
        let target = rig.target_at(number).to_string();
        let line = lines.iter().find(|line| line[3] == target).unwrap();
        assert_eq!(line.len(), 10, "{line:?}");
        assert_eq!((line[0].as_str(), line[4].as_str()), ("http", "web"));
        assert!(line[1].ends_with('Z') && is_seconds(&line[2], 9), "{line:?}");
        assert_eq!(line[5..8], wanted.map(String::from));
        assert_eq!(line[8..], ["app/web/1".to_string(), node.to_string()]);
    }
}

#[test]
fn full_disks_cost_lines_and_no_requests() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    // A file where a directory should be stands for a disk that takes nothing: root may write where it likes.
    fs::create_dir_all(rig.paths().buckets()).unwrap();
    fs::write(rig.paths().buckets().join("my-logs"), "").unwrap();
    let mut balancer = rig.balancer(&[0]);
    balancer.access_log = place("");
    rig.apply(balancer.clone());
    let mut client = Client::connect(rig.door());
    (0..100).for_each(|_| assert_eq!(client.get("/").status, 200));
    balancer.access_log = None;
    rig.apply(balancer);
    assert_eq!(client.get("/").status, 200);
}
