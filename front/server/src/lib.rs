//! The one HTTP endpoint of a region: it authenticates requests, routes them to the region's operations, and keeps
//! the control thread and the connections to the executors. It knows no rules of any service.

mod api;
mod charts;
mod console;
mod control;
mod endpoint;
mod executors;
mod exposition;
mod front;
mod http;
mod identity;
mod large;
mod links;
mod local;
mod lock;
mod objects;
mod status;

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::InstanceId;
use kernel::{JournalError, Kernel, Randomness, RedbJournal, Settings};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use world::{EndpointNetworks, RunPaths};

pub use control::wall_clock;
pub use endpoint::{Endpoint, read_endpoint};
pub use executors::{ExecutorProcess, ExecutorThread, last_line};
pub use identity::{Credentials, read_credentials};
pub use lock::is_running;

/// How a region is run.
pub struct Options {
    pub paths: RunPaths,
    /// Where the API and the console listen.
    pub listen: SocketAddr,
    /// The region's name; none keeps the one it has.
    pub region: Option<String>,
    /// What one vCPU means here, in thousandths of a core.
    pub vcpu_millicores: u32,
    /// Period of the region's own metrics in seconds; it divides a minute.
    pub metric_period_s: u32,
    /// Where subscribers' endpoints may be beside the Internet and this machine's loopback.
    pub endpoint_networks: EndpointNetworks,
    pub executors: Vec<ExecutorProcess>,
    pub threads: Vec<ExecutorThread>,
    /// Reads what an instance wrote to its console.
    pub console_output: ConsoleOutput,
}

/// Reads an instance's console; the bytes lie with the host, not in the region's state.
pub type ConsoleOutput = Box<dyn Fn(&InstanceId) -> io::Result<Vec<u8>> + Send + Sync>;

/// Why a region does not start.
#[derive(Debug)]
pub enum StartError {
    /// Another region runs in this data directory.
    Taken(PathBuf),
    Listen(SocketAddr, io::Error),
    Journal(JournalError),
    Io(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Taken(data) => {
                write!(f, "a region runs in {} already: `allod status` shows it, another needs another --data", data.display())
            }
            StartError::Listen(address, e) => write!(f, "cannot listen on {address}: {e}; choose another with --listen"),
            StartError::Journal(e) => write!(f, "{e}"),
            StartError::Io(e) => write!(f, "{e}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(e: io::Error) -> Self {
        StartError::Io(e)
    }
}

/// Runs a region until it is told to stop (SIGTERM, SIGINT, or the shutdown request of `allod down`). The
/// executors and what they run live on, so that a restart disturbs no one; only the shutdown request ends them.
pub fn run(options: Options) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(options));
    runtime.shutdown_background();
    outcome
}

/// The binary that this region's processes are started from: the one at the place where this process's own was, also when it was
/// replaced meanwhile.
pub fn binary() -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    // The kernel's words for a file that has lost its name.
    let name = own.as_os_str().as_bytes().strip_suffix(b" (deleted)");
    Ok(name.map_or(own.clone(), |name| PathBuf::from(OsStr::from_bytes(name))))
}

/// Where this machine's own clients reach a listener.
fn reached_at(address: SocketAddr) -> SocketAddr {
    let loopback: IpAddr = if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    SocketAddr::new(if address.ip().is_unspecified() { loopback } else { address.ip() }, address.port())
}

async fn serve(options: Options) -> Result<(), StartError> {
    let paths = &options.paths;
    let _lock = lock::take(paths)?;
    let listener = TcpListener::bind(options.listen).await.map_err(|e| StartError::Listen(options.listen, e))?;
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "the API can be reached from other machines; requests are signed, but not encrypted");
    }
    let scope = identity::scope(paths, options.region.as_deref())?;
    let credentials = identity::credentials(paths)?;
    let endpoint =
        Endpoint { url: format!("http://{}", reached_at(address)), region: scope.region.clone(), pid: std::process::id() };
    let settings = Settings {
        vcpu_millicores: options.vcpu_millicores,
        endpoint: endpoint.url.clone(),
        metric_period_s: options.metric_period_s,
        first_front: identity::first_front(paths),
        endpoint_networks: options.endpoint_networks,
        ..Settings::default()
    };
    let metric_period_s = settings.metric_period_s;
    let journal = RedbJournal::open(&paths.journal()).map_err(StartError::Journal)?;
    let randomness = Randomness::with_secrets(identity::random_seed()?, Arc::new(identity::SystemSecrets));
    let mut kernel =
        Kernel::open(region::services, Box::new(journal), scope.clone(), settings, randomness).map_err(StartError::Journal)?;
    kernel.use_objects(Arc::new(objects::Directory::new(paths.buckets())));
    *kernel.store_mut() = region::metrics::Store::open(Box::new(region::metrics::FileKeep::open(&paths.metrics())?))?;
    let registry = kernel.registry().clone();
    let (control, thread) = control::Control::start(kernel, Duration::from_secs(metric_period_s.into()))?;
    let stop = Arc::new(Notify::new());
    let failing = executors::Failing::default();
    let region = Arc::new(http::Region {
        control: control.clone(),
        registry,
        scope,
        console_token: console::token(&credentials),
        credentials,
        endpoint: endpoint.clone(),
        paths: paths.clone(),
        console_output: options.console_output,
        metric_period_s,
        stop: stop.clone(),
        failing: failing.clone(),
        large: large::Large::default(),
    });
    for thread in options.threads {
        tokio::spawn(executors::keep_thread(thread, control.clone()));
    }
    for process in options.executors {
        tokio::spawn(executors::keep(process, control.clone(), failing.clone()));
    }
    endpoint::write(paths, &endpoint)?;
    tracing::info!(endpoint = endpoint.url, region = endpoint.region, "the region answers");
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        () = http::accept(listener, region) => {}
        _ = terminate.recv() => tracing::info!("asked to end by a signal; what runs goes on"),
        _ = interrupt.recv() => tracing::info!("asked to end by a signal; what runs goes on"),
        () = stop.notified() => tracing::info!("the region was shut down"),
    }
    endpoint::remove(paths);
    control.stop();
    let _ = thread.join();
    Ok(())
}
