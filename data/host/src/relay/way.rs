//! One direction of a relayed connection. It reads only what it could pass on: a slow reader slows the writer down, and
//! at most one chunk is held.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

/// Most bytes held of a direction.
const CHUNK_BYTES: usize = 16 * 1024;
/// Chunks passed on in one turn of the loop: others wait too.
const CHUNKS_MAX: usize = 4;

/// Which end failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    Source,
    Sink,
}

impl Broken {
    pub fn error(self) -> io::Error {
        io::ErrorKind::ConnectionReset.into()
    }
}

#[derive(Default)]
pub(super) struct Way {
    /// Read and not yet written.
    pending: Vec<u8>,
    /// The source has said that it sends no more.
    ended: bool,
    /// The sink has been told.
    told: bool,
}

impl Way {
    /// Passes on what can be without waiting; tells whether anything moved.
    pub fn pump(&mut self, mut source: &TcpStream, mut sink: &TcpStream) -> Result<bool, Broken> {
        let mut moved = false;
        let mut chunk = [0; CHUNK_BYTES];
        for _ in 0..CHUNKS_MAX {
            if !self.pending.is_empty() {
                let Some(written) = now(sink.write(&self.pending)).map_err(|_| Broken::Sink)? else {
                    return Ok(moved);
                };
                moved = true;
                self.pending.drain(..written);
                if !self.pending.is_empty() {
                    return Ok(moved);
                }
                // Nothing is kept for a connection that is quiet.
                self.pending = Vec::new();
            }
            if self.ended {
                if !self.told {
                    sink.shutdown(Shutdown::Write).map_err(|_| Broken::Sink)?;
                    self.told = true;
                }
                return Ok(moved);
            }
            let Some(length) = now(source.read(&mut chunk)).map_err(|_| Broken::Source)? else {
                return Ok(moved);
            };
            moved = true;
            self.ended = length == 0;
            self.pending.extend_from_slice(&chunk[..length]);
        }
        Ok(moved)
    }

    /// Gives the direction up: its sink takes no more.
    pub fn give_up(&mut self) {
        *self = Self { pending: Vec::new(), ended: true, told: true };
    }

    pub fn is_over(&self) -> bool {
        self.told
    }

    pub fn wants_source(&self) -> bool {
        self.pending.is_empty() && !self.ended
    }

    pub fn wants_sink(&self) -> bool {
        !self.pending.is_empty() || (self.ended && !self.told)
    }
}

/// The outcome of a system call; none when it would have to wait.
fn now(outcome: io::Result<usize>) -> io::Result<Option<usize>> {
    match outcome {
        Ok(count) => Ok(Some(count)),
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
        Err(e) => Err(e),
    }
}
