//! Large requests come one after the other, and are not even read for a moment after their operation was throttled.

use std::time::{Duration, Instant};

use crate::rig::{Answer, PATIENCE, Rig};

const TARGET: &str = "GraniteServiceVersion20100801.PutMetricData";

fn put(rig: &Rig, body: &str) -> Answer {
    rig.json("monitoring", TARGET, body)
}

/// Asks until the answer has this code.
#[track_caller]
fn until(code: &str, ask: impl Fn() -> Answer) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        if answer.code() == code {
            return assert_eq!(answer.status, 400, "{answer:?}");
        }
        assert!(Instant::now() < deadline, "{answer:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn large_requests_that_are_throttled_are_not_read_and_small_ones_are() {
    let data = tempfile::tempdir().unwrap();
    let rig = Rig::start(data.path());
    let values = vec!["1"; 150].join(",");
    let datum = |n| format!(r#"{{"MetricName":"m{n}","Values":[{values}]}}"#);
    let flood = format!(r#"{{"Namespace":"Own","MetricData":[{}]}}"#, (0..1_000).map(datum).collect::<Vec<_>>().join(","));
    let garbage = "{".repeat(40_000);
    until("SerializationException", || put(&rig, &garbage));
    until("Throttling", || {
        until("Throttling", || put(&rig, &flood));
        put(&rig, &garbage)
    });
    let small = put(&rig, r#"{"Namespace":"Own","MetricData":[{"MetricName":"m","Value":1}]}"#);
    assert_eq!(small.status, 200, "{small:?}");
    rig.is_well();
    until("SerializationException", || put(&rig, &garbage));
}
