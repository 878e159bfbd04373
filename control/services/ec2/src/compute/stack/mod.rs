//! CloudFormation's resource types of instances, launch templates and key pairs. Properties come as JSON that was
//! checked against the schema of the type; what they mean is the business of the transitions that the API uses too.

mod instance;
mod instance_update;
mod key_pair;
mod launch_data;
mod launch_template;

use kernel::Registry;

pub(crate) fn register(registry: &mut Registry) {
    registry.resource(instance::InstanceResource);
    registry.resource(key_pair::KeyPairResource);
    registry.resource(launch_template::LaunchTemplateResource);
}
