//! The outbox: copies of the mail that the region sent, a file `NAME.eml` each (RFC 5322), the newest [`OUTBOX_MAX`].

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Most letters that are kept; older ones are removed.
pub const OUTBOX_MAX: usize = 1_000;
const ENDING: &str = ".eml";

/// A letter as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its file's name without the ending. Newer letters have greater names.
    pub name: String,
    pub date: String,
    pub to: String,
    pub subject: String,
    pub size_bytes: u64,
}

pub(crate) struct Outbox {
    directory: PathBuf,
}

impl Outbox {
    pub(crate) fn open(directory: PathBuf) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        Ok(Self { directory })
    }

    /// Writes a letter whole or not at all, over an earlier one of the same name.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = self.directory.join(format!("{name}.new"));
        let written = write(&new, bytes).and_then(|()| fs::rename(&new, self.directory.join(format!("{name}{ENDING}"))));
        if let Err(e) = written {
            // A piece of a letter is no letter, and on a full disk the room is wanted.
            fs::remove_file(&new).ok();
            return Err(e);
        }
        // The letter is there, whatever becomes of older ones: those come again with the next.
        self.make_room().inspect_err(|e| tracing::warn!(%e, "older letters stay in the outbox")).ok();
        Ok(())
    }

    fn make_room(&self) -> io::Result<()> {
        let names = names(&self.directory)?;
        let mut outcome = Ok(());
        for old in &names[..names.len().saturating_sub(OUTBOX_MAX)] {
            // Another thread may have been first.
            match fs::remove_file(self.directory.join(format!("{old}{ENDING}"))) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => outcome = Err(e),
                _ => {}
            }
        }
        outcome
    }
}

fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?.write_all(bytes)
}

/// Names of all letters, oldest first.
fn names(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        names.extend(name.to_str().and_then(|n| n.strip_suffix(ENDING)).map(str::to_string));
    }
    names.sort_unstable();
    Ok(names)
}

/// The letters of an outbox, oldest first; none where there is no outbox yet.
pub fn letters(directory: &Path) -> io::Result<Vec<Letter>> {
    let names = match names(directory) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        names => names?,
    };
    let mut letters = Vec::new();
    for name in names {
        let bytes = match fs::read(directory.join(format!("{name}{ENDING}"))) {
            // It has just made room for a newer one.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            bytes => bytes?,
        };
        let text = String::from_utf8_lossy(&bytes);
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        letters.push(Letter {
            name,
            date: header(head, "Date"),
            to: header(head, "To"),
            subject: header(head, "Subject"),
            size_bytes: bytes.len() as u64,
        });
    }
    Ok(letters)
}

/// A whole letter; none where there is none of this name.
pub fn read_letter(directory: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !is_name {
        return Ok(None);
    }
    match fs::read(directory.join(format!("{name}{ENDING}"))) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => bytes.map(Some),
    }
}

/// A letter as a person reads it: its body without the encoding for transfer (RFC 2045, section 6), so that long links are
/// whole. One in an encoding that this mail never has stays as it is.
pub fn readable(letter: &[u8]) -> Vec<u8> {
    const END_OF_HEAD: &[u8] = b"\r\n\r\n";
    const ENCODING: &str = "Content-Transfer-Encoding";
    let Some(at) = letter.windows(END_OF_HEAD.len()).position(|w| w == END_OF_HEAD) else { return letter.to_vec() };
    let (head, body) = (String::from_utf8_lossy(&letter[..at]), &letter[at + END_OF_HEAD.len()..]);
    let decoded = match header(&head, ENCODING).as_str() {
        "quoted-printable" => Some(unquoted(body)),
        "base64" => STANDARD.decode(body.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect::<Vec<u8>>()).ok(),
        _ => None,
    };
    let Some(decoded) = decoded else { return letter.to_vec() };
    let kept: Vec<&str> = head.split("\r\n").filter(|line| line.split(':').next() != Some(ENCODING)).collect();
    [kept.join("\r\n").as_bytes(), END_OF_HEAD, &decoded].concat()
}

/// Undoes quoted-printable: `=3D` is a byte, and `=` before a line's end joins it with the next. Anything else stays.
fn unquoted(mut body: &[u8]) -> Vec<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    let mut plain = Vec::with_capacity(body.len());
    while let Some((&first, rest)) = body.split_first() {
        body = match (first, rest) {
            (b'=', [b'\r', b'\n', rest @ ..]) => rest,
            (b'=', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    plain.push((high * 16 + low) as u8);
                    after
                }
                _ => {
                    plain.push(first);
                    rest
                }
            },
            _ => {
                plain.push(first);
                rest
            }
        };
    }
    plain
}

/// A header's value, its continued lines joined.
fn header(head: &str, name: &str) -> String {
    let mut lines = head.split("\r\n").skip_while(|line| line.split(':').next() != Some(name));
    let first = lines.next().and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim());
    let more = lines.take_while(|line| line.starts_with([' ', '\t'])).map(str::trim);
    std::iter::once(first).chain(more).collect::<Vec<_>>().join(" ")
}
