//! Metrics through the front door, without the network, on one thread: what `PutMetricData` takes in a second from the bytes
//! of a request to the commit, and how long `GetMetricData` takes for a month of minutes. Time is the benchmark's own.

use std::time::{Duration, Instant};

use base::{Caller, Scope, Time};
use http::Request;
use http::request::Parts;
use kernel::{Kernel, MemoryJournal, Settings};
use metrics::{MemoryKeep, Metric, Resolution, Store};
use serde_json::{Value as Json, json};

use bench::{Failure, Limit, Report, Result, fail, ms, percentile};
use rustix::time::{ClockId, clock_gettime};

use crate::measured;

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(2);
const SAMPLES_MIN: f64 = 200_000.0;
const GET_MS_MAX: f64 = 50.0;
const DAYS: i64 = 30;
/// Times that each question is asked.
const ASKED: usize = 100;

const START_MS: i64 = 1_800_000_000_000;
const MINUTE_MS: i64 = 60_000;
const DAY_MIN: i64 = 1_440;
/// Data of one request: the most that AWS takes.
const DATA: usize = 1_000;
const METRICS: u32 = 1_000;
pub const TARGET: &str = "GraniteServiceVersion20100801";

/// What one request asks for.
struct Question {
    name: &'static str,
    metrics: u32,
    days: i64,
    period_s: u32,
    /// Values that its answer must have.
    values: usize,
}

const QUESTIONS: [Question; 2] = [
    Question { name: "one metric over the month", metrics: 1, days: DAYS, period_s: 300, values: 8_640 },
    Question { name: "500 metrics over a day", metrics: 500, days: 1, period_s: 900, values: 48_000 },
];

pub fn measure(report: &mut Report) {
    for (name, parts, body) in [("JSON", json_head("PutMetricData"), json_put(DATA, 1)), ("CBOR", cbor_head(), cbor_put())] {
        let rates = parts.and_then(|parts| (0..ROUNDS).map(|_| put(&parts, &body)).collect());
        let name = format!("PutMetricData from a request's bytes to the commit, {name}, {DATA} data each");
        report.add(name, measured("samples/s", Limit::AtLeast(SAMPLES_MIN), rates));
    }
    let kernel = region().and_then(|mut kernel| fill(&mut kernel, DAYS).map(|()| kernel));
    let mut kernel = match kernel {
        Ok(kernel) => kernel,
        Err(e) => return report.add(format!("a month of minutes of {METRICS} metrics"), Err(e)),
    };
    for question in QUESTIONS {
        let times: Result<Vec<Times>> = (0..ASKED).map(|_| get(&mut kernel, &question)).collect();
        let name = format!("GetMetricData out of a month of minutes of {METRICS} metrics: {}", question.name);
        let times = match times {
            Ok(times) => times,
            Err(e) => return report.add(name, Err(e)),
        };
        let of = |value: fn(&Times) -> f64| times.iter().map(value).collect::<Vec<_>>();
        let wall = of(|t| t.wall_ms);
        let p99 = vec![percentile(&wall, 0.99)];
        report.add(format!("{name}, processor time"), measured("ms", Limit::AtMost(GET_MS_MAX), Ok(of(|t| t.processor_ms))));
        report.add(name.clone(), measured("ms", Limit::AtMost(GET_MS_MAX), Ok(wall)));
        report.add(format!("{name}, p99"), measured("ms", Limit::AtMost(GET_MS_MAX), Ok(p99)));
    }
}

/// A region of CloudWatch and what it stands on, that keeps its metrics.
fn region() -> Result<Kernel> {
    let services = |registry: &mut kernel::Registry| {
        sns::register(registry);
        cloudwatch::register(registry);
    };
    let scope = Scope::new("eu-central-1", "000000000000");
    let mut kernel = Kernel::open(
        services,
        Box::new(MemoryJournal::default()),
        scope,
        Settings::default(),
        kernel::Randomness::repeatable(7),
    )?;
    *kernel.store_mut() = Store::open(Box::new(MemoryKeep::default()))?;
    Ok(kernel)
}

fn head(path: &str, headers: &[(&str, &str)]) -> Result<Parts> {
    let request = headers.iter().fold(Request::post(path), |request, (name, value)| request.header(*name, *value));
    Ok(request.body(())?.into_parts().0)
}

fn json_head(operation: &str) -> Result<Parts> {
    head("/", &[("x-amz-target", &format!("{TARGET}.{operation}")), ("content-type", "application/x-amz-json-1.0")])
}

fn cbor_head() -> Result<Parts> {
    let path = format!("/service/{TARGET}/operation/PutMetricData");
    head(&path, &[("smithy-protocol", "rpc-v2-cbor"), ("content-type", "application/cbor")])
}

/// Data for as many metrics, of one value each or of several.
pub fn json_put(data: usize, values: usize) -> Vec<u8> {
    let datum = |n: usize| {
        let dimensions = json!([{"Name": "Host", "Value": format!("host-{n}")}, {"Name": "Zone", "Value": "a"}]);
        let mut datum = json!({"MetricName": "Latency", "Dimensions": dimensions, "Unit": "Milliseconds"});
        match values {
            1 => datum["Value"] = json!(n as f64 * 0.37),
            _ => datum["Values"] = (1..=values).map(|value| json!(value)).collect(),
        }
        datum
    };
    let data: Vec<Json> = (0..data).map(datum).collect();
    json!({"Namespace": "Bench", "MetricData": data}).to_string().into_bytes()
}

/// The same by RFC 8949: kinds 3, 4 and 5 are text, list and map.
pub fn cbor_put() -> Vec<u8> {
    fn item(out: &mut Vec<u8>, kind: u8, length: usize) {
        out.push(kind << 5 | 25);
        out.extend_from_slice(&(length as u16).to_be_bytes());
    }
    fn text(out: &mut Vec<u8>, text: &str) {
        item(out, 3, text.len());
        out.extend_from_slice(text.as_bytes());
    }
    let mut out = Vec::new();
    item(&mut out, 5, 2);
    text(&mut out, "Namespace");
    text(&mut out, "Bench");
    text(&mut out, "MetricData");
    item(&mut out, 4, DATA);
    for n in 0..DATA {
        item(&mut out, 5, 4);
        for (name, value) in [("MetricName", "Latency"), ("Unit", "Milliseconds")] {
            text(&mut out, name);
            text(&mut out, value);
        }
        text(&mut out, "Value");
        out.push(0xfb);
        out.extend_from_slice(&(n as f64 * 0.37).to_be_bytes());
        text(&mut out, "Dimensions");
        item(&mut out, 4, 2);
        for (name, value) in [("Host", format!("host-{n}")), ("Zone", "a".into())] {
            item(&mut out, 5, 2);
            text(&mut out, "Name");
            text(&mut out, name);
            text(&mut out, "Value");
            text(&mut out, &value);
        }
    }
    out
}

fn call(kernel: &mut Kernel, now: Time, parts: &Parts, body: &[u8]) -> Result<Vec<u8>> {
    let route = wire::route(parts, body).map_err(|refusal| Failure(refusal.fault.to_string()))?;
    let input = wire::decode(&route, parts, body)?;
    let caller = Caller::root(kernel.scope(), "AK");
    let answer = kernel.call(now, caller, "r-1", &route.service.name, &route.operation.name, input)?;
    kernel.commit()?;
    Ok(wire::encode(&route, Ok(&answer), "r-1").into_body())
}

/// Samples taken in a second. The clock of the region goes on so that nothing is throttled.
fn put(parts: &Parts, body: &[u8]) -> Result<f64> {
    let mut kernel = region()?;
    let (begun, mut requests) = (Instant::now(), 0);
    while begun.elapsed() < ROUND {
        call(&mut kernel, Time::from_unix_ms(START_MS + requests * 10), parts, body)?;
        requests += 1;
    }
    Ok(requests as f64 * DATA as f64 / begun.elapsed().as_secs_f64())
}

fn metric(n: u32) -> Metric {
    Metric::new("Bench", "Load", &[("Host", &format!("host-{n}"))])
}

fn fill(kernel: &mut Kernel, days: i64) -> Result<()> {
    let store: &mut Store = kernel.store_mut();
    let ids = (0..METRICS).map(|n| store.id(&metric(n), "Percent")).collect::<std::result::Result<Vec<_>, _>>();
    let ids = ids.map_err(|_| Failure("there are too many metrics".into()))?;
    for minute in 0..days * DAY_MIN {
        let at = Time::from_unix_ms(START_MS + minute * MINUTE_MS);
        for (n, id) in ids.iter().enumerate() {
            let hash = (minute as u64 ^ (n as u64) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            store.put_value(*id, Resolution::Standard, at, (hash >> 40) as f64 / 1_000.0);
        }
        store.advance(at);
        kernel::Store::keep(store);
    }
    Ok(())
}

/// From the bytes of a request to those of its answer.
struct Times {
    wall_ms: f64,
    processor_ms: f64,
}

/// Processor time of this thread.
fn processor() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

fn get(kernel: &mut Kernel, question: &Question) -> Result<Times> {
    let &Question { metrics, days, period_s, .. } = question;
    let end = START_MS + DAYS * DAY_MIN * MINUTE_MS;
    let query = |n: u32| {
        let metric =
            json!({"Namespace": "Bench", "MetricName": "Load", "Dimensions": [{"Name": "Host", "Value": format!("host-{n}")}]});
        json!({"Id": format!("m{n}"), "MetricStat": {"Metric": metric, "Period": period_s, "Stat": "Average"}})
    };
    let queries: Vec<Json> = (0..metrics).map(query).collect();
    let start = end - days * DAY_MIN * MINUTE_MS;
    let body = json!({"MetricDataQueries": queries, "StartTime": start / 1_000, "EndTime": end / 1_000}).to_string();
    let parts = json_head("GetMetricData")?;
    let (begun, used) = (Instant::now(), processor());
    let answer = call(kernel, Time::from_unix_ms(end), &parts, body.as_bytes())?;
    let times = Times { processor_ms: ms(processor().saturating_sub(used)), wall_ms: ms(begun.elapsed()) };
    let answer: Json = serde_json::from_slice(&answer)?;
    let results = answer["MetricDataResults"].as_array().map(Vec::as_slice).unwrap_or_default();
    let values: usize = results.iter().filter_map(|r| r["Values"].as_array()).map(Vec::len).sum();
    if values == question.values { Ok(times) } else { fail(format!("{values} values came and not {}", question.values)) }
}
