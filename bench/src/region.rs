use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::{Api, Connection, Process, Result, fail, ms, wait_for};

/// Longest time from the start of `allod serve` to its first answer.
const START_MAX: Duration = Duration::from_secs(30);
/// Between two looks at whether it answers: it must not disturb what it measures, nor miss it by much.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// A region of its own to measure, in a new data directory and on a free port. Gone without a trace when dropped.
pub struct Region {
    allod: PathBuf,
    data: PathBuf,
    address: SocketAddr,
    serve: Option<Child>,
    /// Further arguments of `serve`.
    arguments: Vec<String>,
}

impl Region {
    /// Nothing is started yet. The data directory is made in `parent`, which should be on a real disk.
    pub fn new(allod: &Path, parent: &Path) -> Result<Self> {
        let data = parent.join(format!("allod-bench-{}", std::process::id()));
        fs::create_dir_all(&data)?;
        // The port is free now; nobody else is given it in the moment before the region takes it.
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        Ok(Self { allod: allod.into(), data, address, serve: None, arguments: Vec::new() })
    }

    /// The same, whose `serve` is started with further arguments.
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|a| (*a).to_string()).collect();
        self
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Starts `allod serve` and gives the milliseconds until it answered for the first time.
    pub fn start(&mut self) -> Result<f64> {
        let log = File::options().create(true).append(true).open(self.data.join("serve-bench.log"))?;
        let mut command = Command::new(&self.allod);
        command
            .args(["serve", "--vcpu-cores", "0.1", "--listen", &self.address.to_string(), "--data"])
            .arg(&self.data)
            .args(&self.arguments);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let started = Instant::now();
        let mut child = command.spawn()?;
        let head = format!("GET /_allod/health HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        let answered = wait_for("the region answers", START_MAX, LOOK_EVERY, || {
            if let Some(status) = child.try_wait()? {
                return fail(format!("allod serve ended with {status}"));
            }
            let answer = Connection::open(self.address).and_then(|mut c| c.send(head.as_bytes()));
            Ok(answer.is_ok_and(|a| a.status == 200).then(|| started.elapsed()))
        });
        self.serve = Some(child);
        answered.map(ms)
    }

    /// Kills `allod serve` at once; what it runs goes on.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut serve) = self.serve.take() {
            serve.kill()?;
            serve.wait()?;
        }
        Ok(())
    }

    pub fn api(&self) -> Result<Api> {
        let read = |name: &str| -> Result<Json> { Ok(serde_json::from_slice(&fs::read(self.data.join(name))?)?) };
        let (endpoint, credentials) = (read("endpoint.json")?, read("credentials.json")?);
        let text = |json: &Json, field: &str| json[field].as_str().unwrap_or_default().to_string();
        Ok(Api {
            address: self.address,
            region: text(&endpoint, "region"),
            access_key_id: text(&credentials, "access_key_id"),
            secret_access_key: text(&credentials, "secret_access_key"),
        })
    }

    /// Runs `allod` for this region and gives what it printed.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        fail(format!("allod {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// `allod` for this region, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.allod);
        command.args(arguments).arg("--data").arg(&self.data).stdin(Stdio::null());
        command
    }

    /// Its processes `serve`, `host` or `edge`; there must be one.
    pub fn process(&self, name: &str) -> Result<Process> {
        match Process::of_region(name, &self.data)?[..] {
            [one] => Ok(one),
            ref all => fail(format!("{} processes `allod {name}` run, where one should", all.len())),
        }
    }

    /// The process that is an instance's PID 1, from the host's record of it.
    pub fn init_of(&self, instance: &str) -> Result<Process> {
        for entry in fs::read_dir(self.data.join("run/host/state"))?.flatten() {
            let Ok(record) = serde_json::from_slice::<Json>(&fs::read(entry.path())?) else { continue };
            let pid = record["boot"]["pid"].as_i64();
            if let (Some(pid), true) = (pid, record["slot"].to_string().contains(instance)) {
                return Process::new(i32::try_from(pid)?);
            }
        }
        fail(format!("the host has no record of a running {instance}"))
    }

    fn end(&mut self) -> Result<()> {
        let down = self.run(&["down", "--purge"]);
        self.kill()?;
        down.map(drop)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if let Err(e) = self.end() {
            eprintln!("the region is not gone: {e}\n  allod down --purge --data {}", self.data.display());
        } else if self.data.exists() {
            fs::remove_dir_all(&self.data).ok();
        }
    }
}
