//! A flood of metrics from processes of their own: what `allod serve` takes of it and refuses, how long another client waits
//! for its answers meanwhile, and whether the loop still decides in time. The flood, the region and everything else share this
//! machine's cores.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bench::{Api, Connection, Limit, Measured, Report, Result, Service, fail, ms, percentile};
use serde_json::{Value as Json, json};

use crate::Settings;
use crate::closed::Stage;
use crate::store::{TARGET, json_put};

/// The argument that makes this program a client of the flood, which is told the rest on its standard input.
pub const CLIENT: &str = "flood-client";
const PROCESSES: usize = 3;
/// Connections of each process.
const CONNECTIONS: usize = 2;
const FLOOD: Duration = Duration::from_secs(20);
/// Until what may be put at once after a pause has been put.
const RISE: Duration = Duration::from_secs(5);
/// The other client asks so long, this often.
const ASKED: Duration = Duration::from_secs(12);
const PAUSE: Duration = Duration::from_millis(5);
const ANSWER_MS_MAX: f64 = 20.0;
const DECISION_MS_MAX: f64 = 1_000.0;

/// Requests of a kind.
struct Kind {
    name: &'static str,
    data: usize,
    /// Of each datum.
    values: usize,
    /// Whether more is sent than may be taken in.
    is_too_much: bool,
}

const KINDS: [Kind; 3] = [
    Kind { name: "1,000 data of 150 values a request", data: 1_000, values: 150, is_too_much: true },
    Kind { name: "1,000 data a request", data: 1_000, values: 1, is_too_much: false },
    Kind { name: "one datum a request", data: 1, values: 1, is_too_much: false },
];

pub fn measure(settings: &Settings, report: &mut Report) {
    let stage = match Stage::open(settings) {
        Ok(stage) => stage,
        Err(e) => return report.add("a flood: the stack beside it", Err(e)),
    };
    let quiet = stage.calm().and_then(|()| answers(&stage.api, ASKED));
    add_answers(report, "DescribeInstances without a flood", quiet, Limit::None);
    for kind in KINDS {
        let name = format!("flood of PutMetricData, {}", kind.name);
        match flooded(&stage, &kind) {
            Ok(seen) => seen.add(report, &name),
            Err(e) => report.add(name, Err(e)),
        }
    }
}

fn add_answers(report: &mut Report, name: &str, answers: Result<Vec<f64>>, limit: Limit) {
    match answers {
        Ok(times) => {
            let one = |limit, share| Ok(Measured::new("ms", limit, vec![percentile(&times, share)]));
            report.add(format!("{name}: median"), one(Limit::None, 0.5));
            report.add(format!("{name}: p99"), one(limit, 0.99));
        }
        Err(e) => report.add(name, Err(e)),
    }
}

/// What a flood did.
struct Seen {
    /// Values a second.
    taken: f64,
    /// Requests a second that were refused with `Throttling`.
    refused: f64,
    answers_ms: Vec<f64>,
    decision_ms: Result<f64>,
    /// Of a core, while the other client asked.
    processor_percent: f64,
}

impl Seen {
    fn add(self, report: &mut Report, name: &str) {
        let info = |unit, value| Ok(Measured::new(unit, Limit::None, vec![value]));
        report.add(format!("{name}: taken in"), info("samples/s", self.taken));
        report.add(format!("{name}: refused with Throttling"), info("requests/s", self.refused));
        report.add(format!("{name}: processor of serve"), info("% of a core", self.processor_percent));
        add_answers(
            report,
            &format!("{name}: DescribeInstances of another client"),
            Ok(self.answers_ms),
            Limit::AtMost(ANSWER_MS_MAX),
        );
        let decision = self.decision_ms.map(|ms| Measured::new("ms", Limit::AtMost(DECISION_MS_MAX), vec![ms]));
        report.add(format!("{name}: end of the crossing period to the decision"), decision);
    }
}

fn flooded(stage: &Stage, kind: &Kind) -> Result<Seen> {
    stage.calm()?;
    let until = Instant::now() + FLOOD;
    let clients = (0..PROCESSES).map(|_| Client::start(&stage.api, kind)).collect::<Result<Vec<_>>>()?;
    thread::sleep(RISE);
    let serve = stage.region.process("serve")?;
    let (before, started) = (serve.processor_ns()?, Instant::now());
    let (answers_ms, decision_ms) = thread::scope(|scope| {
        let asking = scope.spawn(|| answers(&stage.api, ASKED));
        let burst = stage.burst();
        let is_in_time =
            |ms: f64| if Instant::now() < until { Ok(ms) } else { fail("the flood was over before the loop was through") };
        let decision = burst.and_then(|burst| is_in_time(burst.decision_ms));
        (asking.join().unwrap_or_else(|_| fail("the other client panicked")), decision)
    });
    let used = serve.processor_ns()?.saturating_sub(before) as f64 / started.elapsed().as_nanos() as f64;
    let mut told = Told::default();
    for client in clients {
        told.add(&client.end()?);
    }
    if kind.is_too_much && told.refused == 0.0 {
        return fail("nothing was refused with Throttling");
    }
    let seconds = FLOOD.as_secs_f64();
    Ok(Seen {
        taken: told.taken / seconds,
        refused: told.refused / seconds,
        answers_ms: answers_ms?,
        decision_ms,
        processor_percent: used * 100.0,
    })
}

/// How long each answer took, in milliseconds.
fn answers(api: &Api, period: Duration) -> Result<Vec<f64>> {
    let request = api.request(Service::Ec2, "DescribeInstances", "")?;
    let mut connection = Connection::open(api.address)?;
    let (begun, mut all) = (Instant::now(), Vec::new());
    while begun.elapsed() < period {
        let sent = Instant::now();
        let answer = connection.send(&request)?;
        all.push(ms(sent.elapsed()));
        if answer.status != 200 {
            return fail(format!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body)));
        }
        thread::sleep(PAUSE);
    }
    Ok(all)
}

/// A process of the flood; killed when it is dropped before its end.
struct Client(Child);

impl Client {
    fn start(api: &Api, kind: &Kind) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg(CLIENT).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let told = json!({
            "address": api.address.to_string(),
            "region": api.region,
            "access_key_id": api.access_key_id,
            "secret_access_key": api.secret_access_key,
            "data": kind.data,
            "values": kind.values,
        });
        let input = child.stdin.take();
        let client = Self(child);
        match input {
            Some(mut input) => input.write_all(told.to_string().as_bytes())?,
            None => return fail("a client has no input"),
        }
        Ok(client)
    }

    fn end(mut self) -> Result<Json> {
        let mut text = String::new();
        if let Some(mut output) = self.0.stdout.take() {
            output.read_to_string(&mut text)?;
        }
        if self.0.wait()?.success() { Ok(serde_json::from_str(&text)?) } else { fail("a client of the flood failed") }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            self.0.kill().ok();
            self.0.wait().ok();
        }
    }
}

/// What clients tell at their end.
#[derive(Default)]
struct Told {
    taken: f64,
    refused: f64,
}

impl Told {
    fn add(&mut self, told: &Json) {
        self.taken += told["taken"].as_f64().unwrap_or_default();
        self.refused += told["refused"].as_f64().unwrap_or_default();
    }
}

/// One process of the flood: sends for [`FLOOD`] as fast as it gets answers, and prints how many values were taken and how
/// many requests refused.
pub fn client() -> Result<()> {
    let told: Json = serde_json::from_reader(std::io::stdin())?;
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_string();
    let api = Api {
        address: text("address").parse()?,
        region: text("region"),
        access_key_id: text("access_key_id"),
        secret_access_key: text("secret_access_key"),
    };
    let number = |name: &str| usize::try_from(told[name].as_u64().unwrap_or(1));
    let (data, values) = (number("data")?, number("values")?);
    let target = format!("{TARGET}.PutMetricData");
    let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", &*target)];
    let request = api.signed("/", "monitoring", &headers, json_put(data, values))?;
    let until = Instant::now() + FLOOD;
    let sums = thread::scope(|scope| {
        let all: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(|| send(&api, &request, until))).collect();
        all.into_iter().map(|c| c.join().unwrap_or_else(|_| fail("a connection's thread panicked"))).collect::<Result<Vec<_>>>()
    })?;
    let (taken, refused) = sums.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    println!("{}", json!({"taken": taken * data * values, "refused": refused}));
    Ok(())
}

/// Requests that were taken and refused. Any answer but these two fails the flood.
fn send(api: &Api, request: &[u8], until: Instant) -> Result<(usize, usize)> {
    let mut connection = Connection::open(api.address)?;
    let (mut taken, mut refused) = (0, 0);
    while Instant::now() < until {
        let answer = connection.send(request)?;
        let text = String::from_utf8_lossy(&answer.body);
        match answer.status {
            200 => taken += 1,
            400 if text.contains("Throttling") => refused += 1,
            status => return fail(format!("{status}: {text}")),
        }
    }
    Ok((taken, refused))
}
