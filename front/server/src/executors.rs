//! The connections to the executors: starts a process that is not there (host and edge), or a thread of this one (courier),
//! speaks `world::Frame` with it, and starts it again when it dies. It knows nothing of what they do.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use world::{Executor, Frame, FrameReader};

use crate::control::{Control, FRAMES_MAX};

/// An executor process: where it listens and how it is started.
pub struct ExecutorProcess {
    pub executor: Executor,
    pub socket: PathBuf,
    /// Where it writes why it ends.
    pub log: PathBuf,
    /// What must be there before it is; done once, when the data directory is ours.
    pub prepare: Option<Box<dyn Fn() -> io::Result<()> + Send + Sync>>,
    /// Starts the process, detached from ours.
    pub start: Box<dyn Fn() -> io::Result<Child> + Send + Sync>,
}

/// An executor in threads of this process: it holds no state that must outlive us.
pub struct ExecutorThread {
    pub executor: Executor,
    /// Starts to serve a connection; returns at once.
    pub start: Box<dyn Fn(std::os::unix::net::UnixStream) -> io::Result<()> + Send + Sync>,
}

/// How often a process that was started is looked for.
const CONNECT_EVERY: Duration = Duration::from_millis(10);
/// How long a started process may take until it listens.
const START_MAX: Duration = Duration::from_secs(10);
/// The first and the longest pause between two starts of a process that keeps dying.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A process that lived this long starts again without a pause.
const HEALTHY: Duration = Duration::from_secs(10);
/// How often it is looked whether a process that another one has replaced is gone.
const REAP_EVERY: Duration = Duration::from_secs(1);

/// How much of the end of a log is looked at for its last line.
const LINE_MAX: u64 = 4 * 1024;

/// The processes that do not start, and why: until they do, what they look after stays as it is.
#[derive(Clone, Default)]
pub(crate) struct Failing(Arc<Mutex<BTreeMap<Executor, String>>>);

impl Failing {
    fn say(&self, executor: Executor, outcome: Result<(), &io::Error>) {
        let mut failing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(()) => failing.remove(&executor),
            Err(e) => failing.insert(executor, e.to_string()),
        };
    }

    pub(crate) fn all(&self) -> BTreeMap<Executor, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The last line of a process's log, which tells why it ended.
pub fn last_line(log: &Path) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let from = file.metadata()?.len().saturating_sub(LINE_MAX);
        file.seek(SeekFrom::Start(from))?;
        let mut end = Vec::new();
        file.take(LINE_MAX).read_to_end(&mut end)?;
        Ok(end)
    };
    let end = read().unwrap_or_default();
    let line = String::from_utf8_lossy(&end).lines().next_back().unwrap_or("its log is empty").to_string();
    line.trim_start_matches("allod: ").to_string()
}

/// The processes of one executor that were started here.
#[derive(Default)]
struct Children {
    current: Option<Child>,
    /// Replaced by others, and not at their end yet.
    retired: Vec<Child>,
}

impl Children {
    /// This process answers now. Where it is another one than was started here, that one has been replaced.
    fn answers(&mut self, pid: Option<i32>) {
        let is_current = |child: &mut Child| i32::try_from(child.id()).ok() == pid;
        self.retired.extend(self.current.take_if(|child| pid.is_some() && !is_current(child)));
    }

    /// Collects those that have ended.
    fn reap(&mut self) {
        self.current.take_if(has_ended);
        self.retired.retain_mut(|child| !has_ended(child));
    }

    /// Collects those that end meanwhile, for ever.
    async fn keep_reaping(&mut self) {
        while !self.retired.is_empty() {
            tokio::time::sleep(REAP_EVERY).await;
            self.reap();
        }
        std::future::pending().await
    }
}

fn has_ended(child: &mut Child) -> bool {
    let Ok(Some(status)) = child.try_wait() else { return false };
    tracing::warn!(pid = child.id(), %status, "an executor ended");
    true
}

/// Keeps one executor running and connected, for ever.
pub(crate) async fn keep(process: ExecutorProcess, control: Control, failing: Failing) {
    if let Some(Err(e)) = process.prepare.as_ref().map(|prepare| prepare()) {
        tracing::warn!(executor = ?process.executor, %e, "it is started without what should be there before it");
    }
    let mut children = Children::default();
    let mut pause = PAUSE_MIN;
    loop {
        let begun = Instant::now();
        let connected = connect(&process, &mut children).await;
        failing.say(process.executor, connected.as_ref().map(|_| ()));
        match connected {
            Ok(stream) => {
                children.answers(stream.peer_cred().ok().and_then(|peer| peer.pid()));
                let conversing = converse(process.executor, &control, stream);
                let ended = tokio::select! { ended = conversing => ended, () = children.keep_reaping() => Ok(()) };
                if let Err(e) = ended {
                    tracing::warn!(executor = ?process.executor, %e, "the connection to the executor ended");
                }
            }
            Err(e) => tracing::error!(executor = ?process.executor, %e, "the executor does not start"),
        }
        children.reap();
        if begun.elapsed() >= HEALTHY {
            pause = PAUSE_MIN;
            continue;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Keeps an executor of this process connected, for ever.
pub(crate) async fn keep_thread(thread: ExecutorThread, control: Control) {
    let mut pause = PAUSE_MIN;
    loop {
        let begun = Instant::now();
        let ended = match connect_thread(&thread) {
            Ok(stream) => converse(thread.executor, &control, stream).await,
            Err(e) => Err(e),
        };
        if let Err(e) = ended {
            tracing::warn!(executor = ?thread.executor, %e, "the connection to the executor ended");
        }
        if begun.elapsed() >= HEALTHY {
            pause = PAUSE_MIN;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn connect_thread(thread: &ExecutorThread) -> io::Result<UnixStream> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    (thread.start)(theirs)?;
    UnixStream::from_std(ours)
}

/// Connects to a process that runs, or starts it first.
async fn connect(process: &ExecutorProcess, children: &mut Children) -> io::Result<UnixStream> {
    if let Ok(stream) = UnixStream::connect(&process.socket).await {
        return Ok(stream);
    }
    children.reap();
    if children.current.is_none() {
        tracing::info!(executor = ?process.executor, "starting the executor");
        children.current = Some((process.start)()?);
    }
    let deadline = Instant::now() + START_MAX;
    loop {
        match UnixStream::connect(&process.socket).await {
            Ok(stream) => return Ok(stream),
            Err(e) if Instant::now() >= deadline => return Err(e),
            Err(_) => tokio::time::sleep(CONNECT_EVERY).await,
        }
        children.reap();
        if children.current.is_none() {
            return Err(io::Error::other(last_line(&process.log)));
        }
    }
}

async fn converse(executor: Executor, control: &Control, stream: UnixStream) -> io::Result<()> {
    let (read, write) = stream.into_split();
    let (frames, outbox) = mpsc::channel(FRAMES_MAX);
    tokio::select! {
        ended = listen(executor, control, read, frames) => ended,
        ended = speak(write, outbox) => ended,
    }
}

async fn listen(
    executor: Executor,
    control: &Control,
    mut read: OwnedReadHalf,
    frames: mpsc::Sender<Vec<Frame>>,
) -> io::Result<()> {
    let mut reader = FrameReader::default();
    let mut buffer = vec![0; 16 * 1024];
    let mut frames = Some(frames);
    loop {
        let n = read.read(&mut buffer).await?;
        if n == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection"));
        }
        reader.push(&buffer[..n]);
        while let Some(frame) = reader.next_frame().map_err(io::Error::other)? {
            let taken = match frame {
                Frame::Hello { version, applied } => {
                    tracing::info!(?executor, version, slots = applied.len(), "the executor is there");
                    if version != env!("CARGO_PKG_VERSION") {
                        tracing::warn!(?executor, version, "it is of another version than this process");
                    }
                    match frames.take() {
                        Some(frames) => control.connected(executor, applied, frames).await,
                        None => return Err(io::Error::other("it said hello twice")),
                    }
                }
                Frame::Observation(observation) => control.observed(observation).await,
                other => return Err(io::Error::other(format!("it sent a frame that only we send: {other:?}"))),
            };
            taken.map_err(io::Error::other)?;
        }
    }
}

async fn speak(mut write: OwnedWriteHalf, mut outbox: mpsc::Receiver<Vec<Frame>>) -> io::Result<()> {
    while let Some(frames) = outbox.recv().await {
        for frame in frames {
            write.write_all(&frame.encode().map_err(io::Error::other)?).await?;
        }
    }
    // The control thread has dropped its end, or never got it: listen until the executor is connected anew.
    Err(io::Error::other("it was cut off"))
}
