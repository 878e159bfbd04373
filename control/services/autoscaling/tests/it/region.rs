//! A region up to Auto Scaling, and the world under it: machines that start and end when they are told to, and a load
//! balancer that says what the test makes it say.

use std::collections::BTreeSet;
use std::time::Duration;

use autoscaling::{Activity, Group, Member};
use base::{Fault, GroupName, InstanceId, TargetGroupArn};
use ec2::InstanceState;
use kernel::{Registry, Trial, Wanted};
use shapes::{autoscaling as s, ec2 as e, elbv2 as l, sns as n};
use world::{Exit, InstanceState as Reported, Observation, Slot, SlotKind, TargetHealth};

pub const ZONE_A: &str = "eu-central-1a";
pub const ZONE_B: &str = "eu-central-1b";
/// More steps than any world here needs to come to rest.
const STEPS_MAX: usize = 200;

pub struct Region {
    trial: Trial,
    /// Machines here cannot start, for this reason.
    pub broken: Option<String>,
    /// Load balancers let requests of leaving targets finish, and these take for ever.
    pub busy: bool,
}

impl std::ops::Deref for Region {
    type Target = Trial;
    fn deref(&self) -> &Trial {
        &self.trial
    }
}

impl std::ops::DerefMut for Region {
    fn deref_mut(&mut self) -> &mut Trial {
        &mut self.trial
    }
}

fn services(registry: &mut Registry) {
    iam::register(registry);
    sns::register(registry);
    cloudwatch::register(registry);
    ec2::register(registry);
    elb::register(registry);
    autoscaling::register(registry);
}

/// A group's activity: description, cause, status. `T` stands for each time.
pub type Told = (String, String, &'static str);

impl Region {
    /// A region with a launch template `web`.
    pub fn new() -> Self {
        let mut region = Self { trial: Trial::new(services), broken: None, busy: false };
        region.run(|tx, cx| Ok(ec2::ensure_default_network(tx, cx)?)).unwrap();
        let data = e::RequestLaunchTemplateData {
            image_id: Some("ami-host".into()),
            instance_type: Some("t3.micro".into()),
            ..Default::default()
        };
        let create = e::CreateLaunchTemplateRequest {
            launch_template_name: "web".into(),
            launch_template_data: data,
            ..Default::default()
        };
        region.call::<e::ops::CreateLaunchTemplate>(create).unwrap();
        region
    }

    /// Plays the world until it rests.
    pub fn play(&mut self) {
        for _ in 0..STEPS_MAX {
            let reports = self.reports();
            if reports.is_empty() {
                return;
            }
            reports.iter().for_each(|r| self.observe(r));
        }
        panic!("the world does not come to rest");
    }

    /// Passes time, second by second, with the world at play.
    pub fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = self.now + Duration::from_secs(1);
            self.settle();
            self.play();
        }
    }

    /// What the world has to say now.
    fn reports(&self) -> Vec<Observation> {
        let mut reports = Vec::new();
        for instance in self.state().rows::<ec2::Instance>() {
            let state = match (instance.state(), &self.broken) {
                (InstanceState::Pending, None) => Reported::Running,
                (InstanceState::Pending, Some(reason)) => Reported::Failed { reason: reason.clone() },
                (InstanceState::Stopping, _) => Reported::Stopped { exit: Exit::Asked },
                _ => continue,
            };
            reports.push(self.report(&instance.id, state));
        }
        for wanted in self.state().rows::<Wanted>().filter(|w| !w.applied && w.refused.is_none()) {
            if wanted.slot.kind == SlotKind::Delivery {
                continue;
            }
            reports.push(Observation::Applied { slot: wanted.slot.clone(), version: wanted.version });
        }
        let is_drained = |r: &elb::Registration| r.observed.as_ref().is_some_and(|o| o.health == TargetHealth::Drained);
        let is_leaving = |r: &&elb::Registration| r.draining_until.is_some() && !is_drained(r) && !self.busy;
        let leaving = self.state().rows::<elb::Registration>().filter(is_leaving);
        reports.extend(leaving.map(|r| self.health_report(r, TargetHealth::Drained)));
        reports
    }

    fn report(&self, id: &InstanceId, state: Reported) -> Observation {
        let generation = self.state().get::<ec2::Instance>(id).unwrap().generation;
        Observation::Instance { id: id.clone(), generation, state, at: self.now }
    }

    fn health_report(&self, registration: &elb::Registration, health: TargetHealth) -> Observation {
        let balancer = self.state().rows::<elb::LoadBalancer>().next().unwrap();
        Observation::Target {
            load_balancer: balancer.arn.clone(),
            group: registration.group.clone(),
            target: registration.target.clone(),
            generation: registration.generation,
            health,
        }
    }

    /// The machine's first process is killed from outside; nothing follows yet.
    pub fn kill(&mut self, id: &InstanceId) {
        let killed = self.report(id, Reported::Stopped { exit: Exit::Signal(9) });
        self.observe(&killed);
    }

    /// The load balancer says how an instance is, wherever it is registered.
    pub fn say_health(&mut self, id: &InstanceId, health: TargetHealth) {
        let rows: Vec<_> = self.state().rows_where::<elb::Registration>("target", id).cloned().collect();
        assert!(!rows.is_empty(), "{id} is registered nowhere");
        for registration in rows {
            let report = self.health_report(&registration, health.clone());
            self.observe(&report);
        }
    }

    /// Whether it is a target, and does not leave.
    pub fn is_registered(&self, id: &InstanceId) -> bool {
        self.state().rows_where::<elb::Registration>("target", id).any(|r| r.draining_until.is_none())
    }

    pub fn instance_state(&self, id: &InstanceId) -> InstanceState {
        self.state().get::<ec2::Instance>(id).unwrap().state()
    }

    pub fn power_is_wished(&self, id: &InstanceId) -> bool {
        let slot = Slot::new(SlotKind::Instance, id.as_str());
        self.state().get::<Wanted>(&slot).is_some_and(|w| w.want.is_some())
    }

    /// A load balancer that forwards to a new target group in the default VPC, or that of this name beside it.
    pub fn target_group(&mut self, name: &str) -> TargetGroupArn {
        let vpc = ec2::default_vpc(self.state()).unwrap().id.to_string();
        let input = l::CreateTargetGroupInput {
            name: name.into(),
            protocol: Some("HTTP".into()),
            port: Some(80),
            vpc_id: Some(vpc),
            ..Default::default()
        };
        let group = self.call::<l::ops::CreateTargetGroup>(input).unwrap().target_groups.pop().unwrap();
        let arn = group.target_group_arn.unwrap();
        let subnets = [ZONE_A, ZONE_B].map(|z| ec2::default_subnet(self.state(), Some(z)).unwrap().id.to_string());
        let input = l::CreateLoadBalancerInput { name: name.into(), subnets: subnets.into(), ..Default::default() };
        let balancer = self.call::<l::ops::CreateLoadBalancer>(input).unwrap().load_balancers.pop().unwrap();
        let action = l::Action { r#type: "forward".into(), target_group_arn: Some(arn.clone()), ..Default::default() };
        let input = l::CreateListenerInput {
            load_balancer_arn: balancer.load_balancer_arn.unwrap(),
            protocol: Some("HTTP".into()),
            port: Some(80),
            default_actions: vec![action],
            ..Default::default()
        };
        self.call::<l::ops::CreateListener>(input).unwrap();
        self.play();
        arn.as_str().into()
    }

    /// Makes a group `g` in zones a and b, with what `lay_over` adds, and lets it come up.
    pub fn group(&mut self, desired: i64, lay_over: impl FnOnce(&mut s::CreateAutoScalingGroupType)) {
        let mut input = request(desired);
        lay_over(&mut input);
        self.call::<s::ops::CreateAutoScalingGroup>(input).unwrap();
        self.play();
    }

    /// A topic whose subscriber takes nothing, so that its messages can be read.
    pub fn topic(&mut self) -> String {
        let input = n::CreateTopicInput { name: "t".into(), ..Default::default() };
        let topic_arn = self.call::<n::ops::CreateTopic>(input).unwrap().topic_arn.unwrap();
        let input = n::SubscribeInput {
            topic_arn: topic_arn.clone(),
            protocol: "http".into(),
            endpoint: Some("http://hook.example/".into()),
            ..Default::default()
        };
        self.call::<n::ops::Subscribe>(input).unwrap();
        let token = self.state().rows::<sns::Subscription>().next().unwrap().token.clone();
        let input = n::ConfirmSubscriptionInput { topic_arn: topic_arn.clone(), token, ..Default::default() };
        self.call::<n::ops::ConfirmSubscription>(input).unwrap();
        topic_arn
    }

    /// What the topic's subscriber was sent: subject and body, in order.
    pub fn messages(&self) -> Vec<(String, serde_json::Value)> {
        let mut wishes: Vec<_> = self.state().rows::<sns::Delivery>().map(|d| d.wish.clone()).collect();
        wishes.retain(|w| w.subscription_arn.is_some());
        wishes.sort_by_key(|w| w.published_at);
        wishes.into_iter().map(|w| (w.subject.unwrap_or_default(), serde_json::from_str(&w.message).unwrap())).collect()
    }

    /// AWS's state of an instance.
    pub fn lifecycle(&self, id: &InstanceId) -> &'static str {
        self.state().get::<Member>(id).map_or("gone", Member::state)
    }

    pub fn row(&self) -> &Group {
        self.state().get::<Group>(&GroupName::from("g")).unwrap()
    }

    pub fn members(&self) -> Vec<Member> {
        self.state().rows_where::<Member>("group", "g").cloned().collect()
    }

    /// Instances in service, by id.
    pub fn in_service(&self) -> BTreeSet<InstanceId> {
        self.members().into_iter().filter(|m| m.lifecycle == autoscaling::Lifecycle::InService).map(|m| m.instance).collect()
    }

    /// How many are in service in zones a and b.
    pub fn zones(&self) -> (usize, usize) {
        let in_service = self.in_service();
        let count = |zone| self.members().iter().filter(|m| in_service.contains(&m.instance) && m.zone == zone).count();
        (count(ZONE_A), count(ZONE_B))
    }

    pub fn activities(&self) -> Vec<Activity> {
        self.state().rows_where::<Activity>("group", "g").cloned().collect()
    }

    /// The activities begun after the first `skip`, in order.
    pub fn told(&self, skip: usize) -> Vec<Told> {
        let plain = |a: Activity| (a.description, without_times(&a.cause), a.status.as_str());
        self.activities().into_iter().skip(skip).map(plain).collect()
    }
}

/// A request for a group `g` in zones a and b.
pub fn request(desired: i64) -> s::CreateAutoScalingGroupType {
    s::CreateAutoScalingGroupType {
        auto_scaling_group_name: "g".into(),
        launch_template: Some(s::LaunchTemplateSpecification { launch_template_name: Some("web".into()), ..Default::default() }),
        min_size: 0,
        max_size: 10,
        desired_capacity: Some(desired),
        availability_zones: vec![ZONE_A.into(), ZONE_B.into()],
        ..Default::default()
    }
}

/// Each `At 2027-01-15T08:00:00Z` becomes `At T`.
fn without_times(cause: &str) -> String {
    let word = |w: &str| if w.len() == 20 && w.ends_with('Z') && w.starts_with("20") { "T".into() } else { w.to_string() };
    cause.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

pub fn refusal(outcome: Result<impl std::fmt::Debug, Fault>) -> (String, String) {
    let fault = outcome.unwrap_err();
    (fault.code.to_string(), fault.message)
}
