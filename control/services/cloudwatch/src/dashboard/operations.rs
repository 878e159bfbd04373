//! The operations of dashboards.

use base::Fault;
use kernel::{Cx, Registry, Tx, page};
use shapes::cloudwatch as aws;
use shapes::cloudwatch::ops;

use super::{Dashboard, arn, delete, find, not_found, put};
use crate::tags;

/// Dashboards of a page ("ListDashboards").
const PAGE: usize = 1_000;
/// Most names of one `DeleteDashboards`.
const DELETED_MAX: usize = 100;

pub(super) fn register(registry: &mut Registry) {
    registry.operation::<ops::PutDashboard>(put_dashboard);
    registry.operation::<ops::GetDashboard>(get_dashboard);
    registry.operation::<ops::ListDashboards>(list_dashboards);
    registry.operation::<ops::DeleteDashboards>(delete_dashboards);
}

fn put_dashboard(tx: &mut Tx, cx: &Cx, input: aws::PutDashboardInput) -> Result<aws::PutDashboardOutput, Fault> {
    let tags = tags::from_user(input.tags).map_err(|fault| Fault::client("InvalidParameterInput", fault.message))?;
    let doubts = put(tx, cx, &input.dashboard_name, input.dashboard_body, tags)?;
    Ok(aws::PutDashboardOutput { dashboard_validation_messages: doubts })
}

fn get_dashboard(tx: &mut Tx, cx: &Cx, input: aws::GetDashboardInput) -> Result<aws::GetDashboardOutput, Fault> {
    let dashboard = find(tx, &input.dashboard_name)?;
    Ok(aws::GetDashboardOutput {
        dashboard_arn: Some(arn(&cx.scope, &dashboard.name)),
        dashboard_body: Some(dashboard.body.clone()),
        dashboard_name: Some(dashboard.name.clone()),
    })
}

fn list_dashboards(tx: &mut Tx, cx: &Cx, input: aws::ListDashboardsInput) -> Result<aws::ListDashboardsOutput, Fault> {
    let prefix = input.dashboard_name_prefix.unwrap_or_default();
    let rows = tx.rows::<Dashboard>().filter(|d| d.name.starts_with(&prefix));
    let bad_token = || Fault::client("InvalidParameterValue", "The parameter NextToken is invalid.");
    let page = page(rows, |d| d.name.clone(), input.next_token.as_deref(), PAGE, bad_token)?;
    let entry = |d: &Dashboard| aws::DashboardEntry {
        dashboard_name: Some(d.name.clone()),
        dashboard_arn: Some(arn(&cx.scope, &d.name)),
        last_modified: Some(d.modified),
        size: i64::try_from(d.body.len()).ok(),
    };
    Ok(aws::ListDashboardsOutput { dashboard_entries: page.items.into_iter().map(entry).collect(), next_token: page.next_token })
}

/// Deletes all or, when one of them is not there, none ("DeleteDashboards").
fn delete_dashboards(tx: &mut Tx, cx: &Cx, input: aws::DeleteDashboardsInput) -> Result<aws::DeleteDashboardsOutput, Fault> {
    if !(1..=DELETED_MAX).contains(&input.dashboard_names.len()) {
        return Err(Fault::client(
            "InvalidParameterValue",
            format!("The parameter DashboardNames must hold 1 to {DELETED_MAX} names."),
        ));
    }
    if let Some(name) = input.dashboard_names.iter().find(|name| tx.find::<Dashboard, str>(name).is_none()) {
        return Err(not_found(name));
    }
    for name in &input.dashboard_names {
        delete(tx, &cx.scope, name);
    }
    Ok(aws::DeleteDashboardsOutput {})
}
