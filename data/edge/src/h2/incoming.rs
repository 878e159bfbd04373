//! The body of a client's request, as the frames of its stream bring it. What is not taken is not asked for either.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::timeout;

use super::exchange::{Source, SourceError};
use super::link::{Lane, add};
use super::streams::Piece;
use crate::http::fields::Known;

/// A body of up to so much is kept, so that the request may be repeated.
const KEPT_BYTES_MAX: usize = 64 * 1024;
const KEPT_PIECES_MAX: usize = 64;
/// What of a body is still read behind its answer, and for how long.
const DISCARDED_BYTES_MAX: usize = 256 * 1024;
const DISCARD_MAX: Duration = Duration::from_secs(2);

pub struct Incoming {
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
    /// `at_hand` when there is none.
    pub fn new(lane: Rc<Lane>, at_hand: bool) -> Self {
        let (kept, kept_bytes, keeps_all) = (Vec::new(), 0, true);
        Self { lane, kept, kept_bytes, keeps_all, next: 0, at_hand, taken: 0, trailers: None }
    }

    /// Reads what the client still sends of a request that has its answer, for a moment: clients such as curl 7.88 throw an
    /// answer away when the reset of its stream comes along with it.
    pub async fn discard(mut self) {
        let read = async {
            let mut left = DISCARDED_BYTES_MAX;
            self.release_taken();
            while let Ok(Some(piece)) = poll_fn(|_| self.poll_piece()).await {
                self.taken = piece.len();
                self.release_taken();
                left = left.saturating_sub(piece.len());
                if left == 0 {
                    return;
                }
            }
        };
        let _ = timeout(DISCARD_MAX, read).await;
    }

    /// Whether there is more to come, or to be read.
    pub fn goes_on(&self) -> bool {
        !self.lane.link.streams.borrow().has_ended(self.lane.slot)
    }

    /// Gathers what has come already.
    pub fn gather(&mut self) {
        if self.at_hand {
            return;
        }
        // A body that breaks off tells so again when it is read on.
        while self.kept_bytes < KEPT_BYTES_MAX
            && self.kept.len() < KEPT_PIECES_MAX
            && let Poll::Ready(Ok(piece)) = self.poll_piece()
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
        if self.keeps_all && self.kept_bytes <= KEPT_BYTES_MAX && self.kept.len() < KEPT_PIECES_MAX {
            self.kept.push(piece.clone());
            self.next = self.kept.len();
        } else if std::mem::take(&mut self.keeps_all) {
            (self.kept, self.next) = (Vec::new(), 0);
        }
    }

    /// The next piece; whoever waits for it runs again when something has come.
    fn poll_piece(&mut self) -> Poll<Result<Option<Bytes>, SourceError>> {
        let mut streams = self.lane.link.streams.borrow_mut();
        match streams.take(self.lane.slot) {
            Piece::Data(piece) => {
                add(&self.lane.received, piece.len());
                Poll::Ready(Ok(Some(piece)))
            }
            Piece::None => Poll::Pending,
            Piece::Broken => Poll::Ready(Err(SourceError::Broken)),
            Piece::End => {
                if let Some(trailers) = streams.take_trailers(self.lane.slot) {
                    self.trailers = Some(passable(trailers));
                }
                Poll::Ready(Ok(None))
            }
        }
    }

    /// The client may send as much more as was taken.
    fn release_taken(&mut self) {
        if self.taken > 0 {
            self.lane.link.streams.borrow_mut().release(self.lane.slot, std::mem::take(&mut self.taken));
        }
    }
}

impl Drop for Incoming {
    /// What was taken and nobody wants any more leaves room for other streams.
    fn drop(&mut self) {
        self.release_taken();
    }
}

/// What of trailers may go on: nothing that says how a message is carried, framed or routed (RFC 9110, 6.5.1).
pub fn passable(trailers: HeaderMap) -> HeaderMap {
    let fields = trailers.iter().filter(|(name, _)| Known::of(name.as_str().as_bytes()) == Known::Other);
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
        self.release_taken();
        if self.at_hand {
            return Ok(None);
        }
        let piece = poll_fn(|_| match self.poll_piece() {
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
