//! Hooks, warm pools and launch configurations as parts of a stack.

use base::{Fault, Tags};
use kernel::{Progress, ResourceRequest, StackResource};
use serde_json::{Value as Json, json};

use crate::region::Region;

fn with<T>(
    region: &mut Region,
    name: &str,
    properties: &Json,
    work: impl FnOnce(&mut kernel::Tx, &kernel::Cx, &dyn StackResource, &ResourceRequest) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let tags = Tags::new();
    let request = ResourceRequest {
        stack_id: "arn:stack",
        stack_name: "s",
        logical_id: "Thing",
        properties,
        tags: &tags,
        old_tags: None,
        creation_policy: None,
        update_policy: None,
    };
    let outcome = region.run(|tx, cx| work(tx, cx, tx.registry().stack_resource(name).unwrap(), &request));
    region.play();
    outcome
}

fn create(region: &mut Region, name: &str, properties: &Json) -> String {
    with(region, name, properties, |tx, cx, resource, request| resource.create(tx, cx, request)).unwrap()
}

fn delete(region: &mut Region, name: &str, id: &str) -> Progress {
    with(region, name, &json!({}), |tx, cx, resource, _| resource.delete(tx, cx, id)).unwrap()
}

#[test]
fn a_hook_of_a_stack_is_made_changed_and_deleted() {
    const TYPE: &str = "AWS::AutoScaling::LifecycleHook";
    let mut region = Region::new();
    region.group(0, |_| {});
    let properties = json!({"AutoScalingGroupName": "g", "LifecycleHookName": "drain",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "HeartbeatTimeout": 90, "DefaultResult": "CONTINUE"});
    let id = create(&mut region, TYPE, &properties);
    assert_eq!(id, "drain");
    let describe = shapes::autoscaling::DescribeLifecycleHooksType { auto_scaling_group_name: "g".into(), ..Default::default() };
    let shown = |region: &mut Region| {
        let answer = region.call::<shapes::autoscaling::ops::DescribeLifecycleHooks>(describe.clone()).unwrap();
        answer.lifecycle_hooks.into_iter().map(|h| (h.heartbeat_timeout.unwrap(), h.default_result.unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(shown(&mut region), [(90, "CONTINUE".to_string())]);
    let changed = json!({"AutoScalingGroupName": "g", "LifecycleHookName": "drain",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"});
    with(&mut region, TYPE, &changed, |tx, cx, resource, request| resource.update(tx, cx, "drain", &properties, request))
        .unwrap();
    assert_eq!(shown(&mut region), [(3_600, "ABANDON".to_string())]);
    assert_eq!(delete(&mut region, TYPE, "drain"), Progress::Ready);
    assert!(shown(&mut region).is_empty());
    assert_eq!(delete(&mut region, TYPE, "drain"), Progress::Ready);
}

#[test]
fn a_warm_pool_of_a_stack_is_gone_with_its_last_instance() {
    const TYPE: &str = "AWS::AutoScaling::WarmPool";
    let mut region = Region::new();
    region.group(1, |r| r.max_size = 3);
    assert_eq!(create(&mut region, TYPE, &json!({"AutoScalingGroupName": "g", "PoolState": "Running"})), "g");
    assert_eq!(region.members().len(), 3);
    assert_eq!(delete(&mut region, TYPE, "g"), Progress::Pending);
    assert_eq!(delete(&mut region, TYPE, "g"), Progress::Ready);
    assert_eq!(region.members().len(), 1);
}

#[test]
fn a_launch_configuration_of_a_stack_means_what_the_apis_does() {
    const TYPE: &str = "AWS::AutoScaling::LaunchConfiguration";
    let mut region = Region::new();
    let properties = json!({"ImageId": "ami-host", "InstanceType": "t3.micro", "InstanceMonitoring": false,
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20}}]});
    let id = create(&mut region, TYPE, &properties);
    assert!(id.starts_with("s-Thing-"), "{id}");
    let shown = region.call::<shapes::autoscaling::ops::DescribeLaunchConfigurations>(Default::default()).unwrap();
    let shown = &shown.launch_configurations[0];
    assert_eq!(shown.block_device_mappings[0].ebs.as_ref().unwrap().volume_size, Some(20));
    assert_eq!(shown.instance_monitoring.as_ref().unwrap().enabled, Some(false));
    assert_eq!(delete(&mut region, TYPE, &id), Progress::Ready);
    assert_eq!(delete(&mut region, TYPE, &id), Progress::Ready);
}
