//! The loop of load, metric, alarm, policy and instance, by seed and with faults. `REHEARSAL_SEEDS` says how many, as for the
//! stories.

use std::time::Duration;

use base::{InstanceId, Rng, Time};
use rehearsal::web_tier::{self, STACK, TEMPLATE};
use rehearsal::{Demand, Faults, Rehearsal, Scrutiny, Trace, checks};

use crate::seeds::each_seed;

const LIMIT: Duration = Duration::from_secs(900);
const MINUTE: Duration = Duration::from_secs(60);
const BLOWS: u64 = 12;
/// The web tier's instances have half a core here, and 10 ms of it are one request.
const DEMAND: Demand = Demand { service_us: 10_000.0, cpu_us: 10_000.0, concurrency: 50, queue_max: 500, variation: 0.5 };
const CAPACITY: f64 = 50.0;

fn follow(seed: u64) -> (u64, u64) {
    let mut region = web_tier::region(seed, Scrutiny::EveryCommit);
    let mut rng = Rng::new(seed ^ 0x10ad);
    web_tier::create(&mut region, STACK, TEMPLATE, &[("MaxSize", "6")]).unwrap();
    assert!(web_tier::settle(&mut region, STACK, LIMIT), "the stack is not made");
    let from = region.now();
    let high = 80 + rng.below(150);
    region.send_load(Trace::pattern(&format!("step:20..{high},at=10m,for=40m")).unwrap(), from, DEMAND);
    let mut some = |most: u64| if rng.below(2) == 0 { 0 } else { rng.below(most) };
    region.faults = Faults {
        duplicated: some(200),
        late: some(200),
        lost: some(30),
        crash: some(30),
        broken_boot: some(100),
        ..Faults::default()
    };
    for _ in 0..BLOWS {
        blow(&mut region, &mut rng);
        let pause = Duration::from_secs(60 + rng.below(300));
        region.run_for(pause);
    }
    region.faults = Faults::default();
    for zone in ["a", "b"] {
        region.return_zone(&format!("eu-central-1{zone}"));
    }
    // Fails are tried again after five minutes at the latest; the low alarm looks at a quarter of an hour, and each step down
    // waits.
    let until = from + MINUTE * 180;
    region.run_for(Duration::from_millis(until.ms_since(region.now())));
    if let Err(broken) = checks::at_rest(region.state(), region.model()) {
        region.breach(broken);
    }
    rests(&mut region);
    (region.digest(), region.crashes)
}

fn blow(region: &mut Rehearsal, rng: &mut Rng) {
    let running: Vec<InstanceId> = region.model().running().map(|(id, _)| id.clone()).collect();
    let one =
        |rng: &mut Rng| (!running.is_empty()).then(|| running[usize::try_from(rng.below(running.len() as u64)).unwrap()].clone());
    match rng.below(8) {
        0 | 1 => one(rng).into_iter().for_each(|id| region.kill(&id)),
        2 => one(rng).into_iter().for_each(|id| region.hang(&id)),
        3 => region.lose_zone("eu-central-1b"),
        4 | 5 => region.return_zone("eu-central-1b"),
        6 => region.crash(),
        _ => {}
    }
}

/// With 20 requests a second the group is back at its minimum, stays there, and all is answered.
fn rests(region: &mut Rehearsal) {
    region.take_tally();
    let before = (web_tier::in_service(region), Time::ZERO.max(region.now()));
    region.run_for(MINUTE * 20);
    let tally = region.take_tally();
    let after = web_tier::in_service(region);
    if before.0 != after || after.len() != 2 {
        region.breach(format!("constant load, and the group went from {} instances to {after:?}", before.0.len()));
    }
    if tally.failures.all() > 0.0
        || (tally.done - tally.offered).abs() > 2.0
        || tally.capacity < 2.0 * CAPACITY * tally.seconds * 0.99
    {
        region.breach(format!("at rest, and not all is answered: {tally:?}"));
    }
}

#[test]
fn every_seed_follows_its_load_and_rests() {
    each_seed(follow);
}

#[test]
fn the_same_seed_follows_the_same_way() {
    assert_eq!(follow(7), follow(7));
}
