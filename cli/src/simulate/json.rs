//! A prediction as JSON: the same numbers as the tables and charts have.

use rehearsal::{Bill, Prediction, Totals, prices};
use serde_json::{Value as Json, json};

use super::Run;

pub fn all(runs: &[Run]) -> Json {
    let runs: Vec<Json> = runs.iter().map(|r| run(&r.name, &r.prediction)).collect();
    json!({"runs": runs, "prices": {"date": prices::DATE, "currency": "USD"}})
}

fn run(name: &str, p: &Prediction) -> Json {
    json!({
        "name": name,
        "from": p.from.iso8601_s(),
        "seconds": p.length.as_secs(),
        "region": p.region,
        "totals": totals(&p.totals),
        "cost": cost(&p.bill),
        "cpu_target": p.cpu_target,
        "slow": p.slow.iter().map(|s| json!({
            "from": s.from.iso8601_s(),
            "until": s.until.iso8601_s(),
            "worst_utilisation": round(s.worst),
            "failed": round(s.failed),
            "waited_for": s.waited_for.iter().map(|(c, t)| json!({"cause": c.as_str(), "seconds": t.as_secs()})).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "alarms": p.alarms.iter().map(|a| json!({
            "at": a.at.iso8601_s(), "alarm": a.alarm, "state": a.state.as_str(), "reason": a.reason, "threshold": a.threshold,
        })).collect::<Vec<_>>(),
        "activities": p.activities.iter().map(|a| json!({
            "at": a.at.iso8601_s(), "group": a.group, "description": a.description, "cause": a.cause,
        })).collect::<Vec<_>>(),
        "points": p.points.iter().map(|x| json!({
            "at": x.at.iso8601_s(),
            "load": round(x.load),
            "capacity": round(x.capacity),
            "in_service": x.in_service,
            "desired": x.desired,
            "cpu": round(x.cpu),
            "utilisation": round(x.utilisation),
            "p50_ms": round(x.p50_ms),
            "p99_ms": round(x.p99_ms),
            "failed": round(x.failed),
            "waits_for": x.waits_for.map(rehearsal::Cause::as_str),
        })).collect::<Vec<_>>(),
        "digest": format!("{:016x}", p.digest),
    })
}

fn totals(t: &Totals) -> Json {
    json!({
        "requests": round(t.requests),
        "failed": round(t.failed),
        "failed_by_status": {"502": round(t.broken), "503": round(t.nobody), "504": round(t.late)},
        "p50_ms": round(t.p50_ms),
        "p99_ms": round(t.p99_ms),
        "cpu": round(t.cpu),
        "instances": {"mean": round(t.instances_mean), "least": t.instances_least, "most": t.instances_most},
        "launches": t.launches,
        "terminations": t.terminations,
    })
}

fn cost(b: &Bill) -> Json {
    let by_type = b.by_type.iter().map(|(t, hours, usd)| json!({"type": t, "hours": round(*hours), "usd": usd.map(round)}));
    let fleet = |f: &(usize, Option<f64>)| json!({"instances": f.0, "usd": f.1.map(round)});
    json!({
        "instance_hours": round(b.instance_hours),
        "by_type": by_type.collect::<Vec<_>>(),
        "instances_usd": b.instances_usd.map(round),
        "load_balancer_hours": round(b.balancer_hours),
        "lcu_hours": round(b.capacity_unit_hours),
        "load_balancers_usd": b.balancers_usd.map(round),
        "fixed_fleet_of_peak": fleet(&b.peak_fleet),
        "fixed_fleet_of_mean": fleet(&b.mean_fleet),
    })
}

/// Four digits after the point tell all that the model knows.
fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
