//! `AWS::CloudWatch::Dashboard`. `Ref` gives the dashboard's name.

use base::{Fault, Tags};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde_json::Value as Json;

use super::{Dashboard, delete, put};

pub(super) struct DashboardResource;

impl StackResource for DashboardResource {
    fn type_name(&self) -> &'static str {
        "AWS::CloudWatch::Dashboard"
    }

    fn schema(&self) -> &'static str {
        include_str!("dashboard.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let name = match request.properties.get("DashboardName").and_then(Json::as_str) {
            Some(name) => name.to_string(),
            None => request.physical_name(cx, 255),
        };
        if tx.find::<Dashboard, str>(&name).is_some() {
            return Err(Fault::client("AlreadyExists", format!("Dashboard {name} already exists")));
        }
        put(tx, cx, &name, body(request), Tags::new())?;
        Ok(name)
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, id: &str, _: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        put(tx, cx, id, body(request), Tags::new()).map(|_| ())
    }

    fn delete(&self, tx: &mut Tx, cx: &Cx, id: &str) -> Result<Progress, Fault> {
        delete(tx, &cx.scope, id);
        Ok(Progress::Ready)
    }

    fn attribute(&self, _: &State, _: &Cx, _: &str, name: &str) -> Result<Json, Fault> {
        Err(Fault::validation(format!("AWS::CloudWatch::Dashboard has no attribute {name}.")))
    }
}

fn body(request: &ResourceRequest) -> String {
    request.properties.get("DashboardBody").and_then(Json::as_str).unwrap_or_default().to_string()
}
