//! Commands that only look: status, env, console output.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::{Value as Json, json};
use world::RunPaths;

use crate::Failure;
use crate::arguments::Output;
use crate::client::Client;
use crate::image::text;
use crate::output::{self, out};

/// Most lost messages that `status` lists; `--output json` tells of more.
const LOST_SHOWN: usize = 5;

pub fn print_table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(header).add_rows(rows);
    out!("{table}");
}

pub fn status(paths: &RunPaths, output: Output) -> Result<(), Failure> {
    let client = Client::connect(paths)?;
    let status = client.ask("/_allod/status", &json!({}))?;
    if output == Output::Json {
        out!("{status:#}");
        return Ok(());
    }
    let list = |field: &str| status[field].as_array().cloned().unwrap_or_default();
    let stacks = list("stacks");
    if !stacks.is_empty() {
        print_table(
            &["STACK", "STATUS", "RESOURCES"],
            stacks
                .iter()
                .map(|s| vec![text(s, "name"), text(s, "status"), s["resources"].as_array().map_or(0, Vec::len).to_string()]),
        );
        out!("");
    }
    let balancers = list("load_balancers");
    if !balancers.is_empty() {
        print_table(&["LOAD BALANCER", "STATE", "LISTENER", "URL"], balancers.iter().flat_map(listener_rows));
        for balancer in &balancers {
            failed_zones(balancer);
        }
        out!("");
    }
    let groups = list("groups");
    if !groups.is_empty() {
        print_table(&["GROUP", "IN SERVICE", "MIN", "DESIRED", "MAX"], groups.iter().map(group_row));
        out!("");
    }
    let health = target_health(&balancers);
    // AWS keeps telling of them for a while, and they would hide those that run.
    let (terminated, instances): (Vec<Json>, Vec<Json>) =
        list("instances").into_iter().partition(|i| text(i, "state") == "terminated");
    print_table(
        &["INSTANCE", "ZONE", "ADDRESS", "TYPE", "STATE", "HEALTH"],
        instances.iter().map(|i| {
            let id = text(i, "id");
            let healthy = health.iter().find(|(target, _)| *target == id).map_or("-".into(), |(_, h)| h.clone());
            vec![id, text(i, "zone"), text(i, "address"), text(i, "type"), text(i, "state"), healthy]
        }),
    );
    if !terminated.is_empty() {
        out!(" and {} terminated, which `--output json` tells of", terminated.len());
    }
    lost_notifications(&status["notifications"]);
    out!("\nConsole  {}\nAPI      {}  (region {})", text(&status, "console"), text(&status, "endpoint"), text(&status, "region"));
    edge(&status["edge"]);
    for (process, why) in failing(&status) {
        out!("Missing  `allod {process}` does not start: {why}: `allod logs {process}`");
    }
    let metrics = &status["metrics"];
    out!("Metrics  {}  (for a Prometheus, with the bearer token {})", text(metrics, "url"), text(metrics, "bearer_token"));
    Ok(())
}

/// A row for each listener; a load balancer without one has a row too.
fn listener_rows(balancer: &Json) -> Vec<Vec<String>> {
    let row = |listener: String, url: String| vec![text(balancer, "name"), text(balancer, "state"), listener, url];
    let listeners = balancer["listeners"].as_array().map_or(&[][..], Vec::as_slice);
    if listeners.is_empty() {
        return vec![row("-".into(), "-".into())];
    }
    listeners.iter().map(|l| row(format!("{}:{}", text(l, "protocol"), l["port"]), text(l, "url"))).collect()
}

fn failed_zones(balancer: &Json) {
    let zones = balancer["zones"].as_array().into_iter().flatten().filter(|zone| zone["failed"] == true);
    let zones: Vec<String> = zones.map(|zone| text(zone, "zone")).collect();
    if !zones.is_empty() {
        out!(" {} has too few healthy targets in {}", text(balancer, "name"), zones.join(", "));
    }
}

/// The process that users' requests go through.
fn edge(edge: &Json) {
    match edge["pid"].as_u64() {
        None => out!("Edge     starting"),
        Some(pid) => out!("Edge     {}  (process {pid})", text(edge, "version")),
    }
    if edge["outdated"] == true {
        out!("         another binary is installed by now: `allod restart edge` changes to it, and no request fails");
    }
}

/// The region's processes that do not start, and why.
pub fn failing(status: &Json) -> impl Iterator<Item = (&str, &str)> {
    status["failing"].as_object().into_iter().flatten().map(|(process, why)| (process.as_str(), why.as_str().unwrap_or_default()))
}

/// What subscribers of topics never got.
fn lost_notifications(notifications: &Json) {
    let lost = notifications["lost"].as_array().map_or(&[][..], Vec::as_slice);
    if lost.is_empty() {
        return;
    }
    out!("");
    let to = |l: &Json| l["endpoint"].as_str().map_or_else(|| text(l, "subscription"), str::to_string);
    print_table(
        &["LOST MESSAGE", "AT", "TO", "ATTEMPTS", "REASON"],
        lost.iter()
            .take(LOST_SHOWN)
            .map(|l| vec![text(l, "message_id"), text(l, "at"), to(l), l["attempts"].to_string(), text(l, "reason")]),
    );
    let more = notifications["lost_count"].as_u64().unwrap_or_default().saturating_sub(LOST_SHOWN as u64);
    if more > 0 {
        out!(" and {more} before; CloudWatch counts them as NumberOfNotificationsFailed of AWS/SNS");
    }
}

fn group_row(group: &Json) -> Vec<String> {
    let members = group["instances"].as_array().into_iter().flatten();
    let in_service = members.filter(|i| i["lifecycle_state"] == "InService").count();
    let size = |name: &str| group[name].to_string();
    vec![text(group, "name"), in_service.to_string(), size("min"), size("desired"), size("max")]
}

/// Target id and health of every target of every load balancer.
fn target_health(balancers: &[Json]) -> Vec<(String, String)> {
    let groups = balancers.iter().flat_map(|b| b["target_groups"].as_array().into_iter().flatten());
    let targets = groups.flat_map(|g| g["targets"].as_array().into_iter().flatten());
    targets.map(|t| (text(t, "id"), text(t, "state"))).collect()
}

pub fn env(paths: &RunPaths) -> Result<(), Failure> {
    let client = Client::connect(paths)?;
    let (endpoint, key) = (&client.endpoint, &client.credentials);
    out!("export AWS_ENDPOINT_URL={}", endpoint.url);
    out!("export AWS_ACCESS_KEY_ID={}", key.access_key_id);
    out!("export AWS_SECRET_ACCESS_KEY={}", key.secret_access_key);
    out!("export AWS_REGION={0}\nexport AWS_DEFAULT_REGION={0}", endpoint.region);
    out!("unset AWS_SESSION_TOKEN AWS_PROFILE");
    Ok(())
}

pub fn console_output(paths: &RunPaths, instance: &str) -> Result<(), Failure> {
    let client = Client::connect(paths)?;
    let answer = client.call("ec2", "GetConsoleOutput", &json!({"InstanceId": instance}))?;
    let encoded = answer["Output"].as_str().unwrap_or_default();
    let bytes = STANDARD.decode(encoded).map_err(|e| Failure::new(format!("the region's answer is not understood: {e}")))?;
    output::write(&bytes);
    Ok(())
}
