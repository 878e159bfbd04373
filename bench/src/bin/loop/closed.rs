//! The real loop: the reference stack in a region whose metrics come each second. Real load raises the processor use of its
//! one instance; the host reports it, an alarm sees it, the policy decides, and a second instance comes into service.
//!
//! Both moments at the ends of what is measured are the region's own words: the newest period that the alarm evaluated, and the
//! beginning and end of the scaling activity.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::Time;
use bench::{Api, Connection, Limit, Measured, Region, Report, Result, fail, front, import_web_tier, wait_for};
use serde_json::{Value as Json, json};

use crate::Settings;

const BURSTS: usize = 5;
/// More than one instance can work off: each asks again as soon as it has its answer.
const CLIENTS: usize = 4;
const DECISION_MS_MAX: f64 = 1_000.0;
const SERVICE_MS_MAX: f64 = 1_000.0;
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const STACK: [&str; 12] = [
    "--stack-name",
    "loop",
    "--parameter",
    "MinSize=1",
    "--parameter",
    "DesiredCapacity=1",
    "--parameter",
    "MaxSize=2",
    "--parameter",
    "WarmupSeconds=1",
    "--parameter",
    "CpuTarget=50",
];

/// Of one burst, in milliseconds.
pub struct Burst {
    /// From the end of the period that made the alarm's evaluation cross its threshold to the activity's begin.
    pub decision_ms: f64,
    /// From there to the instance in service, which is the end of the activity.
    service_ms: f64,
    /// From there to its being healthy in the load balancer's eyes, as far as looking every 50 ms tells.
    healthy_ms: f64,
}

pub fn measure(settings: &Settings, report: &mut Report) {
    match bursts(settings) {
        Ok((bursts, interval_ms)) => {
            let of = |limit, value: fn(&Burst) -> f64| {
                Ok(Measured::new("ms", Limit::AtMost(limit), bursts.iter().map(value).collect()))
            };
            report.add("real load: end of the crossing period to the decision", of(DECISION_MS_MAX, |b| b.decision_ms));
            report.add("real load: decision to the instance in service", of(SERVICE_MS_MAX, |b| b.service_ms));
            let name = "real load: decision to the healthy target (its start and a health check included)";
            report.add(name, of(SERVICE_MS_MAX + interval_ms, |b| b.healthy_ms));
        }
        Err(e) => report.add("real load: the loop", Err(e)),
    }
}

/// All bursts, and the milliseconds between two health checks.
fn bursts(settings: &Settings) -> Result<(Vec<Burst>, f64)> {
    let stage = Stage::open(settings)?;
    let bursts: Result<Vec<Burst>> = std::iter::repeat_with(|| stage.burst()).take(BURSTS).collect();
    Ok((bursts?, stage.interval_ms))
}

/// A region of its own that runs the reference stack with one instance.
pub struct Stage {
    pub region: Region,
    pub api: Api,
    /// Address and name of the load balancer.
    front: (SocketAddr, String),
    /// Between two health checks.
    interval_ms: f64,
}

impl Stage {
    pub fn open(settings: &Settings) -> Result<Self> {
        let mut region = Region::new(&settings.program("allod"), &settings.directory)?.with(&["--metric-period", "1"]);
        region.start()?;
        import_web_tier(&region, &settings.root, &settings.program("web-tier"))?;
        let template = settings.root.join("stacks/web-tier.yaml");
        region.run(&[&["up", &*template.to_string_lossy()], &STACK[..]].concat())?;
        let api = region.api()?;
        let groups = api.call("elbv2", "DescribeTargetGroups", &json!({}))?;
        let interval_s = groups["TargetGroups"][0]["HealthCheckIntervalSeconds"].as_f64().unwrap_or_default();
        let Some(front) = front(&api.status()?) else { return fail("the load balancer has no address") };
        Ok(Self { region, api, front, interval_ms: interval_s * 1_000.0 })
    }

    /// Waits until one instance runs and nothing asks for more.
    pub fn calm(&self) -> Result<()> {
        alone(&self.api).map(drop)
    }

    /// Load until the policy has added an instance and that is healthy; then one instance is wanted again.
    pub fn burst(&self) -> Result<Burst> {
        burst(&self.api, &self.front)
    }
}

fn burst(api: &Api, front: &(SocketAddr, String)) -> Result<Burst> {
    let group = alone(api)?;
    let known: Vec<String> = activities(api)?.iter().map(id).collect();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| work(front, &is_over))).collect();
        let begun = wait_for("the policy adds an instance", PATIENCE, LOOK_EVERY, || {
            Ok(activities(api)?.into_iter().find(|a| !known.contains(&id(a))))
        });
        is_over.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap_or_else(|_| fail("a client panicked"))?;
        }
        let begun = begun?;
        let ended = wait_for("the instance is in service", PATIENCE, LOOK_EVERY, || {
            Ok(activities(api)?.into_iter().find(|a| id(a) == id(&begun) && a["StatusCode"] == "Successful"))
        })?;
        let decided = moment(&ended["StartTime"])?;
        wait_for("both targets are healthy", PATIENCE, LOOK_EVERY, || Ok((healthy(api)? == 2).then_some(())))?;
        let healthy_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as f64 - decided.unix_ms() as f64;
        let crossed = crossed(api, decided)?;
        api.call("autoscaling", "SetDesiredCapacity", &json!({"AutoScalingGroupName": group, "DesiredCapacity": 1}))?;
        Ok(Burst {
            decision_ms: decided.ms_since(crossed) as f64,
            service_ms: moment(&ended["EndTime"])?.ms_since(decided) as f64,
            healthy_ms,
        })
    })
}

/// Waits until the group has one instance and no alarm says that it needs more; gives its name.
fn alone(api: &Api) -> Result<String> {
    wait_for("one instance and a quiet alarm", PATIENCE, LOOK_EVERY, || {
        let groups = api.call("autoscaling", "DescribeAutoScalingGroups", &json!({}))?;
        let group = &groups["AutoScalingGroups"][0];
        let instances = group["Instances"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_alone = group["DesiredCapacity"] == 1 && instances.len() == 1 && instances[0]["LifecycleState"] == "InService";
        let is_quiet = high_alarm(api)?["StateValue"] == "OK";
        Ok(group["AutoScalingGroupName"].as_str().filter(|_| is_alone && is_quiet).map(str::to_string))
    })
}

fn healthy(api: &Api) -> Result<usize> {
    let groups = api.call("elbv2", "DescribeTargetGroups", &json!({}))?;
    let group = &groups["TargetGroups"][0]["TargetGroupArn"];
    let targets = api.call("elbv2", "DescribeTargetHealth", &json!({"TargetGroupArn": group}))?;
    let targets = targets["TargetHealthDescriptions"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(targets.iter().filter(|t| t["TargetHealth"]["State"] == "healthy").count())
}

/// The alarm that asks for more instances.
fn high_alarm(api: &Api) -> Result<Json> {
    let alarms = api.call("cloudwatch", "DescribeAlarms", &json!({"AlarmNamePrefix": "TargetTracking-"}))?;
    let alarms = alarms["MetricAlarms"].as_array().map(Vec::as_slice).unwrap_or_default();
    let high = alarms.iter().find(|a| a["AlarmName"].as_str().is_some_and(|name| name.contains("-AlarmHigh-")));
    high.cloned().map_or_else(|| fail("the policy has no alarm"), Ok)
}

/// The end of the newest period that the alarm evaluated when it went off before `decided`.
fn crossed(api: &Api, decided: Time) -> Result<Time> {
    let alarm = high_alarm(api)?;
    let asked = json!({"AlarmName": alarm["AlarmName"], "HistoryItemType": "StateUpdate"});
    let history = api.call("cloudwatch", "DescribeAlarmHistory", &asked)?;
    let items = history["AlarmHistoryItems"].as_array().map(Vec::as_slice).unwrap_or_default();
    for item in items {
        let data: Json = serde_json::from_str(item["HistoryData"].as_str().unwrap_or_default())?;
        let state = &data["newState"];
        if state["stateValue"] != "ALARM" || moment(&item["Timestamp"])? > decided {
            continue;
        }
        let reason = &state["stateReasonData"];
        let newest = moment(&reason["evaluatedDatapoints"][0]["timestamp"])?;
        return Ok(newest + Duration::from_secs(reason["period"].as_u64().unwrap_or_default()));
    }
    fail("the alarm has not gone off")
}

/// Lets an instance work until it is over; every answer must be 200.
fn work(front: &(SocketAddr, String), is_over: &AtomicBool) -> Result<()> {
    let request = format!("GET /work?ms=5 HTTP/1.1\r\nhost: {}\r\n\r\n", front.1);
    let mut connection = Connection::open(front.0)?;
    while !is_over.load(Ordering::Relaxed) {
        let answer = connection.send(request.as_bytes())?;
        if answer.status != 200 {
            return fail(format!("{} while the group grew", answer.status));
        }
    }
    Ok(())
}

fn activities(api: &Api) -> Result<Vec<Json>> {
    let mut answer = api.call("autoscaling", "DescribeScalingActivities", &json!({}))?;
    let all = answer["Activities"].as_array_mut().map(std::mem::take).unwrap_or_default();
    Ok(all.into_iter().filter(|a| a["Description"].as_str().is_some_and(|d| d.starts_with("Launching"))).collect())
}

fn id(activity: &Json) -> String {
    activity["ActivityId"].as_str().unwrap_or_default().to_string()
}

fn moment(json: &Json) -> Result<Time> {
    let text = json.as_str().unwrap_or_default().replace("+0000", "Z");
    Time::parse_iso8601(&text).map_or_else(|| fail(format!("{json} is no moment")), Ok)
}
