//! The body of a client's request, as the frames of its stream bring it. What is not taken is not asked for either.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ::h2::RecvStream;
use bytes::Bytes;
use http::HeaderMap;

use super::exchange::{Source, SourceError};
use super::link::{Lane, add};
use crate::http::head::Known;

/// A body of up to so much is kept, so that the request may be repeated.
const KEPT_BYTES_MAX: usize = 64 * 1024;

pub struct Incoming {
    body: RecvStream,
    lane: Rc<Lane>,
    /// What came before the exchange began, and what was handed out since as long as it is little.
    kept: Vec<Bytes>,
    kept_bytes: usize,
    /// Nothing that was handed out is missing there.
    keeps_all: bool,
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
        let (kept, kept_bytes, keeps_all) = (Vec::new(), 0, true);
        let mut incoming = Self { body, lane, kept, kept_bytes, keeps_all, next: 0, at_hand, taken: 0, trailers: None };
        if !at_hand {
            incoming.gather();
        }
        incoming
    }

    /// What has not been read yet.
    pub fn into_body(self) -> RecvStream {
        self.body
    }

    fn gather(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        // A body that breaks off tells so again when it is read on.
        while self.kept_bytes < KEPT_BYTES_MAX
            && let Poll::Ready(Ok(piece)) = self.poll_piece(&mut cx)
        {
            let Some(piece) = piece else {
                self.at_hand = true;
                return;
            };
            self.taken += piece.len();
            self.kept_bytes += piece.len();
            self.kept.push(piece);
        }
    }

    /// A piece goes on, and is kept too as long as all before it are.
    fn keep(&mut self, piece: &Bytes) {
        self.kept_bytes += piece.len();
        if self.keeps_all && self.kept_bytes <= KEPT_BYTES_MAX {
            self.kept.push(piece.clone());
            self.next = self.kept.len();
        } else if std::mem::take(&mut self.keeps_all) {
            (self.kept, self.next) = (Vec::new(), 0);
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
            self.trailers = trailers.map_err(|_| SourceError::Broken)?.map(passable);
            Ok(None)
        })
    }

    /// The client may send as much more as was taken.
    fn release_taken(&mut self) {
        if self.taken > 0 {
            // An error says that the stream is over.
            let _ = self.body.flow_control().release_capacity(std::mem::take(&mut self.taken));
        }
    }
}

/// What of trailers may go on: nothing that says how a message is carried, framed or routed (RFC 9110, 6.5.1).
fn passable(trailers: HeaderMap) -> HeaderMap {
    let fields = trailers.iter().filter(|(name, _)| Known::of(name.as_str()) == Known::Other);
    fields.map(|(name, value)| (name.clone(), value.clone())).collect()
}

impl Source for Incoming {
    fn is_at_hand(&self) -> bool {
        self.at_hand
    }

    fn is_kept(&self) -> bool {
        self.keeps_all
    }

    fn rewind(&mut self) {
        self.next = 0;
    }

    async fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        if let Some(piece) = self.kept.get(self.next) {
            self.next += 1;
            return Ok(Some(piece.clone()));
        }
        if self.at_hand {
            return Ok(None);
        }
        self.release_taken();
        let piece = poll_fn(|cx| match self.poll_piece(cx) {
            Poll::Pending if self.lane.is_late() => Poll::Ready(Err(SourceError::Late)),
            piece => piece,
        })
        .await?;
        self.lane.moved();
        match &piece {
            Some(piece) => {
                self.taken = piece.len();
                self.keep(piece);
            }
            None => self.at_hand = self.keeps_all,
        }
        Ok(piece)
    }

    fn trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.clone()
    }
}
