//! Instances from `RunInstances` to their end.

use std::time::Duration;

use base::{Fault, InstanceId};
use kernel::Wanted;
use shapes::ec2 as s;
use shapes::ec2::ops;
use world::{Exit, Image, InstanceState, Power, Slot, SlotKind};

use crate::region::Region;

fn request(count: i64) -> s::RunInstancesRequest {
    s::RunInstancesRequest {
        image_id: Some("ami-host".into()),
        instance_type: Some("t3.micro".into()),
        min_count: count,
        max_count: count,
        ..Default::default()
    }
}

fn run(region: &mut Region, request: s::RunInstancesRequest) -> Vec<String> {
    let answer = region.call::<ops::RunInstances>(request).unwrap();
    answer.instances.into_iter().map(|i| i.instance_id.unwrap()).collect()
}

fn run_one(region: &mut Region) -> String {
    run(region, request(1)).pop().unwrap()
}

fn describe(region: &mut Region, id: &str) -> s::Instance {
    let input = s::DescribeInstancesRequest { instance_ids: vec![id.into()], ..Default::default() };
    let mut answer = region.call::<ops::DescribeInstances>(input).unwrap();
    answer.reservations.pop().unwrap().instances.pop().unwrap()
}

fn state(region: &mut Region, id: &str) -> String {
    describe(region, id).state.unwrap().name.unwrap()
}

fn code(outcome: Result<impl std::fmt::Debug, Fault>) -> String {
    outcome.unwrap_err().code.to_string()
}

fn terminate(region: &mut Region, id: &str) -> Result<s::TerminateInstancesResult, Fault> {
    region.call::<ops::TerminateInstances>(s::TerminateInstancesRequest { instance_ids: vec![id.into()], ..Default::default() })
}

#[test]
fn an_instance_is_wished_observed_and_running() {
    let mut region = Region::new();
    let mut input = request(1);
    input.user_data = Some("IyEvYmluL3NoCmVjaG8gaGk=".into());
    let id = run(&mut region, input).pop().unwrap();
    assert_eq!(state(&mut region, &id), "pending");
    let wish = region.wish(&id).unwrap();
    assert_eq!((wish.generation, wish.power, &wish.image), (1, Power::On, &Image::Host));
    assert_eq!((wish.cpu_millicores, wish.memory_bytes), (500, 1 << 30));
    assert_eq!(wish.user_data.as_deref(), Some(b"#!/bin/sh\necho hi".as_slice()));
    assert_eq!(wish.metadata.entries["meta-data/instance-id"], id);
    assert_eq!(wish.metadata.entries["meta-data/local-ipv4"], wish.interface.address.to_string());
    region.apply(&id);
    region.running(&id);
    let shown = describe(&mut region, &id);
    assert_eq!(shown.state.unwrap().code, Some(16));
    assert_eq!(shown.private_ip_address.unwrap(), wish.interface.address.to_string());
    assert!(region.state().get::<Wanted>(&Slot::new(SlotKind::Instance, id.as_str())).unwrap().applied);
}

#[test]
fn a_restarted_region_wishes_nothing_new() {
    let mut region = Region::new();
    let id = run_one(&mut region);
    region.apply(&id);
    region.running(&id);
    let digest = region.kernel.digest();
    region.reopen();
    assert_eq!(region.kernel.digest(), digest);
    assert_eq!(state(&mut region, &id), "running");
}

#[test]
fn stop_start_and_reboot_count_boots() {
    let mut region = Region::new();
    let id = run_one(&mut region);
    region.running(&id);
    let ids = vec![id.clone()];
    region.call::<ops::StopInstances>(s::StopInstancesRequest { instance_ids: ids.clone(), ..Default::default() }).unwrap();
    assert_eq!((state(&mut region, &id).as_str(), region.wish(&id).unwrap().power), ("stopping", Power::Off));
    assert_eq!(
        code(region.call::<ops::StartInstances>(s::StartInstancesRequest { instance_ids: ids.clone(), ..Default::default() })),
        "IncorrectInstanceState"
    );
    region.stopped(&id, Exit::Asked);
    let shown = describe(&mut region, &id);
    assert_eq!(shown.state.unwrap().name.unwrap(), "stopped");
    assert_eq!(shown.state_reason.unwrap().code.unwrap(), "Client.UserInitiatedShutdown");
    assert!(shown.state_transition_reason.unwrap().starts_with("User initiated (20"));
    region.call::<ops::StartInstances>(s::StartInstancesRequest { instance_ids: ids.clone(), ..Default::default() }).unwrap();
    assert_eq!((state(&mut region, &id).as_str(), region.wish(&id).unwrap().generation), ("pending", 2));
    region.report_boot(&id, 1, InstanceState::Running);
    assert_eq!(state(&mut region, &id), "pending", "an older boot's report counts no more");
    region.running(&id);
    region.call::<ops::RebootInstances>(s::RebootInstancesRequest { instance_ids: ids, ..Default::default() }).unwrap();
    assert_eq!((state(&mut region, &id).as_str(), region.wish(&id).unwrap().generation), ("running", 3));
}

#[test]
fn a_terminated_instance_gives_its_address_back_and_is_forgotten_after_an_hour() {
    let mut region = Region::new();
    let id = run_one(&mut region);
    region.running(&id);
    let address = region.wish(&id).unwrap().interface.address;
    terminate(&mut region, &id).unwrap();
    assert_eq!(state(&mut region, &id), "shutting-down");
    let mut again = request(1);
    again.private_ip_address = Some(address.to_string());
    again.subnet_id = Some(region.default_subnet("eu-central-1a").to_string());
    assert_eq!(code(region.call::<ops::RunInstances>(again.clone())), "InvalidIPAddress.InUse");
    region.apply(&id);
    let shown = describe(&mut region, &id);
    assert_eq!((shown.state.unwrap().code, shown.private_ip_address, shown.vpc_id), (Some(48), None, None));
    assert!(terminate(&mut region, &id).is_ok(), "once more does no harm");
    run(&mut region, again);
    region.pass(Duration::from_secs(3_599));
    assert_eq!(state(&mut region, &id), "terminated");
    region.pass(Duration::from_secs(1));
    assert_eq!(
        code(region.call::<ops::DescribeInstances>(s::DescribeInstancesRequest { instance_ids: vec![id], ..Default::default() })),
        "InvalidInstanceID.NotFound"
    );
}

#[test]
fn an_instance_that_ends_itself_stops_or_terminates_as_it_was_told() {
    for (behavior, exit, expected) in [
        (None, Exit::Poweroff, "stopped"),
        (Some("stop"), Exit::Signal(9), "stopped"),
        (Some("terminate"), Exit::Status(1), "shutting-down"),
        (Some("terminate"), Exit::Reboot, "running"),
    ] {
        let mut region = Region::new();
        let mut input = request(1);
        input.instance_initiated_shutdown_behavior = behavior.map(Into::into);
        let id = run(&mut region, input).pop().unwrap();
        region.running(&id);
        region.stopped(&id, exit);
        assert_eq!(state(&mut region, &id), expected, "{behavior:?} {exit:?}");
        if expected == "stopped" {
            assert_eq!(region.wish(&id).unwrap().power, Power::Off, "it is not started again");
            assert_eq!(describe(&mut region, &id).state_reason.unwrap().code.unwrap(), "Client.InstanceInitiatedShutdown");
        }
    }
}

#[test]
fn a_failed_or_refused_start_terminates_with_its_reason() {
    for refused in [true, false] {
        let mut region = Region::new();
        let id = run_one(&mut region);
        match refused {
            true => region.refuse(&id, "no room"),
            false => region.report(&id, InstanceState::Failed { reason: "no room".into() }),
        }
        assert_eq!(state(&mut region, &id), "shutting-down");
        region.apply(&id);
        let reason = describe(&mut region, &id).state_reason.unwrap();
        assert_eq!(reason.code.unwrap(), "Server.InternalError");
        assert!(reason.message.unwrap().contains("no room"));
    }
}

#[test]
fn a_client_token_makes_a_launch_happen_once() {
    let mut region = Region::new();
    let mut input = request(2);
    input.client_token = Some("token-1".into());
    let first = run(&mut region, input.clone());
    assert_eq!(run(&mut region, input.clone()), first);
    input.instance_type = Some("t3.small".into());
    assert_eq!(code(region.call::<ops::RunInstances>(input)), "IdempotentParameterMismatch");
    assert_eq!(region.state().count::<ec2::Instance>(), 2);
}

#[test]
fn a_volume_that_is_asked_for_twice_is_shown_once() {
    let mut region = Region::new();
    let id = run_one(&mut region);
    let volume = region.state().get::<ec2::Instance>(&id.into()).unwrap().root.id.to_string();
    let input = s::DescribeVolumesRequest { volume_ids: vec![volume.clone(), volume], ..Default::default() };
    assert_eq!(region.call::<ops::DescribeVolumes>(input).unwrap().volumes.len(), 1);
}

/// Makes a good request bad.
type Spoil = Box<dyn Fn(&mut s::RunInstancesRequest)>;

#[test]
fn bad_launches_change_nothing_and_say_what_is_wrong() {
    let mut region = Region::new();
    let before = region.kernel.digest();
    let cases: Vec<(&str, Spoil)> = vec![
        ("InvalidAMIID.NotFound", Box::new(|r| r.image_id = Some("ami-0123".into()))),
        ("InvalidAMIID.Malformed", Box::new(|r| r.image_id = Some("nonsense".into()))),
        ("MissingParameter", Box::new(|r| r.image_id = None)),
        ("InvalidParameterValue", Box::new(|r| r.instance_type = Some("t3.mega".into()))),
        ("InvalidParameterValue", Box::new(|r| r.instance_type = Some("t4g.micro".into()))),
        ("InvalidSubnetID.NotFound", Box::new(|r| r.subnet_id = Some("subnet-0123".into()))),
        ("InvalidGroup.NotFound", Box::new(|r| r.security_group_ids = vec!["sg-0123".into()])),
        ("InvalidGroup.NotFound", Box::new(|r| r.security_groups = vec!["nobody".into()])),
        ("InvalidKeyPair.NotFound", Box::new(|r| r.key_name = Some("nobody".into()))),
        ("InvalidUserData.Malformed", Box::new(|r| r.user_data = Some("#!/bin/sh".into()))),
        ("InvalidParameterValue", Box::new(|r| r.user_data = Some("A".repeat(30_000)))),
        ("InvalidParameterValue", Box::new(|r| r.min_count = 0)),
        ("InvalidParameterCombination", Box::new(|r| r.min_count = 2)),
        ("UnsupportedOperation", Box::new(|r| r.instance_market_options = Some(Default::default()))),
        ("DryRunOperation", Box::new(|r| r.dry_run = Some(true))),
        ("InvalidParameterValue", Box::new(|r| r.private_ip_address = Some("1.2.3".into()))),
        (
            "InvalidLaunchTemplateName.NotFoundException",
            Box::new(|r| {
                r.launch_template =
                    Some(s::LaunchTemplateSpecification { launch_template_name: Some("none".into()), ..Default::default() });
            }),
        ),
    ];
    for (expected, spoil) in cases {
        let mut input = request(1);
        spoil(&mut input);
        assert_eq!(code(region.call::<ops::RunInstances>(input)), expected);
        assert_eq!(region.kernel.digest(), before, "{expected}");
    }
}

#[test]
fn protection_and_attributes() {
    let mut region = Region::new();
    let mut input = request(1);
    input.disable_api_termination = Some(true);
    let id = run(&mut region, input).pop().unwrap();
    region.running(&id);
    assert_eq!(code(terminate(&mut region, &id)), "OperationNotPermitted");
    let change = |id: &str| s::ModifyInstanceAttributeRequest { instance_id: id.into(), ..Default::default() };
    let resize = s::ModifyInstanceAttributeRequest {
        instance_type: Some(s::AttributeValue { value: Some("t3.small".into()) }),
        ..change(&id)
    };
    assert_eq!(code(region.call::<ops::ModifyInstanceAttribute>(resize.clone())), "IncorrectInstanceState");
    region.call::<ops::StopInstances>(s::StopInstancesRequest { instance_ids: vec![id.clone()], ..Default::default() }).unwrap();
    region.stopped(&id, Exit::Asked);
    region.call::<ops::ModifyInstanceAttribute>(resize).unwrap();
    assert_eq!(region.wish(&id).unwrap().memory_bytes, 2 << 30);
    let unprotect = s::ModifyInstanceAttributeRequest {
        disable_api_termination: Some(s::AttributeBooleanValue { value: Some(false) }),
        ..change(&id)
    };
    region.call::<ops::ModifyInstanceAttribute>(unprotect).unwrap();
    terminate(&mut region, &id).unwrap();
}

#[test]
fn an_attribute_may_be_named_with_its_value_in_text() {
    let mut region = Region::new();
    let id = run(&mut region, request(1)).pop().unwrap();
    let set = |region: &mut Region, attribute: &str, value: &str| {
        region.call::<ops::ModifyInstanceAttribute>(s::ModifyInstanceAttributeRequest {
            instance_id: id.clone(),
            attribute: Some(attribute.into()),
            value: Some(value.into()),
            ..Default::default()
        })
    };
    let told = |region: &mut Region, attribute: &str| {
        let input =
            s::DescribeInstanceAttributeRequest { instance_id: id.clone(), attribute: attribute.into(), ..Default::default() };
        region.call::<ops::DescribeInstanceAttribute>(input).unwrap()
    };
    set(&mut region, "disableApiTermination", "true").unwrap();
    for value in ["yes", "True", ""] {
        assert_eq!(code(set(&mut region, "disableApiTermination", value)), "InvalidParameterValue", "{value}");
    }
    assert_eq!(told(&mut region, "disableApiTermination").disable_api_termination.unwrap().value, Some(true));
    set(&mut region, "sourceDestCheck", "false").unwrap();
    assert_eq!(told(&mut region, "sourceDestCheck").source_dest_check.unwrap().value, Some(false));
}

#[test]
fn a_template_gives_what_the_request_does_not() {
    let mut region = Region::new();
    let data = s::RequestLaunchTemplateData {
        image_id: Some("ami-host".into()),
        instance_type: Some("t3.small".into()),
        tag_specifications: vec![s::LaunchTemplateTagSpecificationRequest {
            resource_type: Some("instance".into()),
            tags: vec![s::Tag { key: Some("Name".into()), value: Some("web".into()) }],
        }],
        ..Default::default()
    };
    let create =
        s::CreateLaunchTemplateRequest { launch_template_name: "web".into(), launch_template_data: data, ..Default::default() };
    let template = region.call::<ops::CreateLaunchTemplate>(create).unwrap().launch_template.unwrap();
    let second = s::CreateLaunchTemplateVersionRequest {
        launch_template_name: Some("web".into()),
        source_version: Some("1".into()),
        launch_template_data: s::RequestLaunchTemplateData { instance_type: Some("t3.nano".into()), ..Default::default() },
        ..Default::default()
    };
    region.call::<ops::CreateLaunchTemplateVersion>(second).unwrap();
    for (version, expected) in
        [(None, "t3.small"), (Some("$Latest"), "t3.nano"), (Some("$Default"), "t3.small"), (Some("2"), "t3.nano")]
    {
        let input = s::RunInstancesRequest {
            min_count: 1,
            max_count: 1,
            launch_template: Some(s::LaunchTemplateSpecification {
                launch_template_id: template.launch_template_id.clone(),
                version: version.map(Into::into),
                ..Default::default()
            }),
            ..Default::default()
        };
        let id = run(&mut region, input).pop().unwrap();
        let shown = describe(&mut region, &id);
        assert_eq!(shown.instance_type.as_deref(), Some(expected), "{version:?}");
        assert_eq!(shown.tags[0].value.as_deref(), Some("web"));
    }
}

#[test]
fn instances_are_found_by_filters_and_pages() {
    let mut region = Region::new();
    let ids = run(&mut region, request(7));
    region.running(&ids[0]);
    let find = |region: &mut Region, name: &str, value: &str| {
        let filters = vec![s::Filter { name: Some(name.into()), values: vec![value.into()] }];
        let answer =
            region.call::<ops::DescribeInstances>(s::DescribeInstancesRequest { filters, ..Default::default() }).unwrap();
        answer.reservations.iter().map(|r| r.instances.len()).sum::<usize>()
    };
    assert_eq!(find(&mut region, "instance-state-name", "running"), 1);
    assert_eq!(find(&mut region, "instance-type", "t3.*"), 7);
    assert_eq!(find(&mut region, "instance-id", &ids[3]), 1);
    assert_eq!(find(&mut region, "instance.group-name", "default"), 7);
    let (mut seen, mut token) = (Vec::new(), None);
    loop {
        let input = s::DescribeInstancesRequest { max_results: Some(5), next_token: token, ..Default::default() };
        let answer = region.call::<ops::DescribeInstances>(input).unwrap();
        seen.extend(answer.reservations.into_iter().flat_map(|r| r.instances).map(|i| InstanceId::from(i.instance_id.unwrap())));
        token = answer.next_token;
        if token.is_none() {
            break;
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 7);
}

#[test]
fn of_very_many_ended_instances_the_oldest_are_forgotten_before_their_hour() {
    let mut region = Region::new();
    let first = run_one(&mut region);
    let ended = |region: &Region| region.state().count_where::<ec2::Instance>("state", "terminated");
    let mut ids = vec![first.clone()];
    for _ in 0..=50 {
        for id in &ids {
            terminate(&mut region, id).unwrap();
            region.apply(id);
        }
        region.pass(Duration::from_millis(1));
        ids = run(&mut region, request(100));
    }
    assert_eq!(ended(&region), 5_000);
    assert!(!region.state().rows::<ec2::Instance>().any(|i| *i.id == *first), "it ended before all others");
    assert_eq!(state(&mut region, &ids[0]), "pending");
    // One turn of reconciliation is bounded.
    (0..2).for_each(|_| region.pass(Duration::from_secs(3_600)));
    assert_eq!(ended(&region), 0);
}
