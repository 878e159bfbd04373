//! Stories by seed. `REHEARSAL_SEEDS` says how many, or names one as `=N`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rehearsal::{Day, Scrutiny, day};

use crate::life::live;

const SEEDS: u64 = 100;

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

#[test]
fn every_seed_ends_well() {
    let all = seeds();
    let (mut failed, mut crashes) = (Vec::new(), 0);
    for seed in all.clone() {
        match catch_unwind(AssertUnwindSafe(|| live(seed))) {
            Ok((_, _, crashed)) => crashes += crashed,
            Err(_) => failed.push(seed),
        }
    }
    assert!(failed.is_empty(), "broken by seeds {failed:?}; see each with REHEARSAL_SEEDS==N");
    assert!(all.end - all.start < SEEDS || crashes > 0, "no seed has crashed the control plane");
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
