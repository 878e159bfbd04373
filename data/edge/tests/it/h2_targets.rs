//! Targets that speak HTTP/2 ("ELB User Guide, Target groups for your Application Load Balancers: Protocol version").

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::Response;
use tokio::sync::Semaphore;
use world::{ClientCertificates, LoadBalancer, Protocol, ProtocolVersion, TargetHealth, TargetMode, TargetReason};

use crate::h2_peers::{Call, H2Client, H2Origin, Setup, read, send, wait};
use crate::origin::{Origin, reply};
use crate::rig::{Rig, eventually};
use crate::secure::{Authority, SecureClient, secure};

pub const NAME: &str = "web-1.eu-central-1.elb.localhost";

/// An edge with an HTTPS listener over targets of a protocol version.
pub struct Scene {
    pub rig: Rig,
    pub authority: Authority,
    pub version: ProtocolVersion,
}

impl Scene {
    pub fn new(version: ProtocolVersion) -> Self {
        Self { rig: Rig::start(), authority: Authority::new(), version }
    }

    pub fn balancer(&self, targets: &[u8]) -> LoadBalancer {
        let mut balancer = self.rig.balancer(targets);
        secure(&mut balancer, vec![self.authority.issue("own", &[NAME])], ClientCertificates::Off);
        let group = &mut balancer.target_groups[0];
        group.version = self.version;
        if self.version == ProtocolVersion::Grpc {
            group.health_check.path = "/AWS.ALB/healthcheck".into();
            group.health_check.matcher = vec![(12, 12)];
        }
        balancer
    }

    /// Serves these targets, once they are healthy.
    pub fn serve(&mut self, targets: &[u8]) {
        let balancer = self.balancer(targets);
        self.rig.apply(balancer);
        targets.iter().for_each(|n| self.rig.serve.await_health(*n, &TargetHealth::Healthy));
    }

    pub fn client(&self) -> H2Client {
        H2Client::connect(self.rig.door(), NAME, &self.authority)
    }
}

async fn named(call: Call) {
    let text = format!("{} {}", call.head.method, call.head.uri);
    call.answer(200, &text);
}

#[test]
fn requests_reach_targets_by_http2_with_what_an_alb_adds() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), named);
    scene.serve(&[0]);
    let client = scene.client();
    let request = client.request("GET", "/a?b=c").header("x-own", "1").header("cookie", "k=v").body(()).unwrap();
    let got = wait(client.ask(request, None)).unwrap();
    assert_eq!((got.status, got.text()), (200, &*format!("GET http://{NAME}:8080/a?b=c")));
    assert_eq!(got.header("server"), Some("awselb/2.0"));
    assert!(got.header("date").is_some());
    let head = origin.calls().pop().unwrap();
    let header = |name: &str| head.headers.get(name).map(|v| v.to_str().unwrap().to_string());
    assert_eq!(header("x-forwarded-proto").as_deref(), Some("https"));
    assert_eq!(header("x-forwarded-port").as_deref(), Some("8080"));
    assert_eq!(header("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert!(header("x-amzn-trace-id").unwrap().starts_with("Root=1-"));
    assert_eq!((header("x-own").as_deref(), header("cookie").as_deref()), (Some("1"), Some("k=v")));
    for hop in ["connection", "transfer-encoding", "host"] {
        assert_eq!(header(hop), None, "{hop}");
    }
}

#[test]
fn requests_of_a_worker_share_connections_up_to_what_the_target_allows() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let gate = Arc::new(Semaphore::new(0));
    let inner = gate.clone();
    let setup = Setup { streams_max: Some(10), ..Setup::default() };
    let origin = H2Origin::healthy(scene.rig.target_at(0), setup, move |call| {
        let gate = inner.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            call.answer(200, "done");
        }
    });
    scene.serve(&[0]);
    let client = scene.client();
    let asked: Vec<_> = (0..35).map(|_| tokio_spawn(ask_get(client.clone()))).collect();
    eventually("all requests are at the target", || (origin.calls().len() == 35).then_some(()));
    assert_eq!(origin.connections(), 4, "ten on each");
    gate.add_permits(1_000);
    for answer in asked {
        assert_eq!(wait(answer).unwrap(), 200);
    }
    for _ in 0..10 {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!(origin.connections(), 4, "they are kept");
}

async fn ask_get(client: H2Client) -> u16 {
    client.ask(client.request("GET", "/").body(()).unwrap(), None).await.unwrap().status
}

fn tokio_spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    crate::h2_peers::runtime().spawn(work)
}

#[test]
fn requests_by_http1_are_incompatible() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), named);
    scene.serve(&[0]);
    let config = Arc::new(scene.authority.client());
    let mut client = SecureClient::connect(scene.rig.door(), NAME, &config).unwrap();
    for _ in 0..2 {
        let (status, head, body) = client.get(NAME, "").unwrap();
        assert_eq!((status, body.len()), (464, 0));
        assert!(head.starts_with("HTTP/1.1 464 \r\n") && !head.contains("Content-Type"), "{head}");
    }
    assert!(origin.calls().is_empty());
}

#[test]
fn targets_by_tls_agree_on_http2() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let setup = Setup::secure(&scene.authority.issue("target", &["target.example"]));
    let origin = H2Origin::healthy(scene.rig.target_at(0), setup, named);
    let mut balancer = scene.balancer(&[0]);
    balancer.target_groups[0].protocol = Protocol::Https;
    balancer.target_groups[0].health_check.protocol = Protocol::Https;
    scene.rig.apply(balancer);
    scene.rig.serve.await_health(0, &TargetHealth::Healthy);
    let client = scene.client();
    assert_eq!(client.get("/x").text(), format!("GET https://{NAME}:8080/x"));
    assert_eq!(origin.connections(), 1);
}

#[test]
fn big_bodies_go_both_ways_and_slow_readers_hold_targets_back() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let sent = Arc::new(AtomicUsize::new(0));
    let inner = sent.clone();
    let _origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), move |mut call| {
        let sent = inner.clone();
        async move {
            if call.head.uri.path() == "/echo" {
                let (body, _) = call.read().await;
                let mut stream = call.respond.send_response(Response::new(()), false).unwrap();
                send(&mut stream, body.into()).await.unwrap();
                stream.send_data(Bytes::new(), true).unwrap();
                return;
            }
            let mut stream = call.respond.send_response(Response::new(()), false).unwrap();
            let piece = Bytes::from(vec![b'x'; 64 * 1024]);
            for _ in 0..1_024 {
                if send(&mut stream, piece.clone()).await.is_err() {
                    return;
                }
                sent.fetch_add(piece.len(), Ordering::SeqCst);
            }
            let _ = stream.send_data(Bytes::new(), true);
        }
    });
    scene.serve(&[0]);
    let client = scene.client();
    let body: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    let request = client.request("POST", "/echo").body(()).unwrap();
    let got = wait(client.ask(request, Some(body.clone().into()))).unwrap();
    assert!(got.status == 200 && got.body == body);
    // A client that reads nothing: 64 MiB are there for it, and nobody keeps them.
    let (response, _stream) = wait(client.begin(client.request("GET", "/much").body(()).unwrap(), true));
    let (_, mut body) = wait(response).unwrap().into_parts();
    eventually("the target has begun", || (sent.load(Ordering::SeqCst) > 0).then_some(()));
    let mut before = usize::MAX;
    let held = eventually("the target is held back", || {
        std::thread::sleep(Duration::from_millis(50));
        let now = sent.load(Ordering::SeqCst);
        (std::mem::replace(&mut before, now) == now).then_some(now)
    });
    assert!(held < 8 * 1024 * 1024, "{held} bytes are on their way");
    // Others on the same connections are not held up.
    assert_eq!(wait(client.ask(client.request("POST", "/echo").body(()).unwrap(), Some("hi".into()))).unwrap().text(), "hi");
    assert_eq!(wait(read(&mut body)).unwrap().0.len(), 64 * 1024 * 1024);
}

#[test]
fn what_a_target_has_refused_to_process_is_tried_again() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let refusals = Arc::new(AtomicUsize::new(0));
    let inner = refusals.clone();
    let origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), move |mut call| {
        let refusals = inner.clone();
        async move {
            if refusals.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
                call.respond.send_reset(Reason::REFUSED_STREAM);
            } else {
                call.read().await;
                call.answer(200, "in the end");
            }
        }
    });
    scene.serve(&[0]);
    let client = scene.client();
    for _ in 0..5 {
        // Also a request that must not be done twice: it was not done once.
        let request = client.request("POST", "/").body(()).unwrap();
        assert_eq!(wait(client.ask(request, Some("body".into()))).unwrap().text(), "in the end");
    }
    assert_eq!(origin.calls().len(), 10);
}

#[test]
fn a_target_that_says_goodbye_under_load_loses_nothing() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), |call| async move {
        tokio::time::sleep(Duration::from_millis(2)).await;
        call.answer(200, "");
    });
    scene.serve(&[0]);
    let client = scene.client();
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio_spawn(async move {
                for _ in 0..100 {
                    assert_eq!(ask_get(client.clone()).await, 200);
                }
            })
        })
        .collect();
    for goodbyes in 1..=5 {
        eventually("requests go on", || (origin.calls().len() >= goodbyes * 120).then_some(()));
        origin.leave();
    }
    asking.into_iter().for_each(|task| wait(task).unwrap());
    assert!(origin.connections() > 2, "{}", origin.connections());
    eventually("old connections end", || (origin.open() <= 2).then_some(()));
}

#[test]
fn a_killed_target_fails_what_it_had_and_the_others_go_on() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let slow = |call: Call| async move {
        if call.head.uri.path() == "/slow" {
            std::future::pending::<()>().await;
        }
        call.answer(200, "");
    };
    let origins = [0, 1].map(|n| H2Origin::healthy(scene.rig.target_at(n), Setup::default(), slow));
    scene.serve(&[0, 1]);
    let client = scene.client();
    let ask = |method: &str| {
        let request = client.request(method, "/slow").body(()).unwrap();
        let client = client.clone();
        tokio_spawn(async move { client.ask(request, Some("x".into())).await.unwrap().status })
    };
    let asked = [ask("POST"), ask("POST")];
    eventually("both have one", || origins.iter().all(|o| o.calls().len() == 1).then_some(()));
    origins[0].kill();
    let first = wait(async { futures_first(asked).await });
    assert_eq!(first, 502);
    for _ in 0..20 {
        assert_eq!(client.get("/").status, 200, "a refused connection is tried elsewhere");
    }
}

/// The result of whichever ends first.
async fn futures_first([mut a, mut b]: [tokio::task::JoinHandle<u16>; 2]) -> u16 {
    tokio::select! {
        result = &mut a => result.unwrap(),
        result = &mut b => result.unwrap(),
    }
}

#[test]
fn draining_targets_finish_what_they_have_and_are_cut_at_the_deadline() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let gate = Arc::new(Semaphore::new(0));
    let inner = gate.clone();
    let origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), move |call| {
        let gate = inner.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            call.answer(200, "finished");
        }
    });
    scene.serve(&[0]);
    let client = scene.client();
    let ask = || {
        let client = client.clone();
        let request = client.request("GET", "/").body(()).unwrap();
        tokio_spawn(async move { client.ask(request, None).await })
    };
    let asked = ask();
    eventually("it is there", || (origin.calls().len() == 1).then_some(()));
    let drain = |scene: &mut Scene, ms: i64| {
        let mut balancer = scene.balancer(&[0]);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
        balancer.target_groups[0].targets[0].mode = TargetMode::Draining { until: base::Time::from_unix_ms(now + ms) };
        scene.rig.apply(balancer);
    };
    drain(&mut scene, 10_000);
    assert_eq!(client.get("/").status, 503, "nothing new");
    gate.add_permits(1);
    assert_eq!(wait(asked).unwrap().unwrap().text(), "finished");
    scene.rig.serve.await_health(0, &TargetHealth::Drained);
    eventually("its connection ends", || (origin.open() == 0).then_some(()));
    scene.serve(&[0]);
    let asked = ask();
    eventually("it is there", || (origin.calls().len() == 2).then_some(()));
    drain(&mut scene, 300);
    assert_eq!(wait(asked).unwrap().unwrap().status, 502, "cut");
}

#[test]
fn a_target_that_says_nothing_is_late() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let _origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), |mut call| async move {
        match call.head.uri.path() {
            "/head" => {
                let _stream = call.respond.send_response(Response::new(()), false).unwrap();
                std::future::pending::<()>().await;
            }
            "/drops" => {
                let mut stream = call.respond.send_response(Response::new(()), false).unwrap();
                for _ in 0..8 {
                    tokio::time::sleep(Duration::from_millis(300)).await; // slow on purpose
                    stream.send_data("drop".into(), false).unwrap();
                }
                stream.send_data(Bytes::new(), true).unwrap();
            }
            _ => std::future::pending::<()>().await,
        }
    });
    let mut balancer = scene.balancer(&[0]);
    balancer.idle_timeout_ms = 1_000;
    scene.rig.apply(balancer);
    scene.rig.serve.await_health(0, &TargetHealth::Healthy);
    let client = scene.client();
    assert_eq!(client.get("/none").status, 504);
    assert_eq!(client.get("/drops").body.len(), 32, "time begins anew with each");
    let cut = wait(client.ask(client.request("GET", "/head").body(()).unwrap(), None));
    assert!(cut.unwrap_err().is_reset());
}

#[test]
fn what_does_not_speak_http2_is_no_target() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let _origin = Origin::start(scene.rig.target_at(0), |_, stream| reply(stream, 200, "one"));
    let mut balancer = scene.balancer(&[0]);
    balancer.target_groups[0].health_check.enabled = false;
    scene.rig.apply(balancer);
    scene.rig.serve.await_health(0, &TargetHealth::Healthy);
    assert_eq!(scene.client().get("/").status, 502);
    scene.rig.apply(scene.balancer(&[0]));
    scene.rig.serve.await_health(0, &TargetHealth::Unhealthy { reason: TargetReason::FailedHealthChecks, draining: false });
}

#[test]
fn health_checks_speak_http2() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let status = Arc::new(AtomicUsize::new(200));
    let inner = status.clone();
    let origin = H2Origin::start(scene.rig.target_at(0), Setup::default(), move |call| {
        let status = inner.clone();
        async move { call.answer(status.load(Ordering::SeqCst) as u16, "") }
    });
    scene.serve(&[0]);
    let check = origin.checks().pop().unwrap();
    assert_eq!((check.method.as_str(), check.uri.path()), ("GET", "/health"));
    assert_eq!(check.uri.authority().unwrap().as_str(), scene.rig.target_at(0).to_string());
    status.store(500, Ordering::SeqCst);
    scene.rig.serve.await_health(
        0,
        &TargetHealth::Unhealthy { reason: TargetReason::ResponseCodeMismatch { status: 500 }, draining: false },
    );
    status.store(200, Ordering::SeqCst);
    scene.rig.serve.await_health(0, &TargetHealth::Healthy);
    origin.kill();
    scene.rig.serve.await_health(0, &TargetHealth::Unhealthy { reason: TargetReason::FailedHealthChecks, draining: false });
}

#[test]
fn heads_without_bodies_and_words_before_the_answer_go_on() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let _origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), |mut call| async move {
        let head = Response::builder();
        match call.head.uri.path() {
            "/hints" => {
                let hints = head.status(103).header("link", "</a.css>").body(()).unwrap();
                call.respond.send_informational(hints).unwrap();
                call.answer(200, "after the hints");
            }
            "/204" => drop(call.respond.send_response(head.status(204).body(()).unwrap(), true).unwrap()),
            _ => drop(call.respond.send_response(head.header("content-length", "10").body(()).unwrap(), true).unwrap()),
        }
    });
    scene.serve(&[0]);
    let client = scene.client();
    assert_eq!(client.get("/204").status, 204);
    let got = wait(client.ask(client.request("HEAD", "/").body(()).unwrap(), None)).unwrap();
    assert_eq!((got.status, got.header("content-length"), got.body.len()), (200, Some("10"), 0));
    let (hints, got) = wait(async {
        let (mut response, _stream) = client.begin(client.request("GET", "/hints").body(()).unwrap(), true).await;
        let hints = std::future::poll_fn(|cx| response.poll_informational(cx)).await.unwrap().unwrap();
        (hints, read(response.await.unwrap().body_mut()).await.unwrap().0)
    });
    assert_eq!((hints.status().as_u16(), hints.headers().get("link").unwrap().as_bytes()), (103, &b"</a.css>"[..]));
    assert_eq!(got, b"after the hints");
}

/// "ELB User Guide, Quotas": 32 K of all headers of an answer, 16 K of one.
#[test]
fn an_answer_with_too_large_a_head_is_a_bad_gateway() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let _origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), |mut call| async move {
        let lengths: &[usize] = match call.head.uri.path() {
            "/fits" => &[16_000, 16_000],
            "/line" => &[17_000],
            _ => &[12_000; 3],
        };
        let field = |head: http::response::Builder, length: &usize| head.header("x", "a".repeat(*length));
        let head = lengths.iter().fold(Response::builder(), field);
        let _ = call.respond.send_response(head.body(()).unwrap(), true);
    });
    scene.serve(&[0]);
    let client = scene.client();
    for (path, status) in [("/fits", 200), ("/line", 502), ("/all", 502), ("/fits", 200)] {
        assert_eq!(client.get(path).status, status, "{path}");
    }
}

#[test]
fn a_target_may_answer_before_it_has_read_all() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let _origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), |mut call| async move {
        call.body.data().await.unwrap().unwrap();
        // What is not read of the body is not wanted: RST_STREAM with NO_ERROR follows.
        call.answer(413, "too much");
    });
    scene.serve(&[0]);
    let client = scene.client();
    for _ in 0..5 {
        let request = client.request("POST", "/").body(()).unwrap();
        let got = wait(client.ask(request, Some(vec![b'x'; 3_000_000].into()))).unwrap();
        assert_eq!((got.status, got.text()), (413, "too much"));
    }
}

#[test]
fn a_target_that_takes_one_request_at_a_time_gets_many_by_many_connections() {
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let setup = Setup { streams_max: Some(1), ..Setup::default() };
    let origin = H2Origin::healthy(scene.rig.target_at(0), setup, |call| async move {
        tokio::time::sleep(Duration::from_millis(20)).await; // slow on purpose
        call.answer(200, "");
    });
    scene.serve(&[0]);
    let client = scene.client();
    let asked: Vec<_> = (0..40).map(|_| tokio_spawn(ask_get(client.clone()))).collect();
    asked.into_iter().for_each(|answer| assert_eq!(wait(answer).unwrap(), 200));
    let calls = origin.calls().len();
    assert!((40..60).contains(&calls), "{calls}");
}
