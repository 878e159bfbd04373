//! AWS Systems Manager, of which this region has Parameter Store. It owns the parameters' rows and the public
//! parameters that name images; it never knows who reads a parameter.

mod error;
mod filter;
mod name;
mod operations;
mod parameter;
mod public;
mod stack;
mod tags;

use base::Scope;
use kernel::{Registry, State};
use shapes::ssm::ops;

pub use error::Error;
pub use parameter::{Parameter, ParameterType, Tier, find};
pub use public::{remove_public_parameter, set_public_parameter};

/// Adds the service to a region.
pub fn register(registry: &mut Registry) {
    registry.table::<Parameter>();
    registry.operation::<ops::PutParameter>(operations::put);
    registry.operation::<ops::GetParameter>(operations::get);
    registry.operation::<ops::GetParameters>(operations::get_several);
    registry.operation::<ops::GetParametersByPath>(operations::get_by_path);
    registry.operation::<ops::DescribeParameters>(operations::describe);
    registry.operation::<ops::DeleteParameter>(operations::delete);
    registry.operation::<ops::AddTagsToResource>(tags::add);
    registry.operation::<ops::RemoveTagsFromResource>(tags::remove);
    registry.operation::<ops::ListTagsForResource>(tags::list);
    registry.resource(stack::ParameterResource);
    public::register(registry);
}

/// The value of a plain parameter: the newest one of `NAME` or its ARN, or that of `NAME:VERSION`. A SecureString has none
/// here, as in CloudFormation's `resolve:ssm:`.
pub fn resolve(state: &State, scope: &Scope, name: &str) -> Option<String> {
    parameter::find_asked(state, scope, name).ok().filter(|p| p.kind != ParameterType::SecureString).map(|p| p.value.clone())
}
