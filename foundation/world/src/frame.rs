//! The language between `serve` and an executor over a local stream socket: a length in four bytes, big endian,
//! then that many bytes of JSON.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Effect, Observation, Slot};

/// Longest frame: the wish for a load balancer with the certificates and trust stores of all its listeners.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One message. The executor speaks first, with `Hello`; `serve` answers with the effects that it lacks and one
/// `Sync`; from then on each side sends as things happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "kebab-case")]
pub enum Frame {
    /// From the executor: the newest version it has applied of each slot, followed by observations of the present
    /// state of everything.
    Hello {
        version: String,
        applied: Vec<(Slot, u64)>,
    },
    /// From `serve`: every slot that may exist. The executor removes what is not in it.
    Sync {
        slots: Vec<Slot>,
    },
    /// From `serve`, before `Sync`: report usage and traffic every so many milliseconds, at multiples of it since 1970.
    Report {
        every_ms: u64,
    },
    Effect(Effect),
    Observation(Observation),
    /// From `serve`: end yourself. With `purge`, first remove everything that you made.
    Shutdown {
        purge: bool,
    },
}

#[derive(Debug)]
pub enum FrameError {
    TooLong(usize),
    Json(serde_json::Error),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::TooLong(bytes) => write!(f, "a frame of {bytes} bytes is over the limit of {FRAME_BYTES_MAX}"),
            FrameError::Json(e) => write!(f, "a frame is not understood: {e}"),
        }
    }
}

impl std::error::Error for FrameError {}

impl Frame {
    /// The bytes to send, length and all.
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let mut bytes = vec![0; 4];
        serde_json::to_writer(&mut bytes, self).map_err(FrameError::Json)?;
        let length = bytes.len() - 4;
        if length > FRAME_BYTES_MAX {
            return Err(FrameError::TooLong(length));
        }
        let header = u32::try_from(length).map_err(|_| FrameError::TooLong(length))?.to_be_bytes();
        bytes[..4].copy_from_slice(&header);
        Ok(bytes)
    }
}

/// Cuts a byte stream into frames.
#[derive(Debug, Default)]
pub struct FrameReader {
    bytes: Vec<u8>,
    start: usize,
}

impl FrameReader {
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame, or none until more bytes are pushed. After an error the stream is of no more use.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let rest = &self.bytes[self.start..];
        let Some((header, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*header) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(FrameError::TooLong(length));
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let frame = serde_json::from_slice(body).map_err(FrameError::Json)?;
        self.start += 4 + length;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::{Frame, FrameReader};
    use crate::{Effect, Slot, SlotKind};

    #[test]
    fn frames_survive_any_cut() {
        let slot = Slot::new(SlotKind::Instance, "i-1");
        let sent = [
            Frame::Hello { version: "1".into(), applied: vec![(slot.clone(), 3)] },
            Frame::Effect(Effect { slot, version: 4, want: None }),
        ];
        let bytes: Vec<u8> = sent.iter().flat_map(|f| f.encode().expect("fits")).collect();
        for cut in 0..bytes.len() {
            let mut reader = FrameReader::default();
            let mut got = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                reader.push(part);
                while let Some(frame) = reader.next_frame().expect("whole frames") {
                    got.push(frame);
                }
            }
            assert_eq!(got, sent, "cut at {cut}");
        }
    }

    #[test]
    fn refuses_a_giant_and_nonsense() {
        let mut reader = FrameReader::default();
        reader.push(&[0xff; 8]);
        assert!(reader.next_frame().is_err());
        let mut reader = FrameReader::default();
        reader.push(&[0, 0, 0, 2, b'{', b'}']);
        assert!(reader.next_frame().is_err());
    }
}
