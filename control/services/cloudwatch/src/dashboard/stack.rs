//! `AWS::CloudWatch::Dashboard`. `Ref` gives the dashboard's name.

use base::{Fault, Tags};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{Dashboard, arn, delete, put};
use crate::stack::{Tag, put_tags, read};

pub(super) struct DashboardResource;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    dashboard_body: String,
    dashboard_name: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

impl Properties {
    fn put(self, tx: &mut Tx, cx: &Cx, name: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        put(tx, cx, name, self.dashboard_body, Tags::new())?;
        put_tags(tx, &arn(&cx.scope, name), self.tags, old, request)
    }
}

impl StackResource for DashboardResource {
    fn type_name(&self) -> &'static str {
        "AWS::CloudWatch::Dashboard"
    }

    fn schema(&self) -> &'static str {
        include_str!("dashboard.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties: Properties = read(request.properties)?;
        let name = properties.dashboard_name.clone().unwrap_or_else(|| request.physical_name(cx, 255));
        if tx.find::<Dashboard, str>(&name).is_some() {
            return Err(Fault::client("AlreadyExists", format!("Dashboard {name} already exists")));
        }
        properties.put(tx, cx, &name, &Json::Null, request)?;
        Ok(name)
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        read::<Properties>(request.properties)?.put(tx, cx, id, old, request)
    }

    fn delete(&self, tx: &mut Tx, cx: &Cx, id: &str) -> Result<Progress, Fault> {
        delete(tx, &cx.scope, id);
        Ok(Progress::Ready)
    }

    fn attribute(&self, _: &State, _: &Cx, _: &str, name: &str) -> Result<Json, Fault> {
        Err(Fault::validation(format!("AWS::CloudWatch::Dashboard has no attribute {name}.")))
    }
}
