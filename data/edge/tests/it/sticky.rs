//! Stickiness: clients come back to their target and group by cookies that they cannot make ("ELB User Guide, Sticky sessions
//! for your Application Load Balancer").

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use world::{Stickiness, TargetHealth, TargetMode};

use crate::client::{Answer, Client};
use crate::origin::{Origin, Then, reply};
use crate::rig::{GROUP, Rig, eventually};
use crate::rules::{SECOND, forward, with_second};

/// Names and values of the cookies that an answer sets.
fn cookies(answer: &Answer) -> Vec<(String, String)> {
    let lines = answer.head.lines().filter_map(|l| l.strip_prefix("Set-Cookie: "));
    let pair = |line: &str| line.split(';').next().unwrap().split_once('=').map(|(n, v)| (n.to_string(), v.to_string())).unwrap();
    lines.map(pair).collect()
}

fn cookie(answer: &Answer, name: &str) -> String {
    cookies(answer).into_iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no {name}: {}", answer.head)).1
}

fn get_with(client: &mut Client, cookie: &str) -> Answer {
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n")).answer(false)
}

const NAMES: [&str; 4] = ["zero", "one", "two", "three"];

fn origins(rig: &Rig) -> Vec<Origin> {
    (0..4).zip(NAMES).map(|(n, name)| Origin::named(rig.target_at(n), name)).collect()
}

/// A rig whose group of four targets is sticky in this way.
fn sticky(by: Stickiness) -> (Rig, Vec<Origin>) {
    let mut rig = Rig::start();
    let origins = origins(&rig);
    let mut balancer = rig.balancer(&[0, 1, 2, 3]);
    balancer.target_groups[0].stickiness = Some(by);
    rig.apply(balancer);
    (0..4).for_each(|n| rig.serve.await_health(n, &TargetHealth::Healthy));
    (rig, origins)
}

#[test]
fn a_client_comes_back_to_its_target_by_awsalb() {
    let (rig, _origins) = sticky(Stickiness::BalancerCookie { duration_ms: 60_000 });
    let mut client = Client::connect(rig.door());
    let first = client.get("/");
    let names: Vec<String> = cookies(&first).into_iter().map(|(n, _)| n).collect();
    assert_eq!(names, ["AWSALB", "AWSALBCORS"]);
    let lines: Vec<&str> = first.head.lines().filter(|l| l.starts_with("Set-Cookie: ")).collect();
    assert!(lines[0].contains("; Expires=") && lines[0].ends_with(" GMT; Path=/"), "{}", lines[0]);
    assert!(lines[1].ends_with("; Path=/; SameSite=None"), "{}", lines[1]);
    let mut value = cookie(&first, "AWSALB");
    for round in 0..12 {
        // The twin counts as much as the cookie, and other cookies do not matter.
        let name = if round % 2 == 0 { "AWSALB" } else { "AWSALBCORS" };
        let answer = get_with(&mut client, &format!("a=b; {name}={value}; c"));
        assert_eq!(answer.text(), first.text());
        value = cookie(&answer, "AWSALB");
    }
    let others: BTreeSet<String> = (0..4).map(|_| client.get("/").text()).collect();
    assert_eq!(others.len(), 4, "who has no cookie goes round");
}

#[test]
fn nobody_makes_a_cookie_but_the_load_balancer() {
    let (rig, _origins) = sticky(Stickiness::BalancerCookie { duration_ms: 60_000 });
    let mut client = Client::connect(rig.door());
    let value = cookie(&client.get("/"), "AWSALB");
    let mut forged = value.clone().into_bytes();
    forged[20] = if forged[20] == b'x' { b'y' } else { b'x' };
    for bad in [String::from_utf8(forged).unwrap(), "i-2:9000".into(), String::new(), "A".repeat(4_000)] {
        let went: BTreeSet<String> = (0..4).map(|_| get_with(&mut client, &format!("AWSALB={bad}")).text()).collect();
        assert_eq!(went.len(), 4, "{bad} chooses nobody");
    }
    let went: BTreeSet<String> = (0..4).map(|_| get_with(&mut client, &format!("AWSALBTG={value}")).text()).collect();
    assert_eq!(went.len(), 4, "one cookie does not pass for another");
}

#[test]
fn a_session_ends_after_its_duration() {
    let (rig, _origins) = sticky(Stickiness::BalancerCookie { duration_ms: 1_000 });
    let mut client = Client::connect(rig.door());
    let value = cookie(&client.get("/"), "AWSALB");
    eventually("the cookie is too old", || {
        let went: BTreeSet<String> = (0..4).map(|_| get_with(&mut client, &format!("AWSALB={value}")).text()).collect();
        (went.len() == 4).then_some(())
    });
}

#[test]
fn a_client_of_a_target_that_is_gone_gets_another_for_good() {
    let (mut rig, _origins) = sticky(Stickiness::BalancerCookie { duration_ms: 60_000 });
    let mut client = Client::connect(rig.door());
    let first = client.get("/");
    let value = cookie(&first, "AWSALB");
    let lost = NAMES.iter().position(|name| *name == first.text()).unwrap();
    let mut balancer = rig.balancer(&[0, 1, 2, 3]);
    balancer.target_groups[0].stickiness = Some(Stickiness::BalancerCookie { duration_ms: 60_000 });
    let until = base::Time::from_unix_ms(i64::MAX / 2);
    balancer.target_groups[0].targets[lost].mode = TargetMode::Draining { until };
    rig.apply(balancer);
    let second = get_with(&mut client, &format!("AWSALB={value}"));
    assert_ne!(second.text(), first.text(), "nothing new to a draining target, sticky or not");
    let value = cookie(&second, "AWSALB");
    (0..6).for_each(|_| assert_eq!(get_with(&mut client, &format!("AWSALB={value}")).text(), second.text()));
}

#[test]
fn a_client_of_a_target_that_died_gets_another_without_an_error() {
    let (rig, mut origins) = sticky(Stickiness::BalancerCookie { duration_ms: 60_000 });
    let mut client = Client::connect(rig.door());
    let first = client.get("/");
    let value = cookie(&first, "AWSALB");
    origins[NAMES.iter().position(|name| *name == first.text()).unwrap()].kill();
    let second = get_with(&mut client, &format!("AWSALB={value}"));
    assert_eq!(second.status, 200);
    assert_ne!(second.text(), first.text());
    let value = cookie(&second, "AWSALB");
    (0..6).for_each(|_| assert_eq!(get_with(&mut client, &format!("AWSALB={value}")).text(), second.text()));
}

#[test]
fn stickiness_survives_a_restart_of_the_edge() {
    let (mut rig, _origins) = sticky(Stickiness::BalancerCookie { duration_ms: 60_000 });
    let first = Client::connect(rig.door()).get("/");
    let value = cookie(&first, "AWSALB");
    rig.restart();
    let mut client = Client::connect(rig.door());
    (0..6).for_each(|_| assert_eq!(get_with(&mut client, &format!("AWSALB={value}")).text(), first.text()));
}

#[test]
fn an_application_keeps_its_clients_by_its_own_cookie() {
    let mut rig = Rig::start();
    let origins: Vec<Origin> = (0..4)
        .zip(NAMES)
        .map(|(n, name)| {
            Origin::healthy(rig.target_at(n), move |got, stream| {
                let session = if got.path() == "/login" { "Set-Cookie: SID=x; HttpOnly\r\n" } else { "" };
                let length = name.len();
                write!(stream, "HTTP/1.1 200 OK\r\n{session}Content-Length: {length}\r\n\r\n{name}").unwrap();
                Then::Keep
            })
        })
        .collect();
    let mut balancer = rig.balancer(&[0, 1, 2, 3]);
    balancer.target_groups[0].stickiness = Some(Stickiness::ApplicationCookie { name: "SID".into(), duration_ms: 60_000 });
    rig.apply(balancer);
    (0..4).for_each(|n| rig.serve.await_health(n, &TargetHealth::Healthy));
    let mut client = Client::connect(rig.door());
    assert!(cookies(&client.get("/")).is_empty(), "no session yet");
    let login = client.get("/login");
    assert_eq!(cookies(&login).iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(), ["SID", "AWSALBAPP-0"]);
    let mut value = cookie(&login, "AWSALBAPP-0");
    for _ in 0..6 {
        let answer = get_with(&mut client, &format!("SID=x; AWSALBAPP-0={value}"));
        assert_eq!(answer.text(), login.text());
        value = cookie(&answer, "AWSALBAPP-0");
    }
    let went: BTreeSet<String> = (0..4).map(|_| get_with(&mut client, &format!("AWSALBAPP-0={value}")).text()).collect();
    assert_eq!(went.len(), 4, "both cookies must come back");
    drop(origins);
}

#[test]
fn a_client_stays_with_the_group_that_it_drew() {
    let mut rig = Rig::start();
    let _origins = [Origin::named(rig.target_at(0), "first"), Origin::named(rig.target_at(1), "second")];
    let mut balancer = with_second(&rig, rig.balancer(&[0]), &[1]);
    balancer.listeners[0].default_action = forward(&[(GROUP, 1), (SECOND, 1)], Some(60_000));
    rig.apply(balancer.clone());
    (0..2).for_each(|n| rig.serve.await_health(n, &TargetHealth::Healthy));
    let mut client = Client::connect(rig.door());
    let first = client.get("/");
    assert_eq!(cookies(&first).iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(), ["AWSALBTG", "AWSALBTGCORS"]);
    let value = cookie(&first, "AWSALBTG");
    (0..20).for_each(|_| assert_eq!(get_with(&mut client, &format!("AWSALBTG={value}")).text(), first.text()));
    let drawn: BTreeSet<String> = (0..40).map(|_| client.get("/").text()).collect();
    assert_eq!(drawn.len(), 2);
    // Other weights are for new clients.
    let weights = if first.text() == "first" { [0, 1] } else { [1, 0] };
    balancer.listeners[0].default_action = forward(&[(GROUP, weights[0]), (SECOND, weights[1])], Some(60_000));
    rig.apply(balancer);
    assert_eq!(get_with(&mut client, &format!("AWSALBTG={value}")).text(), first.text());
    assert_ne!(client.get("/").text(), first.text());
}

#[test]
fn cookies_come_with_errors_and_without_bodies_too() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |got, stream| reply(stream, if got.path() == "/5" { 500 } else { 204 }, ""));
    let mut balancer = rig.balancer(&[0]);
    balancer.target_groups[0].stickiness = Some(Stickiness::BalancerCookie { duration_ms: 60_000 });
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let mut client = Client::connect(rig.door());
    client.stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for path in ["/5", "/2"] {
        cookie(&client.get(path), "AWSALB");
    }
}
