//! How many packets went to and fro on a client's connection, as the kernel counts its segments. A packet that a load balancer
//! of AWS passes on counts once; so it does here, where it is one of the client's connection and then one of the target's.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;

use super::counters::FlowCounters;

/// Bytes of the kernel's `tcp_info` up to `tcpi_segs_out` and `tcpi_segs_in`, the last eight of them (Linux 4.2, `linux/tcp.h`).
const INFO_BYTES: usize = 144;

/// Those of one connection.
#[derive(Debug)]
pub struct Segments {
    counters: Arc<FlowCounters>,
    worker: usize,
    counted: Cell<u32>,
    moved: Cell<bool>,
}

impl Segments {
    pub fn new(counters: &Arc<FlowCounters>, worker: usize) -> Self {
        Self { counters: counters.clone(), worker, counted: Cell::new(0), moved: Cell::new(true) }
    }

    /// Bytes went either way: it is worth a look.
    pub fn moved(&self) {
        self.moved.set(true);
    }

    /// Counts what is new, if anything may be.
    pub fn look(&self, socket: BorrowedFd<'_>) {
        if self.moved.replace(false) {
            self.count(socket);
        }
    }

    /// Counts what is new. The kernel's numbers come round.
    pub fn count(&self, socket: BorrowedFd<'_>) {
        let Ok(all) = both_ways(socket) else { return };
        let new = all.wrapping_sub(self.counted.replace(all));
        self.counters.worker(self.worker).packets(u64::from(new));
    }
}

/// Segments that a TCP socket has sent and received so far, together.
fn both_ways(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut info = [0_u8; INFO_BYTES];
    let mut length = INFO_BYTES as libc::socklen_t;
    // SAFETY: the kernel writes `length` bytes at most, which `info` has, and then how many they were.
    let answer = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, info.as_mut_ptr().cast(), &raw mut length)
    };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    let [.., a, b, c, d, e, f, g, h] = info;
    Ok(u32::from_ne_bytes([a, b, c, d]).wrapping_add(u32::from_ne_bytes([e, f, g, h])))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use super::{Arc, FlowCounters, Segments};

    #[test]
    fn segments_of_both_directions_are_counted_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut socket = listener.accept().unwrap().0;
        client.set_nodelay(true).unwrap();
        socket.set_nodelay(true).unwrap();
        let counters = Arc::new(FlowCounters::new(1));
        let segments = Segments::new(&counters, 0);
        let look = || {
            segments.look(socket.as_fd());
            counters.totals().packets
        };
        let begun = look();
        assert!(begun <= 4, "SYN and what follows: {begun}");
        let mut byte = [0];
        for _ in 0..10 {
            client.write_all(b"x").unwrap();
            (&socket).read_exact(&mut byte).unwrap();
            socket.write_all(b"y").unwrap();
            client.read_exact(&mut byte).unwrap();
        }
        let look = || {
            segments.look(socket.as_fd());
            counters.totals().packets
        };
        assert_eq!(look(), begun, "nobody has said that anything moved");
        segments.moved();
        let all = look();
        assert!((begun + 20..=begun + 44).contains(&all), "twenty with data, and their acknowledgements: {all}");
        segments.count(socket.as_fd());
        assert!(counters.totals().packets <= all + 4, "none twice");
    }
}
