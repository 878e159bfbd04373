//! Health checks of network load balancers whose targets want the header of the PROXY protocol.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use world::{Protocol, TargetHealth};

use crate::flow_peers::{Speaker, network};
use crate::rig::{Rig, eventually};
use crate::secure::{Authority, chain, key};

/// Version 2, command `LOCAL`, no family, nothing more ("The PROXY protocol, versions 1 & 2", section 2.2).
const LOCAL: &[u8; 16] = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";

/// Answers one request with 200.
fn answer(stream: &mut (impl Read + Write)) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"GET /health HTTP/1.1\r\n"));
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    stream.flush()
}

/// What each check has begun with, on a target that serves only whom a header announces.
fn check(protocol: Protocol, announces: bool, health: &TargetHealth) -> Vec<Vec<u8>> {
    let mut rig = Rig::start();
    let certificate = Authority::new().issue("target", &[]);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_no_client_auth().with_single_cert(chain(&certificate), key(&certificate)).unwrap());
    let begun: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let seen = begun.clone();
    let _speaker = Speaker::start(rig.target_at(0), move |mut stream| {
        let mut header = Vec::new();
        let _ = (&stream).take(LOCAL.len() as u64).read_to_end(&mut header);
        let is_announced = header == LOCAL;
        if is_announced && protocol == Protocol::Tcp {
            let _ = stream.read_to_end(&mut header);
        }
        seen.lock().unwrap().push(header);
        let _ = match protocol {
            Protocol::Http if is_announced => answer(&mut stream),
            Protocol::Https if is_announced => {
                answer(&mut StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream))
            }
            _ => Ok(()),
        };
    });
    let mut balancer = network(&rig, &[0], Protocol::Tcp);
    let group = &mut balancer.target_groups[0];
    group.flow.proxy_protocol = announces;
    (group.health_check.protocol, group.health_check.timeout_ms) = (protocol, 5_000);
    if protocol != Protocol::Tcp {
        (group.health_check.path, group.health_check.matcher) = ("/health".into(), vec![(200, 200)]);
    }
    rig.apply(balancer);
    rig.serve.await_health(0, health);
    eventually("a check has come", || Some(begun.lock().unwrap().clone()).filter(|begun| !begun.is_empty()))
}

#[test]
fn checks_begin_with_a_header_that_tells_of_no_client() {
    for protocol in [Protocol::Tcp, Protocol::Http, Protocol::Https] {
        let begun = check(protocol, true, &TargetHealth::Healthy);
        assert!(begun.iter().all(|bytes| bytes == LOCAL), "{protocol:?}: {begun:?}");
    }
}

#[test]
fn checks_of_other_groups_have_no_header() {
    assert_eq!(check(Protocol::Tcp, false, &TargetHealth::Healthy)[0], b"");
}
