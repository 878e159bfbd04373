//! Whatever is put in whatever order, the store answers as a plain list of samples would.

use std::collections::BTreeMap;

use base::Time;
use metrics::{Full, METRICS_MAX, MemoryKeep, Metric, Resolution, Sample, Store};
use proptest::prelude::{ProptestConfig, Strategy, any, prop_oneof, proptest};

const START_S: i64 = 1_800_000_000;

fn at(seconds: i64) -> Time {
    Time::from_unix_ms((START_S + seconds) * 1_000)
}

#[derive(Clone, Debug)]
enum Step {
    Put { series: u8, second: i64, value: f64 },
    Set { series: u8, second: i64 },
    Burst { series: u8, second: i64, count: i64 },
    Keep,
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let second = 0..20_000i64;
    let step = prop_oneof![
        4 => (0..3u8, second.clone(), -5i32..1_000).prop_map(|(series, second, v)| Step::Put { series, second, value: v.into() }),
        1 => (0..3u8, second.clone()).prop_map(|(series, second)| Step::Set { series, second }),
        2 => (0..3u8, second, 1..400i64).prop_map(|(series, second, count)| Step::Burst { series, second, count }),
        1 => any::<bool>().prop_map(|crash| if crash { Step::Crash } else { Step::Keep }),
    ];
    proptest::collection::vec(step, 1..60)
}

fn metric(series: u8) -> Metric {
    Metric::new("Own", "Latency", &[("Series", &series.to_string())])
}

/// The store beside the samples it was given; a crash loses nothing that was handed to the port.
struct Pair {
    keep: MemoryKeep,
    store: Store,
    put: Vec<(u8, i64, Sample)>,
}

impl Pair {
    fn put(&mut self, series: u8, second: i64, sample: Sample) {
        self.store.put(&metric(series), "Seconds", Resolution::Standard, at(second), &sample);
        self.put.push((series, second, sample));
    }

    fn check(&self, series: u8, period_s: u32) {
        let mut expected: BTreeMap<i64, Sample> = BTreeMap::new();
        for (_, second, sample) in self.put.iter().filter(|(s, ..)| *s == series) {
            let length = i64::from(period_s);
            expected.entry((START_S + second).div_euclid(60) * 60 / length * length).or_default().merge(sample);
        }
        let got = self.store.points(&metric(series), at(-100_000), Time::MAX, period_s);
        let got: BTreeMap<i64, Sample> = got.into_iter().map(|(at, s)| (at.unix_ms() / 1_000, s)).collect();
        assert_eq!(got.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (moment, sample) in &expected {
            let other = &got[moment];
            assert!((other.sum - sample.sum).abs() < 1e-6 && other.count == sample.count, "{other:?}, not {sample:?}");
            assert_eq!((other.min, other.max, &other.buckets), (sample.min, sample.max, &sample.buckets));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_store_answers_as_a_list_of_samples_would(steps in steps()) {
        let keep = MemoryKeep::default();
        let mut pair = Pair { store: Store::open(Box::new(keep.clone())).unwrap(), keep, put: Vec::new() };
        for step in steps {
            match step {
                Step::Put { series, second, value } => pair.put(series, second, Sample::value(value)),
                Step::Set { series, second } => pair.put(series, second, Sample::set(4.0, 10.0, 1.0, 4.0)),
                Step::Burst { series, second, count } => {
                    for n in 0..count {
                        pair.put(series, second + n * 60, Sample::value(n as f64));
                    }
                }
                Step::Keep => kernel::Store::keep(&mut pair.store),
                Step::Crash => {
                    kernel::Store::keep(&mut pair.store);
                    pair.store = Store::open(Box::new(pair.keep.clone())).unwrap();
                }
            }
        }
        for series in 0..3 {
            pair.check(series, 60);
            pair.check(series, 3_600);
        }
    }
}

#[test]
fn retention_one_minute_for_15_days_five_for_63_and_an_hour_for_455() {
    let mut store = Store::default();
    let one = metric(0);
    let (id, day) = (store.id(&one, "Count").unwrap(), 86_400);
    for minute in 0..20 * 1_440 {
        store.put_value(id, Resolution::Standard, at(minute * 60), 1.0);
        store.advance(at(minute * 60));
    }
    let sum = |store: &Store, period_s| {
        let points = store.points(&one, at(-day), Time::MAX, period_s);
        (points.len(), points.iter().map(|(_, s)| s.sum).sum::<f64>())
    };
    let (minutes, all) = sum(&store, 60);
    assert_eq!(all, 28_800.0, "rolled up, nothing is lost");
    assert!((15 * 1_440 + 5 * 288..17 * 1_440).contains(&minutes), "{minutes}");
    store.advance(at(100 * day));
    for minute in 0..60 {
        store.advance(at(100 * day + minute * 60));
    }
    let (hours, all) = sum(&store, 60);
    assert_eq!((hours, all), (20 * 24, 28_800.0));
    for minute in 0..60 {
        store.advance(at(600 * day + minute * 60));
    }
    assert_eq!(sum(&store, 60), (0, 0.0));
    assert_eq!(store.metrics().count(), 0, "a metric without data is forgotten");
}

#[test]
fn seconds_are_kept_for_three_hours_and_then_minutes() {
    let mut store = Store::default();
    for second in 0..7_200 {
        store.put(&metric(0), "None", Resolution::High, at(second), &Sample::value(second as f64));
    }
    assert_eq!(store.points(&metric(0), at(0), at(7_200), 1).len(), 7_200);
    assert_eq!(store.points(&metric(0), at(0), at(7_200), 60).len(), 120);
    for minute in 0..60 {
        store.advance(at(20_000 + minute * 60));
    }
    assert_eq!(store.points(&metric(0), at(0), at(7_200), 1).len(), 120);
    store.put(&metric(0), "None", Resolution::High, at(5), &Sample::value(1.0));
    assert_eq!(store.points(&metric(0), at(0), at(60), 1)[0].1.count, 61.0, "what comes late joins its minute");
}

#[test]
fn units_are_kept_apart_and_answered_together_unless_one_is_asked_for() {
    let mut store = Store::default();
    store.put(&metric(0), "Seconds", Resolution::Standard, at(0), &Sample::value(1.0));
    store.put(&metric(0), "Bytes", Resolution::Standard, at(0), &Sample::value(2.0));
    assert_eq!(store.points(&metric(0), at(0), at(60), 60)[0].1.sum, 3.0);
    let sum = |unit| store.values(&metric(0), Some(unit), metrics::Statistic::Sum, (at(0), at(60)), 60);
    assert_eq!(sum("Bytes"), [(at(0), 2.0)]);
    assert_eq!(sum("Percent"), []);
    assert_eq!(store.units(&metric(0)).collect::<Vec<_>>(), ["Seconds", "Bytes"]);
}

#[test]
fn a_span_may_begin_and_end_anywhere() {
    let mut store = Store::default();
    store.advance(at(0));
    store.put(&metric(0), "Seconds", Resolution::High, at(0), &Sample::value(1.0));
    let (first, last) = (Time::from_unix_ms(i64::MIN), Time::MAX);
    // Numbers of seconds have 32 bits until 2106.
    let late = |centuries: i64| at(centuries * 36_525 * 86_400);
    for (from, until, expected) in [
        (first, last, 1),
        (first, at(1), 1),
        (at(0), late(2), 1),
        (at(0), last, 1),
        (first, at(0), 0),
        (first, first, 0),
        (late(1), late(2), 0),
        (late(1), last, 0),
        (last, last, 0),
    ] {
        assert_eq!(store.points(&metric(0), from, until, 60).len(), expected, "{from} to {until}");
    }
}

#[test]
fn a_new_series_makes_no_room_for_the_next_before_it_has_its_first_sample() {
    let mut store = Store::default();
    store.advance(at(0));
    let name = |n: usize| Metric::new("Own", "Load", &[("Host", &n.to_string())]);
    for n in 0..METRICS_MAX - 1 {
        let id = store.id(&name(n), "Count").unwrap();
        store.put_value(id, Resolution::Standard, at(0), 1.0);
    }
    // A request makes all its series, then puts all its samples.
    let last = store.id(&name(METRICS_MAX), "Count").unwrap();
    assert_eq!(store.id(&name(METRICS_MAX + 1), "Count"), Err(Full));
    store.put_value(last, Resolution::Standard, at(0), 2.0);
    assert_eq!(store.points(&name(METRICS_MAX), at(0), at(60), 60).len(), 1);
    // Refusing is cheap, however many ask: looking for room each time, this would take a quarter of an hour.
    for n in 0..10_000 {
        assert_eq!(store.id(&name(METRICS_MAX + 1 + n), "Count"), Err(Full));
    }
    // Two weeks later nobody could list them any more.
    store.advance(at(15 * 86_400));
    assert!(store.id(&name(METRICS_MAX + 1), "Count").is_ok());
}
