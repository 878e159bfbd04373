//! `AWS::EC2::Route`.

use base::{Fault, RouteTableId};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::error::Error;
use crate::network::cidr::Cidr;
use crate::network::operations::{parse_cidr, target};
use crate::network::route_table::{RouteTable, create_route, delete_route, replace_route};
use crate::stack::{no_attribute, read};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    destination_cidr_block: Option<String>,
    gateway_id: Option<String>,
    route_table_id: String,
}

/// A route is called after its table and its destination, such as `rtb-0123|0.0.0.0/0`.
fn parts(physical_id: &str) -> Option<(RouteTableId, Cidr)> {
    let (table, destination) = physical_id.split_once('|')?;
    Some((table.into(), destination.parse().ok()?))
}

pub(super) struct RouteType;

impl StackResource for RouteType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::Route"
    }

    fn schema(&self) -> &'static str {
        include_str!("route.schema")
    }

    fn create(&self, tx: &mut Tx, _: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties: Properties = read(request.properties)?;
        let missing = || Error::Missing("The request must contain the parameter destinationCidrBlock".into());
        let destination = parse_cidr("destinationCidrBlock", properties.destination_cidr_block.as_deref().ok_or_else(missing)?)?;
        let table = RouteTableId::from(properties.route_table_id);
        create_route(tx, &table, destination, target(properties.gateway_id)?)?;
        Ok(format!("{table}|{destination}"))
    }

    fn update(&self, tx: &mut Tx, _: &Cx, physical_id: &str, _: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let properties: Properties = read(request.properties)?;
        let (table, destination) = parts(physical_id).ok_or(Error::Internal)?;
        Ok(replace_route(tx, &table, destination, target(properties.gateway_id)?)?)
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        let Some((table, destination)) = parts(physical_id) else { return Ok(Progress::Ready) };
        if tx.get::<RouteTable>(&table).is_some_and(|t| t.routes.contains_key(&destination)) {
            delete_route(tx, &table, &destination)?;
        }
        Ok(Progress::Ready)
    }

    fn attribute(&self, _: &State, _: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        match (name, parts(physical_id)) {
            ("CidrBlock", Some((_, destination))) => Ok(json!(destination.to_string())),
            (other, _) => Err(no_attribute(self.type_name(), other)),
        }
    }
}
