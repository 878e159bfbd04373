//! The connection to `serve`: frames in, frames out. The newest connection is the one that counts. What frames mean
//! is decided by its owner. And the sockets by which the edge is found.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, spawn_local};
use world::{Frame, FrameReader, RunPaths};

use super::targets::TARGETS_MAX;
use crate::EdgeError;
use crate::files;
use crate::handover::{self, give, give::HeirEvent};

/// Frames that may wait for `serve`: the health of all targets and their anomalies, which it is told when it connects, and as
/// many more. When it reads no faster it is cut off, and told everything when it comes back.
pub const FRAMES_MAX: usize = 4 * TARGETS_MAX;

/// What happens on the socket.
#[derive(Debug)]
pub enum LinkEvent {
    Connected(Link),
    Frame(u64, Frame),
}

/// A way to send frames; the number tells connections apart.
#[derive(Clone, Debug)]
pub struct Link {
    pub number: u64,
    frames: mpsc::Sender<Frame>,
}

impl Link {
    /// Sends without waiting; false when the other side is gone or does not read.
    pub fn send(&self, frame: Frame) -> bool {
        self.frames.try_send(frame).is_ok()
    }

    /// Whether the other side is known to be gone.
    pub fn is_closed(&self) -> bool {
        self.frames.is_closed()
    }
}

/// Listens for `serve`, readable by our user alone. The socket appears ready under its name, in place of an old one.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let fresh = path.with_extension("sock.new");
    files::remove(&fresh)?;
    let listener = UnixListener::bind(&fresh)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))?;
    fs::rename(&fresh, path)?;
    Ok(listener)
}

/// Where `serve`, and an edge that wants to take over, find this one; closed when it is dropped.
#[derive(Debug)]
pub struct Entrances([AbortHandle; 2]);

impl Entrances {
    pub fn open(paths: &RunPaths, links: &mpsc::Sender<LinkEvent>, heirs: &mpsc::Sender<HeirEvent>) -> Result<Self, EdgeError> {
        let open = |path: PathBuf| listen(&path).map_err(EdgeError::io(format!("{}", path.display())));
        let for_heirs = spawn_local(give::accept(open(handover::socket(paths))?, heirs.clone()));
        let for_serve = spawn_local(accept(open(paths.edge_socket())?, links.clone()));
        Ok(Self([for_serve.abort_handle(), for_heirs.abort_handle()]))
    }
}

impl Drop for Entrances {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

/// Takes in connections for ever.
async fn accept(listener: UnixListener, events: mpsc::Sender<LinkEvent>) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                spawn_local(converse(number, stream, events.clone()));
            }
            Err(e) => {
                tracing::warn!("cannot accept a connection of serve: {e}");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

async fn converse(number: u64, stream: UnixStream, events: mpsc::Sender<LinkEvent>) {
    let (mut read, mut write) = stream.into_split();
    let (frames, mut outbox) = mpsc::channel::<Frame>(FRAMES_MAX);
    let speaking = async move {
        while let Some(frame) = outbox.recv().await {
            write.write_all(&frame.encode().map_err(io::Error::other)?).await?;
        }
        Err::<(), io::Error>(io::Error::other("a newer connection took over"))
    };
    let listening = async {
        let closed = || io::Error::other("the edge ends");
        events.send(LinkEvent::Connected(Link { number, frames })).await.map_err(|_| closed())?;
        let mut reader = FrameReader::default();
        let mut bytes = vec![0; 64 * 1024];
        loop {
            let count = read.read(&mut bytes).await?;
            if count == 0 {
                return Err::<(), io::Error>(io::ErrorKind::UnexpectedEof.into());
            }
            reader.push(&bytes[..count]);
            while let Some(frame) = reader.next_frame().map_err(io::Error::other)? {
                events.send(LinkEvent::Frame(number, frame)).await.map_err(|_| closed())?;
            }
        }
    };
    let ended = tokio::select! { ended = speaking => ended, ended = listening => ended };
    if let Err(e) = ended {
        tracing::info!("the connection of serve ended: {e}");
    }
}
