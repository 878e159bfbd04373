//! What the page of everything tells.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use server::ExecutorProcess;
use world::Executor;

use crate::rig::{PATIENCE, Rig};

const TEMPLATE: &str =
    "%7B%22Resources%22%3A%7B%22A%22%3A%7B%22Type%22%3A%22AWS%3A%3ACloudFormation%3A%3AWaitConditionHandle%22%7D%7D%7D";
/// One more than `DescribeStacks` tells at once.
const STACKS: usize = 101;

#[test]
fn every_stack_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::start(directory.path());
    for n in 0..STACKS {
        let body = format!("Action=CreateStack&Version=2010-05-15&StackName=s{n}&TemplateBody={TEMPLATE}");
        let answer = rig.query("cloudformation", &body);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let answer = rig.exchange(&rig.signed("allod", "/_allod/status", &[], b"{}"));
    let status: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(status["stacks"].as_array().unwrap().len(), STACKS);
}

#[test]
fn a_process_that_does_not_start_is_told_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("host.log");
    let told = log.clone();
    let process = ExecutorProcess {
        prepare: None,
        executor: Executor::Host,
        socket: directory.path().join("host.sock"),
        log,
        start: Box::new(move || {
            std::fs::write(&told, "begun\nallod: no cgroups here\n")?;
            Command::new("false").spawn()
        }),
    };
    let rig = Rig::start_with(directory.path(), vec![process]);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = rig.exchange(&rig.signed("allod", "/_allod/status", &[], b"{}"));
        let status: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        if status["failing"] == serde_json::json!({"host": "no cgroups here"}) {
            break;
        }
        assert_eq!(status["failing"], serde_json::json!({}));
        assert!(Instant::now() < deadline, "{}", answer.body);
    }
}

/// What goes while the page is put together is not told, and the rest is.
#[test]
fn what_goes_meanwhile_is_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::start(directory.path());
    let ec2 = |body: &str, id: &str| {
        let answer = rig.query("ec2", &format!("Version=2016-11-15&Action={body}"));
        answer.body.split_once(&format!("<{id}>")).and_then(|(_, rest)| rest.split_once('<')).expect(&answer.body).0.to_string()
    };
    let elb = |body: &str| {
        let answer = rig.query("elasticloadbalancing", &format!("Version=2015-12-01&Action={body}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    };
    let vpc = ec2("CreateVpc&CidrBlock=10.0.0.0/16", "vpcId");
    let subnet = ec2(&format!("CreateSubnet&VpcId={vpc}&CidrBlock=10.0.0.0/16"), "subnetId");
    let all_asked = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !all_asked.load(Ordering::Relaxed) {
                let made = elb(&format!("CreateLoadBalancer&Name=a&Type=network&Scheme=internal&Subnets.member.1={subnet}"));
                let arn = made.split_once("<LoadBalancerArn>").unwrap().1.split_once('<').unwrap().0;
                elb(&format!("DeleteLoadBalancer&LoadBalancerArn={arn}"));
            }
        });
        let asked: Vec<_> = (0..100).map(|_| rig.exchange(&rig.signed("allod", "/_allod/status", &[], b"{}"))).collect();
        all_asked.store(true, Ordering::Relaxed);
        for answer in asked {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    });
}
