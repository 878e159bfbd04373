//! Dashboards: their bodies as their owner wrote them, checked for form. It owns no drawing: who shows a dashboard reads its
//! body.

mod body;
mod operations;
mod stack;

use base::{Fault, Scope, Tags, Time};
use kernel::{Cx, Registry, Row, State, Tx};
use serde::{Deserialize, Serialize};
use shapes::cloudwatch::DashboardValidationMessage;

use crate::tags;

/// AWS knows no limit; here the table is bounded.
const DASHBOARDS_MAX: usize = 5_000;

/// A dashboard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dashboard {
    pub name: String,
    /// JSON.
    pub body: String,
    pub modified: Time,
}

impl Row for Dashboard {
    const TABLE: &'static str = "cloudwatch.dashboard";
    type Key = String;

    fn key(&self) -> String {
        self.name.clone()
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.table::<Dashboard>();
    operations::register(registry);
    registry.resource(stack::DashboardResource);
}

/// Dashboards belong to no region ("Actions, resources, and condition keys for Amazon CloudWatch").
fn arn(scope: &Scope, name: &str) -> String {
    scope.global_arn("cloudwatch", format_args!("dashboard/{name}"))
}

fn find<'s>(state: &'s State, name: &str) -> Result<&'s Dashboard, Fault> {
    state.find::<Dashboard, str>(name).ok_or_else(|| not_found(name))
}

fn not_found(name: &str) -> Fault {
    Fault::new(404, "ResourceNotFound", format!("Dashboard {name} does not exist"))
}

/// Puts a dashboard, new or instead of the one of its name ("PutDashboard"). Gives what is doubtful about its body.
fn put(tx: &mut Tx, cx: &Cx, name: &str, body: String, own_tags: Tags) -> Result<Vec<DashboardValidationMessage>, Fault> {
    let good = (1..=255).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if !good {
        let text = format!(
            "The value {} for field DashboardName is invalid: it may hold A-Z, a-z, 0-9, \"-\" and \"_\", up to 255",
            name.escape_debug()
        );
        return Err(Fault::client("InvalidParameterInput", text));
    }
    let doubts = body::check(&body)?;
    let is_new = tx.find::<Dashboard, str>(name).is_none();
    if is_new && tx.count::<Dashboard>() >= DASHBOARDS_MAX {
        return Err(Fault::client(
            "InvalidParameterInput",
            format!("The region has {DASHBOARDS_MAX} dashboards already, which is the limit"),
        ));
    }
    // "PutDashboard", Tags: tags of a dashboard that is there already stay.
    if is_new && !own_tags.is_empty() {
        tags::set(tx, &arn(&cx.scope, name), own_tags);
    }
    tx.put(Dashboard { name: name.into(), body, modified: cx.now });
    Ok(doubts)
}

fn delete(tx: &mut Tx, scope: &Scope, name: &str) {
    tx.remove::<Dashboard>(&name.to_string());
    tags::forget(tx, &arn(scope, name));
}
