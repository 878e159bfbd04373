//! Large requests: to read one takes so long that others would notice. They come one after the other, each as a whole; and
//! after the region has refused one with `Throttling`, further ones of that operation are refused for a moment without being
//! read. So a flood of them keeps one core busy at most, and the control thread with one of them at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::{Fault, Value};
use bytes::Bytes;
use http::header;
use http::request::Parts;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::Route;

/// Bodies from this size on are large: some tenths of a millisecond to read.
const BYTES_MIN: usize = 32 * 1024;
/// How long nothing more is read of an operation that was throttled.
const REFUSED: Duration = Duration::from_millis(100);

/// The right to read and run a large request; the next one has it when this is dropped.
pub(crate) struct Turn {
    /// None once the region ends.
    _permit: Option<OwnedSemaphorePermit>,
}

pub(crate) struct Large {
    turns: Arc<Semaphore>,
    /// Until when operations are refused, by service and name: never more than there are.
    refused: Mutex<BTreeMap<(String, String), Instant>>,
}

impl Default for Large {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(1)), refused: Mutex::default() }
    }
}

/// Whether a request takes long to read; what is compressed may.
pub(crate) fn is_large(parts: &Parts, body: &Bytes) -> bool {
    body.len() >= BYTES_MIN || parts.headers.contains_key(header::CONTENT_ENCODING)
}

impl Large {
    /// Waits, in the order of arrival.
    pub(crate) async fn turn(&self) -> Turn {
        Turn { _permit: self.turns.clone().acquire_owned().await.ok() }
    }

    /// Whether the operation was throttled a moment ago.
    pub(crate) fn is_refused(&self, route: &Route) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(&key(route)).is_some_and(|until| Instant::now() < *until)
    }

    /// Notes how a large request ended.
    pub(crate) fn note(&self, route: &Route, outcome: &Result<Value, Fault>) {
        if outcome.as_ref().is_err_and(|fault| fault.code == "Throttling") {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.insert(key(route), Instant::now() + REFUSED);
        }
    }
}

fn key(route: &Route) -> (String, String) {
    (route.service.name.clone(), route.operation.name.clone())
}
