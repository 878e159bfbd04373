//! The logging thread: compresses lines as they come, and writes a file for each log at the end of every period ("publishes a
//! log file for each load balancer node every 5 minutes"), sooner when there is much, when the log is switched off, and at the
//! end. A file that cannot be written is lost, and its lines are counted; nobody waits for a disk.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Channel;
use super::text::Moment;
use super::writer::Chunk;

/// Compressed bytes of one log after which a file is written before the period ends.
const FILE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Of all logs together: then all are written.
const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How often it looks whether a period has ended.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What the logging thread is told.
#[derive(Debug)]
pub enum Message {
    /// A log is switched on.
    Open(Arc<Channel>),
    Chunk(Chunk),
    /// A log is switched off.
    Close(Arc<Channel>),
    /// Write everything, and end.
    End,
}

/// Lines of a log that are in no file yet.
struct Held {
    channel: Arc<Channel>,
    gzip: GzEncoder<Vec<u8>>,
    lines: u64,
}

struct Scribe<'a> {
    buckets: &'a Path,
    held: HashMap<u64, Held>,
}

/// Runs until it is told to end, or nobody is there who could tell.
pub fn run(buckets: &Path, period: Duration, inbox: &Receiver<Message>) {
    let mut scribe = Scribe { buckets, held: HashMap::new() };
    let mut written = Moment::now().periods(period);
    let mut next_look = Instant::now() + LOOK_EVERY;
    loop {
        match inbox.recv_timeout(next_look.saturating_duration_since(Instant::now())) {
            Ok(Message::Open(channel)) => scribe.open(&channel),
            Ok(Message::Chunk(chunk)) => scribe.take(chunk),
            Ok(Message::Close(channel)) => scribe.write(channel.number),
            Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => return scribe.write_all(|_| true),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if Instant::now() >= next_look {
            next_look = Instant::now() + LOOK_EVERY;
            let now = Moment::now().periods(period);
            let is_over = now != written;
            written = now;
            scribe.write_all(|held| is_over || held.channel.closed.load(Ordering::Relaxed));
        }
    }
}

impl Scribe<'_> {
    /// "Elastic Load Balancing validates the S3 bucket and creates a test file."
    fn open(&self, channel: &Channel) {
        let (file, text) = channel.home.test_file(Moment::now());
        if let Err(e) = write_file(&self.buckets.join(&file), text.as_bytes()) {
            tracing::error!(file = %file.display(), "logs cannot be written: {e}");
        }
    }

    fn take(&mut self, chunk: Chunk) {
        let number = chunk.channel.number;
        let held = self.held.entry(number).or_insert_with(|| Held {
            channel: chunk.channel,
            gzip: GzEncoder::new(Vec::new(), Compression::fast()),
            lines: 0,
        });
        held.lines += chunk.lines;
        // A vector takes everything.
        let _ = held.gzip.write_all(&chunk.bytes);
        if held.gzip.get_ref().len() > FILE_BYTES_MAX {
            self.write(number);
        } else if self.held.values().map(|held| held.gzip.get_ref().len()).sum::<usize>() > HELD_BYTES_MAX {
            self.write_all(|_| true);
        }
    }

    fn write_all(&mut self, which: impl Fn(&Held) -> bool) {
        let numbers: Vec<u64> = self.held.iter().filter(|(_, held)| which(held)).map(|(number, _)| *number).collect();
        numbers.into_iter().for_each(|number| self.write(number));
    }

    /// Makes a file of what is held of a log.
    fn write(&mut self, number: u64) {
        let Some(Held { channel, gzip, lines }) = self.held.remove(&number) else { return };
        let file = channel.home.file(Moment::now(), &random());
        let written = gzip.finish().and_then(|bytes| write_file(&self.buckets.join(&file), &bytes));
        if let Err(e) = written {
            channel.drop_lines(lines);
            tracing::error!(file = %file.display(), lines, "a log file cannot be written: {e}");
        }
        let dropped = channel.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(load_balancer = channel.balancer, dropped, "lines of a log were dropped");
        }
    }
}

/// Eight letters and digits.
fn random() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(8).collect::<String>().to_ascii_lowercase()
}

/// Writes a file whole or not at all.
fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o750).create(directory)?;
    }
    let fresh = path.with_extension("new");
    let made = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&fresh);
    let made = made.and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&fresh, path));
    if made.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    made
}
