//! What goes to standard output. A reader that goes away (`allod status | head -1`) is no error: what is left to print is
//! dropped, and the command goes on with what it was asked. Anything else that stops the output is told at the end.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

use crate::Failure;

static BROKEN: OnceLock<io::Error> = OnceLock::new();

/// Prints a line, as `println!` does, but never panics.
macro_rules! out {
    ($($arg:tt)*) => { $crate::output::line(format_args!($($arg)*)) };
}
pub(crate) use out;

pub fn line(text: Arguments) {
    write(format!("{text}\n").as_bytes());
}

/// Prints bytes as they are.
pub fn write(bytes: &[u8]) {
    if is_broken() {
        return;
    }
    let mut out = io::stdout().lock();
    if let Err(e) = out.write_all(bytes).and_then(|()| out.flush()) {
        let _ = BROKEN.set(e);
    }
}

/// Whether nothing can be printed any more.
pub fn is_broken() -> bool {
    BROKEN.get().is_some()
}

/// Why not all was printed, where that is an error.
pub fn finish() -> Result<(), Failure> {
    match BROKEN.get() {
        Some(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::new(format!("writing the output: {e}"))),
        _ => Ok(()),
    }
}
