//! The fluid model of queues against a simulation of every single request.

use base::Rng;
use rehearsal::{Demand, Spread, Station, Step, Variability, step};

/// Requests of each check; the first tenth is not counted.
const REQUESTS: usize = 400_000;

struct Case {
    name: &'static str,
    demand: Demand,
    millicores: u32,
    /// Instances that requests are dealt out to in turn.
    instances: usize,
    /// Of what one instance can do.
    load: f64,
}

const CPU_BOUND: Demand = Demand { service_us: 20_000.0, cpu_us: 20_000.0, concurrency: 100, queue_max: 1_000, variation: 0.5 };
const WAITING: Demand = Demand { service_us: 50_000.0, cpu_us: 2_000.0, concurrency: 4, queue_max: 1_000, variation: 0.5 };

const CASES: [Case; 8] = [
    Case { name: "one core, half busy", demand: CPU_BOUND, millicores: 1_000, instances: 1, load: 0.5 },
    Case { name: "one core, busy", demand: CPU_BOUND, millicores: 1_000, instances: 1, load: 0.8 },
    Case { name: "one core, very busy", demand: CPU_BOUND, millicores: 1_000, instances: 1, load: 0.9 },
    Case { name: "a quarter of a core", demand: CPU_BOUND, millicores: 250, instances: 1, load: 0.7 },
    Case { name: "two cores", demand: CPU_BOUND, millicores: 2_000, instances: 1, load: 0.8 },
    Case { name: "four slots", demand: WAITING, millicores: 4_000, instances: 1, load: 0.8 },
    Case { name: "dealt to four instances", demand: CPU_BOUND, millicores: 1_000, instances: 4, load: 0.8 },
    Case { name: "even service", demand: Demand { variation: 0.0, ..CPU_BOUND }, millicores: 1_000, instances: 1, load: 0.8 },
];

fn uniform(rng: &mut Rng) -> f64 {
    (rng.u64() >> 11) as f64 / (1_u64 << 53) as f64 + 1e-17
}

fn log_normal(rng: &mut Rng, variation: f64) -> f64 {
    let sigma = (1.0 + variation * variation).ln().sqrt();
    let normal = (-2.0 * uniform(rng).ln()).sqrt() * (std::f64::consts::TAU * uniform(rng)).cos();
    (sigma * normal - sigma * sigma / 2.0).exp()
}

/// When the earliest of several is free; takes it until another time.
fn take(free: &mut [f64], at: f64, needs: impl FnOnce(f64) -> f64) -> f64 {
    let first = (0..free.len()).min_by(|a, b| free[*a].total_cmp(&free[*b])).unwrap();
    let begins = free[first].max(at);
    let end = needs(begins);
    free[first] = end;
    end
}

/// How long each request takes, in seconds: it waits for a slot, then for a core, and then for something else.
fn each_request(case: &Case, rate: f64) -> Vec<f64> {
    let (mut rng, mut now) = (Rng::new(42), 0.0);
    let cores = f64::from(case.millicores) / 1_000.0;
    let count = usize::try_from(case.millicores.div_ceil(1_000)).unwrap();
    let mut slots = vec![vec![0.0; case.demand.concurrency as usize]; case.instances];
    let mut processors = vec![vec![0.0; count]; case.instances];
    let (cpu_s, rest_s) = (case.demand.cpu_us / 1e6 / cores.min(1.0), (case.demand.service_us - case.demand.cpu_us) / 1e6);
    let mut times = Vec::with_capacity(REQUESTS);
    for request in 0..REQUESTS {
        now += -uniform(&mut rng).ln() / (rate * case.instances as f64);
        let of = request % case.instances;
        let size = log_normal(&mut rng, case.demand.variation);
        let end =
            take(&mut slots[of], now, |begins| take(&mut processors[of], begins, |runs| runs + cpu_s * size) + rest_s * size);
        times.push(end - now);
    }
    times.split_off(REQUESTS / 10)
}

/// Mean and 99th percentile of the model in its steady state, in seconds.
fn fluid(case: &Case, rate: f64) -> (f64, f64) {
    let station = Station::of(&case.demand, case.millicores);
    let variability = Variability::dealt(&case.demand, case.instances as u64);
    let mut now = Step::default();
    for _ in 0..2_000 {
        now = step(&station, variability, now.inside, rate, 1.0, now.utilisation);
    }
    let mut times: Vec<(f64, f64)> = Vec::new();
    Spread::new(case.demand.variation).each(&station, variability, &now, |value, share| times.push((value, share)));
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean = times.iter().map(|(value, share)| value * share).sum();
    let mut below = 0.0;
    let p99 = times.iter().find(|(_, share)| {
        below += share;
        below >= 0.99
    });
    (mean, p99.unwrap().0)
}

#[test]
fn the_fluid_model_agrees_with_single_requests() {
    for case in &CASES {
        let rate = Station::of(&case.demand, case.millicores).rate * case.load;
        let mut single = each_request(case, rate);
        single.sort_by(f64::total_cmp);
        let (mean, p99) = (single.iter().sum::<f64>() / single.len() as f64, single[single.len() * 99 / 100]);
        let (fluid_mean, fluid_p99) = fluid(case, rate);
        let told = format!("{}: mean {mean:.4} s, by the model {fluid_mean:.4}; p99 {p99:.4}, {fluid_p99:.4}", case.name);
        assert!((fluid_mean / mean - 1.0).abs() < 0.12, "{told}");
        assert!((fluid_p99 / p99 - 1.0).abs() < 0.25, "{told}");
    }
}
