//! One instance as a queueing station, and how its queue moves in a second. Pure arithmetic; it knows no region.
//!
//! A request takes one of the instance's `concurrency` slots, uses `cpu_us` of processor time and spends the rest of its
//! `service_us` waiting for something else. Whichever of the two, slots or processor, is exhausted first is the station
//! where requests queue; the other is taken to be without a queue. The station is a G/G/c one: its mean queue at
//! utilisation u is Sakasegawa's approximation (1977), `u^sqrt(2(c+1)) / (1-u) * (ca2+cs2)/2`. Between two seconds the queue
//! moves by the pointwise stationary fluid flow approximation (Wang, Tipper and Banerjee, 1996): requests leave at the rate
//! at which they would in a steady state with as many requests inside. So one equation holds for the quiet hour and
//! for the overload, and requests are conserved.

/// What a request needs, and what an instance offers it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demand {
    /// From the beginning to the end of a request alone on a whole core, microseconds; its processor time included.
    pub service_us: f64,
    /// Processor time of a request on a whole core, microseconds; at most `service_us`.
    pub cpu_us: f64,
    /// Requests that an instance works on at once.
    pub concurrency: u32,
    /// Requests that an instance lets wait besides; it refuses more.
    pub queue_max: u32,
    /// Standard deviation of the time a request takes, as a share of its mean.
    pub variation: f64,
}

/// Where requests queue at an instance of one size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Station {
    /// Requests that are worked on at once where it is tightest.
    pub servers: f64,
    /// Requests a second that it can do at most.
    pub rate: f64,
    /// What a request takes without any wait, seconds.
    pub alone_s: f64,
    /// Cores of the instance; 0.25 is a quarter of one.
    pub cores: f64,
}

impl Station {
    pub fn of(demand: &Demand, millicores: u32) -> Self {
        let cores = f64::from(millicores.max(1)) / 1_000.0;
        let (service, cpu) = (demand.service_us / 1e6, demand.cpu_us / 1e6);
        // One thread of a small share runs that much slower.
        let alone_s = service - cpu + cpu / cores.min(1.0);
        let by_slots = f64::from(demand.concurrency) / alone_s;
        let by_cpu = if cpu > 0.0 { cores / cpu } else { f64::INFINITY };
        if by_cpu <= by_slots {
            Self { servers: cores.max(1.0), rate: by_cpu, alone_s, cores }
        } else {
            Self { servers: f64::from(demand.concurrency), rate: by_slots, alone_s, cores }
        }
    }
}

/// How arrivals and service vary: the mean of both squared coefficients of variation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variability(pub f64);

impl Variability {
    /// Requests that come at random and are dealt out in turn to `targets` instances come more evenly to each of them.
    pub fn dealt(demand: &Demand, targets: u64) -> Self {
        Self((1.0 / targets.max(1) as f64 + demand.variation * demand.variation) / 2.0)
    }
}

/// What a step of time did to one instance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// Share of the station in use, 0 to 1.
    pub utilisation: f64,
    /// Requests a second that were done.
    pub done: f64,
    /// Requests at the station at its end, waiting or worked on.
    pub inside: f64,
    /// Mean wait of a request that came in it, seconds.
    pub wait_s: f64,
    /// Chance that a request waits at all.
    pub waits: f64,
}

/// Nearest that a station comes to being always busy.
const UTILISATION_MAX: f64 = 1.0 - 1e-9;

/// Moves a station with `inside` requests on by `dt_s` seconds in which `arriving` come each second, spread evenly.
pub fn step(station: &Station, variability: Variability, inside: f64, arriving: f64, dt_s: f64, guess: f64) -> Step {
    let (c, exponent) = (station.servers, (2.0 * (station.servers + 1.0)).sqrt());
    let have = inside + arriving * dt_s;
    if have <= 1e-12 {
        return Step::default();
    }
    // Solve held(u) + what leaves at u = what is there: implicit, so that long steps are as stable as short ones.
    let queue = |u: f64| variability.0 * u.powf(exponent) / (1.0 - u);
    let excess = |u: f64| c * u + queue(u) + station.rate * dt_s * u - have;
    let slope = |u: f64| {
        let rest = 1.0 - u;
        c + station.rate * dt_s + variability.0 * u.powf(exponent - 1.0) * (exponent / rest + u / (rest * rest))
    };
    let (mut low, mut high) = (0.0, UTILISATION_MAX);
    let mut u = guess.clamp(low, high);
    for _ in 0..60 {
        let at = excess(u);
        if at > 0.0 {
            high = u
        } else {
            low = u
        }
        let newton = u - at / slope(u);
        let next = if newton > low && newton < high { newton } else { (low + high) / 2.0 };
        if (next - u).abs() < 1e-10 || high - low < 1e-12 {
            u = next;
            break;
        }
        u = next;
    }
    let done = station.rate * u;
    let inside = (have - done * dt_s).max(0.0);
    let waiting = (inside - c * u).max(0.0);
    // By Sakasegawa's form the chance to wait goes with u to the exponent less one.
    Step { utilisation: u, done, inside, wait_s: waiting / station.rate.max(1e-12) / u.max(1e-9), waits: u.powf(exponent - 1.0) }
}

/// Points of a log-normal distribution of mean one: `(value, probability)`. The tail has more of them.
#[derive(Clone, Debug)]
pub struct Spread(Vec<(f64, f64)>);

const EDGES: [f64; 14] = [0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.85, 0.92, 0.96, 0.98, 0.99, 0.995, 0.999, 1.0];
/// Where the wait of those who wait is looked at: an exponential distribution has `-ln(1-p)` there.
const WAITS: [(f64, f64); 6] = [(0.25, 0.5), (0.6, 0.2), (0.8, 0.2), (0.94, 0.08), (0.985, 0.015), (0.9975, 0.005)];

impl Spread {
    pub fn new(variation: f64) -> Self {
        let sigma = (1.0 + variation * variation).ln().sqrt();
        let raw = EDGES.windows(2).map(|edge| {
            let (value, share) = ((sigma * normal_quantile(f64::midpoint(edge[0], edge[1]))).exp(), edge[1] - edge[0]);
            (value, share)
        });
        let raw: Vec<_> = raw.collect();
        let mean: f64 = raw.iter().map(|(value, share)| value * share).sum();
        Self(raw.into_iter().map(|(value, share)| (value / mean, share)).collect())
    }

    /// Tells how long requests took, in seconds with the share of each: those of one step at one station.
    pub fn each(&self, station: &Station, variability: Variability, step: &Step, mut tell: impl FnMut(f64, f64)) {
        // What waits in an overload waits behind a queue of known length; only the last part of it is left to chance.
        let by_chance = step.wait_s.min(20.0 * variability.0.max(0.1) / station.rate);
        let surely = step.wait_s - by_chance;
        let waits = step.waits.clamp(0.0, 1.0);
        let mean = if waits > 1e-6 { by_chance / waits } else { 0.0 };
        let means: f64 = WAITS.iter().map(|(p, share)| -(1.0 - p).ln() * share).sum();
        for (value, share) in &self.0 {
            let alone = station.alone_s * value + surely;
            if mean < station.alone_s * 0.01 {
                tell(alone + by_chance, *share);
                continue;
            }
            tell(alone, share * (1.0 - waits));
            for (p, part) in WAITS {
                tell(alone - (1.0 - p).ln() / means * mean, share * waits * part);
            }
        }
    }
}

/// The standard normal distribution's quantile, by bisection of its integral: it is needed a dozen times a run.
fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-8.0_f64, 8.0_f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if normal_below(middle) < p { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

fn normal_below(x: f64) -> f64 {
    // The series of the error function, which converges everywhere; 120 terms are exact far beyond our 8 deviations' need.
    if x.abs() > 6.0 {
        return if x < 0.0 { 0.0 } else { 1.0 };
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..120 {
        term *= x * x / f64::from(2 * n + 1);
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::{Demand, Spread, Station, Variability, normal_quantile, step};

    const DEMAND: Demand = Demand { service_us: 20_000.0, cpu_us: 20_000.0, concurrency: 100, queue_max: 1_000, variation: 0.5 };

    #[test]
    fn quantiles_of_the_normal_distribution() {
        for (p, z) in [(0.5, 0.0), (0.975, 1.959_964), (0.01, -2.326_348), (0.999, 3.090_232)] {
            assert!((normal_quantile(p) - z).abs() < 1e-4, "{p}");
        }
    }

    #[test]
    fn the_scarcer_of_slots_and_processor_decides() {
        let by_cpu = Station::of(&DEMAND, 2_000);
        assert_eq!((by_cpu.servers, by_cpu.rate.round()), (2.0, 100.0));
        let by_slots = Station::of(&Demand { cpu_us: 100.0, concurrency: 4, ..DEMAND }, 2_000);
        assert_eq!((by_slots.servers, by_slots.rate.round()), (4.0, 200.0));
        let small = Station::of(&DEMAND, 250);
        assert!((small.alone_s - 0.08).abs() < 1e-9 && (small.rate - 12.5).abs() < 1e-9);
    }

    #[test]
    fn a_steady_queue_is_that_of_the_formula_and_none_is_lost() {
        let (station, v) = (Station::of(&DEMAND, 1_000), Variability(0.625));
        let (mut inside, mut came, mut left) = (0.0, 0.0, 0.0);
        let mut last = super::Step::default();
        for _ in 0..600 {
            last = step(&station, v, inside, 40.0, 1.0, last.utilisation);
            (inside, came, left) = (last.inside, came + 40.0, left + last.done);
        }
        assert!((came - left - inside).abs() < 1e-6);
        assert!((last.utilisation - 0.8).abs() < 1e-6, "{last:?}");
        // M/G/1 with a coefficient of variation of a half: 0.8^2/(1-0.8) * 0.625 = 2 waiting, 50 ms.
        assert!((last.wait_s - 0.05).abs() < 1e-3, "{last:?}");
    }

    #[test]
    fn an_overload_grows_by_what_is_not_done_and_is_worked_off() {
        let (station, v) = (Station::of(&DEMAND, 1_000), Variability(0.625));
        let mut now = super::Step::default();
        for _ in 0..60 {
            now = step(&station, v, now.inside, 60.0, 1.0, now.utilisation);
        }
        assert!((now.inside - 600.0).abs() < 15.0, "{now:?}");
        assert!((now.wait_s - 12.0).abs() < 0.5, "{now:?}");
        for _ in 0..60 {
            now = step(&station, v, now.inside, 25.0, 1.0, now.utilisation);
        }
        assert!(now.inside < 1.5, "{now:?}");
    }

    #[test]
    fn the_spread_keeps_the_mean() {
        let (station, v) = (Station::of(&DEMAND, 1_000), Variability(0.625));
        let mut now = super::Step::default();
        for _ in 0..600 {
            now = step(&station, v, now.inside, 40.0, 1.0, now.utilisation);
        }
        let (mut mean, mut all) = (0.0, 0.0);
        Spread::new(0.5).each(&station, v, &now, |value, share| {
            mean += value * share;
            all += share;
        });
        assert!((all - 1.0).abs() < 1e-9);
        assert!((mean - 0.07).abs() < 2e-3, "{mean}");
    }
}
