//! The catalogue: which services a region has, from low to high. No logic.

pub use {acm, autoscaling, cloudformation, cloudwatch, ec2, elb, iam, metrics, sns, ssm};

use kernel::Registry;

/// Adds every service. The order is that of the services' levels: a later one may use an earlier one.
pub fn services(registry: &mut Registry) {
    iam::register(registry);
    ssm::register(registry);
    sns::register(registry);
    acm::register(registry);
    cloudwatch::register(registry);
    ec2::register(registry);
    elb::register(registry);
    autoscaling::register(registry);
    cloudformation::register(registry);
}
