//! What others feel of users who are slow on purpose: heads and bodies of requests that trickle in, and answers that are hardly
//! read.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bench::{Limit, Measured, Report, Result, percentile, wait_for};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use tokio::time::{MissedTickBehavior, interval};

use crate::Settings;
use crate::clients::Users;
use crate::proxies::{Kind, Proxy};
use crate::rush::SMALL;

const SLOW: usize = 5_000;
/// So many of them send or take another byte in a tick: each does once a second.
const PER_TICK: usize = 5;
const TICK: Duration = Duration::from_millis(1);
const OPEN_MAX: Duration = Duration::from_secs(60);
/// As many connections after it as before: that is all.
const SETTLED: Duration = Duration::from_secs(2);
const CONNECTIONS: usize = 64;
/// So much of what the proxy can do is asked of it. A virtual machine stops now and then for some milliseconds: the more is
/// asked, the more requests wait behind that and the longer, and when they are more than a hundredth, the p99 is theirs.
const SHARE: f64 = 0.25;

pub fn measure(settings: &Settings, proxies: &[Proxy], report: &mut Report) {
    for proxy in proxies {
        let (kind, ours) = (proxy.kind.name(), proxy.kind == Kind::Allod);
        let name = format!("beside {SLOW} slow users: p99, {kind}");
        match times(settings, proxy) {
            Ok((alone, beside)) => {
                let alone = Measured::new("us", Limit::None, alone);
                let wanted = if ours { Limit::AtMost(2.0 * alone.median()) } else { Limit::None };
                report.add(format!("without slow users: p99, {kind}"), Ok(alone));
                report.add(name, Ok(Measured::new("us", wanted, beside)));
            }
            Err(e) => report.add(name, Err(e)),
        }
    }
}

fn times(settings: &Settings, proxy: &Proxy) -> Result<(Vec<f64>, Vec<f64>)> {
    let users = Users {
        at: proxy.at,
        tls: None,
        fresh: false,
        connections: CONNECTIONS,
        request: SMALL.to_vec(),
        duration: settings.turn,
    };
    let (requests, ..) = users.rush(|| Ok(()))?;
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let per_second = requests as f64 / settings.turn.as_secs_f64() * SHARE;
    let turns = || 0..settings.rounds;
    let alone = turns().map(|_| Ok(percentile(&users.pace(per_second)?, 0.99))).collect::<Result<_>>()?;
    let mut slow = open(proxy.at)?;
    settle(proxy)?;
    let mut beside = Vec::new();
    for _ in turns() {
        beside.push(percentile(&users.pace_beside(per_second, trickle(&mut slow))?, 0.99));
    }
    Ok((alone, beside))
}

/// Waits until the proxy has taken in all of them, and sent what it can: what they cost is measured, not that they came at once.
fn settle(proxy: &Proxy) -> Result<()> {
    let mut before = 0;
    wait_for("no more connections", OPEN_MAX, SETTLED, || {
        let open = fs::read_dir(format!("/proc/{}/fd", proxy.process.id()))?.count();
        let settled = open > SLOW && open <= std::mem::replace(&mut before, open);
        Ok(settled.then_some(()))
    })
}

/// Connects all of them.
fn open(at: SocketAddr) -> Result<Vec<TcpStream>> {
    let open_one = |number: usize| {
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
        Ok(user)
    };
    (0..SLOW).map(open_one).collect()
}

/// Has them go on for ever, spread over time as users are.
async fn trickle(users: &mut [TcpStream]) -> Result<()> {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        for (number, user) in users.iter_mut().enumerate() {
            match number % 3 {
                // There may be nothing to read.
                2 => drop(user.read(&mut [0])),
                _ => user.write_all(b"x")?,
            }
            if number % PER_TICK == 0 {
                tick.tick().await;
            }
        }
    }
}
