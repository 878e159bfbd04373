//! The console: a pipe that every process of the instance may write to, and the bounded log file behind it. The
//! reading end is held here as long as the instance lives, so writers never meet a closed pipe.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use super::run::Job;
use crate::console::{LOG_BYTES_MAX, SHOWN_BYTES};
use crate::rootfs::CONSOLE;

const CHUNK_BYTES: usize = 16 * 1024;
/// Chunks taken in one go, so that a flood of output does not keep signals waiting.
const CHUNKS_MAX: usize = 64;

pub(super) struct Console {
    log: File,
    log_bytes: u64,
    pipe: File,
    /// For processes to inherit.
    input: OwnedFd,
    output: OwnedFd,
}

impl Console {
    pub fn open(log: File) -> io::Result<Self> {
        // Open for both: so there is always a writer, and reading never meets the end.
        let pipe = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(CONSOLE)?;
        let output = OpenOptions::new().write(true).open(CONSOLE)?;
        let input = File::open("/dev/null")?;
        let log_bytes = log.metadata()?.len();
        Ok(Self { log, log_bytes, pipe, input: input.into(), output: output.into() })
    }

    /// Takes what was written so far into the log.
    pub fn drain(&mut self) {
        let mut chunk = [0; CHUNK_BYTES];
        for _ in 0..CHUNKS_MAX {
            match self.pipe.read(&mut chunk) {
                Ok(length) if length > 0 => self.append(&chunk[..length]),
                _ => return,
            }
        }
    }

    /// Adds a line of our own.
    pub fn say(&mut self, line: &str) {
        self.append(format!("allod-init: {line}\n").as_bytes());
    }

    /// Starts a process whose output goes here.
    pub fn start(&self, job: &Job) -> io::Result<libc::pid_t> {
        job.start(self.input.as_fd(), self.output.as_fd())
    }

    /// A log that cannot be written (a full disk) must not stop the instance: the output is lost then.
    fn append(&mut self, bytes: &[u8]) {
        if self.log_bytes + bytes.len() as u64 > LOG_BYTES_MAX {
            self.shorten().ok();
        }
        if self.log.write_all(bytes).is_ok() {
            self.log_bytes += bytes.len() as u64;
        }
    }

    /// Keeps only the end of the log.
    fn shorten(&mut self) -> io::Result<()> {
        let mut kept = vec![0; SHOWN_BYTES];
        let start = self.log_bytes.saturating_sub(SHOWN_BYTES as u64);
        let length = self.log.read_at(&mut kept, start)?;
        self.log.set_len(0)?;
        self.log_bytes = 0;
        self.log.write_all(&kept[..length])?;
        self.log_bytes = length as u64;
        Ok(())
    }
}

impl AsFd for Console {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
