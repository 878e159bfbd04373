//! The PEM form (RFC 7468): blocks of base64 between two lines. Text between the blocks is let be, as OpenSSL writes it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
const COLUMNS: usize = 64;

/// One block: what it says it is, and its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct PemBlock {
    pub label: String,
    pub der: Vec<u8>,
}

/// It may be a private key.
impl fmt::Debug for PemBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PemBlock {{ label: {:?}, {} bytes }}", self.label, self.der.len())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PemError {
    /// It is not UTF-8.
    NotText,
    /// A block does not end, or ends as another one than it began.
    NotClosed,
    /// What stands in a block is not base64.
    NotBase64,
    /// The block is protected by a password, or has headers.
    Encrypted,
    TooMany,
    /// A block holds something else than it says.
    NotUnderstood,
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PemError::NotText => "it is not text",
            PemError::NotClosed => "a block has no end",
            PemError::NotBase64 => "a block is not in base64",
            PemError::Encrypted => "it is encrypted",
            PemError::TooMany => "there are too many blocks",
            PemError::NotUnderstood => "a block cannot be read",
        })
    }
}

/// All blocks of a text, `most` at most.
pub fn blocks(text: &[u8], most: usize) -> Result<Vec<PemBlock>, PemError> {
    let text = std::str::from_utf8(text).map_err(|_| PemError::NotText)?;
    let mut lines = text.lines().map(str::trim);
    let mut blocks = Vec::new();
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(DASHES)) else { continue };
        let mut body = String::new();
        loop {
            let line = lines.next().ok_or(PemError::NotClosed)?;
            if let Some(rest) = line.strip_prefix(END) {
                if rest.strip_suffix(DASHES) != Some(label) {
                    return Err(PemError::NotClosed);
                }
                break;
            }
            if line.contains(':') {
                return Err(PemError::Encrypted);
            }
            body.push_str(line);
        }
        if blocks.len() == most {
            return Err(PemError::TooMany);
        }
        let der = STANDARD.decode(body).map_err(|_| PemError::NotBase64)?;
        blocks.push(PemBlock { label: label.into(), der });
    }
    Ok(blocks)
}

/// Bytes as a block.
pub(crate) fn write(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut text = format!("{BEGIN}{label}{DASHES}\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII: every index is a character's border.
        let (line, after) = rest.split_at(rest.len().min(COLUMNS));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text + END + label + DASHES + "\n"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{PemError, blocks, write};

    #[test]
    fn blocks_are_read_as_they_are_written() {
        for length in [0, 1, 47, 48, 49, 500] {
            let der: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let text = format!("subject=x\n{}and more\r\n{}", write("A B", &der), write("C", b"c").replace('\n', "\r\n"));
            let read = blocks(text.as_bytes(), 2).unwrap();
            assert_eq!((read[0].label.as_str(), &read[0].der), ("A B", &der));
            assert_eq!((read[1].label.as_str(), read[1].der.as_slice()), ("C", &b"c"[..]));
            assert_eq!(blocks(text.as_bytes(), 1), Err(PemError::TooMany));
        }
    }

    #[test]
    fn what_is_no_block_is_told() {
        for (text, wanted) in [
            ("-----BEGIN A-----\nYQ==\n", PemError::NotClosed),
            ("-----BEGIN A-----\nYQ==\n-----END B-----\n", PemError::NotClosed),
            ("-----BEGIN A-----\n%%\n-----END A-----\n", PemError::NotBase64),
            ("-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nYQ==\n-----END A-----\n", PemError::Encrypted),
        ] {
            assert_eq!(blocks(text.as_bytes(), 9), Err(wanted), "{text}");
        }
        assert_eq!(blocks(b"\xff", 9), Err(PemError::NotText));
        assert_eq!(blocks(b"no block at all", 9), Ok(Vec::new()));
    }
}
