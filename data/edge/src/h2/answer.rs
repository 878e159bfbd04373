//! The answer to a client's request, on its way into the frames of its stream. It is not taken faster than the client does.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::task::{Context, Poll};

use ::h2::server::SendResponse;
use ::h2::{Reason, SendStream};
use bytes::Bytes;
use http::header::{DATE, HeaderName, HeaderValue, SERVER, SET_COOKIE};
use http::{HeaderMap, Response, StatusCode};
use memchr::memmem::find;

use super::exchange::{Gone, Sink, is_bare};
use super::link::{Lane, add, size_of};
use crate::http::forward::{AnswerHeaders, goes_on};
use crate::http::head::{Answer, HEADERS_MAX, parse_answer};

/// Headers that are added to an answer, as a rule.
const ADDED: usize = 2;
/// So much of an answer's end may wait for room behind it, when the target has done its part.
const REST_BYTES_MAX: usize = 4 * 1024;

pub struct Outgoing<'a> {
    lane: Rc<Lane>,
    respond: SendResponse<Bytes>,
    /// Once the final head is sent.
    stream: Option<SendStream<Bytes>>,
    headers: &'a AnswerHeaders,
}

impl<'a> Outgoing<'a> {
    pub fn new(respond: SendResponse<Bytes>, lane: Rc<Lane>, headers: &'a AnswerHeaders) -> Self {
        Self { lane, respond, stream: None, headers }
    }

    /// Sends one of the load balancer's own answers, as it is written for HTTP/1.1.
    pub async fn page(&mut self, text: &[u8], to_head: bool) -> Result<(), Gone> {
        let end = find(text, b"\r\n\r\n").map_or(text.len(), |at| at + 4);
        let (head, body) = text.split_at(end);
        self.begin_page(head, to_head, body.is_empty())?;
        if body.is_empty() {
            return Ok(());
        }
        self.data(Bytes::copy_from_slice(body), true).await
    }

    /// There is no waiting here, so that no stream carries room for headers.
    fn begin_page(&mut self, head: &[u8], to_head: bool, whole: bool) -> Result<(), Gone> {
        let mut slots = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let answer = parse_answer(head, &mut slots, to_head).map_err(|_| Gone)?;
        let mut headers = HeaderMap::with_capacity(answer.headers.len());
        let nothing = AnswerHeaders { server: false, set: Vec::new() };
        copy_headers(&mut headers, &answer, &nothing);
        self.begin(answer.status, headers, whole)
    }

    /// Tells the client that its answer will not become whole.
    pub fn reset(&mut self, reason: Reason) {
        match &mut self.stream {
            Some(stream) => stream.send_reset(reason),
            None => self.respond.send_reset(reason),
        }
    }

    fn begin(&mut self, status: u16, headers: HeaderMap, whole: bool) -> Result<(), Gone> {
        add(&self.lane.sent, size_of(&headers));
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Gone)?;
        *response.headers_mut() = headers;
        if status < 200 {
            return self.respond.send_informational(response).map_err(|_| Gone);
        }
        self.stream = Some(self.respond.send_response(response, whole).map_err(|_| Gone)?);
        self.lane.moved();
        Ok(())
    }

    fn send(&mut self, piece: Bytes, last: bool) -> Result<(), Gone> {
        let Some(stream) = &mut self.stream else { return Err(Gone) };
        add(&self.lane.sent, piece.len());
        stream.send_data(piece, last).map_err(|_| Gone)?;
        self.lane.moved();
        Ok(())
    }

    /// Waits until the client has room for some of so many bytes.
    async fn room(&mut self, bytes: usize) -> Result<usize, Gone> {
        let Some(stream) = &mut self.stream else { return Err(Gone) };
        stream.reserve_capacity(bytes);
        let room = stream.capacity();
        if room > 0 {
            return Ok(room);
        }
        poll_fn(|cx| {
            loop {
                return match stream.poll_capacity(cx) {
                    // That there is none is news, too: only the next call waits for more.
                    Poll::Ready(Some(Ok(0))) => continue,
                    Poll::Ready(Some(Ok(room))) => Poll::Ready(Ok(room)),
                    Poll::Ready(_) => Poll::Ready(Err(Gone)),
                    Poll::Pending if self.lane.is_late() => Poll::Ready(Err(Gone)),
                    Poll::Pending => Poll::Pending,
                };
            }
        })
        .await
    }
}

/// Copies what goes on of an answer's headers. What cannot be said in HTTP/2 is left out.
fn copy_headers(to: &mut HeaderMap, answer: &Answer<'_, '_>, listener: &AnswerHeaders) {
    for header in answer.headers.iter().filter(|header| goes_on(header, answer, listener)) {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(header.value)) {
            to.append(name, value);
        }
    }
}

impl Sink for Outgoing<'_> {
    fn head(&mut self, answer: &Answer<'_, '_>, cookies: &[String]) -> Result<(), Gone> {
        let mut headers = HeaderMap::with_capacity(answer.headers.len() + cookies.len() + ADDED);
        copy_headers(&mut headers, answer, self.headers);
        for cookie in cookies {
            if let Ok(value) = HeaderValue::from_str(cookie) {
                headers.append(SET_COOKIE, value);
            }
        }
        if answer.status >= 200 {
            if self.headers.names_server(answer.has_server) {
                headers.insert(SERVER, HeaderValue::from_static("awselb/2.0"));
            }
            for (name, value) in &self.headers.set {
                if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
                    headers.append(name, value);
                }
            }
            if !answer.has_date {
                let date = self.lane.link.worker.date.with(HeaderValue::from_str);
                date.into_iter().for_each(|date| drop(headers.insert(DATE, date)));
            }
        }
        self.begin(answer.status, headers, is_bare(answer.framing))
    }

    async fn data(&mut self, mut piece: Bytes, last: bool) -> Result<(), Gone> {
        if last && piece.len() <= REST_BYTES_MAX {
            return self.send(piece, true);
        }
        loop {
            let room = self.room(piece.len()).await?;
            let is_all = room >= piece.len();
            let part = if is_all { std::mem::take(&mut piece) } else { piece.split_to(room) };
            self.send(part, last && is_all)?;
            if is_all {
                return Ok(());
            }
        }
    }

    async fn end(&mut self, trailers: Option<HeaderMap>) -> Result<(), Gone> {
        let Some(stream) = &mut self.stream else { return Err(Gone) };
        match trailers {
            Some(trailers) => stream.send_trailers(trailers),
            None => stream.send_data(Bytes::new(), true),
        }
        .map_err(|_| Gone)
    }

    /// Frames leave with the connection's next turn, which comes as soon as this one waits.
    async fn flush(&mut self) -> Result<(), Gone> {
        Ok(())
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Gone> {
        let reset = match &mut self.stream {
            Some(stream) => stream.poll_reset(cx),
            None => self.respond.poll_reset(cx),
        };
        reset.map(|_| Gone)
    }
}
