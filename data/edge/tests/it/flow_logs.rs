//! Access logs of network load balancers: a line for each connection through a TLS listener, also for one that never came to be.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use rustls::ClientConfig;
use world::{LoadBalancer, Protocol, TargetHealth};

use crate::flow_peers::{PATIENCE, Speaker};
use crate::flow_secure::{NAME, line, names, secure_speaker_of, tls};
use crate::logs::{place, written};
use crate::rig::Rig;
use crate::secure::{Authority, SecureClient};

/// The fields, by their names in "Access log entries".
const TIME: usize = 2;
const CLIENT: usize = 5;
const DESTINATION: usize = 6;
const HANDSHAKE: usize = 8;
const RECEIVED: usize = 9;
const SENT: usize = 10;
const ALERT: usize = 11;
const CERTIFICATE: usize = 12;
const CIPHER: usize = 14;
const VERSION: usize = 15;
const NAMED_GROUP: usize = 16;
const DOMAIN: usize = 17;
const FRONT_PROTOCOL: usize = 18;
const BACK_PROTOCOL: usize = 19;
const PREFERENCES: usize = 20;
const BEGUN: usize = 21;

/// An edge with a TLS listener that logs.
fn start(authority: &Authority, change: impl FnOnce(&mut LoadBalancer)) -> (Rig, LoadBalancer) {
    let mut rig = Rig::start();
    let mut balancer = tls(&rig, vec![authority.issue("own", &[NAME])]);
    balancer.access_log = place("flows");
    change(&mut balancer);
    rig.apply(balancer.clone());
    (rig, balancer)
}

/// The line of the client at this port.
fn of_client(lines: &[Vec<String>], port: u16) -> &Vec<String> {
    let line = lines.iter().find(|line| line[CLIENT] == format!("127.0.0.1:{port}")).expect("a line of this client");
    assert_eq!(line.len(), 22, "{line:?}");
    assert_eq!((line[0].as_str(), line[1].as_str()), ("tls", "2.0"));
    assert!(line[TIME] >= line[BEGUN] && line[BEGUN].len() == "2018-12-20T02:59:40".len(), "{line:?}");
    line
}

/// Checks some fields of a line.
#[track_caller]
fn check(line: &[String], wanted: &[(usize, &str)]) {
    for (field, value) in wanted {
        assert_eq!(line[*field], *value, "field {field} of {line:?}");
    }
}

/// Says farewell and waits for that of the other side.
fn close(client: &mut SecureClient) {
    client.stream.conn.send_close_notify();
    client.stream.flush().unwrap();
    client.stream.read_to_end(&mut Vec::new()).unwrap();
}

fn connect(rig: &Rig, config: ClientConfig) -> (SecureClient, u16) {
    let client = SecureClient::connect(rig.door(), NAME, &Arc::new(config)).unwrap();
    let port = client.stream.sock.local_addr().unwrap().port();
    (client, port)
}

#[test]
fn connections_are_logged_at_their_end() {
    let authority = Authority::new();
    let (mut rig, balancer) = start(&authority, |_| {});
    let _speaker = Speaker::echo(rig.target_at(0), "zero");
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let mut config = authority.client();
    config.alpn_protocols = names(&["h2"]);
    let (mut client, port) = connect(&rig, config);
    client.send("hello").unwrap();
    let mut heard = [0; 10];
    client.stream.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"zero\nhello");
    close(&mut client);
    let lines = written(&mut rig, balancer, "flows", 1);
    let line = of_client(&lines, port);
    check(line, &[(DESTINATION, &rig.door().to_string()), (RECEIVED, "5"), (SENT, "10"), (ALERT, "-"), (CERTIFICATE, "own")]);
    check(line, &[(CIPHER, "TLS_AES_128_GCM_SHA256"), (VERSION, "tlsv13"), (NAMED_GROUP, "X25519"), (DOMAIN, NAME)]);
    // "If no ALPN policy is configured in the TLS listener [...], this value is set to -."
    check(line, &[(FRONT_PROTOCOL, "-"), (BACK_PROTOCOL, "-"), (PREFERENCES, "-")]);
    assert!(line[HANDSHAKE].parse::<u64>().is_ok(), "{line:?}");
}

/// "alpn_fe_protocol", "alpn_be_protocol", "alpn_client_preference_list".
#[test]
fn protocols_above_tls_are_logged_of_both_sides_and_what_the_client_would_have_spoken() {
    let authority = Authority::new();
    let list = |balancer: &mut LoadBalancer| {
        balancer.listeners[0].tls.as_mut().unwrap().alpn = vec!["http/1.1".into(), "http/1.0".into(), "h2".into()];
        balancer.target_groups[0].protocol = Protocol::Tls;
    };
    let (mut rig, balancer) = start(&authority, list);
    let _speaker = secure_speaker_of(&rig, &authority.issue("target", &[NAME]), None, &["h2", "http/1.1"]);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let clients: [(&[&str], [&str; 3]); 4] = [
        (&["h2", "http/1.1"], ["http/1.1", "http/1.1", "h2,http/1.1"]),
        (&["h2", "a b"], ["h2", "h2", "h2,a%20b"]),
        (&["spdy/3"], ["-", "-", "spdy/3"]),
        (&[], ["-", "-", "-"]),
    ];
    let mut ports = Vec::new();
    for (protocols, _) in &clients {
        let mut config = authority.client();
        config.alpn_protocols = names(protocols);
        let (mut client, port) = connect(&rig, config);
        assert_eq!(line(&mut client.stream), "secret\n");
        close(&mut client);
        ports.push(port);
    }
    let lines = written(&mut rig, balancer, "flows", clients.len());
    for ((_, [front, back, preferences]), port) in clients.iter().zip(ports) {
        check(of_client(&lines, port), &[(FRONT_PROTOCOL, front), (BACK_PROTOCOL, back), (PREFERENCES, preferences)]);
    }
}

/// A target that agrees on nothing is spoken to without ALPN.
#[test]
fn a_target_need_not_speak_what_was_agreed_with_the_client() {
    let authority = Authority::new();
    let (mut rig, balancer) = start(&authority, |balancer| {
        balancer.listeners[0].tls.as_mut().unwrap().alpn = vec!["h2".into()];
        balancer.target_groups[0].protocol = Protocol::Tls;
    });
    let _speaker = secure_speaker_of(&rig, &authority.issue("target", &[NAME]), None, &[]);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let mut config = authority.client();
    config.alpn_protocols = names(&["h2"]);
    let (mut client, port) = connect(&rig, config);
    assert_eq!(line(&mut client.stream), "secret\n");
    close(&mut client);
    let lines = written(&mut rig, balancer, "flows", 1);
    check(of_client(&lines, port), &[(FRONT_PROTOCOL, "h2"), (BACK_PROTOCOL, "-"), (PREFERENCES, "h2")]);
}

/// "If there is no TLS handshake or a TLS handshake failure, this value is set to -"; the certificate and the name are known as
/// soon as there was a valid client hello.
#[test]
fn handshakes_that_fail_are_logged_with_what_is_known_of_them() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let alpn = |balancer: &mut LoadBalancer| balancer.listeners[0].tls.as_mut().unwrap().alpn = vec!["h2".into()];
    let (mut rig, mut balancer) = start(&authority, alpn);
    let _speaker = Speaker::echo(rig.target_at(0), "zero");
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let nothing = [(HANDSHAKE, "-"), (RECEIVED, "0"), (SENT, "0"), (CIPHER, "-"), (VERSION, "-"), (NAMED_GROUP, "-")];

    // Who does not trust the certificate says so. Both authorities have one name, so it is the signature that is wrong: a
    // decrypt_error, which is 51.
    let ports: Vec<u16> = [&rustls::version::TLS13, &rustls::version::TLS12]
        .map(|version| {
            let mut config = stranger.client_with(&[version], None);
            config.alpn_protocols = names(&["h2", "http/1.1"]);
            failed(&rig, config)
        })
        .to_vec();
    // Who speaks no version that the policy allows never gets a certificate.
    balancer.listeners[0].tls.as_mut().unwrap().policy = "ELBSecurityPolicy-TLS13-1-3-2021-06".into();
    rig.apply(balancer.clone());
    let old = failed(&rig, authority.client_with(&[&rustls::version::TLS12], None));
    let mut plain = TcpStream::connect(rig.door()).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_ne!(plain.read(&mut [0]).unwrap_or(0), 1);
    let mut silent = TcpStream::connect(rig.door()).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    silent.shutdown(Shutdown::Write).unwrap();
    assert_ne!(silent.read(&mut [0]).unwrap_or(0), 1);

    let lines = written(&mut rig, balancer, "flows", 5);
    for port in ports {
        let line = of_client(&lines, port);
        check(line, &nothing);
        check(line, &[(ALERT, "51"), (CERTIFICATE, "own"), (DOMAIN, NAME), (PREFERENCES, "h2,http/1.1"), (FRONT_PROTOCOL, "-")]);
    }
    let line = of_client(&lines, old);
    check(line, &nothing);
    check(line, &[(ALERT, "-"), (DOMAIN, NAME), (PREFERENCES, "-"), (BACK_PROTOCOL, "-")]);
    for port in [plain, silent].map(|client| client.local_addr().unwrap().port()) {
        let line = of_client(&lines, port);
        check(line, &nothing);
        check(line, &[(ALERT, "-"), (CERTIFICATE, "-"), (DOMAIN, "-"), (PREFERENCES, "-"), (FRONT_PROTOCOL, "-")]);
    }
}

/// Tries to shake hands, in vain; gives the client's port.
fn failed(rig: &Rig, config: ClientConfig) -> u16 {
    let socket = TcpStream::connect(rig.door()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = socket.local_addr().unwrap().port();
    assert!(SecureClient::over(socket, NAME, &Arc::new(config)).is_err());
    port
}

#[test]
fn connections_for_which_there_is_no_target_are_logged_too() {
    let authority = Authority::new();
    let (mut rig, balancer) = start(&authority, |balancer| balancer.target_groups[0].targets.clear());
    let (mut client, port) = connect(&rig, authority.client());
    assert!(!matches!(client.stream.read(&mut [0]), Ok(1..)));
    let lines = written(&mut rig, balancer, "flows", 1);
    check(of_client(&lines, port), &[(RECEIVED, "0"), (SENT, "0"), (VERSION, "tlsv13"), (DOMAIN, NAME), (BACK_PROTOCOL, "-")]);
}
