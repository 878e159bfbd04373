//! Warm pools.

use base::Fault;
use kernel::{Cx, State, Tx};
use shapes::autoscaling as s;

use super::cut;
use super::describe::instance_answer;
use crate::transitions::find_group;
use crate::warm_pool::{self, Force, PoolChange, WarmPool};

pub(crate) fn put(tx: &mut Tx, cx: &Cx, input: s::PutWarmPoolType) -> Result<s::PutWarmPoolAnswer, Fault> {
    let change = PoolChange {
        min_size: input.min_size,
        max_prepared: input.max_group_prepared_capacity,
        state: input.pool_state,
        reuses: input.instance_reuse_policy.and_then(|p| p.reuse_on_scale_in),
    };
    warm_pool::put_pool(tx, cx, &input.auto_scaling_group_name, change)?;
    Ok(s::PutWarmPoolAnswer {})
}

pub(crate) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteWarmPoolType) -> Result<s::DeleteWarmPoolAnswer, Fault> {
    let force = if input.force_delete == Some(true) { Force::Yes } else { Force::No };
    warm_pool::delete_pool(tx, &input.auto_scaling_group_name, force)?;
    Ok(s::DeleteWarmPoolAnswer {})
}

pub(crate) fn describe(tx: &mut Tx, _: &Cx, input: s::DescribeWarmPoolType) -> Result<s::DescribeWarmPoolAnswer, Fault> {
    let state: &State = tx;
    let group = &find_group(state, &input.auto_scaling_group_name)?.name;
    let Some(pool) = state.get::<WarmPool>(group) else { return Ok(s::DescribeWarmPoolAnswer::default()) };
    let members = warm_pool::members(state, group);
    let page = cut(members, |m| m.instance.to_string(), input.next_token.as_deref(), input.max_records)?;
    Ok(s::DescribeWarmPoolAnswer {
        warm_pool_configuration: Some(configuration(pool)),
        instances: page.items.into_iter().map(instance_answer).collect(),
        next_token: page.next_token,
    })
}

pub(crate) fn configuration(pool: &WarmPool) -> s::WarmPoolConfiguration {
    s::WarmPoolConfiguration {
        max_group_prepared_capacity: pool.max_prepared.map(Into::into),
        min_size: Some(pool.min_size.into()),
        pool_state: Some(pool.state.as_str().into()),
        status: pool.deleting.then(|| "PendingDelete".into()),
        instance_reuse_policy: pool.reuses.then_some(s::InstanceReusePolicy { reuse_on_scale_in: Some(true) }),
    }
}
