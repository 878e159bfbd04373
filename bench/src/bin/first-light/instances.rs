//! Instances: how soon one runs its user's first instruction, and how soon a thousand run.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bench::{Api, Limit, Measured, Region, Report, Result, fail, ms, wait_for};
use serde_json::{Value as Json, json};

use crate::{Settings, measured, samples};

/// Instances that are started one by one.
pub const ALONE: usize = 30;
const FIRST_MS_MAX: f64 = 10.0;
const BATCH: usize = 50;
const PATIENCE: Duration = Duration::from_secs(120);
/// Before the console is looked at for the first time: looking starts a process, which would disturb the boot.
const UNDISTURBED: Duration = Duration::from_millis(100);
const IMAGE: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
/// A script that tells the time of its first instruction without starting another program.
const STAMP: &str = "#!/bin/bash\necho \"first instruction at $EPOCHREALTIME\"\n";
/// `STAMP` in base 64, as the API takes it.
const STAMP_BASE64: &str = "IyEvYmluL2Jhc2gKZWNobyAiZmlyc3QgaW5zdHJ1Y3Rpb24gYXQgJEVQT0NIUkVBTFRJTUUiCg==";
const STAMP_WORDS: &str = "first instruction at ";

pub fn measure(settings: &Settings, region: &Region, report: &mut Report) {
    debug_assert!(STAMP.contains(STAMP_WORDS), "what is looked for is what is written");
    let place = match region.api().and_then(|api| Place::make(&api)) {
        Ok(place) => place,
        Err(e) => return report.add("a subnet for instances", Err(e)),
    };
    let mut answered_ms = Vec::new();
    let first = samples(ALONE, || {
        let boot = boot(region, &place)?;
        answered_ms.push(boot.answered_ms);
        Ok(boot.first_ms)
    });
    report.add("RunInstances sent to its answer", measured("ms", Limit::None, Ok(answered_ms)));
    report.add("RunInstances sent to the first user instruction", measured("ms", Limit::AtMost(FIRST_MS_MAX), first));
    report.add(format!("{} instances running", settings.instances), crowd(settings, region, &place));
}

/// Where instances are launched, and of what.
struct Place {
    subnet: String,
    image: String,
}

impl Place {
    fn make(api: &Api) -> Result<Self> {
        let text = |json: &Json| json.as_str().map(str::to_string);
        let vpc = api.call("ec2", "CreateVpc", &json!({"CidrBlock": "10.77.0.0/16"}))?;
        let input = json!({"VpcId": vpc["Vpc"]["VpcId"], "CidrBlock": "10.77.0.0/18"});
        let subnet = api.call("ec2", "CreateSubnet", &input)?;
        let image = api.call("ssm", "GetParameter", &json!({"Name": IMAGE}))?;
        match (text(&subnet["Subnet"]["SubnetId"]), text(&image["Parameter"]["Value"])) {
            (Some(subnet), Some(image)) => Ok(Self { subnet, image }),
            _ => fail("subnet or image has no id"),
        }
    }

    /// Launches instances and gives their ids.
    fn run(&self, api: &Api, count: usize, user_data: Option<&str>) -> Result<Vec<String>> {
        let mut input = json!({
            "ImageId": self.image, "InstanceType": "t3.nano", "SubnetId": self.subnet, "MinCount": count, "MaxCount": count,
        });
        if let Some(user_data) = user_data {
            input["UserData"] = json!(user_data);
        }
        let answer = api.call("ec2", "RunInstances", &input)?;
        let instances = answer["Instances"].as_array().cloned().unwrap_or_default();
        Ok(instances.iter().filter_map(|i| i["InstanceId"].as_str().map(str::to_string)).collect())
    }
}

/// Milliseconds from the moment before the request is made, by the machine's clock.
struct Boot {
    answered_ms: f64,
    /// To the first line of user data.
    first_ms: f64,
}

fn boot(region: &Region, place: &Place) -> Result<Boot> {
    let api = region.api()?;
    let (started, sent) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64());
    let ids = place.run(&api, 1, Some(STAMP_BASE64))?;
    let answered_ms = ms(started.elapsed());
    let Some(id) = ids.first() else { return fail("no instance was made") };
    thread::sleep(UNDISTURBED);
    let stamp: f64 = wait_for("the first instruction of user data", PATIENCE, Duration::from_millis(20), || {
        let console = region.run(&["console-output", id]).unwrap_or_default();
        let stamp = console.lines().find_map(|l| l.split_once(STAMP_WORDS)).map(|(_, stamp)| stamp.trim().parse());
        Ok(stamp.transpose()?)
    })?;
    Ok(Boot { answered_ms, first_ms: (stamp - sent) * 1_000.0 })
}

/// Launches as many as are still lacking, and gives the time until all run.
fn crowd(settings: &Settings, region: &Region, place: &Place) -> Result<Measured> {
    let api = region.api()?;
    let started = Instant::now();
    let mut lacking = settings.instances - ALONE;
    while lacking > 0 {
        let batch = lacking.min(BATCH);
        place.run(&api, batch, None)?;
        lacking -= batch;
    }
    wait_for("all instances run", PATIENCE, Duration::from_millis(50), || {
        Ok((running(&api)?.len() >= settings.instances).then_some(()))
    })?;
    Ok(Measured::new("ms", Limit::None, vec![ms(started.elapsed())]))
}

/// Ids of the running instances.
pub fn running(api: &Api) -> Result<Vec<String>> {
    let filters = json!({"Filters": [{"Name": "instance-state-name", "Values": ["running"]}]});
    let answer = api.call("ec2", "DescribeInstances", &filters)?;
    let reservations = answer["Reservations"].as_array().cloned().unwrap_or_default();
    let instances = reservations.iter().flat_map(|r| r["Instances"].as_array().cloned().unwrap_or_default());
    Ok(instances.filter_map(|i| i["InstanceId"].as_str().map(str::to_string)).collect())
}
