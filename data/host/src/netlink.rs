//! The few route-netlink requests that the host needs: veth pairs, addresses, routes, neighbours. Requests are
//! built as bytes and checked against the kernel's acknowledgements; nothing here knows a VPC.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::sys::{check, socket};

/// Longest wait for the kernel's answer.
const ANSWER_SECONDS_MAX: i64 = 10;
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Longest piece of a list that the kernel sends.
const LIST_BYTES_MAX: usize = 64 * 1024;
/// The C library does not name it.
const RTM_GETSTATS: u16 = 94;
const STATS_HEADER_BYTES: usize = 12;

const HEADER_BYTES: usize = 16;
const VETH_INFO_PEER: u16 = 1;
/// RTNH_F_ONLINK: the gateway is a neighbour whatever its address.
const ONLINK: u32 = 4;
const FLAG_REPLACE: u16 = libc::NLM_F_CREATE as u16 | libc::NLM_F_REPLACE as u16;
const FLAG_NEW: u16 = libc::NLM_F_CREATE as u16 | libc::NLM_F_EXCL as u16;

/// One request under construction. The sequence number is set when it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request(Vec<u8>);

/// One end of a veth pair.
pub(crate) struct End<'a> {
    pub name: &'a str,
    /// None leaves the choice to the kernel.
    pub index: u32,
    pub mac: [u8; 6],
    pub namespace: Option<BorrowedFd<'a>>,
}

impl Request {
    fn new(kind: u16, flags: u16, body: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&(flags | libc::NLM_F_REQUEST as u16 | libc::NLM_F_ACK as u16).to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(body);
        Self(bytes)
    }

    fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.pad()
    }

    fn pad(mut self) -> Self {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// An attribute made of attributes.
    fn nested(mut self, kind: u16, inner: impl FnOnce(Self) -> Self) -> Self {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 2]);
        self.0.extend_from_slice(&kind.to_ne_bytes());
        let mut outer = inner(self);
        let length = u16::try_from(outer.0.len() - start).unwrap_or(u16::MAX);
        outer.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        outer
    }

    fn text(self, kind: u16, value: &str) -> Self {
        let bytes: Vec<u8> = value.bytes().chain([0]).collect();
        self.attribute(kind, &bytes)
    }

    fn end(self, end: &End<'_>, mtu: u32) -> Self {
        let request = self
            .text(libc::IFLA_IFNAME, end.name)
            .attribute(libc::IFLA_ADDRESS, &end.mac)
            .attribute(libc::IFLA_MTU, &mtu.to_ne_bytes());
        match end.namespace {
            Some(fd) => request.attribute(libc::IFLA_NET_NS_FD, &fd.as_raw_fd().to_ne_bytes()),
            None => request,
        }
    }

    fn bytes(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

fn link_body(index: u32, flags: u32, change: u32) -> [u8; HEADER_BYTES] {
    let mut body = [0; HEADER_BYTES];
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    body[8..12].copy_from_slice(&flags.to_ne_bytes());
    body[12..16].copy_from_slice(&change.to_ne_bytes());
    body
}

/// Makes a veth pair; neither end is up yet.
pub(crate) fn add_veth(near: &End<'_>, far: &End<'_>, mtu: u32) -> Request {
    Request::new(libc::RTM_NEWLINK, FLAG_NEW, &link_body(near.index, 0, 0)).end(near, mtu).nested(libc::IFLA_LINKINFO, |r| {
        r.text(libc::IFLA_INFO_KIND, "veth").nested(libc::IFLA_INFO_DATA, |r| {
            r.nested(VETH_INFO_PEER, |mut r| {
                r.0.extend_from_slice(&link_body(far.index, 0, 0));
                r.end(far, mtu)
            })
        })
    })
}

pub(crate) fn remove_link(index: u32) -> Request {
    Request::new(libc::RTM_DELLINK, 0, &link_body(index, 0, 0))
}

pub(crate) fn set_up(index: u32) -> Request {
    let up = libc::IFF_UP as u32;
    Request::new(libc::RTM_NEWLINK, 0, &link_body(index, up, up))
}

/// Gives a device an address.
pub(crate) fn add_address(index: u32, address: Ipv4Addr, prefix_bits: u8) -> Request {
    let index = index.to_ne_bytes();
    let body = [libc::AF_INET as u8, prefix_bits, 0, 0, index[0], index[1], index[2], index[3]];
    Request::new(libc::RTM_NEWADDR, FLAG_REPLACE, &body)
        .attribute(libc::IFA_LOCAL, &address.octets())
        .attribute(libc::IFA_ADDRESS, &address.octets())
}

pub(crate) fn remove_address(index: u32, address: Ipv4Addr, prefix_bits: u8) -> Request {
    let index = index.to_ne_bytes();
    let body = [libc::AF_INET as u8, prefix_bits, 0, 0, index[0], index[1], index[2], index[3]];
    Request::new(libc::RTM_DELADDR, 0, &body).attribute(libc::IFA_LOCAL, &address.octets())
}

/// Where a route leads.
pub(crate) enum Hop {
    /// To a neighbour on the device.
    Device(u32),
    /// Through a gateway that counts as a neighbour on the device whatever its address.
    Gateway(Ipv4Addr, u32),
    /// Nowhere, and the sender is told.
    Unreachable,
}

pub(crate) fn add_route(destination: Ipv4Addr, prefix_bits: u8, hop: &Hop) -> Request {
    route(libc::RTM_NEWROUTE, FLAG_REPLACE, destination, prefix_bits, hop)
}

pub(crate) fn remove_route(destination: Ipv4Addr, prefix_bits: u8, hop: &Hop) -> Request {
    route(libc::RTM_DELROUTE, 0, destination, prefix_bits, hop)
}

fn route(kind: u16, flags: u16, destination: Ipv4Addr, prefix_bits: u8, hop: &Hop) -> Request {
    let (scope, route_kind) = match hop {
        Hop::Device(_) => (libc::RT_SCOPE_LINK, libc::RTN_UNICAST),
        Hop::Gateway(..) => (libc::RT_SCOPE_UNIVERSE, libc::RTN_UNICAST),
        Hop::Unreachable => (libc::RT_SCOPE_UNIVERSE, libc::RTN_UNREACHABLE),
    };
    let mut body = [0; 12];
    body[..8].copy_from_slice(&[
        libc::AF_INET as u8,
        prefix_bits,
        0,
        0,
        libc::RT_TABLE_MAIN,
        libc::RTPROT_STATIC,
        scope,
        route_kind,
    ]);
    if matches!(hop, Hop::Gateway(..)) {
        body[8..12].copy_from_slice(&ONLINK.to_ne_bytes());
    }
    let request = Request::new(kind, flags, &body);
    let request = if prefix_bits > 0 { request.attribute(libc::RTA_DST, &destination.octets()) } else { request };
    match hop {
        Hop::Device(index) => request.attribute(libc::RTA_OIF, &index.to_ne_bytes()),
        Hop::Gateway(gateway, index) => {
            request.attribute(libc::RTA_GATEWAY, &gateway.octets()).attribute(libc::RTA_OIF, &index.to_ne_bytes())
        }
        Hop::Unreachable => request,
    }
}

/// Tells a device once and for all which MAC address a neighbour has.
pub(crate) fn add_neighbour(index: u32, address: Ipv4Addr, mac: [u8; 6]) -> Request {
    let mut body = [0; 12];
    body[0] = libc::AF_INET as u8;
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    body[8..10].copy_from_slice(&libc::NUD_PERMANENT.to_ne_bytes());
    Request::new(libc::RTM_NEWNEIGH, FLAG_REPLACE, &body)
        .attribute(libc::NDA_DST, &address.octets())
        .attribute(libc::NDA_LLADDR, &mac)
}

/// A route-netlink socket. It stays in the network namespace in which it was opened.
pub(crate) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    pub fn open() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: no pointers; the new descriptor is owned at once.
        let socket = unsafe { OwnedFd::from_raw_fd(check(libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE))?) };
        // Without the cap an error would bring back the whole request; with it only its header.
        socket::set_option(&socket, libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, 1)?;
        let wait = libc::timeval { tv_sec: ANSWER_SECONDS_MAX, tv_usec: 0 };
        let length = size_of::<libc::timeval>() as libc::socklen_t;
        // SAFETY: the time lives through the call and the length is its own.
        check(unsafe {
            let value = std::ptr::from_ref(&wait).cast();
            libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVTIMEO, value, length)
        })?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Sends the requests as one message and waits for every answer. The first error of the kernel is returned; the
    /// requests after a failed one were carried out all the same.
    pub fn transact(&mut self, requests: impl IntoIterator<Item = Request>) -> io::Result<()> {
        let first = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        let mut open = 0_u32;
        for request in requests {
            self.sequence = self.sequence.wrapping_add(1);
            bytes.extend(request.bytes(self.sequence));
            open += 1;
        }
        let total = open;
        if total == 0 {
            return Ok(());
        }
        socket::send(&self.socket, &bytes, &[])?;
        let mut outcome = Ok(());
        while open > 0 {
            let (answers, _) = socket::receive(&self.socket, ANSWER_BYTES_MAX)?;
            for (sequence, errno) in acknowledgements(&answers) {
                if sequence.wrapping_sub(first) >= total {
                    continue; // A late answer to an earlier request that timed out.
                }
                open -= 1;
                if errno != 0 && outcome.is_ok() {
                    outcome = Err(io::Error::from_raw_os_error(errno));
                }
            }
        }
        outcome
    }

    /// Asks for a list and gives the kind and body of each of its messages to `each`.
    pub fn list(&mut self, request: Request, mut each: impl FnMut(u16, &[u8])) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = request.bytes(self.sequence);
        let flags = libc::NLM_F_REQUEST as u16 | libc::NLM_F_DUMP as u16;
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        socket::send(&self.socket, &bytes, &[])?;
        loop {
            let (answer, _) = socket::receive(&self.socket, LIST_BYTES_MAX)?;
            for (kind, _, body) in messages(&answer).filter(|(_, sequence, _)| *sequence == self.sequence) {
                match i32::from(kind) {
                    libc::NLMSG_DONE => return Ok(()),
                    libc::NLMSG_ERROR => {
                        return Err(io::Error::from_raw_os_error(word(body, 0).cast_signed().wrapping_neg()));
                    }
                    _ => each(kind, body),
                }
            }
        }
    }
}

/// The request for the counters of all devices (`RTM_GETSTATS`), for [`Netlink::list`].
pub(crate) fn list_counters() -> Request {
    // struct if_stats_msg: family, padding, device (all), mask of what is wanted.
    let mut body = [0; STATS_HEADER_BYTES];
    body[8..12].copy_from_slice(&1_u32.to_ne_bytes());
    Request::new(RTM_GETSTATS, 0, &body)
}

/// What has gone through a device since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub received_packets: u64,
    pub sent_packets: u64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
}

impl Counters {
    /// Reads a message of the list: the device's index with its counters.
    pub fn parse(body: &[u8]) -> Option<(u32, Self)> {
        // One attribute, IFLA_STATS_LINK_64, with struct rtnl_link_stats64.
        let stats = body.get(STATS_HEADER_BYTES + 4..)?;
        let number = |at: usize| stats.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_ne_bytes);
        let counters =
            Self { received_packets: number(0)?, sent_packets: number(8)?, received_bytes: number(16)?, sent_bytes: number(24)? };
        Some((word(body, 4), counters))
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

/// Kind, sequence number and body of each message of an answer; none of what is cut off.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, u32, &[u8])> {
    std::iter::from_fn(move || {
        let length = word(bytes, 0) as usize;
        let message = bytes.get(..length).filter(|m| m.len() >= HEADER_BYTES)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([message[4], message[5]]), word(message, 8), &message[HEADER_BYTES..]))
    })
}

/// Sequence number and error of each acknowledgement in the kernel's answer.
fn acknowledgements(mut bytes: &[u8]) -> Vec<(u32, i32)> {
    let mut found = Vec::new();
    while bytes.len() >= HEADER_BYTES {
        let length = word(bytes, 0) as usize;
        let kind = u16::from_ne_bytes([bytes[4], bytes[5]]);
        if i32::from(kind) == libc::NLMSG_ERROR {
            found.push((word(bytes, 8), word(bytes, HEADER_BYTES).cast_signed().wrapping_neg()));
        }
        if length < HEADER_BYTES || length.next_multiple_of(4) >= bytes.len() {
            break;
        }
        bytes = &bytes[length.next_multiple_of(4)..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Counters, End, Hop, acknowledgements, add_address, add_route, add_veth};
    use std::net::Ipv4Addr;

    #[test]
    fn an_address_request_is_what_the_kernel_documents() {
        let bytes = add_address(7, Ipv4Addr::new(10, 0, 1, 9), 24).bytes(3);
        let wanted = [
            &40_u32.to_ne_bytes()[..],
            &20_u16.to_ne_bytes(),    // RTM_NEWADDR
            &0x505_u16.to_ne_bytes(), // request, acknowledge, create, replace
            &3_u32.to_ne_bytes(),
            &[0; 4],
            &[2, 24, 0, 0],
            &7_u32.to_ne_bytes(),
            &[8, 0, 2, 0, 10, 0, 1, 9],
            &[8, 0, 1, 0, 10, 0, 1, 9],
        ]
        .concat();
        assert_eq!(bytes, wanted);
    }

    #[test]
    fn attributes_nest_and_pad() {
        let end = |name| End { name, index: 5, mac: [6; 6], namespace: None };
        let bytes = add_veth(&end("v5"), &end("eth0"), 9001).bytes(1);
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(u32::from_ne_bytes(bytes[..4].try_into().expect("four bytes")) as usize, bytes.len());
        // IFLA_LINKINFO comes after header, body, name (8), MAC (12) and MTU (8) and reaches to the end.
        let info = 16 + 16 + 8 + 12 + 8;
        assert_eq!(u16::from_ne_bytes([bytes[info + 2], bytes[info + 3]]), libc::IFLA_LINKINFO);
        assert_eq!(u16::from_ne_bytes([bytes[info], bytes[info + 1]]) as usize, bytes.len() - info);
    }

    #[test]
    fn counters_are_read_as_the_kernel_lays_them_out() {
        let numbers = [3_u64, 5, 300, 500, 0, 0].map(u64::to_ne_bytes).concat();
        let attribute = [&52_u16.to_ne_bytes()[..], &1_u16.to_ne_bytes(), &numbers].concat();
        let body = [&[0; 4][..], &17_u32.to_ne_bytes(), &1_u32.to_ne_bytes(), &attribute].concat();
        let wanted = Counters { received_packets: 3, sent_packets: 5, received_bytes: 300, sent_bytes: 500 };
        assert_eq!(Counters::parse(&body), Some((17, wanted)));
        assert_eq!(Counters::parse(&body[..30]), None);
    }

    #[test]
    fn a_default_route_names_no_destination() {
        let gateway = Ipv4Addr::new(10, 0, 0, 1);
        let bytes = add_route(Ipv4Addr::UNSPECIFIED, 0, &Hop::Gateway(gateway, 2)).bytes(1);
        assert_eq!(bytes.len(), 16 + 12 + 8 + 8);
    }

    #[test]
    fn reads_acknowledgements_and_stops_at_nonsense() {
        let one = |sequence: u32, error: i32| {
            [
                &36_u32.to_ne_bytes()[..],
                &2_u16.to_ne_bytes(),
                &[0; 2],
                &sequence.to_ne_bytes(),
                &[0; 4],
                &error.to_ne_bytes(),
                &[0; 16],
            ]
            .concat()
        };
        assert_eq!(acknowledgements(&[one(1, 0), one(2, -17)].concat()), [(1, 0), (2, 17)]);
        assert!(acknowledgements(&[0; 15]).is_empty());
        let mut endless = one(4, 0);
        endless[..4].copy_from_slice(&0_u32.to_ne_bytes());
        assert_eq!(acknowledgements(&endless), [(4, 0)]);
    }
}
