//! ARNs of topics and subscriptions: `arn:PARTITION:sns:REGION:ACCOUNT:TOPIC` and `TOPIC_ARN:UUID`.

use crate::error::Error;

const PARTS_MIN: usize = 6;

/// Checks that a text has the form of an SNS ARN; `parameter` is the one that it stands in.
pub(crate) fn check(parameter: &str, text: &str) -> Result<(), Error> {
    let parts: Vec<&str> = text.splitn(PARTS_MIN, ':').collect();
    let bad = |reason: String| Err(Error::Parameter(format!("{parameter} Reason: {reason}")));
    match parts.as_slice() {
        ["arn", partition, "sns", .., resource] if parts.len() == PARTS_MIN && !partition.is_empty() && !resource.is_empty() => {
            Ok(())
        }
        _ if parts.len() < PARTS_MIN => bad(format!("An ARN must have at least {PARTS_MIN} elements, not {}", parts.len())),
        _ => bad(format!("{text} is not an ARN of Amazon SNS")),
    }
}
