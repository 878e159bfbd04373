//! Starting the processes of a region.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ::authority::Authority;
use courier::{Courier, CourierOptions, SmtpServer};
use server::{ExecutorProcess, ExecutorThread, Options, last_line};
use tracing_subscriber::EnvFilter;
use world::{ENDPOINT_NETWORKS_MAX, EndpointNetworks, Executor, RunPaths};

use crate::arguments::Serve;
use crate::client::Client;
use crate::output::out;
use crate::{Failure, WRONG_USAGE};

/// How long a region in the background may take until it answers.
const START_MAX: Duration = Duration::from_secs(30);
/// A log that has grown beyond this is set aside (as NAME.log.old) when its process starts.
const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;

pub fn serve(paths: &RunPaths, arguments: &Serve) -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::new(NOT_ROOT));
    }
    let smtp = arguments.smtp.as_deref().map(SmtpServer::parse).transpose();
    let smtp = smtp.map_err(|e| Failure { message: format!("--smtp: {e}"), code: WRONG_USAGE })?;
    if arguments.endpoint_network.len() > ENDPOINT_NETWORKS_MAX {
        let message = format!("--endpoint-network: at most {ENDPOINT_NETWORKS_MAX} networks can be named");
        return Err(Failure { message, code: WRONG_USAGE });
    }
    if arguments.background {
        return serve_in_background(paths, arguments);
    }
    prepare(paths)?;
    log_to_stderr();
    let executor = |executor, socket, name: &'static str| {
        let paths = paths.clone();
        let log = paths.logs().join(format!("{name}.log"));
        ExecutorProcess { executor, socket, log, prepare: None, start: Box::new(move || start_detached(&paths, name)) }
    };
    let sockets_paths = paths.clone();
    let edge = ExecutorProcess {
        prepare: Some(Box::new(move || edge::keep_sockets(&sockets_paths))),
        ..executor(Executor::Edge, paths.edge_socket(), "edge")
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the argument is between 0.001 and 64")]
    let vcpu_millicores = (arguments.vcpu_cores * 1_000.0) as u32;
    let endpoint_networks = EndpointNetworks::new(arguments.endpoint_network.iter().copied());
    let courier = Courier::new(CourierOptions {
        paths: paths.clone(),
        endpoint_networks: endpoint_networks.clone(),
        smtp,
        sender: arguments.smtp_from.clone(),
    })?;
    let authority = Authority::new(paths.clone());
    let console_paths = paths.clone();
    let options = Options {
        paths: paths.clone(),
        listen: arguments.listen,
        region: arguments.region.clone(),
        vcpu_millicores,
        metric_period_s: arguments.metric_period,
        endpoint_networks,
        executors: vec![executor(Executor::Host, paths.host_socket(), "host"), edge],
        threads: vec![
            ExecutorThread { executor: Executor::Courier, start: Box::new(move |stream| courier.start(stream)) },
            ExecutorThread { executor: Executor::Authority, start: Box::new(move |stream| authority.start(stream)) },
        ],
        console_output: Box::new(move |id| host::console_output(&console_paths, id)),
    };
    server::run(options).map_err(|e| Failure::new(e.to_string()))
}

const NOT_ROOT: &str = "instances need root: without it this machine lets nobody make network namespaces with addresses, \
     overlay file systems and cgroup limits the way they are made here. `allod serve` works as root (sudo allod serve); the \
     commands that only talk to a running region (up, status, env, logs) work for anyone who may read its data directory";

/// The body of the process `allod host`.
pub fn host(paths: &RunPaths) -> Result<(), Failure> {
    log_to_stderr();
    host::run(host::HostOptions { paths: paths.clone() }).map_err(|e| Failure::new(e.to_string()))
}

/// The body of the process `allod edge`.
pub fn edge(paths: &RunPaths) -> Result<(), Failure> {
    log_to_stderr();
    edge::run(edge::EdgeOptions::new(paths.data())).map_err(|e| Failure::new(e.to_string()))
}

fn prepare(paths: &RunPaths) -> Result<(), Failure> {
    for directory in [paths.data().to_path_buf(), paths.logs(), paths.images(), paths.instances(), paths.run()] {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(&directory)
            .map_err(|e| Failure::new(format!("{}: {e}", directory.display())))?;
    }
    Ok(())
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("ALLOD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(io::stderr).init();
}

/// Starts another process of the region, which lives on when we die.
pub fn start_detached(paths: &RunPaths, name: &str) -> io::Result<Child> {
    let mut command = Command::new(server::binary()?);
    command.arg(name).arg("--data").arg(paths.data());
    detach(&mut command, &paths.logs(), name)?;
    command.spawn()
}

fn detach(command: &mut Command, logs: &Path, name: &str) -> io::Result<()> {
    let log = open_log(logs, name)?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0).current_dir("/");
    Ok(())
}

fn open_log(logs: &Path, name: &str) -> io::Result<File> {
    let path = logs.join(format!("{name}.log"));
    if fs::metadata(&path).is_ok_and(|m| m.len() > LOG_BYTES_MAX) {
        fs::rename(&path, path.with_extension("log.old"))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn serve_in_background(paths: &RunPaths, arguments: &Serve) -> Result<(), Failure> {
    if let Ok(client) = Client::connect(paths) {
        out!("The region runs already at {}", client.endpoint.url);
        return Ok(());
    }
    prepare(paths)?;
    let mut command = Command::new(server::binary()?);
    command.arg("serve").arg("--data").arg(paths.data()).arg("--listen").arg(arguments.listen.to_string());
    command.arg("--vcpu-cores").arg(arguments.vcpu_cores.to_string());
    command.arg("--metric-period").arg(arguments.metric_period.to_string());
    if let Some(smtp) = &arguments.smtp {
        // Others may read a process's arguments, but not its environment.
        command.env("ALLOD_SMTP", smtp);
    }
    if let Some(sender) = &arguments.smtp_from {
        command.arg("--smtp-from").arg(sender.to_string());
    }
    for network in &arguments.endpoint_network {
        command.arg("--endpoint-network").arg(network.to_string());
    }
    if let Some(region) = &arguments.region {
        command.arg("--region").arg(region);
    }
    detach(&mut command, &paths.logs(), "serve")?;
    let mut child = command.spawn()?;
    let deadline = Instant::now() + START_MAX;
    loop {
        if let Ok(client) = Client::connect(paths) {
            out!("The region {} answers at {}", client.endpoint.region, client.endpoint.url);
            return Ok(());
        }
        if let Some(status) = child.try_wait()? {
            let why = last_line(&paths.logs().join("serve.log"));
            return Err(Failure::new(format!("the region ended ({status}): {why}")));
        }
        if Instant::now() >= deadline {
            return Err(Failure::new("the region does not answer: `allod logs serve` tells why"));
        }
        thread::sleep(Duration::from_millis(5));
    }
}
