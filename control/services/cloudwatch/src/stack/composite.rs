//! `AWS::CloudWatch::CompositeAlarm`: a composite alarm as part of a stack. `Ref` gives its name.

use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::Value as Json;
use shapes::cloudwatch as s;

use super::{Tag, arn_of, put_tags, read, remove};
use crate::alarm;

const NAME_CHARS_MAX: usize = 255;

pub(super) struct CompositeAlarm;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Properties {
    actions_enabled: Option<bool>,
    actions_suppressor: Option<String>,
    actions_suppressor_extension_period: Option<i64>,
    actions_suppressor_wait_period: Option<i64>,
    alarm_actions: Vec<String>,
    alarm_description: Option<String>,
    alarm_name: Option<String>,
    alarm_rule: String,
    insufficient_data_actions: Vec<String>,
    #[serde(rename = "OKActions")]
    ok_actions: Vec<String>,
    tags: Vec<Tag>,
}

impl Properties {
    fn put(self, tx: &mut Tx, cx: &Cx, name: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let input = s::PutCompositeAlarmInput {
            actions_enabled: self.actions_enabled,
            alarm_actions: self.alarm_actions,
            alarm_description: self.alarm_description,
            alarm_name: name.to_string(),
            alarm_rule: self.alarm_rule,
            insufficient_data_actions: self.insufficient_data_actions,
            ok_actions: self.ok_actions,
            actions_suppressor: self.actions_suppressor,
            actions_suppressor_wait_period: self.actions_suppressor_wait_period,
            actions_suppressor_extension_period: self.actions_suppressor_extension_period,
            ..Default::default()
        };
        let alarm = alarm::operations::composite_of(tx, cx, input)?;
        alarm::put(tx, cx, alarm)?;
        put_tags(tx, &alarm::arn(cx, name), self.tags, old, request)
    }
}

impl StackResource for CompositeAlarm {
    fn type_name(&self) -> &'static str {
        "AWS::CloudWatch::CompositeAlarm"
    }

    fn schema(&self) -> &'static str {
        include_str!("composite.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties: Properties = read(request.properties)?;
        let name = super::new_name(tx, cx, properties.alarm_name.clone(), request, NAME_CHARS_MAX)?;
        properties.put(tx, cx, &name, &Json::Null, request)?;
        Ok(name)
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        read::<Properties>(request.properties)?.put(tx, cx, physical_id, old, request)
    }

    fn delete(&self, tx: &mut Tx, cx: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        remove(tx, cx, physical_id)
    }

    fn attribute(&self, state: &State, cx: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        arn_of(state, cx, physical_id, name)
    }
}
