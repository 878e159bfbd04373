//! `DescribeInstanceTypes` and `DescribeInstanceTypeOfferings`.

use base::{Fault, Tags};
use kernel::{Cx, Tx, page};
use shapes::ec2 as s;

use super::catalogue::{Architecture, InstanceType};
use super::error::ComputeError;
use crate::describe::results_max;
use crate::error::{Error, unless_dry};
use crate::filter::Filters;

/// Most types that one call may name.
const TYPES_MAX: usize = 100;
/// Types of a page where the call does not say, as at AWS.
const PAGE_DEFAULT: usize = 100;

const FILTERS: &[&str] = &[
    "auto-recovery-supported",
    "bare-metal",
    "burstable-performance-supported",
    "current-generation",
    "free-tier-eligible",
    "hypervisor",
    "instance-storage-supported",
    "instance-type",
    "memory-info.size-in-mib",
    "network-info.maximum-network-interfaces",
    "network-info.network-performance",
    "processor-info.supported-architecture",
    "processor-info.sustained-clock-speed-in-ghz",
    "supported-root-device-type",
    "supported-usage-class",
    "supported-virtualization-type",
    "vcpu-info.default-cores",
    "vcpu-info.default-threads-per-core",
    "vcpu-info.default-vcpus",
];

pub(crate) fn describe(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeInstanceTypesRequest,
) -> Result<s::DescribeInstanceTypesResult, Fault> {
    let _ = tx;
    if input.instance_types.len() > TYPES_MAX {
        return Err(Error::InvalidParameter(format!("At most {TYPES_MAX} instance types can be named in one request.")).into());
    }
    let unknown: Vec<String> = input.instance_types.iter().filter(|n| InstanceType::find(n).is_none()).cloned().collect();
    if !unknown.is_empty() {
        return Err(ComputeError::NoInstanceTypes(unknown).into());
    }
    let filters = Filters::parse(input.filters, FILTERS)?;
    let tags = Tags::new();
    let kept = InstanceType::all()
        .filter(|t| input.instance_types.is_empty() || input.instance_types.iter().any(|n| n == t.name))
        .filter(|t| filters.pass(&tags, |name, add| values(t, name, add)));
    let max = results_max(input.max_results)?.min(PAGE_DEFAULT);
    let page = page(kept, |t| t.name.to_string(), input.next_token.as_deref(), max, || Error::BadToken.into())?;
    let instance_types = page.items.into_iter().map(answer).collect();
    unless_dry(input.dry_run, s::DescribeInstanceTypesResult { instance_types, next_token: page.next_token })
}

fn cores(t: &InstanceType) -> u32 {
    (t.vcpus / t.family.threads_per_core).max(1)
}

fn values(t: &InstanceType, name: &str, add: &mut dyn FnMut(&str)) {
    let flag = |on: bool| if on { "true" } else { "false" };
    match name {
        "auto-recovery-supported" => add("true"),
        "bare-metal" | "instance-storage-supported" => add("false"),
        "burstable-performance-supported" => add(flag(t.family.burstable)),
        "current-generation" => add(flag(t.family.current_generation)),
        "free-tier-eligible" => add(flag(is_free(t))),
        "hypervisor" => add(t.family.hypervisor),
        "instance-type" => add(t.name),
        "memory-info.size-in-mib" => add(&t.memory_mib.to_string()),
        "network-info.maximum-network-interfaces" => add(&t.interfaces_max.to_string()),
        "network-info.network-performance" => add(t.network_performance),
        "processor-info.supported-architecture" => add(t.family.architecture.as_str()),
        "processor-info.sustained-clock-speed-in-ghz" => add(&t.family.clock_ghz.to_string()),
        "supported-root-device-type" => add("ebs"),
        "supported-usage-class" => add("on-demand"),
        "supported-virtualization-type" => add("hvm"),
        "vcpu-info.default-cores" => add(&cores(t).to_string()),
        "vcpu-info.default-threads-per-core" => add(&t.family.threads_per_core.to_string()),
        "vcpu-info.default-vcpus" => add(&t.vcpus.to_string()),
        _ => {}
    }
}

fn is_free(t: &InstanceType) -> bool {
    matches!(t.name, "t2.micro" | "t3.micro")
}

fn answer(t: &InstanceType) -> s::InstanceTypeInfo {
    let family = t.family;
    let (arm, nitro) = (family.architecture == Architecture::Arm, family.hypervisor == "nitro");
    s::InstanceTypeInfo {
        instance_type: Some(t.name.into()),
        current_generation: Some(family.current_generation),
        free_tier_eligible: Some(is_free(t)),
        supported_usage_classes: vec!["on-demand".into()],
        supported_root_device_types: vec!["ebs".into()],
        supported_virtualization_types: vec!["hvm".into()],
        bare_metal: Some(false),
        hypervisor: Some(family.hypervisor.into()),
        processor_info: Some(s::ProcessorInfo {
            supported_architectures: vec![family.architecture.as_str().into()],
            sustained_clock_speed_in_ghz: Some(family.clock_ghz),
            manufacturer: Some(family.manufacturer.into()),
            ..Default::default()
        }),
        v_cpu_info: Some(s::VCpuInfo {
            default_v_cpus: Some(t.vcpus.into()),
            default_cores: Some(cores(t).into()),
            default_threads_per_core: Some(family.threads_per_core.into()),
            ..Default::default()
        }),
        memory_info: Some(s::MemoryInfo { size_in_mi_b: Some(t.memory_mib.into()) }),
        instance_storage_supported: Some(false),
        ebs_info: Some(s::EbsInfo {
            ebs_optimized_support: Some(if nitro { "default" } else { "unsupported" }.into()),
            encryption_support: Some("supported".into()),
            nvme_support: Some(if nitro { "required" } else { "unsupported" }.into()),
            ..Default::default()
        }),
        network_info: Some(s::NetworkInfo {
            network_performance: Some(t.network_performance.into()),
            maximum_network_interfaces: Some(t.interfaces_max.into()),
            maximum_network_cards: Some(1),
            default_network_card_index: Some(0),
            ipv4_addresses_per_interface: Some(t.addresses_per_interface.into()),
            ipv6_addresses_per_interface: Some(t.addresses_per_interface.into()),
            ipv6_supported: Some(true),
            ena_support: Some(if nitro { "required" } else { "unsupported" }.into()),
            efa_supported: Some(false),
            ..Default::default()
        }),
        placement_group_info: Some(s::PlacementGroupInfo { supported_strategies: vec!["partition".into(), "spread".into()] }),
        hibernation_supported: Some(false),
        burstable_performance_supported: Some(family.burstable),
        dedicated_hosts_supported: Some(false),
        auto_recovery_supported: Some(true),
        supported_boot_modes: if arm { vec!["uefi".into()] } else { vec!["legacy-bios".into(), "uefi".into()] },
        ..Default::default()
    }
}

/// Types that this machine's processor can run are offered in every zone.
pub(crate) fn describe_offerings(
    tx: &mut Tx,
    cx: &Cx,
    input: s::DescribeInstanceTypeOfferingsRequest,
) -> Result<s::DescribeInstanceTypeOfferingsResult, Fault> {
    let _ = tx;
    let location_type = input.location_type.unwrap_or_else(|| "region".into());
    let locations: Vec<&str> = match location_type.as_str() {
        "region" => vec![&cx.scope.region],
        "availability-zone" => cx.scope.zones.iter().map(String::as_str).collect(),
        other => return Err(Error::invalid("LocationType", other, "It must be region or availability-zone.").into()),
    };
    let filters = Filters::parse(input.filters, &["instance-type", "location"])?;
    let tags = Tags::new();
    let offered = InstanceType::all().filter(|t| t.family.architecture == Architecture::of_this_machine());
    let all = offered.flat_map(|t| locations.iter().map(move |location| (t, *location)));
    let kept = all.filter(|(t, location)| {
        filters.pass(&tags, |name, add| match name {
            "instance-type" => add(t.name),
            "location" => add(location),
            _ => {}
        })
    });
    let max = results_max(input.max_results)?;
    let page = page(kept, |(t, l)| format!("{}/{l}", t.name), input.next_token.as_deref(), max, || Error::BadToken.into())?;
    let offering = |(t, location): (&InstanceType, &str)| s::InstanceTypeOffering {
        instance_type: Some(t.name.into()),
        location_type: Some(location_type.clone()),
        location: Some(location.into()),
    };
    let instance_type_offerings = page.items.into_iter().map(offering).collect();
    unless_dry(input.dry_run, s::DescribeInstanceTypeOfferingsResult { instance_type_offerings, next_token: page.next_token })
}
