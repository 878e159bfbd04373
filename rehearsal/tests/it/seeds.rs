//! Stories by seed, on two threads. `REHEARSAL_SEEDS` says how many (200 unless it is said), or names one as `=N`. What a
//! seed breaks is told with the rule and the last events; a seed and a commit give the same run again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use rehearsal::{Day, Scrutiny, day};

use crate::life::live;

const SEEDS: u64 = 200;
const THREADS: usize = 2;

pub fn seeds() -> std::ops::Range<u64> {
    let text = std::env::var("REHEARSAL_SEEDS").unwrap_or_else(|_| SEEDS.to_string());
    match text.strip_prefix('=') {
        Some(one) => {
            let one: u64 = one.parse().expect("REHEARSAL_SEEDS is a number, or = and a number");
            one..one + 1
        }
        None => 0..text.parse().expect("REHEARSAL_SEEDS is a number, or = and a number"),
    }
}

/// Lives through every seed; gives what came of each, and fails with those that broke a rule.
pub fn each_seed<T: Send>(live: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let (next, done, failed) = (Mutex::new(seeds()), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let work = || {
        while let Some(seed) = { next.lock().unwrap().next() } {
            match catch_unwind(AssertUnwindSafe(|| live(seed))) {
                Ok(outcome) => done.lock().unwrap().push(outcome),
                Err(_) => failed.lock().unwrap().push(seed),
            }
        }
    };
    std::thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "broken by seeds {failed:?}; see each with REHEARSAL_SEEDS==N");
    done.into_inner().unwrap()
}

#[test]
fn every_seed_ends_well() {
    let crashes = each_seed(|seed| live(seed).2);
    assert!(crashes.len() < 50 || crashes.iter().sum::<u64>() > 0, "no seed has crashed the control plane");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [3, 14, 15] {
        assert_eq!(live(seed), live(seed), "seed {seed}");
    }
    assert_ne!(live(3).0, live(4).0);
}

#[test]
fn a_day_of_forty_instances_ends_whole() {
    let wish = Day { seed: 5, instances: 40, hours: 24, deaths_an_hour: 2, hangs_an_hour: 1, scrutiny: Scrutiny::EveryCommit };
    let report = day(&wish).unwrap();
    assert!(report.deaths > 20 && report.hangs > 5, "{report:?}");
    assert!(report.fewest_healthy >= 36, "{report:?}");
    assert_eq!(report.instances, 40);
}
