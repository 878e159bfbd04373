//! Targets that came one by one, in whatever order, are as if all had been told at once.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use base::Time;
use proptest::prelude::*;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;
use world::{LoadBalancer, Protocol, RegisteredTarget, RunPaths, Target, TargetHealth, TargetKey, TargetMode, TargetReason};

use super::{MemberKey, TargetEvent, Targets};
use crate::Sockets;
use crate::connector::Connector;
use crate::control::link::FRAMES_MAX;
use crate::control::store::StoredTarget;
use crate::log::Logs;
use crate::route::cookie::Sealer;
use crate::target::Standing;

const BALANCER: &str = "arn:lb";
const ZONES: [&str; 2] = ["a", "b"];
const GROUPS: usize = 3;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Told {
        group: usize,
        target: u8,
        generation: u64,
        drains: bool,
    },
    Gone {
        group: usize,
        target: u8,
    },
    Health {
        group: usize,
        target: u8,
        healthy: bool,
    },
    /// The load balancer with these of the groups, one or two zones, and targets of all zones or not.
    Balancer {
        groups: [bool; GROUPS],
        zones: usize,
        cross_zone: bool,
    },
    NoBalancer,
    /// Workers get a new snapshot.
    Published,
    /// The edge ends, and another one goes on with what is on the disk.
    Restarted,
}

fn step() -> impl Strategy<Value = Step> {
    let at = || (0..GROUPS, 0..4_u8);
    prop_oneof![
        6 => (at(), 1..3_u64, prop::bool::weighted(0.2)).prop_map(|((group, target), generation, drains)| Step::Told { group, target, generation, drains }),
        2 => at().prop_map(|(group, target)| Step::Gone { group, target }),
        4 => (at(), any::<bool>()).prop_map(|((group, target), healthy)| Step::Health { group, target, healthy }),
        3 => (any::<[bool; GROUPS]>(), 1..3_usize, any::<bool>())
            .prop_map(|(groups, zones, cross_zone)| Step::Balancer { groups, zones, cross_zone }),
        1 => Just(Step::NoBalancer),
        3 => Just(Step::Published),
        1 => Just(Step::Restarted),
    ]
}

fn group_id(number: usize) -> String {
    format!("arn:tg/{number}")
}

fn key(target: u8) -> TargetKey {
    TargetKey { id: format!("i-{target}"), port: 80 }
}

fn told(group: usize, target: u8, generation: u64, drains: bool) -> RegisteredTarget {
    let until = Time::from_unix_ms(4_102_444_800_000);
    RegisteredTarget {
        load_balancer: BALANCER.into(),
        group: group_id(group).into(),
        target: Target {
            key: key(target),
            generation,
            address: [127, 0, 0, 10 + target].into(),
            zone: ZONES[usize::from(target) % ZONES.len()].into(),
            mode: if drains { TargetMode::Draining { until } } else { TargetMode::Active },
        },
    }
}

fn balancer(groups: [bool; GROUPS], zones: usize, cross_zone: bool) -> LoadBalancer {
    let group = |number: usize| {
        serde_json::json!({
            "id": group_id(number), "protocol": "http", "algorithm": "round-robin", "deregistration_delay_ms": 1000,
            "slow_start_ms": 0, "cross_zone": cross_zone, "fail_open": {"count": 2, "percent": null},
            "health_check": {"enabled": true, "protocol": "http", "port": "traffic", "path": "/", "interval_ms": 5000,
                "timeout_ms": 2000, "healthy_threshold": 2, "unhealthy_threshold": 2, "matcher": [[200, 200]]},
        })
    };
    let wanted: Vec<_> = (0..GROUPS).filter(|number| groups[*number]).map(group).collect();
    let node =
        |number: usize| serde_json::json!({"zone": ZONES[number], "interface": "eni-1", "front": format!("127.0.0.{number}")});
    serde_json::from_value(serde_json::json!({
        "id": BALANCER, "name": "web", "dns_name": "web.localhost", "nodes": (0..zones).map(node).collect::<Vec<_>>(),
        "listeners": [], "target_groups": wanted, "idle_timeout_ms": 60000, "client_keep_alive_ms": 60000,
        "cross_zone": true, "preserve_host_header": false, "drop_invalid_header_fields": false,
    }))
    .unwrap()
}

/// A control thread's targets, and the load balancer that it has.
struct Scene {
    targets: Targets,
    balancer: Option<LoadBalancer>,
    logs: Logs,
    sealer: Arc<Sealer>,
    directory: tempfile::TempDir,
    versions: u64,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let paths = RunPaths::new(directory.path());
        std::fs::create_dir_all(paths.run()).unwrap();
        let logs = Logs::start(&paths, std::time::Duration::from_secs(60)).unwrap();
        let sealer = Arc::new(Sealer::load(&paths.run().join("key")).unwrap());
        let connector = Rc::new(Connector::new(Sockets::Direct, paths).unwrap());
        let targets = Targets::new(connector, mpsc::channel(64).0, logs.writer());
        Self { targets, balancer: None, logs, sealer, directory, versions: 0 }
    }

    /// As an edge that ended left it to the next one, or as one that is told everything at once.
    fn anew(&self) -> Self {
        let mut next = Self::new();
        next.targets.restore(self.targets.store(), self.targets.remember());
        if let Some(balancer) = &self.balancer {
            next.targets.configure(balancer, &[]);
        }
        (next.balancer, next.versions) = (self.balancer.clone(), self.versions);
        next
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Told { group, target, generation, drains } => {
                self.versions += 1;
                self.targets.register(self.versions, told(group, target, generation, drains), self.balancer.as_ref()).unwrap();
            }
            Step::Gone { group, target } => {
                self.targets.deregister(&RegisteredTarget::id_of(&group_id(group).into(), &key(target)));
            }
            Step::Health { group, target, healthy } => {
                let key = MemberKey { load_balancer: BALANCER.into(), group: group_id(group).into(), target: key(target) };
                let Some(event) = self.health(key, healthy) else { return };
                self.targets.observe(event);
            }
            Step::Balancer { groups, zones, cross_zone } => {
                let wanted = balancer(groups, zones, cross_zone);
                self.targets.configure(&wanted, &[]);
                self.balancer = Some(wanted);
            }
            Step::NoBalancer => {
                self.targets.forget(BALANCER);
                self.balancer = None;
            }
            Step::Published => drop(self.seen()),
            Step::Restarted => *self = self.anew(),
        }
    }

    /// What the target's check tells; none where there is none.
    fn health(&self, key: MemberKey, healthy: bool) -> Option<TargetEvent> {
        let task = self.targets.members.get(&key)?.check.as_ref()?.1.id();
        let reason = TargetReason::Timeout;
        let health = if healthy { TargetHealth::Healthy } else { TargetHealth::Unhealthy { reason, draining: false } };
        Some(TargetEvent::Health { key, task, health })
    }

    /// All that workers route by, and what is told of it.
    fn seen(&self) -> Seen {
        let Some(balancer) = &self.balancer else { return Seen::default() };
        let mut groups = BTreeMap::new();
        for wanted in &balancer.target_groups {
            let group = self.targets.compile(balancer, &wanted.id, Vec::new, &self.sealer).unwrap();
            let nodes = (0..balancer.nodes.len()).map(|node| {
                let reached = group.targets.of(node).iter().map(|t| (t.address.to_string(), t.standing()));
                (group.fails_open(node), reached.collect())
            });
            groups.insert(group.id.to_string(), nodes.collect());
        }
        Seen { groups, failed_zones: self.targets.failed_zones(balancer), healths: format!("{:?}", self.targets.report_all()) }
    }

    /// Counted anew, without what is kept count of.
    fn fails_open(&self, group: &str, zone: Option<&str>) -> bool {
        let of = |m: &&super::Member| zone.is_none_or(|zone| m.zone == zone) && m.target.standing() == Standing::Healthy;
        self.targets.members.iter().filter(|(key, _)| *key.group == *group).map(|(_, m)| m).filter(of).count() < 2
    }
}

/// Of a node: whether it fails open, and the targets that it reaches.
type Reached = (bool, Vec<(String, Standing)>);

#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// Each with its nodes.
    groups: BTreeMap<String, Vec<Reached>>,
    failed_zones: Vec<String>,
    healths: String,
}

fn check(steps: Vec<Step>) {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    // Nothing is awaited: no check of a target ever begins.
    runtime.block_on(async {
        let mut scene = Scene::new();
        for step in steps {
            scene.take(step);
        }
        let seen = scene.seen();
        assert_eq!(seen, scene.anew().seen());
        let slots = |scene: &Scene| scene.targets.applied().collect::<Vec<_>>();
        assert_eq!(slots(&scene), slots(&scene.anew()));
        for wanted in scene.balancer.iter().flat_map(|b| &b.target_groups) {
            for (node, zone) in scene.balancer.iter().flat_map(|b| &b.nodes).map(|n| n.zone.as_str()).enumerate() {
                let open = scene.fails_open(&wanted.id, (!wanted.cross_zone).then_some(zone));
                assert_eq!(seen.groups[wanted.id.as_str()][node].0, open, "{} at {zone}", wanted.id);
            }
        }
        drop((scene.logs, scene.directory));
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn targets_told_one_by_one_are_as_if_told_at_once(steps in prop::collection::vec(step(), 1..60)) {
        check(steps);
    }
}

#[test]
fn what_an_older_serve_tells_within_its_load_balancer_goes_on_in_slots() {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    runtime.block_on(async {
        let mut scene = Scene::new();
        let mut old = balancer([true, false, false], 1, true);
        old.target_groups[0].targets = [0, 1].map(|target| told(0, target, 1, false).target).to_vec();
        let within = scene.targets.take_within(&mut old);
        scene.targets.configure(&old, &within);
        scene.balancer = Some(old);
        let numbers = |scene: &Scene| scene.targets.connectable().collect::<Vec<_>>();
        let before = numbers(&scene);
        assert_eq!((before.len(), scene.targets.applied().count()), (2, 0));
        // A new one has a slot for each, and the load balancer without them is nothing new to it.
        scene.targets.register(7, told(0, 0, 1, false), scene.balancer.as_ref()).unwrap();
        scene.targets.register(8, told(0, 1, 1, false), scene.balancer.as_ref()).unwrap();
        assert_eq!(numbers(&scene), before, "the same targets, with their connections");
        let again = balancer([true, false, false], 1, true);
        assert!(scene.targets.forget_within(&again.id, &[]).is_empty());
        assert_eq!((numbers(&scene), scene.targets.applied().count()), (before, 2));
        scene.targets.deregister(&RegisteredTarget::id_of(&group_id(0).into(), &key(0)));
        assert_eq!(scene.anew().targets.connectable().count(), 1, "nothing of the old comes back");
    });
}

#[test]
fn an_edge_has_a_bounded_number_of_targets() {
    let mut scene = Scene::new();
    let one = told(0, 1, 1, false);
    let many = (0..super::TARGETS_MAX).map(|number| {
        let mut registered = one.clone();
        registered.target.key.id = format!("10.0.{}.{}", number / 256, number % 256);
        StoredTarget { version: 1, registered }
    });
    scene.targets.restore(many.collect(), Vec::new());
    let refused = scene.targets.register(2, one, None).unwrap_err();
    assert!(refused.contains("50000"), "{refused}");
}

#[test]
fn what_is_told_of_all_targets_at_once_finds_room() {
    let mut scene = Scene::new();
    let mut wanted = balancer([true, false, false], 1, true);
    wanted.target_groups[0].health_check.enabled = false;
    scene.targets.configure(&wanted, &[]);
    scene.targets.register(1, told(0, 0, 1, false), Some(&wanted)).unwrap();
    assert!(scene.targets.report_all().len() * super::TARGETS_MAX < FRAMES_MAX);
}

/// It may have told of something that the control thread had not looked at yet.
#[test]
fn a_check_that_has_ended_is_not_listened_to() {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    runtime.block_on(async {
        let mut scene = Scene::new();
        let mut wanted = balancer([true, false, false], 1, true);
        scene.targets.configure(&wanted, &[]);
        scene.targets.register(1, told(0, 0, 1, false), Some(&wanted)).unwrap();
        let key = MemberKey { load_balancer: BALANCER.into(), group: group_id(0).into(), target: key(0) };
        let tell = |scene: &Scene, healthy| scene.health(key.clone(), healthy).unwrap();
        let healthy = tell(&scene, true);
        scene.targets.observe(healthy);
        let late = tell(&scene, false);
        wanted.target_groups[0].health_check.path = "/other".into();
        scene.targets.configure(&wanted, &[]);
        assert_eq!(scene.targets.observe(late), (None, None), "the new check begins with a healthy target");
        let late = tell(&scene, false);
        wanted.target_groups[0].health_check.enabled = false;
        scene.targets.configure(&wanted, &[]);
        assert_eq!(scene.targets.observe(late), (None, None), "nobody would find it healthy again");
    });
}

/// "Update a listener for your Network Load Balancer": flows under way stay with the targets that they had.
#[test]
fn flows_outlive_their_group_but_not_their_balancer() {
    for (protocol, left_behind, cut) in [(Protocol::Tcp, true, true), (Protocol::Http, false, false)] {
        let wanted = || {
            let mut wanted = balancer([true, true, false], 1, true);
            for group in &mut wanted.target_groups {
                group.protocol = protocol;
                group.health_check.enabled = false;
            }
            wanted
        };
        let mut scene = Scene::new();
        scene.targets.configure(&wanted(), &[]);
        scene.targets.register(1, told(0, 0, 1, false), Some(&wanted())).unwrap();
        scene.targets.register(1, told(1, 1, 1, false), Some(&wanted())).unwrap();
        let mut without = wanted();
        without.target_groups.remove(0);
        let gone = scene.targets.configure(&without, &[]).gone;
        assert_eq!(gone.iter().map(|t| (t.is_left_behind(), t.is_cut())).collect::<Vec<_>>(), [(left_behind, false)]);
        let gone = scene.targets.forget(BALANCER);
        assert_eq!(gone.iter().map(|t| (t.is_left_behind(), t.is_cut())).collect::<Vec<_>>(), [(false, cut)]);
    }
}
