//! Images, instance types, launch templates, key pairs and instances. It owns their rows; addresses and groups are
//! `network`'s. What should run leaves as wishes for instance slots, what runs comes back as observations.

mod answers;
mod attribute;
mod catalogue;
mod describe;
mod error;
mod image;
mod image_operations;
mod instance;
mod key_pair;
mod launch;
mod launch_data;
mod launch_shapes;
mod launch_template;
mod lifecycle;
mod metadata;
mod power;
mod reconcile;
mod record_operations;
mod run;
mod stack;
mod template_operations;
mod type_operations;
mod user_data;
mod validate;

use kernel::{Registry, State, Wanted};
use shapes::ec2::ops;

pub(crate) use catalogue::InstanceType;
pub(crate) use describe::credits_default;
pub(crate) use error::ComputeError;
pub(crate) use image::Image;
pub use image::find_image;
pub(crate) use instance::Why;
pub use instance::{Instance, InstanceState};
pub use key_pair::KeyPair;
pub(crate) use launch::INSTANCES_MAX;
pub use launch::{Launch, check_data, check_launch, launch, launch_data};
pub(crate) use launch_data::Tag;
pub use launch_data::{BlockDevice, Ebs, InterfaceData, LaunchData, MetadataOptions, Monitoring, ProfileName};
pub(crate) use launch_template::LaunchTemplateVersion;
pub use launch_template::{LaunchTemplate, TemplateName, find_template, version_number};
pub use metadata::identity_is;
pub use reconcile::{start, stop, terminate};

use crate::Kind;
use crate::network::NetworkInterface;
use crate::tags::TagSet;

pub(crate) fn register(registry: &mut Registry) {
    registry.table::<Image>();
    registry.table::<Instance>();
    registry.table::<KeyPair>();
    registry.table::<LaunchTemplate>();
    registry.table::<LaunchTemplateVersion>();
    registry.operation::<ops::RunInstances>(run::run_instances);
    registry.operation::<ops::DescribeInstances>(describe::describe_instances);
    registry.operation::<ops::DescribeInstanceStatus>(describe::describe_instance_status);
    registry.operation::<ops::DescribeInstanceCreditSpecifications>(describe::describe_credits);
    registry.operation::<ops::StartInstances>(power::start_instances);
    registry.operation::<ops::StopInstances>(power::stop_instances);
    registry.operation::<ops::RebootInstances>(power::reboot_instances);
    registry.operation::<ops::TerminateInstances>(power::terminate_instances);
    registry.operation::<ops::MonitorInstances>(power::monitor_instances);
    registry.operation::<ops::UnmonitorInstances>(power::unmonitor_instances);
    registry.operation::<ops::ModifyInstanceAttribute>(attribute::modify);
    registry.operation::<ops::DescribeInstanceAttribute>(attribute::describe);
    registry.operation::<ops::ModifyInstanceMetadataOptions>(attribute::modify_metadata_options);
    registry.operation::<ops::RegisterImage>(image_operations::register);
    registry.operation::<ops::DeregisterImage>(image_operations::deregister);
    registry.operation::<ops::DescribeImages>(image_operations::describe);
    registry.operation::<ops::CreateLaunchTemplate>(template_operations::create);
    registry.operation::<ops::CreateLaunchTemplateVersion>(template_operations::create_another);
    registry.operation::<ops::ModifyLaunchTemplate>(template_operations::modify);
    registry.operation::<ops::DeleteLaunchTemplate>(template_operations::delete);
    registry.operation::<ops::DeleteLaunchTemplateVersions>(template_operations::delete_versions);
    registry.operation::<ops::DescribeLaunchTemplates>(template_operations::describe_templates);
    registry.operation::<ops::DescribeLaunchTemplateVersions>(template_operations::describe_versions);
    registry.operation::<ops::DescribeInstanceTypes>(type_operations::describe);
    registry.operation::<ops::DescribeInstanceTypeOfferings>(type_operations::describe_offerings);
    registry.operation::<ops::ImportKeyPair>(record_operations::import);
    registry.operation::<ops::CreateKeyPair>(record_operations::create);
    registry.operation::<ops::DeleteKeyPair>(record_operations::delete);
    registry.operation::<ops::DescribeKeyPairs>(record_operations::describe_key_pairs);
    registry.operation::<ops::DescribeVolumes>(record_operations::describe_volumes);
    registry.reconciler("ec2.instance", reconcile::reconcile);
    registry.watch::<Instance>("ec2.instance", |_, instance, due| due.push(instance.id.to_string()));
    registry.watch::<Wanted>("ec2.instance", reconcile::keys_of_wanted);
    registry.watch::<NetworkInterface>("ec2.instance", reconcile::keys_of_interface);
    registry.watch::<TagSet>("ec2.instance", |_, tags, due| {
        if Kind::of(&tags.resource) == Some(Kind::Instance) {
            due.push(tags.resource.clone());
        }
    });
    registry.observer(reconcile::observe);
    stack::register(registry);
}

/// Whether a resource of this half exists. Root volumes exist with their instances.
pub(crate) fn exists(state: &State, kind: Kind, id: &str) -> bool {
    match kind {
        Kind::Image => find_image(state, id).is_ok(),
        Kind::Instance => state.get::<Instance>(&id.into()).is_some(),
        Kind::KeyPair => state.rows_where::<KeyPair>("id", id).next().is_some(),
        Kind::LaunchTemplate => state.get::<LaunchTemplate>(&id.into()).is_some(),
        Kind::Volume => state.rows_where::<Instance>("volume", id).next().is_some(),
        _ => false,
    }
}
