//! The bounds of everything that a client can make grow or last.

use std::time::Duration;

/// Connections at a time; further ones wait in the listener's queue.
pub const CONNECTIONS_MAX: usize = 2_048;
/// The longest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 8 * 1024;
/// A connection without a new request is closed after this time. It is longer than the 60 s of an ALB's idle timeout,
/// so that the load balancer closes first and never sends into a closing connection ("HTTP 502" in the ELB User Guide).
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// A request that is not answered by then gets 503.
pub const REQUEST_MAX: Duration = Duration::from_secs(60);
/// After SIGTERM, how long requests in flight may take to end.
pub const STOP_MAX: Duration = Duration::from_secs(25);

/// Sessions kept in memory; the one not used for longest makes place for a new one.
pub const SESSIONS_MAX: usize = 4_096;
/// A session is forgotten when it was not used for this long.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(12 * 60 * 60);
pub const TASKS_MAX: usize = 50;
/// The longest title of a task, in bytes of UTF-8.
pub const TITLE_BYTES_MAX: usize = 200;

/// The most processor time that one request may burn, in ms.
pub const WORK_MS_MAX: u64 = 10_000;
/// Requests for work that may wait for a thread; more get 503.
pub const WORK_WAITING_MAX: usize = 256;

/// How often the metadata service is asked before the application goes on without it.
pub const METADATA_ATTEMPTS_MAX: u32 = 5;
/// The longest that one attempt may take, from connecting to the last answer.
pub const METADATA_ATTEMPT_MAX: Duration = Duration::from_millis(600);
pub const METADATA_ANSWER_BYTES_MAX: u64 = 8 * 1024;
/// How long a request that shows the identity waits for it in the first moments.
pub const IDENTITY_WAIT_MAX: Duration = Duration::from_millis(300);
