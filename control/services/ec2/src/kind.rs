//! The kinds of EC2 resources: how their ids begin, what tags call them and what errors call them.

use crate::error::Error;

/// A kind of resource that has ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Image,
    Instance,
    InternetGateway,
    KeyPair,
    LaunchTemplate,
    NetworkAcl,
    NetworkInterface,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    Volume,
    Vpc,
}

/// What is said about one kind.
struct Facts {
    prefix: &'static str,
    /// As in tag specifications.
    type_name: &'static str,
    /// As in "The vpc ID 'vpc-1' does not exist".
    noun: &'static str,
    not_found: &'static str,
    malformed: &'static str,
}

const KINDS: [Kind; 13] = [
    Kind::Image,
    Kind::Instance,
    Kind::InternetGateway,
    Kind::KeyPair,
    Kind::LaunchTemplate,
    Kind::NetworkAcl,
    Kind::NetworkInterface,
    Kind::RouteTable,
    Kind::SecurityGroup,
    Kind::SecurityGroupRule,
    Kind::Subnet,
    Kind::Volume,
    Kind::Vpc,
];

impl Kind {
    /// The kind that an id's prefix names.
    pub fn of(id: &str) -> Option<Kind> {
        let (prefix, _) = id.split_once('-')?;
        KINDS.into_iter().find(|k| k.facts().prefix.strip_suffix('-') == Some(prefix))
    }

    /// Such as `vpc-`.
    pub fn prefix(self) -> &'static str {
        self.facts().prefix
    }

    /// The name in tag specifications, such as `security-group`.
    pub fn type_name(self) -> &'static str {
        self.facts().type_name
    }

    pub(crate) fn noun(self) -> &'static str {
        self.facts().noun
    }

    pub(crate) fn not_found_code(self) -> &'static str {
        self.facts().not_found
    }

    pub(crate) fn malformed_code(self) -> &'static str {
        self.facts().malformed
    }

    /// Refuses what cannot be an id of this kind: the prefix and hexadecimal digits.
    pub(crate) fn check(self, id: &str) -> Result<(), Error> {
        let digits = id.strip_prefix(self.prefix());
        let good = digits.is_some_and(|d| !d.is_empty() && d.len() <= 17 && d.bytes().all(|b| b.is_ascii_hexdigit()));
        if good || id == "ami-host" { Ok(()) } else { Err(Error::Malformed(self, id.into())) }
    }

    fn facts(self) -> Facts {
        let facts = |prefix, type_name, noun, not_found, malformed| Facts { prefix, type_name, noun, not_found, malformed };
        match self {
            Kind::Image => facts("ami-", "image", "image id", "InvalidAMIID.NotFound", "InvalidAMIID.Malformed"),
            Kind::Instance => facts("i-", "instance", "instance ID", "InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"),
            Kind::InternetGateway => facts(
                "igw-",
                "internet-gateway",
                "internetGateway ID",
                "InvalidInternetGatewayID.NotFound",
                "InvalidInternetGatewayId.Malformed",
            ),
            Kind::KeyPair => facts("key-", "key-pair", "key pair ID", "InvalidKeyPair.NotFound", "InvalidKeyPair.Format"),
            Kind::LaunchTemplate => facts(
                "lt-",
                "launch-template",
                "launch template ID",
                "InvalidLaunchTemplateId.NotFound",
                "InvalidLaunchTemplateId.Malformed",
            ),
            Kind::NetworkAcl => {
                facts("acl-", "network-acl", "networkAcl ID", "InvalidNetworkAclID.NotFound", "InvalidNetworkAclId.Malformed")
            }
            Kind::NetworkInterface => facts(
                "eni-",
                "network-interface",
                "networkInterface ID",
                "InvalidNetworkInterfaceID.NotFound",
                "InvalidNetworkInterfaceId.Malformed",
            ),
            Kind::RouteTable => {
                facts("rtb-", "route-table", "routeTable ID", "InvalidRouteTableID.NotFound", "InvalidRouteTableId.Malformed")
            }
            Kind::SecurityGroup => {
                facts("sg-", "security-group", "security group", "InvalidGroup.NotFound", "InvalidGroupId.Malformed")
            }
            Kind::SecurityGroupRule => facts(
                "sgr-",
                "security-group-rule",
                "security group rule ID",
                "InvalidSecurityGroupRuleId.NotFound",
                "InvalidSecurityGroupRuleId.Malformed",
            ),
            Kind::Subnet => facts("subnet-", "subnet", "subnet ID", "InvalidSubnetID.NotFound", "InvalidSubnetId.Malformed"),
            Kind::Volume => facts("vol-", "volume", "volume", "InvalidVolume.NotFound", "InvalidVolumeID.Malformed"),
            Kind::Vpc => facts("vpc-", "vpc", "vpc ID", "InvalidVpcID.NotFound", "InvalidVpcId.Malformed"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{KINDS, Kind};

    #[test]
    fn an_id_names_its_kind_and_nonsense_is_malformed() {
        for kind in KINDS {
            let id = format!("{}0123456789abcdef0", kind.prefix());
            assert_eq!(Kind::of(&id), Some(kind));
            kind.check(&id).unwrap();
            for bad in ["", "x", kind.prefix(), &format!("{}xyz", kind.prefix()), &format!("{id}0"), "ümlaut-1"] {
                assert!(kind.check(bad).is_err(), "{kind:?} {bad}");
            }
        }
        assert_eq!(Kind::of("sgr-1"), Some(Kind::SecurityGroupRule));
        assert_eq!(Kind::of("nonsense"), None);
    }
}
