//! What an instance is launched with: the one form that `RunInstances`, launch templates and CloudFormation share.
//! Its JSON is AWS's own (`LaunchTemplateData`), so a stack's property is read into it directly.
//!
//! Members that would change what an instance is and that this region does not have (spot, GPUs, enclaves, IPv6,
//! hibernation and the like) are refused with a clear error. Members that only describe hardware are kept and shown.

use std::net::Ipv4Addr;

use base::{SecurityGroupId, SubnetId, Tags};
use serde::{Deserialize, Serialize};

/// Decoded user data is at most this long ("Amazon EC2 User Guide, instance user data").
pub const USER_DATA_BYTES_MAX: usize = 16 * 1024;
/// Most block devices and most network interfaces that one launch may name.
pub const DEVICES_MAX: usize = 40;

/// Everything is optional: a launch lays its own values over those of its template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct LaunchData {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<Monitoring>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<PlacementData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_api_termination: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_api_stop: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_initiated_shutdown_behavior: Option<ShutdownBehavior>,
    /// Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tag_specifications: Vec<TagSpecification>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub security_group_ids: Vec<SecurityGroupId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub security_groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iam_instance_profile: Option<ProfileName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ebs_optimized: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub block_device_mappings: Vec<BlockDevice>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network_interfaces: Vec<InterfaceData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_options: Option<MetadataOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_specification: Option<CreditSpecification>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_dns_name_options: Option<PrivateDnsNameOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance_options: Option<MaintenanceOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_reservation_specification: Option<CapacityReservation>,
}

/// There is nothing to reserve here: it is kept as it was said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct CapacityReservation {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_reservation_preference: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct Monitoring {
    pub enabled: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct PlacementData {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<String>,
    /// Only `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenancy: Option<String>,
}

/// What happens to an instance that shuts itself down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShutdownBehavior {
    #[default]
    Stop,
    Terminate,
}

impl ShutdownBehavior {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Terminate => "terminate",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Stop, Self::Terminate].into_iter().find(|b| b.as_str() == text)
    }
}

/// Tags for one kind of thing that a launch makes, such as `instance` or `volume`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct TagSpecification {
    pub resource_type: String,
    #[serde(default)]
    pub tags: Vec<Tag>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Tag {
    pub key: String,
    #[serde(default)]
    pub value: String,
}

/// An instance profile by its name or its ARN.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct ProfileName {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct BlockDevice {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ebs: Option<Ebs>,
    /// Says that the image's device is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_device: Option<String>,
    /// A disk of the host, such as `ephemeral0`; no type of instance has one here, and AWS passes it over then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_name: Option<String>,
}

impl BlockDevice {
    /// Whether it asks for a volume.
    pub fn is_volume(&self) -> bool {
        self.no_device.is_none() && self.virtual_name.is_none()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct Ebs {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_on_termination: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iops: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throughput: Option<i64>,
    /// In GiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_type: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct InterfaceData {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_index: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<SubnetId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<SecurityGroupId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_ip_address: Option<Ipv4Addr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub associate_public_ip_address: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_on_termination: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_tracking_specification: Option<ConnectionTracking>,
}

/// How long idle connections are kept in mind, in seconds. Kept as it was said: the kernel's own times count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct ConnectionTracking {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_established_timeout: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp_stream_timeout: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp_timeout: Option<i64>,
}

/// How an instance reaches its metadata; what is absent has AWS's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct MetadataOptions {
    /// `optional` or `required`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_tokens: Option<String>,
    /// 1 to 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_put_response_hop_limit: Option<i64>,
    /// `enabled` or `disabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_endpoint: Option<String>,
    /// Only `disabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_protocol_ipv6: Option<String>,
    /// `enabled` or `disabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_metadata_tags: Option<String>,
}

impl MetadataOptions {
    /// These options, and `under`'s where these are silent.
    pub fn over(self, under: MetadataOptions) -> MetadataOptions {
        MetadataOptions {
            http_tokens: self.http_tokens.or(under.http_tokens),
            http_put_response_hop_limit: self.http_put_response_hop_limit.or(under.http_put_response_hop_limit),
            http_endpoint: self.http_endpoint.or(under.http_endpoint),
            http_protocol_ipv6: self.http_protocol_ipv6.or(under.http_protocol_ipv6),
            instance_metadata_tags: self.instance_metadata_tags.or(under.instance_metadata_tags),
        }
    }

    pub fn tokens_required(&self) -> bool {
        self.http_tokens.as_deref() == Some("required")
    }

    pub fn endpoint_enabled(&self) -> bool {
        self.http_endpoint.as_deref() != Some("disabled")
    }

    pub fn tags_enabled(&self) -> bool {
        self.instance_metadata_tags.as_deref() == Some("enabled")
    }

    /// 1 unless it was set; the API's default since the start of IMDSv2.
    pub fn hop_limit(&self) -> u8 {
        self.http_put_response_hop_limit.and_then(|h| u8::try_from(h).ok()).unwrap_or(1)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct CreditSpecification {
    /// `standard` or `unlimited`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_credits: Option<String>,
}

/// Kept and shown; names inside the VPC are always made from the address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct PrivateDnsNameOptions {
    /// Only `ip-name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname_type: Option<String>,
    #[serde(rename = "EnableResourceNameDnsARecord", skip_serializing_if = "Option::is_none")]
    pub enable_resource_name_dns_a_record: Option<bool>,
    #[serde(rename = "EnableResourceNameDnsAAAARecord", skip_serializing_if = "Option::is_none")]
    pub enable_resource_name_dns_aaaa_record: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct MaintenanceOptions {
    /// `default` or `disabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_recovery: Option<String>,
}

impl LaunchData {
    /// This data laid over a template's: what this names wins, lists as a whole, as `RunInstances` does
    /// ("Launch an instance from a launch template"). Tags are joined for each resource type.
    pub fn over(self, under: LaunchData) -> LaunchData {
        fn list<T>(over: Vec<T>, under: Vec<T>) -> Vec<T> {
            if over.is_empty() { under } else { over }
        }
        // An override of the groups silences both ways in which the template may name groups.
        let names_groups = !self.security_group_ids.is_empty() || !self.security_groups.is_empty();
        let (under_ids, under_names) =
            if names_groups { (Vec::new(), Vec::new()) } else { (under.security_group_ids, under.security_groups) };
        LaunchData {
            image_id: self.image_id.or(under.image_id),
            instance_type: self.instance_type.or(under.instance_type),
            key_name: self.key_name.or(under.key_name),
            monitoring: self.monitoring.or(under.monitoring),
            placement: self.placement.or(under.placement),
            disable_api_termination: self.disable_api_termination.or(under.disable_api_termination),
            disable_api_stop: self.disable_api_stop.or(under.disable_api_stop),
            instance_initiated_shutdown_behavior: self
                .instance_initiated_shutdown_behavior
                .or(under.instance_initiated_shutdown_behavior),
            user_data: self.user_data.or(under.user_data),
            tag_specifications: join_tags(under.tag_specifications, self.tag_specifications),
            security_group_ids: list(self.security_group_ids, under_ids),
            security_groups: list(self.security_groups, under_names),
            iam_instance_profile: self.iam_instance_profile.or(under.iam_instance_profile),
            ebs_optimized: self.ebs_optimized.or(under.ebs_optimized),
            block_device_mappings: list(self.block_device_mappings, under.block_device_mappings),
            network_interfaces: list(self.network_interfaces, under.network_interfaces),
            metadata_options: match (self.metadata_options, under.metadata_options) {
                (Some(over), Some(under)) => Some(over.over(under)),
                (over, under) => over.or(under),
            },
            credit_specification: self.credit_specification.or(under.credit_specification),
            private_dns_name_options: self.private_dns_name_options.or(under.private_dns_name_options),
            maintenance_options: self.maintenance_options.or(under.maintenance_options),
            capacity_reservation_specification: self
                .capacity_reservation_specification
                .or(under.capacity_reservation_specification),
        }
    }

    /// The tags for one kind of thing.
    pub fn tags_for(&self, resource_type: &str) -> Tags {
        let wanted = self.tag_specifications.iter().filter(|s| s.resource_type == resource_type);
        wanted.flat_map(|s| &s.tags).map(|t| (t.key.clone(), t.value.clone())).collect()
    }
}

/// Later tags win over earlier ones with the same key.
fn join_tags(first: Vec<TagSpecification>, second: Vec<TagSpecification>) -> Vec<TagSpecification> {
    let mut joined: Vec<TagSpecification> = Vec::new();
    for specification in first.into_iter().chain(second) {
        match joined.iter_mut().find(|s| s.resource_type == specification.resource_type) {
            None => joined.push(specification),
            Some(there) => {
                there.tags.retain(|old| specification.tags.iter().all(|new| new.key != old.key));
                there.tags.extend(specification.tags);
            }
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::LaunchData;

    fn data(json: &str) -> LaunchData {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_override_wins_and_tags_are_joined() {
        let template = data(
            r#"{"ImageId":"ami-a","InstanceType":"t3.micro","SecurityGroups":["web"],"MetadataOptions":{"HttpTokens":"required"},
            "TagSpecifications":[{"ResourceType":"instance","Tags":[{"Key":"a","Value":"1"},{"Key":"b","Value":"1"}]}]}"#,
        );
        let request = data(
            r#"{"InstanceType":"t3.small","SecurityGroupIds":["sg-1"],"MetadataOptions":{"HttpPutResponseHopLimit":2},
            "TagSpecifications":[{"ResourceType":"instance","Tags":[{"Key":"b","Value":"2"}]}]}"#,
        );
        let merged = request.over(template);
        assert_eq!(merged.image_id.as_deref(), Some("ami-a"));
        assert_eq!(merged.instance_type.as_deref(), Some("t3.small"));
        assert!(merged.security_groups.is_empty());
        assert_eq!(merged.security_group_ids.len(), 1);
        let options = merged.metadata_options.clone().unwrap();
        assert!(options.tokens_required());
        assert_eq!(options.hop_limit(), 2);
        let tags: Vec<_> = merged.tags_for("instance").into_iter().collect();
        assert_eq!(tags, [("a".into(), "1".into()), ("b".into(), "2".into())]);
        assert!(merged.tags_for("volume").is_empty());
    }

    #[test]
    fn an_unknown_member_is_refused() {
        assert!(serde_json::from_str::<LaunchData>(r#"{"KernelId":"aki-1"}"#).is_err());
    }
}
