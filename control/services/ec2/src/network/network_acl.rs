//! Network ACLs: each VPC has its default one, which lets everything pass; they cannot be changed yet.

use base::{NetworkAclId, Scope, VpcId};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

use super::subnet::Subnet;
use crate::describe::Described;
use crate::kind::Kind;

/// A VPC's default network ACL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkAcl {
    pub id: NetworkAclId,
    pub vpc: VpcId,
}

impl Row for NetworkAcl {
    const TABLE: &'static str = "ec2.network-acl";
    type Key = NetworkAclId;

    fn key(&self) -> NetworkAclId {
        self.id.clone()
    }
}

pub(super) fn put_default(tx: &mut Tx, cx: &Cx, vpc: &VpcId) -> NetworkAclId {
    let id = NetworkAclId::generate(&mut cx.rng());
    tx.put(NetworkAcl { id: id.clone(), vpc: vpc.clone() });
    id
}

/// An entry of a default ACL: 100 lets everything pass, 32767 stands for "nothing else".
pub(super) struct Entry {
    pub(super) number: i64,
    pub(super) action: &'static str,
    pub(super) egress: bool,
}

pub(super) const ENTRIES: [Entry; 4] = [
    Entry { number: 100, action: "allow", egress: true },
    Entry { number: 32_767, action: "deny", egress: true },
    Entry { number: 100, action: "allow", egress: false },
    Entry { number: 32_767, action: "deny", egress: false },
];

/// Subnets that the ACL filters: all of its VPC.
pub(super) fn subnets<'a>(state: &'a State, acl: &NetworkAcl) -> impl Iterator<Item = &'a Subnet> + Clone {
    state.rows_where::<Subnet>("vpc", &acl.vpc)
}

impl Described for NetworkAcl {
    const KIND: Kind = Kind::NetworkAcl;
    const FILTERS: &'static [&'static str] = &[
        "association.association-id",
        "association.network-acl-id",
        "association.subnet-id",
        "default",
        "entry.cidr",
        "entry.egress",
        "entry.protocol",
        "entry.rule-action",
        "entry.rule-number",
        "network-acl-id",
        "owner-id",
        "vpc-id",
    ];

    fn values(&self, state: &State, scope: &Scope, name: &str, add: &mut dyn FnMut(&str)) {
        match name {
            "association.association-id" => subnets(state, self).for_each(|s| add(&s.acl_association())),
            "association.network-acl-id" => add(&self.id),
            "association.subnet-id" => subnets(state, self).for_each(|s| add(&s.id)),
            "default" => add("true"),
            "entry.cidr" => add("0.0.0.0/0"),
            "entry.egress" => ENTRIES.iter().for_each(|e| add(if e.egress { "true" } else { "false" })),
            "entry.protocol" => add("-1"),
            "entry.rule-action" => ENTRIES.iter().for_each(|e| add(e.action)),
            "entry.rule-number" => ENTRIES.iter().for_each(|e| add(&e.number.to_string())),
            "network-acl-id" => add(&self.id),
            "owner-id" => add(&scope.account),
            "vpc-id" => add(&self.vpc),
            _ => {}
        }
    }
}
