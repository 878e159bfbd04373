use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use base::{LoadBalancerArn, NetworkInterfaceId, SecurityGroupId, SubnetId, Tags, Time, VpcId};
use ec2::network::{InterfaceOwner, NewInterface, create_interface, delete_interface, set_interface_groups};
use kernel::{Cx, Row, State, Tx, Wanted};
use serde::{Deserialize, Serialize};
use world::{Slot, SlotKind};

use crate::error::Error;
use crate::listener::{self, Listener};
use crate::{attribute, tags};

/// "Quotas for your Application Load Balancers": load balancers a region.
pub(crate) const LOAD_BALANCERS_MAX: usize = 50;
const SECURITY_GROUPS_MAX: usize = 5;
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
}

/// An application load balancer. Its state is derived from the wish that the world holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadBalancer {
    pub arn: LoadBalancerArn,
    pub name: String,
    /// The last part of the ARN, sixteen hexadecimal digits.
    pub id: String,
    pub dns_name: String,
    pub scheme: Scheme,
    pub vpc: VpcId,
    pub groups: Vec<SecurityGroupId>,
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

    /// `app/NAME/ID`.
    pub fn full_name(&self) -> String {
        format!("app/{}/{}", self.name, self.id)
    }

    /// Active once the edge serves it and its interfaces are there. A later change does not make it provision again.
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
    state.get::<LoadBalancer>(&arn.into()).ok_or_else(|| Error::NoLoadBalancer(arn.into()))
}

/// What a load balancer is made from.
pub(crate) struct NewLoadBalancer {
    pub(crate) name: String,
    pub(crate) scheme: Scheme,
    pub(crate) subnets: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) tags: Tags,
}

/// Makes a load balancer with an interface in each zone. The same name with the same settings gives the one that is there.
pub(crate) fn create(tx: &mut Tx, cx: &Cx, new: NewLoadBalancer) -> Result<LoadBalancerArn, Error> {
    check_name(&new.name)?;
    let (vpc, subnets) = check_subnets(tx, &new.subnets)?;
    let groups = check_groups(tx, &vpc, &new.groups)?;
    if let Some(old) = tx.rows_where::<LoadBalancer>("name", &new.name).next() {
        let wanted: BTreeSet<&SubnetId> = subnets.iter().map(|(id, _)| id).collect();
        let same = old.scheme == new.scheme && old.nodes.iter().map(|n| &n.subnet).collect::<BTreeSet<_>>() == wanted;
        return if same { Ok(old.arn.clone()) } else { Err(Error::DuplicateLoadBalancer(new.name.clone())) };
    }
    let has_gateway = tx.rows::<ec2::network::InternetGateway>().any(|g| g.vpc.as_ref() == Some(&vpc));
    if new.scheme == Scheme::InternetFacing && !has_gateway {
        return Err(Error::InvalidSubnet(format!("VPC {vpc} has no internet gateway")));
    }
    if tx.count::<LoadBalancer>() >= LOAD_BALANCERS_MAX {
        let text = format!("The maximum number of load balancers has been reached: {LOAD_BALANCERS_MAX}");
        return Err(Error::TooMany("TooManyLoadBalancers", text));
    }
    let id = cx.rng().hex(16);
    let arn = LoadBalancerArn::from(cx.scope.arn("elasticloadbalancing", format!("loadbalancer/app/{}/{id}", new.name)));
    // AWS puts a number behind the name; ours is as unique.
    let number = u64::from_str_radix(&id[..8], 16).unwrap_or_default();
    let internal = if new.scheme == Scheme::Internal { "internal-" } else { "" };
    let dns_name = format!("{internal}{}-{number}.{}.elb.localhost", new.name, cx.scope.region);
    let mut balancer = LoadBalancer {
        arn: arn.clone(),
        dns_name: dns_name.to_ascii_lowercase(),
        id,
        scheme: new.scheme,
        vpc,
        groups,
        nodes: Vec::new(),
        attributes: BTreeMap::new(),
        created: cx.now,
        name: new.name,
    };
    for (subnet, zone) in subnets {
        let node = add_node(tx, cx, &balancer, subnet, zone)?;
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

/// At least two subnets, each in another zone, all of one VPC; in the order of their zones.
fn check_subnets(state: &State, ids: &[String]) -> Result<(VpcId, Vec<(SubnetId, String)>), Error> {
    let mut by_zone = BTreeMap::new();
    let mut vpcs = BTreeSet::new();
    for id in ids {
        let subnet = state.get::<ec2::network::Subnet>(&id.as_str().into()).ok_or_else(|| Error::NoSubnet(id.clone()))?;
        vpcs.insert(subnet.vpc.clone());
        if let Some(other) = by_zone.insert(subnet.zone.clone(), subnet.id.clone())
            && other != subnet.id
        {
            let text = "A load balancer cannot be attached to multiple subnets in the same Availability Zone";
            return Err(Error::Unsupported(text.into()));
        }
    }
    if by_zone.len() < 2 {
        return Err(Error::Validation("At least two subnets in two different Availability Zones must be specified".into()));
    }
    let mut vpcs = vpcs.into_iter();
    match (vpcs.next(), vpcs.next()) {
        (Some(vpc), None) => Ok((vpc, by_zone.into_iter().map(|(zone, id)| (id, zone)).collect())),
        _ => Err(Error::InvalidSubnet("All subnets must belong to the same VPC".into())),
    }
}

/// The given groups, or the VPC's default one.
fn check_groups(state: &State, vpc: &VpcId, ids: &[String]) -> Result<Vec<SecurityGroupId>, Error> {
    if ids.is_empty() {
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

fn add_node(tx: &mut Tx, cx: &Cx, balancer: &LoadBalancer, subnet: SubnetId, zone: String) -> Result<Node, Error> {
    let new = NewInterface {
        subnet: subnet.clone(),
        groups: balancer.groups.clone(),
        address: None,
        description: format!("ELB {}", balancer.full_name()),
        owner: InterfaceOwner::Service { requester: "amazon-elb".into() },
    };
    let interface = create_interface(tx, cx, new)?;
    Ok(Node { zone, subnet, interface, front: free_front(tx, cx, balancer) })
}

/// The lowest loopback address from the region's first one on that no node has.
fn free_front(state: &State, cx: &Cx, balancer: &LoadBalancer) -> Ipv4Addr {
    let taken: BTreeSet<Ipv4Addr> =
        state.rows::<LoadBalancer>().chain([balancer]).flat_map(|b| b.nodes.iter().map(|n| n.front)).collect();
    let mut all = (u32::from(cx.settings.first_front)..).map(Ipv4Addr::from).filter(|a| !matches!(a.octets()[3], 0 | 255));
    all.find(|a| !taken.contains(a)).unwrap_or(Ipv4Addr::LOCALHOST)
}

/// Enables exactly the zones of these subnets.
pub(crate) fn set_subnets(tx: &mut Tx, cx: &Cx, arn: &str, ids: &[String]) -> Result<(), Error> {
    let mut balancer = find(tx, arn)?.clone();
    let (vpc, subnets) = check_subnets(tx, ids)?;
    if vpc != balancer.vpc {
        return Err(Error::InvalidSubnet("All subnets must belong to the load balancer's VPC".into()));
    }
    let (kept, gone): (Vec<Node>, Vec<Node>) =
        balancer.nodes.clone().into_iter().partition(|n| subnets.iter().any(|(id, _)| *id == n.subnet));
    balancer.nodes = kept;
    for (subnet, zone) in subnets {
        if !balancer.nodes.iter().any(|n| n.subnet == subnet) {
            let node = add_node(tx, cx, &balancer, subnet, zone)?;
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

/// Gives the load balancer's interfaces exactly these groups.
pub(crate) fn set_security_groups(tx: &mut Tx, cx: &Cx, arn: &str, ids: &[String]) -> Result<(), Error> {
    let mut balancer = find(tx, arn)?.clone();
    balancer.groups = check_groups(tx, &balancer.vpc, ids)?;
    for node in &balancer.nodes {
        set_interface_groups(tx, cx, &node.interface, balancer.groups.clone())?;
    }
    tx.put(balancer);
    Ok(())
}

/// Changes attributes; none when one of them is wrong.
pub(crate) fn set_attributes(tx: &mut Tx, arn: &str, wanted: &[(String, String)]) -> Result<(), Error> {
    let mut balancer = find(tx, arn)?.clone();
    attribute::set_of_load_balancer(&mut balancer, wanted)?;
    tx.put(balancer);
    Ok(())
}

/// A stack never takes over a load balancer that is there already.
pub(crate) fn refuse_existing(state: &State, name: &str) -> Result<(), Error> {
    match state.rows_where::<LoadBalancer>("name", name).next() {
        Some(_) => Err(Error::DuplicateLoadBalancer(name.into())),
        None => Ok(()),
    }
}

/// Ends a load balancer with its listeners; one that is not there has ended already.
pub(crate) fn delete(tx: &mut Tx, cx: &Cx, arn: &str) -> Result<(), Error> {
    let Ok(balancer) = find(tx, arn) else { return Ok(()) };
    let balancer = balancer.clone();
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
