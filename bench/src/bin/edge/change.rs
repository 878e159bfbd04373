//! What a change of the configuration costs a load balancer with 1,000 targets: until all workers route by it, and how long a
//! worker is kept from its connections at most.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bench::{Limit, Measured, Report, Result, fail, ms};
use world::{LoadBalancer, RegisteredTarget, Slot, Want};

use crate::allod::{BALANCER, Serve, balancer};
use crate::proxies::{Addresses, Identity, Kind, Proxy};

const TARGETS: usize = 1_000;
const CHANGES: u64 = 60;
/// Between changes, so that what one leaves behind is not the next one's.
const PAUSE: Duration = Duration::from_millis(20);

pub fn measure(addresses: Addresses, identity: &Identity, proxies: &[Proxy], directory: &Path, report: &mut Report) {
    let name = format!("a change with {TARGETS} targets");
    match changes(addresses, identity, proxies, directory) {
        Ok(taken) => {
            let of = |pick: fn(&Cost) -> f64| taken.iter().map(pick).collect::<Vec<f64>>();
            let row = |pick, most| Ok(Measured::new("ms", most, of(pick)));
            report.add(format!("{name}: until it is in force"), row(|c| c.wall_ms, Limit::AtMost(10.0)));
            report.add(format!("{name}: processor"), row(|c| c.processor_ms, Limit::None));
            report.add(format!("{name}: of that a worker"), row(|c| c.worker_ms, Limit::AtMost(1.0)));
        }
        Err(e) => report.add(name, Err(e)),
    }
}

struct Cost {
    wall_ms: f64,
    processor_ms: f64,
    worker_ms: f64,
}

/// Changes the edge that is there already: it gets its targets from another `serve`.
fn changes(addresses: Addresses, identity: &Identity, proxies: &[Proxy], directory: &Path) -> Result<Vec<Cost>> {
    let Some(edge) = proxies.iter().find(|proxy| proxy.kind == Kind::Allod) else { return fail("no edge runs") };
    let mut balancer = balancer(edge.at, addresses.upstream(), identity)?;
    let group = balancer.target_groups[0].id.clone();
    let one = balancer.target_groups[0].targets.remove(0);
    let numbered = |number: usize| {
        let mut target = one.clone();
        target.key.id = format!("i-{number:017x}");
        Want::Target(RegisteredTarget { load_balancer: BALANCER.into(), group: group.clone(), target })
    };
    let mut serve = Serve::connect(&directory.join(Kind::Allod.name()))?;
    let begin = 10_000;
    serve.apply(begin, Want::LoadBalancer(Box::new(balancer.clone())))?;
    (0..TARGETS).try_for_each(|number| serve.apply(begin + number as u64, numbered(number)))?;
    std::thread::sleep(Duration::from_secs(1));
    let mut costs = Vec::new();
    for change in 1..=CHANGES {
        let (slot, want) = altered(&mut balancer, change, numbered(TARGETS));
        std::thread::sleep(PAUSE);
        let (processor, worker) = (edge.process.processor_ns()?, worker_ns(edge.process.id())?);
        let begun = Instant::now();
        serve.change(slot, 2 * begin + change, want)?;
        let wall_ms = ms(begun.elapsed());
        std::thread::sleep(PAUSE);
        let spent = |before: u64, after: u64| ms(Duration::from_nanos(after.saturating_sub(before)));
        let worker_ms = spent(worker, worker_ns(edge.process.id())?);
        costs.push(Cost { wall_ms, processor_ms: spent(processor, edge.process.processor_ns()?), worker_ms });
    }
    Ok(costs)
}

/// A target comes, drops out again, or an attribute of the load balancer changes.
fn altered(balancer: &mut LoadBalancer, change: u64, target: Want) -> (Slot, Option<Want>) {
    let want = match change % 3 {
        0 => {
            balancer.idle_timeout_ms += 1;
            Want::LoadBalancer(Box::new(balancer.clone()))
        }
        1 => target,
        _ => return (target.slot(), None),
    };
    (want.slot(), Some(want))
}

/// Processor time of the edge's first worker.
fn worker_ns(process: i32) -> Result<u64> {
    for task in fs::read_dir(format!("/proc/{process}/task"))?.flatten() {
        if fs::read_to_string(task.path().join("comm"))?.trim() == "edge-0" {
            let text = fs::read_to_string(task.path().join("schedstat"))?;
            return Ok(text.split(' ').next().unwrap_or_default().parse()?);
        }
    }
    fail("the edge has no worker")
}
