//! What the instance metadata service answers to an instance ("Amazon EC2 User Guide, instance metadata categories").
//! A pure view of rows; it owns nothing.

use std::collections::BTreeMap;

use base::{InstanceId, Scope, Tags};
use kernel::{Settings, State};
use serde_json::json;
use world::{Interface, Metadata};

use super::catalogue::Architecture;
use super::instance::Instance;
use super::launch_data::USER_DATA_BYTES_MAX;
use super::user_data;
use crate::network::{SecurityGroup, Subnet, Vpc};
use crate::tags;

/// Where an instance finds the secret of its identity. AWS signs the identity document instead.
const IDENTITY_SECRET: &str = "dynamic/instance-identity/allod-secret";

/// Where it finds the address of the region's API.
const ENDPOINT: &str = "dynamic/instance-identity/allod-endpoint";

/// Whether whoever knows this secret is that instance, as long as it lives.
pub fn identity_is(state: &State, instance: &InstanceId, secret: &str) -> bool {
    let known = state.get::<Instance>(instance).filter(|i| i.state() != super::InstanceState::Terminated);
    known.is_some_and(|i| !i.identity_secret.is_empty() && same(&i.identity_secret, secret))
}

/// Takes as long for every wrong secret of the right length.
fn same(known: &str, given: &str) -> bool {
    let different = known.bytes().zip(given.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    known.len() == given.len() && different == 0
}

/// Everything below `/latest/` for this instance.
pub(crate) fn metadata(
    state: &State,
    scope: &Scope,
    settings: &Settings,
    instance: &Instance,
    interface: &Interface,
) -> Metadata {
    let mut tree = Tree::default();
    identity(&mut tree, scope, instance);
    network(&mut tree, state, scope, instance, interface);
    if instance.metadata_options.tags_enabled() {
        for (key, value) in instance_tags(state, instance) {
            tree.meta(&format!("tags/instance/{key}"), value);
        }
    }
    if let Some(profile) = &instance.profile {
        let info = json!({
            "Code": "Success",
            "LastUpdated": instance.launched_at.iso8601_s(),
            "InstanceProfileArn": profile.arn,
            "InstanceProfileId": profile.id,
        });
        tree.meta("iam/info", pretty(&info));
    }
    tree.put("dynamic/instance-identity/document".into(), pretty(&document(scope, instance)));
    if !instance.identity_secret.is_empty() {
        tree.put(IDENTITY_SECRET.into(), instance.identity_secret.as_str());
        tree.put(ENDPOINT.into(), settings.endpoint.as_str());
    }
    if let Some(text) = instance.user_data.as_deref().and_then(user_data::decode).and_then(|d| String::from_utf8(d).ok()) {
        debug_assert!(text.len() <= USER_DATA_BYTES_MAX, "the launch has checked it");
        tree.put("user-data".into(), text);
    }
    let options = &instance.metadata_options;
    Metadata {
        entries: tree.0,
        tokens_required: options.tokens_required(),
        enabled: options.endpoint_enabled(),
        hop_limit: options.hop_limit(),
    }
}

#[derive(Default)]
struct Tree(BTreeMap<String, String>);

impl Tree {
    fn put(&mut self, path: String, text: impl Into<String>) {
        self.0.insert(path, text.into());
    }

    fn meta(&mut self, path: &str, text: impl Into<String>) {
        self.put(format!("meta-data/{path}"), text);
    }
}

fn identity(tree: &mut Tree, scope: &Scope, instance: &Instance) {
    let name = instance.private_dns_name(&scope.region);
    tree.meta("instance-id", instance.id.as_str());
    tree.meta("ami-id", instance.image.as_str());
    tree.meta("ami-launch-index", instance.launch_index.to_string());
    tree.meta("ami-manifest-path", "(unknown)");
    tree.meta("instance-type", instance.instance_type.as_str());
    tree.meta("instance-action", "none");
    tree.meta("instance-life-cycle", "on-demand");
    tree.meta("reservation-id", instance.reservation.as_str());
    tree.meta("local-ipv4", instance.address.to_string());
    tree.meta("local-hostname", name.as_str());
    tree.meta("hostname", name);
    tree.meta("placement/availability-zone", instance.zone.as_str());
    tree.meta("placement/region", scope.region.as_str());
    tree.meta("services/domain", "amazonaws.com");
    tree.meta("services/partition", scope.partition.as_str());
    tree.meta("block-device-mapping/ami", instance.root.device.trim_start_matches("/dev/"));
    tree.meta("block-device-mapping/root", instance.root.device.as_str());
}

fn network(tree: &mut Tree, state: &State, scope: &Scope, instance: &Instance, interface: &Interface) {
    let names: Vec<&str> =
        interface.groups.iter().filter_map(|id| state.get::<SecurityGroup>(id)).map(|g| g.name.as_str()).collect();
    let ids: Vec<&str> = interface.groups.iter().map(|id| id.as_str()).collect();
    tree.meta("mac", interface.mac.as_str());
    tree.meta("security-groups", names.join("\n"));
    let mut of = |name: &str, text: &str| tree.meta(&format!("network/interfaces/macs/{}/{name}", interface.mac), text);
    of("device-number", "0");
    of("interface-id", &interface.id);
    of("local-hostname", &instance.private_dns_name(&scope.region));
    of("local-ipv4s", &interface.address.to_string());
    of("mac", &interface.mac);
    of("owner-id", &scope.account);
    of("security-groups", &names.join("\n"));
    of("security-group-ids", &ids.join("\n"));
    of("subnet-id", &interface.subnet);
    of("vpc-id", &interface.vpc);
    if let Some(subnet) = state.get::<Subnet>(&interface.subnet) {
        of("subnet-ipv4-cidr-block", &subnet.cidr.to_string());
    }
    if let Some(vpc) = state.get::<Vpc>(&interface.vpc) {
        of("vpc-ipv4-cidr-block", &vpc.cidr.to_string());
        of("vpc-ipv4-cidr-blocks", &vpc.cidr.to_string());
    }
}

fn document(scope: &Scope, instance: &Instance) -> serde_json::Value {
    json!({
        "accountId": scope.account,
        "architecture": Architecture::of_this_machine().as_str(),
        "availabilityZone": instance.zone,
        "billingProducts": null,
        "devpayProductCodes": null,
        "marketplaceProductCodes": null,
        "imageId": instance.image,
        "instanceId": instance.id,
        "instanceType": instance.instance_type,
        "kernelId": null,
        "pendingTime": instance.launched_at.iso8601_s(),
        "privateIp": instance.address,
        "ramdiskId": null,
        "region": scope.region,
        "version": "2017-09-30",
    })
}

/// Tags as the metadata service shows them; a key with a slash or blank cannot be a path and is left out.
fn instance_tags(state: &State, instance: &Instance) -> Tags {
    let mut shown = tags::of(state, &instance.id).clone();
    shown.retain(|key, _| !key.contains(['/', ' ']) && !matches!(key.as_str(), "." | ".." | "_index"));
    shown
}

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
