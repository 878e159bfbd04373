//! `AWS::AutoScaling::ScheduledAction`. `Ref` gives the action's name, which is made here and so unlike any other.

use base::{Fault, Time};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::error::Error;
use crate::schedule::{self, ScheduledAction as Row, Wish};

const NAME_CHARS_MAX: usize = 255;

pub(super) struct ScheduledAction;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    auto_scaling_group_name: String,
    desired_capacity: Option<u32>,
    end_time: Option<String>,
    max_size: Option<u32>,
    min_size: Option<u32>,
    recurrence: Option<String>,
    start_time: Option<String>,
    time_zone: Option<String>,
}

impl Properties {
    fn of(json: &Json) -> Result<Self, Error> {
        serde_json::from_value(json.clone()).map_err(|e| Error::Invalid(format!("Properties validation failed: {e}")))
    }

    fn wish(self, name: &str) -> Result<Wish, Error> {
        Ok(Wish {
            name: name.into(),
            start: moment("StartTime", self.start_time)?,
            end: moment("EndTime", self.end_time)?,
            recurrence: self.recurrence,
            time_zone: self.time_zone,
            min_size: self.min_size,
            max_size: self.max_size,
            desired_capacity: self.desired_capacity,
        })
    }
}

fn moment(property: &str, text: Option<String>) -> Result<Option<Time>, Error> {
    let read = |text: String| {
        let bad = || Error::Invalid(format!("{property} must be a moment such as 2030-01-31T08:00:00Z, not '{text}'."));
        Time::parse_iso8601(&text).ok_or_else(bad)
    };
    text.map(read).transpose()
}

impl StackResource for ScheduledAction {
    fn type_name(&self) -> &'static str {
        "AWS::AutoScaling::ScheduledAction"
    }

    fn schema(&self) -> &'static str {
        include_str!("scheduled_action.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties = Properties::of(request.properties)?;
        let name = request.physical_name(cx, NAME_CHARS_MAX);
        let group = properties.auto_scaling_group_name.clone();
        schedule::put(tx, cx, &group, properties.wish(&name)?)?;
        Ok(name)
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, _: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let properties = Properties::of(request.properties)?;
        let group = properties.auto_scaling_group_name.clone();
        Ok(schedule::put(tx, cx, &group, properties.wish(physical_id)?)?)
    }

    /// One that has come for the last time is gone already.
    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        let keys: Vec<_> = tx.rows::<Row>().filter(|a| a.name == physical_id).map(kernel::Row::key).collect();
        for key in keys {
            tx.remove::<Row>(&key);
        }
        Ok(Progress::Ready)
    }

    fn attribute(&self, _: &State, _: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        match name {
            "ScheduledActionName" => Ok(physical_id.into()),
            other => Err(Error::Invalid(format!("A scheduled action has no attribute {other}")).into()),
        }
    }
}
