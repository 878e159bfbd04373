//! Launch templates, instances and key pairs as the stack engine calls them, and the images that stacks name.

use base::{Fault, Tags};
use ec2::compute::{Instance, KeyPair, LaunchTemplate};
use ec2::{InstanceState, tags};
use kernel::{Progress, ResourceRequest, StackResource};
use serde_json::{Value as Json, json};
use shapes::ec2 as s;
use shapes::ec2::ops;
use shapes::{iam as i, ssm as p};
use world::Exit;

use crate::region::Region;

const INSTANCE: &str = "AWS::EC2::Instance";
const TEMPLATE: &str = "AWS::EC2::LaunchTemplate";
const KEY_PAIR: &str = "AWS::EC2::KeyPair";
const TYPE: &str = if cfg!(target_arch = "aarch64") { "t4g.micro" } else { "t3.micro" };
const TYPE_2: &str = if cfg!(target_arch = "aarch64") { "t4g.small" } else { "t3.small" };

/// One type's calls, each in a transaction of its own.
struct Calls<'a> {
    region: &'a mut Region,
    type_name: &'static str,
}

fn of<'a>(region: &'a mut Region, type_name: &'static str) -> Calls<'a> {
    Calls { region, type_name }
}

fn with_request<T>(properties: &Json, work: impl FnOnce(&ResourceRequest) -> T) -> T {
    let tags = Tags::from([("aws:cloudformation:stack-name".to_string(), "web".to_string())]);
    work(&ResourceRequest {
        stack_id: "arn:stack",
        stack_name: "web",
        logical_id: "Thing",
        properties,
        tags: &tags,
        old_tags: None,
        creation_policy: None,
        update_policy: None,
    })
}

impl Calls<'_> {
    fn run<T>(
        &mut self,
        work: impl FnOnce(&dyn StackResource, &mut kernel::Tx, &kernel::Cx) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let name = self.type_name;
        self.region.run(|tx, cx| work(tx.registry().stack_resource(name).unwrap(), tx, cx))
    }

    fn create(&mut self, properties: &Json) -> Result<String, Fault> {
        self.run(|resource, tx, cx| with_request(properties, |r| resource.create(tx, cx, r)))
    }

    fn update(&mut self, id: &str, old: &Json, properties: &Json) -> Result<(), Fault> {
        self.run(|resource, tx, cx| with_request(properties, |r| resource.update(tx, cx, id, old, r)))
    }

    fn progress(&mut self, id: &str) -> Progress {
        let none = json!({});
        self.run(|resource, tx, cx| with_request(&none, |r| Ok(resource.progress(tx, cx, id, r)))).unwrap()
    }

    fn delete(&mut self, id: &str) -> Result<Progress, Fault> {
        self.run(|resource, tx, cx| resource.delete(tx, cx, id))
    }

    fn attribute(&mut self, id: &str, name: &str) -> String {
        let value = self.run(|resource, tx, cx| resource.attribute(tx, cx, id, name)).unwrap();
        value.as_str().unwrap().into()
    }
}

fn machine(more: Json) -> Json {
    let mut properties = json!({ "ImageId": "ami-host", "InstanceType": TYPE });
    properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    properties
}

fn instance<'a>(region: &'a Region, id: &str) -> &'a Instance {
    region.state().get::<Instance>(&id.into()).unwrap()
}

/// Makes an instance and lets it come up.
fn running(region: &mut Region, properties: &Json) -> String {
    let id = of(region, INSTANCE).create(properties).unwrap();
    assert_eq!(of(region, INSTANCE).progress(&id), Progress::Pending);
    region.running(&id);
    assert_eq!(of(region, INSTANCE).progress(&id), Progress::Ready);
    id
}

fn failed(progress: Progress) -> String {
    match progress {
        Progress::Failed(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_instance_is_made_shown_and_deleted_once_it_is_gone() {
    let mut region = Region::new();
    let subnet = region.default_subnet("eu-central-1b");
    let id = running(
        &mut region,
        &machine(json!({
            "SubnetId": subnet.as_str(),
            "UserData": "IyEvYmluL3NoCg==",
            "Monitoring": true,
            "SourceDestCheck": false,
            "PropagateTagsToVolumeOnCreation": true,
            "Tags": [{ "Key": "Name", "Value": "web-1" }],
        })),
    );
    assert_eq!(region.wish(&id).unwrap().user_data.as_deref(), Some(b"#!/bin/sh\n".as_slice()));
    assert!(!region.wish(&id).unwrap().interface.source_dest_check);
    let shown = instance(&region, &id).clone();
    let kept = tags::of(region.state(), &id);
    assert_eq!(kept.get("Name").map(String::as_str), Some("web-1"));
    assert_eq!(kept.get("aws:cloudformation:stack-name").map(String::as_str), Some("web"));
    assert_eq!(tags::of(region.state(), &shown.root.id).len(), 1);
    for (name, expected) in [
        ("InstanceId", id.clone()),
        ("AvailabilityZone", "eu-central-1b".into()),
        ("PrivateIp", shown.address.to_string()),
        ("PrivateDnsName", shown.private_dns_name("eu-central-1")),
        ("VpcId", shown.vpc.to_string()),
        ("PublicIp", String::new()),
        ("State.Name", "running".into()),
        ("State.Code", "16".into()),
    ] {
        assert_eq!(of(&mut region, INSTANCE).attribute(&id, name), expected, "{name}");
    }
    assert_eq!(of(&mut region, INSTANCE).delete(&id).unwrap(), Progress::Pending);
    assert_eq!(of(&mut region, INSTANCE).delete(&id).unwrap(), Progress::Pending);
    region.apply(&id);
    assert_eq!(instance(&region, &id).state(), InstanceState::Terminated);
    assert_eq!(of(&mut region, INSTANCE).delete(&id).unwrap(), Progress::Ready);
    assert_eq!(of(&mut region, INSTANCE).delete("i-0123456789abcdef0").unwrap(), Progress::Ready);
}

#[test]
fn an_instance_that_does_not_come_up_fails_with_its_reason() {
    let mut region = Region::new();
    let make = |region: &mut Region| of(region, INSTANCE).create(&machine(json!({}))).unwrap();
    let refused = make(&mut region);
    region.refuse(&refused, "no memory left");
    assert!(failed(of(&mut region, INSTANCE).progress(&refused)).contains("no memory left"));

    let ended = make(&mut region);
    region.running(&ended);
    region.stopped(&ended, Exit::Status(1));
    assert!(failed(of(&mut region, INSTANCE).progress(&ended)).contains("did not stabilize"));

    let by_user = make(&mut region);
    region.running(&by_user);
    let stop = s::StopInstancesRequest { instance_ids: vec![by_user.clone()], ..Default::default() };
    region.call::<ops::StopInstances>(stop).unwrap();
    region.stopped(&by_user, Exit::Asked);
    assert_eq!(of(&mut region, INSTANCE).progress(&by_user), Progress::Ready);

    let terminated = make(&mut region);
    let end = s::TerminateInstancesRequest { instance_ids: vec![terminated.clone()], ..Default::default() };
    region.call::<ops::TerminateInstances>(end).unwrap();
    assert!(failed(of(&mut region, INSTANCE).progress(&terminated)).contains("shutting-down"));
}

#[test]
fn what_is_read_at_boot_is_changed_with_a_restart_and_the_rest_is_not() {
    let mut region = Region::new();
    let first = machine(json!({ "Tags": [{ "Key": "a", "Value": "1" }] }));
    let id = running(&mut region, &first);
    region.pass(std::time::Duration::from_secs(90));

    let second = machine(json!({
        "Tags": [{ "Key": "b", "Value": "2" }],
        "DisableApiTermination": true,
        "MetadataOptions": { "HttpTokens": "required" },
    }));
    of(&mut region, INSTANCE).update(&id, &first, &second).unwrap();
    assert_eq!(of(&mut region, INSTANCE).progress(&id), Progress::Ready);
    assert!(region.wish(&id).unwrap().metadata.tokens_required);
    let kept: Vec<_> = tags::of(region.state(), &id).keys().cloned().collect();
    assert_eq!(kept, ["aws:cloudformation:stack-name", "b"]);
    let fault = of(&mut region, INSTANCE).delete(&id).unwrap_err();
    assert_eq!(fault.code, "OperationNotPermitted");

    let mut third = first.clone();
    third["InstanceType"] = TYPE_2.into();
    third["UserData"] = "aGVsbG8=".into();
    of(&mut region, INSTANCE).update(&id, &second, &third).unwrap();
    assert_eq!(of(&mut region, INSTANCE).progress(&id), Progress::Pending);
    let wish = region.wish(&id).unwrap();
    assert_eq!((wish.generation, wish.user_data.as_deref()), (2, Some(b"hello".as_slice())));
    assert!(!wish.metadata.tokens_required);
    region.running(&id);
    assert_eq!(of(&mut region, INSTANCE).progress(&id), Progress::Ready);
    assert_eq!(instance(&region, &id).instance_type, TYPE_2);

    // The way back from an update that was refused finds everything as it was, and restarts nothing.
    let mut bad = third.clone();
    bad["InstanceType"] = "huge.one".into();
    assert!(of(&mut region, INSTANCE).update(&id, &third, &bad).is_err());
    let mut never = third.clone();
    never["InstanceType"] = TYPE.into();
    of(&mut region, INSTANCE).update(&id, &never, &third).unwrap();
    assert_eq!(instance(&region, &id).generation, 2);
    assert_eq!(of(&mut region, INSTANCE).delete(&id).unwrap(), Progress::Pending);
}

#[test]
fn bad_properties_of_an_instance_change_nothing() {
    let mut region = Region::new();
    for (properties, code) in [
        (json!({ "InstanceType": TYPE }), "MissingParameter"),
        (machine(json!({ "ImageId": "ami-0123456789abcdef0" })), "InvalidAMIID.NotFound"),
        (machine(json!({ "SubnetId": "subnet-0123456789abcdef0" })), "InvalidSubnetID.NotFound"),
        (machine(json!({ "IamInstanceProfile": "nobody" })), "InvalidParameterValue"),
        (machine(json!({ "KeyName": "nokey" })), "InvalidKeyPair.NotFound"),
        (machine(json!({ "UserData": "#!" })), "InvalidUserData.Malformed"),
        (machine(json!({ "EnclaveOptions": { "Enabled": true } })), "UnsupportedOperation"),
        (machine(json!({ "Tenancy": "host" })), "UnsupportedOperation"),
        (machine(json!({ "Tags": [{ "Key": "aws:x", "Value": "1" }] })), "InvalidParameterValue"),
        (
            machine(json!({ "NetworkInterfaces": [{ "DeviceIndex": 0 }], "SecurityGroupIds": ["sg-1"] })),
            "InvalidParameterCombination",
        ),
        (
            machine(json!({ "LaunchTemplate": { "LaunchTemplateName": "none", "Version": "1" } })),
            "InvalidLaunchTemplateName.NotFoundException",
        ),
    ] {
        assert_eq!(of(&mut region, INSTANCE).create(&properties).unwrap_err().code, code, "{properties}");
    }
    assert_eq!(region.state().count::<Instance>(), 0);
}

#[test]
fn a_launch_template_gets_a_version_with_each_change() {
    let mut region = Region::new();
    let data = |instance_type: &str| {
        json!({ "LaunchTemplateData": {
            "ImageId": "ami-host",
            "InstanceType": instance_type,
            "TagSpecifications": [{ "ResourceType": "instance", "Tags": [{ "Key": "Name", "Value": "web" }] }],
        } })
    };
    let (first, second) = (data(TYPE), data(TYPE_2));
    let id = of(&mut region, TEMPLATE).create(&first).unwrap();
    let name = region.state().get::<LaunchTemplate>(&id.as_str().into()).unwrap().name.clone();
    assert!(name.starts_with("web-Thing-"), "{name}");
    let numbers = |region: &mut Region| {
        ["LaunchTemplateId", "LatestVersionNumber", "DefaultVersionNumber"].map(|n| of(region, TEMPLATE).attribute(&id, n))
    };
    assert_eq!(numbers(&mut region), [id.as_str(), "1", "1"]);
    of(&mut region, TEMPLATE).update(&id, &first, &second).unwrap();
    assert_eq!(numbers(&mut region), [id.as_str(), "2", "1"]);

    // Tags alone make no version, and neither does the way back from a refused change.
    let mut tagged = second.clone();
    tagged["TagSpecifications"] = json!([{ "ResourceType": "launch-template", "Tags": [{ "Key": "team", "Value": "blue" }] }]);
    of(&mut region, TEMPLATE).update(&id, &second, &tagged).unwrap();
    of(&mut region, TEMPLATE).update(&id, &data("huge.one"), &tagged).unwrap();
    assert_eq!(numbers(&mut region), [id.as_str(), "2", "1"]);
    assert_eq!(tags::of(region.state(), &id).get("team").map(String::as_str), Some("blue"));
    assert!(of(&mut region, TEMPLATE).update(&id, &tagged, &data("huge.one")).is_err());

    let from = |version: &str| json!({ "LaunchTemplate": { "LaunchTemplateId": id, "Version": version } });
    let launched = running(&mut region, &from("2"));
    assert_eq!(instance(&region, &launched).instance_type, TYPE_2);
    assert_eq!(tags::of(region.state(), &launched).get("Name").map(String::as_str), Some("web"));
    let own = running(&mut region, &json!({ "InstanceType": TYPE, "LaunchTemplate": from("2")["LaunchTemplate"] }));
    assert_eq!(instance(&region, &own).instance_type, TYPE);

    for _ in 0..2 {
        assert_eq!(of(&mut region, TEMPLATE).delete(&id).unwrap(), Progress::Ready);
    }
    assert!(region.state().get::<LaunchTemplate>(&id.as_str().into()).is_none());
}

#[test]
fn a_key_pair_needs_its_public_key() {
    let mut region = Region::new();
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@example.com";
    let id = of(&mut region, KEY_PAIR).create(&json!({ "KeyName": "me", "PublicKeyMaterial": key })).unwrap();
    assert_eq!(id, "me");
    assert!(of(&mut region, KEY_PAIR).attribute(&id, "KeyPairId").starts_with("key-"));
    assert_eq!(of(&mut region, KEY_PAIR).attribute(&id, "KeyFingerprint").len(), 44);
    let fault = of(&mut region, KEY_PAIR).create(&json!({ "KeyName": "other" })).unwrap_err();
    assert_eq!(fault.code, "UnsupportedOperation");
    running(&mut region, &machine(json!({ "KeyName": "me" })));
    assert_eq!(of(&mut region, KEY_PAIR).delete(&id).unwrap(), Progress::Ready);
    assert_eq!(region.state().count::<KeyPair>(), 0);
}

#[test]
fn images_are_resolved_through_parameters() {
    let mut region = Region::new();
    let public = format!(
        "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{}",
        if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }
    );
    let id = running(&mut region, &machine(json!({ "ImageId": public })));
    assert_eq!(&*instance(&region, &id).image, "ami-host");

    let register =
        s::RegisterImageRequest { name: "web server".into(), image_location: Some("web-1".into()), ..Default::default() };
    let image = region.call::<ops::RegisterImage>(register).unwrap().image_id.unwrap();
    let named = machine(json!({ "ImageId": "resolve:ssm:/allod/images/web server" }));
    let id = running(&mut region, &named);
    assert_eq!(&*instance(&region, &id).image, image.as_str());

    let put = p::PutParameterRequest {
        name: "/web/image".into(),
        value: image.clone(),
        r#type: Some("String".into()),
        ..Default::default()
    };
    region.call::<p::ops::PutParameter>(put).unwrap();
    let id = running(&mut region, &machine(json!({ "ImageId": "resolve:ssm:/web/image:1" })));
    assert_eq!(&*instance(&region, &id).image, image.as_str());
    let missing = machine(json!({ "ImageId": "resolve:ssm:/web/image:2" }));
    assert_eq!(of(&mut region, INSTANCE).create(&missing).unwrap_err().code, "InvalidParameterValue");

    let deregister = s::DeregisterImageRequest { image_id: image, ..Default::default() };
    region.call::<ops::DeregisterImage>(deregister).unwrap();
    assert_eq!(ssm::resolve(region.state(), region.kernel.scope(), "/allod/images/web server"), None);
    assert!(of(&mut region, INSTANCE).create(&named).is_err());
}

#[test]
fn an_instance_profile_must_exist_and_is_named_either_way() {
    let mut region = Region::new();
    let create = i::CreateInstanceProfileRequest { instance_profile_name: "web".into(), ..Default::default() };
    let profile = region.call::<i::ops::CreateInstanceProfile>(create).unwrap().instance_profile;
    let first = machine(json!({ "IamInstanceProfile": "web" }));
    let id = running(&mut region, &first);
    assert_eq!(instance(&region, &id).profile.as_ref().unwrap().arn, profile.arn);
    of(&mut region, INSTANCE).update(&id, &first, &machine(json!({}))).unwrap();
    assert_eq!(instance(&region, &id).profile, None);

    let run = |arn: &str| s::RunInstancesRequest {
        image_id: Some("ami-host".into()),
        instance_type: Some(TYPE.into()),
        min_count: 1,
        max_count: 1,
        iam_instance_profile: Some(s::IamInstanceProfileSpecification { arn: Some(arn.into()), name: None }),
        ..Default::default()
    };
    let launched = region.call::<ops::RunInstances>(run(&profile.arn)).unwrap();
    assert_eq!(launched.instances[0].iam_instance_profile.as_ref().unwrap().arn.as_ref(), Some(&profile.arn));
    assert_eq!(region.call::<ops::RunInstances>(run(&format!("{}x", profile.arn))).unwrap_err().code, "InvalidParameterValue");
    let by_arn = machine(json!({ "IamInstanceProfile": profile.arn }));
    assert_eq!(of(&mut region, INSTANCE).create(&by_arn).unwrap_err().code, "InvalidParameterValue");
}
