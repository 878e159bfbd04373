//! CloudFormation resource types of Auto Scaling.

mod group;

use kernel::Registry;

pub(crate) fn register(registry: &mut Registry) {
    registry.resource(group::AutoScalingGroup);
}
