//! `AWS::EC2::InternetGateway` and `AWS::EC2::VPCGatewayAttachment`.

use base::{Fault, InternetGatewayId, VpcId};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
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
        let vpc = VpcId::from(properties.vpc_id.as_str());
        attach(tx, &properties.gateway()?, &vpc)?;
        Ok(format!("{ATTACHMENT_KIND}|{vpc}"))
    }

    /// Another gateway takes the place of the first.
    fn update(&self, tx: &mut Tx, _: &Cx, physical_id: &str, _: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let vpc = vpc_of(physical_id);
        let wanted = read::<Properties>(request.properties)?.gateway()?;
        let present = of_vpc(tx, &vpc).map(|g| g.id.clone());
        if present.as_ref() == Some(&wanted) {
            return Ok(());
        }
        if let Some(present) = present {
            detach(tx, &present, &vpc)?;
        }
        Ok(attach(tx, &wanted, &vpc)?)
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        let vpc = vpc_of(physical_id);
        if let Some(gateway) = of_vpc(tx, &vpc).map(|g| g.id.clone()) {
            detach(tx, &gateway, &vpc)?;
        }
        Ok(Progress::Ready)
    }

    fn attribute(&self, _: &State, _: &Cx, _: &str, name: &str) -> Result<Json, Fault> {
        match name {
            "AttachmentType" => Ok(json!(ATTACHMENT_KIND)),
            other => Err(no_attribute(self.type_name(), other)),
        }
    }
}
