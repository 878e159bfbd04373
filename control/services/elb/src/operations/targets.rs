use base::Fault;
use kernel::{Cx, State, Tx};
use shapes::elbv2 as s;

use crate::attribute;
use crate::error::{Error, refuse};
use crate::listener::port;
use crate::protocol::is_http;
use crate::target::{self, HealthText, Registration, key_of, subnet_of};
use crate::target_group::{self, TargetGroup, TargetType};

/// Ids and ports of a request.
pub(crate) fn asked(
    state: &State,
    group: &TargetGroup,
    targets: Vec<s::TargetDescription>,
) -> Result<Vec<(String, Option<u16>)>, Error> {
    if targets.is_empty() {
        return Err(Error::Validation("At least one target must be specified".into()));
    }
    let one = |t: s::TargetDescription| {
        refuse(&[("QuicServerId", t.quic_server_id.is_some())])?;
        if let Some(zone) = &t.availability_zone {
            check_zone(state, group, &t.id, zone)?;
        }
        Ok((t.id, t.port.map(port).transpose()?))
    };
    targets.into_iter().map(one).collect()
}

/// A zone can be named for an address. It is the subnet's: targets outside of the VPC (`all`) cannot be reached.
fn check_zone(state: &State, group: &TargetGroup, id: &str, zone: &str) -> Result<(), Error> {
    if group.target_type != TargetType::Ip {
        let text = "You cannot specify an Availability Zone for a target that is an instance";
        return Err(Error::Validation(text.into()));
    }
    if zone == "all" {
        return Err(Error::Unsupported(format!(
            "The target '{id}' must be within the VPC: Availability Zone 'all' is not supported"
        )));
    }
    match id.parse().ok().and_then(|address| subnet_of(state, group, address)) {
        Some(subnet) if subnet.zone != zone => {
            Err(Error::Validation(format!("The target '{id}' is not in the Availability Zone '{zone}'")))
        }
        _ => Ok(()),
    }
}

pub(super) fn register(tx: &mut Tx, cx: &Cx, input: s::RegisterTargetsInput) -> Result<s::RegisterTargetsOutput, Fault> {
    let targets = asked(tx, target_group::find(tx, &input.target_group_arn)?, input.targets)?;
    target::register(tx, cx, &input.target_group_arn, &targets)?;
    Ok(s::RegisterTargetsOutput {})
}

pub(super) fn deregister(tx: &mut Tx, cx: &Cx, input: s::DeregisterTargetsInput) -> Result<s::DeregisterTargetsOutput, Fault> {
    let targets = asked(tx, target_group::find(tx, &input.target_group_arn)?, input.targets)?;
    target::deregister(tx, cx, &input.target_group_arn, &targets)?;
    Ok(s::DeregisterTargetsOutput {})
}

pub(super) fn describe_health(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeTargetHealthInput,
) -> Result<s::DescribeTargetHealthOutput, Fault> {
    let group = target_group::find(tx, &input.target_group_arn)?;
    // Nobody looks for anomalies among targets of other protocols ("DescribeTargetHealth").
    let with_anomalies =
        is_http(group.protocol) && input.include.iter().any(|i| matches!(i.as_str(), "AnomalyDetection" | "All"));
    let mut descriptions: Vec<s::TargetHealthDescription>;
    if input.targets.is_empty() {
        let mut rows: Vec<&Registration> = tx.rows_where::<Registration>("group", &group.arn).collect();
        rows.sort_by(|a, b| a.target.cmp(&b.target));
        descriptions = rows.into_iter().map(|r| registered(tx, group, r)).collect();
    } else {
        descriptions = Vec::new();
        for (id, port) in asked(tx, group, input.targets)? {
            let key = key_of(&group.arn, &world::TargetKey { id: id.clone(), port: port.unwrap_or(group.port) });
            descriptions.push(match tx.get::<Registration>(&key) {
                Some(row) => registered(tx, group, row),
                None => unregistered(group, id, port),
            });
        }
    }
    if !with_anomalies {
        descriptions.iter_mut().for_each(|d| d.anomaly_detection = None);
    }
    Ok(s::DescribeTargetHealthOutput { target_health_descriptions: descriptions })
}

fn registered(state: &State, group: &TargetGroup, row: &Registration) -> s::TargetHealthDescription {
    // What was observed last may be from before it was switched off.
    let is_on = attribute::target_group(group, "load_balancing.algorithm.anomaly_mitigation") == "on";
    let mitigation = if is_on && row.anomaly.is_some_and(|a| a.mitigated) { "yes" } else { "no" };
    let anomaly = s::AnomalyDetection {
        result: Some(if row.anomaly.is_some() { "anomalous" } else { "normal" }.into()),
        mitigation_in_effect: Some(mitigation.into()),
    };
    let described = describe(group, row.target.id.clone(), row.target.port, row.health_text(state));
    s::TargetHealthDescription { anomaly_detection: Some(anomaly), ..described }
}

fn unregistered(group: &TargetGroup, id: String, port: Option<u16>) -> s::TargetHealthDescription {
    let text = HealthText {
        state: "unused",
        reason: Some("Target.NotRegistered"),
        description: Some("Target is not registered to the target group".into()),
    };
    describe(group, id, port.unwrap_or(group.port), text)
}

fn describe(group: &TargetGroup, id: String, port: u16, health: HealthText) -> s::TargetHealthDescription {
    s::TargetHealthDescription {
        target: Some(s::TargetDescription { id, port: Some(i64::from(port)), ..Default::default() }),
        health_check_port: Some(group.health_check.port.unwrap_or(port).to_string()),
        target_health: Some(s::TargetHealth {
            state: Some(health.state.into()),
            reason: health.reason.map(Into::into),
            description: health.description,
        }),
        // Zonal shifts, which would override it, do not exist here.
        administrative_override: Some(s::AdministrativeOverride {
            state: Some("no_override".into()),
            reason: Some("AdministrativeOverride.NoOverride".into()),
            description: Some("No override is currently active on target".into()),
        }),
        ..Default::default()
    }
}
