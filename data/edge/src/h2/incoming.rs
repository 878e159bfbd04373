//! The body of a client's request, as the frames of its stream bring it. What is not taken is not asked for either.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ::h2::RecvStream;
use bytes::Bytes;
use http::HeaderMap;

use super::exchange::{Source, SourceError};
use super::link::{Lane, add};

/// A body of up to so much that has come with its head is kept, so that the request may be repeated.
const KEPT_BYTES_MAX: usize = 64 * 1024;

pub struct Incoming {
    body: RecvStream,
    lane: Rc<Lane>,
    /// What came before the exchange began.
    kept: Vec<Bytes>,
    next: usize,
    /// `kept` is the whole body.
    at_hand: bool,
    /// Bytes that were handed out, for which the client has no new room yet.
    taken: usize,
    trailers: Option<HeaderMap>,
}

impl Incoming {
    /// Gathers what has come already.
    pub fn new(body: RecvStream, lane: Rc<Lane>) -> Self {
        let at_hand = body.is_end_stream();
        let mut incoming = Self { body, lane, kept: Vec::new(), next: 0, at_hand, taken: 0, trailers: None };
        if !at_hand {
            incoming.gather();
        }
        incoming
    }

    fn gather(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let mut bytes = 0;
        // A body that breaks off tells so again when it is read on.
        while let Poll::Ready(piece) = self.poll_piece(&mut cx) {
            match piece {
                Ok(Some(piece)) => {
                    bytes += piece.len();
                    self.release(piece.len());
                    self.kept.push(piece);
                }
                Ok(None) => {
                    self.at_hand = true;
                    return;
                }
                Err(_) => return,
            }
            if bytes >= KEPT_BYTES_MAX {
                return;
            }
        }
    }

    /// The next piece that is not empty.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, SourceError>> {
        loop {
            match self.body.poll_data(cx) {
                Poll::Ready(Some(Ok(piece))) if piece.is_empty() => {}
                Poll::Ready(Some(Ok(piece))) => {
                    add(&self.lane.received, piece.len());
                    return Poll::Ready(Ok(Some(piece)));
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(SourceError::Broken)),
                Poll::Ready(None) => return self.poll_trailers(cx),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_trailers(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, SourceError>> {
        self.body.poll_trailers(cx).map(|trailers| {
            self.trailers = trailers.map_err(|_| SourceError::Broken)?;
            Ok(None)
        })
    }

    /// The client may send so much more.
    fn release(&mut self, bytes: usize) {
        // An error says that the stream is over.
        let _ = self.body.flow_control().release_capacity(bytes);
    }
}

impl Source for Incoming {
    fn is_at_hand(&self) -> bool {
        self.at_hand
    }

    fn rewind(&mut self) {
        self.next = 0;
    }

    async fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        if let Some(piece) = self.kept.get_mut(self.next) {
            self.next += 1;
            return Ok(Some(if self.at_hand { piece.clone() } else { std::mem::take(piece) }));
        }
        if self.at_hand {
            return Ok(None);
        }
        let taken = std::mem::take(&mut self.taken);
        if taken > 0 {
            self.release(taken);
        }
        let piece = poll_fn(|cx| match self.poll_piece(cx) {
            Poll::Pending if self.lane.is_late() => Poll::Ready(Err(SourceError::Late)),
            piece => piece,
        })
        .await?;
        self.lane.moved();
        self.taken = piece.as_ref().map_or(0, Bytes::len);
        Ok(piece)
    }

    fn trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.clone()
    }
}
