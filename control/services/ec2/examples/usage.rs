//! Measures what a host's report of ten thousand instances costs: `cargo run --release -p ec2 --example usage`.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use base::{InstanceId, Time};
use kernel::{Registry, Trial};
use shapes::ec2 as s;
use shapes::ec2::ops;
use world::{InstanceState, InstanceUsage, Observation};

const INSTANCES: usize = 10_000;
/// Of one `RunInstances`.
const BATCH: usize = 500;
const REPORTS: u64 = 20;
const MINUTE: Duration = Duration::from_secs(60);

fn services(registry: &mut Registry) {
    iam::register(registry);
    ssm::register(registry);
    cloudwatch::register(registry);
    ec2::register(registry);
}

/// Runs so many instances, in the zones by turns.
fn launch(trial: &mut Trial, detailed: bool) -> Vec<InstanceId> {
    let mut ids = Vec::new();
    for batch in 0..INSTANCES / BATCH {
        let zone = ["eu-central-1a", "eu-central-1b", "eu-central-1c"][batch % 3];
        let subnet = ec2::network::default_subnet(trial.state(), Some(zone)).unwrap().id.clone();
        let input = s::RunInstancesRequest {
            image_id: Some("ami-host".into()),
            instance_type: Some("t3.micro".into()),
            min_count: BATCH as i64,
            max_count: BATCH as i64,
            subnet_id: Some(subnet.to_string()),
            monitoring: Some(s::RunInstancesMonitoringEnabled { enabled: detailed, ..Default::default() }),
            ..Default::default()
        };
        let instances = trial.call::<ops::RunInstances>(input).unwrap().instances;
        ids.extend(instances.into_iter().map(|i| InstanceId::from(i.instance_id.unwrap())));
    }
    for id in &ids {
        let running = Observation::Instance { id: id.clone(), generation: 1, state: InstanceState::Running, at: trial.now };
        trial.kernel.observe(trial.now, &running);
    }
    trial.settle();
    ids.sort();
    ids
}

fn report(ids: &[InstanceId], from: Time, until: Time, minute: u64) -> Observation {
    let usage = |(n, id): (usize, &InstanceId)| InstanceUsage {
        id: id.clone(),
        cpu_us: (n as u64 * 7_919 + minute * 104_729) % 60_000_000,
        running_ms: 60_000,
        network_in_bytes: 1_000 + n as u64,
        network_out_bytes: 2_000 + minute,
        network_in_packets: 10,
        network_out_packets: 20,
    };
    Observation::Usage { from, until, instances: ids.iter().enumerate().map(usage).collect() }
}

fn measure(detailed: bool) {
    let mut trial = Trial::new(services);
    trial.run(|tx, cx| Ok(ec2::network::ensure_default_network(tx, cx)?)).unwrap();
    let ids = launch(&mut trial, detailed);
    let mut took = Vec::new();
    for minute in 0..REPORTS {
        let from = trial.now;
        let until = from + MINUTE;
        trial.pass(MINUTE);
        let report = report(&ids, from, until, minute);
        let begun = Instant::now();
        trial.kernel.observe(until, &report);
        took.push((begun.elapsed(), until.unix_ms() % 300_000 == 0));
        trial.settle();
    }
    let kind = if detailed { "detailed" } else { "basic" };
    for (what, fives) in [("a minute", false), ("the end of five minutes", true)] {
        // The first of each makes the series.
        let mut times: Vec<Duration> = took.iter().filter(|t| t.1 == fives).map(|t| t.0).skip(1).collect();
        times.sort();
        let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
        println!("{INSTANCES} instances, {kind} monitoring, {what}: median {median:?}, most {most:?}");
    }
}

fn main() {
    measure(true);
    measure(false);
}
