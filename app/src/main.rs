//! The reference application of Allod's web tier: pages and a JSON API that show which instance answered, count views
//! and keep a list of tasks for each session, and work that burns processor time so that scaling has something to
//! measure.
//!
//! It owns no state but what a [`session::SessionStore`] holds, and knows nothing of load balancers or groups: it
//! learns who it is from the instance metadata service, as any application on EC2 does.

mod api;
mod identity;
mod limits;
mod metadata;
mod options;
mod pages;
mod routes;
mod serve;
mod session;
mod work;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use options::{Command, Options};

/// Wrong usage, as shells have it.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let options = match options::read(std::env::args().skip(1), |name| std::env::var(name).ok()) {
        Ok(Command::Serve(options)) => options,
        Ok(Command::Print(text)) => {
            let written = std::io::stdout().write_all(text.as_bytes());
            return if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        Err(e) => {
            log(&format!("{e}\nTry 'web-tier --help'."));
            return ExitCode::from(WRONG_USAGE);
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            log(&e);
            ExitCode::FAILURE
        }
    }
}

/// Listens first and learns the identity meanwhile, so that health checks find an answer at once.
fn run(options: Options) -> Result<(), String> {
    let address = SocketAddr::new(options.address, options.port);
    serve::raise_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(work::threads_max())
        .build()
        .map_err(|e| format!("the runtime does not start: {e}"))?;
    runtime.block_on(async {
        let stop = serve::stop_signal().map_err(|e| format!("signals cannot be received: {e}"))?;
        let listener = serve::listen(address).map_err(|e| format!("cannot listen on {address}: {e}"))?;
        let bound = listener.local_addr().map_err(|e| format!("cannot listen on {address}: {e}"))?;
        log(&format!("version {} listens on {bound}", env!("CARGO_PKG_VERSION")));
        let identity = identity::learn(options.identity);
        let state = Arc::new(routes::Application {
            identity,
            sessions: Box::new(session::MemoryStore::default()),
            work: work::Work::default(),
        });
        serve::until(listener, routes::router(state), stop).await;
        log("stopped");
        Ok(())
    })
}

/// A line on the console. Nobody is served better by an application that ends because its log is gone.
fn log(line: &str) {
    writeln!(std::io::stderr(), "web-tier: {line}").ok();
}
