//! What `allod serve` takes in of metrics over HTTP, signatures and all: samples for each second of its processor time, on
//! however many threads.

use bench::{Connection, Limit, Region, Report, Result, fail};

use crate::store::{TARGET, cbor_put, json_put};
use crate::{Settings, measured};

const ROUNDS: usize = 4;
/// Requests of a round. All rounds together stay below what may be put at once before it is throttled.
const REQUESTS: usize = 100;
/// Values of a request, as many as AWS takes.
const DATA: usize = 1_000;
const SAMPLES_MIN: f64 = 200_000.0;

pub fn measure(settings: &Settings, report: &mut Report) {
    for protocol in [Protocol::Json, Protocol::Cbor] {
        let name = format!("PutMetricData over HTTP, {protocol:?}, {DATA} data each, for a second of one core");
        report.add(name, measured("samples/s", Limit::AtLeast(SAMPLES_MIN), rates(settings, protocol)));
    }
}

#[derive(Clone, Copy, Debug)]
enum Protocol {
    Json,
    Cbor,
}

/// In a region of its own, so that nothing else uses its processor time, and no other protocol its allowance.
fn rates(settings: &Settings, protocol: Protocol) -> Result<Vec<f64>> {
    let mut region = Region::new(&settings.program("allod"), &settings.directory)?;
    region.start()?;
    let api = region.api()?;
    let request = match protocol {
        Protocol::Json => {
            let target = format!("{TARGET}.PutMetricData");
            let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", &target)];
            api.signed("/", "monitoring", &headers, json_put())?
        }
        Protocol::Cbor => {
            let path = format!("/service/{TARGET}/operation/PutMetricData");
            let headers = [("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")];
            api.signed(&path, "monitoring", &headers, cbor_put())?
        }
    };
    let serve = region.process("serve")?;
    let mut connection = Connection::open(api.address)?;
    let mut rates = Vec::new();
    // The first round makes the metrics and is not counted.
    for round in 0..=ROUNDS {
        let before = serve.processor_ns()?;
        for _ in 0..REQUESTS {
            let answer = connection.send(&request)?;
            if answer.status != 200 {
                return fail(format!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body)));
            }
        }
        let used_s = serve.processor_ns()?.saturating_sub(before) as f64 / 1e9;
        if round > 0 {
            rates.push((REQUESTS * DATA) as f64 / used_s);
        }
    }
    Ok(rates)
}
