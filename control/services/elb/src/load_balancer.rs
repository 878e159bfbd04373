use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use base::{LoadBalancerArn, NetworkInterfaceId, SecurityGroupId, SubnetId, Tags, Time, VpcId};
use ec2::network::{InterfaceOwner, NewInterface, create_interface, delete_interface, set_interface_groups};
use kernel::{Cx, Row, State, Tx, Wanted};
use serde::{Deserialize, Serialize};
use world::{BalancerKind, Slot, SlotKind};

use crate::arn::Named;
use crate::error::Error;
use crate::listener::{self, Listener};
use crate::wanted_load_balancer::{NewLoadBalancer, Place};
use crate::{attribute, quota, tags};

/// "Quotas for your Application Load Balancers", and those for Network Load Balancers: load balancers a region.
pub(crate) const LOAD_BALANCERS_MAX: usize = 50;
const SECURITY_GROUPS_MAX: usize = 5;
/// Likewise, capacity units: the fewest and the most.
const APPLICATION_UNITS: (i64, i64) = (100, 1_500);
const NETWORK_UNITS: (i64, i64) = (2_750, 45_000);
const NAME_CHARS_MAX: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    InternetFacing,
    Internal,
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::InternetFacing => "internet-facing",
            Scheme::Internal => "internal",
        }
    }
}

/// The load balancer's place in one zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub zone: String,
    pub subnet: SubnetId,
    pub interface: NetworkInterfaceId,
    pub front: Ipv4Addr,
    /// The private address that its user wanted there; any is right when none.
    #[serde(default)]
    pub address: Option<Ipv4Addr>,
}

/// Capacity that its user reserved. This machine has what it has: the wish is kept and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    pub units: i64,
    pub modified: Time,
}

/// An application or network load balancer. Its state is derived from the wish that the world holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadBalancer {
    pub arn: LoadBalancerArn,
    pub name: String,
    /// The last part of the ARN, sixteen hexadecimal digits.
    pub id: String,
    pub dns_name: String,
    #[serde(default)]
    pub kind: BalancerKind,
    pub scheme: Scheme,
    pub vpc: VpcId,
    /// A network load balancer may have none.
    pub groups: Vec<SecurityGroupId>,
    /// `IpAddressType` is `dualstack`, not `ipv4`.
    #[serde(default)]
    pub dualstack: bool,
    #[serde(default)]
    pub capacity: Option<Capacity>,
    /// `EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic` is `off`: kept and shown, for there is no PrivateLink here.
    #[serde(default)]
    pub private_link_unfiltered: bool,
    /// In the order of their zones.
    pub nodes: Vec<Node>,
    /// Attributes that differ from their defaults.
    pub attributes: BTreeMap<String, String>,
    pub created: Time,
}

impl Row for LoadBalancer {
    const TABLE: &'static str = "elb.load-balancer";
    type Key = LoadBalancerArn;
    fn key(&self) -> LoadBalancerArn {
        self.arn.clone()
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("name", &self.name);
    }
}

/// AWS's states of a load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadBalancerState {
    Provisioning,
    Active,
    Failed(String),
}

impl LoadBalancerState {
    pub fn as_str(&self) -> &'static str {
        match self {
            LoadBalancerState::Provisioning => "provisioning",
            LoadBalancerState::Active => "active",
            LoadBalancerState::Failed(_) => "failed",
        }
    }
}

impl LoadBalancer {
    pub fn slot(&self) -> Slot {
        Slot::new(SlotKind::LoadBalancer, self.arn.as_str())
    }

    /// `app/NAME/ID`, or `net/NAME/ID` of a network load balancer.
    pub fn full_name(&self) -> String {
        format!("{}/{}/{}", prefix(self.kind), self.name, self.id)
    }

    /// Whether the edge refused it as it is.
    pub(crate) fn is_refused(&self, state: &State) -> bool {
        state.get::<Wanted>(&self.slot()).is_some_and(|wanted| wanted.refused.is_some())
    }

    /// Active when the edge serves it as it is wanted and its interfaces are there: for a moment after a change it is not.
    pub fn state(&self, state: &State) -> LoadBalancerState {
        let slots = self.nodes.iter().map(|n| Slot::new(SlotKind::Interface, n.interface.as_str())).chain([self.slot()]);
        let mut all = LoadBalancerState::Active;
        for slot in slots {
            match state.get::<Wanted>(&slot) {
                Some(Wanted { refused: Some(reason), .. }) => return LoadBalancerState::Failed(reason.clone()),
                Some(wanted) if wanted.applied => {}
                _ => all = LoadBalancerState::Provisioning,
            }
        }
        all
    }
}

/// A load balancer by its ARN.
pub(crate) fn find<'a>(state: &'a State, arn: &str) -> Result<&'a LoadBalancer, Error> {
    state.get::<LoadBalancer>(&arn.into()).ok_or_else(|| Named::LoadBalancer.missing(arn))
}

fn prefix(kind: BalancerKind) -> &'static str {
    match kind {
        BalancerKind::Application => "app",
        BalancerKind::Network => "net",
    }
}

/// Makes a load balancer with an interface in each zone. The same name with the same settings gives the one that is there
/// (CreateLoadBalancer: "If you attempt to create multiple load balancers with the same settings, each call succeeds").
pub(crate) fn create(tx: &mut Tx, cx: &Cx, new: NewLoadBalancer) -> Result<LoadBalancerArn, Error> {
    check_name(&new.name)?;
    let (vpc, subnets) = check_subnets(tx, new.kind, &new.places)?;
    let groups = check_groups(tx, new.kind, &vpc, &new.groups)?;
    if let Some(old) = tx.rows_where::<LoadBalancer>("name", &new.name).next() {
        let wanted: BTreeSet<(&SubnetId, Option<Ipv4Addr>)> = subnets.iter().map(|s| (&s.id, s.address)).collect();
        let same = (old.kind, old.scheme, old.dualstack) == (new.kind, new.scheme, new.dualstack)
            && old.groups.iter().collect::<BTreeSet<_>>() == groups.iter().collect()
            && old.nodes.iter().map(|n| (&n.subnet, n.address)).collect::<BTreeSet<_>>() == wanted;
        return if same { Ok(old.arn.clone()) } else { Err(Error::DuplicateLoadBalancer(new.name.clone())) };
    }
    let has_gateway = tx.rows::<ec2::network::InternetGateway>().any(|g| g.vpc.as_ref() == Some(&vpc));
    if new.scheme == Scheme::InternetFacing && !has_gateway {
        return Err(Error::InvalidSubnet(format!("VPC {vpc} has no internet gateway")));
    }
    if tx.rows::<LoadBalancer>().filter(|b| b.kind == new.kind).count() >= LOAD_BALANCERS_MAX {
        let text = format!("The maximum number of load balancers has been reached: {LOAD_BALANCERS_MAX}");
        return Err(Error::TooMany("TooManyLoadBalancers", text));
    }
    let id = cx.rng().hex(16);
    let resource = format!("loadbalancer/{}/{}/{id}", prefix(new.kind), new.name);
    let arn = LoadBalancerArn::from(cx.scope.arn("elasticloadbalancing", resource));
    // AWS puts a number behind the name; ours is as unique.
    let number = u64::from_str_radix(&id[..8], 16).unwrap_or_default();
    let internal = if new.scheme == Scheme::Internal { "internal-" } else { "" };
    let dns_name = format!("{internal}{}-{number}.{}.elb.localhost", new.name, cx.scope.region);
    let mut balancer = LoadBalancer {
        arn: arn.clone(),
        dns_name: dns_name.to_ascii_lowercase(),
        id,
        kind: new.kind,
        scheme: new.scheme,
        vpc,
        groups,
        dualstack: new.dualstack,
        capacity: None,
        private_link_unfiltered: false,
        nodes: Vec::new(),
        attributes: BTreeMap::new(),
        created: cx.now,
        name: new.name,
    };
    for subnet in subnets {
        let node = add_node(tx, cx, &balancer, subnet)?;
        balancer.nodes.push(node);
        tx.put(balancer.clone());
    }
    tags::add(tx, &arn, new.tags)?;
    Ok(arn)
}

fn check_name(name: &str) -> Result<(), Error> {
    let valid = !name.is_empty()
        && name.len() <= NAME_CHARS_MAX
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.starts_with("internal-");
    if valid {
        return Ok(());
    }
    let rule = format!(
        "can contain up to {NAME_CHARS_MAX} letters, digits and hyphens, and must not begin or end with a hyphen or begin with 'internal-'"
    );
    Err(Error::Validation(format!("The load balancer name '{name}' is not valid: it {rule}")))
}

/// A subnet that a load balancer is to be in.
struct Enabled {
    id: SubnetId,
    zone: String,
    address: Option<Ipv4Addr>,
}

/// Subnets, each in another zone, all of one VPC; in the order of their zones. An application load balancer needs two.
fn check_subnets(state: &State, kind: BalancerKind, places: &[Place]) -> Result<(VpcId, Vec<Enabled>), Error> {
    let mut by_zone: BTreeMap<String, Enabled> = BTreeMap::new();
    let mut vpcs = BTreeSet::new();
    for Place { subnet: id, address } in places {
        let subnet = state.get::<ec2::network::Subnet>(&id.as_str().into()).ok_or_else(|| Error::NoSubnet(id.clone()))?;
        vpcs.insert(subnet.vpc.clone());
        let (zone, id, address) = (subnet.zone.clone(), subnet.id.clone(), *address);
        let enabled = Enabled { zone: zone.clone(), id: id.clone(), address };
        if by_zone.insert(zone, enabled).is_some_and(|other| other.id != id) {
            let text = "A load balancer cannot be attached to multiple subnets in the same Availability Zone";
            return Err(Error::Unsupported(text.into()));
        }
    }
    if kind == BalancerKind::Application && by_zone.len() < 2 {
        return Err(Error::Validation("At least two subnets in two different Availability Zones must be specified".into()));
    }
    let mut vpcs = vpcs.into_iter();
    match (vpcs.next(), vpcs.next()) {
        (Some(vpc), None) => Ok((vpc, by_zone.into_values().collect())),
        (None, _) => Err(Error::Validation("At least one subnet must be specified".into())),
        _ => Err(Error::InvalidSubnet("All subnets must belong to the same VPC".into())),
    }
}

/// The given groups, or the VPC's default one; a network load balancer has none unless they are given.
fn check_groups(state: &State, kind: BalancerKind, vpc: &VpcId, ids: &[String]) -> Result<Vec<SecurityGroupId>, Error> {
    if ids.is_empty() {
        if kind == BalancerKind::Network {
            return Ok(Vec::new());
        }
        let default = ec2::network::find_security_group_by_name(state, vpc, "default")?;
        return Ok(vec![default.id.clone()]);
    }
    if ids.len() > SECURITY_GROUPS_MAX {
        let text = format!("A load balancer has at most {SECURITY_GROUPS_MAX} security groups");
        return Err(Error::TooMany("TooManySecurityGroups", text));
    }
    let check = |id: &String| {
        let group = state.get::<ec2::network::SecurityGroup>(&id.as_str().into()).filter(|g| g.vpc == *vpc);
        group.map(|g| g.id.clone()).ok_or_else(|| Error::NoSecurityGroup(id.clone()))
    };
    ids.iter().map(check).collect()
}

fn add_node(tx: &mut Tx, cx: &Cx, balancer: &LoadBalancer, subnet: Enabled) -> Result<Node, Error> {
    let new = NewInterface {
        subnet: subnet.id.clone(),
        groups: balancer.groups.clone(),
        address: subnet.address,
        description: format!("ELB {}", balancer.full_name()),
        owner: InterfaceOwner::Service { requester: "amazon-elb".into() },
    };
    let interface = create_interface(tx, cx, new)?;
    let front = free_front(tx, cx, balancer);
    Ok(Node { zone: subnet.zone, subnet: subnet.id, interface, front, address: subnet.address })
}

/// The lowest loopback address from the region's first one on that no node has.
fn free_front(state: &State, cx: &Cx, balancer: &LoadBalancer) -> Ipv4Addr {
    let taken: BTreeSet<Ipv4Addr> =
        state.rows::<LoadBalancer>().chain([balancer]).flat_map(|b| b.nodes.iter().map(|n| n.front)).collect();
    let mut all = (u32::from(cx.settings.first_front)..).map(Ipv4Addr::from).filter(|a| !matches!(a.octets()[3], 0 | 255));
    all.find(|a| !taken.contains(a)).unwrap_or(Ipv4Addr::LOCALHOST)
}

/// Enables exactly the zones of these subnets.
pub(crate) fn set_subnets(tx: &mut Tx, cx: &Cx, arn: &str, places: &[Place]) -> Result<(), Error> {
    let mut balancer = find(tx, arn)?.clone();
    let (vpc, subnets) = check_subnets(tx, balancer.kind, places)?;
    if vpc != balancer.vpc {
        return Err(Error::InvalidSubnet("All subnets must belong to the load balancer's VPC".into()));
    }
    let stays = |n: &Node| subnets.iter().any(|s| s.id == n.subnet && (s.address.is_none() || s.address == n.address));
    let (kept, gone): (Vec<Node>, Vec<Node>) = balancer.nodes.clone().into_iter().partition(stays);
    if let Some(node) = gone.iter().find(|n| subnets.iter().any(|s| s.id == n.subnet)) {
        return Err(Error::Unsupported(format!(
            "The address of the load balancer in subnet '{}' cannot be changed",
            node.subnet
        )));
    }
    balancer.nodes = kept;
    for subnet in subnets {
        if !balancer.nodes.iter().any(|n| n.subnet == subnet.id) {
            let node = add_node(tx, cx, &balancer, subnet)?;
            balancer.nodes.push(node);
            tx.put(balancer.clone());
        }
    }
    balancer.nodes.sort_by(|a, b| a.zone.cmp(&b.zone));
    tx.put(balancer);
    for node in gone {
        delete_interface(tx, cx, &node.interface)?;
    }
    Ok(())
}

/// Gives the load balancer's interfaces exactly these groups. A network load balancer that was made without any never has
/// some ("Update the security groups for your Network Load Balancer").
pub(crate) fn set_security_groups(tx: &mut Tx, cx: &Cx, arn: &str, ids: &[String]) -> Result<(), Error> {
    let mut balancer = find(tx, arn)?.clone();
    let groups = check_groups(tx, balancer.kind, &balancer.vpc, ids)?;
    if balancer.kind == BalancerKind::Network && groups.is_empty() != balancer.groups.is_empty() {
        let text = match groups.is_empty() {
            true => "A network load balancer with security groups must keep at least one",
            false => "A network load balancer that was created without security groups cannot be given any",
        };
        return Err(Error::Unsupported(text.into()));
    }
    if balancer.groups == groups {
        return Ok(());
    }
    balancer.groups = groups;
    for node in &balancer.nodes {
        set_interface_groups(tx, cx, &node.interface, balancer.groups.clone())?;
    }
    tx.put(balancer);
    Ok(())
}

/// `EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic` of a network load balancer with security groups.
pub(crate) fn set_private_link(tx: &mut Tx, arn: &str, wanted: &str) -> Result<(), Error> {
    let balancer = find(tx, arn)?;
    if balancer.kind != BalancerKind::Network || balancer.groups.is_empty() {
        let text = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic is for network load balancers with security groups";
        return Err(Error::Unsupported(text.into()));
    }
    let unfiltered = wanted == "off";
    update(tx, arn, |b| b.private_link_unfiltered = unfiltered)
}

/// Reserves so many capacity units, or none.
pub(crate) fn set_capacity(tx: &mut Tx, cx: &Cx, arn: &str, units: Option<i64>) -> Result<(), Error> {
    let (least, most) = match find(tx, arn)?.kind {
        BalancerKind::Application => APPLICATION_UNITS,
        BalancerKind::Network => NETWORK_UNITS,
    };
    if let Some(units) = units.filter(|units| !(least..=most).contains(units)) {
        return Err(Error::Unsupported(format!("Capacity units '{units}' must be between {least} and {most}")));
    }
    update(tx, arn, |b| b.capacity = units.map(|units| Capacity { units, modified: cx.now }))
}

/// Changes what is kept in the row alone.
pub(crate) fn update(tx: &mut Tx, arn: &str, change: impl FnOnce(&mut LoadBalancer)) -> Result<(), Error> {
    let mut balancer = find(tx, arn)?.clone();
    change(&mut balancer);
    tx.put(balancer);
    Ok(())
}

/// Changes attributes; none when one of them is wrong.
pub(crate) fn set_attributes(tx: &mut Tx, cx: &Cx, arn: &str, wanted: &[(String, String)]) -> Result<(), Error> {
    let mut balancer = find(tx, arn)?.clone();
    let is_cross_zone = |b: &LoadBalancer| attribute::load_balancer(b, "load_balancing.cross_zone.enabled") == "true";
    let was_cross_zone = is_cross_zone(&balancer);
    attribute::set_of_load_balancer(&mut balancer, wanted)?;
    let becomes_so = !was_cross_zone && is_cross_zone(&balancer);
    tx.put(balancer);
    if becomes_so { quota::check_cross_zone(tx, cx, &arn.into()) } else { Ok(()) }
}

/// A stack never takes over a load balancer that is there already.
pub(crate) fn refuse_existing(state: &State, name: &str) -> Result<(), Error> {
    match state.rows_where::<LoadBalancer>("name", name).next() {
        Some(_) => Err(Error::DuplicateLoadBalancer(name.into())),
        None => Ok(()),
    }
}

/// Ends a load balancer with its listeners; one that is not there has ended already (DeleteLoadBalancer: "If the load balancer
/// does not exist or has already been deleted, the call succeeds").
pub(crate) fn delete(tx: &mut Tx, cx: &Cx, arn: &str) -> Result<(), Error> {
    Named::LoadBalancer.check(arn)?;
    let Ok(balancer) = find(tx, arn).cloned() else { return Ok(()) };
    if attribute::load_balancer(&balancer, "deletion_protection.enabled") == "true" {
        return Err(Error::DeletionProtected(arn.into()));
    }
    let listeners: Vec<Listener> = tx.rows_where::<Listener>("load-balancer", arn).cloned().collect();
    for listener in listeners {
        listener::delete(tx, &listener.arn)?;
    }
    for node in &balancer.nodes {
        delete_interface(tx, cx, &node.interface)?;
    }
    tags::set(tx, arn, Tags::new());
    tx.remove::<LoadBalancer>(&balancer.arn);
    Ok(())
}
