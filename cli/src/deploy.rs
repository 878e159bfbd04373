//! `allod up` and the deletion of a stack: what `aws cloudformation deploy` does, with live progress.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use world::RunPaths;

use crate::Failure;
use crate::arguments::{Output, Up};
use crate::client::{ApiError, Client, read_text};
use crate::image::text;
use crate::looking::failing;
use crate::output::out;

/// How often a stack's events are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often it is looked whether the stack waits in vain.
const CHECK_EVERY: Duration = Duration::from_secs(2);
const UNCHANGED: &str = "unchanged";
/// A stack that waits for its user, who has made a change set for it.
const UNDER_REVIEW: &str = "REVIEW_IN_PROGRESS";
const CAPABILITIES: [&str; 3] = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"];

pub fn up(paths: &RunPaths, arguments: &Up) -> Result<(), Failure> {
    let name = stack_name(arguments)?;
    let template = read_text(&arguments.template)?;
    let client = Client::connect(paths)?;
    let begun = Instant::now();
    let mut input = json!({"StackName": name, "TemplateBody": template, "Capabilities": CAPABILITIES});
    let mut present = describe(&client, &name)?;
    if present.as_ref().is_some_and(|stack| text(stack, "StackStatus") == UNDER_REVIEW) {
        return Err(Failure::new(format!(
            "stack {name} has nothing but change sets yet ({UNDER_REVIEW}): execute one of them, or delete it first: \
             `allod down --stack-name {name}`"
        )));
    }
    // What an `allod up` that was interrupted began goes on in the region; its end comes before this one's beginning.
    if let Some(stack) = present.as_ref().filter(|s| text(s, "StackStatus").ends_with("_IN_PROGRESS")) {
        follow(&client, &text(stack, "StackId"), None, Progress::of(arguments.output))?;
        present = describe(&client, &name)?;
    }
    // What is left of a creation that failed is cleared away, so that the user can simply try again.
    let present = match present {
        Some(stack)
            if ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"].contains(&text(&stack, "StackStatus").as_str()) =>
        {
            remove(&client, &stack, Progress::of(arguments.output))?;
            None
        }
        present => present,
    };
    let given = parameters(&arguments.parameters, present.as_ref(), &template, &client)?;
    input["Parameters"] = Json::Array(given);
    let at_file = |e: ApiError| Failure::new(at_file(&arguments.template, &e.message));
    let stack_id = match &present {
        None => text(&client.call("cloudformation", "CreateStack", &input).map_err(at_file)?, "StackId"),
        Some(stack) => {
            let id = text(stack, "StackId");
            let seen = newest(&client, &id)?;
            match client.call("cloudformation", "UpdateStack", &input) {
                Ok(_) => {}
                Err(e) if e.message.contains("No updates are to be performed") => {
                    return finish(&client, &id, arguments.output, begun, UNCHANGED);
                }
                Err(e) => return Err(at_file(e)),
            }
            follow(&client, &id, seen, Progress::of(arguments.output))?;
            return finish(&client, &id, arguments.output, begun, "updated");
        }
    };
    follow(&client, &stack_id, None, Progress::of(arguments.output))?;
    finish(&client, &stack_id, arguments.output, begun, "created")
}

/// Every line of a refusal with the template's file before it: `FILE:LINE:COLUMN: WHAT` where the line has a place.
pub fn at_file(file: &std::path::Path, message: &str) -> String {
    let is_number = |text: Option<&str>| text.is_some_and(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit()));
    let line = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let has_place = is_number(parts.next()) && is_number(parts.next());
        format!("{}:{}{line}", file.display(), if has_place { "" } else { " " })
    };
    message.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Deletes a stack and waits for its end.
pub fn delete(paths: &RunPaths, name: &str) -> Result<(), Failure> {
    let client = Client::connect(paths)?;
    let stack = describe(&client, name)?.ok_or_else(|| Failure::new(format!("Stack with id {name} does not exist")))?;
    remove(&client, &stack, Progress::Lines)
}

fn remove(client: &Client, stack: &Json, progress: Progress) -> Result<(), Failure> {
    let id = text(stack, "StackId");
    let seen = newest(client, &id)?;
    client.call("cloudformation", "DeleteStack", &json!({"StackName": id}))?;
    follow(client, &id, seen, progress)?;
    match describe(client, &id)?.map(|s| text(&s, "StackStatus")) {
        Some(status) if status != "DELETE_COMPLETE" => Err(Failure::new(format!("the stack ended in {status}"))),
        _ => Ok(()),
    }
}

/// What happens while the stack changes goes to the terminal, or nowhere when the answer shall be JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Lines,
    Silent,
}

impl Progress {
    fn of(output: Output) -> Self {
        if output == Output::Json { Progress::Silent } else { Progress::Lines }
    }
}

fn stack_name(arguments: &Up) -> Result<String, Failure> {
    if let Some(name) = &arguments.stack_name {
        return Ok(name.clone());
    }
    let stem = arguments.template.file_stem().and_then(|s| s.to_str());
    stem.map(str::to_string).ok_or_else(|| Failure::new("say the stack's name with --stack-name"))
}

/// The given parameters; on an update those not given keep their value, as in `aws cloudformation deploy`.
fn parameters(given: &[(String, String)], present: Option<&Json>, template: &str, client: &Client) -> Result<Vec<Json>, Failure> {
    let mut all: Vec<Json> = given.iter().map(|(k, v)| json!({"ParameterKey": k, "ParameterValue": v})).collect();
    let Some(stack) = present else { return Ok(all) };
    let known = stack["Parameters"].as_array().cloned().unwrap_or_default();
    let summary = client.call("cloudformation", "GetTemplateSummary", &json!({"TemplateBody": template}));
    let Ok(summary) = summary else { return Ok(all) };
    for wanted in summary["Parameters"].as_array().into_iter().flatten() {
        let key = text(wanted, "ParameterKey");
        let is_given = given.iter().any(|(k, _)| *k == key);
        if !is_given && known.iter().any(|p| p["ParameterKey"] == key.as_str()) {
            all.push(json!({"ParameterKey": key, "UsePreviousValue": true}));
        }
    }
    Ok(all)
}

fn describe(client: &Client, name: &str) -> Result<Option<Json>, Failure> {
    match client.call("cloudformation", "DescribeStacks", &json!({"StackName": name})) {
        Ok(answer) => Ok(answer["Stacks"].as_array().and_then(|s| s.first()).cloned()),
        Err(e) if e.message.contains("does not exist") => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// The id of a stack's newest event.
fn newest(client: &Client, id: &str) -> Result<Option<String>, ApiError> {
    let answer = client.call("cloudformation", "DescribeStackEvents", &json!({"StackName": id}))?;
    Ok(answer["StackEvents"].get(0).map(|e| text(e, "EventId")))
}

/// A stack's events after the one with the id `seen`, oldest first.
fn events_after(client: &Client, id: &str, seen: Option<&str>) -> Result<Vec<Json>, ApiError> {
    let mut all = Vec::new();
    let mut token = Json::Null;
    loop {
        let mut input = json!({"StackName": id});
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let mut answer = client.call("cloudformation", "DescribeStackEvents", &input)?;
        let page = answer["StackEvents"].as_array().cloned().unwrap_or_default();
        let is_new = |e: &Json| seen.is_none_or(|seen| e["EventId"] != seen);
        let new = page.iter().take_while(|e| is_new(e)).count();
        let reached = new < page.len();
        all.extend(page.into_iter().take(new));
        token = answer["NextToken"].take();
        if reached || token.is_null() {
            all.reverse();
            return Ok(all);
        }
    }
}

/// Shows a stack's events as they come, until the stack is done.
fn follow(client: &Client, id: &str, mut seen: Option<String>, progress: Progress) -> Result<(), Failure> {
    let mut told = BTreeSet::new();
    let mut checked = Instant::now();
    loop {
        let status = describe(client, id)?.map(|s| text(&s, "StackStatus"));
        // Read after the status, so that the events before the end are never missed.
        for event in &events_after(client, id, seen.as_deref())? {
            seen = Some(text(event, "EventId"));
            if progress == Progress::Lines {
                print_event(event);
            }
        }
        if status.is_none_or(|s| !s.ends_with("_IN_PROGRESS")) {
            return Ok(());
        }
        if checked.elapsed() >= CHECK_EVERY {
            tell_failing(client, &mut told);
            checked = Instant::now();
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// A stack waits for a process that does not start, and so does its user, who is told why, once.
fn tell_failing(client: &Client, told: &mut BTreeSet<String>) {
    let Ok(status) = client.ask("/_allod/status", &json!({})) else { return };
    for (process, why) in failing(&status) {
        if told.insert(process.to_string()) {
            let text = format!("`allod {process}`, which the stack may need, does not start: {why}: `allod logs {process}`");
            let _ = writeln!(io::stderr(), "allod: warning: {text}");
        }
    }
}

fn print_event(event: &Json) {
    let time = event["Timestamp"].as_f64().map(|s| {
        #[expect(clippy::cast_possible_truncation, reason = "a moment in milliseconds fits for ages")]
        let ms = (s * 1_000.0) as i64;
        base::Time::from_unix_ms(ms).iso8601_ms()
    });
    let time = time.or_else(|| event["Timestamp"].as_str().map(str::to_string)).unwrap_or_default();
    let clock = time.get(11..23).unwrap_or_default();
    let reason = event["ResourceStatusReason"].as_str().map(|r| format!("  {r}")).unwrap_or_default();
    let (status, resource) = (text(event, "ResourceStatus"), text(event, "LogicalResourceId"));
    out!("{clock}  {status:<28}  {:<42}  {resource}{reason}", text(event, "ResourceType"));
}

/// What failed first since the user last asked something of the stack.
fn cause(client: &Client, id: &str) -> Result<Option<String>, ApiError> {
    let events = events_after(client, id, None)?;
    let asked = |e: &&Json| text(e, "ResourceStatusReason") != "User Initiated";
    let failed = |e: &&Json| text(e, "ResourceStatus").ends_with("_FAILED") && e["ResourceStatusReason"].is_string();
    let first = events.iter().rev().take_while(asked).filter(failed).last();
    Ok(first.map(|e| format!("{}: {}", text(e, "LogicalResourceId"), text(e, "ResourceStatusReason"))))
}

fn finish(client: &Client, id: &str, output: Output, begun: Instant, done: &str) -> Result<(), Failure> {
    let stack = describe(client, id)?.ok_or_else(|| Failure::new("the stack is gone"))?;
    let status = text(&stack, "StackStatus");
    let seconds = begun.elapsed().as_secs_f64();
    // One that an update has left as it was serves the template that it had before, and that may be the one given now.
    let succeeded = match done {
        UNCHANGED => status.ends_with("_COMPLETE"),
        _ => ["CREATE_COMPLETE", "UPDATE_COMPLETE"].contains(&status.as_str()),
    };
    let done = if succeeded { done } else { "failed" };
    if output == Output::Json {
        out!("{:#}", json!({"stack": stack, "outcome": done, "seconds": seconds}));
    } else {
        out!("\nStack {} {done} after {seconds:.2} s: {status}", text(&stack, "StackName"));
        for o in stack["Outputs"].as_array().into_iter().flatten() {
            out!("  {} = {}", text(o, "OutputKey"), text(o, "OutputValue"));
        }
        tell_moved_ports(client, &stack);
    }
    if succeeded {
        return Ok(());
    }
    let why = stack["StackStatusReason"].as_str().map(str::to_string).or(cause(client, id)?);
    let why = why.map(|r| format!(": {r}")).unwrap_or_default();
    Err(Failure::new(format!("the stack ended in {status}{why}")))
}

/// Where a listener is reached that has the port it asked for.
fn url_of(protocol: &str, name: &str, port: u64) -> String {
    match (protocol, port) {
        ("HTTP", 80) => format!("http://{name}/"),
        ("HTTPS", 443) => format!("https://{name}/"),
        ("HTTP" | "HTTPS", _) => format!("{}://{name}:{port}/", protocol.to_ascii_lowercase()),
        ("TLS" | "UDP", _) => format!("{}://{name}:{port}", protocol.to_ascii_lowercase()),
        _ => format!("tcp://{name}:{port}"),
    }
}

/// An output with a load balancer's name does not know when the edge could not have its port: says where it is.
fn tell_moved_ports(client: &Client, stack: &Json) {
    let Ok(state) = client.ask("/_allod/status", &json!({})) else { return };
    let values: Vec<String> = stack["Outputs"].as_array().into_iter().flatten().map(|o| text(o, "OutputValue")).collect();
    for balancer in state["load_balancers"].as_array().into_iter().flatten() {
        let name = text(balancer, "dns_name");
        if !values.iter().any(|value| value.contains(&name)) {
            continue;
        }
        for listener in balancer["listeners"].as_array().into_iter().flatten() {
            let (port, url) = (listener["port"].as_u64().unwrap_or_default(), text(listener, "url"));
            if url != url_of(&text(listener, "protocol"), &name, port) {
                out!("  Port {port} is taken on this machine: {name} answers at {url}");
            }
        }
    }
}
