//! `AWS::EC2::VPC`.

use base::{Fault, VpcId};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx, Wanted};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{network_progress, tags_of, unless_leaving, update_tags};
use crate::error::Error;
use crate::network::interface::NetworkInterface;
use crate::network::operations::{check_tenancy, parse_cidr};
use crate::network::vpc::{Attribute, Purpose, Vpc, create_vpc, delete_vpc, find, modify_vpc, slot};
use crate::stack::{no_attribute, read};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    cidr_block: Option<String>,
    enable_dns_hostnames: Option<bool>,
    enable_dns_support: Option<bool>,
    instance_tenancy: Option<String>,
}

pub(super) struct VpcType;

/// Support is on and host names are off unless the template says otherwise.
fn set_dns(tx: &mut Tx, id: &VpcId, properties: &Properties) -> Result<(), Error> {
    modify_vpc(tx, id, Attribute::DnsSupport(properties.enable_dns_support.unwrap_or(true)))?;
    modify_vpc(tx, id, Attribute::DnsHostnames(properties.enable_dns_hostnames.unwrap_or(false)))
}

impl StackResource for VpcType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::VPC"
    }

    fn schema(&self) -> &'static str {
        include_str!("vpc.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties: Properties = read(request.properties)?;
        check_tenancy(properties.instance_tenancy.as_deref())?;
        let missing = || Error::Missing("Either CIDR Block or IPv4 IPAM Pool and IPv4 Netmask Length must be provided".into());
        let cidr = parse_cidr("cidrBlock", properties.cidr_block.as_deref().ok_or_else(missing)?)?;
        let id = create_vpc(tx, cx, cidr, Purpose::Custom, tags_of(request)?)?;
        set_dns(tx, &id, &properties)?;
        Ok(id.into())
    }

    fn progress(&self, state: &State, _: &Cx, physical_id: &str, _: &ResourceRequest) -> Progress {
        match find(state, &physical_id.into()) {
            Ok(vpc) => network_progress(state, &vpc.id),
            Err(error) => Progress::Failed(Fault::from(error).message),
        }
    }

    fn update(&self, tx: &mut Tx, _: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        set_dns(tx, &physical_id.into(), &read(request.properties)?)?;
        update_tags(tx, physical_id, old, request)
    }

    /// It is gone when the world has taken its network down.
    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        let id = VpcId::from(physical_id);
        if tx.get::<Vpc>(&id).is_some() {
            return match delete_vpc(tx, &id) {
                Ok(()) => Ok(Progress::Pending),
                Err(refused) => unless_leaving(tx, tx.rows_where::<NetworkInterface>("vpc", &id), refused),
            };
        }
        match tx.get::<Wanted>(&slot(&id)) {
            None => Ok(Progress::Ready),
            Some(Wanted { refused: Some(reason), .. }) => Ok(Progress::Failed(reason.clone())),
            Some(_) => Ok(Progress::Pending),
        }
    }

    fn attribute(&self, state: &State, _: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        let vpc = find(state, &physical_id.into())?;
        Ok(match name {
            "CidrBlock" => json!(vpc.cidr.to_string()),
            "CidrBlockAssociations" => json!([vpc.cidr_association()]),
            "DefaultNetworkAcl" => json!(vpc.default_network_acl.as_str()),
            "DefaultSecurityGroup" => json!(vpc.default_security_group.as_str()),
            "Ipv6CidrBlocks" => json!([]),
            "VpcId" => json!(vpc.id.as_str()),
            other => return Err(no_attribute(self.type_name(), other)),
        })
    }
}
