//! AWS Identity and Access Management and STS: roles, their policies and instance profiles, as records that other
//! services and stacks refer to, the certificates that users upload for listeners, and who the caller is.
//!
//! It never decides whether a call is allowed: there is one user, the account's root, who may do all.

mod aws_policies;
mod document;
mod error;
mod instance_profile;
mod operations;
mod policy;
mod role;
mod server_certificate;
mod stack;
mod validate;

use kernel::Registry;

pub use error::Error;
pub use instance_profile::{InstanceProfile, find_instance_profile};
pub use policy::{Policy, PolicyVersion};
pub use role::{Role, find as find_role};
pub use server_certificate::{ServerCertificate, find_server_certificate};

/// Adds the service to a region.
pub fn register(registry: &mut Registry) {
    registry.table::<Role>();
    registry.table::<InstanceProfile>();
    registry.table::<Policy>();
    registry.table::<ServerCertificate>();
    operations::register(registry);
    stack::register(registry);
}
