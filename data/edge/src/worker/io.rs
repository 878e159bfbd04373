//! Reading and writing with a deadline on the waiting. The deadline is only noted when there is something to wait
//! for, and costs no timer.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::buffer::{Buffer, Buffers, SMALL_BYTES};
use super::watch::Watch;

/// Reads what there is behind what `buffer` holds, which is one of `buffers`; zero at the end of the stream. Late, the error is
/// `TimedOut`. While it waits with nothing in the buffer it holds none: whoever has something to read gets the one used last.
pub fn read<R: AsyncRead + Unpin>(
    from: &mut R,
    watch: &Watch,
    within_ms: u64,
    buffers: &Buffers,
    buffer: &mut Buffer,
) -> impl Future<Output = io::Result<usize>> {
    let mut waits = false;
    poll_fn(move |cx| {
        if !buffer.is_real() {
            *buffer = buffers.small();
        }
        let mut room = ReadBuf::new(buffer.space());
        let Poll::Ready(result) = Pin::new(&mut *from).poll_read(cx, &mut room) else {
            if buffer.is_empty() && buffer.capacity() == SMALL_BYTES {
                buffers.give_back(std::mem::take(buffer));
            }
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
            buffer.filled_by(bytes);
            watch.moved(bytes);
        }
        if !matches!(result, Ok(bytes) if bytes > 0) && watch.has_expired() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Ready(result)
    })
}

/// Writes all slices, in as few calls as the socket allows.
pub fn write_all<W: AsyncWrite + Unpin, const N: usize>(
    to: &mut W,
    watch: &Watch,
    within_ms: u64,
    mut slices: [&[u8]; N],
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
fn poll_write<W: AsyncWrite, const N: usize>(
    to: Pin<&mut W>,
    cx: &mut Context<'_>,
    slices: &[&[u8]; N],
) -> Poll<io::Result<usize>> {
    if let [only] = slices[..] {
        return to.poll_write(cx, only);
    }
    let mut vectors = [IoSlice::new(&[]); N];
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

fn advance(slices: &mut [&[u8]], mut bytes: usize) {
    for slice in slices {
        let taken = bytes.min(slice.len());
        *slice = &slice[taken..];
        bytes -= taken;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::UdpSocket;
    use std::pin::pin;
    use std::rc::Rc;
    use std::task::Waker;

    use super::*;
    use crate::worker::watch::{Role, Watches};

    /// Gives what was put there, and waits when there is nothing.
    #[derive(Default)]
    struct Source(Vec<&'static [u8]>);

    impl AsyncRead for Source {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let Some(next) = self.0.pop() else { return Poll::Pending };
            room.put_slice(next);
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn who_waits_with_nothing_in_hand_holds_no_buffer() {
        let (watches, buffers) = (Rc::<Watches>::default(), Buffers::default());
        let watch = watches.watch(&UdpSocket::bind("127.0.0.1:0").unwrap(), Role::Target(1));
        let (mut source, mut buffer) = (Source::default(), Buffer::default());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(pin!(read(&mut source, &watch, 1_000, &buffers, &mut buffer)).poll(&mut cx).is_pending());
        assert!(!buffer.is_real());
        source.0.push(b"hello");
        assert!(matches!(pin!(read(&mut source, &watch, 1_000, &buffers, &mut buffer)).poll(&mut cx), Poll::Ready(Ok(5))));
        assert!(pin!(read(&mut source, &watch, 1_000, &buffers, &mut buffer)).poll(&mut cx).is_pending());
        assert_eq!(buffer.filled(), b"hello", "what has come stays");
        // One that was enlarged stays with whoever needs it.
        buffers.enlarge(&mut buffer);
        buffer.consume(5);
        assert!(pin!(read(&mut source, &watch, 1_000, &buffers, &mut buffer)).poll(&mut cx).is_pending());
        assert!(buffer.is_real());
    }
}
