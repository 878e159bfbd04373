//! Requests by HTTP/2 over TLS, several of them at a time on each connection. The users are `h2load`, Debian's `nghttp2-client`,
//! on the core that all load has.

use std::process::{Command, Stdio};
use std::time::Duration;

use bench::{Limit, Report, Result, fail};

use crate::Settings;
use crate::proxies::Proxy;
use crate::rush::compare;

const CONNECTIONS: u32 = 16;
/// Requests of a connection at a time.
const STREAMS: [(&str, u32, Limit); 2] = [("one at a time", 1, Limit::None), ("ten at a time", 10, Limit::AtMost(0.9))];

pub fn measure(settings: &Settings, proxies: &[Proxy], report: &mut Report) {
    for (name, streams, wanted) in STREAMS {
        let name = format!("HTTP/2, 1 KiB, {name}");
        match all_turns(settings, proxies, streams) {
            Ok((micros, per_second)) => {
                let each = |turns: Vec<Vec<f64>>| proxies.iter().map(|p| p.kind).zip(turns);
                compare(report, &format!("{name}: CPU a request"), "us", each(micros), (f64::min, wanted));
                compare(report, &format!("{name}: requests"), "/s", each(per_second), (f64::max, Limit::None));
            }
            Err(e) => report.add(name, Err(e)),
        }
    }
}

type Turns = Vec<Vec<f64>>;

/// Microseconds of processor time a request, and requests a second.
#[expect(clippy::cast_precision_loss, reason = "counts of requests and nanoseconds far below 2^52")]
fn all_turns(settings: &Settings, proxies: &[Proxy], streams: u32) -> Result<(Turns, Turns)> {
    let (mut micros, mut per_second) = (vec![Vec::new(); proxies.len()], vec![Vec::new(); proxies.len()]);
    // The first turn warms up.
    for round in 0..=settings.rounds {
        for (number, proxy) in proxies.iter().enumerate() {
            let before = proxy.process.processor_ns()?;
            let requests = rush(proxy, streams, settings.turn)?;
            let spent = proxy.process.processor_ns()? - before;
            if round > 0 {
                micros[number].push(spent as f64 / 1_000.0 / requests as f64);
                per_second[number].push(requests as f64 / settings.turn.as_secs_f64());
            }
        }
    }
    Ok((micros, per_second))
}

/// Sends as fast as answers come; the number of those that did, all of them good.
fn rush(proxy: &Proxy, streams: u32, duration: Duration) -> Result<u64> {
    let mut command = Command::new("h2load");
    command.args(["-c", &CONNECTIONS.to_string(), "-m", &streams.to_string(), "-t", "1"]);
    command.args(["-D", &format!("{}", duration.as_secs_f64().ceil()), &format!("https://{}/1k", proxy.secure)]);
    let ran = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = ran.or_else(|e| fail(format!("h2load (apt-get install nghttp2-client): {e}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let field = |before: &str| {
        let line = text.lines().find(|line| line.starts_with("requests: "))?;
        line.split(", ").find_map(|part| part.trim_start_matches("requests: ").strip_suffix(before)?.trim().parse::<u64>().ok())
    };
    match (field("done"), field("succeeded")) {
        (Some(done), Some(succeeded)) if done > 0 && done == succeeded => Ok(done),
        _ => fail(format!("h2load did not get all it asked {} for: {text}", proxy.kind.name())),
    }
}
