//! `DescribeAlarmHistory`.

use base::Fault;
use kernel::{Cx, State, Tx, page};
use shapes::cloudwatch as s;

use super::describe::{bad_token, page_size, types};
use super::limits::broken;
use crate::alarm::history::{Item, is_kept};

/// Items of an answer when the caller does not say ("DescribeAlarmHistory", MaxRecords).
const PAGE_DEFAULT: i64 = 100;

pub(super) fn describe(
    tx: &mut Tx,
    cx: &Cx,
    input: s::DescribeAlarmHistoryInput,
) -> Result<s::DescribeAlarmHistoryOutput, Fault> {
    if let Some(kind) =
        input.history_item_type.as_deref().filter(|k| !matches!(*k, "ConfigurationUpdate" | "StateUpdate" | "Action"))
    {
        let all = "[Action, StateUpdate, ConfigurationUpdate]";
        return Err(broken(kind, "historyItemType", &format!("Member must satisfy enum value set: {all}")));
    }
    if input.alarm_contributor_id.is_some() {
        return Err(Fault::validation("AlarmContributorId cannot be used: it is not available in this region"));
    }
    let state: &State = tx;
    let (types, size) = (types(&input.alarm_types)?, page_size(input.max_records, PAGE_DEFAULT)?);
    let wanted = |item: &&Item| {
        types.has(item.composite)
            && is_kept(item, cx.now)
            && input.history_item_type.as_deref().is_none_or(|kind| item.kind.as_str() == kind)
            && input.start_date.is_none_or(|start| item.at >= start)
            && input.end_date.is_none_or(|end| item.at <= end)
    };
    let mut found: Vec<&Item> = match &input.alarm_name {
        Some(name) => state.rows_where::<Item>("alarm", name).filter(wanted).collect(),
        None => state.rows::<Item>().filter(wanted).collect(),
    };
    // The newest first unless the caller wants it otherwise; a token names the next item, so it must sort alike.
    let ascending = match input.scan_by.as_deref() {
        Some("TimestampAscending") => true,
        Some("TimestampDescending") | None => false,
        Some(text) => {
            let all = "[TimestampDescending, TimestampAscending]";
            return Err(broken(text, "scanBy", &format!("Member must satisfy enum value set: {all}")));
        }
    };
    if !ascending {
        found.reverse();
    }
    let key = |item: &&Item| format!("{:020}", if ascending { item.no } else { u64::MAX - item.no });
    let page = page(found.into_iter(), key, input.next_token.as_deref(), size, bad_token)?;
    Ok(s::DescribeAlarmHistoryOutput {
        alarm_history_items: page.items.into_iter().map(shape).collect(),
        next_token: page.next_token,
    })
}

fn shape(item: &Item) -> s::AlarmHistoryItem {
    s::AlarmHistoryItem {
        alarm_name: Some(item.alarm.clone()),
        alarm_type: Some(if item.composite { "CompositeAlarm" } else { "MetricAlarm" }.into()),
        timestamp: Some(item.at),
        history_item_type: Some(item.kind.as_str().into()),
        history_summary: Some(item.summary.clone()),
        history_data: Some(item.data.clone()),
        ..Default::default()
    }
}
