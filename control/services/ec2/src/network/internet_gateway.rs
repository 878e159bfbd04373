//! Internet gateways. They are records: which subnets reach the outside is decided by routes that name one, once
//! the packet plane knows routes.

use base::{InternetGatewayId, Scope, Tags, VpcId};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

use super::vpc;
use crate::describe::Described;
use crate::error::Error;
use crate::kind::Kind;
use crate::tags;

/// Most internet gateways of a region: one for each VPC ("Amazon VPC quotas").
pub const GATEWAYS_MAX: usize = vpc::VPCS_MAX;

/// An internet gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InternetGateway {
    pub id: InternetGatewayId,
    pub vpc: Option<VpcId>,
}

impl Row for InternetGateway {
    const TABLE: &'static str = "ec2.internet-gateway";
    type Key = InternetGatewayId;

    fn key(&self) -> InternetGatewayId {
        self.id.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        if let Some(vpc) = &self.vpc {
            add("vpc", vpc);
        }
    }
}

/// The gateway of this id.
pub fn find<'a>(state: &'a State, id: &InternetGatewayId) -> Result<&'a InternetGateway, Error> {
    Kind::InternetGateway.check(id)?;
    state.get::<InternetGateway>(id).ok_or_else(|| Error::NoInternetGateway(id.clone()))
}

/// The gateway that is attached to a VPC.
pub fn of_vpc<'a>(state: &'a State, vpc: &VpcId) -> Option<&'a InternetGateway> {
    state.rows_where::<InternetGateway>("vpc", vpc).next()
}

pub fn create_internet_gateway(tx: &mut Tx, cx: &Cx, tags: Tags) -> Result<InternetGatewayId, Error> {
    if tx.count::<InternetGateway>() >= GATEWAYS_MAX {
        return Err(Error::LimitExceeded("InternetGatewayLimitExceeded", format!("{GATEWAYS_MAX} internet gateways")));
    }
    let id = InternetGatewayId::generate(&mut cx.rng());
    tx.put(InternetGateway { id: id.clone(), vpc: None });
    tags::add(tx, &id, tags)?;
    Ok(id)
}

pub fn attach(tx: &mut Tx, id: &InternetGatewayId, vpc: &VpcId) -> Result<(), Error> {
    let gateway = find(tx, id)?;
    vpc::find(tx, vpc)?;
    if let Some(other) = &gateway.vpc {
        return Err(Error::GatewayAttached { gateway: id.clone(), vpc: other.clone() });
    }
    if of_vpc(tx, vpc).is_some() {
        return Err(Error::VpcHasGateway(vpc.clone()));
    }
    tx.update::<InternetGateway>(id, |g| g.vpc = Some(vpc.clone()));
    Ok(())
}

/// Routes that name the gateway stay and become black holes, as at AWS.
pub fn detach(tx: &mut Tx, id: &InternetGatewayId, vpc: &VpcId) -> Result<(), Error> {
    let gateway = find(tx, id)?;
    vpc::find(tx, vpc)?;
    if gateway.vpc.as_ref() != Some(vpc) {
        return Err(Error::GatewayNotAttached { gateway: id.clone(), vpc: vpc.clone() });
    }
    tx.update::<InternetGateway>(id, |g| g.vpc = None);
    Ok(())
}

pub fn delete_internet_gateway(tx: &mut Tx, id: &InternetGatewayId) -> Result<(), Error> {
    if find(tx, id)?.vpc.is_some() {
        return Err(Error::InUse(format!("The internetGateway '{id}'")));
    }
    tx.remove::<InternetGateway>(id);
    tags::forget(tx, id);
    Ok(())
}

impl Described for InternetGateway {
    const KIND: Kind = Kind::InternetGateway;
    const FILTERS: &'static [&'static str] = &["attachment.state", "attachment.vpc-id", "internet-gateway-id", "owner-id"];

    fn values(&self, _: &State, scope: &Scope, name: &str, add: &mut dyn FnMut(&str)) {
        match (name, &self.vpc) {
            ("attachment.state", Some(_)) => add("available"),
            ("attachment.vpc-id", Some(vpc)) => add(vpc),
            ("internet-gateway-id", _) => add(&self.id),
            ("owner-id", _) => add(&scope.account),
            _ => {}
        }
    }
}
