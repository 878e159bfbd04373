//! What others feel of users who are slow on purpose: heads and bodies of requests that trickle in, and answers that are hardly
//! read.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bench::{Limit, Measured, Report, Result, fail, percentile, wait_for};
use rustix::net::sockopt::set_socket_recv_buffer_size;

use crate::clients::Users;
use crate::proxies::{Kind, Proxy};
use crate::{Settings, cores};

const SLOW: usize = 5_000;
/// How often each of them sends or takes another byte.
const STEP: Duration = Duration::from_secs(1);
const OPEN_MAX: Duration = Duration::from_secs(60);
/// As many connections after it as before: that is all.
const SETTLED: Duration = Duration::from_secs(2);
const REQUEST: &[u8] = b"GET /1k HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
const CONNECTIONS: usize = 64;
const SHARE: f64 = 0.5;

pub fn measure(settings: &Settings, proxies: &[Proxy], report: &mut Report) {
    let name = format!("beside {SLOW} slow users");
    match times(settings, proxies) {
        Ok((alone, beside)) => {
            let ratio = Measured::new("", Limit::None, alone.clone()).median();
            report.add("without slow users: p99", Ok(Measured::new("us", Limit::None, alone)));
            report.add(format!("{name}: p99"), Ok(Measured::new("us", Limit::AtMost(2.0 * ratio), beside)));
        }
        Err(e) => report.add(name, Err(e)),
    }
}

fn times(settings: &Settings, proxies: &[Proxy]) -> Result<(Vec<f64>, Vec<f64>)> {
    let Some(edge) = proxies.iter().find(|proxy| proxy.kind == Kind::Allod) else { return fail("no edge runs") };
    let users = Users {
        at: edge.at,
        tls: None,
        fresh: false,
        connections: CONNECTIONS,
        request: REQUEST.to_vec(),
        duration: settings.turn,
    };
    let (requests, ..) = users.rush(|| Ok(()))?;
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let per_second = requests as f64 / settings.turn.as_secs_f64() * SHARE;
    let p99s = || (0..settings.rounds).map(|_| Ok(percentile(&users.pace(per_second)?, 0.99))).collect::<Result<Vec<_>>>();
    let alone = p99s()?;
    let slow = Slow::begin(edge.at)?;
    settle(edge)?;
    let beside = p99s()?;
    slow.end()?;
    Ok((alone, beside))
}

/// Waits until the edge has taken in all of them, and sent what it can: what they cost is measured, not that they came at once.
fn settle(edge: &Proxy) -> Result<()> {
    let mut before = 0;
    wait_for("no more connections", OPEN_MAX, SETTLED, || {
        let open = fs::read_dir(format!("/proc/{}/fd", edge.process.id()))?.count();
        let settled = open > SLOW && open <= std::mem::replace(&mut before, open);
        Ok(settled.then_some(()))
    })
}

/// Slow users, in a thread of their own.
struct Slow {
    ended: Arc<AtomicBool>,
    open: Arc<AtomicUsize>,
    thread: JoinHandle<Result<()>>,
}

impl Slow {
    /// Returns when all are connected.
    fn begin(at: SocketAddr) -> Result<Self> {
        let (ended, open): (Arc<AtomicBool>, Arc<AtomicUsize>) = Default::default();
        let (inner, count) = (ended.clone(), open.clone());
        let thread = thread::Builder::new().name("slow".into()).spawn(move || {
            cores::load()?;
            trickle(at, &inner, &count)
        })?;
        let slow = Self { ended, open, thread };
        let all = || Ok((slow.open.load(Ordering::SeqCst) == SLOW || slow.thread.is_finished()).then_some(()));
        wait_for("slow users are connected", OPEN_MAX, Duration::from_millis(20), all)?;
        Ok(slow)
    }

    fn end(self) -> Result<()> {
        self.ended.store(true, Ordering::SeqCst);
        let open = self.open.load(Ordering::SeqCst);
        match self.thread.join() {
            Ok(outcome) => outcome?,
            Err(_) => return fail("the slow users have panicked"),
        }
        if open < SLOW { fail(format!("only {open} of {SLOW} slow users were there at the end")) } else { Ok(()) }
    }
}

fn trickle(at: SocketAddr, ended: &AtomicBool, open: &AtomicUsize) -> Result<()> {
    let mut users = Vec::new();
    for number in 0..SLOW {
        let mut user = TcpStream::connect(at)?;
        user.set_nodelay(true)?;
        match number % 3 {
            0 => user.write_all(b"GET / HTTP/1.1\r\nHost: bench\r\nX-Long: ")?,
            1 => user.write_all(b"POST / HTTP/1.1\r\nHost: bench\r\nContent-Length: 100000\r\n\r\n")?,
            _ => {
                set_socket_recv_buffer_size(&user, 2_048)?;
                user.write_all(b"GET /1m HTTP/1.1\r\nHost: bench\r\n\r\n")?;
            }
        }
        user.set_nonblocking(true)?;
        users.push(user);
        open.store(users.len(), Ordering::SeqCst);
    }
    while !ended.load(Ordering::SeqCst) {
        // Spread over the step, as users are.
        for (number, user) in users.iter_mut().enumerate() {
            let _ = match number % 3 {
                2 => user.read(&mut [0]),
                _ => user.write(b"x"),
            };
            if number % 50 == 49 {
                thread::sleep(STEP / u32::try_from(SLOW / 50)?);
            }
        }
    }
    Ok(())
}
