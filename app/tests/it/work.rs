//! Work that burns processor time.

use std::time::{Duration, Instant};

use crate::support::{Application, start_alone};

/// Processor time of the whole process so far, in ms, as the kernel counts it.
fn used_ms(application: &Application) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", application.pid().as_raw_nonzero())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks * 10
}

#[test]
fn work_really_burns_what_was_asked() {
    let application = start_alone();
    let before = used_ms(&application);
    let answer = application.get("/work?ms=300").json();
    let used = used_ms(&application) - before;
    assert!(used >= 280, "the kernel counted {used} ms");
    assert!((300..400).contains(&answer["cpu_ms"].as_u64().unwrap()), "{answer}");
    assert_eq!(answer["instance_id"], "i-test");
    assert_eq!(application.get("/work?ms=0").status, 200);
}

#[test]
fn health_answers_while_work_burns() {
    let application = start_alone();
    std::thread::scope(|scope| {
        let work: Vec<_> = (0..8).map(|_| scope.spawn(|| application.get("/work?ms=200").status)).collect();
        let began = Instant::now();
        while work.iter().any(|w| !w.is_finished()) {
            assert_eq!(application.get("/health").status, 200);
        }
        assert!(began.elapsed() >= Duration::from_millis(100), "it did burn meanwhile");
        assert!(work.into_iter().all(|w| w.join().unwrap() == 200));
    });
}

#[test]
fn a_client_that_goes_away_ends_its_work() {
    let application = start_alone();
    application.send(b"GET /work?ms=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    for _ in 0..8 {
        // Closed at once; the work of eight would take 80 s.
        drop(std::net::TcpStream::connect(application.address).map(|mut stream| {
            std::io::Write::write_all(&mut stream, b"GET /work?ms=10000 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        }));
    }
    let began = Instant::now();
    assert_eq!(application.get("/work?ms=1").status, 200);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn work_is_bounded() {
    let application = start_alone();
    for query in ["ms=10001", "ms=-1", "ms=long", "ms=99999999999999999999"] {
        let answer = application.get(&format!("/work?{query}"));
        assert_eq!(answer.status, 400, "{query}: {}", answer.text);
        assert!(answer.text.contains("ms must be a number from 0 to 10000."), "{}", answer.text);
    }
}
