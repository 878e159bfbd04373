//! What a target is told of a client before its first byte, in each datagram, and before each health check: the header of the
//! PROXY protocol, version 2 ("Target groups for your Network Load Balancers: Proxy protocol"; "The PROXY protocol, versions 1 &
//! 2", section 2.2). It carries no further fields.
//!
//! AWS says that its header works with UDP, too ("Preserving client IP address with Proxy protocol v2 and Network Load Balancer",
//! AWS Networking & Content Delivery Blog), but not in which datagrams it is. Each can be lost and stands for itself, and servers
//! such as BIND look for the header in each.

use std::net::SocketAddr;

use super::compile::Transport;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, on behalf of another.
const PROXY: u8 = 0x21;
/// Address families, to which the transport is added.
const V4: u8 = 0x10;
const V6: u8 = 0x20;
/// The header of a connection of our own, which is on behalf of nobody: command `LOCAL`, no address family, nothing that follows.
/// "When a sender presents a LOCAL connection, it should not present any address so it sets this field to zero" (section 2.2).
pub const LOCAL: [u8; 16] = *b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
/// The longest header: two IPv6 addresses and two ports.
pub const PREFACE_BYTES_MAX: usize = 16 + 36;

/// Writes the header into `space`; returns its length. Addresses of two families are told as IPv6.
pub fn write(space: &mut [u8; PREFACE_BYTES_MAX], transport: Transport, client: SocketAddr, at: SocketAddr) -> usize {
    let transport = match transport {
        Transport::Tcp => 1,
        Transport::Udp => 2,
    };
    space[..12].copy_from_slice(&SIGNATURE);
    space[12] = PROXY;
    let end = match (client, at) {
        (SocketAddr::V4(client), SocketAddr::V4(at)) => {
            (space[13], space[15]) = (V4 | transport, 12);
            space[16..20].copy_from_slice(&client.ip().octets());
            space[20..24].copy_from_slice(&at.ip().octets());
            24
        }
        (client, at) => {
            let v6 = |address: SocketAddr| match address {
                SocketAddr::V4(v4) => v4.ip().to_ipv6_mapped().octets(),
                SocketAddr::V6(v6) => v6.ip().octets(),
            };
            (space[13], space[15]) = (V6 | transport, 36);
            space[16..32].copy_from_slice(&v6(client));
            space[32..48].copy_from_slice(&v6(at));
            48
        }
    };
    space[14] = 0;
    space[end..end + 2].copy_from_slice(&client.port().to_be_bytes());
    space[end + 2..end + 4].copy_from_slice(&at.port().to_be_bytes());
    end + 4
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{PREFACE_BYTES_MAX, Transport, write};

    #[test]
    fn headers_are_those_of_the_protocols_text() {
        let mut space = [0xff; PREFACE_BYTES_MAX];
        let length = write(&mut space, Transport::Tcp, "127.0.0.1:40000".parse().unwrap(), "127.9.8.7:443".parse().unwrap());
        let golden =
            b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x09\x08\x07\x9c\x40\x01\xbb";
        assert_eq!(&space[..length], golden);
        let length = write(&mut space, Transport::Tcp, "[::1]:1".parse().unwrap(), "[2001:db8::2]:65535".parse().unwrap());
        let mut golden = b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x21\x21\x00\x24".to_vec();
        golden.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        golden.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0xff, 0xff]);
        assert_eq!(space[..length], golden);
        // Of datagrams only the transport differs.
        let length = write(&mut space, Transport::Udp, "[::1]:1".parse().unwrap(), "[2001:db8::2]:65535".parse().unwrap());
        golden[13] = 0x22;
        assert_eq!(space[..length], golden);
        let length = write(&mut space, Transport::Udp, "127.0.0.1:1".parse().unwrap(), "127.0.0.2:2".parse().unwrap());
        assert_eq!((length, space[13]), (28, 0x12));
    }
}
