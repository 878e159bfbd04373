//! Commands that only look: status, env, console output, logs.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::{Value as Json, json};
use world::RunPaths;

use crate::Failure;
use crate::arguments::{Logs, Output, Process};
use crate::client::Client;
use crate::image::text;

pub fn print_table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(header).add_rows(rows);
    println!("{table}");
}

pub fn status(paths: &RunPaths, output: Output) -> Result<(), Failure> {
    let client = Client::connect(paths)?;
    let status = client.ask("/_allod/status", &json!({}))?;
    if output == Output::Json {
        println!("{status:#}");
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
        println!();
    }
    let balancers = list("load_balancers");
    if !balancers.is_empty() {
        print_table(
            &["LOAD BALANCER", "STATE", "URL"],
            balancers.iter().map(|b| vec![text(b, "name"), text(b, "state"), text(b, "url")]),
        );
        println!();
    }
    let health = target_health(&balancers);
    let instances = list("instances");
    print_table(
        &["INSTANCE", "ZONE", "ADDRESS", "TYPE", "STATE", "HEALTH"],
        instances.iter().map(|i| {
            let id = text(i, "id");
            let healthy = health.iter().find(|(target, _)| *target == id).map_or("-".into(), |(_, h)| h.clone());
            vec![id, text(i, "zone"), text(i, "address"), text(i, "type"), text(i, "state"), healthy]
        }),
    );
    println!(
        "\nConsole  {}\nAPI      {}  (region {})",
        text(&status, "console"),
        text(&status, "endpoint"),
        text(&status, "region")
    );
    Ok(())
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
    println!("export AWS_ENDPOINT_URL={}", endpoint.url);
    println!("export AWS_ACCESS_KEY_ID={}", key.access_key_id);
    println!("export AWS_SECRET_ACCESS_KEY={}", key.secret_access_key);
    println!("export AWS_REGION={0}\nexport AWS_DEFAULT_REGION={0}", endpoint.region);
    println!("unset AWS_SESSION_TOKEN AWS_PROFILE");
    Ok(())
}

pub fn console_output(paths: &RunPaths, instance: &str) -> Result<(), Failure> {
    let client = Client::connect(paths)?;
    // Asks the API first, so that an unknown instance gets AWS's error.
    client.call("ec2", "DescribeInstances", &json!({"InstanceIds": [instance]}))?;
    let bytes = host::console_output(paths, &instance.into())?;
    io::stdout().write_all(&bytes)?;
    Ok(())
}

/// How often a followed log is looked at.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);

pub fn logs(paths: &RunPaths, arguments: &Logs) -> Result<(), Failure> {
    let processes = arguments.process.map_or(vec![Process::Serve, Process::Host, Process::Edge], |p| vec![p]);
    let mut followed = Vec::new();
    for process in &processes {
        let path = paths.logs().join(format!("{}.log", process.name()));
        if !path.exists() && processes.len() > 1 {
            continue;
        }
        let content = fs::read_to_string(&path).map_err(|e| Failure::new(format!("{}: {e}", path.display())))?;
        let lines: Vec<&str> = content.lines().collect();
        let prefix = if processes.len() > 1 { format!("{:<5} ", process.name()) } else { String::new() };
        for line in &lines[lines.len().saturating_sub(arguments.lines)..] {
            println!("{prefix}{line}");
        }
        followed.push((path, prefix, content.len() as u64));
    }
    if followed.is_empty() {
        return Err(Failure::not_running(format!("no logs in {}", paths.logs().display())));
    }
    while arguments.follow {
        followed.iter_mut().try_for_each(|(path, prefix, from)| print_growth(path, prefix, from))?;
        thread::sleep(FOLLOW_EVERY);
    }
    Ok(())
}

/// Prints the whole lines that a log has grown by; begins anew when it was set aside.
fn print_growth(path: &PathBuf, prefix: &str, from: &mut u64) -> Result<(), Failure> {
    let Ok(mut file) = File::open(path) else { return Ok(()) };
    if file.metadata()?.len() < *from {
        *from = 0;
    }
    file.seek(SeekFrom::Start(*from))?;
    let mut grown = Vec::new();
    file.read_to_end(&mut grown)?;
    let whole = grown.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    for line in String::from_utf8_lossy(&grown[..whole]).lines() {
        println!("{prefix}{line}");
    }
    *from += whole as u64;
    Ok(())
}
