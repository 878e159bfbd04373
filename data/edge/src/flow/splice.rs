//! Flows without a copy, as long as much comes at once.

use std::io::ErrorKind;

use tokio::net::TcpStream;

use super::carry::{Broken, Way};
use crate::worker::pipe::Pipe;

/// Less than this at once is better copied.
const MUCH_BYTES: usize = 16 * 1024;

/// Why moving has stopped.
pub enum Moved {
    /// The source has said all.
    All,
    /// So little comes, or there is so little to do it with, that copying is better.
    Little,
}

/// Moves bytes for as long as there are many.
pub async fn splice(way: &Way<'_>, from: &TcpStream, to: &TcpStream) -> Result<Moved, Broken> {
    let Ok(pipe) = Pipe::take() else { return Ok(Moved::Little) };
    loop {
        let bytes = match pipe.fill(from, usize::MAX) {
            Ok(0) => {
                pipe.give_back();
                return way.ended().map(|()| Moved::All);
            }
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                pipe.give_back();
                return Ok(Moved::Little);
            }
            Err(e) => return Err(way.source_failed(e)),
        };
        way.moved(bytes);
        pipe.drain(to, bytes, way.to_watch, way.idle_ms).await.map_err(|e| way.sink_failed(e))?;
        if bytes < MUCH_BYTES {
            pipe.give_back();
            return Ok(Moved::Little);
        }
    }
}
