//! `AWS::AutoScaling::WarmPool`. `Ref` gives the group's name, of which there is one pool.

use base::{Fault, GroupName};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::error::Error;
use crate::transitions::find_group;
use crate::warm_pool::{self, Force, PoolChange};

pub(super) struct WarmPool;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    auto_scaling_group_name: String,
    instance_reuse_policy: Option<Reuse>,
    max_group_prepared_capacity: Option<i64>,
    min_size: Option<i64>,
    pool_state: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reuse {
    reuse_on_scale_in: Option<bool>,
}

impl Properties {
    fn of(json: &Json) -> Result<Self, Error> {
        serde_json::from_value(json.clone()).map_err(|e| Error::Invalid(format!("Properties validation failed: {e}")))
    }

    /// Everything said, with AWS's defaults for what is not.
    fn change(self) -> PoolChange {
        PoolChange {
            min_size: Some(self.min_size.unwrap_or(0)),
            max_prepared: Some(self.max_group_prepared_capacity.unwrap_or(-1)),
            state: Some(self.pool_state.unwrap_or_else(|| "Stopped".into())),
            reuses: Some(self.instance_reuse_policy.and_then(|r| r.reuse_on_scale_in).unwrap_or(false)),
        }
    }
}

impl StackResource for WarmPool {
    fn type_name(&self) -> &'static str {
        "AWS::AutoScaling::WarmPool"
    }

    fn schema(&self) -> &'static str {
        include_str!("warm_pool.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties = Properties::of(request.properties)?;
        let group = find_group(tx, &properties.auto_scaling_group_name)?.name.clone();
        if warm_pool::find_pool(tx, &group).is_ok() {
            return Err(Error::Invalid(format!("The group {group} already has a warm pool.")).into());
        }
        warm_pool::put_pool(tx, cx, &group, properties.change())?;
        Ok(group.into())
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, _: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        warm_pool::put_pool(tx, cx, physical_id, Properties::of(request.properties)?.change())?;
        Ok(())
    }

    /// Gone when the last of its instances is.
    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        let group = GroupName::from(physical_id);
        let Ok(pool) = warm_pool::find_pool(tx, &group) else { return Ok(Progress::Ready) };
        // A group that is being deleted takes its pool with it.
        if pool.deleting || find_group(tx, &group).is_err() {
            return Ok(Progress::Pending);
        }
        warm_pool::delete_pool(tx, &group, Force::No)?;
        Ok(if warm_pool::find_pool(tx, &group).is_ok() { Progress::Pending } else { Progress::Ready })
    }

    fn attribute(&self, _: &State, _: &Cx, _: &str, name: &str) -> Result<Json, Fault> {
        Err(Error::Invalid(format!("A warm pool has no attribute {name}")).into())
    }
}
