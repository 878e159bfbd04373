//! Reading and writing with a deadline on the waiting. The deadline is only noted when there is something to wait
//! for, and costs no timer.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::watch::Watch;

/// Slices of one write: a head, a chunk's line, its data, its end.
pub const SLICES_MAX: usize = 4;

/// Reads what there is into `space`; zero at the end of the stream. Late, the error is `TimedOut`.
pub async fn read<R: AsyncRead + Unpin>(from: &mut R, watch: &Watch, within_ms: u64, space: &mut [u8]) -> io::Result<usize> {
    let mut waits = false;
    let result = poll_fn(|cx| {
        let mut room = ReadBuf::new(space);
        match Pin::new(&mut *from).poll_read(cx, &mut room) {
            Poll::Pending => {
                if !waits {
                    waits = true;
                    watch.read_within(within_ms);
                }
                Poll::Pending
            }
            Poll::Ready(result) => Poll::Ready(result.map(|()| room.filled().len())),
        }
    })
    .await;
    if waits {
        watch.read_done();
    }
    if let Ok(bytes) = result {
        watch.moved(bytes);
    }
    if !matches!(result, Ok(bytes) if bytes > 0) && watch.has_expired() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    result
}

/// Writes all slices, in as few calls as the socket allows.
pub async fn write_all<W: AsyncWrite + Unpin>(
    to: &mut W,
    watch: &Watch,
    within_ms: u64,
    mut slices: [&[u8]; SLICES_MAX],
) -> io::Result<()> {
    let mut waits = false;
    let result = loop {
        if slices.iter().all(|s| s.is_empty()) {
            break Ok(());
        }
        let written = poll_fn(|cx| {
            let poll = poll_write(Pin::new(&mut *to), cx, &slices);
            if poll.is_pending() && !waits {
                waits = true;
                watch.write_within(within_ms);
            }
            poll
        })
        .await;
        if waits {
            watch.write_done();
            waits = false;
        }
        match written {
            Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
            Ok(bytes) => {
                watch.wrote(bytes);
                advance(&mut slices, bytes);
            }
            Err(e) => break Err(e),
        }
    };
    if result.is_err() && watch.has_expired() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    result
}

/// One slice is sent as such: the kernel has less to do than for several.
fn poll_write<W: AsyncWrite>(to: Pin<&mut W>, cx: &mut Context<'_>, slices: &[&[u8]; SLICES_MAX]) -> Poll<io::Result<usize>> {
    let mut vectors = [IoSlice::new(&[]); SLICES_MAX];
    let mut count = 0;
    for slice in slices.iter().filter(|s| !s.is_empty()) {
        vectors[count] = IoSlice::new(slice);
        count += 1;
    }
    match &vectors[..count] {
        [only] => to.poll_write(cx, only),
        several => to.poll_write_vectored(cx, several),
    }
}

fn advance(slices: &mut [&[u8]; SLICES_MAX], mut bytes: usize) {
    for slice in slices {
        let taken = bytes.min(slice.len());
        *slice = &slice[taken..];
        bytes -= taken;
    }
}
