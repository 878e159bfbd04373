//! Refusals in the words of CloudWatch's metric operations.

use base::Fault;

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::client("InvalidParameterValue", message)
}

pub(super) fn missing(message: impl Into<String>) -> Fault {
    Fault::client("MissingParameter", message)
}

pub(super) fn combination(message: impl Into<String>) -> Fault {
    Fault::client("InvalidParameterCombination", message)
}

/// A token that this region did not give.
pub(super) fn bad_token() -> Fault {
    Fault::client("InvalidNextToken", "The next token specified is invalid.")
}
