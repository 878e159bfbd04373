//! The answer to a client's request, on its way into the frames of its stream. It is not taken faster than the client does.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use ::h2::Reason;
use http::HeaderMap;
use memchr::memmem::find;

use super::exchange::{Gone, Sink, is_bare};
use super::hpack;
use super::link::{Lane, add};
use crate::http::fields::Headers;
use crate::http::forward::{AnswerHeaders, goes_on};
use crate::http::head::{Answer, parse_answer, whole_head};

pub struct Outgoing<'a> {
    lane: Rc<Lane>,
    headers: &'a AnswerHeaders,
}

impl<'a> Outgoing<'a> {
    pub fn new(lane: Rc<Lane>, headers: &'a AnswerHeaders) -> Self {
        Self { lane, headers }
    }

    /// Sends one of the load balancer's own answers, as it is written for HTTP/1.1.
    pub async fn page(&mut self, text: &[u8], to_head: bool) -> Result<(), Gone> {
        let end = find(text, b"\r\n\r\n").map_or(text.len(), |at| at + 4);
        let (head, body) = text.split_at(end);
        let is_bare = to_head || body.is_empty();
        self.begin_page(head, to_head, is_bare)?;
        if is_bare {
            return Ok(());
        }
        self.data(body, true).await
    }

    /// There is no waiting here, so that no stream carries room for headers.
    fn begin_page(&mut self, head: &[u8], to_head: bool, whole: bool) -> Result<(), Gone> {
        let mut headers = Headers::new();
        let answer = whole_head(parse_answer(head, &mut headers, to_head)).map_err(|_| Gone)?;
        let nothing = AnswerHeaders { server: false, set: Vec::new() };
        self.begin(answer.status, whole, |block| block.copy(&answer, &nothing))
    }

    /// Tells the client that its answer will not become whole.
    pub fn reset(&mut self, reason: Reason) {
        self.lane.link.streams.borrow_mut().reset(self.lane.slot, reason);
    }

    fn begin(&mut self, status: u16, whole: bool, write: impl FnOnce(&mut Block<'_>)) -> Result<(), Gone> {
        let mut streams = self.lane.link.streams.borrow_mut();
        streams.send_headers(self.lane.slot, whole && status >= 200, |to| {
            hpack::status(to, status);
            let mut block = Block { to, bytes: 0 };
            write(&mut block);
            add(&self.lane.sent, block.bytes);
        })?;
        drop(streams);
        if status >= 200 {
            self.lane.answered.set(true);
            self.lane.moved();
        }
        Ok(())
    }
}

/// A block of headers that is being written.
struct Block<'a> {
    to: &'a mut Vec<u8>,
    /// Bytes of its fields as they are before they are compressed.
    bytes: usize,
}

impl Block<'_> {
    fn field(&mut self, name: impl AsRef<[u8]>, value: &[u8]) {
        let name = name.as_ref();
        self.bytes += name.len() + value.len();
        hpack::field(self.to, name, value);
    }

    /// Copies what goes on of an answer's headers.
    fn copy(&mut self, answer: &Answer<'_, '_>, listener: &AnswerHeaders) {
        answer.headers.iter().filter(|h| goes_on(h, answer, listener)).for_each(|h| self.field(h.name, h.value));
    }
}

impl Sink for Outgoing<'_> {
    fn head(&mut self, answer: &Answer<'_, '_>, cookies: &[String]) -> Result<(), Gone> {
        let (headers, lane) = (self.headers, self.lane.clone());
        self.begin(answer.status, is_bare(answer.framing), |block| {
            block.copy(answer, headers);
            cookies.iter().for_each(|cookie| block.field("set-cookie", cookie.as_bytes()));
            if answer.status < 200 {
                return;
            }
            if headers.names_server(answer.has_server) {
                block.field("server", b"awselb/2.0");
            }
            headers.set.iter().for_each(|(name, value)| block.field(name, value.as_bytes()));
            if !answer.has_date {
                lane.link.worker.date.with(|date| block.field("date", date.as_bytes()));
            }
        })
    }

    async fn data(&mut self, mut piece: &[u8], last: bool) -> Result<(), Gone> {
        while !piece.is_empty() {
            let sent = poll_fn(|_| match self.lane.link.streams.borrow_mut().send(self.lane.slot, piece, last) {
                Ok(0) if self.lane.is_late() => Poll::Ready(Err(Gone)),
                Ok(0) => Poll::Pending,
                sent => Poll::Ready(sent),
            })
            .await?;
            add(&self.lane.sent, sent);
            self.lane.moved();
            piece = &piece[sent..];
        }
        Ok(())
    }

    async fn end(&mut self, trailers: Option<HeaderMap>) -> Result<(), Gone> {
        let mut streams = self.lane.link.streams.borrow_mut();
        let Some(trailers) = trailers else { return streams.send_end(self.lane.slot) };
        streams.send_headers(self.lane.slot, true, |to| {
            trailers.iter().for_each(|(name, value)| hpack::field(to, name.as_str().as_bytes(), value.as_bytes()));
        })
    }

    /// Frames leave with the connection's next turn, which comes as soon as this one waits.
    async fn flush(&mut self) -> Result<(), Gone> {
        Ok(())
    }

    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<Gone> {
        if self.lane.link.streams.borrow().is_reset(self.lane.slot) { Poll::Ready(Gone) } else { Poll::Pending }
    }
}
