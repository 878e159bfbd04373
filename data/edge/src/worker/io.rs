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
pub fn read<R: AsyncRead + Unpin>(
    from: &mut R,
    watch: &Watch,
    within_ms: u64,
    space: &mut [u8],
) -> impl Future<Output = io::Result<usize>> {
    let mut waits = false;
    poll_fn(move |cx| {
        let mut room = ReadBuf::new(space);
        let Poll::Ready(result) = Pin::new(&mut *from).poll_read(cx, &mut room) else {
            if !std::mem::replace(&mut waits, true) {
                watch.read_within(within_ms);
            }
            return Poll::Pending;
        };
        if waits {
            watch.read_done();
        }
        let result = result.map(|()| room.filled().len());
        if let Ok(bytes) = result {
            watch.moved(bytes);
        }
        if !matches!(result, Ok(bytes) if bytes > 0) && watch.has_expired() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Ready(result)
    })
}

/// Writes all slices, in as few calls as the socket allows.
pub fn write_all<W: AsyncWrite + Unpin>(
    to: &mut W,
    watch: &Watch,
    within_ms: u64,
    mut slices: [&[u8]; SLICES_MAX],
) -> impl Future<Output = io::Result<()>> {
    let mut waits = false;
    poll_fn(move |cx| {
        let mut result = Ok(());
        while result.is_ok() && slices.iter().any(|s| !s.is_empty()) {
            let Poll::Ready(written) = poll_write(Pin::new(&mut *to), cx, &slices) else {
                if !std::mem::replace(&mut waits, true) {
                    watch.write_within(within_ms);
                }
                return Poll::Pending;
            };
            if std::mem::take(&mut waits) {
                watch.write_done();
            }
            result = match written {
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => {
                    watch.wrote(bytes);
                    advance(&mut slices, bytes);
                    Ok(())
                }
                Err(e) => Err(e),
            };
        }
        if result.is_err() && watch.has_expired() {
            result = Err(io::ErrorKind::TimedOut.into());
        }
        Poll::Ready(result)
    })
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
