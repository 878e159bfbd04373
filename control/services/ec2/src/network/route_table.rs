//! Route tables, their routes and which subnets use them.

use std::collections::BTreeMap;

use base::{InternetGatewayId, RouteTableAssociationId, RouteTableId, Scope, SubnetId, Tags, VpcId};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

use super::cidr::Cidr;
use super::internet_gateway::{self, InternetGateway};
use super::vpc::Vpc;
use super::{subnet, vpc};
use crate::describe::Described;
use crate::error::Error;
use crate::kind::Kind;
use crate::tags;

/// Most route tables of a VPC, and routes of a table ("Amazon VPC quotas").
pub const TABLES_MAX: usize = 200;
pub const ROUTES_MAX: usize = 500;

/// A route table. The route to the VPC itself is not listed: it is always there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteTable {
    pub id: RouteTableId,
    pub vpc: VpcId,
    pub routes: BTreeMap<Cidr, Target>,
    pub associations: Vec<Association>,
    /// What the request that made it called itself; the same request again makes no other table.
    #[serde(default)]
    pub client_token: Option<String>,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    InternetGateway(InternetGatewayId),
}

/// Who uses a table: a subnet, or with none every subnet of the VPC that names no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Association {
    pub id: RouteTableAssociationId,
    pub subnet: Option<SubnetId>,
}

impl Row for RouteTable {
    const TABLE: &'static str = "ec2.route-table";
    type Key = RouteTableId;

    fn key(&self) -> RouteTableId {
        self.id.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("vpc", &self.vpc);
        self.client_token.iter().for_each(|token| add("client-token", token));
        for association in &self.associations {
            add("association", &association.id);
            if let Some(subnet) = &association.subnet {
                add("subnet", subnet);
            }
        }
    }
}

impl RouteTable {
    fn association(&self, id: &RouteTableAssociationId) -> Option<&Association> {
        self.associations.iter().find(|a| a.id == *id)
    }
}

impl Target {
    /// `active`, or `blackhole` when what it leads to is not there (any more).
    pub fn state(&self, state: &State, vpc: &VpcId) -> &'static str {
        let Target::InternetGateway(gateway) = self;
        let attached = state.get::<InternetGateway>(gateway).is_some_and(|g| g.vpc.as_ref() == Some(vpc));
        if attached { "active" } else { "blackhole" }
    }
}

/// The table of this id.
pub fn find<'a>(state: &'a State, id: &RouteTableId) -> Result<&'a RouteTable, Error> {
    Kind::RouteTable.check(id)?;
    state.get::<RouteTable>(id).ok_or_else(|| Error::NoRouteTable(id.clone()))
}

/// The table that has an association.
pub fn find_association<'a>(state: &'a State, id: &RouteTableAssociationId) -> Result<&'a RouteTable, Error> {
    state.rows_where::<RouteTable>("association", id).next().ok_or_else(|| Error::NoAssociation(id.clone()))
}

pub(super) fn put_main(tx: &mut Tx, cx: &Cx, vpc: &VpcId) -> RouteTableId {
    let main = Association { id: RouteTableAssociationId::generate(&mut cx.rng()), subnet: None };
    put(tx, cx, vpc, vec![main], None)
}

fn put(tx: &mut Tx, cx: &Cx, vpc: &VpcId, associations: Vec<Association>, client_token: Option<String>) -> RouteTableId {
    let id = RouteTableId::generate(&mut cx.rng());
    tx.put(RouteTable { id: id.clone(), vpc: vpc.clone(), routes: BTreeMap::new(), associations, client_token });
    id
}

pub(super) fn forget(tx: &mut Tx, id: &RouteTableId) {
    tx.remove::<RouteTable>(id);
    tags::forget(tx, id);
}

/// The table that a request with this token made.
pub fn of_client_token<'a>(state: &'a State, token: &str) -> Option<&'a RouteTable> {
    state.rows_where::<RouteTable>("client-token", token).next()
}

pub fn create_route_table(
    tx: &mut Tx,
    cx: &Cx,
    vpc: &VpcId,
    client_token: Option<String>,
    tags: Tags,
) -> Result<RouteTableId, Error> {
    vpc::find(tx, vpc)?;
    if tx.rows_where::<RouteTable>("vpc", vpc).count() >= TABLES_MAX {
        return Err(Error::LimitExceeded("RouteTableLimitExceeded", format!("{TABLES_MAX} route tables in a VPC")));
    }
    let id = put(tx, cx, vpc, Vec::new(), client_token);
    tags::add(tx, &id, tags)?;
    Ok(id)
}

pub fn delete_route_table(tx: &mut Tx, id: &RouteTableId) -> Result<(), Error> {
    if !find(tx, id)?.associations.is_empty() {
        return Err(Error::InUse(format!("The routeTable '{id}'")));
    }
    forget(tx, id);
    Ok(())
}

/// Adds a route. Errors: `RouteAlreadyExists`, a block inside of the VPC's, a gateway of another VPC.
pub fn create_route(tx: &mut Tx, id: &RouteTableId, destination: Cidr, target: Target) -> Result<(), Error> {
    let table = find(tx, id)?;
    check_route(tx, table, &destination, &target)?;
    if table.routes.contains_key(&destination) {
        return Err(Error::RouteExists(destination.to_string()));
    }
    if table.routes.len() >= ROUTES_MAX {
        return Err(Error::LimitExceeded("RouteLimitExceeded", format!("{ROUTES_MAX} routes in a route table")));
    }
    tx.update::<RouteTable>(id, |t| {
        t.routes.insert(destination, target);
    });
    Ok(())
}

pub fn replace_route(tx: &mut Tx, id: &RouteTableId, destination: Cidr, target: Target) -> Result<(), Error> {
    let table = find(tx, id)?;
    check_route(tx, table, &destination, &target)?;
    if !table.routes.contains_key(&destination) {
        let text = format!("There is no route defined for '{destination}' in the route table. Use CreateRoute instead.");
        return Err(Error::InvalidParameter(text));
    }
    tx.update::<RouteTable>(id, |t| {
        t.routes.insert(destination, target);
    });
    Ok(())
}

pub fn delete_route(tx: &mut Tx, id: &RouteTableId, destination: &Cidr) -> Result<(), Error> {
    let table = find(tx, id)?;
    if vpc::find(tx, &table.vpc)?.cidr == *destination {
        return Err(Error::InvalidParameter(format!("cannot remove local route {destination} in route table {id}")));
    }
    if !table.routes.contains_key(destination) {
        return Err(Error::NoRoute { destination: destination.to_string(), table: id.clone() });
    }
    tx.update::<RouteTable>(id, |t| {
        t.routes.remove(destination);
    });
    Ok(())
}

fn check_route(state: &State, table: &RouteTable, destination: &Cidr, target: &Target) -> Result<(), Error> {
    let vpc: &Vpc = vpc::find(state, &table.vpc)?;
    if vpc.cidr.covers(destination) {
        return Err(Error::InvalidParameter(format!(
            "The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR blocks. \
             This route can target only an interface or an instance."
        )));
    }
    let Target::InternetGateway(gateway) = target;
    // Routes lead to gateways of several kinds, so their error is one for all of them.
    let found = internet_gateway::find(state, gateway).map_err(|e| match e {
        Error::NoInternetGateway(id) => Error::NoGateway(id),
        other => other,
    })?;
    if found.vpc.as_ref() != Some(&table.vpc) {
        let text = format!("route table {} and network gateway {gateway} belong to different networks", table.id);
        return Err(Error::InvalidParameter(text));
    }
    Ok(())
}

/// Makes a subnet use a table. A subnet has one table at most; asking for the one it has gives the same id.
pub fn associate(tx: &mut Tx, cx: &Cx, id: &RouteTableId, subnet: &SubnetId) -> Result<RouteTableAssociationId, Error> {
    let table = find(tx, id)?;
    if subnet::find(tx, subnet)?.vpc != table.vpc {
        let text = format!("Route table {id} and subnet {subnet} belong to different networks");
        return Err(Error::InvalidParameter(text));
    }
    let own = |t: &RouteTable| t.associations.iter().find(|a| a.subnet.as_ref() == Some(subnet)).map(|a| a.id.clone());
    if let Some(other) = tx.rows_where::<RouteTable>("subnet", subnet).next() {
        return own(other).filter(|_| other.id == *id).ok_or_else(|| Error::AlreadyAssociated(id.clone()));
    }
    let association = RouteTableAssociationId::generate(&mut cx.rng());
    let added = Association { id: association.clone(), subnet: Some(subnet.clone()) };
    tx.update::<RouteTable>(id, |t| t.associations.push(added));
    Ok(association)
}

pub fn disassociate(tx: &mut Tx, association: &RouteTableAssociationId) -> Result<(), Error> {
    let table = find_association(tx, association)?;
    if table.association(association).is_some_and(|a| a.subnet.is_none()) {
        return Err(Error::InvalidParameter(format!("cannot disassociate the main route table association {association}")));
    }
    let table = table.id.clone();
    tx.update::<RouteTable>(&table, |t| t.associations.retain(|a| a.id != *association));
    Ok(())
}

/// Moves an association, of a subnet or the VPC's main one, to another table of the VPC; it gets a new id.
pub fn replace_association(
    tx: &mut Tx,
    cx: &Cx,
    association: &RouteTableAssociationId,
    to: &RouteTableId,
) -> Result<RouteTableAssociationId, Error> {
    let id = RouteTableAssociationId::generate(&mut cx.rng());
    put_at(tx, association, to, id.clone())?;
    Ok(id)
}

/// Moves an association as [`replace_association`] does, but under its own id.
pub fn move_association(tx: &mut Tx, association: &RouteTableAssociationId, to: &RouteTableId) -> Result<(), Error> {
    put_at(tx, association, to, association.clone())
}

fn put_at(
    tx: &mut Tx,
    association: &RouteTableAssociationId,
    to: &RouteTableId,
    id: RouteTableAssociationId,
) -> Result<(), Error> {
    let from = find_association(tx, association)?.clone();
    let target = find(tx, to)?;
    if target.vpc != from.vpc {
        let text = format!("Route table {to} and network {} belong to different networks", from.vpc);
        return Err(Error::InvalidParameter(text));
    }
    let moved = from.association(association).and_then(|a| a.subnet.clone());
    tx.update::<RouteTable>(&from.id, |t| t.associations.retain(|a| a.id != *association));
    let added = Association { id, subnet: moved.clone() };
    tx.update::<RouteTable>(to, |t| t.associations.push(added));
    if moved.is_none() {
        tx.update::<Vpc>(&from.vpc, |vpc| vpc.main_route_table = to.clone());
    }
    Ok(())
}

/// Ends what a subnet has with route tables.
pub(super) fn release_subnet(tx: &mut Tx, subnet: &SubnetId) {
    let tables: Vec<RouteTableId> = tx.rows_where::<RouteTable>("subnet", subnet).map(|t| t.id.clone()).collect();
    for table in tables {
        tx.update::<RouteTable>(&table, |t| t.associations.retain(|a| a.subnet.as_ref() != Some(subnet)));
    }
}

impl Described for RouteTable {
    const KIND: Kind = Kind::RouteTable;
    const FILTERS: &'static [&'static str] = &[
        "association.main",
        "association.route-table-association-id",
        "association.route-table-id",
        "association.subnet-id",
        "owner-id",
        "route-table-id",
        "route.destination-cidr-block",
        "route.gateway-id",
        "route.origin",
        "route.state",
        "vpc-id",
    ];

    fn values(&self, state: &State, scope: &Scope, name: &str, add: &mut dyn FnMut(&str)) {
        match name {
            "association.main" => self.associations.iter().for_each(|a| add(if a.subnet.is_none() { "true" } else { "false" })),
            "association.route-table-association-id" => self.associations.iter().for_each(|a| add(&a.id)),
            "association.route-table-id" => self.associations.iter().for_each(|_| add(&self.id)),
            "association.subnet-id" => self.associations.iter().filter_map(|a| a.subnet.as_ref()).for_each(|s| add(s)),
            "owner-id" => add(&scope.account),
            "route-table-id" => add(&self.id),
            "vpc-id" => add(&self.vpc),
            _ => self.route_values(state, name, add),
        }
    }
}

impl RouteTable {
    fn route_values(&self, state: &State, name: &str, add: &mut dyn FnMut(&str)) {
        let Some(vpc) = state.get::<Vpc>(&self.vpc) else { return };
        match name {
            "route.destination-cidr-block" => {
                add(&vpc.cidr.to_string());
                self.routes.keys().for_each(|destination| add(&destination.to_string()));
            }
            "route.gateway-id" => {
                add("local");
                self.routes.values().for_each(|Target::InternetGateway(gateway)| add(gateway));
            }
            "route.origin" => {
                add("CreateRouteTable");
                self.routes.values().for_each(|_| add("CreateRoute"));
            }
            "route.state" => {
                add("active");
                self.routes.values().for_each(|target| add(target.state(state, &vpc.id)));
            }
            _ => {}
        }
    }
}
