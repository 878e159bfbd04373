use std::borrow::Cow;
use std::fmt;

/// An error as an AWS caller sees it: a code, an HTTP status and a sentence.
///
/// Services make one from their typed errors; only `wire` chooses the envelope. Internal detail never goes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// AWS's error code on the wire, such as `InvalidSubnetID.NotFound`.
    pub code: Cow<'static, str>,
    /// HTTP status, 400 to 599.
    pub http: u16,
    /// What went wrong, in AWS's words where they are known.
    pub message: String,
}

impl Fault {
    /// A mistake of the caller, status 400.
    pub fn client(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// A failure of ours, status 500. The message must not hold internal detail.
    pub fn internal() -> Self {
        Self::new(500, "InternalFailure", "The request processing has failed because of an unknown error, exception or failure.")
    }

    pub fn new(http: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), http, message: message.into() }
    }

    /// `ValidationError`, the query services' code for a bad parameter.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::client("ValidationError", message)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Fault {}
