//! Many connections at a time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::start_after;

/// The usual soft limit on open files is half of what the application says that it takes.
#[test]
fn connections_are_bounded_by_the_application_alone() {
    let application = start_after("ulimit -S -n 32");
    let connections: Vec<TcpStream> = (0..64)
        .map(|_| {
            let mut stream = TcpStream::connect(application.address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            stream
        })
        .collect();
    for (number, mut stream) in connections.iter().enumerate() {
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap_or_else(|e| panic!("connection {number}: {e}"));
        assert_eq!(&head, b"HTTP/1.1 200");
    }
}
