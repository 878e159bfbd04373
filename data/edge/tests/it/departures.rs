//! Clients that go away while a target works on their request ("ELB User Guide, Troubleshoot your Application Load Balancers:
//! HTTP 460"), and those that only seem to.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use world::{ClientCertificates, Frame, LoadBalancer, Observation, TargetHealth};

use crate::client::Client;
use crate::h2_peers::{H2Client, wait};
use crate::logs::{place, written};
use crate::origin::{Origin, Then, reply};
use crate::rig::{Rig, eventually};
use crate::secure::{Authority, SecureClient, secure};

const NAME: &str = "web.test";

/// Two targets that answer "/at-once", and wait for the end of their connection with everything else.
struct Workers {
    origins: Vec<Origin>,
    ended: Arc<AtomicUsize>,
}

impl Workers {
    fn start(rig: &Rig) -> Self {
        let ended: Arc<AtomicUsize> = Arc::default();
        let origin = |number| {
            let ended = ended.clone();
            Origin::healthy(rig.target_at(number), move |got, stream: &mut TcpStream| {
                if got.path() == "/at-once" {
                    return reply(stream, 200, "done");
                }
                assert!(!matches!(stream.read(&mut [0]), Ok(1..)), "more than the request has come");
                ended.fetch_add(1, Ordering::SeqCst);
                Then::Close
            })
        };
        Self { origins: [0, 1].map(origin).into(), ended }
    }

    /// Requests that are not answered at once.
    fn under_way(&self) -> usize {
        self.origins.iter().flat_map(Origin::got).filter(|got| got.path() != "/at-once").count()
    }

    fn await_under_way(&self, count: usize) {
        eventually("a target has the request", || (self.under_way() == count).then_some(()));
    }

    fn await_ended(&self, count: usize) {
        eventually("the target is told", || (self.ended.load(Ordering::SeqCst) == count).then_some(()));
    }
}

/// An edge that logs and reports, with both targets healthy.
fn start(change: impl FnOnce(&mut LoadBalancer)) -> (Rig, Workers, LoadBalancer) {
    let mut rig = Rig::start();
    rig.serve.send(&Frame::Report { every_ms: 100 });
    let workers = Workers::start(&rig);
    let mut balancer = rig.balancer(&[0, 1]);
    balancer.access_log = place("");
    change(&mut balancer);
    rig.apply(balancer.clone());
    (0..2).for_each(|number| rig.serve.await_health(number, &TargetHealth::Healthy));
    (rig, workers, balancer)
}

/// Waits until so many requests count as those of clients that have left, and as nothing else.
fn await_counted(rig: &Rig, count: u64) {
    let own = |o: Observation| match o {
        Observation::Traffic { balancers, .. } => balancers.into_iter().flat_map(|b| b.own_answers).collect(),
        _ => Vec::new(),
    };
    eventually("they are counted", || {
        let answers: Vec<(u16, u64)> = rig.serve.observations().into_iter().flat_map(own).collect();
        assert!(answers.iter().all(|(status, _)| *status == 460), "{answers:?}");
        (answers.iter().map(|(_, count)| count).sum::<u64>() == count).then_some(())
    });
}

/// So many lines say that the client has left, and which target had its request; others tell of so many answers.
fn assert_logged(rig: &mut Rig, balancer: LoadBalancer, left: usize, answered: usize) {
    let mut lines = written(rig, balancer, "", left + answered);
    lines.retain(|line| !line[12].contains("/at-once"));
    assert_eq!(lines.len(), left);
    for line in lines {
        assert_eq!((line[8].as_str(), line[9].as_str(), line[11].as_str()), ("460", "-", "0"), "{line:?}");
        assert!(line[4] != "-" && line[27] == "-", "{line:?}");
    }
}

const GET: &str = "GET /work HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn who_leaves_while_a_target_works_is_logged_and_counted_and_the_target_is_told() {
    let (mut rig, workers, balancer) = start(|_| {});
    let leave: [fn(Client); 3] = [
        drop,
        |client| {
            set_socket_linger(&client.stream, Some(Duration::ZERO)).unwrap();
        },
        |mut client| {
            // What it has sent behind its request does not keep it.
            client.send(GET);
        },
    ];
    let mut count = 0;
    for leave in leave {
        // On a new connection to the target, and on one that was used before.
        for before in [0, 4] {
            let mut clients: Vec<Client> = (0..before).map(|_| Client::connect(rig.door())).collect();
            clients.iter_mut().for_each(|client| assert_eq!(client.get("/at-once").text(), "done"));
            let mut client = Client::connect(rig.door());
            client.send(GET);
            count += 1;
            workers.await_under_way(count);
            leave(client);
            workers.await_ended(count);
        }
    }
    await_counted(&rig, count as u64);
    assert_eq!(workers.under_way(), count, "nothing was repeated");
    assert_logged(&mut rig, balancer, count, 3 * 4);
    assert!((0..2).all(|number| rig.serve.healths(number).last() == Some(&TargetHealth::Healthy)));
}

#[test]
fn who_has_sent_a_body_piece_by_piece_may_leave_too() {
    let (mut rig, workers, balancer) = start(|_| {});
    for (number, framing, body) in
        [(1, "Content-Length: 5", "hello"), (2, "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n")]
    {
        let mut client = Client::connect(rig.door());
        client.send(format!("PUT /work HTTP/1.1\r\nHost: a\r\n{framing}\r\nExpect: 100-continue\r\n\r\n"));
        assert_eq!(client.answer(false).status, 100);
        client.send(body);
        workers.await_under_way(number);
        drop(client);
        workers.await_ended(number);
    }
    await_counted(&rig, 2);
    let mut lines = written(&mut rig, balancer, "", 2);
    lines.retain(|line| (line[8].as_str(), line[9].as_str()) == ("460", "-"));
    assert_eq!((lines.len(), workers.under_way()), (2, 2));
}

#[test]
fn clients_that_speak_tls_may_leave_too() {
    let authority = Authority::new();
    let (mut rig, workers, balancer) =
        start(|balancer| secure(balancer, vec![authority.issue("own", &[NAME])], ClientCertificates::Off));
    let mut config = authority.client();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut client = SecureClient::connect(rig.door(), NAME, &Arc::new(config)).unwrap();
    client.send(GET).unwrap();
    workers.await_under_way(1);
    client.stream.conn.send_close_notify();
    client.stream.flush().unwrap();
    drop(client);
    workers.await_ended(1);
    // By HTTP/2: one stream, and the whole connection.
    let client = H2Client::connect(rig.door(), NAME, &authority);
    let (answer, mut stream) = wait(client.begin(client.request("GET", "/work").body(()).unwrap(), true));
    workers.await_under_way(2);
    stream.send_reset(h2::Reason::CANCEL);
    workers.await_ended(2);
    drop((answer, stream));
    assert_eq!(client.get("/at-once").text(), "done");
    let leaving = wait(client.begin(client.request("GET", "/work").body(()).unwrap(), true));
    workers.await_under_way(3);
    drop((client, leaving));
    workers.await_ended(3);
    await_counted(&rig, 3);
    assert_logged(&mut rig, balancer, 3, 1);
}

/// It looks as if it had left, but a target that answers is faster than the look-out.
#[test]
fn who_ends_its_sending_side_gets_an_answer_that_comes_at_once() {
    let (rig, _workers, _balancer) = start(|_| {});
    // A machine that is busy may let one of them wait for longer than the look-out does.
    let is_answered = |_| {
        let mut client = Client::connect(rig.door());
        client.send("GET /at-once HTTP/1.1\r\nHost: a\r\n\r\n").end_writing();
        client.try_answer(false).is_ok_and(|answer| answer.text() == "done" && client.is_closed())
    };
    assert!((0..100).any(is_answered));
}

#[test]
fn who_stays_gets_its_answers_however_much_it_has_sent() {
    let mut rig = Rig::start();
    let _origin = Origin::healthy(rig.target_at(0), |got, stream| {
        if got.path() == "/slow" {
            std::thread::sleep(Duration::from_millis(1_200)); // slow on purpose: several looks
        }
        reply(stream, 200, got.path())
    });
    rig.serve_with(&[0]);
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut client = Client::connect(rig.door());
    client.send([ask("/slow"), ask("/next")].concat()).send(ask("/last"));
    for path in ["/slow", "/next", "/last"] {
        assert_eq!(client.answer(false).text(), path);
    }
}
