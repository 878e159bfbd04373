//! The end: requests in flight are finished, nothing new is taken.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Signal, kill_process};

use crate::support::start_alone;

#[test]
fn sigterm_finishes_what_is_in_flight() {
    let mut application = start_alone();
    let mut stream = TcpStream::connect(application.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"GET /work?ms=400 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut idle = TcpStream::connect(application.address).unwrap();
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    idle.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut begun = [0; 12];
    idle.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    kill_process(application.pid(), Signal::TERM).unwrap();
    application.logged("stopping");
    assert!(TcpStream::connect(application.address).is_err(), "it takes no new connection");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"cpu_ms\":4"), "{answer}");
    assert!(application.wait_for_exit().success());
}

#[test]
fn a_port_in_use_is_told() {
    let application = start_alone();
    let port = application.address.port().to_string();
    let again = std::process::Command::new(env!("CARGO_BIN_EXE_web-tier"))
        .args(["--address", "127.0.0.1", "--port", &port])
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains(&format!("cannot listen on 127.0.0.1:{port}")));
}
