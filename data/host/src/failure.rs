//! How the host's inner parts fail: with one sentence that a user can read. It reaches `serve` as the reason of a
//! refusal or of an instance that could not start.

use std::fmt;
use std::io;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure(String);

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Says what was under way when a system call failed.
pub(crate) trait During<T> {
    fn during(self, what: impl fmt::Display) -> Result<T>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|e| {
            let mut text = format!("{what}: {e}");
            // Some errors tell the cause only when asked for it.
            let mut cause = std::error::Error::source(&e);
            while let Some(error) = cause {
                text.push_str(&format!(": {error}"));
                cause = error.source();
            }
            Failure(text)
        })
    }
}
