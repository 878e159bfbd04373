//! Launch configurations, and groups that launch from them.

use shapes::autoscaling as s;
use shapes::autoscaling::ops;

use crate::region::{Region, refusal};

fn configuration(name: &str) -> s::CreateLaunchConfigurationType {
    s::CreateLaunchConfigurationType {
        launch_configuration_name: name.into(),
        image_id: Some("ami-host".into()),
        instance_type: Some("t3.small".into()),
        ..Default::default()
    }
}

#[test]
fn a_group_launches_from_a_configuration_and_moves_to_a_template() {
    let mut region = Region::new();
    region.call::<ops::CreateLaunchConfiguration>(configuration("old")).unwrap();
    region.group(2, |r| {
        r.launch_template = None;
        r.launch_configuration_name = Some("old".into());
    });
    let group = region.call::<ops::DescribeAutoScalingGroups>(Default::default()).unwrap().auto_scaling_groups.pop().unwrap();
    assert_eq!((group.launch_configuration_name.as_deref(), group.launch_template), (Some("old"), None));
    assert!(group.instances.iter().all(|i| i.launch_configuration_name.as_deref() == Some("old")
        && i.instance_type.as_deref() == Some("t3.small")
        && i.launch_template.is_none()));
    let named = |name: &str| s::LaunchConfigurationNameType { launch_configuration_name: name.into() };
    let (code, text) = refusal(region.call::<ops::DeleteLaunchConfiguration>(named("old")));
    assert_eq!(code, "ResourceInUse");
    assert!(text.contains("attached to AutoScalingGroup g"), "{text}");
    let update = s::UpdateAutoScalingGroupType {
        auto_scaling_group_name: "g".into(),
        launch_template: Some(s::LaunchTemplateSpecification { launch_template_name: Some("web".into()), ..Default::default() }),
        desired_capacity: Some(3),
        ..Default::default()
    };
    region.call::<ops::UpdateAutoScalingGroup>(update).unwrap();
    region.play();
    let from_template = region.members().into_iter().filter(|m| m.template.is_some()).count();
    assert_eq!((region.members().len(), from_template), (3, 1));
    region.call::<ops::DeleteLaunchConfiguration>(named("old")).unwrap();
    let input = s::SetDesiredCapacityType { auto_scaling_group_name: "g".into(), desired_capacity: 1, ..Default::default() };
    region.call::<ops::SetDesiredCapacity>(input).unwrap();
    region.play();
    assert!(region.members()[0].template.is_some(), "launch configurations go before launch templates");
}

#[test]
fn bad_configurations_are_refused() {
    let mut region = Region::new();
    region.call::<ops::CreateLaunchConfiguration>(configuration("c")).unwrap();
    assert_eq!(refusal(region.call::<ops::CreateLaunchConfiguration>(configuration("c"))).0, "AlreadyExists");
    let mut check = |change: &dyn Fn(&mut s::CreateLaunchConfigurationType), expected: &str| {
        let mut create = configuration("d");
        change(&mut create);
        let (_, text) = refusal(region.call::<ops::CreateLaunchConfiguration>(create));
        assert!(text.contains(expected), "{text}");
    };
    check(&|c| c.image_id = None, "ImageId");
    check(&|c| c.image_id = Some("ami-1".into()), "ami-1");
    check(&|c| c.instance_type = Some("z9.huge".into()), "z9.huge");
    check(&|c| c.spot_price = Some("0.1".into()), "SpotPrice");
    check(&|c| c.key_name = Some("none".into()), "none");
    let shown = region.call::<ops::DescribeLaunchConfigurations>(Default::default()).unwrap().launch_configurations;
    assert_eq!(shown.len(), 1);
    assert_eq!(
        (shown[0].instance_type.as_str(), shown[0].instance_monitoring.clone().unwrap().enabled),
        ("t3.small", Some(true))
    );
    let mut both = crate::region::request(0);
    both.launch_configuration_name = Some("c".into());
    assert!(refusal(region.call::<ops::CreateAutoScalingGroup>(both)).1.starts_with("Valid requests must contain either"));
    let mut unknown = crate::region::request(0);
    (unknown.launch_template, unknown.launch_configuration_name) = (None, Some("x".into()));
    assert!(refusal(region.call::<ops::CreateAutoScalingGroup>(unknown)).1.starts_with("Launch configuration name not found"));
}

#[test]
fn lifetimes_are_a_day_to_a_year() {
    let mut region = Region::new();
    region.group(2, |r| r.max_instance_lifetime = Some(86_400));
    let first = region.in_service();
    region.pass(1);
    let mut update = s::UpdateAutoScalingGroupType {
        auto_scaling_group_name: "g".into(),
        max_instance_lifetime: Some(3_600),
        ..Default::default()
    };
    assert!(refusal(region.call::<ops::UpdateAutoScalingGroup>(update.clone())).1.contains("86400"));
    region.now = region.now + std::time::Duration::from_secs(86_400);
    region.settle();
    assert_eq!(region.in_service().intersection(&first).count(), 1, "one after the other");
    region.pass(3);
    assert_eq!((region.in_service().len(), region.in_service().intersection(&first).count()), (2, 0));
    assert!(region.told(2)[0].1.contains("maximum instance lifetime"), "{:?}", region.told(2));
    update.max_instance_lifetime = Some(0);
    region.call::<ops::UpdateAutoScalingGroup>(update).unwrap();
    assert_eq!(region.row().max_instance_lifetime_s, None);
}
