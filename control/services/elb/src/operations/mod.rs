//! The API: validates typed requests, calls transitions, builds typed answers.

mod attributes;
mod listeners;
pub(crate) mod load_balancers;
mod tagging;
pub(crate) mod target_groups;
mod targets;

use base::Fault;
use kernel::{Page, Registry, page};
use shapes::elbv2::ops;

use crate::error::Error;

/// Most results of one page, which is also the default.
const PAGE_MAX: usize = 400;

pub(crate) fn register(registry: &mut Registry) {
    registry.operation::<ops::CreateLoadBalancer>(load_balancers::create);
    registry.operation::<ops::DescribeLoadBalancers>(load_balancers::describe);
    registry.operation::<ops::DeleteLoadBalancer>(load_balancers::delete);
    registry.operation::<ops::SetSubnets>(load_balancers::set_subnets);
    registry.operation::<ops::SetSecurityGroups>(load_balancers::set_security_groups);
    registry.operation::<ops::DescribeAccountLimits>(load_balancers::limits);
    registry.operation::<ops::CreateTargetGroup>(target_groups::create);
    registry.operation::<ops::DescribeTargetGroups>(target_groups::describe);
    registry.operation::<ops::ModifyTargetGroup>(target_groups::modify);
    registry.operation::<ops::DeleteTargetGroup>(target_groups::delete);
    registry.operation::<ops::CreateListener>(listeners::create);
    registry.operation::<ops::DescribeListeners>(listeners::describe);
    registry.operation::<ops::ModifyListener>(listeners::modify);
    registry.operation::<ops::DeleteListener>(listeners::delete);
    registry.operation::<ops::DescribeRules>(listeners::describe_rules);
    registry.operation::<ops::RegisterTargets>(targets::register);
    registry.operation::<ops::DeregisterTargets>(targets::deregister);
    registry.operation::<ops::DescribeTargetHealth>(targets::describe_health);
    registry.operation::<ops::DescribeLoadBalancerAttributes>(attributes::of_load_balancer);
    registry.operation::<ops::ModifyLoadBalancerAttributes>(attributes::modify_load_balancer);
    registry.operation::<ops::DescribeTargetGroupAttributes>(attributes::of_target_group);
    registry.operation::<ops::ModifyTargetGroupAttributes>(attributes::modify_target_group);
    registry.operation::<ops::DescribeListenerAttributes>(attributes::of_listener);
    registry.operation::<ops::ModifyListenerAttributes>(attributes::modify_listener);
    registry.operation::<ops::AddTags>(tagging::add);
    registry.operation::<ops::RemoveTags>(tagging::remove);
    registry.operation::<ops::DescribeTags>(tagging::describe);
}

/// A page of a listing in order of ARN, as every describe call here cuts it.
fn cut<'a, T>(
    items: Vec<&'a T>,
    arn: impl Fn(&T) -> String,
    marker: Option<&str>,
    page_size: Option<i64>,
) -> Result<Page<&'a T>, Fault> {
    let max = match page_size {
        None => PAGE_MAX,
        Some(size) => match usize::try_from(size) {
            Ok(size) if (1..=PAGE_MAX).contains(&size) => size,
            _ => return Err(Error::Validation(format!("PageSize '{size}' must be between 1 and {PAGE_MAX}")).into()),
        },
    };
    let unknown = || Error::Validation("The marker is not one that an earlier call gave".into()).into();
    page(items.into_iter(), |item| arn(item), marker.filter(|m| !m.is_empty()), max, unknown)
}

/// A port of a request, 1 to 65535.
fn port(value: i64) -> Result<u16, Error> {
    let port = u16::try_from(value).ok().filter(|p| *p > 0);
    port.ok_or_else(|| Error::Validation(format!("Port '{value}' must be between 1 and 65535")))
}

/// Only HTTP/1.1 in the clear for now.
pub(crate) fn only_http(protocol: Option<&str>) -> Result<(), Error> {
    match protocol {
        Some("HTTP") => Ok(()),
        None => Err(Error::Validation("A protocol must be specified".into())),
        Some("HTTPS") => Err(Error::Unsupported("Protocol 'HTTPS' is not supported in this region yet: use 'HTTP'".into())),
        Some(other @ ("TCP" | "TLS" | "UDP" | "TCP_UDP" | "GENEVE" | "QUIC" | "TCP_QUIC")) => {
            Err(Error::Unsupported(format!("Protocol '{other}' is not one of an application load balancer: use 'HTTP'")))
        }
        Some(other) => Err(Error::Validation(format!("Protocol '{other}' must be one of [HTTP, HTTPS]"))),
    }
}
