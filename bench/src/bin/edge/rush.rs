//! As many requests as go through: processor time for each of them, requests or bytes a second, and system calls.

use std::time::{Duration, Instant};

use bench::{Limit, Measured, Report, Result};

use crate::Settings;
use crate::clients::Users;
use crate::proxies::{Kind, Proxy};
use crate::system_calls::Counting;
use crate::upstream::KIB;

/// A proxy takes its turn in so many pieces, between which the others have theirs: what else the machine does for a second
/// meets all of them alike.
pub const PIECES: u32 = 5;

/// What a load looks like, and what it is wanted to be.
struct Load {
    name: &'static str,
    connections: usize,
    request: Vec<u8>,
    transport: Transport,
    /// Of our processor time for a request to that of the better one of the others.
    ratio: Limit,
    /// Of our requests a second to those of the better one of the others.
    speed: Limit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Plain,
    Tls,
    /// TLS, and a connection for each request.
    FreshTls,
    /// Connections passed on as they are.
    Flow,
    /// Likewise, one for each request.
    FreshFlow,
}

/// Asks for 1 KiB.
pub const SMALL: &[u8] = b"GET /1k HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";

pub fn small(settings: &Settings, proxies: &[Proxy], report: &mut Report) {
    let (request, transport) = (SMALL.to_vec(), Transport::Plain);
    let ratio = Limit::AtMost(0.75);
    let load = Load { name: "keep-alive, 1 KiB", connections: 64, request, transport, ratio, speed: Limit::None };
    measure(settings, proxies, &load, report);
}

pub fn https(settings: &Settings, proxies: &[Proxy], report: &mut Report) {
    let (request, transport) = (SMALL.to_vec(), Transport::Tls);
    let ratio = Limit::AtMost(0.75);
    let load = Load { name: "HTTPS keep-alive, 1 KiB", connections: 64, request, transport, ratio, speed: Limit::None };
    measure(settings, proxies, &load, report);
}

pub fn handshakes(settings: &Settings, proxies: &[Proxy], report: &mut Report) {
    let request = b"GET /small HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".to_vec();
    let (transport, ratio) = (Transport::FreshTls, Limit::AtMost(0.5));
    let load = Load { name: "new TLS connection, ECDSA", connections: 16, request, transport, ratio, speed: Limit::None };
    measure(settings, proxies, &load, report);
}

pub fn post(settings: &Settings, proxies: &[Proxy], report: &mut Report) {
    let head = format!("POST /in HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\nContent-Length: {}\r\n\r\n", 16 * KIB);
    let request = [head.into_bytes(), vec![b'a'; 16 * KIB]].concat();
    let (transport, ratio) = (Transport::Plain, Limit::AtMost(0.8));
    let load = Load { name: "POST of 16 KiB", connections: 64, request, transport, ratio, speed: Limit::None };
    measure(settings, proxies, &load, report);
}

pub fn large(settings: &Settings, proxies: &[Proxy], report: &mut Report) {
    let request = b"GET /1m HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\n\r\n".to_vec();
    let (transport, speed) = (Transport::Plain, Limit::AtLeast(1.5));
    let load = Load { name: "answers of 1 MiB", connections: 16, request, transport, ratio: Limit::None, speed };
    measure(settings, proxies, &load, report);
}

/// Connections that are passed on as they are: new ones, small messages, and much at once.
pub fn tcp(settings: &Settings, proxies: &[Proxy], report: &mut Report) {
    let small = || SMALL.to_vec();
    let large = b"GET /1m HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\n\r\n".to_vec();
    let (fresh, kept) = (Transport::FreshFlow, Transport::Flow);
    let (even, more) = (Limit::AtMost(1.0), Limit::AtLeast(1.0));
    let loads = [
        Load {
            name: "TCP, new connection",
            connections: 32,
            request: small(),
            transport: fresh,
            ratio: even,
            speed: Limit::None,
        },
        Load { name: "TCP, 1 KiB", connections: 64, request: small(), transport: kept, ratio: even, speed: Limit::None },
        Load { name: "TCP, 1 MiB", connections: 16, request: large, transport: kept, ratio: Limit::None, speed: more },
    ];
    loads.iter().for_each(|load| measure(settings, proxies, load, report));
}

/// What one proxy did in its turns.
#[derive(Default)]
struct Turns {
    micros: Vec<f64>,
    per_second: Vec<f64>,
    calls: Vec<f64>,
}

fn measure(settings: &Settings, proxies: &[Proxy], load: &Load, report: &mut Report) {
    let outcome = all_turns(settings, proxies, load);
    let turns = match outcome {
        Ok(turns) => turns,
        Err(e) => return report.add(load.name, Err(e)),
    };
    let each = |of: fn(&Turns) -> &Vec<f64>| proxies.iter().zip(&turns).map(move |(p, t)| (p.kind, of(t).clone()));
    compare(report, &format!("{}: CPU a request", load.name), "us", each(|t| &t.micros), (f64::min, load.ratio));
    compare(report, &format!("{}: requests", load.name), "/s", each(|t| &t.per_second), (f64::max, load.speed));
    for (kind, calls) in each(|t| &t.calls) {
        let measured = Measured::new("a request", Limit::None, calls);
        report.add(format!("{}: system calls, {}", load.name, kind.name()), Ok(measured));
    }
}

/// Adds a row for each proxy, and one of our ratio to the better one of the others: of each of our turns to the median of
/// theirs, so that the middle one is the ratio of the medians.
pub fn compare(
    report: &mut Report,
    name: &str,
    unit: &'static str,
    samples: impl Iterator<Item = (Kind, Vec<f64>)>,
    (better, wanted): (fn(f64, f64) -> f64, Limit),
) {
    let (mut ours, mut floor, mut others): (Vec<f64>, Vec<f64>, Vec<Measured>) = Default::default();
    for (kind, samples) in samples {
        match kind {
            Kind::Allod => ours.clone_from(&samples),
            Kind::Floor => floor.clone_from(&samples),
            Kind::Nginx | Kind::Haproxy => others.push(Measured::new(unit, Limit::None, samples.clone())),
        }
        report.add(format!("{name}, {}", kind.name()), Ok(Measured::new(unit, Limit::None, samples)));
    }
    let best = others.iter().map(Measured::median).reduce(better);
    if let Some(best) = others.iter().find(|m| Some(m.median()) == best) {
        let ratios = |of: &[f64]| of.iter().map(|sample| sample / best.median()).collect();
        report.add(format!("{name}, ratio"), Ok(Measured::new("of the better", wanted, ratios(&ours))));
        if !floor.is_empty() {
            report.add(format!("{name}, ratio of the floor"), Ok(Measured::new("of the better", Limit::None, ratios(&floor))));
        }
    }
}

fn all_turns(settings: &Settings, proxies: &[Proxy], load: &Load) -> Result<Vec<Turns>> {
    let users: Vec<Users> = proxies.iter().map(|proxy| users_of(proxy, load, settings.turn / PIECES)).collect();
    let mut turns: Vec<Turns> = proxies.iter().map(|_| Turns::default()).collect();
    for _ in 0..settings.rounds {
        let mut sums = vec![Piece::default(); proxies.len()];
        for _ in 0..PIECES {
            for ((proxy, users), sum) in proxies.iter().zip(&users).zip(&mut sums) {
                sum.add(users.rush(|| Ok((Instant::now(), proxy.process.processor_ns()?)))?);
            }
        }
        sums.iter().zip(&mut turns).for_each(|(sum, turns)| sum.note(turns));
    }
    for ((proxy, users), turns) in proxies.iter().zip(&users).zip(&mut turns) {
        turns.calls.push(system_calls(users, proxy)?);
    }
    Ok(turns)
}

fn users_of(proxy: &Proxy, load: &Load, duration: Duration) -> Users {
    let speaks_tls = matches!(load.transport, Transport::Tls | Transport::FreshTls);
    Users {
        at: match load.transport {
            Transport::Plain => proxy.at,
            Transport::Tls | Transport::FreshTls => proxy.secure,
            Transport::Flow | Transport::FreshFlow => proxy.flow,
        },
        tls: speaks_tls.then(|| proxy.client.clone()),
        fresh: matches!(load.transport, Transport::FreshTls | Transport::FreshFlow),
        connections: load.connections,
        request: load.request.clone(),
        duration,
    }
}

/// A part of a turn, or several of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Piece {
    requests: u64,
    processor_ns: u64,
    took: Duration,
}

impl Piece {
    pub fn add(&mut self, (requests, before, after): (u64, (Instant, u64), (Instant, u64))) {
        self.requests += requests;
        self.processor_ns += after.1 - before.1;
        self.took += after.0 - before.0;
    }

    /// Processor time of a request, in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "counts of requests and nanoseconds far below 2^52")]
    pub fn micros(&self) -> f64 {
        self.processor_ns as f64 / 1_000.0 / self.requests as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    fn note(&self, turns: &mut Turns) {
        turns.micros.push(self.micros());
        turns.per_second.push(self.requests as f64 / self.took.as_secs_f64());
    }
}

/// Counted apart from the time, which counting takes more of.
#[expect(clippy::cast_precision_loss, reason = "a count of requests")]
fn system_calls(users: &Users, proxy: &Proxy) -> Result<f64> {
    let duration = Duration::from_secs(1);
    let mut counting = None;
    let users = Users { duration: duration + Duration::from_millis(500), ..users.clone() };
    let (requests, before, after) = users.rush(|| {
        if counting.is_none() {
            counting = Some(Counting::begin(proxy.process, duration)?);
        }
        Ok(Instant::now())
    })?;
    let per_second = requests as f64 / (after - before).as_secs_f64();
    let count = counting.map(Counting::end).transpose()?.unwrap_or(f64::NAN);
    Ok(count / (per_second * duration.as_secs_f64()))
}
