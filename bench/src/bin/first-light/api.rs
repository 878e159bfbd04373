//! How many requests the API answers: reads on one core, and writes that are durable before they are answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bench::{Api, Connection, Limit, Load, Measured, Region, Report, Result, Service, fail, rate};
use serde_json::json;

use crate::Settings;
use crate::instances::running;

/// Instances that a long answer holds.
pub const NAMED: usize = 100;
const READERS: usize = 8;
const WRITERS: usize = 32;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);

pub fn measure(settings: &Settings, region: &Region, report: &mut Report) {
    let of = settings.instances;
    let one = describe(region, 1, Limit::AtLeast(5_000.0));
    report.add(format!("DescribeInstances of 1 among {of}, serve on one core"), one);
    let many = describe(region, NAMED, Limit::AtLeast(300.0));
    report.add(format!("DescribeInstances of {NAMED} among {of}, serve on one core"), many);
    report.add(format!("durable writes (PutParameter), {WRITERS} clients"), write(region));
}

/// Signed requests as the `aws` command makes them, each naming `named` instances; `serve` may use one core, the
/// clients the others.
fn describe(region: &Region, named: usize, limit: Limit) -> Result<Measured> {
    let api = region.api()?;
    let ids = running(&api)?;
    let Some(ids) = ids.get(..named) else { return fail("too few instances run") };
    let input: Vec<String> = (1..).zip(ids).map(|(n, id)| format!("InstanceId.{n}={id}")).collect();
    let request = api.request(Service::Ec2, "DescribeInstances", &input.join("&"))?;
    let answer = Connection::open(api.address)?.send(&request)?;
    let text = String::from_utf8_lossy(&answer.body);
    if answer.status != 200 || text.matches("<instanceId>").count() < named {
        return fail(format!("not what was asked for: {} {:.200}", answer.status, text));
    }
    let load = Load { address: api.address, clients: READERS, rounds: ROUNDS, round: ROUND };
    let rates = region.process("serve")?.on_one_core(|| rate(load, |_, _| Ok(request.clone())))?;
    Ok(Measured::new("answers/s", limit, rates))
}

/// Each client writes a parameter of its own again and again. At the end the last acknowledged value must be there.
fn write(region: &Region) -> Result<Measured> {
    let api = region.api()?;
    let last = AtomicU64::new(0);
    let load = Load { address: api.address, clients: WRITERS, rounds: ROUNDS, round: ROUND };
    let rates = rate(load, |client, sent| {
        if client == 0 {
            last.store(sent, Ordering::Relaxed);
        }
        let input = json!({"Name": name(client), "Value": sent.to_string(), "Type": "String", "Overwrite": true});
        api.request(Service::Ssm, "PutParameter", &input.to_string())
    })?;
    let stored = stored(&api, 0)?;
    if stored != last.load(Ordering::Relaxed).to_string() {
        return fail(format!("an acknowledged write is not there: {stored}"));
    }
    Ok(Measured::new("answers/s", Limit::AtLeast(1_000.0), rates))
}

fn name(client: usize) -> String {
    format!("/bench/{client}")
}

fn stored(api: &Api, client: usize) -> Result<String> {
    let answer = api.call("ssm", "GetParameter", &json!({"Name": name(client)}))?;
    Ok(answer["Parameter"]["Value"].as_str().unwrap_or_default().to_string())
}
