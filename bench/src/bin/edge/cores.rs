//! Which core does what: proxies have the first, load and upstream the second.

use bench::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// This thread, and what it starts from now on, runs where the proxies run.
pub fn proxy() -> Result<()> {
    pin(0)
}

/// This thread, and what it starts from now on, runs beside the proxies. A machine of one core has none to do so.
pub fn load() -> Result<()> {
    pin(1)
}

fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// Every connection of many needs a descriptor, here and in the proxies, which inherit the limit.
pub fn raise_descriptors() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?)
}
