//! Launch data out of a template's properties. `LaunchTemplateData` has the API's own form; an instance's properties
//! are brought into it. The schema has refused what this region does not have; what it ignores is left out here.

use serde_json::{Map, Value as Json, json};

use crate::compute::launch_data::LaunchData;
use crate::error::Error;
use crate::stack::read;

type Members = Map<String, Json>;

/// Members without an effect here, by where they stand.
const IGNORED: &[&str] = &["CapacityReservationSpecification", "NetworkPerformanceOptions"];
const IGNORED_EBS: &[&str] = &["KmsKeyId", "SnapshotId", "VolumeInitializationRate"];
const IGNORED_INTERFACE: &[&str] = &[
    "AssociateCarrierIpAddress",
    "ConnectionTrackingSpecification",
    "EnaQueueCount",
    "EnaSrdSpecification",
    "InterfaceType",
    "NetworkCardIndex",
    "PrimaryIpv6",
];
const IGNORED_PLACEMENT: &[&str] = &["Affinity", "PartitionNumber", "SpreadDomain"];

/// From `LaunchTemplateData`.
pub(super) fn of_template(data: &Json) -> Result<LaunchData, Error> {
    let mut data = data.as_object().cloned().unwrap_or_default();
    refuse_on(&mut data, "HibernationOptions", "Configured")?;
    refuse_on(&mut data, "EnclaveOptions", "Enabled")?;
    without(&mut data, IGNORED);
    if data.get("UserData").and_then(Json::as_str) == Some("") {
        data.shift_remove("UserData");
    }
    if let Some(devices) = data.get_mut("BlockDeviceMappings").and_then(Json::as_array_mut) {
        objects(devices).filter_map(|d| d.get_mut("Ebs")?.as_object_mut()).for_each(|ebs| without(ebs, IGNORED_EBS));
    }
    if let Some(interfaces) = data.get_mut("NetworkInterfaces").and_then(Json::as_array_mut) {
        objects(interfaces).for_each(|i| without(i, IGNORED_INTERFACE));
    }
    if let Some(placement) = data.get_mut("Placement").and_then(Json::as_object_mut) {
        without(placement, IGNORED_PLACEMENT);
    }
    let data: LaunchData = read(&Json::Object(data))?;
    data.validate()?;
    Ok(data)
}

/// Properties of `AWS::EC2::Instance` that are called and formed as in launch data.
const SAME: &[&str] = &[
    "BlockDeviceMappings",
    "DisableApiTermination",
    "EbsOptimized",
    "EnclaveOptions",
    "HibernationOptions",
    "ImageId",
    "InstanceInitiatedShutdownBehavior",
    "InstanceType",
    "KeyName",
    "MetadataOptions",
    "PrivateDnsNameOptions",
    "SecurityGroupIds",
    "SecurityGroups",
    "UserData",
];

/// From the properties of an instance.
pub(super) fn of_instance(properties: &Json) -> Result<LaunchData, Error> {
    let mut data = Members::new();
    let given = |name: &str| properties.get(name).cloned();
    for name in SAME {
        data.extend(given(name).map(|value| (name.to_string(), value)));
    }
    let mut put = |name: &str, member: &str, value: Option<Json>| {
        if let Some(value) = value {
            let inner = data.entry(name).or_insert_with(|| json!({}));
            inner[member] = value;
        }
    };
    put("Monitoring", "Enabled", given("Monitoring"));
    put("IamInstanceProfile", "Name", given("IamInstanceProfile"));
    put("Placement", "AvailabilityZone", given("AvailabilityZone"));
    put("Placement", "Tenancy", given("Tenancy"));
    put("CreditSpecification", "CpuCredits", properties.pointer("/CreditSpecification/CPUCredits").cloned());
    if let Some(Json::Array(mut interfaces)) = given("NetworkInterfaces") {
        for interface in objects(&mut interfaces) {
            if let Some(groups) = interface.shift_remove("GroupSet") {
                interface.insert("Groups".into(), groups);
            }
        }
        data.insert("NetworkInterfaces".into(), interfaces.into());
    }
    if let (Some(Json::Bool(true)), Some(tags)) = (given("PropagateTagsToVolumeOnCreation"), given("Tags")) {
        data.insert("TagSpecifications".into(), json!([{ "ResourceType": "volume", "Tags": tags }]));
    }
    of_template(&Json::Object(data))
}

fn objects(list: &mut [Json]) -> impl Iterator<Item = &mut Members> {
    list.iter_mut().filter_map(Json::as_object_mut)
}

fn without(members: &mut Members, names: &[&str]) {
    for name in names {
        members.shift_remove(*name);
    }
}

/// Takes away a feature that this region does not have; it must not be turned on.
fn refuse_on(members: &mut Members, feature: &str, switch: &str) -> Result<(), Error> {
    match members.shift_remove(feature).and_then(|f| f.get(switch)?.as_bool()) {
        Some(true) => Err(Error::Unsupported(format!("The parameter {feature} is not supported in this region."))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::{of_instance, of_template};

    #[test]
    fn template_data_loses_only_what_is_ignored() {
        let data = of_template(&json!({
            "ImageId": "ami-host",
            "UserData": "",
            "HibernationOptions": { "Configured": false },
            "CapacityReservationSpecification": { "CapacityReservationPreference": "open" },
            "BlockDeviceMappings": [
                { "DeviceName": "/dev/xvda", "Ebs": { "VolumeSize": 20, "KmsKeyId": "alias/x" } },
                { "DeviceName": "/dev/sdb", "NoDevice": "" },
            ],
            "NetworkInterfaces": [{ "DeviceIndex": 0, "Groups": ["sg-1"], "InterfaceType": "interface", "NetworkCardIndex": 0 }],
            "Placement": { "AvailabilityZone": "eu-central-1a", "Affinity": "default" },
        }))
        .unwrap();
        assert_eq!(data.user_data, None);
        assert_eq!(data.block_device_mappings.iter().filter(|d| d.is_volume()).count(), 1);
        assert_eq!(data.block_device_mappings[0].ebs.as_ref().unwrap().volume_size, Some(20));
        assert_eq!(data.network_interfaces[0].groups.len(), 1);
        for bad in [
            json!({ "HibernationOptions": { "Configured": true } }),
            json!({ "InstanceType": "huge.one" }),
            json!({ "UserData": "#!/bin/sh" }),
            json!({ "KernelId": "aki-1" }),
        ] {
            assert!(of_template(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_instances_properties_become_launch_data() {
        let data = of_instance(&json!({
            "ImageId": "ami-host",
            "SubnetId": "subnet-1",
            "Monitoring": true,
            "IamInstanceProfile": "web",
            "Tenancy": "default",
            "AvailabilityZone": "eu-central-1b",
            "CreditSpecification": { "CPUCredits": "unlimited" },
            "NetworkInterfaces": [{ "DeviceIndex": 0, "GroupSet": ["sg-1"] }],
            "PropagateTagsToVolumeOnCreation": true,
            "Tags": [{ "Key": "Name", "Value": "web" }],
        }))
        .unwrap();
        assert!(data.monitoring.as_ref().unwrap().enabled);
        assert_eq!(data.iam_instance_profile.as_ref().unwrap().name.as_deref(), Some("web"));
        assert_eq!(data.placement.as_ref().unwrap().availability_zone.as_deref(), Some("eu-central-1b"));
        assert_eq!(data.credit_specification.as_ref().unwrap().cpu_credits.as_deref(), Some("unlimited"));
        assert_eq!(&*data.network_interfaces[0].groups[0], "sg-1");
        assert_eq!(data.tags_for("volume").len(), 1);
    }
}
