//! What connections cost that have had an answer and now say nothing.

use bench::{Limit, Report, Result};

use crate::Settings;
use crate::clients::{hold_idle, hold_idle_http2};
use crate::proxies::Proxy;
use crate::rush::compare;

/// Fewer when this process may not have so many descriptors.
const CONNECTIONS: usize = 10_000;
const HTTP2_CONNECTIONS: usize = 5_000;
const MIB: f64 = 1_048_576.0;

/// Once for each: memory does not vary as time does.
pub fn measure(_: &Settings, proxies: &[Proxy], report: &mut Report) {
    add(proxies, report, format!("{CONNECTIONS} idle connections: memory"), |proxy| {
        hold_idle(proxy.at, CONNECTIONS, || resident(proxy))
    });
    // What comes on top of those, whose memory nobody gives back.
    add(proxies, report, format!("{HTTP2_CONNECTIONS} idle HTTP/2 connections over TLS: memory more"), |proxy| {
        let before = resident(proxy)?;
        Ok(hold_idle_http2(proxy.secure, &proxy.client, HTTP2_CONNECTIONS, || resident(proxy))? - before)
    });
}

fn add(proxies: &[Proxy], report: &mut Report, name: String, memory: impl Fn(&Proxy) -> Result<f64>) {
    let taken: Result<Vec<_>> = proxies.iter().map(|proxy| Ok((proxy.kind, vec![memory(proxy)?]))).collect();
    match taken {
        Ok(taken) => compare(report, &name, "MiB", taken.into_iter(), (f64::min, Limit::AtMost(1.0))),
        Err(e) => report.add(name, Err(e)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a process")]
fn resident(proxy: &Proxy) -> Result<f64> {
    Ok(proxy.process.resident_bytes()? as f64 / MIB)
}
