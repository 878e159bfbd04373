//! Who the application says it is.

use std::time::{Duration, Instant};

use crate::support::{Manner, metadata_service, start};

/// Starts with this metadata service; gives id, zone and source as the API tells them.
fn check(manner: Manner, environment: &[(&str, &str)]) -> (String, String, String) {
    let url = metadata_service(manner);
    let environment: Vec<_> = environment.iter().copied().chain([("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str())]).collect();
    let application = start(&environment);
    application.logged("this is ");
    let answer = application.get("/api/instance").json();
    let text = |field: &str| answer[field].as_str().unwrap().to_string();
    (text("instance_id"), text("availability_zone"), text("source"))
}

fn texts(id: &str, zone: &str, source: &str) -> (String, String, String) {
    (id.into(), zone.into(), source.into())
}

const ENVIRONMENT: [(&str, &str); 2] = [("INSTANCE_ID", "pod-7"), ("AVAILABILITY_ZONE", "here")];

#[test]
fn the_metadata_service_counts_first() {
    let wanted = texts("i-0123456789abcdef0", "eu-central-1b", "instance-metadata");
    assert_eq!(check(Manner::Answer, &ENVIRONMENT), wanted);
    assert_eq!(check(Manner::Fail(2), &[]), wanted, "it is asked again");
}

#[test]
fn the_environment_stands_in() {
    let wanted = texts("pod-7", "here", "environment");
    assert_eq!(check(Manner::Refuse, &ENVIRONMENT), wanted);
    assert_eq!(check(Manner::Fail(usize::MAX), &ENVIRONMENT), wanted, "patience ends");
}

#[test]
fn else_the_host_name() {
    let host_name = rustix::system::uname().nodename().to_str().unwrap().to_string();
    assert_eq!(check(Manner::Refuse, &[]), texts(&host_name, "unknown", "host-name"));
}

#[test]
fn health_does_not_wait_for_the_identity() {
    let url = metadata_service(Manner::Silent);
    let application = start(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url), ("INSTANCE_ID", "early")]);
    let began = Instant::now();
    assert_eq!(application.get("/health").text, "ok\n");
    // All attempts at a silent service take seconds.
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(application.get("/api/instance").json()["instance_id"], "early", "what is known so far");
}
