//! HTTPS as clients and targets see it.

#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, mpsc};

use edge::FrontReport;
use rustls::{ClientConfig, version};
use world::{ClientCertificates, Frame, Observation, Protocol, TargetHealth, TargetReason};

use crate::client::{Client, get};
use crate::origin::{Origin, reply};
use crate::rig::{PORT, Rig, eventually};
use crate::secure::{Authority, SecureClient, SecureOrigin, secure, start_secure};

const NAME: &str = "web-1.eu-central-1.elb.localhost";

fn arc(config: ClientConfig) -> Arc<ClientConfig> {
    Arc::new(config)
}

#[test]
fn requests_over_tls_reach_targets() {
    let mut rig = Rig::start();
    let origin = Origin::healthy(rig.target_at(0), |got, stream| reply(stream, 200, &"x".repeat(got.body.len() + 2)));
    let authority = Authority::new();
    start_secure(&mut rig, vec![authority.issue("own", &[NAME])], ClientCertificates::Off);
    for (tls, name, cipher) in
        [(&version::TLS12, "TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"), (&version::TLS13, "TLSv1.3", "TLS_AES_128_GCM_SHA256")]
    {
        let mut balancer = rig.balancer(&[0]);
        balancer.http.tls_headers = true;
        secure(&mut balancer, vec![authority.issue("own", &[NAME])], ClientCertificates::Off);
        rig.apply(balancer);
        let config = arc(authority.client_with(&[tls], None));
        let mut client = SecureClient::connect(rig.door(), NAME, &config).unwrap();
        for _ in 0..3 {
            let spoofed = "X-Amzn-Tls-Version: SSLv2\r\nx-amzn-mtls-clientcert-leaf: me\r\nX-Amzn-Mtls-Clientcert: me\r\n";
            assert_eq!(client.get(NAME, spoofed).unwrap().0, 200);
            let got = origin.got().pop().unwrap();
            assert_eq!((got.header("X-Forwarded-Proto"), got.header("X-Forwarded-Port")), (Some("https"), Some("8080")));
            assert_eq!((got.header("X-Amzn-Tls-Version"), got.header("X-Amzn-Tls-Cipher-Suite")), (Some(name), Some(cipher)));
            assert!(!got.head.to_ascii_lowercase().contains("mtls"), "{}", got.head);
        }
        // Bodies of many records, both ways.
        let body = vec![b'y'; 3_000_000];
        client.send(format!("POST / HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: {}\r\n\r\n", body.len())).unwrap();
        client.send(&body).unwrap();
        let (status, _, answer) = client.answer().unwrap();
        assert_eq!((status, answer.len()), (200, body.len() + 2));
    }
}

#[test]
fn a_connection_that_ends_says_farewell() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    let authority = Authority::new();
    start_secure(&mut rig, vec![authority.issue("own", &[NAME])], ClientCertificates::Off);
    let mut client = SecureClient::connect(rig.door(), NAME, &arc(authority.client())).unwrap();
    assert_eq!(client.get(NAME, "Connection: close\r\n").unwrap().2, b"zero");
    // rustls tells an end without a farewell by an error.
    assert_eq!(client.stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn plain_text_on_a_secure_port_is_told_what_is_wrong() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    start_secure(&mut rig, vec![Authority::new().issue("own", &[NAME])], ClientCertificates::Off);
    let answer = get(rig.door(), "/");
    assert_eq!((answer.status, answer.header("Server")), (400, Some("awselb/2.0")));
    assert!(answer.text().contains("The plain HTTP request was sent to HTTPS port"), "{}", answer.text());
    let mut balancer = rig.balancer(&[0]);
    secure(&mut balancer, vec![Authority::new().issue("own", &[NAME])], ClientCertificates::Off);
    balancer.listeners[0].server_header = false;
    rig.apply(balancer);
    let answer = get(rig.door(), "/");
    assert_eq!((answer.status, answer.header("Server")), (400, None), "{}", answer.head);
}

#[test]
fn a_listener_that_becomes_secure_keeps_no_plain_connection() {
    let mut rig = Rig::start();
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let origin = Origin::healthy(rig.target_at(0), move |got, stream| {
        if got.path() == "/wait" {
            released.lock().unwrap().recv().unwrap();
        }
        reply(stream, 200, "served")
    });
    rig.serve_with(&[0]);
    let (mut idle, mut busy) = (Client::connect(rig.door()), Client::connect(rig.door()));
    assert_eq!(idle.get("/").status, 200);
    busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
    eventually("the target has the request", || origin.got().iter().any(|got| got.path() == "/wait").then_some(()));
    let mut balancer = rig.balancer(&[0]);
    secure(&mut balancer, vec![Authority::new().issue("own", &[NAME])], ClientCertificates::Off);
    rig.apply(balancer);
    assert!(idle.is_closed());
    release.send(()).unwrap();
    assert_eq!(busy.answer(false).text(), "served");
    let answer = busy.get("/");
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("The plain HTTP request was sent to HTTPS port"), "{}", answer.text());
    assert!(busy.is_closed());
}

#[test]
fn the_certificate_is_chosen_by_the_name_that_is_called() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    let authority = Authority::new();
    let names: [&[&str]; 3] = [&["default.example"], &["a.example"], &["*.b.example"]];
    let certificates: Vec<_> = names.iter().enumerate().map(|(i, names)| authority.issue(&format!("c{i}"), names)).collect();
    let subjects: Vec<Vec<u8>> = certificates.iter().map(|c| crate::secure::chain(c)[0].to_vec()).collect();
    start_secure(&mut rig, certificates, ClientCertificates::Off);
    let config = arc(authority.client());
    for (name, expected) in [("a.example", 1), ("A.Example", 1), ("x.b.example", 2), ("default.example", 0)] {
        let client = SecureClient::connect(rig.door(), name, &config).unwrap();
        assert_eq!(client.subject(), subjects[expected], "{name}");
    }
    // Unknown names and none get the default certificate, which is not theirs.
    for name in ["unknown.example", "x.y.b.example", "127.0.0.1"] {
        let error = SecureClient::connect(rig.door(), name, &config).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("invalid peer certificate"), "{name}: {error}");
    }
}

#[test]
fn load_balancers_at_one_door_are_told_apart() {
    let mut rig = Rig::start();
    let _zero = Origin::named(rig.target_at(0), "zero");
    let _one = Origin::named(rig.target_at(1), "one");
    let authority = Authority::new();
    start_secure(&mut rig, vec![authority.issue("own", &[NAME, "www.zero.example"])], ClientCertificates::Off);
    let mut other = rig.balancer(&[1]);
    other.id = format!("{}-other", &*other.id).as_str().into();
    other.listeners[0].id = format!("{}/listener", &*other.id).as_str().into();
    other.dns_name = "other-2.eu-central-1.elb.localhost".into();
    (other.nodes[0].front, other.nodes[1].front) = (rig.address(4), rig.address(5));
    let plain = {
        let mut plain = other.clone();
        plain.id = format!("{}-plain", &*other.id).as_str().into();
        plain.dns_name = "plain-3.eu-central-1.elb.localhost".into();
        (plain.nodes[0].front, plain.nodes[1].front) = (rig.address(6), rig.address(7));
        plain
    };
    secure(&mut other, vec![authority.issue("other", &["other-2.eu-central-1.elb.localhost"])], ClientCertificates::Off);
    rig.apply(other);
    rig.apply(plain);
    rig.serve.await_health(1, &TargetHealth::Healthy);
    let config = arc(authority.client());
    for (name, expected) in [(NAME, "zero"), ("www.zero.example", "zero"), ("other-2.eu-central-1.elb.localhost", "one")] {
        let mut client = SecureClient::connect(rig.door(), name, &config).unwrap();
        // Whatever host a request then names: the connection belongs to whom it called.
        for host in [name, NAME, "other-2.eu-central-1.elb.localhost", "nobody"] {
            let (status, _, body) = client.get(host, "").unwrap();
            assert_eq!((status, String::from_utf8(body).unwrap().as_str()), (200, expected), "{name}, {host}");
        }
    }
    // Plain text at the same address reaches the one that speaks it.
    let answer = get(rig.door(), "/");
    assert_eq!((answer.status, answer.text().as_str()), (200, "one"));
}

#[test]
fn a_load_balancer_of_both_stacks_is_reached_by_ipv6_too() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    let authority = Authority::new();
    let mut balancer = rig.balancer(&[0]);
    balancer.dualstack = true;
    secure(&mut balancer, vec![authority.issue("own", &[NAME])], ClientCertificates::Off);
    rig.apply(balancer.clone());
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let door = FrontReport::read(&rig.paths()).unwrap().listeners[0].front_door_v6.unwrap();
    assert!(door.is_ipv6());
    let mut client = SecureClient::connect(door, NAME, &arc(authority.client())).unwrap();
    assert_eq!(client.get(NAME, "").unwrap().2, b"zero");
    assert_eq!(origin.got().pop().unwrap().header("X-Forwarded-For"), Some("::1"));
    balancer.dualstack = false;
    rig.apply(balancer);
    assert_eq!(FrontReport::read(&rig.paths()).unwrap().listeners[0].front_door_v6, None);
    assert!(std::net::TcpStream::connect(door).is_err(), "the door is closed again");
}

#[test]
fn failed_handshakes_are_told_as_metrics() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    let (authority, stranger) = (Authority::new(), Authority::new());
    start_secure(&mut rig, vec![authority.issue("own", &[NAME])], ClientCertificates::Off);
    rig.serve.send(&Frame::Report { every_ms: 100 });
    for _ in 0..3 {
        assert!(SecureClient::connect(rig.door(), NAME, &arc(stranger.client())).is_err());
    }
    eventually("three failures are told of", || {
        let told = rig.serve.observations().into_iter().filter_map(|o| match o {
            Observation::Traffic { balancers, .. } => Some(balancers.iter().map(|b| b.client_tls_errors).sum::<u64>()),
            _ => None,
        });
        (told.sum::<u64>() == 3).then_some(())
    });
}

#[test]
fn policies_refuse_versions_that_they_do_not_have() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    let authority = Authority::new();
    let own = authority.issue("own", &[NAME]);
    start_secure(&mut rig, vec![own.clone()], ClientCertificates::Off);
    let cases = [
        ("ELBSecurityPolicy-TLS13-1-3-2021-06", [false, true]),
        ("ELBSecurityPolicy-TLS-1-2-2017-01", [true, false]),
        ("ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", [true, true]),
    ];
    for (policy, served) in cases {
        let mut balancer = rig.balancer(&[0]);
        secure(&mut balancer, vec![own.clone()], ClientCertificates::Off);
        balancer.listeners[0].tls.as_mut().unwrap().policy = policy.into();
        rig.apply(balancer);
        for (tls, served) in [&version::TLS12, &version::TLS13].into_iter().zip(served) {
            let client = SecureClient::connect(rig.door(), NAME, &arc(authority.client_with(&[tls], None)));
            assert_eq!(client.is_ok(), served, "{policy} and {tls:?}");
        }
    }
    for (policy, why) in [
        ("ELBSecurityPolicy-2016-08", "TLS 1.0"),
        ("ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04", "FIPS"),
        ("x", "no security policy"),
    ] {
        let mut balancer = rig.balancer(&[0]);
        secure(&mut balancer, vec![own.clone()], ClientCertificates::Off);
        balancer.listeners[0].tls.as_mut().unwrap().policy = policy.into();
        let reason = rig.refused(balancer);
        assert!(reason.contains(policy) && reason.contains(why), "{reason}");
    }
}

#[test]
fn expired_certificates_are_served_and_broken_ones_refused() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    let authority = Authority::new();
    start_secure(&mut rig, vec![authority.issue_for("old", &[NAME], (2010, 2011), 1)], ClientCertificates::Off);
    let error = SecureClient::connect(rig.door(), NAME, &arc(authority.client())).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("expired"), "the client sees that it is expired: {error}");
    let (mut first, second) = (authority.issue("first", &[NAME]), authority.issue("second", &[NAME]));
    first.key = second.key;
    let mut balancer = rig.balancer(&[0]);
    secure(&mut balancer, vec![first.clone()], ClientCertificates::Off);
    let reason = rig.refused(balancer);
    assert!(reason.contains("first") && !reason.contains(first.key.0.lines().nth(1).unwrap()), "{reason}");
}

#[test]
fn a_renewed_certificate_drops_no_connection_and_tickets_outlive_it() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    let authority = Authority::new();
    start_secure(&mut rig, vec![authority.issue_for("own", &[NAME], (2020, 2060), 1)], ClientCertificates::Off);
    for tls in [&version::TLS12, &version::TLS13] {
        let config = arc(authority.client_with(&[tls], None));
        let mut old = SecureClient::connect(rig.door(), NAME, &config).unwrap();
        assert!(!old.is_resumed());
        assert_eq!(old.get(NAME, "").unwrap().2, b"zero");
        // Two workers share the door: some of so many connections go to the other one.
        for _ in 0..16 {
            let mut client = SecureClient::connect(rig.door(), NAME, &config).unwrap();
            assert!(client.is_resumed());
            assert_eq!(client.get(NAME, "").unwrap().2, b"zero");
        }
        let mut balancer = rig.balancer(&[0]);
        let renewed = authority.issue_for("own", &[NAME], (2021, 2061), 2);
        let subject = crate::secure::chain(&renewed)[0].to_vec();
        secure(&mut balancer, vec![renewed], ClientCertificates::Off);
        rig.apply(balancer);
        assert_eq!(old.get(NAME, "").unwrap().2, b"zero", "its connection goes on");
        let mut client = SecureClient::connect(rig.door(), NAME, &config).unwrap();
        assert!(client.is_resumed());
        assert_eq!(client.get(NAME, "").unwrap().2, b"zero");
        let fresh = SecureClient::connect(rig.door(), NAME, &arc(authority.client())).unwrap();
        assert_eq!(fresh.subject(), subject);
    }
}

#[test]
fn targets_that_speak_tls_are_checked_and_reached_by_it() {
    let mut rig = Rig::start();
    let stranger = Authority::new();
    // Expired, by an unknown authority, for another host: an ALB does not look.
    let certificate = stranger.issue_for("target", &["elsewhere.example"], (2010, 2011), 1);
    let keeping = SecureOrigin::start(rig.target_at(0), &certificate, "kept", true);
    let mut balancer = rig.balancer(&[0]);
    balancer.target_groups[0].protocol = Protocol::Https;
    balancer.target_groups[0].health_check.protocol = Protocol::Https;
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let mut client = Client::connect(rig.door());
    for _ in 0..20 {
        assert_eq!(client.get("/").text(), "kept");
    }
    assert_eq!(keeping.connections.load(Ordering::SeqCst), 1, "connections are kept");
    assert!(keeping.checks.load(Ordering::SeqCst) > 0);
    // Where the target closes each time, its sessions are taken up again.
    let closing = SecureOrigin::start(rig.target_at(1), &certificate, "closed", false);
    let mut balancer = rig.balancer(&[1]);
    balancer.target_groups[0].protocol = Protocol::Https;
    balancer.target_groups[0].health_check.protocol = Protocol::Tcp;
    rig.apply(balancer);
    rig.serve.await_health(1, &TargetHealth::Healthy);
    for _ in 0..10 {
        assert_eq!(get(rig.door(), "/").text(), "closed");
    }
    assert!(closing.resumed.load(Ordering::SeqCst) >= 6, "{:?}", closing.resumed);
}

#[test]
fn a_target_that_does_not_speak_tls_is_unhealthy_and_a_bad_gateway() {
    let mut rig = Rig::start();
    let listener = std::net::TcpListener::bind(rig.target_at(0)).unwrap();
    let speaker = listener.try_clone().unwrap();
    let thread = std::thread::spawn(move || {
        // Answers whatever comes, until the listener is shut down.
        while let Ok((mut socket, _)) = speaker.accept() {
            let _ = socket.read(&mut [0; 1024]);
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let mut balancer = rig.balancer(&[0]);
    balancer.target_groups[0].protocol = Protocol::Https;
    balancer.target_groups[0].health_check.protocol = Protocol::Https;
    rig.apply(balancer.clone());
    rig.serve.await_health(0, &TargetHealth::Unhealthy { reason: TargetReason::FailedHealthChecks, draining: false });
    // One that says it is well by TCP gets requests, which cannot be served.
    balancer.target_groups[0].health_check.protocol = Protocol::Tcp;
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    assert_eq!(get(rig.door(), "/").status, 502);
    rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
    thread.join().unwrap();
}

#[test]
fn keys_on_disk_are_for_the_owner_only() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    let own = Authority::new().issue("own", &[NAME]);
    start_secure(&mut rig, vec![own.clone()], ClientCertificates::Off);
    let stored = rig.paths().run().join("edge-config.json");
    let text = crate::rig::eventually("the configuration is saved", || {
        std::fs::read_to_string(&stored).ok().filter(|text| text.contains("PRIVATE KEY"))
    });
    assert!(text.contains(own.key.0.lines().nth(1).unwrap()));
    assert_eq!(std::fs::metadata(&stored).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_client_that_was_heard_is_answered_by_openssl_too() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    start_secure(&mut rig, vec![Authority::new().issue("own", &[NAME])], ClientCertificates::Off);
    for (version, cipher) in [("-tls1_2", "ECDHE-ECDSA-AES128-GCM-SHA256"), ("-tls1_3", "TLS_AES_128_GCM_SHA256")] {
        let mut openssl = std::process::Command::new("openssl");
        openssl.args(["s_client", "-connect", &rig.door().to_string(), "-servername", NAME, "-ign_eof", version]);
        openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = openssl.spawn().expect("openssl is installed");
        let request = format!("GET / HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n");
        child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
        let told = String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned();
        assert!(told.contains("HTTP/1.1 200") && told.contains(cipher), "{version}: {told}");
    }
    for version in ["-tls1", "-tls1_1"] {
        let mut openssl = std::process::Command::new("openssl");
        openssl.args(["s_client", "-connect", &rig.door().to_string(), "-cipher", "ALL:@SECLEVEL=0", version]);
        let told = openssl.stdin(Stdio::null()).output().unwrap();
        assert!(!told.status.success(), "{version} is refused");
    }
}

#[test]
fn nonsense_in_place_of_tls_harms_nobody() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    let authority = Authority::new();
    start_secure(&mut rig, vec![authority.issue("own", &[NAME])], ClientCertificates::Off);
    let config = arc(authority.client());
    let mut good = SecureClient::connect(rig.door(), NAME, &config).unwrap();
    let hello = greeting(&authority);
    let mut rng = fastrand::Rng::with_seed(4);
    for round in 0..300 {
        let mut socket = std::net::TcpStream::connect(rig.door()).unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let mut bytes = hello.clone();
        match round % 3 {
            // A greeting cut somewhere, one changed somewhere, and noise behind the head of a record.
            0 => bytes.truncate(rng.usize(1..hello.len())),
            1 => (0..rng.usize(1..9)).for_each(|_| bytes[rng.usize(1..hello.len())] = rng.u8(..)),
            _ => {
                bytes = vec![0x16, 3, rng.u8(..4), rng.u8(..), rng.u8(..)];
                bytes.extend((0..rng.usize(..600)).map(|_| rng.u8(..)));
            }
        }
        let _ = socket.write_all(&bytes);
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let mut told = Vec::new();
        match socket.read_to_end(&mut told) {
            Ok(_) => {}
            Err(e) => assert_ne!(e.kind(), ErrorKind::WouldBlock, "round {round} is not answered"),
        }
        if round % 50 == 0 {
            assert_eq!(good.get(NAME, "").unwrap().2, b"zero");
        }
    }
    // Noise within an established connection ends that one alone.
    let mut client = SecureClient::connect(rig.door(), NAME, &config).unwrap();
    client.get(NAME, "").unwrap();
    client.stream.sock.write_all(&[0x17, 3, 3, 0, 30].into_iter().chain([7; 30]).collect::<Vec<u8>>()).unwrap();
    assert!(client.stream.read(&mut [0]).is_err());
    assert_eq!(good.get(NAME, "").unwrap().2, b"zero");
    assert_eq!(PORT, rig.door().port());
}

/// The first bytes of a client.
fn greeting(authority: &Authority) -> Vec<u8> {
    let name = rustls::pki_types::ServerName::try_from(NAME).unwrap();
    let mut client = rustls::ClientConnection::new(arc(authority.client()), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}
