//! A new edge takes over from the one that runs while clients speak HTTP/2 with it.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Reason;
use tokio::task::JoinSet;
use world::{ClientCertificates, TargetHealth};

use crate::h2::NAME;
use crate::h2_peers::{H2Client, read, runtime, send, wait};
use crate::load::Load;
use crate::origin::{Origin, Then, reply};
use crate::rig::{Rig, Serve, eventually};
use crate::secure::{Authority, secure};
use crate::takeover::{Process, await_saved};

/// Requests of one client at a time.
const STREAMS: usize = 8;
const BIG_BYTES: usize = 400_000;

/// A rig whose edge is a process, with an HTTPS listener and a target that echoes bodies; `/hold` is answered when `go` is set.
fn start(workers: usize) -> (Rig, Process, Authority, Origin, Arc<AtomicBool>) {
    let mut rig = Rig::without_edge();
    let process = Process::start(&rig, workers);
    rig.reconnect();
    let go: Arc<AtomicBool> = Arc::default();
    let inner = go.clone();
    let origin = Origin::healthy(rig.target_at(0), move |got, stream| {
        let end = Instant::now() + Duration::from_secs(20);
        while got.path() == "/hold" && !inner.load(Ordering::SeqCst) && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        if got.path() == "/hold" {
            return reply(stream, 200, "held");
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", got.body.len());
        match stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&got.body)) {
            Ok(()) => Then::Keep,
            Err(_) => Then::Close,
        }
    });
    let authority = Authority::new();
    let mut balancer = rig.balancer(&[0]);
    secure(&mut balancer, vec![authority.issue("one", &[NAME])], ClientCertificates::Off);
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    await_saved(&rig);
    (rig, process, authority, origin, go)
}

/// What became of a request.
#[derive(Debug)]
enum Outcome {
    Served,
    /// It was not sent: the connection takes no more.
    NotSent,
    Failed(String),
}

/// Asks for an echo.
async fn ask(client: H2Client, bytes: usize) -> Outcome {
    let Ok(mut sender) = client.sender.clone().ready().await else { return Outcome::NotSent };
    let request = client.request("POST", "/echo").body(()).unwrap();
    let (response, mut stream) = match sender.send_request(request, false) {
        Ok(sent) => sent,
        Err(e) if e.is_go_away() && e.reason() == Some(Reason::NO_ERROR) => return Outcome::NotSent,
        Err(e) => return Outcome::Failed(format!("not sent: {e:?}")),
    };
    let whole = async {
        send(&mut stream, Bytes::from(vec![b'x'; bytes])).await?;
        stream.send_data(Bytes::new(), true)?;
        let response = response.await?;
        let status = response.status();
        Ok::<_, h2::Error>((status, read(&mut response.into_body()).await?.0.len()))
    };
    match whole.await {
        Ok((status, length)) if status == 200 && length == bytes => Outcome::Served,
        other => Outcome::Failed(format!("{other:?}")),
    }
}

/// Clients that have several requests under way at any time, and come anew when they are asked to, which is counted.
fn call(rig: &Rig, authority: &Arc<Authority>, farewells: &Arc<AtomicUsize>) -> Load {
    let (at, authority, farewells) = (rig.door(), authority.clone(), farewells.clone());
    Load::start(0..4, move |number: usize, told| {
        while told.goes_on() && !told.has_failed() {
            let client = H2Client::connect(at, NAME, &authority);
            wait_long(keep_asking(client, number, &told.ended, &told.served, &told.failures));
            farewells.fetch_add(1, Ordering::SeqCst);
        }
    })
}

/// Waits without a deadline: the work has one.
fn wait_long<T>(work: impl Future<Output = T>) -> T {
    runtime().block_on(work)
}

/// Has some requests under way until the connection takes no more, and waits for all of them.
async fn keep_asking(client: H2Client, number: usize, ended: &AtomicBool, served: &AtomicUsize, failures: &Mutex<Vec<String>>) {
    let mut asking = JoinSet::new();
    let mut takes_more = true;
    let bytes = |turn: usize| if number == 0 && turn.is_multiple_of(4) { BIG_BYTES } else { 10 };
    for turn in 0.. {
        if takes_more && asking.len() < STREAMS && !ended.load(Ordering::SeqCst) {
            asking.spawn(ask(client.clone(), bytes(turn)));
            continue;
        }
        match asking.join_next().await {
            Some(Ok(Outcome::Served)) => drop(served.fetch_add(1, Ordering::SeqCst)),
            Some(Ok(Outcome::NotSent)) => takes_more = false,
            Some(Ok(Outcome::Failed(why))) => {
                failures.lock().unwrap().push(why);
                takes_more = false;
            }
            Some(Err(e)) => panic!("{e}"),
            None => return,
        }
    }
}

/// "A new edge takes over and no request fails", with several requests on each connection.
#[test]
fn edges_take_over_one_after_the_other_and_no_stream_is_broken_off() {
    let (mut rig, mut old, authority, _origin, _go) = start(2);
    let authority = Arc::new(authority);
    let farewells = Arc::default();
    let users = call(&rig, &authority, &farewells);
    users.await_more(100);
    for workers in [2, 1, 3, 2] {
        let new = Process::succeed(&rig, workers);
        rig.reconnect();
        users.await_more(100);
        old.await_end();
        old = new;
    }
    assert!(farewells.load(Ordering::SeqCst) >= 4, "clients were asked to come anew");
    assert_eq!(users.end(), Vec::<String>::new());
}

#[test]
fn open_streams_end_where_they_began_and_the_client_is_asked_to_go() {
    let (mut rig, mut old, authority, origin, go) = start(1);
    let client = H2Client::connect(rig.door(), NAME, &authority);
    let (response, mut upload) = wait(client.begin(client.request("POST", "/echo").body(()).unwrap(), false));
    wait(send(&mut upload, Bytes::from_static(b"first "))).unwrap();
    let holding = client.clone();
    let held = thread::spawn(move || holding.get("/hold"));
    eventually("one waits at the target", || origin.got().iter().any(|got| got.path() == "/hold").then_some(()));
    let _new = Process::succeed(&rig, 1);
    rig.reconnect();
    // RFC 9113, section 6.8: a server that ends a connection says so, and streams that were begun end in peace.
    let error = eventually("a farewell", || wait(async { client.sender.clone().ready().await }).err());
    assert!(error.is_go_away() && error.reason() == Some(Reason::NO_ERROR), "{error:?}");
    let other = H2Client::connect(rig.door(), NAME, &authority);
    assert_eq!(wait(ask_once(&other)), 200, "new connections are served by the new edge");
    assert!(old.lives(), "it waits for its streams");
    wait(send(&mut upload, Bytes::from_static(b"second"))).unwrap();
    upload.send_data(Bytes::new(), true).unwrap();
    let echoed = wait(async { read(response.await.unwrap().body_mut()).await.unwrap().0 });
    assert_eq!(echoed, b"first second");
    go.store(true, Ordering::SeqCst);
    assert_eq!(held.join().unwrap().text(), "held");
    old.await_end();
    drop(other);
}

async fn ask_once(client: &H2Client) -> u16 {
    client.ask(client.request("GET", "/echo").body(()).unwrap(), None).await.unwrap().status
}

/// Who loses the connection asks anew, as after any death; nobody is refused for longer than the new edge needs.
#[test]
fn an_old_edge_that_is_killed_in_the_middle_does_not_keep_clients_from_the_new_one() {
    let (mut rig, mut old, authority, _origin, _go) = start(2);
    for step in 0..8 {
        let client = H2Client::connect(rig.door(), NAME, &authority);
        assert_eq!(wait(ask_once(&client)), 200);
        let new = Process::start(&rig, 2);
        let end = Instant::now() + Duration::from_millis(8 * step);
        while Instant::now() < end {
            thread::yield_now();
        }
        old.kill();
        new.await_office(&rig.paths());
        eventually("it serves", || Serve::try_connect(rig.directory.path()));
        let error = eventually("the connection ends", || wait(async { client.sender.clone().ready().await }).err());
        assert!(error.is_io() || error.is_go_away(), "{error:?}");
        assert_eq!(wait(ask_once(&H2Client::connect(rig.door(), NAME, &authority))), 200, "step {step}");
        old = new;
    }
    rig.reconnect();
}
