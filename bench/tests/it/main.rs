//! What benchmarks are made of, against a small server and a busy process of this test's own.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use bench::{Connection, Load, Process, fail, rate, wait_for};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// Answers every request on every connection with `answer`, until its clients are gone; then the threads end.
fn server(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            thread::spawn(move || {
                let mut line = String::new();
                while stream.read_line(&mut line).is_ok_and(|n| n > 0) {
                    if line == "\r\n" && stream.get_mut().write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                    line.clear();
                }
            });
        }
    });
    address
}

#[test]
fn a_connection_is_kept_and_reads_whole_answers() {
    let mut connection = Connection::open(server("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")).unwrap();
    for _ in 0..3 {
        let answer = connection.send(REQUEST).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"ok\n"[..]));
    }
}

#[test]
fn a_bad_answer_is_a_failure() {
    for (answer, wanted) in [
        ("HTTP/1.1 200 OK\r\n\r\n", "no good length"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", "no good length"),
        ("hello\r\n\r\n", "is no answer"),
    ] {
        let failure = Connection::open(server(answer)).unwrap().send(REQUEST).err().unwrap();
        assert!(failure.0.contains(wanted), "{answer:?}: {failure}");
    }
}

#[test]
fn a_rate_is_of_good_answers_only() {
    let load = |address| Load { address, clients: 3, rounds: 2, round: Duration::from_millis(50) };
    let rates = rate(load(server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")), |_, _| Ok(REQUEST.to_vec())).unwrap();
    assert_eq!(rates.len(), 2);
    assert!(rates.iter().all(|r| *r > 100.0), "{rates:?}");
    let refused = rate(load(server("HTTP/1.1 503 No\r\ncontent-length: 4\r\n\r\nfull")), |_, _| Ok(REQUEST.to_vec()));
    assert!(refused.is_err_and(|e| e.0 == "503: full"));
}

/// A process of one thread that is always busy; it ends with the test.
struct Busy(Child);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_process_tells_what_it_uses() {
    let busy = Busy(Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap());
    let process = Process::new(i32::try_from(busy.0.id()).unwrap()).unwrap();
    let soon = |what: &str, shows: &dyn Fn() -> bool| {
        wait_for(what, Duration::from_secs(5), Duration::from_millis(1), || Ok(shows().then_some(())))
    };
    soon("memory shows", &|| process.resident_bytes().is_ok_and(|bytes| bytes > 100_000)).unwrap();
    let before = process.processor_ns().unwrap();
    soon("work shows", &|| process.processor_ns().is_ok_and(|ns| ns > before)).unwrap();
    soon("all work shows", &|| process.processor_with_ended_ns().is_ok_and(|ns| ns > 0)).unwrap();
    assert_eq!(process.on_one_core(|| Ok(7)).unwrap(), 7);
    assert!(process.on_one_core(|| fail::<()>("why")).is_err_and(|e| e.0 == "why"));
    assert!(Process::new(1).is_err() && Process::new(0).is_err() && Process::new(-1).is_err());
}

#[test]
fn waiting_ends() {
    let late = wait_for("nothing", Duration::from_millis(20), Duration::from_millis(1), || Ok(None::<()>));
    assert!(late.is_err_and(|e| e.0.contains("nothing")));
}
