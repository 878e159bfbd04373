//! Limits that metric and composite alarms share ("PutMetricAlarm" and "PutCompositeAlarm", Request parameters).

use base::Fault;
use kernel::Cx;
use shapes::cloudwatch as s;

use crate::alarm::action::{self, ACTIONS_MAX, Kind};

const NAME_CHARS_MAX: usize = 255;
const DESCRIPTION_CHARS_MAX: usize = 1_024;
const ARN_CHARS_MAX: usize = 1_024;
const DIMENSIONS_MAX: usize = 30;
const DAY_S: i64 = 86_400;
/// An alarm on periods of an hour or longer may look a week back.
const HOUR_S: i64 = 3_600;

/// What a caller's value breaks, in the words that AWS's validators share.
pub(super) fn broken(value: &str, parameter: &str, constraint: &str) -> Fault {
    Fault::validation(format!(
        "1 validation error detected: Value '{value}' at '{parameter}' failed to satisfy constraint: {constraint}"
    ))
}

pub(crate) fn name(name: &str) -> Result<(), Fault> {
    let chars = name.chars().count();
    if chars == 0 {
        return Err(broken(name, "alarmName", "Member must have length greater than or equal to 1"));
    }
    if chars > NAME_CHARS_MAX {
        return Err(broken(name, "alarmName", &format!("Member must have length less than or equal to {NAME_CHARS_MAX}")));
    }
    // "CloudWatch alarms, common features": names hold UTF-8 characters and no ASCII control characters.
    if name.chars().any(|c| c.is_ascii_control()) {
        return Err(Fault::validation("Alarm names must not contain ASCII control characters."));
    }
    Ok(())
}

pub(super) fn description(text: Option<&str>) -> Result<(), Fault> {
    match text {
        Some(text) if text.chars().count() > DESCRIPTION_CHARS_MAX => {
            let constraint = format!("Member must have length less than or equal to {DESCRIPTION_CHARS_MAX}");
            Err(broken(text, "alarmDescription", &constraint))
        }
        _ => Ok(()),
    }
}

/// Checks the actions of one state; `takes` are the kinds that this alarm can have.
pub(crate) fn actions(cx: &Cx, parameter: &str, arns: &[String], takes: &[Kind]) -> Result<(), Fault> {
    if arns.len() > ACTIONS_MAX {
        let constraint = format!("Member must have length less than or equal to {ACTIONS_MAX}");
        return Err(broken(&format!("[{}]", arns.join(", ")), parameter, &constraint));
    }
    for arn in arns {
        if arn.is_empty() || arn.chars().count() > ARN_CHARS_MAX {
            return Err(broken(arn, parameter, &format!("Member must have length between 1 and {ARN_CHARS_MAX}")));
        }
        let kind = action::kind(cx, arn).map_err(Fault::validation)?;
        if !takes.contains(&kind) {
            return Err(Fault::validation(format!("This alarm cannot have the action {arn}")));
        }
    }
    Ok(())
}

/// Dimensions, sorted by name.
pub(crate) fn dimensions(sent: &[s::Dimension]) -> Result<Vec<(String, String)>, Fault> {
    if sent.len() > DIMENSIONS_MAX {
        return Err(broken(
            "dimensions",
            "dimensions",
            &format!("Member must have length less than or equal to {DIMENSIONS_MAX}"),
        ));
    }
    let mut all: Vec<(String, String)> = sent.iter().map(|d| (d.name.clone(), d.value.clone())).collect();
    all.sort_unstable();
    for (name, value) in &all {
        if name.trim().is_empty() || name.chars().count() > 255 || value.trim().is_empty() || value.chars().count() > 1_024 {
            return Err(Fault::validation(format!("Invalid dimension {name}={value}")));
        }
    }
    if all.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(Fault::validation("The collection Dimensions must not have two with the same name."));
    }
    Ok(all)
}

/// A period in seconds ("PutMetricAlarm", Period).
pub(super) fn period(period: i64) -> Result<u32, Fault> {
    let good = matches!(period, 10 | 20 | 30) || (period > 0 && period % 60 == 0);
    match u32::try_from(period) {
        Ok(period) if good => Ok(period),
        _ => Err(Fault::validation("Period must be 10, 20, 30 or a multiple of 60")),
    }
}

/// N and M ("PutMetricAlarm", EvaluationPeriods and DatapointsToAlarm): together with the period at most a day, or a week for
/// periods of an hour and more.
pub(crate) fn periods(evaluation: Option<i64>, to_alarm: Option<i64>, period_s: u32) -> Result<(u32, u32), Fault> {
    let Some(n) = evaluation else {
        return Err(Fault::validation("EvaluationPeriods must be specified"));
    };
    if n < 1 {
        return Err(broken(&n.to_string(), "evaluationPeriods", "Member must have value greater than or equal to 1"));
    }
    let m = to_alarm.unwrap_or(n);
    if m < 1 {
        return Err(broken(&m.to_string(), "datapointsToAlarm", "Member must have value greater than or equal to 1"));
    }
    if m > n {
        return Err(Fault::validation("DatapointsToAlarm must be less than or equal to EvaluationPeriods"));
    }
    let period = i64::from(period_s);
    let (most, words) = if period >= HOUR_S { (7 * DAY_S, "seven days") } else { (DAY_S, "one day") };
    match (u32::try_from(n), u32::try_from(m)) {
        (Ok(n), Ok(m)) if i64::from(n) * period <= most => Ok((n, m)),
        _ => Err(Fault::validation(format!(
            "Metrics cannot be checked across more than {words} (EvaluationPeriods * Period must be <= {most})."
        ))),
    }
}
