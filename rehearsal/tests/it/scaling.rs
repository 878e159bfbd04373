//! Groups that use everything at once, by seed: hooks both ways, a warm pool, instance refreshes, policies of all kinds and
//! schedules, standby, protection, and a topic with an endpoint that takes nothing; under load, with faults.
//! `REHEARSAL_SEEDS` says how many, as for the stories.

use std::collections::BTreeSet;
use std::time::Duration;

use base::{Fault, InstanceId, Rng};
use region::autoscaling::{Lifecycle, Member};
use region::sns::Subscription;
use rehearsal::web_tier::{self, STACK, TEMPLATE};
use rehearsal::{Demand, Faults, REFUSES, Rehearsal, Trace, checks};
use shapes::{autoscaling as a, cloudwatch as c, sns};

use crate::life::Life;
use crate::seeds::each_seed;

const MINUTE: Duration = Duration::from_secs(60);
const CREATION_MAX: Duration = Duration::from_secs(900);
const BLOWS: u64 = 14;
/// A refresh that makes no progress gives up after an hour; a failed launch is tried again after five minutes at the latest;
/// each step down waits for a quarter of an hour.
const REST_MAX: Duration = Duration::from_secs(4 * 3_600);
/// So long nothing may happen once a group rests under a constant load.
const QUIET: Duration = Duration::from_secs(2 * 3_600);
/// The web tier's instances have half a core here, and 10 ms of it are one request.
const DEMAND: Demand = Demand { service_us: 10_000.0, cpu_us: 10_000.0, concurrency: 50, queue_max: 500, variation: 0.5 };
const HOOKS: [(&str, &str); 2] = [("in", "autoscaling:EC2_INSTANCE_LAUNCHING"), ("out", "autoscaling:EC2_INSTANCE_TERMINATING")];

struct Tale {
    life: Life,
    rng: Rng,
    group: String,
    topic: String,
}

/// What the seeds together must have met, as causes and descriptions of activities tell it.
const MET: [&str; 9] = [
    "triggered policy simple",
    "triggered policy step",
    "AlarmHigh",
    "AlarmLow",
    "in response to an instance refresh",
    "scheduled action other-sizes",
    "moved to standby",
    "warm pool",
    "to balance instances in zones",
];

/// Lives through the tale of a seed; gives the digest of its end, how often the control plane crashed, and what it met.
pub fn scale(seed: u64) -> (u64, u64, BTreeSet<&'static str>) {
    let mut tale = Tale::new(seed);
    tale.equip();
    tale.strike();
    tale.calm();
    tale.rests();
    let doings = checks::doings(tale.life.region.state());
    let met = MET.into_iter().filter(|text| doings.iter().any(|told| told.contains(text))).collect();
    tale.end();
    (tale.life.region.digest(), tale.life.region.crashes, met)
}

impl Tale {
    fn new(seed: u64) -> Self {
        let mut life = Life::new(seed);
        let mut rng = Rng::new(seed ^ 0x5ca1e);
        web_tier::create(&mut life.region, STACK, TEMPLATE, &[("MaxSize", "6")]).unwrap();
        assert!(web_tier::settle(&mut life.region, STACK, CREATION_MAX), "the stack is not made");
        let (high, from) = (40 + rng.below(200), life.region.now());
        // Under its constant load at the end a group of six serves it at its target.
        let rest = 20 + rng.below(110);
        life.region.send_load(Trace::pattern(&format!("step:{rest}..{high},at=5m,for=25m")).unwrap(), from, DEMAND);
        let group = web_tier::group(&life.region).unwrap();
        let topic =
            life.region.call::<sns::ops::CreateTopic>(sns::CreateTopicInput { name: "tale".into(), ..Default::default() });
        Self { life, rng, group, topic: topic.unwrap().topic_arn.unwrap() }
    }

    fn region(&mut self) -> &mut Rehearsal {
        &mut self.life.region
    }

    fn tell(&mut self, call: impl FnOnce(&mut Rehearsal) -> Result<(), Fault>) {
        self.life.tell(call);
    }

    fn chance(&mut self, in_a_hundred: u64) -> bool {
        self.rng.below(100) < in_a_hundred
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.rng.below(all.len() as u64)).unwrap()]
    }

    /// Gives the group some of what groups may have.
    fn equip(&mut self) {
        let all: [fn(&mut Tale); 8] = [
            Self::hooks,
            Self::warm_pool,
            Self::refresh,
            Self::schedule,
            Self::simple_policy,
            Self::step_policy,
            Self::subscribe,
            Self::notify,
        ];
        for equip in all {
            if self.chance(50) {
                equip(self);
            }
        }
    }

    fn hooks(&mut self) {
        for (name, transition) in HOOKS {
            if self.chance(70) {
                let input = a::PutLifecycleHookType {
                    lifecycle_hook_name: name.into(),
                    auto_scaling_group_name: self.group.clone(),
                    lifecycle_transition: Some(transition.into()),
                    notification_target_arn: self.chance(50).then(|| self.topic.clone()),
                    heartbeat_timeout: Some(self.pick(&[30, 60, 200])),
                    default_result: Some(self.pick(&["CONTINUE", "ABANDON"]).into()),
                    ..Default::default()
                };
                self.tell(|r| r.call::<a::ops::PutLifecycleHook>(input).map(drop));
            }
        }
    }

    fn warm_pool(&mut self) {
        let reuse = a::InstanceReusePolicy { reuse_on_scale_in: Some(self.chance(50)) };
        let input = a::PutWarmPoolType {
            auto_scaling_group_name: self.group.clone(),
            max_group_prepared_capacity: self.pick(&[None, Some(-1), Some(3), Some(5)]),
            min_size: self.pick(&[None, Some(0), Some(2)]),
            pool_state: Some(self.pick(&["Stopped", "Running"]).into()),
            instance_reuse_policy: Some(reuse),
        };
        self.tell(|r| r.call::<a::ops::PutWarmPool>(input).map(drop));
    }

    fn refresh(&mut self) {
        let checkpoints = [vec![], vec![50], vec![30, 60, 100]];
        let index = usize::try_from(self.rng.below(3)).unwrap();
        let (least, most) = self.pick(&[(90, 100), (50, 100), (0, 100), (100, 110), (90, 150), (100, 100)]);
        let preferences = a::RefreshPreferences {
            min_healthy_percentage: Some(least),
            max_healthy_percentage: (most > 100).then_some(most),
            instance_warmup: self.pick(&[None, Some(0), Some(30)]),
            checkpoint_delay: (index > 0).then(|| self.pick(&[10, 120])),
            checkpoint_percentages: checkpoints[index].clone(),
            skip_matching: Some(false),
            scale_in_protected_instances: Some(self.pick(&["Refresh", "Ignore", "Wait"]).into()),
            standby_instances: Some(self.pick(&["Terminate", "Ignore", "Wait"]).into()),
            bake_time: self.pick(&[None, Some(60)]),
            ..Default::default()
        };
        let input = a::StartInstanceRefreshType {
            auto_scaling_group_name: self.group.clone(),
            preferences: Some(preferences),
            ..Default::default()
        };
        self.tell(|r| r.call::<a::ops::StartInstanceRefresh>(input).map(drop));
    }

    /// Other sizes in some minutes, once.
    fn schedule(&mut self) {
        let at = self.life.region.now() + MINUTE * u32::try_from(1 + self.rng.below(20)).unwrap();
        let (min, max, desired) = self.pick(&[(2, 6, Some(4)), (1, 6, None), (3, 7, Some(3)), (2, 5, Some(5))]);
        let input = a::PutScheduledUpdateGroupActionType {
            auto_scaling_group_name: self.group.clone(),
            scheduled_action_name: "other-sizes".into(),
            start_time: Some(at),
            min_size: Some(min),
            max_size: Some(max),
            desired_capacity: desired,
            ..Default::default()
        };
        self.tell(|r| r.call::<a::ops::PutScheduledUpdateGroupAction>(input).map(drop));
    }

    fn simple_policy(&mut self) {
        let policy = a::PutScalingPolicyType {
            policy_name: "simple".into(),
            scaling_adjustment: Some(1),
            cooldown: Some(self.pick(&[60, 200])),
            ..self.policy()
        };
        self.alarmed(policy, 60.0);
    }

    fn step_policy(&mut self) {
        let step = |lower: f64, upper: Option<f64>, by: i64| a::StepAdjustment {
            metric_interval_lower_bound: Some(lower),
            metric_interval_upper_bound: upper,
            scaling_adjustment: by,
        };
        let policy = a::PutScalingPolicyType {
            policy_name: "step".into(),
            policy_type: Some("StepScaling".into()),
            step_adjustments: vec![step(0.0, Some(15.0), 1), step(15.0, None, 2)],
            ..self.policy()
        };
        self.alarmed(policy, 70.0);
    }

    fn policy(&self) -> a::PutScalingPolicyType {
        a::PutScalingPolicyType {
            auto_scaling_group_name: self.group.clone(),
            adjustment_type: Some("ChangeInCapacity".into()),
            ..Default::default()
        }
    }

    /// A policy, set off when the group's average processor use is above a threshold.
    fn alarmed(&mut self, policy: a::PutScalingPolicyType, threshold: f64) {
        let Ok(told) = self.region().call::<a::ops::PutScalingPolicy>(policy) else { return };
        let arn = told.policy_arn.unwrap();
        let input = c::PutMetricAlarmInput {
            alarm_name: format!("above-{threshold}"),
            namespace: Some("AWS/EC2".into()),
            metric_name: Some("CPUUtilization".into()),
            dimensions: vec![c::Dimension { name: "AutoScalingGroupName".into(), value: self.group.clone() }],
            statistic: Some("Average".into()),
            period: Some(60),
            evaluation_periods: Some(1),
            threshold: Some(threshold),
            comparison_operator: Some("GreaterThanThreshold".into()),
            alarm_actions: vec![arn, self.topic.clone()],
            ok_actions: vec![self.topic.clone()],
            ..Default::default()
        };
        self.tell(|r| r.call::<c::ops::PutMetricAlarm>(input).map(drop));
    }

    /// One endpoint that takes messages, and one that takes none.
    fn subscribe(&mut self) {
        for url in ["http://takes.invalid/", REFUSES] {
            let input = sns::SubscribeInput {
                topic_arn: self.topic.clone(),
                protocol: "http".into(),
                endpoint: Some(url.into()),
                ..Default::default()
            };
            self.tell(|r| r.call::<sns::ops::Subscribe>(input).map(drop));
        }
        let tokens: Vec<String> = self.region().state().rows::<Subscription>().map(|s| s.token.clone()).collect();
        for token in tokens {
            let input = sns::ConfirmSubscriptionInput { topic_arn: self.topic.clone(), token, ..Default::default() };
            self.tell(|r| r.call::<sns::ops::ConfirmSubscription>(input).map(drop));
        }
    }

    fn notify(&mut self) {
        let kinds = ["LAUNCH", "LAUNCH_ERROR", "TERMINATE", "TERMINATE_ERROR"];
        let input = a::PutNotificationConfigurationType {
            auto_scaling_group_name: self.group.clone(),
            topic_arn: self.topic.clone(),
            notification_types: kinds.map(|k| format!("autoscaling:EC2_INSTANCE_{k}")).into(),
        };
        self.tell(|r| r.call::<a::ops::PutNotificationConfiguration>(input).map(drop));
    }

    /// Half an hour of faults.
    fn strike(&mut self) {
        let mut some = |most: u64| if self.rng.below(2) == 0 { 0 } else { self.rng.below(most) };
        self.life.region.faults = Faults {
            duplicated: some(200),
            late: some(200),
            lost: some(30),
            crash: some(30),
            broken_boot: some(100),
            broken_delivery: some(300),
        };
        self.life.region.reconciled_max = self.pick(&[1, 5, 4_096]);
        for _ in 0..BLOWS {
            self.blow();
            let pause = Duration::from_secs(20 + self.rng.below(200));
            self.region().run_for(pause);
        }
    }

    fn blow(&mut self) {
        match self.rng.below(20) {
            0..=1 => self.life.with_an_instance(Rehearsal::kill),
            2 => self.life.with_an_instance(Rehearsal::hang),
            3 => self.life.lose_zone(),
            4..=5 => self.life.return_zones(),
            6 => self.life.region.crash(),
            7 => self.life.set_capacity(),
            8 => self.life.terminate_in_group(),
            9 => self.life.end_by_hand(),
            10 => self.life.stop_or_reboot(),
            11..=12 => self.complete_actions(),
            13 => self.refresh(),
            14 => self.turn_refresh(),
            15 => self.enter_standby(),
            16 => self.exit_standby(),
            17 => self.protect(),
            18 => self.change_pool(),
            _ => self.drop_hook(),
        }
    }

    fn members(&self, wanted: impl Fn(&Member) -> bool) -> Vec<InstanceId> {
        self.life.region.state().rows::<Member>().filter(|m| wanted(m)).map(|m| m.instance.clone()).collect()
    }

    /// Whoever is told by the hooks answers, mostly that all is well.
    fn complete_actions(&mut self) {
        for id in self.members(|m| !m.actions.is_empty()) {
            let Some(hook) = self.life.region.state().get::<Member>(&id).and_then(|m| Some(m.actions.first()?.hook.clone()))
            else {
                continue;
            };
            let result = if self.chance(80) { "CONTINUE" } else { "ABANDON" };
            let input = a::CompleteLifecycleActionType {
                lifecycle_hook_name: hook,
                auto_scaling_group_name: self.group.clone(),
                lifecycle_action_result: result.into(),
                instance_id: Some(id.to_string()),
                ..Default::default()
            };
            self.tell(|r| r.call::<a::ops::CompleteLifecycleAction>(input).map(drop));
        }
    }

    fn turn_refresh(&mut self) {
        let name = self.group.clone();
        let input = a::CancelInstanceRefreshType { auto_scaling_group_name: name, ..Default::default() };
        self.tell(|r| r.call::<a::ops::CancelInstanceRefresh>(input).map(drop));
    }

    fn enter_standby(&mut self) {
        let Some(id) = self.members(|m| m.lifecycle == Lifecycle::InService).into_iter().next() else { return };
        let input = a::EnterStandbyQuery {
            instance_ids: vec![id.to_string()],
            auto_scaling_group_name: self.group.clone(),
            should_decrement_desired_capacity: self.chance(50),
        };
        self.tell(|r| r.call::<a::ops::EnterStandby>(input).map(drop));
    }

    fn exit_standby(&mut self) {
        for id in self.members(|m| m.lifecycle == Lifecycle::Standby) {
            let name = self.group.clone();
            let input = a::ExitStandbyQuery { instance_ids: vec![id.to_string()], auto_scaling_group_name: name };
            self.tell(|r| r.call::<a::ops::ExitStandby>(input).map(drop));
        }
    }

    fn protect(&mut self) {
        let protected = self.chance(70);
        let mut ids = self.members(|m| m.lifecycle == Lifecycle::InService);
        ids.truncate(2);
        self.set_protection(&ids, protected);
    }

    fn set_protection(&mut self, ids: &[InstanceId], protected: bool) {
        let input = a::SetInstanceProtectionQuery {
            instance_ids: ids.iter().map(ToString::to_string).collect(),
            auto_scaling_group_name: self.group.clone(),
            protected_from_scale_in: protected,
        };
        self.tell(|r| r.call::<a::ops::SetInstanceProtection>(input).map(drop));
    }

    fn change_pool(&mut self) {
        if self.chance(50) {
            return self.warm_pool();
        }
        let force = self.chance(50);
        let input = a::DeleteWarmPoolType { auto_scaling_group_name: self.group.clone(), force_delete: Some(force) };
        self.tell(|r| r.call::<a::ops::DeleteWarmPool>(input).map(drop));
    }

    fn drop_hook(&mut self) {
        let (name, _) = self.pick(&HOOKS);
        let group = self.group.clone();
        let input = a::DeleteLifecycleHookType { lifecycle_hook_name: name.into(), auto_scaling_group_name: group };
        self.tell(|r| r.call::<a::ops::DeleteLifecycleHook>(input).map(drop));
    }

    /// The faults are over, and users let go of what they held back.
    fn calm(&mut self) {
        self.life.region.faults = Faults::default();
        self.life.return_zones();
        for (name, _) in HOOKS {
            let input = a::PutLifecycleHookType {
                lifecycle_hook_name: name.into(),
                auto_scaling_group_name: self.group.clone(),
                default_result: Some("CONTINUE".into()),
                heartbeat_timeout: Some(30),
                ..Default::default()
            };
            self.tell(|r| r.call::<a::ops::PutLifecycleHook>(input).map(drop));
        }
        self.exit_standby();
        let all = self.members(|m| m.protected && m.lifecycle == Lifecycle::InService);
        for id in all {
            self.set_protection(&[id], false);
        }
    }

    /// Under its constant load the group comes to rest, and then nothing happens any more.
    fn rests(&mut self) {
        let limit = self.life.region.now() + REST_MAX;
        let (mut before, mut since) = (checks::doings(self.life.region.state()), self.life.region.now());
        while self.life.region.now() < since + QUIET {
            self.region().take_tally();
            self.region().run_for(MINUTE * 10);
            let region = &self.life.region;
            let after = checks::doings(region.state());
            if after != before {
                if region.now() > limit {
                    let news: Vec<&String> = after.difference(&before).collect();
                    region.breach(format!("under constant load the group does not come to rest: {news:#?}"));
                }
                (before, since) = (after, region.now());
            }
        }
        let region = &self.life.region;
        if let Err(broken) = checks::at_rest(region.state(), region.model()) {
            region.breach(broken);
        }
        self.all_is_answered();
    }

    /// In the last minutes each request got its answer.
    fn all_is_answered(&mut self) {
        let tally = self.region().take_tally();
        if tally.failures.all() > 0.0 || tally.offered <= 0.0 || (tally.done - tally.offered).abs() > 2.0 {
            self.region().breach(format!("at rest, and not all is answered: {tally:?}"));
        }
    }

    /// All goes, and nothing is left.
    fn end(&mut self) {
        for name in ["above-60", "above-70"] {
            let input = c::DeleteAlarmsInput { alarm_names: vec![name.into()] };
            self.tell(|r| r.call::<c::ops::DeleteAlarms>(input).map(drop));
        }
        let topic_arn = self.topic.clone();
        self.tell(|r| r.call::<sns::ops::DeleteTopic>(sns::DeleteTopicInput { topic_arn }).map(drop));
        self.life.end();
    }
}

#[test]
fn every_seed_keeps_its_group_whole() {
    let all = each_seed(scale);
    let met: BTreeSet<&str> = all.iter().flat_map(|(_, _, met)| met.iter().copied()).collect();
    let missed: Vec<&str> = MET.into_iter().filter(|text| !met.contains(text)).collect();
    assert!(all.len() < 50 || missed.is_empty(), "no seed has met {missed:?}");
    assert!(all.len() < 50 || all.iter().any(|(_, crashes, _)| *crashes > 0), "no seed has crashed the control plane");
}

#[test]
fn the_same_seed_scales_the_same_way() {
    assert_eq!(scale(7), scale(7));
}
