//! What is kept as a record: key pairs, and the root volumes of instances.

use base::{Fault, Tags};
use kernel::{Cx, State, Tx, page};
use shapes::ec2 as s;

use super::error::ComputeError;
use super::instance::{Instance, InstanceState};
use super::key_pair::{self, KeyPair, delete_key_pair, import_key_pair};
use crate::Kind;
use crate::describe::{IDS_MAX, results_max};
use crate::error::{Error, unless_dry};
use crate::filter::Filters;
use crate::tags;

pub(crate) fn import(tx: &mut Tx, cx: &Cx, input: s::ImportKeyPairRequest) -> Result<s::ImportKeyPairResult, Fault> {
    let tags = tags::specified(input.tag_specifications, Kind::KeyPair)?;
    let material = String::from_utf8(input.public_key_material).map_err(|_| ComputeError::MalformedKey)?;
    let pair = import_key_pair(tx, cx, &input.key_name, &material, tags)?;
    let answer = s::ImportKeyPairResult {
        key_fingerprint: Some(pair.fingerprint),
        key_name: Some(pair.name),
        tags: tags::shapes(tx, &pair.id),
        key_pair_id: Some(pair.id),
    };
    unless_dry(input.dry_run, answer)
}

/// The control plane draws no secrets; a key is made where it will be used.
pub(crate) fn create(_: &mut Tx, _: &Cx, _: s::CreateKeyPairRequest) -> Result<s::KeyPair, Fault> {
    let text = "This region makes no private keys. Make one with ssh-keygen and use ImportKeyPair with its public key.";
    Err(Error::Unsupported(text.into()).into())
}

pub(crate) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteKeyPairRequest) -> Result<s::DeleteKeyPairResult, Fault> {
    let name = match (input.key_name, input.key_pair_id) {
        (Some(name), _) => Some(name),
        (None, Some(id)) => tx.rows_where::<KeyPair>("id", &id).next().map(|k| k.name.clone()),
        (None, None) => return Err(Error::Missing("The request must contain the parameter KeyName or KeyPairId".into()).into()),
    };
    // A key pair that does not exist is as good as deleted.
    let deleted = name.and_then(|name| delete_key_pair(tx, &name));
    unless_dry(input.dry_run, s::DeleteKeyPairResult { r#return: Some(true), key_pair_id: deleted.map(|k| k.id) })
}

pub(crate) fn describe_key_pairs(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeKeyPairsRequest,
) -> Result<s::DescribeKeyPairsResult, Fault> {
    if let Some(unknown) = input.key_names.iter().find(|n| !key_pair::exists(tx, n)) {
        return Err(ComputeError::NoKeyPair(unknown.clone()).into());
    }
    if let Some(unknown) = input.key_pair_ids.iter().find(|id| tx.rows_where::<KeyPair>("id", id).next().is_none()) {
        return Err(Error::NotFound(Kind::KeyPair, vec![unknown.clone()]).into());
    }
    let filters = Filters::parse(input.filters, &["fingerprint", "key-name", "key-pair-id"])?;
    let all = input.key_names.is_empty() && input.key_pair_ids.is_empty();
    let kept = tx.rows::<KeyPair>().filter(|k| all || input.key_names.contains(&k.name) || input.key_pair_ids.contains(&k.id));
    let kept = kept.filter(|k| {
        filters.pass(tags::of(tx, &k.id), |name, add| match name {
            "fingerprint" => add(&k.fingerprint),
            "key-name" => add(&k.name),
            "key-pair-id" => add(&k.id),
            _ => {}
        })
    });
    let with_key = input.include_public_key == Some(true);
    let key_pairs = kept.map(|k| key_answer(tx, k, with_key)).collect();
    unless_dry(input.dry_run, s::DescribeKeyPairsResult { key_pairs })
}

fn key_answer(state: &State, pair: &KeyPair, with_key: bool) -> s::KeyPairInfo {
    s::KeyPairInfo {
        key_pair_id: Some(pair.id.clone()),
        key_type: Some(pair.kind.as_str().into()),
        tags: tags::shapes(state, &pair.id),
        public_key: with_key.then(|| pair.public_key.clone()),
        create_time: Some(pair.created_at),
        key_name: Some(pair.name.clone()),
        key_fingerprint: Some(pair.fingerprint.clone()),
    }
}

const VOLUME_FILTERS: &[&str] = &[
    "attachment.device",
    "attachment.instance-id",
    "attachment.status",
    "availability-zone",
    "encrypted",
    "size",
    "status",
    "volume-id",
    "volume-type",
];

/// Root volumes of instances that have not ended; there are no others yet.
pub(crate) fn describe_volumes(tx: &mut Tx, _: &Cx, input: s::DescribeVolumesRequest) -> Result<s::DescribeVolumesResult, Fault> {
    let ids = input.volume_ids;
    if ids.len() > IDS_MAX {
        return Err(Error::InvalidParameter(format!("At most {IDS_MAX} IDs can be named in one request.")).into());
    }
    let has_volume = |i: &&Instance| i.state() != InstanceState::Terminated;
    let owner = |id: &str| tx.rows_where::<Instance>("volume", id).find(has_volume);
    ids.iter().try_for_each(|id| Kind::Volume.check(id))?;
    let missing: Vec<String> = ids.iter().filter(|id| owner(id).is_none()).cloned().collect();
    if !missing.is_empty() {
        return Err(Error::NotFound(Kind::Volume, missing).into());
    }
    let filters = Filters::parse(input.filters, VOLUME_FILTERS)?;
    let none = Tags::new();
    let mut kept: Vec<&Instance> = match ids.is_empty() {
        true => tx.rows::<Instance>().filter(has_volume).collect(),
        false => ids.iter().filter_map(|id| owner(id)).collect(),
    };
    kept.retain(|i| {
        let tags = if filters.is_empty() { &none } else { tags::of(tx, &i.root.id) };
        filters.pass(tags, |name, add| volume_values(i, name, add))
    });
    kept.sort_by(|a, b| a.root.id.cmp(&b.root.id));
    kept.dedup_by(|a, b| a.root.id == b.root.id);
    let max = results_max(input.max_results)?;
    let page = page(kept.into_iter(), |i| i.root.id.to_string(), input.next_token.as_deref(), max, || Error::BadToken.into())?;
    let volumes = page.items.into_iter().map(|i| volume_answer(tx, i)).collect();
    unless_dry(input.dry_run, s::DescribeVolumesResult { next_token: page.next_token, volumes })
}

fn volume_values(instance: &Instance, name: &str, add: &mut dyn FnMut(&str)) {
    match name {
        "attachment.device" => add(&instance.root.device),
        "attachment.instance-id" => add(&instance.id),
        "attachment.status" => add("attached"),
        "availability-zone" => add(&instance.zone),
        "encrypted" => add(if instance.root.encrypted { "true" } else { "false" }),
        "size" => add(&instance.root.size_gib.to_string()),
        "status" => add("in-use"),
        "volume-id" => add(&instance.root.id),
        "volume-type" => add(&instance.root.volume_type),
        _ => {}
    }
}

fn volume_answer(state: &State, instance: &Instance) -> s::Volume {
    let root = &instance.root;
    s::Volume {
        iops: root.iops,
        tags: tags::shapes(state, &root.id),
        volume_type: Some(root.volume_type.clone()),
        multi_attach_enabled: Some(false),
        throughput: root.throughput,
        volume_id: Some(root.id.to_string()),
        size: Some(root.size_gib),
        snapshot_id: Some(String::new()),
        availability_zone: Some(instance.zone.clone()),
        state: Some("in-use".into()),
        create_time: Some(instance.launched_at),
        attachments: vec![s::VolumeAttachment {
            delete_on_termination: Some(root.delete_on_termination),
            volume_id: Some(root.id.to_string()),
            instance_id: Some(instance.id.to_string()),
            device: Some(root.device.clone()),
            state: Some("attached".into()),
            attach_time: Some(instance.launched_at),
            ..Default::default()
        }],
        encrypted: Some(root.encrypted),
        ..Default::default()
    }
}
