//! What a caller can ask of IAM and STS: each validates the typed request, calls a transition and builds the answer.

mod instance_profile;
mod policy;
mod policy_version;
mod role;
mod role_policy;
mod server_certificate;
mod sts;

use kernel::{Page, Registry};

/// Adds every operation.
pub(crate) fn register(registry: &mut Registry) {
    sts::register(registry);
    role::register(registry);
    role_policy::register(registry);
    instance_profile::register(registry);
    policy::register(registry);
    policy_version::register(registry);
    server_certificate::register(registry);
}

/// A page's items, whether there are more, and the marker to go on with, as every listing of IAM answers.
fn parts<T>(page: Page<T>) -> (Vec<T>, Option<bool>, Option<String>) {
    (page.items, Some(page.next_token.is_some()), page.next_token)
}

/// Whether a path is under the prefix that a listing asks for.
fn under(path: &str, prefix: Option<&String>) -> bool {
    prefix.is_none_or(|prefix| path.starts_with(prefix.as_str()))
}
