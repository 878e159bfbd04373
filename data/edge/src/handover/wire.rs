//! Messages and sockets over a local stream socket: a length in four bytes, big endian, then JSON; sockets go beside single
//! bytes, a batch with each. It waits no longer than it is told, and does not know what a message means.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use rustix::process::geteuid;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ANSWER_MAX;

/// Longest message: the configurations of all load balancers.
const MESSAGE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Sockets beside one byte; the kernel takes 253.
const BATCH_MAX: usize = 128;

/// A process of ours at the other end.
#[derive(Debug)]
pub struct Peer(UnixStream);

impl Peer {
    pub fn connect(path: &Path) -> io::Result<Self> {
        Self::new(UnixStream::connect(path)?)
    }

    /// Takes a connection; one of another user is refused.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        let theirs = socket_peercred(&stream)?.uid;
        if theirs != geteuid() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("user {} is not ours", theirs.as_raw())));
        }
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(ANSWER_MAX))?;
        Ok(Self(stream))
    }

    /// The same connection once more.
    pub fn again(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    pub fn send(&self, message: &impl Serialize) -> io::Result<()> {
        let mut bytes = vec![0; 4];
        serde_json::to_writer(&mut bytes, message)?;
        let length = u32::try_from(bytes.len() - 4).ok().filter(|length| *length as usize <= MESSAGE_BYTES_MAX);
        let length = length.ok_or_else(|| io::Error::other("a message is too long"))?;
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        (&self.0).write_all(&bytes)
    }

    /// Waits for a message; for ever without `within`.
    pub fn receive<T: DeserializeOwned>(&self, within: Option<Duration>) -> io::Result<T> {
        self.0.set_read_timeout(within)?;
        let mut length = [0; 4];
        (&self.0).read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > MESSAGE_BYTES_MAX {
            return Err(io::Error::other(format!("a message of {length} bytes is too long")));
        }
        let mut bytes = Vec::new();
        let read = (&self.0).take(length as u64).read_to_end(&mut bytes)?;
        if read < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_slice(&bytes)?)
    }

    pub fn send_sockets(&self, sockets: &[OwnedFd]) -> io::Result<()> {
        for batch in sockets.chunks(BATCH_MAX) {
            let batch: Vec<BorrowedFd<'_>> = batch.iter().map(AsFd::as_fd).collect();
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH_MAX))];
            let mut beside = SendAncillaryBuffer::new(&mut space);
            if !beside.push(SendAncillaryMessage::ScmRights(&batch)) {
                return Err(io::Error::other("the sockets do not fit"));
            }
            if sendmsg(&self.0, &[IoSlice::new(&[0])], &mut beside, SendFlags::NOSIGNAL)? != 1 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Receives exactly so many.
    pub fn receive_sockets(&self, count: usize) -> io::Result<Vec<OwnedFd>> {
        self.0.set_read_timeout(Some(ANSWER_MAX))?;
        let mut sockets = Vec::new();
        while sockets.len() < count {
            let before = sockets.len();
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH_MAX))];
            let mut beside = RecvAncillaryBuffer::new(&mut space);
            let mut byte = [0];
            let got = recvmsg(&self.0, &mut [IoSliceMut::new(&mut byte)], &mut beside, RecvFlags::CMSG_CLOEXEC)?;
            for message in beside.drain() {
                if let RecvAncillaryMessage::ScmRights(batch) = message {
                    sockets.extend(batch);
                }
            }
            if got.bytes == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if got.flags.contains(ReturnFlags::CTRUNC) || sockets.len() == before || sockets.len() > count {
                return Err(io::Error::other(format!("{} sockets came where {count} were announced", sockets.len())));
            }
        }
        Ok(sockets)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Read, Write};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use super::{BATCH_MAX, Peer};

    fn pair() -> (Peer, Peer) {
        let (a, b) = UnixStream::pair().unwrap();
        (Peer::new(a).unwrap(), Peer::new(b).unwrap())
    }

    #[test]
    fn sockets_come_in_order_between_messages() {
        let (one, other) = pair();
        let pairs: Vec<_> = (0..BATCH_MAX + 5).map(|_| UnixStream::pair().unwrap()).collect();
        let given: Vec<OwnedFd> = pairs.iter().map(|(_, theirs)| theirs.try_clone().unwrap().into()).collect();
        one.send(&"before").unwrap();
        one.send_sockets(&given).unwrap();
        one.send(&"behind").unwrap();
        assert_eq!(other.receive::<String>(None).unwrap(), "before");
        let got = other.receive_sockets(given.len()).unwrap();
        assert_eq!(other.receive::<String>(None).unwrap(), "behind");
        for (number, (socket, (ours, _))) in got.into_iter().zip(&pairs).enumerate() {
            let byte = u8::try_from(number % 256).unwrap();
            UnixStream::from(socket).write_all(&[byte]).unwrap();
            let mut read = [0];
            (&mut &*ours).read_exact(&mut read).unwrap();
            assert_eq!(read, [byte]);
        }
    }

    #[test]
    fn what_is_not_whole_is_an_error() {
        let (one, other) = pair();
        drop(one);
        assert!(other.receive::<String>(None).is_err() && other.receive_sockets(1).is_err());
        let (one, other) = pair();
        one.send(&"no socket").unwrap();
        assert!(other.receive_sockets(1).is_err());
        let (mut raw, other) = UnixStream::pair().unwrap();
        raw.write_all(&[0xff; 64]).unwrap();
        assert!(Peer::new(other).unwrap().receive::<String>(None).is_err(), "a giant");
        let (mut raw, other) = UnixStream::pair().unwrap();
        raw.write_all(&[0, 0, 0, 9, b'"']).unwrap();
        drop(raw);
        assert!(Peer::new(other).unwrap().receive::<String>(None).is_err());
    }
}
