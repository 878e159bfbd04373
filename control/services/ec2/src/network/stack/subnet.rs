//! `AWS::EC2::Subnet`.

use base::{Fault, SubnetId};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{network_progress, tags_of, unless_leaving, update_tags};
use crate::error::Error;
use crate::network::interface::NetworkInterface;
use crate::network::operations::{chosen_zone, parse_cidr};
use crate::network::subnet::{NewSubnet, Subnet, create_subnet, delete_subnet, find, set_map_public_ip};
use crate::network::zone;
use crate::stack::{no_attribute, read};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    availability_zone: Option<String>,
    availability_zone_id: Option<String>,
    cidr_block: Option<String>,
    #[serde(default)]
    map_public_ip_on_launch: bool,
    vpc_id: String,
}

pub(super) struct SubnetType;

impl StackResource for SubnetType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::Subnet"
    }

    fn schema(&self) -> &'static str {
        include_str!("subnet.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties: Properties = read(request.properties)?;
        let missing = || Error::Missing("The request must contain the parameter cidrBlock".into());
        let new = NewSubnet {
            vpc: properties.vpc_id.into(),
            cidr: parse_cidr("cidrBlock", properties.cidr_block.as_deref().ok_or_else(missing)?)?,
            zone: chosen_zone(cx, properties.availability_zone, properties.availability_zone_id)?,
            default_for_zone: false,
            map_public_ip_on_launch: properties.map_public_ip_on_launch,
            tags: tags_of(request)?,
        };
        Ok(create_subnet(tx, cx, new)?.into())
    }

    fn progress(&self, state: &State, _: &Cx, physical_id: &str, _: &ResourceRequest) -> Progress {
        match find(state, &physical_id.into()) {
            Ok(subnet) => network_progress(state, &subnet.vpc),
            Err(error) => Progress::Failed(Fault::from(error).message),
        }
    }

    fn update(&self, tx: &mut Tx, _: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let properties: Properties = read(request.properties)?;
        set_map_public_ip(tx, &physical_id.into(), properties.map_public_ip_on_launch)?;
        update_tags(tx, physical_id, old, request)
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        let id = SubnetId::from(physical_id);
        if tx.get::<Subnet>(&id).is_none() {
            return Ok(Progress::Ready);
        }
        match delete_subnet(tx, &id) {
            Ok(()) => Ok(Progress::Ready),
            Err(refused) => unless_leaving(tx, tx.rows_where::<NetworkInterface>("subnet", &id), refused),
        }
    }

    fn attribute(&self, state: &State, cx: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        let subnet = find(state, &physical_id.into())?;
        Ok(match name {
            "AvailabilityZone" => json!(subnet.zone),
            "AvailabilityZoneId" => json!(zone::id(&cx.scope, &subnet.zone)),
            "CidrBlock" => json!(subnet.cidr.to_string()),
            "Ipv6CidrBlocks" => json!([]),
            "NetworkAclAssociationId" => json!(subnet.acl_association()),
            "OutpostArn" => json!(""),
            "SubnetId" => json!(subnet.id.as_str()),
            "VpcId" => json!(subnet.vpc.as_str()),
            other => return Err(no_attribute(self.type_name(), other)),
        })
    }
}
