//! Reports of traffic, checked against the requests that were made.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::SocketAddrV4;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::Time;
use edge::FrontReport;
use world::{
    Action, BalancerTraffic, ClientCertificates, Condition, Frame, GroupTraffic, ListenerRule, Observation, Pattern,
    ProtocolVersion, TargetHealth, TargetReason,
};

use crate::client::{Client, get};
use crate::h2_peers::{H2Client, H2Origin, Setup};
use crate::h2_targets::Scene;
use crate::origin::{Origin, Then, reply};
use crate::rig::{BALANCER, GROUP, PORT, Rig, eventually};
use crate::secure::{Authority, secure};

const EVERY_MS: u64 = 100;

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time::from_unix_ms(i64::try_from(since.as_millis()).unwrap())
}

fn reports(rig: &Rig) -> Vec<(Time, Time, Vec<BalancerTraffic>)> {
    let told = |o: Observation| match o {
        Observation::Traffic { from, until, balancers } => Some((from, until, balancers)),
        _ => None,
    };
    rig.serve.observations().into_iter().filter_map(told).collect()
}

/// The sums of all reports for a zone, once they tell of a moment after this one.
fn traffic(rig: &Rig, zone: &str) -> BalancerTraffic {
    let enough = now();
    eventually("a report", || reports(rig).iter().any(|(from, _, _)| *from > enough).then_some(()));
    let mut sum: Option<BalancerTraffic> = None;
    for one in reports(rig).into_iter().flat_map(|(_, _, balancers)| balancers).filter(|b| b.zone == zone) {
        assert_eq!(&*one.id, BALANCER);
        match &mut sum {
            Some(sum) => add(sum, &one),
            None => sum = Some(one),
        }
    }
    sum.unwrap()
}

fn add(sum: &mut BalancerTraffic, more: &BalancerTraffic) {
    sum.requests += more.requests;
    sum.active_connections = more.active_connections;
    sum.new_connections += more.new_connections;
    sum.processed_bytes += more.processed_bytes;
    sum.fixed_responses += more.fixed_responses;
    sum.own_answers.extend(&more.own_answers);
    sum.more.grpc_requests += more.more.grpc_requests;
    sum.more.ipv6_requests += more.more.ipv6_requests;
    sum.more.ipv6_bytes += more.more.ipv6_bytes;
    sum.more.redirects += more.more.redirects;
    sum.more.redirects_too_long += more.more.redirects_too_long;
    sum.more.non_compliant += more.more.non_compliant;
    sum.more.rule_evaluations += more.more.rule_evaluations;
    sum.more.dropped_invalid_headers += more.more.dropped_invalid_headers;
    sum.more.forwarded_invalid_headers += more.more.forwarded_invalid_headers;
    for (group, more) in sum.groups.iter_mut().zip(&more.groups) {
        group.requests += more.requests;
        group.unhealthy_routed += more.unhealthy_routed;
        group.grpc_requests += more.grpc_requests;
        group.ipv6_requests += more.ipv6_requests;
        group.answers.iter_mut().zip(more.answers).for_each(|(a, b)| *a += b);
        group.connection_errors += more.connection_errors;
        for (bucket, count) in &more.response_time_us.buckets {
            group.response_time_us.add(world::Histogram::value_of(*bucket), *count);
        }
    }
}

fn group(traffic: &BalancerTraffic) -> &GroupTraffic {
    assert_eq!((traffic.groups.len(), &*traffic.groups[0].id), (1, GROUP));
    &traffic.groups[0]
}

/// The load balancer's own address in zone a.
fn zone_a(rig: &Rig) -> SocketAddrV4 {
    SocketAddrV4::new(rig.address(2), PORT)
}

/// An origin that takes its time, and answers with the status that the path names.
fn origin(rig: &Rig, number: u8, pause: Duration) -> Origin {
    Origin::healthy(rig.target_at(number), move |got, stream| {
        std::thread::sleep(pause); // slow on purpose
        reply(stream, got.path().trim_start_matches('/').parse().unwrap_or(200), "body")
    })
}

#[test]
fn requests_and_answers_are_counted_by_zone_and_group() {
    let mut rig = Rig::start();
    rig.serve.send(&Frame::Report { every_ms: EVERY_MS });
    let _origin = origin(&rig, 0, Duration::from_millis(20));
    rig.serve_with(&[0]);
    let zone_b = SocketAddrV4::new(rig.address(3), PORT);
    for path in ["/200", "/204", "/302", "/404", "/503"] {
        get(zone_a(&rig), path);
    }
    (0..7).for_each(|_| assert_eq!(get(zone_b, "/200").status, 200));
    let (a, b) = (traffic(&rig, "a"), traffic(&rig, "b"));
    assert_eq!((a.requests, b.requests), (5, 7));
    assert_eq!((group(&a).answers, group(&b).answers), ([2, 1, 1, 1], [7, 0, 0, 0]));
    assert_eq!((a.own_answers.len(), a.fixed_responses), (0, 0));
    let times = &group(&b).response_time_us;
    assert_eq!(times.count, 7);
    assert!(times.min >= 19_000.0 && times.max < 2_000_000.0, "{times:?}");
    assert!(times.sum >= 7.0 * 19_500.0, "{times:?}");
}

#[test]
fn what_is_particular_about_requests_is_counted() {
    let mut rig = Rig::start();
    rig.serve.send(&Frame::Report { every_ms: EVERY_MS });
    let _origin = Origin::start(rig.target_at(0), |_, stream| reply(stream, 500, ""));
    let mut balancer = rig.balancer(&[0]);
    let rule = |priority, path: &str, action| ListenerRule {
        id: format!("rule-{priority}"),
        priority,
        conditions: vec![Condition::Path { values: vec![Pattern::Glob(path.into())] }],
        transforms: Vec::new(),
        action,
    };
    let redirect = |path: &str| Action::Redirect {
        protocol: "HTTPS".into(),
        host: "#{host}".into(),
        port: "443".into(),
        path: path.into(),
        query: "#{query}".into(),
        status: 302,
    };
    balancer.listeners[0].rules = vec![rule(1, "/a", redirect("/#{path}")), rule(2, "/b*", redirect("/#{path}/#{path}/#{path}"))];
    rig.apply(balancer.clone());
    rig.serve.await_health(
        0,
        &TargetHealth::Unhealthy { reason: TargetReason::ResponseCodeMismatch { status: 500 }, draining: false },
    );
    let mut client = Client::connect(zone_a(&rig));
    assert_eq!(client.get("/a").status, 302);
    assert_eq!(client.get(&format!("/b{}", "x".repeat(4_000))).status, 507, "the address is longer than 8K");
    let invalid = "GET / HTTP/1.1\r\nHost: a\r\nX_Y: 1\r\n\r\n";
    assert_eq!(client.send(invalid).answer(false).status, 500);
    balancer.drop_invalid_header_fields = true;
    rig.apply(balancer);
    assert_eq!(client.send(invalid).answer(false).status, 500);
    assert_eq!(client.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").answer(false).status, 500);
    assert_eq!(client.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -\r\n\r\n").answer(false).status, 400);
    let told = traffic(&rig, "a");
    let more = told.more;
    assert_eq!((more.redirects, more.redirects_too_long), (1, 1));
    assert_eq!((more.forwarded_invalid_headers, more.dropped_invalid_headers), (1, 1));
    assert_eq!((more.non_compliant, more.rule_evaluations), (2, 1 + 2 + 3 * 2));
    assert_eq!(group(&told).unhealthy_routed, 3);
}

#[test]
fn bytes_and_connections_of_clients_and_targets_are_counted() {
    let mut rig = Rig::start();
    rig.serve.send(&Frame::Report { every_ms: EVERY_MS });
    let _origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let mut client = Client::connect(SocketAddrV4::new(rig.address(2), PORT));
    let (mut sent, mut got) = (0, 0);
    for _ in 0..10 {
        let text = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n{}", "x".repeat(3_000));
        sent += text.len();
        got += client.send(text).answer(false).body.len();
    }
    let open = traffic(&rig, "a");
    assert_eq!((open.new_connections, open.active_connections), (2, 2), "the client's, and one to the target");
    let heads = 10 * 400;
    let bytes = open.processed_bytes as usize;
    assert!((sent + got + 10 * 80..sent + got + heads).contains(&bytes), "{bytes} for {sent} and {got}");
    drop(client);
    eventually("the client's connection has ended", || (traffic(&rig, "a").active_connections <= 1).then_some(()));
}

#[test]
fn what_the_load_balancer_answers_by_itself_is_counted_by_status() {
    let mut rig = Rig::start();
    rig.serve.send(&Frame::Report { every_ms: EVERY_MS });
    let mut killed = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let node = SocketAddrV4::new(rig.address(2), PORT);
    killed.kill();
    assert_eq!(get(node, "/").status, 502);
    assert_eq!(Client::connect(node).send("nonsense\r\n\r\n").answer(false).status, 400);
    let mut told = traffic(&rig, "a");
    told.own_answers.sort_unstable();
    assert_eq!((told.own_answers.as_slice(), told.requests), ([(400, 1), (502, 1)].as_slice(), 1), "{told:?}");
    assert!(group(&told).connection_errors >= 1);
    assert_eq!(group(&told).answers, [0; 4]);
}

/// "ELB User Guide, Troubleshoot: HTTP 502: The target response is malformed": not the target's answer, but the load balancer's.
#[test]
fn answers_with_a_malformed_chunk_are_not_counted_as_the_targets() {
    let mut rig = Rig::start();
    rig.serve.send(&Frame::Report { every_ms: EVERY_MS });
    let _origin = Origin::healthy(rig.target_at(0), |_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n").unwrap();
        Then::Close
    });
    rig.serve_with(&[0]);
    (0..3).for_each(|_| assert_eq!(get(zone_a(&rig), "/").status, 502));
    let told = traffic(&rig, "a");
    let own: u64 = told.own_answers.iter().filter(|(status, _)| *status == 502).map(|(_, count)| count).sum();
    assert_eq!((own, told.requests, group(&told).answers), (3, 3, [0; 4]), "{told:?}");
}

#[test]
fn fixed_responses_are_requests_of_their_own_kind() {
    let mut rig = Rig::start();
    rig.serve.send(&Frame::Report { every_ms: EVERY_MS });
    let mut balancer = rig.balancer(&[]);
    balancer.listeners[0].default_action = Action::FixedResponse { status: 403, content_type: None, body: "no".into() };
    rig.apply(balancer);
    let mut client = Client::connect(zone_a(&rig));
    (0..3).for_each(|_| assert_eq!(client.get("/").status, 403));
    let told = traffic(&rig, "a");
    let forbidden: u64 = told.own_answers.iter().filter(|(status, _)| *status == 403).map(|(_, count)| count).sum();
    assert_eq!((told.requests, told.fixed_responses, forbidden), (3, 3, 3));
}

#[test]
fn reports_follow_each_other_and_wait_for_a_serve_that_is_away() {
    let mut rig = Rig::start();
    rig.serve.send(&Frame::Report { every_ms: EVERY_MS });
    let _origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    eventually("two reports", || (reports(&rig).len() > 1).then_some(()));
    let before = reports(&rig);
    rig.serve.hang_up();
    (0..4).for_each(|_| assert_eq!(get(zone_a(&rig), "/").status, 200));
    let gone = now();
    eventually("a while", || (now().ms_since(gone) > 5 * EVERY_MS).then_some(()));
    let before = if reports(&rig).len() > before.len() { reports(&rig) } else { before };
    rig.reconnect();
    let told = traffic(&rig, "a");
    let all: Vec<_> = before.into_iter().chain(reports(&rig)).map(|(from, until, _)| (from, until)).collect();
    assert!(all.iter().all(|(_, until)| until.unix_ms() % EVERY_MS as i64 == 0), "{all:?}");
    assert!(all.windows(2).all(|w| w[0].1 == w[1].0), "no period is missing: {all:?}");
    assert_eq!(told.requests, 4);
}

#[test]
fn a_request_that_is_taken_to_another_target_counts_once() {
    let mut rig = Rig::start();
    rig.serve.send(&Frame::Report { every_ms: EVERY_MS });
    let _good = Origin::named(rig.target_at(0), "zero");
    let _bad = Origin::healthy(rig.target_at(1), |_, _| Then::Close);
    rig.serve_with(&[0, 1]);
    (0..6).for_each(|_| assert_eq!(get(zone_a(&rig), "/").status, 200));
    let told = traffic(&rig, "a");
    assert_eq!((told.requests, group(&told).requests, group(&told).answers[0]), (6, 6, 6), "{told:?}");
}

#[test]
fn calls_of_grpc_are_counted_among_the_requests_of_their_group() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    scene.rig.serve.send(&Frame::Report { every_ms: EVERY_MS });
    let _origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), |call| async move {
        match call.head.uri.path() {
            "/plain" => call.answer(200, "plain"),
            _ => call.answer_grpc(Vec::new(), "0"),
        }
    });
    let mut balancer = scene.balancer(&[0]);
    balancer.nodes.truncate(1);
    scene.rig.apply(balancer);
    scene.rig.serve.await_health(0, &TargetHealth::Healthy);
    let client = scene.client();
    (0..3).for_each(|_| assert_eq!(client.call("/a.B/C", b"abc").grpc_status(), Some("0")));
    assert_eq!(client.get("/plain").text(), "plain");
    let told = traffic(&scene.rig, "a");
    assert_eq!((group(&told).requests, group(&told).grpc_requests, told.more.grpc_requests), (4, 3, 3), "{told:?}");
    assert_eq!(group(&told).ipv6_requests, 0);
}

/// "CloudWatch metrics for your Application Load Balancer, IPv6ProcessedBytes": of clients by HTTP/2, too.
#[test]
fn bytes_of_ipv6_clients_by_http2_are_counted_as_such() {
    let (mut rig, authority, name) = (Rig::start(), Authority::new(), "web.test");
    rig.serve.send(&Frame::Report { every_ms: EVERY_MS });
    let _origin = Origin::named(rig.target_at(0), "zero");
    let mut balancer = rig.balancer(&[0]);
    balancer.dualstack = true;
    balancer.nodes.truncate(1);
    secure(&mut balancer, vec![authority.issue("own", &[name])], ClientCertificates::Off);
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    assert_eq!(H2Client::connect(rig.door(), name, &authority).get("/").text(), "zero");
    let before = traffic(&rig, "a");
    assert!(before.processed_bytes > 0, "{before:?}");
    assert_eq!((before.more.ipv6_requests, before.more.ipv6_bytes), (0, 0), "that was by IPv4");
    let door = FrontReport::read(&rig.paths()).unwrap().listeners[0].front_door_v6.unwrap();
    let client = H2Client::connect(door, name, &authority);
    (0..3).for_each(|_| assert_eq!(client.get("/").text(), "zero"));
    drop(client);
    let told = eventually("its connection has ended", || {
        let told = traffic(&rig, "a");
        (told.processed_bytes - told.more.ipv6_bytes == before.processed_bytes).then_some(told)
    });
    assert_eq!((told.more.ipv6_requests, group(&told).ipv6_requests, group(&told).requests), (3, 3, 4));
    assert!(told.more.ipv6_bytes > 300, "{told:?}");
}
