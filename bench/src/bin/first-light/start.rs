//! From the start of `allod serve` to its first answer.

use bench::{Limit, Region, Report, Result};

use crate::{Settings, measured, samples};

const WANTED: Limit = Limit::AtMost(150.0);
const RESTARTS: usize = 10;
const RESTARTS_FULL: usize = 5;

/// A first start in an empty directory, then starts after kills, when the executors are there already.
pub fn measure(region: &mut Region, report: &mut Report) {
    let first = region.start();
    report.add("first start of serve to its first answer", measured("ms", WANTED, first.map(|ms| vec![ms])));
    let again = samples(RESTARTS, || restart(region));
    report.add("start of serve after a kill to its first answer", measured("ms", WANTED, again));
}

/// The same with every instance there: the journal is read and each is adopted again.
pub fn measure_full(settings: &Settings, region: &mut Region, report: &mut Report) {
    let again = samples(RESTARTS_FULL, || restart(region));
    let name = format!("start of serve after a kill to its first answer, with {} instances", settings.instances);
    report.add(name, measured("ms", Limit::None, again));
}

fn restart(region: &mut Region) -> Result<f64> {
    region.kill()?;
    region.start()
}
