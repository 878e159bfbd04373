//! Where the region is: its zones, itself, and what its account may have.

use base::{Fault, Tags};
use kernel::{Cx, Tx};
use shapes::ec2 as s;

use crate::compute::INSTANCES_MAX;
use crate::error::{Error, unless_dry};
use crate::filter::Filters;
use crate::network::interface::GROUPS_MAX;
use crate::network::{default_vpc, zone};

const ZONE_FILTERS: &[&str] = &[
    "group-name",
    "message",
    "opt-in-status",
    "parent-zone-id",
    "parent-zone-name",
    "region-name",
    "state",
    "zone-id",
    "zone-name",
    "zone-type",
];
const REGION_FILTERS: &[&str] = &["endpoint", "opt-in-status", "region-name"];
const NO_OPT_IN: &str = "opt-in-not-required";

pub(super) fn describe_zones(
    _: &mut Tx,
    cx: &Cx,
    input: s::DescribeAvailabilityZonesRequest,
) -> Result<s::DescribeAvailabilityZonesResult, Fault> {
    let scope = &cx.scope;
    let bad = |kind: &str, value: &String| Error::InvalidParameter(format!("Invalid availability zone{kind}: [{value}]"));
    if let Some(unknown) = input.zone_names.iter().find(|name| !scope.zones.contains(name)) {
        return Err(bad("", unknown).into());
    }
    if let Some(unknown) = input.zone_ids.iter().find(|id| zone::of_id(scope, id).is_none()) {
        return Err(bad("-id", unknown).into());
    }
    let filters = Filters::parse(input.filters, ZONE_FILTERS)?;
    let named = |name: &String, id: &String| {
        (input.zone_names.is_empty() || input.zone_names.contains(name))
            && (input.zone_ids.is_empty() || input.zone_ids.contains(id))
    };
    let mut availability_zones = Vec::new();
    for name in &scope.zones {
        let id = zone::id(scope, name);
        let group = format!("{}-zg-1", scope.region);
        let passes = filters.pass(&Tags::new(), |filter, add| match filter {
            "group-name" => add(&group),
            "opt-in-status" => add(NO_OPT_IN),
            "region-name" => add(&scope.region),
            "state" => add("available"),
            "zone-id" => add(&id),
            "zone-name" => add(name),
            "zone-type" => add("availability-zone"),
            _ => {}
        });
        if passes && named(name, &id) {
            availability_zones.push(zone_shape(&scope.region, name, id, group));
        }
    }
    unless_dry(input.dry_run, s::DescribeAvailabilityZonesResult { availability_zones })
}

fn zone_shape(region: &str, name: &str, id: String, group: String) -> s::AvailabilityZone {
    s::AvailabilityZone {
        opt_in_status: Some(NO_OPT_IN.into()),
        region_name: Some(region.into()),
        zone_name: Some(name.into()),
        zone_id: Some(id),
        group_name: Some(group),
        network_border_group: Some(region.into()),
        zone_type: Some("availability-zone".into()),
        state: Some("available".into()),
        ..Default::default()
    }
}

/// This region is the only one. Its endpoint is the host where clients reach it, without a scheme as AWS gives it.
pub(super) fn describe_regions(_: &mut Tx, cx: &Cx, input: s::DescribeRegionsRequest) -> Result<s::DescribeRegionsResult, Fault> {
    let region = &cx.scope.region;
    if let Some(unknown) = input.region_names.iter().find(|name| *name != region) {
        return Err(Error::InvalidParameter(format!("Invalid region provided: {unknown}")).into());
    }
    let endpoint = cx.settings.endpoint.split_once("://").map_or(cx.settings.endpoint.as_str(), |(_, host)| host);
    let filters = Filters::parse(input.filters, REGION_FILTERS)?;
    let passes = filters.pass(&Tags::new(), |filter, add| match filter {
        "endpoint" => add(endpoint),
        "opt-in-status" => add(NO_OPT_IN),
        "region-name" => add(region),
        _ => {}
    });
    let this = s::Region {
        opt_in_status: Some(NO_OPT_IN.into()),
        region_name: Some(region.clone()),
        endpoint: Some(endpoint.into()),
        ..Default::default()
    };
    unless_dry(input.dry_run, s::DescribeRegionsResult { regions: Some(this).filter(|_| passes).into_iter().collect() })
}

/// The attributes of the account that mean something here. There are no elastic addresses, so none can be had.
pub(super) fn describe_account(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeAccountAttributesRequest,
) -> Result<s::DescribeAccountAttributesResult, Fault> {
    let all = [
        ("supported-platforms", "VPC".to_string()),
        ("default-vpc", default_vpc(tx).map_or_else(|| "none".to_string(), |vpc| vpc.id.to_string())),
        ("max-instances", INSTANCES_MAX.to_string()),
        ("vpc-max-security-groups-per-interface", GROUPS_MAX.to_string()),
        ("max-elastic-ips", "0".to_string()),
        ("vpc-max-elastic-ips", "0".to_string()),
    ];
    let asked = &input.attribute_names;
    if let Some(unknown) = asked.iter().find(|name| all.iter().all(|(known, _)| known != name)) {
        return Err(Error::invalid("attributeName", unknown, "It is not an account attribute.").into());
    }
    let wanted = all.into_iter().filter(|(name, _)| asked.is_empty() || asked.iter().any(|a| a == name));
    let shape = |(name, value): (&str, String)| s::AccountAttribute {
        attribute_name: Some(name.into()),
        attribute_values: vec![s::AccountAttributeValue { attribute_value: Some(value) }],
    };
    let account_attributes = wanted.map(shape).collect();
    unless_dry(input.dry_run, s::DescribeAccountAttributesResult { account_attributes })
}
