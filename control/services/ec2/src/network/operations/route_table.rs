//! The API of route tables and of who uses them.

use base::{Fault, RouteTableAssociationId, RouteTableId, SubnetId, VpcId};
use kernel::{Cx, State, Tx};
use shapes::ec2 as s;

use crate::compute::ComputeError;
use crate::describe::{Asked, describe};
use crate::error::{Error, client_token, refuse, unless_dry};
use crate::kind::Kind;
use crate::network::route_table::{
    Association, RouteTable, Target, associate, create_route_table, delete_route_table, disassociate, find, of_client_token,
    replace_association,
};
use crate::network::vpc::Vpc;
use crate::tags;

/// Longest client token.
const TOKEN_CHARS_MAX: usize = 64;

/// The same client token makes the same table, as "Ensuring idempotency" says.
pub(super) fn create(tx: &mut Tx, cx: &Cx, input: s::CreateRouteTableRequest) -> Result<s::CreateRouteTableResult, Fault> {
    let vpc = VpcId::from(input.vpc_id);
    let token = client_token(input.client_token, TOKEN_CHARS_MAX)?;
    let id = match token.as_deref().and_then(|token| of_client_token(tx, token)) {
        Some(made) if made.vpc == vpc => made.id.clone(),
        Some(_) => return Err(Error::Compute(ComputeError::IdempotentMismatch).into()),
        None => {
            let tags = tags::specified(input.tag_specifications, Kind::RouteTable)?;
            create_route_table(tx, cx, &vpc, token.clone(), tags)?
        }
    };
    let route_table = Some(table_shape(tx, cx, find(tx, &id)?));
    unless_dry(input.dry_run, s::CreateRouteTableResult { route_table, client_token: token })
}

pub(super) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteRouteTableRequest) -> Result<(), Fault> {
    delete_route_table(tx, &RouteTableId::from(input.route_table_id))?;
    unless_dry(input.dry_run, ())
}

pub(super) fn describe_tables(
    tx: &mut Tx,
    cx: &Cx,
    input: s::DescribeRouteTablesRequest,
) -> Result<s::DescribeRouteTablesResult, Fault> {
    let asked = Asked {
        ids: input.route_table_ids,
        filters: input.filters,
        max_results: input.max_results,
        next_token: input.next_token,
    };
    let page = describe::<RouteTable>(tx, cx, asked)?;
    let route_tables = page.items.into_iter().map(|table| table_shape(tx, cx, table)).collect();
    unless_dry(input.dry_run, s::DescribeRouteTablesResult { route_tables, next_token: page.next_token })
}

fn table_shape(state: &State, cx: &Cx, table: &RouteTable) -> s::RouteTable {
    s::RouteTable {
        associations: table.associations.iter().map(|a| association_shape(table, a)).collect(),
        route_table_id: Some(table.id.to_string()),
        routes: route_shapes(state, table),
        tags: tags::shapes(state, &table.id),
        vpc_id: Some(table.vpc.to_string()),
        owner_id: Some(cx.scope.account.clone()),
        ..Default::default()
    }
}

fn association_shape(table: &RouteTable, association: &Association) -> s::RouteTableAssociation {
    s::RouteTableAssociation {
        main: Some(association.subnet.is_none()),
        route_table_association_id: Some(association.id.to_string()),
        route_table_id: Some(table.id.to_string()),
        subnet_id: association.subnet.as_ref().map(|s| s.to_string()),
        association_state: associated(),
        ..Default::default()
    }
}

fn associated() -> Option<s::RouteTableAssociationState> {
    Some(s::RouteTableAssociationState { state: Some("associated".into()), status_message: None })
}

/// The VPC's own route first, then the table's in order of destination.
fn route_shapes(state: &State, table: &RouteTable) -> Vec<s::Route> {
    let shape = |destination: String, gateway: String, origin: &str, condition: &str| s::Route {
        destination_cidr_block: Some(destination),
        gateway_id: Some(gateway),
        origin: Some(origin.into()),
        state: Some(condition.into()),
        ..Default::default()
    };
    let local = state.get::<Vpc>(&table.vpc);
    let mut routes: Vec<_> =
        local.iter().map(|vpc| shape(vpc.cidr.to_string(), "local".into(), "CreateRouteTable", "active")).collect();
    for (destination, target) in &table.routes {
        let Target::InternetGateway(gateway) = target;
        routes.push(shape(destination.to_string(), gateway.to_string(), "CreateRoute", target.state(state, &table.vpc)));
    }
    routes
}

pub(super) fn associate_subnet(
    tx: &mut Tx,
    cx: &Cx,
    input: s::AssociateRouteTableRequest,
) -> Result<s::AssociateRouteTableResult, Fault> {
    refuse(&[("GatewayId", input.gateway_id.is_some()), ("PublicIpv4Pool", input.public_ipv4_pool.is_some())])?;
    let missing = || Error::Missing("The request must contain the parameter subnetId".into());
    let subnet = SubnetId::from(input.subnet_id.ok_or_else(missing)?);
    let id = associate(tx, cx, &RouteTableId::from(input.route_table_id), &subnet)?;
    let answer = s::AssociateRouteTableResult { association_id: Some(id.to_string()), association_state: associated() };
    unless_dry(input.dry_run, answer)
}

pub(super) fn disassociate_subnet(tx: &mut Tx, _: &Cx, input: s::DisassociateRouteTableRequest) -> Result<(), Fault> {
    disassociate(tx, &RouteTableAssociationId::from(input.association_id))?;
    unless_dry(input.dry_run, ())
}

pub(super) fn replace(
    tx: &mut Tx,
    cx: &Cx,
    input: s::ReplaceRouteTableAssociationRequest,
) -> Result<s::ReplaceRouteTableAssociationResult, Fault> {
    let association = RouteTableAssociationId::from(input.association_id);
    let id = replace_association(tx, cx, &association, &RouteTableId::from(input.route_table_id))?;
    let answer =
        s::ReplaceRouteTableAssociationResult { new_association_id: Some(id.to_string()), association_state: associated() };
    unless_dry(input.dry_run, answer)
}
