//! The launch of instances: from launch data to rows. Nothing starts here; the reconciler wishes what the rows say.

use std::net::Ipv4Addr;
use std::sync::Arc;

use base::{InstanceId, ReservationId, Scope, SecurityGroupId, SubnetId, Tags, VolumeId};
use kernel::{Cx, State, Tx};

use super::catalogue::InstanceType;
use super::error::ComputeError;
use super::image::{Image, resolve_image};
use super::instance::{ClientToken, Instance, Intent, Observed, Profile, RootVolume, Seen, TemplateUse};
use super::launch_data::{Ebs, LaunchData, ProfileName};
use super::launch_template::{TemplateName, find_template, version_data, version_number};
use crate::error::Error;
use crate::network::{self, InterfaceOwner, NetworkInterface, NewInterface, SecurityGroup, Subnet};
use crate::tags;

/// Most instances that a region keeps, ended ones of the last hour not counted.
pub const INSTANCES_MAX: usize = 12_000;
/// Most instances of one launch, as AWS's quota for one request.
pub const LAUNCH_MAX: u32 = 1_000;
/// AWS's default type where neither request nor template names one.
pub(crate) const TYPE_DEFAULT: &str = "m1.small";
const ROOT_DEVICE: &str = "/dev/xvda";
/// Hexadecimal digits of the secret by which an instance proves that it asks for itself.
const SECRET_DIGITS: usize = 48;
const ROOT_GIB: i64 = 8;

/// A launch from a template, as Auto Scaling makes it.
#[derive(Clone, Debug)]
pub struct Launch {
    pub template: TemplateName,
    /// `$Latest`, `$Default` or a number; the default version when absent.
    pub version: Option<String>,
    /// The template's own, or a default subnet of `zone`, when absent.
    pub subnet: Option<SubnetId>,
    pub zone: Option<String>,
    /// Laid over the template's tags for instances.
    pub tags: Tags,
    pub count: u32,
    /// The service that asks, such as `autoscaling.amazonaws.com`.
    pub requester: String,
}

/// Launches `count` instances, all or none.
pub fn launch(tx: &mut Tx, cx: &Cx, launch: Launch) -> Result<Vec<InstanceId>, Error> {
    let (template, data) = template_data(tx, &launch.template, launch.version.as_deref())?;
    let request = Request {
        data,
        template: Some(template),
        subnet: launch.subnet,
        zone: launch.zone,
        address: None,
        least: launch.count,
        most: launch.count,
        tags: launch.tags,
        token: None,
        requester: Some(launch.requester),
    };
    run(tx, cx, request)
}

/// A launch from data of the caller's own, as Auto Scaling makes it from a launch configuration.
pub fn launch_data(
    tx: &mut Tx,
    cx: &Cx,
    data: LaunchData,
    subnet: Option<SubnetId>,
    zone: Option<String>,
    tags: Tags,
    requester: &str,
) -> Result<InstanceId, Error> {
    let requester = Some(requester.into());
    let request = Request { data, template: None, subnet, zone, address: None, least: 1, most: 1, tags, token: None, requester };
    run(tx, cx, request)?.into_iter().next().ok_or(Error::Internal)
}

/// Whether a launch from this data would be refused for what it names; the error says why.
pub fn check_data(state: &State, cx: &Cx, data: &LaunchData) -> Result<(), Error> {
    data.validate()?;
    plan_machine(state, &cx.scope, data).map(|_| ())
}

/// Whether a launch from this template version would be refused for what it names; the error says why.
pub fn check_launch(state: &State, cx: &Cx, template: &TemplateName, version: Option<&str>) -> Result<(), Error> {
    let (_, data) = template_data(state, template, version)?;
    data.validate()?;
    plan_machine(state, &cx.scope, &data).map(|_| ())
}

/// The template's id, the version's number and its data.
pub(crate) fn template_data(
    state: &State,
    name: &TemplateName,
    version: Option<&str>,
) -> Result<(TemplateUse, LaunchData), Error> {
    let template = find_template(state, name)?;
    let version = version_number(state, template, version)?;
    let data = version_data(state, &template.id, version).unwrap_or_default();
    Ok((TemplateUse { id: template.id.clone(), version }, data))
}

/// A launch with everything laid together.
pub(crate) struct Request {
    pub(crate) data: LaunchData,
    pub(crate) template: Option<TemplateUse>,
    pub(crate) subnet: Option<SubnetId>,
    pub(crate) zone: Option<String>,
    pub(crate) address: Option<Ipv4Addr>,
    /// Fewer than this many is an error; more than `most` are not made.
    pub(crate) least: u32,
    pub(crate) most: u32,
    /// Laid over the data's tags for instances.
    pub(crate) tags: Tags,
    pub(crate) token: Option<ClientToken>,
    pub(crate) requester: Option<String>,
}

/// What all instances of a launch have in common.
struct Machine {
    image: Image,
    instance_type: &'static InstanceType,
    profile: Option<(String, String)>,
    root: Ebs,
    root_device: String,
}

pub(crate) fn run(tx: &mut Tx, cx: &Cx, request: Request) -> Result<Vec<InstanceId>, Error> {
    request.data.validate()?;
    check_counts(tx, &request)?;
    let machine = plan_machine(tx, &cx.scope, &request.data)?;
    let subnet = choose_subnet(tx, &request)?;
    let groups = find_groups(tx, &request.data, &subnet)?;
    let interface_data = request.data.network_interfaces.first();
    let address = request.address.or(interface_data.and_then(|i| i.private_ip_address));
    if address.is_some() && request.most > 1 {
        let text = "The parameter 'PrivateIpAddress' cannot be used to launch more than one instance.";
        return Err(Error::InvalidCombination(text.into()));
    }
    let reservation = ReservationId::generate(&mut cx.rng());
    let mut launched = Vec::new();
    for index in 0..request.most {
        let id = InstanceId::generate(&mut cx.rng());
        let interface = NewInterface {
            subnet: subnet.clone(),
            groups: groups.clone(),
            address,
            description: interface_data.and_then(|i| i.description.clone()).unwrap_or_default(),
            owner: InterfaceOwner::Instance(id.clone()),
        };
        let interface = match network::create_interface(tx, cx, interface) {
            Ok(interface) => interface,
            Err(Error::NoFreeAddress(_)) if index >= request.least => break,
            Err(error) => return Err(error),
        };
        let interface = tx.get::<NetworkInterface>(&interface).cloned().ok_or(Error::Internal)?;
        let place = Place { reservation: &reservation, launch_index: index, interface: &interface, id: id.clone() };
        let zone = tx.get::<Subnet>(&interface.subnet).map(|s| s.zone.clone()).unwrap_or_default();
        let instance = instance(cx, &request, &machine, place, zone)?;
        tag(tx, &request, &instance)?;
        tx.put(instance);
        launched.push(id);
    }
    Ok(launched)
}

fn check_counts(state: &State, request: &Request) -> Result<(), Error> {
    if request.least == 0 || request.most < request.least {
        return Err(Error::InvalidCombination(format!(
            "MinCount ({}) must be at least 1 and at most MaxCount ({}).",
            request.least, request.most
        )));
    }
    let ended = state.rows_where::<Instance>("state", "terminated").count();
    let room = INSTANCES_MAX.saturating_sub(state.count::<Instance>() - ended);
    if request.most > LAUNCH_MAX || request.most as usize > room {
        return Err(Error::LimitExceeded(
            "InstanceLimitExceeded",
            format!("at most {} instances can be launched now", room.min(LAUNCH_MAX as usize)),
        ));
    }
    Ok(())
}

fn plan_machine(state: &State, scope: &Scope, data: &LaunchData) -> Result<Machine, Error> {
    let image =
        data.image_id.as_deref().ok_or_else(|| Error::Missing("The request must contain the parameter ImageId".into()))?;
    let image = resolve_image(state, scope, image)?;
    let type_name = data.instance_type.as_deref().unwrap_or(TYPE_DEFAULT);
    let instance_type = InstanceType::find(type_name).ok_or_else(|| ComputeError::NoInstanceType(type_name.into()))?;
    if instance_type.family.architecture != image.architecture {
        return Err(ComputeError::ArchitectureMismatch {
            instance_type: instance_type.family.architecture.as_str(),
            image: image.architecture.as_str(),
        }
        .into());
    }
    if let Some(name) = &data.key_name
        && !super::key_pair::exists(state, name)
    {
        return Err(ComputeError::NoKeyPair(name.clone()).into());
    }
    refuse_lost_groups(data)?;
    let profile = data.iam_instance_profile.as_ref().map(|p| find_profile(state, p)).transpose()?.flatten();
    let is_extra = |name: &&str| !is_root(name);
    let mut volumes = data.block_device_mappings.iter().filter(|d| d.is_volume() && d.ebs.is_some());
    if let Some(extra) = volumes.find_map(|d| d.device_name.as_deref().filter(is_extra)) {
        let text = format!("An instance of this region has one volume, its root {ROOT_DEVICE}: '{extra}' cannot be added.");
        return Err(Error::Unsupported(text));
    }
    let device = data.block_device_mappings.iter().find(|d| d.is_volume() && d.device_name.as_deref().is_none_or(is_root));
    let root = device.and_then(|d| d.ebs.clone()).unwrap_or_default();
    let root_device = device.and_then(|d| d.device_name.clone()).unwrap_or_else(|| ROOT_DEVICE.into());
    Ok(Machine { image, instance_type, profile, root, root_device })
}

/// Groups of the instance beside those of its interface, which win, would be lost: a request and its template may name
/// one each.
fn refuse_lost_groups(data: &LaunchData) -> Result<(), Error> {
    let beside = !data.security_group_ids.is_empty() || !data.security_groups.is_empty();
    if beside && data.network_interfaces.iter().any(|i| !i.groups.is_empty()) {
        let text = "Network interfaces and an instance-level security groups may not be specified on the same request";
        return Err(Error::InvalidCombination(text.into()));
    }
    Ok(())
}

/// Whoever asks for a subnet or an address beside a network interface, be it the template's, has to say it in the interface
/// (API Reference, RunInstances). Auto Scaling lays its group's subnet over the interface's.
pub(crate) fn refuse_two_places(data: &LaunchData, subnet: Option<&SubnetId>, address: Option<Ipv4Addr>) -> Result<(), Error> {
    let beside = match (subnet, address) {
        (Some(_), _) => "subnet ID",
        (None, Some(_)) => "private IP address",
        (None, None) => return Ok(()),
    };
    if data.network_interfaces.is_empty() {
        return Ok(());
    }
    let text = format!("Network interfaces and an instance-level {beside} may not be specified on the same request");
    Err(Error::InvalidCombination(text))
}

/// Templates made for other images name the root device otherwise.
fn is_root(device: &str) -> bool {
    matches!(device, ROOT_DEVICE | "/dev/sda1" | "xvda")
}

/// ARN and id of the profile; none when the request names none.
pub(crate) fn find_profile(state: &State, name: &ProfileName) -> Result<Option<(String, String)>, Error> {
    let (parameter, wanted) = match (&name.arn, &name.name) {
        (Some(arn), _) => ("iamInstanceProfile.arn", arn),
        (None, Some(name)) => ("iamInstanceProfile.name", name),
        (None, None) => return Ok(None),
    };
    // An ARN is no name.
    match iam::find_instance_profile(state, wanted).filter(|p| name.arn.is_some() || p.name == *wanted) {
        Some(profile) => Ok(Some((profile.arn, profile.id))),
        None => Err(Error::invalid(parameter, wanted, "Invalid IAM Instance Profile")),
    }
}

fn choose_subnet(state: &State, request: &Request) -> Result<SubnetId, Error> {
    let named = request.subnet.clone().or_else(|| request.data.network_interfaces.first()?.subnet_id.clone());
    // Terraform sends a zone that is not wanted as empty text.
    let placed = request.data.placement.as_ref().and_then(|p| p.availability_zone.as_deref()).filter(|z| !z.is_empty());
    let zone = request.zone.as_deref().or(placed);
    match named {
        Some(id) => {
            let subnet = state.get::<Subnet>(&id).ok_or_else(|| Error::NoSubnet(id.clone()))?;
            match zone {
                Some(zone) if zone != subnet.zone => Err(Error::invalid(
                    "AvailabilityZone",
                    zone,
                    &format!("Subnet {id} is in the availability zone {}", subnet.zone),
                )),
                _ => Ok(id),
            }
        }
        None => network::default_subnet(state, zone).map(|s| s.id.clone()),
    }
}

/// The groups by id and by name; empty for the VPC's default group.
pub(crate) fn find_groups(state: &State, data: &LaunchData, subnet: &SubnetId) -> Result<Vec<SecurityGroupId>, Error> {
    if let Some(interface) = data.network_interfaces.first().filter(|i| !i.groups.is_empty()) {
        return Ok(interface.groups.clone());
    }
    let vpc = &state.get::<Subnet>(subnet).ok_or_else(|| Error::NoSubnet(subnet.clone()))?.vpc;
    let mut groups = data.security_group_ids.clone();
    for name in &data.security_groups {
        let found = state.rows_where::<SecurityGroup>("vpc", vpc).find(|g| g.name == *name);
        groups.push(found.ok_or_else(|| Error::NoSecurityGroupName { name: name.clone(), vpc: vpc.clone() })?.id.clone());
    }
    Ok(groups)
}

/// One instance of a launch, and its interface.
struct Place<'a> {
    reservation: &'a ReservationId,
    launch_index: u32,
    interface: &'a NetworkInterface,
    id: InstanceId,
}

/// The row of a new instance.
fn instance(cx: &Cx, request: &Request, machine: &Machine, place: Place, zone: String) -> Result<Instance, Error> {
    let (data, interface) = (&request.data, place.interface);
    let profile = machine.profile.clone().map(|(arn, profile_id)| {
        let association = format!("iip-assoc-{}", cx.rng().hex(17));
        Profile { arn, id: profile_id, association }
    });
    let identity_secret = cx.secret_hex(SECRET_DIGITS).map_err(|_| Error::Internal)?;
    Ok(Instance {
        id: place.id,
        reservation: place.reservation.clone(),
        launch_index: place.launch_index,
        identity_secret,
        launched_at: cx.now,
        image: machine.image.id.clone(),
        image_location: machine.image.location.clone(),
        instance_type: machine.instance_type.name.into(),
        template: request.template.clone(),
        zone,
        vpc: interface.vpc.clone(),
        subnet: interface.subnet.clone(),
        interface: interface.id.clone(),
        address: interface.address,
        key_name: data.key_name.clone(),
        user_data: data.user_data.as_deref().map(Arc::from),
        profile,
        shutdown_behavior: data.instance_initiated_shutdown_behavior.unwrap_or_default(),
        disable_api_termination: data.disable_api_termination.unwrap_or_default(),
        disable_api_stop: data.disable_api_stop.unwrap_or_default(),
        monitoring: data.monitoring.as_ref().is_some_and(|m| m.enabled),
        ebs_optimized: data.ebs_optimized.unwrap_or_default(),
        metadata_options: data.metadata_options.clone().unwrap_or_default(),
        cpu_credits: data.credit_specification.as_ref().and_then(|c| c.cpu_credits.clone()),
        root: root_volume(cx, machine),
        client_token: request.token.clone(),
        requester: request.requester.clone(),
        intent: Intent::Running,
        generation: 1,
        cause: None,
        observed: Observed { generation: 1, state: Seen::Nothing, at: cx.now },
        gone_at: None,
    })
}

/// Tags an instance, its disk and its interface as the request and the template say.
fn tag(tx: &mut Tx, request: &Request, instance: &Instance) -> Result<(), Error> {
    let data = &request.data;
    let mut instance_tags = data.tags_for("instance");
    instance_tags.extend(request.tags.clone());
    if let Some(template) = &request.template {
        instance_tags.insert("aws:ec2launchtemplate:id".into(), template.id.to_string());
        instance_tags.insert("aws:ec2launchtemplate:version".into(), template.version.to_string());
    }
    tags::add(tx, &instance.id, instance_tags)?;
    tags::add(tx, &instance.root.id, data.tags_for("volume"))?;
    tags::add(tx, &instance.interface, data.tags_for("network-interface"))
}

fn root_volume(cx: &Cx, machine: &Machine) -> RootVolume {
    let ebs = &machine.root;
    let volume_type = ebs.volume_type.clone().unwrap_or_else(|| "gp3".into());
    let gp3 = volume_type == "gp3";
    RootVolume {
        id: VolumeId::generate(&mut cx.rng()),
        device: machine.root_device.clone(),
        size_gib: ebs.volume_size.unwrap_or(ROOT_GIB),
        iops: ebs.iops.or(gp3.then_some(3_000)),
        throughput: ebs.throughput.or(gp3.then_some(125)),
        encrypted: ebs.encrypted.unwrap_or_default(),
        delete_on_termination: ebs.delete_on_termination.unwrap_or(true),
        volume_type,
    }
}
