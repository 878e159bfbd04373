//! What can be wrong with a request to EC2, each with AWS's code and words ("Error codes for the Amazon EC2 API").

use std::fmt::Display;
use std::net::Ipv4Addr;

use base::{
    Fault, InternetGatewayId, NetworkInterfaceId, RouteTableAssociationId, RouteTableId, SecurityGroupId, SecurityGroupRuleId,
    SubnetId, VpcId,
};

use crate::compute::ComputeError;
use crate::kind::Kind;

/// A caller's mistake, or `Internal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    // What any operation can meet.
    DryRun,
    /// Something of ours is not as it must be; the detail went to the log.
    Internal,
    Malformed(Kind, String),
    NotFound(Kind, Vec<String>),
    /// The whole sentence.
    Missing(String),
    InvalidValue {
        value: String,
        parameter: String,
        hint: String,
    },
    /// `InvalidParameterValue` with this sentence.
    InvalidParameter(String),
    InvalidCombination(String),
    Unsupported(String),
    NotPermitted(String),
    /// An AWS limit's own code and what the limit is.
    LimitExceeded(&'static str, String),
    UnknownFilter(String),
    BadToken,
    BadTagId(String),
    ReservedTag,
    TooManyTags,
    /// The thing, such as `The vpc 'vpc-1'`, cannot go while others need it.
    InUse(String),

    /// Of images, templates and instances.
    Compute(ComputeError),

    // The network.
    NoVpc(VpcId),
    NoSubnet(SubnetId),
    NoSecurityGroup(SecurityGroupId),
    NoSecurityGroupName {
        name: String,
        vpc: VpcId,
    },
    NoSecurityGroupRule(SecurityGroupRuleId),
    NoInternetGateway(InternetGatewayId),
    /// A route leads to no gateway that exists.
    NoGateway(InternetGatewayId),
    NoRouteTable(RouteTableId),
    NoAssociation(RouteTableAssociationId),
    NoNetworkInterface(NetworkInterfaceId),
    NoDefaultVpc,
    NoDefaultSubnet {
        zone: Option<String>,
    },
    VpcRange(String),
    SubnetRange(String),
    SubnetConflict(String),
    NoFreeAddress(SubnetId),
    AddressInUse(Ipv4Addr),
    AddressOutOfRange(Ipv4Addr, SubnetId),
    GroupsOfAnotherVpc {
        group: SecurityGroupId,
        subnet: SubnetId,
    },
    TooManyGroups,
    DuplicateGroup {
        name: String,
        vpc: VpcId,
    },
    ReservedGroupName,
    DefaultGroup(SecurityGroupId),
    /// The rule in words.
    DuplicateRule(String),
    NoSuchRule,
    TooManyRules,
    /// `InvalidPermission.Malformed` with this sentence.
    InvalidPermission(String),
    /// The peer is a group of another VPC.
    InvalidGroupPeer {
        group: SecurityGroupId,
        peer: SecurityGroupId,
    },
    /// Interfaces or other groups' rules name the group.
    GroupInUse(SecurityGroupId),
    GatewayAttached {
        gateway: InternetGatewayId,
        vpc: VpcId,
    },
    GatewayNotAttached {
        gateway: InternetGatewayId,
        vpc: VpcId,
    },
    VpcHasGateway(VpcId),
    RouteExists(String),
    NoRoute {
        destination: String,
        table: RouteTableId,
    },
    AlreadyAssociated(RouteTableId),
}

impl Error {
    /// A parameter whose value will not do. The hint is a sentence, or nothing.
    pub fn invalid(parameter: impl Into<String>, value: impl Display, hint: &str) -> Self {
        Error::InvalidValue { value: value.to_string(), parameter: parameter.into(), hint: hint.into() }
    }
}

/// Refuses the first of these parameters that was given.
pub(crate) fn refuse(parameters: &[(&str, bool)]) -> Result<(), Error> {
    match parameters.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Error::Unsupported(format!("The parameter {name} is not supported in this region."))),
        None => Ok(()),
    }
}

/// A request's client token; an empty one is none ("Ensuring idempotency").
pub(crate) fn client_token(token: Option<String>, chars_max: usize) -> Result<Option<String>, Error> {
    let token = token.filter(|t| !t.is_empty());
    if token.as_ref().is_some_and(|t| t.chars().count() > chars_max) {
        return Err(Error::invalid("ClientToken", "", &format!("It may have at most {chars_max} characters.")));
    }
    Ok(token)
}

/// The answer, unless it was only asked whether it could be given: then the error rolls everything back.
pub(crate) fn unless_dry<T>(dry_run: Option<bool>, answer: T) -> Result<T, Fault> {
    if dry_run == Some(true) { Err(Error::DryRun.into()) } else { Ok(answer) }
}

fn not_found(kind: Kind, id: &str) -> Fault {
    let message = match kind {
        Kind::Volume | Kind::SecurityGroup => format!("The {} '{id}' does not exist.", kind.noun()),
        _ => format!("The {} '{id}' does not exist", kind.noun()),
    };
    Fault::client(kind.not_found_code(), message)
}

fn several_not_found(kind: Kind, ids: &[String]) -> Fault {
    match ids {
        [id] => not_found(kind, id),
        _ => Fault::client(kind.not_found_code(), format!("The {}s '{}' do not exist", kind.noun(), ids.join(", "))),
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        use Error as E;
        let of = |code: &'static str, message: String| Fault::client(code, message);
        match error {
            E::DryRun => Fault::new(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set."),
            E::Internal => Fault::new(500, "InternalError", "An internal error has occurred"),
            E::Malformed(kind, id) => {
                of(kind.malformed_code(), format!("Invalid id: \"{id}\" (expecting \"{}...\")", kind.prefix()))
            }
            E::NotFound(kind, ids) => several_not_found(kind, &ids),
            E::Missing(text) => of("MissingParameter", text),
            E::InvalidValue { value, parameter, hint } => {
                let text = format!("Value ({value}) for parameter {parameter} is invalid. {hint}");
                of("InvalidParameterValue", text.trim_end().into())
            }
            E::InvalidParameter(text) => of("InvalidParameterValue", text),
            E::InvalidCombination(text) => of("InvalidParameterCombination", text),
            E::Unsupported(text) => of("UnsupportedOperation", text),
            E::NotPermitted(text) => of("OperationNotPermitted", text),
            E::LimitExceeded(code, what) => of(code, format!("The limit of this region has been reached: {what}.")),
            E::UnknownFilter(name) => of("InvalidParameterValue", format!("The filter '{name}' is invalid")),
            E::BadToken => of("InvalidNextToken", "The specified NextToken is not valid.".into()),
            E::BadTagId(id) => of("InvalidID", format!("The ID '{id}' is not valid")),
            E::ReservedTag => of("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use".into()),
            E::TooManyTags => of("TagLimitExceeded", "The maximum number of tags for a resource has been reached.".into()),
            E::InUse(thing) => of("DependencyViolation", format!("{thing} has dependencies and cannot be deleted.")),
            E::Compute(error) => error.into(),
            other => network(other),
        }
    }
}

/// Errors of the network half.
fn network(error: Error) -> Fault {
    use Error as E;
    let of = |code: &'static str, message: String| Fault::client(code, message);
    match error {
        E::NoVpc(id) => not_found(Kind::Vpc, &id),
        E::NoSubnet(id) => not_found(Kind::Subnet, &id),
        E::NoSecurityGroup(id) => not_found(Kind::SecurityGroup, &id),
        E::NoSecurityGroupName { name, vpc } => {
            of("InvalidGroup.NotFound", format!("The security group '{name}' does not exist in VPC '{vpc}'"))
        }
        E::NoSecurityGroupRule(id) => not_found(Kind::SecurityGroupRule, &id),
        E::NoInternetGateway(id) => not_found(Kind::InternetGateway, &id),
        E::NoGateway(id) => of("InvalidGatewayID.NotFound", format!("The gateway ID '{id}' does not exist")),
        E::NoRouteTable(id) => not_found(Kind::RouteTable, &id),
        E::NoAssociation(id) => of("InvalidAssociationID.NotFound", format!("The association ID '{id}' does not exist")),
        E::NoNetworkInterface(id) => not_found(Kind::NetworkInterface, &id),
        E::NoDefaultVpc => of("VPCIdNotSpecified", "No default VPC for this user.".into()),
        E::NoDefaultSubnet { zone: Some(zone) } => {
            of("InvalidInput", format!("No default subnet for availability zone: '{zone}'."))
        }
        E::NoDefaultSubnet { zone: None } => {
            of("MissingInput", "No subnets found for the default VPC. Please specify a subnet.".into())
        }
        E::VpcRange(cidr) => of("InvalidVpc.Range", format!("The CIDR '{cidr}' is invalid.")),
        E::SubnetRange(cidr) => of("InvalidSubnet.Range", format!("The CIDR '{cidr}' is invalid.")),
        E::SubnetConflict(cidr) => of("InvalidSubnet.Conflict", format!("The CIDR '{cidr}' conflicts with another subnet")),
        E::NoFreeAddress(subnet) => of(
            "InsufficientFreeAddressesInSubnet",
            format!("There are not enough free addresses in subnet '{subnet}' to satisfy the requested number of instances."),
        ),
        E::AddressInUse(address) => of("InvalidIPAddress.InUse", format!("Address {address} is in use.")),
        E::AddressOutOfRange(address, subnet) => {
            of("InvalidParameterValue", format!("Address {address} does not fall within the subnet's address range ({subnet})"))
        }
        E::GroupsOfAnotherVpc { group, subnet } => {
            of("InvalidParameter", format!("Security group {group} and subnet {subnet} belong to different networks."))
        }
        E::TooManyGroups => of(
            "SecurityGroupsPerInterfaceLimitExceeded",
            "You have exceeded the maximum number of security groups for a network interface.".into(),
        ),
        E::DuplicateGroup { name, vpc } => {
            of("InvalidGroup.Duplicate", format!("The security group '{name}' already exists for VPC '{vpc}'"))
        }
        E::ReservedGroupName => of("InvalidGroup.Reserved", "Cannot use reserved security group name: default".into()),
        E::DefaultGroup(id) => {
            of("CannotDelete", format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user"))
        }
        E::DuplicateRule(rule) => of("InvalidPermission.Duplicate", format!("the specified rule \"{rule}\" already exists")),
        E::NoSuchRule => of("InvalidPermission.NotFound", "The specified rule does not exist in this security group.".into()),
        E::TooManyRules => {
            of("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.".into())
        }
        E::InvalidPermission(text) => of("InvalidPermission.Malformed", text),
        E::InvalidGroupPeer { group, peer } => of(
            "InvalidGroup.NotFound",
            format!("You have specified two resources that belong to different networks: {group} and {peer}."),
        ),
        E::GroupInUse(id) => of("DependencyViolation", format!("resource {id} has a dependent object")),
        other => routing(other),
    }
}

/// Errors of gateways and routes.
fn routing(error: Error) -> Fault {
    use Error as E;
    let of = |code: &'static str, message: String| Fault::client(code, message);
    match error {
        E::GatewayAttached { gateway, vpc } => {
            of("Resource.AlreadyAssociated", format!("resource {gateway} is already attached to network {vpc}"))
        }
        E::GatewayNotAttached { gateway, vpc } => {
            of("Gateway.NotAttached", format!("resource {gateway} is not attached to network {vpc}"))
        }
        E::VpcHasGateway(vpc) => of("InvalidParameterValue", format!("Network {vpc} already has an internet gateway attached")),
        E::RouteExists(destination) => of("RouteAlreadyExists", format!("The route identified by {destination} already exists.")),
        E::NoRoute { destination, table } => {
            of("InvalidRoute.NotFound", format!("no route with destination-cidr-block {destination} in route table {table}"))
        }
        E::AlreadyAssociated(table) => of(
            "Resource.AlreadyAssociated",
            format!("the specified association for route table {table} conflicts with an existing association"),
        ),
        // Every other variant is answered before this.
        other => unreachable!("{other:?} has no fault"),
    }
}
