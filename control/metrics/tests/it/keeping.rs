//! What is kept comes back: after a crash, from torn and damaged files, and after a disk that was full.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base::Time;
use metrics::{FileKeep, Keep, MemoryKeep, Metric, Resolution, Sample, Store};

const START_MS: i64 = 1_800_000_000_000;

fn at(minute: i64) -> Time {
    Time::from_unix_ms(START_MS + minute * 60_000)
}

fn metric(n: u32) -> Metric {
    Metric::new("Own", "Load", &[("Number", &n.to_string())])
}

/// Puts a sample a minute to each of `metrics` metrics, and hands them over every ten minutes.
fn fill(store: &mut Store, metrics: u32, minutes: std::ops::Range<i64>) {
    let ids: Vec<_> = (0..metrics).map(|n| store.id(&metric(n), "Percent").unwrap()).collect();
    for minute in minutes {
        for id in &ids {
            store.put_value(*id, Resolution::Standard, at(minute), (minute * 37 % 1_009) as f64 * 0.1);
        }
        store.advance(at(minute));
        if minute % 10 == 0 {
            kernel::Store::keep(store);
        }
    }
    kernel::Store::keep(store);
}

fn count(store: &Store, n: u32) -> f64 {
    store.points(&metric(n), Time::ZERO, Time::MAX, 86_400).iter().map(|(_, s)| s.count).sum()
}

#[test]
fn a_crash_loses_nothing_over_many_logs_and_roll_ups() {
    let keep = MemoryKeep::default();
    let mut store = Store::open(Box::new(keep.clone())).unwrap();
    let (metrics, days) = (20, 30);
    for day in 0..days {
        fill(&mut store, metrics, day * 1_440..(day + 1) * 1_440);
        if day % 7 == 3 {
            store = Store::open(Box::new(keep.clone())).unwrap();
        }
    }
    for n in [0, 7, 19] {
        assert_eq!(count(&store, n), (days * 1_440) as f64, "{n}");
    }
    let reopened = Store::open(Box::new(keep.clone())).unwrap();
    for n in [0, 7, 19] {
        assert_eq!(reopened.points(&metric(n), Time::ZERO, Time::MAX, 60), store.points(&metric(n), Time::ZERO, Time::MAX, 60));
    }
    let samples = f64::from(metrics) * (days * 1_440) as f64;
    assert!((keep.size_bytes() as f64) < samples * 24.0, "{} bytes for {samples} samples", keep.size_bytes());
}

#[test]
fn files_are_for_their_owner_only_and_torn_ends_are_cut_off() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metrics");
    let mut store = Store::open(Box::new(FileKeep::open(&path).unwrap())).unwrap();
    fill(&mut store, 3, 0..300);
    drop(store);
    for entry in std::fs::read_dir(&path).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let log = path.join("log-00000000");
    let bytes = std::fs::read(&log).unwrap();
    std::fs::write(&log, [&bytes[..bytes.len() - 5], b"garbage"].concat()).unwrap();
    let mut store = Store::open(Box::new(FileKeep::open(&path).unwrap())).unwrap();
    assert!((281.0..300.0).contains(&count(&store, 0)), "{}", count(&store, 0));
    let before = count(&store, 1);
    fill(&mut store, 3, 300..400);
    drop(store);
    let store = Store::open(Box::new(FileKeep::open(&path).unwrap())).unwrap();
    assert_eq!(count(&store, 1), before + 100.0);
}

/// A disk that can be full.
struct Full(MemoryKeep, Arc<AtomicBool>);

impl Keep for Full {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        self.0.list()
    }
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<u64> {
        if self.1.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.append(name, bytes)
    }
    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.0.sync(name)
    }
    fn read(&self, name: &str, offset: u64, count: usize) -> io::Result<Vec<u8>> {
        self.0.read(name, offset, count)
    }
    fn cut(&mut self, name: &str, size_bytes: u64) -> io::Result<()> {
        self.0.cut(name, size_bytes)
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
}

#[test]
fn a_full_disk_is_made_good_later_however_much_came_in_meanwhile() {
    for minutes in [100, 10_000] {
        let (keep, full) = (MemoryKeep::default(), Arc::new(AtomicBool::new(false)));
        let mut store = Store::open(Box::new(Full(keep.clone(), full.clone()))).unwrap();
        fill(&mut store, 60, 0..500);
        full.store(true, Ordering::Relaxed);
        fill(&mut store, 60, 500..500 + minutes);
        full.store(false, Ordering::Relaxed);
        fill(&mut store, 60, 500 + minutes..1_000 + minutes);
        let reopened = Store::open(Box::new(keep)).unwrap();
        for n in [0, 59] {
            assert_eq!(count(&store, n), (1_000 + minutes) as f64);
            assert_eq!(count(&reopened, n), count(&store, n));
        }
    }
}

fn size_of_names(keep: &MemoryKeep) -> u64 {
    let all = keep.list().unwrap();
    all.iter().filter(|(name, _)| name.starts_with("series")).map(|(_, size)| *size).sum()
}

#[test]
fn names_of_metrics_that_are_gone_take_no_room_for_ever() {
    let keep = MemoryKeep::default();
    let mut store = Store::open(Box::new(keep.clone())).unwrap();
    let long = "x".repeat(200);
    let of = |round: i64, n: u32| Metric::new(&long, &format!("{round}"), &[("Number", &n.to_string())]);
    let stays = metric(1);
    let (metrics, rounds, minutes) = (2_000, 12, 500 * 1_440);
    for round in 0..rounds {
        store.put(&stays, "Percent", Resolution::Standard, at(round * minutes), &Sample::value(1.0));
        for n in 0..metrics {
            store.put(&of(round, n), "Percent", Resolution::Standard, at(round * minutes), &Sample::value(1.0));
        }
        kernel::Store::keep(&mut store);
        // Each sweep moves what is old one granularity on.
        for hour in 1..8 {
            store.advance(at(round * minutes + 470 * 1_440 + hour * 60));
            kernel::Store::keep(&mut store);
        }
        if round % 5 == 2 {
            store = Store::open(Box::new(keep.clone())).unwrap();
        }
    }
    assert!(store.metrics().count() <= 1, "{}", store.metrics().count());
    let of_a_round = u64::from(metrics) * 230;
    assert!(size_of_names(&keep) < of_a_round * 6, "{} bytes", size_of_names(&keep));
    store.put(&stays, "Percent", Resolution::Standard, at(rounds * minutes), &Sample::value(1.0));
    kernel::Store::keep(&mut store);
    // As after the end of the process while another file was begun: neither what is not finished nor what is over counts.
    keep.clone().append("series-00000099", b"torn").unwrap();
    keep.clone().append("series", b"over").unwrap();
    let before = size_of_names(&keep);
    let reopened = Store::open(Box::new(keep.clone())).unwrap();
    assert_eq!(size_of_names(&keep), before - 8);
    assert_eq!(reopened.metrics().collect::<Vec<_>>(), store.metrics().collect::<Vec<_>>());
    assert_eq!(count(&reopened, 1), 1.0);
}
