//! `AWS::EC2::InternetGateway` and `AWS::EC2::VPCGatewayAttachment`.

use base::{Fault, InternetGatewayId, VpcId};
use kernel::{Cx, Progress, ResourceRequest, Row, StackResource, State, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::{tags_of, update_tags};
use crate::error::Error;
use crate::network::internet_gateway::{
    InternetGateway, attach, create_internet_gateway, delete_internet_gateway, detach, find, of_vpc,
};
use crate::stack::{no_attribute, read};

pub(super) struct GatewayType;

impl StackResource for GatewayType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::InternetGateway"
    }

    fn schema(&self) -> &'static str {
        include_str!("internet_gateway.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        Ok(create_internet_gateway(tx, cx, tags_of(request)?)?.into())
    }

    fn update(&self, tx: &mut Tx, _: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        find(tx, &physical_id.into())?;
        update_tags(tx, physical_id, old, request)
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        let id = InternetGatewayId::from(physical_id);
        if tx.get::<InternetGateway>(&id).is_some() {
            delete_internet_gateway(tx, &id)?;
        }
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        match name {
            "InternetGatewayId" => Ok(json!(find(state, &physical_id.into())?.id.as_str())),
            other => Err(no_attribute(self.type_name(), other)),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    internet_gateway_id: Option<String>,
    vpc_id: String,
}

impl Properties {
    fn gateway(&self) -> Result<InternetGatewayId, Error> {
        let missing = || Error::Missing("Either 'InternetGatewayId' or 'VpnGatewayId' must be provided".into());
        self.internet_gateway_id.as_deref().map(Into::into).ok_or_else(missing)
    }
}

/// What an attachment is called: its kind and the VPC.
const ATTACHMENT_KIND: &str = "IGW";

fn vpc_of(physical_id: &str) -> VpcId {
    physical_id.rsplit('|').next().unwrap_or_default().into()
}

/// Which gateway a stack has attached to a VPC, for the attachment's id does not tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Attached {
    vpc: VpcId,
    gateway: InternetGatewayId,
}

impl Row for Attached {
    const TABLE: &'static str = "ec2.stack-gateway-attachment";
    type Key = VpcId;

    fn key(&self) -> VpcId {
        self.vpc.clone()
    }
}

/// Lets the VPC's gateway go when it is the one that the stack has attached; what its user has attached instead stays.
fn let_go(tx: &mut Tx, vpc: &VpcId) -> Result<(), Error> {
    let own = tx.get::<Attached>(vpc).map(|a| a.gateway.clone());
    let present = of_vpc(tx, vpc).map(|g| g.id.clone());
    match present.filter(|present| own.as_ref().is_none_or(|own| own == present)) {
        Some(gateway) => detach(tx, &gateway, vpc),
        None => Ok(()),
    }
}

pub(super) struct AttachmentType;

impl StackResource for AttachmentType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::VPCGatewayAttachment"
    }

    fn schema(&self) -> &'static str {
        include_str!("gateway_attachment.schema")
    }

    fn create(&self, tx: &mut Tx, _: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties: Properties = read(request.properties)?;
        let (vpc, gateway) = (VpcId::from(properties.vpc_id.as_str()), properties.gateway()?);
        attach(tx, &gateway, &vpc)?;
        tx.put(Attached { vpc: vpc.clone(), gateway });
        Ok(format!("{ATTACHMENT_KIND}|{vpc}"))
    }

    /// Another gateway takes the place of the first.
    fn update(&self, tx: &mut Tx, _: &Cx, physical_id: &str, _: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let vpc = vpc_of(physical_id);
        let wanted = read::<Properties>(request.properties)?.gateway()?;
        if of_vpc(tx, &vpc).is_none_or(|g| g.id != wanted) {
            let_go(tx, &vpc)?;
            attach(tx, &wanted, &vpc)?;
        }
        tx.put(Attached { vpc, gateway: wanted });
        Ok(())
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        let vpc = vpc_of(physical_id);
        let_go(tx, &vpc)?;
        tx.remove::<Attached>(&vpc);
        Ok(Progress::Ready)
    }

    fn attribute(&self, _: &State, _: &Cx, _: &str, name: &str) -> Result<Json, Fault> {
        match name {
            "AttachmentType" => Ok(json!(ATTACHMENT_KIND)),
            other => Err(no_attribute(self.type_name(), other)),
        }
    }
}
