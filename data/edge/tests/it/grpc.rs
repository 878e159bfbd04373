//! Targets that speak gRPC ("ELB User Guide, Target groups for your Application Load Balancers: Protocol version").

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::Reason;
use http::HeaderMap;
use world::{Protocol, ProtocolVersion, TargetHealth, TargetReason};

use crate::h2_peers::{Call, H2Client, H2Origin, Setup, grpc_head, grpc_trailers, read, wait};
use crate::h2_targets::{NAME, Scene};
use crate::origin::{Origin, reply};
use crate::secure::SecureClient;

/// Answers with the message that came.
async fn echo(mut call: Call) {
    let (message, _) = call.read().await;
    call.answer_grpc(message, "0");
}

#[test]
fn a_call_comes_back_with_its_trailers() {
    let mut scene = Scene::new(ProtocolVersion::Grpc);
    let origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), echo);
    scene.serve(&[0]);
    let client = scene.client();
    let got = client.call("/package.Service/Method", b"\0\0\0\0\x05hello");
    assert_eq!((got.status, got.header("content-type")), (200, Some("application/grpc")));
    assert_eq!(got.body, b"\0\0\0\0\x05hello");
    assert_eq!(got.trailers.as_ref().and_then(|t| t.get("grpc-status")).unwrap(), "0");
    let call = origin.calls().pop().unwrap();
    assert_eq!((call.method.as_str(), call.uri.path()), ("POST", "/package.Service/Method"));
    assert_eq!(call.headers.get("te").unwrap(), "trailers");
    assert_eq!(call.headers.get("content-type").unwrap(), "application/grpc");
}

#[test]
fn an_answer_of_nothing_but_trailers_stays_one() {
    let mut scene = Scene::new(ProtocolVersion::Grpc);
    let _origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), |call| async move { call.refuse_grpc("5") });
    scene.serve(&[0]);
    let client = scene.client();
    let (response, _stream) = wait(client.begin(client.grpc("/a.B/C"), false));
    let response = wait(response).unwrap();
    assert!(response.body().is_end_stream());
    assert_eq!(response.headers().get("grpc-status").unwrap(), "5");
}

/// A stream of messages each way, each answered before the next is sent.
async fn talk(client: &H2Client) -> Result<Vec<Vec<u8>>, h2::Error> {
    let (response, mut stream) = client.begin(client.grpc("/a.B/Talk"), false).await;
    let mut body = response.await?.into_body();
    let mut heard = Vec::new();
    for n in 0..50_u8 {
        stream.send_data(vec![n; 100].into(), false)?;
        let mut answer = Vec::new();
        while answer.len() < 100 {
            let piece = body.data().await.unwrap()?;
            body.flow_control().release_capacity(piece.len())?;
            answer.extend_from_slice(&piece);
        }
        heard.push(answer);
    }
    stream.send_data(Bytes::new(), true)?;
    let (rest, trailers) = read(&mut body).await?;
    assert!(rest.is_empty() && trailers.unwrap().get("grpc-status").unwrap() == "0");
    Ok(heard)
}

#[test]
fn streams_go_both_ways_at_once() {
    let mut scene = Scene::new(ProtocolVersion::Grpc);
    let _origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), |mut call| async move {
        let mut stream = call.respond.send_response(grpc_head(), false).unwrap();
        while let Some(piece) = call.body.data().await {
            let piece = piece.unwrap();
            call.body.flow_control().release_capacity(piece.len()).unwrap();
            stream.send_data(piece.iter().map(|b| b ^ 0xff).collect(), false).unwrap();
        }
        stream.send_trailers(grpc_trailers("0")).unwrap();
    });
    scene.serve(&[0]);
    let heard = wait(talk(&scene.client())).unwrap();
    assert!(heard.iter().enumerate().all(|(n, answer)| *answer == [n as u8 ^ 0xff; 100]));
}

#[test]
fn trailers_of_a_request_reach_the_target() {
    let mut scene = Scene::new(ProtocolVersion::Grpc);
    let _origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), |mut call| async move {
        let (_, trailers) = call.read().await;
        let sum = trailers.unwrap().get("x-sum").unwrap().as_bytes().to_vec();
        call.answer_grpc(sum, "0");
    });
    scene.serve(&[0]);
    let client = scene.client();
    let got = wait(async {
        let (response, mut stream) = client.begin(client.grpc("/a.B/C"), false).await;
        stream.send_data("message".into(), false).unwrap();
        stream.send_trailers(HeaderMap::from_iter([("x-sum".parse().unwrap(), "42".parse().unwrap())])).unwrap();
        read(response.await.unwrap().body_mut()).await.unwrap()
    });
    assert_eq!(got.0, b"42");
}

#[test]
fn a_client_that_cancels_is_told_to_the_target() {
    let mut scene = Scene::new(ProtocolVersion::Grpc);
    let cancelled = Arc::new(AtomicUsize::new(0));
    let inner = cancelled.clone();
    let origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), move |mut call| {
        let cancelled = inner.clone();
        async move {
            let mut stream = call.respond.send_response(grpc_head(), false).unwrap();
            let reason = std::future::poll_fn(|cx| stream.poll_reset(cx)).await.unwrap();
            assert_eq!(reason, Reason::CANCEL);
            cancelled.fetch_add(1, Ordering::SeqCst);
        }
    });
    scene.serve(&[0]);
    let client = scene.client();
    let (response, stream) = wait(client.begin(client.grpc("/a.B/Watch"), false));
    let response = wait(response).unwrap();
    drop((response, stream));
    crate::rig::eventually("the target knows", || (cancelled.load(Ordering::SeqCst) == 1).then_some(()));
    assert_eq!(origin.open(), 1, "its connection stays");
}

/// "Troubleshoot your Application Load Balancers: HTTP 464".
#[test]
fn requests_that_are_no_grpc_are_incompatible() {
    let mut scene = Scene::new(ProtocolVersion::Grpc);
    let origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), echo);
    scene.serve(&[0]);
    let client = scene.client();
    let got = client.get("/");
    assert_eq!((got.status, got.body.len(), got.header("content-type")), (464, 0, None));
    let mut http1 = SecureClient::connect(scene.rig.door(), NAME, &Arc::new(scene.authority.client())).unwrap();
    assert_eq!(http1.get(NAME, "Content-Type: application/grpc\r\n").unwrap().0, 464);
    assert!(origin.calls().is_empty());
    // "HTTP/2 to gRPC: success if a POST request."
    let post = client.request("POST", "/").body(()).unwrap();
    assert_eq!(wait(client.ask(post, Some("x".into()))).unwrap().status, 200);
}

#[test]
fn grpc_is_incompatible_with_http1_and_goes_to_http2() {
    let mut scene = Scene::new(ProtocolVersion::Http1);
    let origin = Origin::healthy(scene.rig.target_at(0), |_, stream| reply(stream, 200, "plain"));
    scene.serve(&[0]);
    let client = scene.client();
    assert_eq!(client.call("/a.B/C", b"").status, 464);
    assert!(origin.got().is_empty());
    assert_eq!(client.get("/").text(), "plain");
    drop((origin, client));
    let mut scene = Scene::new(ProtocolVersion::Http2);
    let _origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), echo);
    scene.serve(&[0]);
    assert_eq!(scene.client().call("/a.B/C", b"abc").grpc_status(), Some("0"));
}

/// An ALB answers gRPC as it answers everything: clients map the status of HTTP to one of their own.
#[test]
fn own_answers_to_grpc_have_a_status_of_http() {
    let mut scene = Scene::new(ProtocolVersion::Grpc);
    let origin = H2Origin::healthy(scene.rig.target_at(0), Setup::default(), |mut call| async move {
        call.respond.send_reset(Reason::INTERNAL_ERROR);
    });
    scene.serve(&[0]);
    let client = scene.client();
    let got = client.call("/a.B/C", b"");
    assert_eq!((got.status, got.header("content-type"), got.grpc_status()), (502, Some("text/html"), None));
    origin.kill();
    scene.rig.apply(scene.balancer(&[]));
    assert_eq!(client.call("/a.B/C", b"").status, 503);
}

/// "Health checks for Application Load Balancer target groups": POST of the path, and codes of gRPC.
#[test]
fn health_checks_go_by_the_status_of_grpc() {
    let mut scene = Scene::new(ProtocolVersion::Grpc);
    let status = Arc::new(AtomicUsize::new(12));
    let inner = status.clone();
    let origin = H2Origin::start(scene.rig.target_at(0), Setup::default(), move |mut call| {
        let status = inner.clone();
        async move {
            match status.load(Ordering::SeqCst) {
                // Without one, and with a status of HTTP that is wrong.
                404 => call.answer(404, ""),
                1_000 => {
                    let mut stream = call.respond.send_response(grpc_head(), false).unwrap();
                    stream.send_data("no trailers".into(), true).unwrap();
                }
                12 => call.refuse_grpc("12"),
                other => call.answer_grpc(b"\0\0\0\0\0".to_vec(), &other.to_string()),
            }
        }
    });
    scene.serve(&[0]);
    let check = origin.checks().pop().unwrap();
    assert_eq!((check.method.as_str(), check.uri.path()), ("POST", "/AWS.ALB/healthcheck"));
    assert_eq!(check.headers.get("content-type").unwrap(), "application/grpc");
    let unhealthy = |reason| TargetHealth::Unhealthy { reason, draining: false };
    for (code, reason) in [
        (0, TargetReason::ResponseCodeMismatch { status: 0 }),
        (404, TargetReason::ResponseCodeMismatch { status: 404 }),
        (1_000, TargetReason::FailedHealthChecks),
    ] {
        status.store(code, Ordering::SeqCst);
        scene.rig.serve.await_health(0, &unhealthy(reason));
    }
    let mut balancer = scene.balancer(&[0]);
    balancer.target_groups[0].health_check.matcher = vec![(0, 5)];
    status.store(3, Ordering::SeqCst);
    scene.rig.apply(balancer);
    scene.rig.serve.await_health(0, &TargetHealth::Healthy);
}

#[test]
fn targets_by_tls_are_checked_and_called() {
    let mut scene = Scene::new(ProtocolVersion::Grpc);
    let setup = Setup::secure(&scene.authority.issue("target", &["target.example"]));
    let _origin = H2Origin::healthy(scene.rig.target_at(0), setup, echo);
    let mut balancer = scene.balancer(&[0]);
    balancer.target_groups[0].protocol = Protocol::Https;
    balancer.target_groups[0].health_check.protocol = Protocol::Https;
    scene.rig.apply(balancer);
    scene.rig.serve.await_health(0, &TargetHealth::Healthy);
    assert_eq!(scene.client().call("/a.B/C", b"abc").grpc_status(), Some("0"));
}
