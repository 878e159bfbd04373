//! Whether launch data means something, before it is kept in a template or launched. What it names (images, groups,
//! subnets) is looked up at the launch only, as AWS does.

use super::catalogue::InstanceType;
use super::error::ComputeError;
use super::launch_data::{DEVICES_MAX, InterfaceData, LaunchData, MetadataOptions};
use super::user_data;
use crate::error::Error;
use crate::tags;

impl LaunchData {
    pub(crate) fn validate(&self) -> Result<(), Error> {
        if let Some(base64) = &self.user_data {
            user_data::check(base64)?;
        }
        if let Some(name) = &self.instance_type
            && InstanceType::find(name).is_none()
        {
            return Err(ComputeError::NoInstanceType(name.clone()).into());
        }
        if let Some(tenancy) = self.placement.as_ref().and_then(|p| p.tenancy.as_deref()).filter(|t| *t != "default") {
            return Err(Error::Unsupported(format!("This region has no instances of tenancy '{tenancy}'.")));
        }
        if let Some(credits) = self.credit_specification.as_ref().and_then(|c| c.cpu_credits.as_deref()) {
            one_of("CpuCredits", credits, &["standard", "unlimited"])?;
        }
        if let Some(recovery) = self.maintenance_options.as_ref().and_then(|m| m.auto_recovery.as_deref()) {
            one_of("AutoRecovery", recovery, &["default", "disabled"])?;
        }
        if let Some(kind) = self.private_dns_name_options.as_ref().and_then(|p| p.hostname_type.as_deref()) {
            one_of("HostnameType", kind, &["ip-name"])?;
        }
        if let Some(profile) = &self.iam_instance_profile
            && profile.arn.is_some()
            && profile.name.is_some()
        {
            return Err(Error::InvalidCombination(
                "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'".into(),
            ));
        }
        self.metadata_options.as_ref().map_or(Ok(()), MetadataOptions::validate)?;
        self.validate_devices()?;
        self.validate_tags()
    }

    fn validate_devices(&self) -> Result<(), Error> {
        if self.block_device_mappings.len() > DEVICES_MAX {
            return Err(Error::LimitExceeded("AttachmentLimitExceeded", format!("at most {DEVICES_MAX} block devices")));
        }
        for ebs in self.block_device_mappings.iter().filter_map(|d| d.ebs.as_ref()) {
            if let Some(size) = ebs.volume_size.filter(|s| !(1..=65_536).contains(s)) {
                return Err(Error::invalid("VolumeSize", size, "It must be 1 to 65536 GiB."));
            }
            if let Some(kind) = &ebs.volume_type {
                one_of("VolumeType", kind, &["gp2", "gp3", "io1", "io2", "st1", "sc1", "standard"])?;
            }
        }
        match self.network_interfaces.as_slice() {
            [] => Ok(()),
            [one] => one.validate(),
            _ => Err(Error::Unsupported("An instance of this region has one network interface.".into())),
        }
    }

    fn validate_tags(&self) -> Result<(), Error> {
        for specification in &self.tag_specifications {
            let kinds = ["instance", "volume", "network-interface", "spot-instances-request"];
            if !kinds.contains(&specification.resource_type.as_str()) {
                let hint = "'instance', 'volume' and 'network-interface' can be tagged at a launch.";
                return Err(Error::invalid("ResourceType", &specification.resource_type, hint));
            }
            specification.tags.iter().try_for_each(|tag| tags::check(&tag.key, &tag.value))?;
        }
        Ok(())
    }
}

impl InterfaceData {
    fn validate(&self) -> Result<(), Error> {
        match self.device_index.unwrap_or(0) {
            0 => Ok(()),
            other => Err(Error::invalid("DeviceIndex", other, "The primary network interface has device index 0.")),
        }
    }
}

impl MetadataOptions {
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let texts = [
            ("HttpTokens", &self.http_tokens, ["optional", "required"]),
            ("HttpEndpoint", &self.http_endpoint, ["enabled", "disabled"]),
            ("InstanceMetadataTags", &self.instance_metadata_tags, ["enabled", "disabled"]),
        ];
        for (name, text, known) in texts {
            if let Some(text) = text {
                one_of(name, text, &known)?;
            }
        }
        if self.http_protocol_ipv6.as_deref() == Some("enabled") {
            return Err(Error::Unsupported("This region has no IPv6 endpoint for instance metadata.".into()));
        }
        match self.http_put_response_hop_limit {
            Some(limit) if !(1..=64).contains(&limit) => {
                Err(Error::invalid("HttpPutResponseHopLimit", limit, "It must be 1 to 64."))
            }
            _ => Ok(()),
        }
    }
}

fn one_of(parameter: &str, value: &str, known: &[&str]) -> Result<(), Error> {
    if known.contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(parameter, value, &format!("It must be one of {}.", known.join(", "))))
}
