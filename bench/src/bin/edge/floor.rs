//! The least that a proxy of this kind can cost on this kernel: a loop that passes bytes on between two sockets as they come,
//! with one wait for many of them and two system calls a piece, and knows nothing of what they say.

use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use bench::{Result, bound, fail};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::set_tcp_congestion;
use rustix::net::{RecvFlags, SendFlags, recv, send};

/// The argument that makes this program one: its address and that of the upstream follow.
pub const FLOOR: &str = "run-floor";
const PIECE_BYTES: usize = 4 * 1_024;
const EVENTS_MAX: usize = 256;
const LISTENER: u64 = u64::MAX;

/// How this program is started as one.
pub fn command(at: SocketAddr, upstream: SocketAddr) -> Result<Command> {
    let mut command = bound(std::env::current_exe()?);
    command.arg(FLOOR).arg(at.to_string()).arg(upstream.to_string()).stderr(Stdio::inherit());
    Ok(command)
}

/// Serves until it is killed.
pub fn run(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let (Some(at), Some(upstream)) = (arguments.next(), arguments.next()) else { return fail("two addresses") };
    let (at, upstream): (SocketAddr, SocketAddr) = (at.parse()?, upstream.parse()?);
    let listener = TcpListener::bind(at)?;
    set_tcp_congestion(&listener, "reno")?;
    let queue = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&queue, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    // Two that lie side by side belong together.
    let mut sockets: Vec<Option<TcpStream>> = Vec::new();
    let mut events = [const { MaybeUninit::uninit() }; EVENTS_MAX];
    loop {
        for event in epoll::wait(&queue, &mut events, None)?.0 {
            match event.data.u64() {
                LISTENER => begin(&queue, &listener, upstream, &mut sockets)?,
                number => pass_on(&mut sockets, usize::try_from(number)?)?,
            }
        }
    }
}

fn begin(queue: &OwnedFd, listener: &TcpListener, upstream: SocketAddr, sockets: &mut Vec<Option<TcpStream>>) -> Result<()> {
    let (caller, _) = listener.accept()?;
    let target = TcpStream::connect(upstream)?;
    set_tcp_congestion(&target, "reno")?;
    for socket in [caller, target] {
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let number = EventData::new_u64(sockets.len() as u64);
        epoll::add(queue, &socket, number, EventFlags::IN | EventFlags::ET)?;
        sockets.push(Some(socket));
    }
    Ok(())
}

/// Small messages only: each is there whole, and its receiver has room for it.
fn pass_on(sockets: &mut [Option<TcpStream>], number: usize) -> Result<()> {
    let (Some(from), Some(to)) = (&sockets[number], &sockets[number ^ 1]) else { return Ok(()) };
    let mut piece = [MaybeUninit::uninit(); PIECE_BYTES];
    match recv(from, &mut piece, RecvFlags::empty()) {
        Ok(((bytes, _), 1..)) => match send(to, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) if sent == bytes.len() => return Ok(()),
            other => return fail(format!("{other:?} of {} bytes were sent", bytes.len())),
        },
        Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
        // The end, of whatever kind.
        _ => {}
    }
    (sockets[number], sockets[number ^ 1]) = (None, None);
    Ok(())
}
