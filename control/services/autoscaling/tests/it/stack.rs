//! A group as part of a stack.

use base::{Fault, Tags};
use ec2::InstanceState;
use kernel::{Progress, ResourceRequest};
use serde_json::{Value as Json, json};

use crate::region::{Region, ZONE_A, ZONE_B};

const TYPE: &str = "AWS::AutoScaling::AutoScalingGroup";

struct Stack {
    region: Region,
    properties: Json,
    creation_policy: Option<Json>,
    update_policy: Option<Json>,
    tags: Tags,
}

impl Stack {
    fn new() -> Self {
        let region = Region::new();
        let subnets = [ZONE_A, ZONE_B].map(|z| ec2::default_subnet(region.state(), Some(z)).unwrap().id.to_string());
        let properties = json!({
            "AutoScalingGroupName": "g",
            "LaunchTemplate": {"LaunchTemplateName": "web", "Version": "1"},
            "MinSize": 1, "MaxSize": 4, "DesiredCapacity": 2,
            "VPCZoneIdentifier": subnets,
            "Tags": [{"Key": "Name", "Value": "web", "PropagateAtLaunch": true}],
        });
        let tags = Tags::from([("aws:cloudformation:stack-name".to_string(), "s".to_string())]);
        Self { region, properties, creation_policy: None, update_policy: None, tags }
    }

    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut kernel::Tx, &kernel::Cx, &dyn kernel::StackResource, &ResourceRequest) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let request = ResourceRequest {
            stack_id: "arn:stack",
            stack_name: "s",
            logical_id: "Group",
            properties: &self.properties,
            tags: &self.tags,
            creation_policy: self.creation_policy.as_ref(),
            update_policy: self.update_policy.as_ref(),
        };
        self.region.run(|tx, cx| work(tx, cx, tx.registry().stack_resource(TYPE).unwrap(), &request))
    }

    fn create(&mut self) -> Result<String, Fault> {
        self.with(|tx, cx, resource, request| resource.create(tx, cx, request))
    }

    fn progress(&mut self) -> Progress {
        self.with(|tx, cx, resource, request| Ok(resource.progress(tx, cx, "g", request))).unwrap()
    }

    fn update(&mut self, changes: Json) -> Result<(), Fault> {
        let old = self.properties.clone();
        for (name, value) in changes.as_object().unwrap() {
            self.properties[name] = value.clone();
        }
        let outcome = self.with(|tx, cx, resource, request| resource.update(tx, cx, "g", &old, request));
        self.region.play();
        outcome
    }

    fn delete(&mut self) -> Progress {
        self.with(|tx, cx, resource, _| resource.delete(tx, cx, "g")).unwrap()
    }
}

#[test]
fn it_is_made_when_its_instances_serve_and_gone_when_they_are() {
    let mut stack = Stack::new();
    let arn = stack.region.target_group("web");
    stack.properties["TargetGroupARNs"] = json!([arn.as_str()]);
    assert_eq!(stack.create().unwrap(), "g");
    assert_eq!(stack.progress(), Progress::Pending);
    stack.region.play();
    assert_eq!((stack.progress(), stack.region.zones()), (Progress::Ready, (1, 1)));
    let id = stack.region.in_service().pop_first().unwrap();
    let tags = ec2::tags::of(stack.region.state(), &id).clone();
    assert_eq!((tags["Name"].as_str(), tags["aws:cloudformation:stack-name"].as_str()), ("web", "s"));
    let shown = stack.with(|tx, cx, resource, _| resource.attribute(tx, cx, "g", "AutoScalingGroupARN")).unwrap();
    assert!(shown.as_str().unwrap().ends_with(":autoScalingGroupName/g"));

    stack.region.busy = true;
    assert_eq!(stack.delete(), Progress::Pending);
    stack.region.pass(5);
    assert_eq!((stack.delete(), stack.region.instance_state(&id)), (Progress::Pending, InstanceState::Running));
    stack.region.busy = false;
    stack.region.play();
    assert_eq!((stack.delete(), stack.region.instance_state(&id)), (Progress::Ready, InstanceState::Terminated));
    assert_eq!(stack.delete(), Progress::Ready, "what does not exist is deleted");
}

#[test]
fn it_is_changed_in_place() {
    let mut stack = Stack::new();
    let arn = stack.region.target_group("web");
    stack.create().unwrap();
    stack.region.play();
    let before = stack.region.in_service();
    let subnet = stack.properties["VPCZoneIdentifier"][0].clone();
    stack
        .update(json!({
            "MaxSize": 6, "DesiredCapacity": 3, "HealthCheckType": "ELB", "HealthCheckGracePeriod": 60,
            "TargetGroupARNs": [arn.as_str()],
            "LaunchTemplate": {"LaunchTemplateName": "web", "Version": "$Latest"},
            "Tags": [{"Key": "Team", "Value": "x", "PropagateAtLaunch": false}],
        }))
        .unwrap();
    assert_eq!(stack.progress(), Progress::Ready);
    let row = stack.region.row().clone();
    assert_eq!((row.max_size, row.desired_capacity, row.grace_s, row.health_check.as_str()), (6, 3, 60, "ELB"));
    assert_eq!(row.template.version.as_deref(), Some("$Latest"));
    assert_eq!(row.tags.keys().collect::<Vec<_>>(), ["Team", "aws:cloudformation:stack-name"]);
    let after = stack.region.in_service();
    assert!(before.is_subset(&after) && after.len() == 3, "running instances stay");
    assert!(after.iter().all(|id| stack.region.is_registered(id)));

    stack.update(json!({"VPCZoneIdentifier": [subnet], "TargetGroupARNs": []})).unwrap();
    stack.region.pass(30);
    assert_eq!(stack.region.zones(), (3, 0));
    assert!(stack.region.in_service().iter().all(|id| !stack.region.is_registered(id)));
}

#[test]
fn it_fails_when_its_instances_cannot_start() {
    let mut stack = Stack::new();
    stack.region.broken = Some("no room".into());
    stack.create().unwrap();
    stack.region.play();
    for _ in 0..60 {
        stack.region.pass(1);
        if let Progress::Failed(reason) = stack.progress() {
            assert!(
                reason.starts_with(
                    "Group did not stabilize. {current/minimum/maximum group size: 0/1/4}. Failed Scaling Activity: "
                )
            );
            assert!(reason.contains("no room"), "{reason}");
            stack.delete();
            stack.region.play();
            assert_eq!(stack.delete(), Progress::Ready);
            return;
        }
    }
    panic!("it waits for ever");
}

#[test]
fn unmodified_sizes_can_be_left_alone() {
    for (ignores, expected) in [(true, 4), (false, 2)] {
        let mut stack = Stack::new();
        stack.create().unwrap();
        stack.region.play();
        let input = shapes::autoscaling::SetDesiredCapacityType {
            auto_scaling_group_name: "g".into(),
            desired_capacity: 4,
            ..Default::default()
        };
        stack.region.call::<shapes::autoscaling::ops::SetDesiredCapacity>(input).unwrap();
        let policy = json!({"AutoScalingScheduledAction": {"IgnoreUnmodifiedGroupSizeProperties": ignores}});
        stack.update_policy = Some(policy);
        stack.update(json!({"HealthCheckGracePeriod": 5})).unwrap();
        assert_eq!(stack.region.row().desired_capacity, expected);
    }
}

#[test]
fn policies_that_are_not_carried_out_are_refused() {
    let mut stack = Stack::new();
    stack.creation_policy = Some(json!({"ResourceSignal": {"Count": 2}}));
    assert!(stack.create().unwrap_err().message.contains("CreationPolicy with ResourceSignal"));
    stack.creation_policy = None;
    stack.create().unwrap();
    stack.update_policy = Some(json!({"AutoScalingRollingUpdate": {"MinInstancesInService": 1}}));
    stack.update(json!({"MaxSize": 5})).unwrap();
    let outcome = stack.update(json!({"LaunchTemplate": {"LaunchTemplateName": "web", "Version": "$Latest"}}));
    assert!(outcome.unwrap_err().message.contains("UpdatePolicy AutoScalingRollingUpdate"));
    assert_eq!(stack.region.row().template.version.as_deref(), Some("1"));
}
