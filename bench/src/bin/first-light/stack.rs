//! The reference stack: from `allod up` to the first 200, idle use while it runs, and the replacement of an instance
//! that was killed.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bench::{Connection, Limit, Region, Report, Result, fail, front, import_web_tier, ms, wait_for};
use serde_json::{Value as Json, json};

use crate::{Settings, idle, measured, samples};

const STACK: &str = "web-tier";
const DEPLOYMENTS: usize = 5;
const REPLACEMENTS: usize = 5;
const APPLICATION_STARTS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What may pass from `allod up` to the first 200 beside the application's own start.
const UP_MS_MAX: f64 = 2_000.0;
/// What may pass from a failure to a replacement in service beside the interval of health checks.
const REPLACEMENT_MS_MAX: f64 = 2_000.0;

pub fn measure(settings: &Settings, region: &Region, report: &mut Report) {
    let application = samples(APPLICATION_STARTS, || application_start(&settings.program("web-tier")));
    let application = measured("ms", Limit::None, application);
    let own_ms = application.as_ref().ok().and_then(|m| m.samples.iter().copied().reduce(f64::max)).unwrap_or(0.0);
    report.add("start of the application by itself", application);
    if let Err(e) = import_web_tier(region, &settings.root, &settings.program(STACK)) {
        report.add("the image of the application", Err(e));
        return;
    }
    let mut deployed = false;
    let up = samples(DEPLOYMENTS, || {
        if deployed {
            region.run(&["down", "--stack-name", STACK])?;
        }
        deployed = true;
        deploy(settings, region)
    });
    report.add("allod up to the first 200 through the load balancer", measured("ms", Limit::AtMost(UP_MS_MAX + own_ms), up));
    idle::measure(region, report);
    let replacement = replacements(region);
    report.add("killed instance to its replacement in service", replacement);
    if let Err(e) = region.run(&["down", "--stack-name", STACK]) {
        report.add("deletion of the stack", Err(e));
    }
}

/// From the program's start to its first answer, on this machine and no instance.
fn application_start(program: &Path) -> Result<f64> {
    let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let mut command = Command::new(program);
    command.args(["--address", "127.0.0.1", "--port", &address.port().to_string()]);
    command.env("AWS_EC2_METADATA_DISABLED", "true").stdin(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let mut child = command.spawn()?;
    let answered = wait_for("the application answers", PATIENCE, Duration::from_micros(200), || {
        Ok(is_ok(address, "localhost").then(|| ms(started.elapsed())))
    });
    child.kill()?;
    child.wait()?;
    answered
}

/// Milliseconds from the start of `allod up` to the first 200. Waits for its end, so that what follows finds a whole stack.
fn deploy(settings: &Settings, region: &Region) -> Result<f64> {
    let api = region.api()?;
    let template = settings.root.join("stacks/web-tier.yaml");
    let mut up = region.command(&["up", &template.to_string_lossy(), "--stack-name", STACK]);
    let started = Instant::now();
    let up = up.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let answered = wait_for("a 200 through the load balancer", PATIENCE, LOOK_EVERY, || {
        let Some((front, host)) = front(&api.status()?) else { return Ok(None) };
        Ok(is_ok(front, &host).then(|| ms(started.elapsed())))
    });
    let output = up.wait_with_output()?;
    if !output.status.success() {
        return fail(format!("allod up: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    answered
}

fn is_ok(address: SocketAddr, host: &str) -> bool {
    let request = format!("GET /health HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    Connection::open(address).and_then(|mut c| c.send(request.as_bytes())).is_ok_and(|answer| answer.status == 200)
}

fn replacements(region: &Region) -> Result<bench::Measured> {
    let groups = region.api()?.call("elbv2", "DescribeTargetGroups", &json!({}))?;
    let group = &groups["TargetGroups"][0];
    let arn = group["TargetGroupArn"].as_str().unwrap_or_default();
    let interval_ms = group["HealthCheckIntervalSeconds"].as_f64().unwrap_or(0.0) * 1_000.0;
    let taken = samples(REPLACEMENTS, || replacement(region, arn));
    measured("ms", Limit::AtMost(REPLACEMENT_MS_MAX + interval_ms), taken)
}

/// Kills the first process of an instance, and waits until as many others serve as did before.
fn replacement(region: &Region, target_group: &str) -> Result<f64> {
    let before = settled(region, target_group)?;
    let Some(victim) = before.first() else { return fail("no target is healthy") };
    let init = region.init_of(victim)?;
    let killed = Instant::now();
    init.kill()?;
    wait_for("a replacement in service", PATIENCE, LOOK_EVERY, || {
        let now = healthy(region, target_group)?;
        Ok((!now.contains(victim) && now.len() >= before.len()).then(|| ms(killed.elapsed())))
    })
}

/// The healthy targets, once there are at least two and none is on its way.
fn settled(region: &Region, target_group: &str) -> Result<BTreeSet<String>> {
    wait_for("all targets are healthy", PATIENCE, LOOK_EVERY, || {
        let all = targets(region, target_group)?;
        let healthy = healthy(region, target_group)?;
        Ok((healthy.len() >= 2 && all.len() == healthy.len()).then_some(healthy))
    })
}

fn healthy(region: &Region, target_group: &str) -> Result<BTreeSet<String>> {
    let all = targets(region, target_group)?;
    let healthy = all.iter().filter(|t| t["TargetHealth"]["State"] == "healthy");
    Ok(healthy.filter_map(|t| t["Target"]["Id"].as_str().map(str::to_string)).collect())
}

fn targets(region: &Region, target_group: &str) -> Result<Vec<Json>> {
    let mut answer = region.api()?.call("elbv2", "DescribeTargetHealth", &json!({"TargetGroupArn": target_group}))?;
    Ok(answer["TargetHealthDescriptions"].as_array_mut().map(std::mem::take).unwrap_or_default())
}
