//! The API: validates typed requests, calls transitions, builds typed answers.

mod attributes;
mod capacity;
mod certificates;
mod listeners;
pub(crate) mod load_balancers;
mod rules;
mod tagging;
mod target_groups;
pub(crate) mod targets;
mod trust_stores;

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
    registry.operation::<ops::SetIpAddressType>(load_balancers::set_ip_address_type);
    registry.operation::<ops::ModifyCapacityReservation>(capacity::modify);
    registry.operation::<ops::DescribeCapacityReservation>(capacity::describe);
    registry.operation::<ops::DescribeAccountLimits>(load_balancers::limits);
    registry.operation::<ops::CreateTargetGroup>(target_groups::create);
    registry.operation::<ops::DescribeTargetGroups>(target_groups::describe);
    registry.operation::<ops::ModifyTargetGroup>(target_groups::modify);
    registry.operation::<ops::DeleteTargetGroup>(target_groups::delete);
    registry.operation::<ops::CreateListener>(listeners::create);
    registry.operation::<ops::DescribeListeners>(listeners::describe);
    registry.operation::<ops::ModifyListener>(listeners::modify);
    registry.operation::<ops::DeleteListener>(listeners::delete);
    registry.operation::<ops::AddListenerCertificates>(certificates::add);
    registry.operation::<ops::RemoveListenerCertificates>(certificates::remove);
    registry.operation::<ops::DescribeListenerCertificates>(certificates::describe);
    registry.operation::<ops::DescribeSSLPolicies>(certificates::policies);
    registry.operation::<ops::CreateRule>(rules::create);
    registry.operation::<ops::DescribeRules>(rules::describe);
    registry.operation::<ops::ModifyRule>(rules::modify);
    registry.operation::<ops::SetRulePriorities>(rules::set_priorities);
    registry.operation::<ops::DeleteRule>(rules::delete);
    registry.operation::<ops::RegisterTargets>(targets::register);
    registry.operation::<ops::DeregisterTargets>(targets::deregister);
    registry.operation::<ops::DescribeTargetHealth>(targets::describe_health);
    registry.operation::<ops::DescribeLoadBalancerAttributes>(attributes::of_load_balancer);
    registry.operation::<ops::ModifyLoadBalancerAttributes>(attributes::modify_load_balancer);
    registry.operation::<ops::DescribeTargetGroupAttributes>(attributes::of_target_group);
    registry.operation::<ops::ModifyTargetGroupAttributes>(attributes::modify_target_group);
    registry.operation::<ops::DescribeListenerAttributes>(attributes::of_listener);
    registry.operation::<ops::ModifyListenerAttributes>(attributes::modify_listener);
    registry.operation::<ops::CreateTrustStore>(trust_stores::create);
    registry.operation::<ops::ModifyTrustStore>(trust_stores::modify);
    registry.operation::<ops::DeleteTrustStore>(trust_stores::delete);
    registry.operation::<ops::DescribeTrustStores>(trust_stores::describe);
    registry.operation::<ops::AddTrustStoreRevocations>(trust_stores::add_revocations);
    registry.operation::<ops::RemoveTrustStoreRevocations>(trust_stores::remove_revocations);
    registry.operation::<ops::DescribeTrustStoreRevocations>(trust_stores::describe_revocations);
    registry.operation::<ops::DescribeTrustStoreAssociations>(trust_stores::describe_associations);
    registry.operation::<ops::GetTrustStoreCaCertificatesBundle>(trust_stores::get_bundle);
    registry.operation::<ops::GetTrustStoreRevocationContent>(trust_stores::get_revocation);
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
