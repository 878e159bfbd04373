//! What a template would do under a load: it is deployed in a simulated region as `CreateStack` does it, the load runs
//! through it, and what came of it is written down minute by minute.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{GroupName, InstanceId, Time};
use kernel::Settings;
use region::autoscaling::{Activity, Group, in_service};
use region::cloudformation::StackStatus;
use region::cloudwatch::alarm::Watched;
use region::cloudwatch::{Alarm, AlarmState};
use region::ec2::{Instance, Told};
use shapes::{autoscaling as a, ec2};

use crate::bill::{self, Bill, Hours};
use crate::load::{Demand, Tally, Times, Trace};
use crate::run::Place;
use crate::{Delays, Rehearsal, Scrutiny, web_tier};

/// How finely a run is written down.
pub const POINT: Duration = Duration::from_secs(60);
/// Before the run its first load lasts so long, so that it begins with a region that has settled.
const WARM_UP: Duration = Duration::from_secs(3_600);
/// How long a stack may take to be created, within the warm-up.
const CREATION_MAX: Duration = Duration::from_secs(3_000);
/// Longest run.
pub const LENGTH_MAX: Duration = Duration::from_secs(92 * 86_400);
/// Most activities and alarm changes that are kept of a run.
const NOTES_MAX: usize = 20_000;

/// What is to be predicted.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// CloudFormation, YAML or JSON.
    pub template: String,
    pub parameters: Vec<(String, String)>,
    pub trace: Trace,
    pub demand: Demand,
    pub delays: Delays,
    /// Such as `eu-central-1`.
    pub region: String,
    /// What one vCPU gives, in thousandths of a core.
    pub vcpu_millicores: u32,
    pub metric_period_s: u32,
    pub from: Time,
    pub length: Duration,
    pub seed: u64,
    /// US dollars an hour of an instance, instead of AWS's list price.
    pub hourly_price: Option<f64>,
}

/// Why there is no prediction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PredictionError {
    /// The template is refused; each line may begin with `LINE:COLUMN:`.
    Template(String),
    /// The stack could not be created, with what failed.
    Stack(String),
    /// The scenario makes no sense.
    Scenario(String),
}

/// What happened in one [`POINT`] of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    pub at: Time,
    /// Requests a second that users sent, and those that the targets in use could have done.
    pub load: f64,
    pub capacity: f64,
    /// Those of groups, and those of none that serve.
    pub in_service: usize,
    /// Of groups.
    pub desired: u32,
    /// Instances that run, are coming up or ending: those that cost, which stopped ones do not.
    pub instances: usize,
    /// Processor use of the serving instances, 0 to 1.
    pub cpu: f64,
    /// Highest use of any instance's tightest resource, 0 to 1.
    pub utilisation: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Requests that failed.
    pub failed: f64,
    /// What more capacity waited for, where there was too little.
    pub waits_for: Option<Cause>,
    /// Every group wants as many instances as it may have.
    pub at_maximum: bool,
}

/// Processor use this far above its target is more than the noise around it.
const ABOVE_TARGET: f64 = 0.02;

/// What more capacity waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// There is none that could go off.
    NoAlarm,
    /// No alarm has gone off yet.
    Alarm,
    /// Instances are wanted and not yet in service.
    Boot,
    /// An alarm has gone off and capacity is not yet raised again.
    Cooldown,
    /// The group is at its maximum.
    MaxSize,
}

impl Cause {
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::NoAlarm => "no alarm is set",
            Cause::Alarm => "alarm",
            Cause::Boot => "boot",
            Cause::Cooldown => "cooldown",
            Cause::MaxSize => "maximum size",
        }
    }
}

/// A while in which the load was more than the instances could do, or requests failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Slow {
    pub from: Time,
    pub until: Time,
    /// Load by capacity at its worst; above 1 it was too much.
    pub worst: f64,
    pub failed: f64,
    /// What was waited for, with how long, longest first.
    pub waited_for: Vec<(Cause, Duration)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AlarmNote {
    pub at: Time,
    pub alarm: String,
    pub state: AlarmState,
    pub reason: String,
    pub threshold: Option<f64>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ActivityNote {
    pub at: Time,
    pub group: String,
    pub description: String,
    pub cause: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    pub requests: f64,
    pub failed: f64,
    /// Failed with 503, 502 and 504.
    pub nobody: f64,
    pub broken: f64,
    pub late: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub cpu: f64,
    pub instances_mean: f64,
    pub instances_least: usize,
    pub instances_most: usize,
    pub launches: usize,
    pub terminations: usize,
    pub commits: u64,
}

/// What would happen.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    pub from: Time,
    pub length: Duration,
    pub region: String,
    pub points: Vec<Point>,
    /// The policy's target of average processor use, 0 to 1, where one has it.
    pub cpu_target: Option<f64>,
    pub alarms: Vec<AlarmNote>,
    pub activities: Vec<ActivityNote>,
    pub slow: Vec<Slow>,
    pub totals: Totals,
    pub bill: Bill,
    /// Of the region's whole state at the end: equal runs have equal digests.
    pub digest: u64,
}

impl Prediction {
    /// How long the maximum size was what limited it: processor use was above the policy's target, and no more instances were
    /// allowed.
    pub fn held_by_maximum(&self) -> Duration {
        let Some(target) = self.cpu_target else { return Duration::ZERO };
        let held = self.points.iter().filter(|p| p.at_maximum && p.cpu > target + ABOVE_TARGET).count();
        POINT * u32::try_from(held).unwrap_or(u32::MAX)
    }
}

/// A run begins between these, 1971 and 2199: its metrics and schedules must have room before and after it.
const FROM_LEAST: Time = Time::from_unix_ms(31_536_000_000);
const FROM_MOST: Time = Time::from_unix_ms(7_258_118_400_000);

/// Most targets of a group in a prediction: those who ask what ten thousand instances would do get their quota raised.
const TARGETS_MAX: usize = 10_000;

/// Name of the stack in the simulated region.
const STACK: &str = "simulated";

/// Runs a scenario; `progress` is told after each point how much of it is done, 0 to 1.
pub fn predict(scenario: &Scenario, progress: &mut dyn FnMut(f64)) -> Result<Prediction, PredictionError> {
    check(scenario)?;
    let settings = Settings {
        vcpu_millicores: scenario.vcpu_millicores,
        metric_period_s: scenario.metric_period_s,
        targets_max: TARGETS_MAX,
        ..Settings::default()
    };
    let place = Place { region: scenario.region.clone(), settings, begin: scenario.from - WARM_UP };
    let mut region = Rehearsal::at(place, scenario.seed, scenario.delays.clone(), Scrutiny::Never);
    *region.kernel.store_mut() = Told::Watched;
    deploy(&mut region, scenario)?;
    region.send_load(scenario.trace.clone(), scenario.from, scenario.demand);
    let mut notes = Notes::default();
    while region.now() < scenario.from {
        region.run_for(POINT.min(Duration::from_millis(scenario.from.ms_since(region.now()))));
        notes.look(&region);
    }
    region.take_tally();
    let cpu_target = cpu_target(&mut region);
    let mut writer = Writer { notes: notes.begun(), alone: bill::alone(&region), ..Writer::default() };
    let until = scenario.from + scenario.length;
    while region.now() < until {
        region.run_for(POINT.min(Duration::from_millis(until.ms_since(region.now()))));
        writer.write(&mut region);
        progress(region.now().ms_since(scenario.from) as f64 / scenario.length.as_millis().max(1) as f64);
    }
    Ok(writer.finish(scenario, &region, cpu_target))
}

fn check(scenario: &Scenario) -> Result<(), PredictionError> {
    let wrong = |text: &str| Err(PredictionError::Scenario(text.into()));
    let Demand { service_us, cpu_us, concurrency, variation, .. } = scenario.demand;
    if !(service_us > 0.0 && service_us <= 3.6e9) {
        return wrong("the service time must be more than 0 and at most an hour");
    }
    if !(0.0..=service_us).contains(&cpu_us) {
        return wrong("a request's processor time cannot be more than its service time");
    }
    if concurrency == 0 {
        return wrong("an instance must work on one request at least");
    }
    if !(0.0..=10.0).contains(&variation) {
        return wrong("the variation of service times must be between 0 and 10");
    }
    if scenario.from < FROM_LEAST || scenario.from >= FROM_MOST {
        return wrong("a run must begin between the years 1971 and 2199");
    }
    if scenario.length < POINT || scenario.length > LENGTH_MAX {
        return wrong("a run must be between one minute and 92 days long");
    }
    Ok(())
}

fn deploy(region: &mut Rehearsal, scenario: &Scenario) -> Result<(), PredictionError> {
    for name in image_names(scenario) {
        let input =
            ec2::RegisterImageRequest { name: name.clone(), image_location: Some(format!("{name}-1")), ..Default::default() };
        region
            .call::<ec2::ops::RegisterImage>(input)
            .map_err(|e| PredictionError::Stack(format!("image {name}: {}", e.message)))?;
    }
    let parameters: Vec<(&str, &str)> = scenario.parameters.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    web_tier::create(region, STACK, &scenario.template, &parameters).map_err(|e| PredictionError::Template(e.message))?;
    let is_done = web_tier::settle(region, STACK, CREATION_MAX);
    if is_done && web_tier::status(region, STACK) == Some(StackStatus::CreateComplete) {
        return match region.state().count::<Group>() + region.state().count::<Instance>() {
            0 => Err(PredictionError::Scenario(
                "the template has no instance and no Auto Scaling group: nothing could answer".into(),
            )),
            _ => Ok(()),
        };
    }
    let failures = web_tier::failures(region, STACK);
    Err(PredictionError::Stack(match failures.is_empty() {
        true => format!("the stack was not created within {} s", CREATION_MAX.as_secs()),
        false => failures.join("\n"),
    }))
}

/// Imported images that the template or its parameters name: in the simulated region they exist.
fn image_names(scenario: &Scenario) -> Vec<String> {
    const PREFIX: &str = "/allod/images/";
    let texts = std::iter::once(scenario.template.as_str()).chain(scenario.parameters.iter().map(|(_, v)| v.as_str()));
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let after = |text: &str| text.split(is_name_end(is_name)).next().unwrap_or_default().to_string();
    let mut names: Vec<String> = texts.flat_map(|t| t.split(PREFIX).skip(1)).map(after).filter(|n| !n.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn is_name_end(is_name: impl Fn(char) -> bool) -> impl Fn(char) -> bool {
    move |c| !is_name(c)
}

/// The target of the first policy that tracks average processor use.
fn cpu_target(region: &mut Rehearsal) -> Option<f64> {
    let told = region.call::<a::ops::DescribePolicies>(a::DescribePoliciesType::default()).ok()?;
    let configurations = told.scaling_policies.into_iter().filter_map(|p| p.target_tracking_configuration);
    let of_cpu = |c: &a::TargetTrackingConfiguration| {
        c.predefined_metric_specification.as_ref().is_some_and(|m| m.predefined_metric_type == "ASGAverageCPUUtilization")
    };
    configurations.into_iter().find(of_cpu).map(|c| c.target_value / 100.0)
}

/// What alarms and groups did.
#[derive(Default)]
struct Notes {
    states: BTreeMap<String, AlarmState>,
    newest: BTreeMap<GroupName, u64>,
    alarms: Vec<AlarmNote>,
    activities: Vec<ActivityNote>,
    launches: usize,
    terminations: usize,
}

impl Notes {
    /// Forgets what was before the run, but not what it has seen.
    fn begun(self) -> Self {
        Self { states: self.states, newest: self.newest, ..Self::default() }
    }

    fn look(&mut self, region: &Rehearsal) {
        for alarm in region.state().rows::<Alarm>() {
            let known = self.states.insert(alarm.name.clone(), alarm.state.state);
            if known != Some(alarm.state.state) && self.alarms.len() < NOTES_MAX {
                let threshold = match &alarm.watched {
                    Watched::Metrics { threshold, .. } => Some(*threshold),
                    Watched::Rule { .. } => None,
                };
                let (name, reason) = (alarm.name.clone(), alarm.state.reason.clone());
                self.alarms.push(AlarmNote { at: alarm.state.at, alarm: name, state: alarm.state.state, reason, threshold });
            }
        }
        for group in region.state().rows::<Group>() {
            let newest = self.newest.entry(group.name.clone()).or_default();
            let known = *newest;
            let fresh = region.state().rows_where::<Activity>("group", &group.name).rev().take_while(|a| a.key.1 > known);
            let mut fresh: Vec<&Activity> = fresh.collect();
            fresh.reverse();
            for activity in fresh {
                *newest = activity.key.1;
                self.launches += usize::from(activity.description.starts_with("Launching"));
                self.terminations += usize::from(activity.description.starts_with("Terminating"));
                if self.activities.len() < NOTES_MAX {
                    self.activities.push(ActivityNote {
                        at: activity.started_at,
                        group: group.name.to_string(),
                        description: activity.description.clone(),
                        cause: activity.cause.clone(),
                    });
                }
            }
        }
    }

    fn any_alarm(&self) -> bool {
        self.states.iter().any(|(name, state)| *state == AlarmState::Alarm && !name.contains("AlarmLow"))
    }
}

#[derive(Default)]
struct Writer {
    notes: Notes,
    /// Instances of no group.
    alone: Vec<InstanceId>,
    points: Vec<Point>,
    totals: Totals,
    times: Times,
    hours: Hours,
    cpu_s: f64,
    cores_s: f64,
}

impl Writer {
    fn write(&mut self, region: &mut Rehearsal) {
        let tally = region.take_tally();
        self.notes.look(region);
        let mut instances = 0;
        for (instance_type, count) in bill::instances_by_type(region, &self.alone) {
            instances += count;
            self.hours.add_instances(instance_type, count, tally.seconds);
        }
        let groups = region.state().rows::<Group>();
        let alone = self.alone.iter().filter(|id| region.model().serves(id)).count();
        let in_service: usize = groups.clone().map(|g| in_service(region.state(), &g.name)).sum();
        let (desired, most) = groups.fold((0, 0), |(d, m), g| (d + g.desired_capacity, m + g.max_size));
        let seconds = tally.seconds.max(1.0);
        let failed = tally.failures.all();
        let is_short = tally.offered > tally.capacity || failed > 0.5;
        let waits_for = is_short.then(|| match () {
            () if (in_service as u64) < u64::from(desired) => Cause::Boot,
            () if desired >= most && most > 0 => Cause::MaxSize,
            () if self.notes.states.is_empty() => Cause::NoAlarm,
            () if self.notes.any_alarm() => Cause::Cooldown,
            () => Cause::Alarm,
        });
        self.points.push(Point {
            at: region.now() - Duration::from_secs_f64(tally.seconds),
            load: tally.offered / seconds,
            capacity: tally.capacity / seconds,
            in_service: in_service + alone,
            desired,
            instances,
            cpu: share(tally.cpu_s, tally.cores_s),
            utilisation: tally.utilisation_max,
            p50_ms: tally.times_us.quantile(0.5) / 1e3,
            p99_ms: tally.times_us.quantile(0.99) / 1e3,
            failed,
            waits_for,
            at_maximum: desired >= most && most > 0,
        });
        self.add(&tally, region);
    }

    fn add(&mut self, tally: &Tally, region: &Rehearsal) {
        let totals = &mut self.totals;
        totals.requests += tally.offered;
        totals.failed += tally.failures.all();
        totals.nobody += tally.failures.nobody;
        totals.broken += tally.failures.broken;
        totals.late += tally.failures.late;
        self.cpu_s += tally.cpu_s;
        self.cores_s += tally.cores_s;
        self.times.merge(&tally.times_us);
        self.hours.add_balancers(bill::balancers(region), tally);
    }

    fn finish(mut self, scenario: &Scenario, region: &Rehearsal, cpu_target: Option<f64>) -> Prediction {
        let counts = self.points.iter().map(|p| p.in_service);
        let totals = &mut self.totals;
        totals.instances_least = counts.clone().min().unwrap_or(0);
        totals.instances_most = counts.clone().max().unwrap_or(0);
        totals.instances_mean = counts.sum::<usize>() as f64 / self.points.len().max(1) as f64;
        totals.p50_ms = self.times.quantile(0.5) / 1e3;
        totals.p99_ms = self.times.quantile(0.99) / 1e3;
        totals.cpu = share(self.cpu_s, self.cores_s);
        totals.launches = self.notes.launches;
        totals.terminations = self.notes.terminations;
        totals.commits = region.commits;
        let bill = bill::bill(scenario, &self.hours, &self.totals);
        Prediction {
            from: scenario.from,
            length: scenario.length,
            region: scenario.region.clone(),
            slow: slow(&self.points),
            points: self.points,
            cpu_target,
            alarms: self.notes.alarms,
            activities: self.notes.activities,
            totals: self.totals,
            bill,
            digest: region.digest(),
        }
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// Points in which capacity was too small, those next to each other taken together.
fn slow(points: &[Point]) -> Vec<Slow> {
    let mut all: Vec<Slow> = Vec::new();
    for run in points.chunk_by(|a, b| a.waits_for.is_some() == b.waits_for.is_some()).filter(|r| r[0].waits_for.is_some()) {
        let mut waited: BTreeMap<Cause, Duration> = BTreeMap::new();
        for cause in run.iter().filter_map(|p| p.waits_for) {
            *waited.entry(cause).or_default() += POINT;
        }
        let mut waited_for: Vec<_> = waited.into_iter().collect();
        waited_for.sort_by_key(|(cause, time)| (std::cmp::Reverse(*time), *cause));
        all.push(Slow {
            from: run[0].at,
            until: run[run.len() - 1].at + POINT,
            worst: run.iter().map(|p| share(p.load, p.capacity).max(p.utilisation)).fold(0.0, f64::max),
            failed: run.iter().map(|p| p.failed).sum(),
            waited_for,
        });
    }
    all
}
