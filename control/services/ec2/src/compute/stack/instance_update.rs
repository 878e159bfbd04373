//! Changes an instance to what a stack's new properties say. Only what the template changed is touched; what an
//! instance reads at its boot only is changed with a restart, where AWS stops and starts it.

use std::sync::Arc;

use base::InstanceId;
use kernel::{Cx, ResourceRequest, Tx};
use serde_json::Value as Json;

use super::instance::{Properties, find, launch_data};
use crate::compute::catalogue::InstanceType;
use crate::compute::error::ComputeError;
use crate::compute::instance::{Instance, Profile};
use crate::compute::launch::{TYPE_DEFAULT, find_groups, find_profile};
use crate::compute::launch_data::LaunchData;
use crate::error::Error;
use crate::network::{self, SourceDestCheck};
use crate::stack::{read, retag};

pub(super) fn update(tx: &mut Tx, cx: &Cx, id: &InstanceId, old: &Json, request: &ResourceRequest) -> Result<(), Error> {
    let mut instance = find(tx, id)?.clone();
    if instance.is_ending() {
        return Err(ComputeError::WrongState { id: id.clone(), verb: "modified" }.into());
    }
    let (before, after): (Properties, Properties) = (read(old)?, read(request.properties)?);
    let old_data = launch_data(tx, &before, old)?;
    let data = launch_data(tx, &after, request.properties)?;
    data.validate()?;
    change_in_place(tx, cx, &mut instance, &old_data, &data)?;
    if change_for_boot(&mut instance, &old_data, &data)? {
        instance.restart(cx.now);
    }
    let interface = instance.interface.clone();
    if old_data.security_group_ids != data.security_group_ids {
        let groups = find_groups(tx, &data, &instance.subnet)?;
        network::set_interface_groups(tx, cx, &interface, groups)?;
    }
    tx.put(instance);
    if before.source_dest_check != after.source_dest_check {
        let check = if after.source_dest_check == Some(false) { SourceDestCheck::Off } else { SourceDestCheck::On };
        network::set_source_dest_check(tx, &interface, check)?;
    }
    retag(tx, request, id, &before.tags, &after.tags)
}

/// What an instance takes on while it runs.
fn change_in_place(tx: &Tx, cx: &Cx, instance: &mut Instance, old: &LaunchData, new: &LaunchData) -> Result<(), Error> {
    if old.disable_api_termination != new.disable_api_termination {
        instance.disable_api_termination = new.disable_api_termination.unwrap_or_default();
    }
    if old.instance_initiated_shutdown_behavior != new.instance_initiated_shutdown_behavior {
        instance.shutdown_behavior = new.instance_initiated_shutdown_behavior.unwrap_or_default();
    }
    if old.monitoring != new.monitoring {
        instance.monitoring = new.monitoring.as_ref().is_some_and(|m| m.enabled);
    }
    if old.metadata_options != new.metadata_options {
        instance.metadata_options = new.metadata_options.clone().unwrap_or_default();
    }
    if old.credit_specification != new.credit_specification {
        instance.cpu_credits = new.credit_specification.as_ref().and_then(|c| c.cpu_credits.clone());
    }
    if old.iam_instance_profile != new.iam_instance_profile {
        let profile = new.iam_instance_profile.as_ref().map(|p| find_profile(tx, p)).transpose()?.flatten();
        instance.profile = profile.map(|(arn, id)| {
            let association = format!("iip-assoc-{}", cx.rng().hex(17));
            Profile { arn, id, association }
        });
    }
    Ok(())
}

/// What an instance takes on at its boot; true when anything of it is other than it was.
fn change_for_boot(instance: &mut Instance, old: &LaunchData, new: &LaunchData) -> Result<bool, Error> {
    let was = (instance.instance_type.clone(), instance.ebs_optimized, instance.user_data.clone());
    if old.instance_type != new.instance_type {
        let find = |name: &str| InstanceType::find(name).ok_or_else(|| ComputeError::NoInstanceType(name.into()));
        let present = find(&instance.instance_type)?.family.architecture;
        let wanted = find(new.instance_type.as_deref().unwrap_or(TYPE_DEFAULT))?;
        if wanted.family.architecture != present {
            let (instance_type, image) = (wanted.family.architecture.as_str(), present.as_str());
            return Err(ComputeError::ArchitectureMismatch { instance_type, image }.into());
        }
        instance.instance_type = wanted.name.into();
    }
    if old.ebs_optimized != new.ebs_optimized {
        instance.ebs_optimized = new.ebs_optimized.unwrap_or_default();
    }
    if old.user_data != new.user_data {
        instance.user_data = new.user_data.as_deref().map(Arc::from);
    }
    Ok(was != (instance.instance_type.clone(), instance.ebs_optimized, instance.user_data.clone()))
}
