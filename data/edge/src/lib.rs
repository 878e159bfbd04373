//! The traffic plane: the body of the process `allod edge`. It is the executor of load balancers: it takes whole,
//! versioned configurations from `serve` over a Unix socket, listens for users, forwards to targets, checks their
//! health and reports it. It lives through restarts of `serve` and comes back by itself with its last configuration.
//!
//! It never decides which targets there are, knows no service and no rows, and sends no user data to the control plane.
//!
//! ```text
//!  serve <-- Unix socket --> control thread: configuration, health checks, listening sockets, files under run/
//!                                 | snapshots (Arc)            ^ atomics: health, requests under way
//!                                 v                            |
//!  users --> worker threads, one a core: listeners (SO_REUSEPORT), HTTP, flows, connections to targets
//! ```

mod clock;
mod connector;
mod control;
mod descriptors;
mod files;
mod flow;
mod front;
mod h2;
mod handover;
mod http;
mod log;
mod metrics;
mod proxy;
mod route;
mod snapshot;
mod stream;
mod target;
mod tls;
mod worker;

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

pub use connector::Sockets;
pub use control::run;
pub use front::{FrontListener, FrontReport};
pub use handover::keeper::keep_sockets;

/// How the edge is run.
#[derive(Clone, Debug)]
pub struct EdgeOptions {
    /// The region's data directory.
    pub data: PathBuf,
    /// Worker threads; zero means one per core.
    pub workers: usize,
    pub sockets: Sockets,
    /// The loopback address that all load balancers share.
    pub front_door: Ipv4Addr,
    /// Added to a listener's port that cannot be had (taken, or not permitted); tried three times over.
    pub fallback_offset: u16,
    /// How long requests under way may take at the end.
    pub stop_grace: Duration,
    /// Log files are written at every multiple of it.
    pub log_period: Duration,
}

impl EdgeOptions {
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            workers: 0,
            sockets: Sockets::Namespace,
            front_door: Ipv4Addr::LOCALHOST,
            fallback_offset: 8_000,
            stop_grace: Duration::from_secs(10),
            log_period: Duration::from_secs(300),
        }
    }
}

/// Why the edge cannot run.
#[derive(Debug)]
pub enum EdgeError {
    /// Another edge serves this data directory.
    AlreadyRunning(PathBuf),
    Io {
        what: String,
        source: io::Error,
    },
}

impl EdgeError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| EdgeError::Io { what, source }
    }
}

impl fmt::Display for EdgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EdgeError::AlreadyRunning(lock) => write!(f, "another edge holds {}", lock.display()),
            EdgeError::Io { what, source } => write!(f, "{what}: {source}"),
        }
    }
}

impl std::error::Error for EdgeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            EdgeError::AlreadyRunning(_) => None,
            EdgeError::Io { source, .. } => Some(source),
        }
    }
}

/// Parsers and rules as tests and measurements call them.
#[doc(hidden)]
pub mod testing {
    use std::net::IpAddr;

    use crate::http::body::Decoder;
    use crate::http::fields::Headers;
    use crate::http::head::{Framing, parse_answer, parse_request, whole_head};
    use crate::http::scan::HeadScan;
    use crate::route::Rules;
    use crate::route::condition::Subject;

    /// What keeps a request's head from being compliant, by the name that access logs have for it; or why it is refused in
    /// every desync mode.
    pub fn classify(head: &[u8]) -> Result<Option<String>, String> {
        let span = HeadScan::default().advance(head).map_err(|e| e.to_string())?.ok_or("a head that does not end")?;
        let mut headers = Headers::new();
        let request = whole_head(parse_request(&head[span.begin..span.end], &mut headers)).map_err(|e| e.to_string())?;
        Ok(request.flaw.map(|flaw| format!("{:?} {flaw:?}", flaw.class())))
    }

    /// Reads a request or an answer and its body as the edge does; the data of the body, or why it is refused.
    pub fn read_message(bytes: &[u8], is_request: bool) -> Result<Option<Vec<u8>>, String> {
        let Some(span) = HeadScan::default().advance(bytes).map_err(|e| e.to_string())? else { return Ok(None) };
        let mut headers = Headers::new();
        let head = &bytes[span.begin..span.end];
        let framing: Framing = if is_request {
            whole_head(parse_request(head, &mut headers)).map_err(|e| e.to_string())?.framing
        } else {
            whole_head(parse_answer(head, &mut headers, false)).map_err(|e| e.to_string())?.framing
        };
        let mut rest = bytes[span.end..].to_vec();
        let decoded = Decoder::new(framing).decode(&mut rest).map_err(|e| e.to_string())?;
        Ok(Some(rest[decoded.data].to_vec()))
    }

    /// Compiled rules of a listener.
    pub struct Chooser(Rules);

    impl Chooser {
        pub fn new(listener: &world::Listener) -> Result<Self, String> {
            Rules::compile(listener).map(Self)
        }

        /// Reads the head of a request and calls `with` with a function that finds the number of the rule which it meets.
        pub fn with_request(
            &self,
            head: &[u8],
            client: IpAddr,
            with: impl FnOnce(&dyn Fn() -> Option<usize>),
        ) -> Result<(), String> {
            let mut headers = Headers::new();
            let request = whole_head(parse_request(head, &mut headers)).map_err(|e| e.to_string())?;
            with(&|| self.0.first(&Subject::of(&request, client)));
            Ok(())
        }
    }
}
