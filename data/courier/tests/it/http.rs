//! Deliveries to HTTP endpoints, good and bad.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use world::{Delivery, Destination, MessageAttribute, MessageForm, MessageKind};

use crate::rig::{Got, Rig, Server, answer, notification, read_request};

/// A server that answers with these, one after the other, and notes what it got.
fn endpoint(answers: &'static [&'static str]) -> (Server, Arc<Mutex<Vec<Got>>>) {
    let all: Arc<Mutex<Vec<Got>>> = Arc::default();
    let seen = all.clone();
    let server = Server::start(move |stream| {
        if let Some(got) = read_request(&stream) {
            let nth = {
                let mut seen = seen.lock().unwrap();
                seen.push(got);
                seen.len() - 1
            };
            answer(&stream, answers[nth % answers.len()]);
        }
    });
    (server, all)
}

#[test]
fn a_notification_has_the_headers_and_the_envelope_of_aws() {
    let (server, seen) = endpoint(&["200 OK"]);
    let mut rig = Rig::new(None);
    let mut sent = notification("1", server.url("/hook?a=b"), MessageForm::Envelope);
    sent.attributes.insert("kind".into(), MessageAttribute { data_type: "String".into(), value: "test".into() });
    assert_eq!(rig.carry(&sent), None);
    let got = seen.lock().unwrap()[0].clone();
    assert_eq!(got.head[0], "POST /hook?a=b HTTP/1.1");
    for (name, value) in [
        ("x-amz-sns-message-type", "Notification"),
        ("x-amz-sns-message-id", sent.message_id.as_str()),
        ("x-amz-sns-topic-arn", &sent.topic_arn),
        ("x-amz-sns-subscription-arn", "arn:aws:sns:eu-central-1:000000000000:alerts:1"),
        ("content-type", "text/plain; charset=UTF-8"),
        ("user-agent", "Amazon Simple Notification Service Agent"),
    ] {
        assert_eq!(got.header(name), Some(value), "{name}");
    }
    let envelope: Json = serde_json::from_str(&got.body).unwrap();
    for (name, value) in [
        ("Type", "Notification"),
        ("MessageId", &sent.message_id),
        ("TopicArn", &sent.topic_arn),
        ("Subject", "Grüße"),
        ("Message", "Hello\nworld"),
        ("Timestamp", "2026-01-31T12:00:00.250Z"),
        ("SignatureVersion", "2"),
        ("SigningCertURL", &sent.certificate_url),
        ("UnsubscribeURL", &sent.link),
    ] {
        assert_eq!(envelope[name], value, "{name}");
    }
    assert_eq!(envelope["MessageAttributes"]["kind"]["Value"], "test");
    assert!(envelope.get("Token").is_none() && envelope.get("SubscribeURL").is_none());
}

#[test]
fn the_signature_is_good_and_the_key_is_private() {
    let (server, seen) = endpoint(&["200 OK"]);
    let mut rig = Rig::new(None);
    let mut question = notification("1", server.url("/"), MessageForm::Envelope);
    question.kind = MessageKind::SubscriptionConfirmation;
    question.token = Some("abc".into());
    assert_eq!(rig.carry(&question), None);
    let envelope: Json = serde_json::from_str(&seen.lock().unwrap()[0].body).unwrap();
    let names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
    let text: String = names.iter().map(|n| format!("{n}\n{}\n", envelope[*n].as_str().unwrap())).collect();
    let signature = STANDARD.decode(envelope["Signature"].as_str().unwrap()).unwrap();
    verify(&rig, text.as_bytes(), &signature);
    let mode = std::fs::metadata(rig.paths.signing_key()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// By openssl, with the certificate, as a receiver does it.
fn verify(rig: &Rig, text: &[u8], signature: &[u8]) {
    let at = |name: &str| rig.paths.data().join(name);
    std::fs::write(at("text"), text).unwrap();
    std::fs::write(at("signature"), signature).unwrap();
    let run = |arguments: &[&str]| {
        let out = std::process::Command::new("openssl").args(arguments).current_dir(rig.paths.data()).output();
        let out = out.expect("this test needs openssl");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    };
    let certificate = rig.paths.signing_certificate();
    let key = run(&["x509", "-in", certificate.to_str().unwrap(), "-pubkey", "-noout"]);
    std::fs::write(at("public"), key).unwrap();
    run(&["dgst", "-sha256", "-verify", "public", "-signature", "signature", "text"]);
}

#[test]
fn a_raw_message_is_sent_alone() {
    let (server, seen) = endpoint(&["204 No Content"]);
    let mut rig = Rig::new(None);
    let mut sent = notification("1", server.url("/"), MessageForm::Raw);
    if let Destination::Http { content_type, url } = &mut sent.destination {
        *content_type = "application/json".into();
        *url = url.replace("http://", "http://me:sec%72et@");
    }
    assert_eq!(rig.carry(&sent), None);
    let got = seen.lock().unwrap()[0].clone();
    assert_eq!((got.body.as_str(), got.header("x-amz-sns-rawdelivery")), ("Hello\nworld", Some("true")));
    assert_eq!(got.header("content-type"), Some("application/json"));
    assert_eq!(got.header("authorization"), Some("Basic bWU6c2VjcmV0"));
}

#[test]
fn refusals_are_told_apart_and_redirects_are_not_followed() {
    let (server, seen) = endpoint(&["500 Oops", "200 OK", "429 Slow Down", "404 Not Found", "302 Found\r\nLocation: /elsewhere"]);
    let mut rig = Rig::new(None);
    for (id, refused) in [
        ("1", Some((false, "500"))),
        ("1", None),
        ("2", Some((false, "429"))),
        ("3", Some((true, "404"))),
        ("4", Some((true, "302"))),
    ] {
        let reason = rig.carry(&notification(id, server.url("/"), MessageForm::Envelope));
        let told = reason.as_deref().map(Delivery::read_refusal);
        assert_eq!(told.map(|(_, for_good)| for_good), refused.map(|(for_good, _)| for_good), "{told:?}");
        assert!(told.is_none_or(|(reason, _)| reason.contains(refused.unwrap().1)), "{told:?}");
    }
    assert_eq!(seen.lock().unwrap().len(), 5, "the redirect was followed");
}

/// The address of no host leads to this very machine, where a listener would notice a connection.
#[test]
fn an_endpoint_at_a_refused_address_is_never_connected_to() {
    let (server, seen) = endpoint(&["200 OK"]);
    let at = |host: &str| {
        let url = format!("http://{host}:{}/", server.address.port());
        Destination::Http { url, content_type: "text/plain".into() }
    };
    let mut rig = Rig::new(None);
    // The last two are other spellings that the system's resolver knows.
    for host in ["0.0.0.0", "[::ffff:0.0.0.0]", "[::]", "0x0.0", "0"] {
        let reason = rig.carry(&notification(host, at(host), MessageForm::Raw)).unwrap();
        let (reason, for_good) = Delivery::read_refusal(&reason);
        assert!(for_good && reason.contains("--endpoint-network"), "{host}: {reason}");
    }
    assert!(seen.lock().unwrap().is_empty(), "a refused address was called");
    for host in ["127.0.0.1", "127.1", "localhost"] {
        assert_eq!(rig.carry(&notification(host, at(host), MessageForm::Raw)), None, "{host}");
    }
    let mut allowed = Rig::in_networks(&["0.0.0.0/32"]);
    assert_eq!(allowed.carry(&notification("1", at("0.0.0.0"), MessageForm::Raw)), None);
    assert_eq!(seen.lock().unwrap().len(), 4);
}

#[test]
fn endpoints_that_are_not_there_or_break_off_are_told() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let breaks = Server::start(drop);
    let mut rig = Rig::new(None);
    let nobody = Destination::Http { url: format!("http://{free}/"), content_type: "text/plain".into() };
    let no_tls = Destination::Http { url: format!("https://{}/", breaks.address), content_type: "text/plain".into() };
    for (id, destination) in [("1", nobody), ("2", breaks.url("/")), ("3", no_tls)] {
        let reason = rig.carry(&notification(id, destination, MessageForm::Envelope)).unwrap();
        assert!(!Delivery::read_refusal(&reason).1, "{reason}");
    }
}

#[test]
fn a_slow_endpoint_is_given_up_and_does_not_hold_up_others() {
    // It accepts and says nothing until the test ends.
    let silent = Server::start(|stream| {
        let _ = std::io::Read::read_to_end(&mut &stream, &mut Vec::new());
    });
    let (quick, _) = endpoint(&["200 OK"]);
    let mut rig = Rig::new(None);
    let begun = Instant::now();
    for n in 0..40 {
        rig.want(&notification(&format!("slow-{n}"), silent.url("/"), MessageForm::Raw));
    }
    rig.want(&notification("quick", quick.url("/"), MessageForm::Raw));
    assert_eq!(rig.answer(), ("quick".into(), None));
    assert!(begun.elapsed() < Duration::from_secs(5));
    // What nobody asks for any more is not carried, and not told of.
    for n in 0..40 {
        if n != 0 {
            rig.want_no(&format!("slow-{n}"));
            assert_eq!(rig.answer(), (format!("slow-{n}"), None));
        }
    }
    let (id, reason) = rig.answer();
    assert_eq!(id, "slow-0");
    assert!(!Delivery::read_refusal(&reason.unwrap()).1);
    assert!((10..20).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[test]
fn a_thousand_messages_arrive_once_each() {
    let (server, seen) = endpoint(&["200 OK"]);
    let mut rig = Rig::new(None);
    for n in 0..1_000 {
        let mut sent = notification(&n.to_string(), server.url("/"), MessageForm::Raw);
        sent.message = n.to_string();
        rig.want(&sent);
    }
    for _ in 0..1_000 {
        assert_eq!(rig.answer().1, None);
    }
    let mut bodies: Vec<u32> = seen.lock().unwrap().iter().map(|got| got.body.parse().unwrap()).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, (0..1_000).collect::<Vec<_>>());
}
