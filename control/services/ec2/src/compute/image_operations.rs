//! `RegisterImage`, `DeregisterImage` and `DescribeImages`.

use base::Fault;
use kernel::{Cx, State, Tx, page};
use shapes::ec2 as s;

use super::catalogue::Architecture;
use super::image::{HOST_IMAGE, Image, deregister_image, find_image, register_image};
use crate::Kind;
use crate::describe::{IDS_MAX, results_max};
use crate::error::{Error, refuse, unless_dry};
use crate::filter::Filters;
use crate::tags;

const FILTERS: &[&str] = &[
    "architecture",
    "creation-date",
    "description",
    "hypervisor",
    "image-id",
    "image-type",
    "is-public",
    "manifest-location",
    "name",
    "owner-alias",
    "owner-id",
    "platform",
    "root-device-name",
    "root-device-type",
    "state",
    "virtualization-type",
];

pub(crate) fn register(tx: &mut Tx, cx: &Cx, input: s::RegisterImageRequest) -> Result<s::RegisterImageResult, Fault> {
    refuse(&[
        ("KernelId", input.kernel_id.is_some()),
        ("RamdiskId", input.ramdisk_id.is_some()),
        ("BlockDeviceMappings", !input.block_device_mappings.is_empty()),
    ])?;
    let location = input
        .image_location
        .as_deref()
        .ok_or_else(|| Error::Missing("The request must contain the parameter ImageLocation".into()))?;
    // DescribeImages shows it behind the account.
    let location = location.strip_prefix(&format!("{}/", cx.scope.account)).unwrap_or(location);
    let architecture = match input.architecture.as_deref() {
        None => Architecture::of_this_machine(),
        Some(text) => {
            Architecture::parse(text).ok_or_else(|| Error::invalid("architecture", text, "It must be x86_64 or arm64."))?
        }
    };
    let tags = tags::specified(input.tag_specifications, Kind::Image)?;
    let id = register_image(tx, cx, &input.name, location, input.description, architecture, tags)?;
    unless_dry(input.dry_run, s::RegisterImageResult { image_id: Some(id.into()) })
}

pub(crate) fn deregister(tx: &mut Tx, cx: &Cx, input: s::DeregisterImageRequest) -> Result<s::DeregisterImageResult, Fault> {
    deregister_image(tx, cx, &input.image_id)?;
    unless_dry(input.dry_run, s::DeregisterImageResult { r#return: Some(true), ..Default::default() })
}

pub(crate) fn describe(tx: &mut Tx, cx: &Cx, input: s::DescribeImagesRequest) -> Result<s::DescribeImagesResult, Fault> {
    let filters = Filters::parse(input.filters, FILTERS)?;
    let account = &cx.scope.account;
    let owned = |image: &Image| {
        input.owners.is_empty()
            || input.owners.iter().any(|owner| match owner.as_str() {
                "self" => !image.is_host(),
                "amazon" => image.is_host(),
                other => other == account && !image.is_host(),
            })
    };
    let images = chosen(tx, &input.image_ids)?;
    let passed = images
        .into_iter()
        .filter(owned)
        .filter(|image| filters.pass(tags::of(tx, &image.id), |name, add| values(image, account, name, add)));
    let max = results_max(input.max_results)?;
    let page = page(passed, |i| i.id.to_string(), input.next_token.as_deref(), max, || Error::BadToken.into())?;
    let images = page.items.iter().map(|image| answer(tx, account, image)).collect();
    unless_dry(input.dry_run, s::DescribeImagesResult { next_token: page.next_token, images })
}

/// The images of these ids, or all, in order of id.
fn chosen(state: &State, ids: &[String]) -> Result<Vec<Image>, Error> {
    let mut images: Vec<Image> = if ids.is_empty() {
        std::iter::once(Image::host()).chain(state.rows::<Image>().cloned()).collect()
    } else if ids.len() > IDS_MAX {
        return Err(Error::InvalidParameter(format!("At most {IDS_MAX} IDs can be named in one request.")));
    } else {
        ids.iter().map(|id| find_image(state, id)).collect::<Result<_, _>>()?
    };
    images.sort_by(|a, b| a.id.cmp(&b.id));
    images.dedup_by(|a, b| a.id == b.id);
    Ok(images)
}

fn values(image: &Image, account: &str, name: &str, add: &mut dyn FnMut(&str)) {
    match name {
        "architecture" => add(image.architecture.as_str()),
        "creation-date" => add(&image.created_at.iso8601_ms()),
        "description" => image.description.iter().for_each(|d| add(d)),
        "hypervisor" => add("xen"),
        "image-id" => add(&image.id),
        "image-type" => add("machine"),
        "is-public" => add(if image.is_host() { "true" } else { "false" }),
        "manifest-location" => add(&location(image, account)),
        "name" => add(&image.name),
        "owner-alias" if image.is_host() => add("amazon"),
        "owner-id" => add(account),
        "root-device-name" => add("/dev/xvda"),
        "root-device-type" => add("ebs"),
        "state" => add("available"),
        "virtualization-type" => add("hvm"),
        _ => {}
    }
}

fn location(image: &Image, account: &str) -> String {
    match &image.location {
        None => format!("amazon/{}", image.name),
        Some(location) => format!("{account}/{location}"),
    }
}

fn answer(state: &State, account: &str, image: &Image) -> s::Image {
    let some = |text: &str| Some(text.to_string());
    s::Image {
        architecture: some(image.architecture.as_str()),
        block_device_mappings: vec![s::BlockDeviceMapping {
            device_name: some("/dev/xvda"),
            ebs: Some(s::EbsBlockDevice {
                delete_on_termination: Some(true),
                encrypted: Some(false),
                volume_size: Some(8),
                volume_type: some("gp3"),
                ..Default::default()
            }),
            ..Default::default()
        }],
        creation_date: Some(image.created_at.iso8601_ms()),
        description: image.description.clone(),
        ena_support: Some(true),
        hypervisor: some("xen"),
        image_id: Some(image.id.to_string()),
        image_location: Some(location(image, account)),
        image_owner_alias: image.is_host().then(|| "amazon".into()),
        image_type: some("machine"),
        name: Some(image.name.clone()),
        owner_id: some(account),
        platform_details: some("Linux/UNIX"),
        public: Some(image.id == *HOST_IMAGE),
        root_device_name: some("/dev/xvda"),
        root_device_type: some("ebs"),
        state: some("available"),
        tags: tags::shapes(state, &image.id),
        usage_operation: some("RunInstances"),
        virtualization_type: some("hvm"),
        ..Default::default()
    }
}
