//! What `allod serve` takes in of metrics over HTTP, signatures and all: samples for each second of its processor time, on
//! however many threads. Where moto's server is installed it gets the same requests, for comparison.

use std::path::Path;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use bench::{Api, Connection, Limit, Measured, Process, Region, Report, Result, fail};
use serde_json::{Value as Json, json};

use crate::peer::Peer;
use crate::store::{TARGET, cbor_put, json_put};
use crate::{Settings, measured};

const ROUNDS: usize = 4;
const CONNECTIONS: usize = 4;
/// Requests of a round on each connection. All rounds together stay below what may be put at once before it is throttled.
const REQUESTS: usize = 40;
/// Values of a request, as many as AWS takes.
const DATA: usize = 1_000;
const SAMPLES_MIN: f64 = 200_000.0;
/// The same of the comparison, whose other side is slow.
const COMPARED: Rounds = Rounds { rounds: 3, connections: 1, requests: 10 };
/// Metrics of the question that both are asked. moto looks at every datum for each period of each of them: of more, and over
/// a longer time, it would take minutes.
const QUERIES: usize = 20;
/// We are asked so often each time: processor time is counted in hundredths of a second.
const QUESTIONS: usize = 500;
const ASKED_S: u64 = 240;

pub fn measure(settings: &Settings, report: &mut Report) {
    for protocol in [Protocol::Json, Protocol::Cbor] {
        let name = format!(
            "PutMetricData over HTTP, {protocol:?}, {DATA} data each, {CONNECTIONS} connections, for a second of serve's processor time"
        );
        report.add(name, measured("samples/s", Limit::AtLeast(SAMPLES_MIN), own(settings, protocol)));
    }
    if settings.peer.exists() {
        compare(settings, report);
    } else {
        eprintln!("moto's server is not measured: there is no {}", settings.peer.display());
    }
}

#[derive(Clone, Copy, Debug)]
enum Protocol {
    Json,
    Cbor,
}

#[derive(Clone, Copy)]
struct Rounds {
    /// After one that makes the metrics and is not counted.
    rounds: usize,
    connections: usize,
    requests: usize,
}

/// In a region of its own, so that nothing else uses its processor time, and no other protocol its allowance.
fn own(settings: &Settings, protocol: Protocol) -> Result<Vec<f64>> {
    let mut region = Region::new(&settings.program("allod"), &settings.directory)?;
    region.start()?;
    let request = put(&region.api()?, protocol)?;
    let rounds = Rounds { rounds: ROUNDS, connections: CONNECTIONS, requests: REQUESTS };
    rates(&region.api()?, region.process("serve")?, &request, rounds)
}

fn put(api: &Api, protocol: Protocol) -> Result<Vec<u8>> {
    match protocol {
        Protocol::Json => json(api, "PutMetricData", json_put(DATA, 1)),
        Protocol::Cbor => {
            let path = format!("/service/{TARGET}/operation/PutMetricData");
            let headers = [("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")];
            api.signed(&path, "monitoring", &headers, cbor_put())
        }
    }
}

fn json(api: &Api, operation: &str, body: Vec<u8>) -> Result<Vec<u8>> {
    let target = format!("{TARGET}.{operation}");
    let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", &*target)];
    api.signed("/", "monitoring", &headers, body)
}

/// Samples for each second of the server's processor time.
fn rates(api: &Api, server: Process, request: &[u8], rounds: Rounds) -> Result<Vec<f64>> {
    let samples = (rounds.connections * rounds.requests * DATA) as f64;
    let mut rates = Vec::new();
    for round in 0..=rounds.rounds {
        let before = server.processor_with_ended_ns()?;
        thread::scope(|scope| {
            let all: Vec<_> = (0..rounds.connections).map(|_| scope.spawn(|| send(api, request, rounds.requests))).collect();
            all.into_iter().try_for_each(|c| c.join().unwrap_or_else(|_| fail("a client panicked")).map(drop))
        })?;
        let used_s = server.processor_with_ended_ns()?.saturating_sub(before) as f64 / 1e9;
        if round > 0 {
            rates.push(samples / used_s);
        }
    }
    Ok(rates)
}

/// Sends a request again and again, on one connection as long as the server keeps it; gives the last answer.
fn send(api: &Api, request: &[u8], times: usize) -> Result<Vec<u8>> {
    let mut connection = Connection::open(api.address)?;
    let mut last = Vec::new();
    for _ in 0..times {
        let answer = match connection.send(request) {
            Ok(answer) => answer,
            Err(_) => {
                connection = Connection::open(api.address)?;
                connection.send(request)?
            }
        };
        if answer.status != 200 {
            return fail(format!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body)));
        }
        last = answer.body;
    }
    Ok(last)
}

/// What one side of the comparison did.
struct Side {
    put_rates: Vec<f64>,
    get_ms: Vec<f64>,
}

fn compare(settings: &Settings, report: &mut Report) {
    let sides = own_side(settings).and_then(|own| Ok((own, peer_side(&settings.peer)?)));
    let (own, peer) = match sides {
        Ok(sides) => sides,
        Err(e) => return report.add("moto's server beside allod", Err(e)),
    };
    let mut pair = |name: &str, unit, (own, peer): (Vec<f64>, Vec<f64>), ratio: fn(f64, f64) -> f64| {
        let [own, peer] = [own, peer].map(|samples| Measured::new(unit, Limit::None, samples));
        let times = ratio(own.median(), peer.median());
        report.add(format!("{name}: allod"), Ok(own));
        report.add(format!("{name}: moto"), Ok(peer));
        report.add(format!("{name}: allod beside moto"), Ok(Measured::new("times", Limit::None, vec![times])));
    };
    let name = format!("PutMetricData, Json, {DATA} data each, one connection, for a second of the server's processor time");
    pair(&name, "samples/s", (own.put_rates, peer.put_rates), |own, peer| own / peer);
    let name = format!("GetMetricData of {QUERIES} of those metrics, processor time of the server");
    pair(&name, "ms", (own.get_ms, peer.get_ms), |own, peer| peer / own);
}

fn own_side(settings: &Settings) -> Result<Side> {
    let mut region = Region::new(&settings.program("allod"), &settings.directory)?;
    region.start()?;
    side(&region.api()?, region.process("serve")?, QUESTIONS)
}

fn peer_side(program: &Path) -> Result<Side> {
    let peer = Peer::start(program)?;
    side(&peer.api, peer.process()?, 1)
}

fn side(api: &Api, server: Process, questions: usize) -> Result<Side> {
    let put_rates = rates(api, server, &put(api, Protocol::Json)?, COMPARED)?;
    let question = json(api, "GetMetricData", question()?.to_string().into_bytes())?;
    let mut get_ms = Vec::new();
    for _ in 0..COMPARED.rounds {
        let before = server.processor_with_ended_ns()?;
        let answer: Json = serde_json::from_slice(&send(api, &question, questions)?)?;
        get_ms.push(server.processor_with_ended_ns()?.saturating_sub(before) as f64 / 1e6 / questions as f64);
        let results = answer["MetricDataResults"].as_array().map(Vec::as_slice).unwrap_or_default();
        let with_values = results.iter().filter(|r| r["Values"].as_array().is_some_and(|v| !v.is_empty())).count();
        if with_values != QUERIES {
            return fail(format!("{with_values} metrics have values, where {QUERIES} should"));
        }
    }
    Ok(Side { put_rates, get_ms })
}

/// The last minutes of the first metrics that were put.
fn question() -> Result<Json> {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let query = |n: usize| {
        let dimensions = json!([{"Name": "Host", "Value": format!("host-{n}")}, {"Name": "Zone", "Value": "a"}]);
        let metric = json!({"Namespace": "Bench", "MetricName": "Latency", "Dimensions": dimensions});
        json!({"Id": format!("m{n}"), "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Average"}})
    };
    let queries: Vec<Json> = (0..QUERIES).map(query).collect();
    Ok(json!({"MetricDataQueries": queries, "StartTime": now_s - ASKED_S, "EndTime": now_s + 60}))
}
