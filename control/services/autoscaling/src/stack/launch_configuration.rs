//! `AWS::AutoScaling::LaunchConfiguration`. `Ref` gives its name.

use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::Value as Json;
use shapes::autoscaling as s;

use crate::error::Error;
use crate::launch_configuration::{self, find_configuration};
use crate::operations::launch_configurations::data;

const NAME_CHARS_MAX: usize = 255;

pub(super) struct LaunchConfiguration;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Properties {
    associate_public_ip_address: Option<bool>,
    block_device_mappings: Vec<Device>,
    ebs_optimized: Option<bool>,
    iam_instance_profile: Option<String>,
    image_id: Option<String>,
    instance_monitoring: Option<bool>,
    instance_type: Option<String>,
    key_name: Option<String>,
    launch_configuration_name: Option<String>,
    metadata_options: Option<Metadata>,
    security_groups: Vec<String>,
    user_data: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Device {
    device_name: String,
    ebs: Option<Volume>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volume {
    delete_on_termination: Option<bool>,
    encrypted: Option<bool>,
    iops: Option<i64>,
    throughput: Option<i64>,
    volume_size: Option<i64>,
    volume_type: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    http_endpoint: Option<String>,
    http_put_response_hop_limit: Option<i64>,
    http_tokens: Option<String>,
}

impl Properties {
    fn of(json: &Json) -> Result<Self, Error> {
        serde_json::from_value(json.clone()).map_err(|e| Error::Invalid(format!("Properties validation failed: {e}")))
    }

    /// As the API's own request would say it, so that both mean the same.
    fn request(self, name: String) -> s::CreateLaunchConfigurationType {
        let device = |d: Device| s::BlockDeviceMapping {
            device_name: d.device_name,
            ebs: d.ebs.map(|v| s::Ebs {
                delete_on_termination: v.delete_on_termination,
                encrypted: v.encrypted,
                iops: v.iops,
                throughput: v.throughput,
                volume_size: v.volume_size,
                volume_type: v.volume_type,
                ..Default::default()
            }),
            ..Default::default()
        };
        s::CreateLaunchConfigurationType {
            launch_configuration_name: name,
            associate_public_ip_address: self.associate_public_ip_address,
            block_device_mappings: self.block_device_mappings.into_iter().map(device).collect(),
            ebs_optimized: self.ebs_optimized,
            iam_instance_profile: self.iam_instance_profile,
            image_id: self.image_id,
            instance_monitoring: self.instance_monitoring.map(|enabled| s::InstanceMonitoring { enabled: Some(enabled) }),
            instance_type: self.instance_type,
            key_name: self.key_name,
            metadata_options: self.metadata_options.map(|m| s::InstanceMetadataOptions {
                http_endpoint: m.http_endpoint,
                http_put_response_hop_limit: m.http_put_response_hop_limit,
                http_tokens: m.http_tokens,
            }),
            security_groups: self.security_groups,
            user_data: self.user_data,
            ..Default::default()
        }
    }
}

impl StackResource for LaunchConfiguration {
    fn type_name(&self) -> &'static str {
        "AWS::AutoScaling::LaunchConfiguration"
    }

    fn schema(&self) -> &'static str {
        include_str!("launch_configuration.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties = Properties::of(request.properties)?;
        let name = properties.launch_configuration_name.clone().unwrap_or_else(|| request.physical_name(cx, NAME_CHARS_MAX));
        let data = data(properties.request(name.clone()))?;
        Ok(launch_configuration::create_configuration(tx, cx, &name, data)?)
    }

    fn update(&self, _: &mut Tx, _: &Cx, _: &str, _: &Json, _: &ResourceRequest) -> Result<(), Fault> {
        // Every change of a property makes a new one; what is left changes nothing.
        Ok(())
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        if find_configuration(tx, physical_id).is_ok() {
            launch_configuration::delete_configuration(tx, physical_id)?;
        }
        Ok(Progress::Ready)
    }

    fn attribute(&self, _: &State, _: &Cx, _: &str, name: &str) -> Result<Json, Fault> {
        Err(Error::Invalid(format!("A launch configuration has no attribute {name}")).into())
    }
}
