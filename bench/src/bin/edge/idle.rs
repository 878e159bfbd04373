//! What connections cost that have had an answer and now say nothing.

use bench::{Limit, Report, Result};

use crate::Settings;
use crate::clients::hold_idle;
use crate::proxies::Proxy;
use crate::rush::compare;

/// Fewer when this process may not have so many descriptors.
const CONNECTIONS: usize = 10_000;
const MIB: f64 = 1_048_576.0;

/// Once for each: memory does not vary as time does.
pub fn measure(_: &Settings, proxies: &[Proxy], report: &mut Report) {
    let name = format!("{CONNECTIONS} idle connections: memory");
    let taken: Result<Vec<_>> = proxies.iter().map(|proxy| Ok((proxy.kind, vec![memory(proxy)?]))).collect();
    match taken {
        Ok(taken) => compare(report, &name, "MiB", taken.into_iter(), (f64::min, Limit::AtMost(1.0))),
        Err(e) => report.add(name, Err(e)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a process")]
fn memory(proxy: &Proxy) -> Result<f64> {
    hold_idle(proxy.at, CONNECTIONS, || Ok(proxy.process.resident_bytes()? as f64 / MIB))
}
