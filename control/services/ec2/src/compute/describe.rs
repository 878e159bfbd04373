//! `DescribeInstances`, `DescribeInstanceStatus` and their relatives: which instances pass a call's filters.

use base::{Fault, Scope};
use kernel::{Cx, State, Tx};
use shapes::ec2 as s;

use super::answers::{reservation_answer, state_answer};
use super::catalogue::{Architecture, InstanceType};
use super::instance::{Instance, InstanceState};
use crate::Kind;
use crate::describe::{Asked, Described, describe};
use crate::error::unless_dry;
use crate::network::{NetworkInterface, SecurityGroup};

impl Described for Instance {
    const KIND: Kind = Kind::Instance;
    const FILTERS: &'static [&'static str] = &[
        "architecture",
        "availability-zone",
        "block-device-mapping.device-name",
        "block-device-mapping.volume-id",
        "client-token",
        "group-id",
        "group-name",
        "hypervisor",
        "iam-instance-profile.arn",
        "iam-instance-profile.id",
        "image-id",
        "instance-id",
        "instance-state-code",
        "instance-state-name",
        "instance-type",
        "instance.group-id",
        "instance.group-name",
        "key-name",
        "launch-index",
        "launch-time",
        "metadata-options.http-endpoint",
        "metadata-options.http-tokens",
        "monitoring-state",
        "network-interface.addresses.private-ip-address",
        "network-interface.group-id",
        "network-interface.network-interface-id",
        "network-interface.subnet-id",
        "network-interface.vpc-id",
        "owner-id",
        "private-dns-name",
        "private-ip-address",
        "reason",
        "requester-id",
        "reservation-id",
        "root-device-name",
        "root-device-type",
        "state-reason-code",
        "state-reason-message",
        "subnet-id",
        "tenancy",
        "virtualization-type",
        "vpc-id",
    ];

    fn values(&self, state: &State, scope: &Scope, name: &str, add: &mut dyn FnMut(&str)) {
        match name {
            "availability-zone" => add(&self.zone),
            "client-token" => self.client_token.iter().for_each(|t| add(&t.token)),
            "image-id" => add(&self.image),
            "instance-id" => add(&self.id),
            "instance-state-code" => add(&self.state().code().to_string()),
            "instance-state-name" => add(self.state().as_str()),
            "instance-type" => add(&self.instance_type),
            "key-name" => self.key_name.iter().for_each(|k| add(k)),
            "launch-index" => add(&self.launch_index.to_string()),
            "launch-time" => add(&self.launched_at.iso8601_ms()),
            "owner-id" => add(&scope.account),
            "reason" => add(&self.transition_reason()),
            "requester-id" => self.requester.iter().for_each(|r| add(r)),
            "reservation-id" => add(&self.reservation),
            "state-reason-code" => self.state_reason().iter().for_each(|(code, _)| add(code)),
            "state-reason-message" => self.state_reason().iter().for_each(|(_, text)| add(text)),
            name if name.contains("group-") => self.group_values(state, name, add),
            name => {
                self.machine_values(name, add);
                if self.state() != InstanceState::Terminated {
                    self.network_values(scope, name, add);
                }
            }
        }
    }
}

impl Instance {
    /// Groups by id or by name.
    fn group_values(&self, state: &State, name: &str, add: &mut dyn FnMut(&str)) {
        let Some(interface) = state.get::<NetworkInterface>(&self.interface) else { return };
        for id in &interface.groups {
            if name.ends_with("group-id") {
                add(id);
            } else if let Some(group) = state.get::<SecurityGroup>(id).filter(|_| name.ends_with("group-name")) {
                add(&group.name);
            }
        }
    }

    /// What an ended instance does not have any more.
    fn network_values(&self, scope: &Scope, name: &str, add: &mut dyn FnMut(&str)) {
        match name {
            "network-interface.addresses.private-ip-address" | "private-ip-address" => add(&self.address.to_string()),
            "network-interface.network-interface-id" => add(&self.interface),
            "network-interface.subnet-id" | "subnet-id" => add(&self.subnet),
            "network-interface.vpc-id" | "vpc-id" => add(&self.vpc),
            "private-dns-name" => add(&self.private_dns_name(&scope.region)),
            "block-device-mapping.device-name" => add(&self.root.device),
            "block-device-mapping.volume-id" => add(&self.root.id),
            "iam-instance-profile.arn" => self.profile.iter().for_each(|p| add(&p.arn)),
            "iam-instance-profile.id" => self.profile.iter().for_each(|p| add(&p.id)),
            _ => {}
        }
    }

    fn machine_values(&self, name: &str, add: &mut dyn FnMut(&str)) {
        match name {
            "architecture" => {
                let found = InstanceType::find(&self.instance_type).map(|t| t.family.architecture);
                add(found.unwrap_or(Architecture::of_this_machine()).as_str());
            }
            "hypervisor" => add("xen"),
            "metadata-options.http-endpoint" => {
                add(if self.metadata_options.endpoint_enabled() { "enabled" } else { "disabled" })
            }
            "metadata-options.http-tokens" => add(if self.metadata_options.tokens_required() { "required" } else { "optional" }),
            "monitoring-state" => add(if self.monitoring { "enabled" } else { "disabled" }),
            "root-device-name" => add(&self.root.device),
            "root-device-type" => add("ebs"),
            "tenancy" => add("default"),
            "virtualization-type" => add("hvm"),
            _ => {}
        }
    }
}

pub(crate) fn describe_instances(
    tx: &mut Tx,
    cx: &Cx,
    input: s::DescribeInstancesRequest,
) -> Result<s::DescribeInstancesResult, Fault> {
    let asked =
        Asked { ids: input.instance_ids, filters: input.filters, max_results: input.max_results, next_token: input.next_token };
    let page = describe::<Instance>(tx, cx, asked)?;
    let reservations = by_reservation(&page.items).iter().map(|instances| reservation_answer(tx, cx, instances)).collect();
    unless_dry(input.dry_run, s::DescribeInstancesResult { next_token: page.next_token, reservations })
}

/// Instances of one reservation together, in the order in which the first of each came.
fn by_reservation<'a>(instances: &[&'a Instance]) -> Vec<Vec<&'a Instance>> {
    let mut place = std::collections::HashMap::new();
    let mut all: Vec<Vec<&Instance>> = Vec::new();
    for instance in instances {
        let at = *place.entry(&instance.reservation).or_insert(all.len());
        if at == all.len() {
            all.push(Vec::new());
        }
        all[at].push(instance);
    }
    all.iter_mut().for_each(|group| group.sort_by_key(|i| i.launch_index));
    all
}

/// The status checks of an instance. Those of the machine are met while it runs, for it is this machine.
pub(crate) fn describe_instance_status(
    tx: &mut Tx,
    cx: &Cx,
    input: s::DescribeInstanceStatusRequest,
) -> Result<s::DescribeInstanceStatusResult, Fault> {
    let mut asked =
        Asked { ids: input.instance_ids, filters: input.filters, max_results: input.max_results, next_token: input.next_token };
    if input.include_all_instances != Some(true) {
        asked.filters.push(s::Filter { name: Some("instance-state-name".into()), values: vec!["running".into()] });
    }
    let page = describe::<Instance>(tx, cx, asked)?;
    let instance_statuses = page.items.iter().map(|i| status_answer(i)).collect();
    unless_dry(input.dry_run, s::DescribeInstanceStatusResult { instance_statuses, next_token: page.next_token })
}

fn status_answer(instance: &Instance) -> s::InstanceStatus {
    let (summary, detail) = match instance.state() {
        InstanceState::Running if instance.is_up() => ("ok", Some("passed")),
        InstanceState::Running => ("initializing", Some("initializing")),
        _ => ("not-applicable", None),
    };
    let checks = |name: &str| s::InstanceStatusSummary {
        status: Some(summary.into()),
        details: detail
            .map(|status| s::InstanceStatusDetails { name: Some(name.into()), status: Some(status.into()), ..Default::default() })
            .into_iter()
            .collect(),
    };
    s::InstanceStatus {
        availability_zone: Some(instance.zone.clone()),
        instance_id: Some(instance.id.to_string()),
        instance_state: Some(state_answer(instance.state())),
        instance_status: Some(checks("reachability")),
        system_status: Some(checks("reachability")),
        ..Default::default()
    }
}

pub(crate) fn describe_credits(
    tx: &mut Tx,
    cx: &Cx,
    input: s::DescribeInstanceCreditSpecificationsRequest,
) -> Result<s::DescribeInstanceCreditSpecificationsResult, Fault> {
    let asked =
        Asked { ids: input.instance_ids, filters: input.filters, max_results: input.max_results, next_token: input.next_token };
    let page = describe::<Instance>(tx, cx, asked)?;
    let burstable = |i: &&&Instance| InstanceType::find(&i.instance_type).is_some_and(|t| t.family.burstable);
    let answer = |i: &&Instance| s::InstanceCreditSpecification {
        instance_id: Some(i.id.to_string()),
        cpu_credits: Some(i.cpu_credits.clone().unwrap_or_else(|| credits_default(&i.instance_type).into())),
    };
    let instance_credit_specifications = page.items.iter().filter(burstable).map(answer).collect();
    let result = s::DescribeInstanceCreditSpecificationsResult { instance_credit_specifications, next_token: page.next_token };
    unless_dry(input.dry_run, result)
}

/// AWS's default: T2 is standard, later families are unlimited.
pub(crate) fn credits_default(instance_type: &str) -> &'static str {
    if instance_type.starts_with("t2.") { "standard" } else { "unlimited" }
}
