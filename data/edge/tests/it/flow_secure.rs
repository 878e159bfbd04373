//! TLS listeners of network load balancers, and what targets are told of clients.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use world::{Certificate, ClientCertificates, LoadBalancer, Protocol, TargetHealth};

use crate::flow_peers::{Caller, PATIENCE, Speaker, network, node};
use crate::rig::Rig;
use crate::secure::{Authority, SecureClient, chain, key, secure};

pub const NAME: &str = "web.example.com";

/// A load balancer with a TLS listener.
pub fn tls(rig: &Rig, certificates: Vec<Certificate>) -> LoadBalancer {
    let mut balancer = network(rig, &[0], Protocol::Tls);
    secure(&mut balancer, certificates, ClientCertificates::Off);
    balancer.listeners[0].protocol = Protocol::Tls;
    balancer
}

pub fn line(stream: &mut impl Read) -> String {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while byte != *b"\n" {
        stream.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

fn talk(stream: &mut (impl Read + Write), text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
    stream.flush().unwrap();
    let mut heard = vec![0; text.len()];
    stream.read_exact(&mut heard).unwrap();
    assert!(heard == text.as_bytes());
}

#[test]
fn clients_speak_tls_and_targets_need_not() {
    let mut rig = Rig::start();
    let authority = Authority::new();
    let _speaker = Speaker::echo(rig.target_at(0), "zero");
    let others = authority.issue("other", &["other.example.com"]);
    let balancer = tls(&rig, vec![authority.issue("one", &[NAME]), others]);
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    for (name, at) in [(NAME, rig.door()), ("other.example.com", node(&rig, 3))] {
        let mut client = SecureClient::connect(at, name, &Arc::new(authority.client())).unwrap().stream;
        assert_eq!(line(&mut client), "zero\n", "the target may speak first");
        talk(&mut client, "in secret");
        talk(&mut client, &"much ".repeat(400_000));
        client.conn.send_close_notify();
        client.flush().unwrap();
        let mut rest = Vec::new();
        assert_eq!(client.read_to_end(&mut rest).unwrap(), 0, "an end is told to both sides");
    }
    let mut plain = TcpStream::connect(rig.door()).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_ne!(plain.read(&mut [0]).unwrap_or(0), 1, "who speaks no TLS hears nothing");
}

pub fn names(protocols: &[&str]) -> Vec<Vec<u8>> {
    protocols.iter().map(|name| name.as_bytes().to_vec()).collect()
}

/// "ALPN policies": "If the client supports a protocol from the ALPN policy, the load balancer establishes the connection based
/// on the preference list of the ALPN policy. Otherwise, the load balancer does not use ALPN."
#[test]
fn the_listener_agrees_on_the_protocol_that_its_policy_prefers_or_on_none() {
    let mut rig = Rig::start();
    let authority = Authority::new();
    let _speaker = Speaker::echo(rig.target_at(0), "zero");
    let mut balancer = tls(&rig, vec![authority.issue("one", &[NAME])]);
    let policies: [(&str, &[&str]); 5] = [
        ("HTTP1Only", &["http/1.1", "http/1.0"]),
        ("HTTP2Only", &["h2"]),
        ("HTTP2Optional", &["http/1.1", "http/1.0", "h2"]),
        ("HTTP2Preferred", &["h2", "http/1.1", "http/1.0"]),
        ("None", &[]),
    ];
    let clients: [&[&str]; 5] = [&["h2", "http/1.1"], &["http/1.1", "h2"], &["http/1.0"], &["spdy/3"], &[]];
    for (policy, list) in policies {
        balancer.listeners[0].tls.as_mut().unwrap().alpn = list.iter().map(ToString::to_string).collect();
        rig.apply(balancer.clone());
        rig.serve.await_health(0, &TargetHealth::Healthy);
        for client in clients {
            let mut config = authority.client();
            config.alpn_protocols = names(client);
            let mut stream = SecureClient::connect(rig.door(), NAME, &Arc::new(config)).unwrap().stream;
            assert_eq!(line(&mut stream), "zero\n", "{policy}, {client:?}");
            let agreed = stream.conn.alpn_protocol().map(|name| String::from_utf8(name.to_vec()).unwrap());
            let wanted = list.iter().find(|name| client.contains(name)).map(ToString::to_string);
            assert_eq!(agreed, wanted, "{policy}, {client:?}");
        }
    }
}

/// A target that speaks TLS, after what comes before it in the clear.
fn secure_speaker(rig: &Rig, certificate: &Certificate, preface: Option<Arc<Mutex<Vec<Vec<u8>>>>>) -> Speaker {
    secure_speaker_of(rig, certificate, preface, &[])
}

/// Likewise, of these protocols above TLS.
pub fn secure_speaker_of(
    rig: &Rig,
    certificate: &Certificate,
    preface: Option<Arc<Mutex<Vec<Vec<u8>>>>>,
    protocols: &[&str],
) -> Speaker {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain(certificate), key(certificate)).unwrap();
    config.alpn_protocols = names(protocols);
    let config = Arc::new(config);
    Speaker::start(rig.target_at(0), move |mut socket| {
        if let Some(seen) = &preface {
            let mut header = vec![0; 28];
            if socket.read_exact(&mut header).is_err() {
                return; // a health check
            }
            seen.lock().unwrap().push(header);
        }
        let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), socket);
        let mut said = stream.write_all(b"secret\n").and_then(|()| stream.flush());
        let mut bytes = vec![0; 64 * 1024];
        while let (Ok(()), Ok(count @ 1..)) = (&said, stream.read(&mut bytes)) {
            said = stream.write_all(&bytes[..count]).and_then(|()| stream.flush());
        }
    })
}

#[test]
fn targets_speak_tls_where_their_group_does() {
    let mut rig = Rig::start();
    let authority = Authority::new();
    let certificate = authority.issue("one", &[NAME]);
    let _speaker = secure_speaker(&rig, &certificate, None);
    let mut balancer = tls(&rig, vec![certificate]);
    balancer.target_groups[0].protocol = Protocol::Tls;
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let mut client = SecureClient::connect(rig.door(), NAME, &Arc::new(authority.client())).unwrap().stream;
    assert_eq!(line(&mut client), "secret\n");
    talk(&mut client, "twice in secret");
}

/// "Proxy protocol": the target is told of the client before anything else, TLS included.
#[test]
fn targets_are_told_of_clients_before_anything_else() {
    let expected = |client: SocketAddr, at: SocketAddr| {
        let (SocketAddr::V4(client), SocketAddr::V4(at)) = (client, at) else { panic!("not IPv4") };
        let mut header = b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x21\x11\x00\x0c".to_vec();
        header.extend(client.ip().octets().into_iter().chain(at.ip().octets()));
        header.extend(client.port().to_be_bytes().into_iter().chain(at.port().to_be_bytes()));
        header
    };
    let mut rig = Rig::start();
    let seen: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let inner = seen.clone();
    let plain = Speaker::start(rig.target_at(0), move |mut stream| {
        let mut header = vec![0; 28];
        if stream.read_exact(&mut header).is_ok() {
            inner.lock().unwrap().push(header);
            stream.write_all(b"plain\n").unwrap();
            let _ = std::io::copy(&mut stream.try_clone().unwrap(), &mut stream);
        }
    });
    let mut balancer = network(&rig, &[0], Protocol::Tcp);
    balancer.target_groups[0].flow.proxy_protocol = true;
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let mut caller = Caller::call(rig.door());
    caller.echo("after it").unwrap();
    assert_eq!(*seen.lock().unwrap(), [expected(caller.stream.local_addr().unwrap(), rig.door().into())]);
    drop(plain);

    let authority = Authority::new();
    let certificate = authority.issue("one", &[NAME]);
    seen.lock().unwrap().clear();
    let _speaker = secure_speaker(&rig, &certificate, Some(seen.clone()));
    let mut balancer = tls(&rig, vec![certificate]);
    balancer.target_groups[0].protocol = Protocol::Tls;
    balancer.target_groups[0].flow.proxy_protocol = true;
    balancer.target_groups[0].targets[0].generation = 2;
    rig.apply(balancer);
    let mut client = SecureClient::connect(rig.door(), NAME, &Arc::new(authority.client())).unwrap().stream;
    assert_eq!(line(&mut client), "secret\n");
    assert_eq!(*seen.lock().unwrap(), [expected(client.sock.local_addr().unwrap(), rig.door().into())]);
}
