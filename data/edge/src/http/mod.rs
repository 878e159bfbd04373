//! HTTP/1.1 as this edge understands it: strict parsing, body framing, the headers that a load balancer changes and
//! its own answers. Nothing here does IO or knows a target.

pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod classes;
pub(crate) mod desync;
pub(crate) mod fields;
pub(crate) mod forward;
pub(crate) mod head;
pub(crate) mod said;
pub(crate) mod scan;
pub(crate) mod text;

use std::fmt;

/// Why a message is not accepted. Nothing of such a message is ever forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// It breaks RFC 9112, or leaves open where it ends.
    Syntax(&'static str),
    /// A limit of this load balancer is passed.
    TooLarge(&'static str),
    /// A request line of more than 16 K.
    LineTooLong,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    Version,
    /// A transfer coding other than `chunked`.
    TransferCoding,
    /// `TRACE` and `CONNECT`, which an ALB does not serve.
    Method,
    /// `X-Forwarded-For` with more than 30 addresses.
    ForwardedFor,
}

impl HttpError {
    /// The status that an ALB answers a request of this kind with ("ELB User Guide, Troubleshoot your Application
    /// Load Balancers").
    pub fn status(self) -> u16 {
        match self {
            HttpError::Syntax(_) | HttpError::TooLarge(_) => 400,
            HttpError::Method => 405,
            HttpError::LineTooLong => 414,
            HttpError::ForwardedFor => 463,
            HttpError::TransferCoding => 501,
            HttpError::Version => 505,
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpError::Syntax(what) => write!(f, "malformed: {what}"),
            HttpError::TooLarge(what) => write!(f, "too large: {what}"),
            HttpError::LineTooLong => f.write_str("too large: the request line"),
            HttpError::Version => f.write_str("an HTTP version other than 1.0 and 1.1"),
            HttpError::TransferCoding => f.write_str("a transfer coding other than chunked"),
            HttpError::Method => f.write_str("a method that a load balancer does not serve"),
            HttpError::ForwardedFor => f.write_str("more than 30 addresses in X-Forwarded-For"),
        }
    }
}
