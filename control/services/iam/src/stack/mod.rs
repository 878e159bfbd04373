//! IAM's CloudFormation resource types. What a template describes becomes calls of the same transitions that the
//! operations use; each type's `.schema` holds its properties and AWS's update behaviour.

mod attachment;
mod instance_profile;
mod managed_policy;
mod policy;
mod properties;
mod role;
mod role_policy;
mod server_certificate;

use kernel::Registry;

/// Adds the rows and the resource types.
pub(crate) fn register(registry: &mut Registry) {
    registry.table::<attachment::Attachment>();
    registry.resource(role::RoleType);
    registry.resource(instance_profile::InstanceProfileType);
    registry.resource(policy::PolicyType);
    registry.resource(managed_policy::ManagedPolicyType);
    registry.resource(role_policy::RolePolicyType);
    registry.resource(server_certificate::ServerCertificateType);
}
