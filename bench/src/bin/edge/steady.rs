//! How long requests take when each proxy gets the same number of them a second: half of what the slowest can do.

use bench::{Limit, Report, Result, percentile};

use crate::Settings;
use crate::clients::Users;
use crate::proxies::{Kind, Proxy};
use crate::rush::{PIECES, compare};

const REQUEST: &[u8] = b"GET /1k HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
const CONNECTIONS: usize = 64;
const SHARE: f64 = 0.5;

pub fn measure(settings: &Settings, proxies: &[Proxy], report: &mut Report) {
    match times(settings, proxies) {
        Ok(times) => {
            for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
                let of = |pieces: &Vec<Vec<f64>>| pieces.iter().map(|times| percentile(times, share)).collect();
                let samples = times.iter().map(|(kind, turns)| (*kind, of(turns)));
                let wanted = if name == "p99" { Limit::AtMost(1.0) } else { Limit::None };
                compare(report, &format!("at half load: {name}"), "us", samples, (f64::min, wanted));
            }
        }
        Err(e) => report.add("at half load", Err(e)),
    }
}

/// Of each piece of each turn by itself: a pause of the machine, which is longer than any request takes, then spoils one piece
/// and not a turn.
type Times = Vec<(Kind, Vec<Vec<f64>>)>;

#[expect(clippy::cast_precision_loss, reason = "a count of requests")]
fn times(settings: &Settings, proxies: &[Proxy]) -> Result<Times> {
    let users = |proxy: &Proxy| Users {
        at: proxy.at,
        tls: None,
        fresh: false,
        connections: CONNECTIONS,
        request: REQUEST.to_vec(),
        duration: settings.turn / PIECES,
    };
    let mut slowest = f64::INFINITY;
    for proxy in proxies {
        let (requests, ..) = users(proxy).rush(|| Ok(()))?;
        slowest = slowest.min(requests as f64 / (settings.turn / PIECES).as_secs_f64());
    }
    let mut times: Times = proxies.iter().map(|p| (p.kind, Vec::new())).collect();
    for _ in 0..settings.rounds * PIECES as usize {
        for (proxy, (_, pieces)) in proxies.iter().zip(&mut times) {
            pieces.push(users(proxy).pace(slowest * SHARE)?);
        }
    }
    Ok(times)
}
