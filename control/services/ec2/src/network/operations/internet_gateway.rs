//! The API of internet gateways.

use base::{Fault, InternetGatewayId, VpcId};
use kernel::{Cx, State, Tx};
use shapes::ec2 as s;

use crate::describe::{Asked, describe};
use crate::error::unless_dry;
use crate::kind::Kind;
use crate::network::internet_gateway::{InternetGateway, attach, create_internet_gateway, delete_internet_gateway, detach, find};
use crate::tags;

pub(super) fn create(
    tx: &mut Tx,
    cx: &Cx,
    input: s::CreateInternetGatewayRequest,
) -> Result<s::CreateInternetGatewayResult, Fault> {
    let tags = tags::specified(input.tag_specifications, Kind::InternetGateway)?;
    let id = create_internet_gateway(tx, cx, tags)?;
    let internet_gateway = Some(gateway_shape(tx, cx, find(tx, &id)?));
    unless_dry(input.dry_run, s::CreateInternetGatewayResult { internet_gateway })
}

pub(super) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteInternetGatewayRequest) -> Result<(), Fault> {
    delete_internet_gateway(tx, &InternetGatewayId::from(input.internet_gateway_id))?;
    unless_dry(input.dry_run, ())
}

pub(super) fn attach_to_vpc(tx: &mut Tx, _: &Cx, input: s::AttachInternetGatewayRequest) -> Result<(), Fault> {
    attach(tx, &InternetGatewayId::from(input.internet_gateway_id), &VpcId::from(input.vpc_id))?;
    unless_dry(input.dry_run, ())
}

pub(super) fn detach_from_vpc(tx: &mut Tx, _: &Cx, input: s::DetachInternetGatewayRequest) -> Result<(), Fault> {
    detach(tx, &InternetGatewayId::from(input.internet_gateway_id), &VpcId::from(input.vpc_id))?;
    unless_dry(input.dry_run, ())
}

pub(super) fn describe_gateways(
    tx: &mut Tx,
    cx: &Cx,
    input: s::DescribeInternetGatewaysRequest,
) -> Result<s::DescribeInternetGatewaysResult, Fault> {
    let asked = Asked {
        ids: input.internet_gateway_ids,
        filters: input.filters,
        max_results: input.max_results,
        next_token: input.next_token,
    };
    let page = describe::<InternetGateway>(tx, cx, asked)?;
    let internet_gateways = page.items.into_iter().map(|gateway| gateway_shape(tx, cx, gateway)).collect();
    unless_dry(input.dry_run, s::DescribeInternetGatewaysResult { internet_gateways, next_token: page.next_token })
}

fn gateway_shape(state: &State, cx: &Cx, gateway: &InternetGateway) -> s::InternetGateway {
    let attachment =
        |vpc: &VpcId| s::InternetGatewayAttachment { state: Some("available".into()), vpc_id: Some(vpc.to_string()) };
    s::InternetGateway {
        attachments: gateway.vpc.iter().map(attachment).collect(),
        internet_gateway_id: Some(gateway.id.to_string()),
        owner_id: Some(cx.scope.account.clone()),
        tags: tags::shapes(state, &gateway.id),
    }
}
