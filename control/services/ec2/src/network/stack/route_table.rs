//! `AWS::EC2::RouteTable` and `AWS::EC2::SubnetRouteTableAssociation`.

use base::{Fault, RouteTableAssociationId, RouteTableId};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{tags_of, update_tags};
use crate::network::route_table::{
    RouteTable, associate, create_route_table, delete_route_table, disassociate, find, find_association, move_association,
};
use crate::stack::{no_attribute, read};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TableProperties {
    vpc_id: String,
}

pub(super) struct TableType;

impl StackResource for TableType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::RouteTable"
    }

    fn schema(&self) -> &'static str {
        include_str!("route_table.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties: TableProperties = read(request.properties)?;
        Ok(create_route_table(tx, cx, &properties.vpc_id.into(), None, tags_of(request)?)?.into())
    }

    fn update(&self, tx: &mut Tx, _: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        find(tx, &physical_id.into())?;
        update_tags(tx, physical_id, old, request)
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        let id = RouteTableId::from(physical_id);
        if tx.get::<RouteTable>(&id).is_some() {
            delete_route_table(tx, &id)?;
        }
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        match name {
            "RouteTableId" => Ok(json!(find(state, &physical_id.into())?.id.as_str())),
            other => Err(no_attribute(self.type_name(), other)),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AssociationProperties {
    route_table_id: String,
    subnet_id: String,
}

pub(super) struct AssociationType;

impl StackResource for AssociationType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::SubnetRouteTableAssociation"
    }

    fn schema(&self) -> &'static str {
        include_str!("route_table_association.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties: AssociationProperties = read(request.properties)?;
        Ok(associate(tx, cx, &properties.route_table_id.into(), &properties.subnet_id.into())?.into())
    }

    /// A subnet has one association, so that none can be made for another table before this one is gone: it moves. Unlike
    /// at AWS it keeps its id.
    fn update(&self, tx: &mut Tx, _: &Cx, physical_id: &str, _: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let properties: AssociationProperties = read(request.properties)?;
        Ok(move_association(tx, &physical_id.into(), &properties.route_table_id.into())?)
    }

    /// It went with its subnet when that went first.
    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        let id = RouteTableAssociationId::from(physical_id);
        if find_association(tx, &id).is_ok() {
            disassociate(tx, &id)?;
        }
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        find_association(state, &physical_id.into())?;
        match name {
            "Id" => Ok(json!(physical_id)),
            other => Err(no_attribute(self.type_name(), other)),
        }
    }
}
