//! The heads that go on: a request to a target and an answer to a client, with what a load balancer adds, changes and
//! keeps to itself ("ELB User Guide, HTTP headers and Application Load Balancers").

use std::net::SocketAddr;

use world::ForwardedFor;

use crate::tls::Agreed;

use super::fields::{Header, Known};
use super::head::{Answer, Framing, Request, authority, is_named_by_connection};
use super::text::{fill_hex, push, push_address, push_header, push_number};

/// What the headers added to a request depend on.
#[derive(Clone, Copy, Debug)]
pub struct RequestRules<'a> {
    pub client: SocketAddr,
    /// The port that the client called.
    pub port: u16,
    /// Stands for a missing Host of HTTP/1.0.
    pub dns_name: &'a str,
    pub preserve_host: bool,
    pub drop_invalid: bool,
    /// What the client's connection has agreed on, if it speaks TLS.
    pub tls: Option<&'a Agreed>,
    /// `routing.http.x_amzn_tls_version_and_cipher_suite.enabled`.
    pub tls_headers: bool,
    pub forwarded_for: ForwardedFor,
    /// `X-Forwarded-For` tells the client's port too.
    pub client_port: bool,
    pub listener: &'a ListenerHeaders,
    pub trace: &'a TraceId,
}

/// A listener's own rules for headers ("ELB User Guide, HTTP header modification").
#[derive(Clone, Debug, Default)]
pub struct ListenerHeaders {
    /// Other names of headers that tell of TLS: AWS's, the wanted one.
    pub request_names: Vec<(String, String)>,
    pub answers: AnswerHeaders,
}

impl ListenerHeaders {
    pub fn new(listener: &world::Listener) -> Self {
        let answers = AnswerHeaders { server: listener.server_header, set: listener.answer_headers.clone() };
        Self { request_names: listener.request_header_names.clone(), answers }
    }

    /// The name that one of the load balancer's headers has here.
    pub fn renamed<'a>(&'a self, name: &'a str) -> &'a str {
        let wanted = self.request_names.iter().find(|(ours, _)| ours.eq_ignore_ascii_case(name));
        wanted.map_or(name, |(_, wanted)| wanted.as_str())
    }

    /// Whether only the load balancer may say this: what a client says under this name goes no further.
    pub fn is_ours(&self, name: &[u8]) -> bool {
        self.request_names.iter().any(|(_, wanted)| wanted.as_bytes().eq_ignore_ascii_case(name))
    }
}

/// What a listener changes of every answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerHeaders {
    /// Answers that name no server name this load balancer.
    pub server: bool,
    /// Names and values that take the place of an answer's own.
    pub set: Vec<(String, String)>,
}

/// Of a listener that nobody has changed, and where no listener is known.
pub static PLAIN: AnswerHeaders = AnswerHeaders { server: true, set: Vec::new() };

impl AnswerHeaders {
    fn sets(&self, name: &[u8]) -> bool {
        self.set.iter().any(|(set, _)| set.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Whether the answer gets the load balancer's name.
    pub fn names_server(&self, has_server: bool) -> bool {
        self.server && !has_server && !self.sets(b"server")
    }

    /// Writes what is added to an answer.
    pub fn write(&self, out: &mut Vec<u8>, has_server: bool) {
        if self.names_server(has_server) {
            push(out, &["Server: awselb/2.0\r\n"]);
        }
        for (name, value) in &self.set {
            push(out, &[name, ": ", value, "\r\n"]);
        }
    }
}

impl Default for AnswerHeaders {
    fn default() -> Self {
        PLAIN.clone()
    }
}

/// A root of `X-Amzn-Trace-Id`: `1-TIME-ID` with 8 and 24 hexadecimal digits.
#[derive(Clone, Copy, Debug)]
pub struct TraceId([u8; 35]);

impl TraceId {
    pub fn new(second: u64, random: (u64, u32)) -> Self {
        let mut text = *b"1-00000000-000000000000000000000000";
        fill_hex(&mut text[2..10], second);
        fill_hex(&mut text[11..27], random.0);
        fill_hex(&mut text[27..], random.1.into());
        Self(text)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Writes the head of a request as its target gets it; tells whether it had headers whose names are not valid.
pub fn write_request(out: &mut Vec<u8>, request: &Request<'_, '_>, rules: &RequestRules<'_>) -> bool {
    let mut has_invalid = false;
    let (host, path) = host_and_path(request);
    push(out, &[request.method, " ", path.0, path.1, " HTTP/1.1\r\n"]);
    write_host(out, host.unwrap_or(rules.dns_name), rules);
    let mut trace = None;
    for header in request.headers {
        match header.known {
            Known::Host
            | Known::Connection
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::Te
            | Known::TransferEncoding
            | Known::Upgrade
            | Known::ContentLength
            | Known::ForwardedProto
            | Known::ForwardedPort
            | Known::TlsFact => {}
            Known::ForwardedFor if rules.forwarded_for == ForwardedFor::Preserve => push_header(out, header),
            Known::ForwardedFor => {}
            Known::TraceId => trace = Some(header.value),
            Known::Expect if !request.http11 => {}
            Known::Trailer if request.framing != Framing::Chunked => {}
            Known::Expect | Known::Trailer => push_header(out, header),
            Known::Date | Known::Server | Known::Other => {
                has_invalid |= !header.is_valid;
                let dropped = (request.names_headers && is_named_by_connection(request.headers, header.name))
                    || (rules.drop_invalid && !header.is_valid)
                    || rules.listener.is_ours(header.name);
                if !dropped {
                    push_header(out, header);
                }
            }
        }
    }
    write_forwarded(out, request, rules);
    write_trace(out, trace, rules.trace.as_bytes());
    if let Some(agreed) = rules.tls {
        write_tls(out, agreed, rules);
    }
    match request.framing {
        Framing::Length(length) => {
            push(out, &["Content-Length: "]);
            push_number(out, length);
            push(out, &["\r\n"]);
        }
        Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Framing::None | Framing::UntilClose => {}
    }
    if let Some(protocol) = request.upgrade {
        push(out, &["Connection: upgrade\r\nUpgrade: ", protocol, "\r\n"]);
    }
    out.extend_from_slice(b"\r\n");
    has_invalid
}

/// The host that the request is for, and the two parts of its target in origin form. The absolute form's host wins
/// over the header's (RFC 9112, 3.2.2).
pub fn host_and_path<'b>(request: &Request<'b, '_>) -> (Option<&'b str>, (&'static str, &'b str)) {
    host_and_path_of(request.target, request.host)
}

/// Likewise, of a target and what its Host header says.
pub fn host_and_path_of<'b>(target: &'b str, host: Option<&'b str>) -> (Option<&'b str>, (&'static str, &'b str)) {
    let absolute = if target.starts_with('/') { None } else { authority(target) };
    match absolute {
        Some((host, path)) => (Some(host), (if path.starts_with('/') { "" } else { "/" }, path)),
        None => (host.filter(|h| !h.is_empty()), ("", target)),
    }
}

/// Unless it is preserved, Host carries the port exactly when it is not a default one ("ELB User Guide, Host header
/// preservation").
fn write_host(out: &mut Vec<u8>, host: &str, rules: &RequestRules<'_>) {
    let (name, port) = split_port(host);
    push(out, &["Host: "]);
    if rules.preserve_host {
        push(out, &[host]);
    } else if matches!(rules.port, 80 | 443) {
        push(out, &[name]);
    } else if port.is_some() {
        push(out, &[host]);
    } else {
        push(out, &[name, ":"]);
        push_number(out, rules.port);
    }
    push(out, &["\r\n"]);
}

/// A host's name and its port, if it has one.
pub fn split_port(host: &str) -> (&str, Option<&str>) {
    let digits = host.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (name, port) = host.split_at(host.len() - digits);
    match name.strip_suffix(':') {
        // "RFC 3986, 3.2.3: port = *DIGIT": an empty one is none.
        Some(name) => (name, Some(port).filter(|port| !port.is_empty())),
        None => (host, None),
    }
}

/// "ELB User Guide, X-Forwarded headers": the client is appended to what came, what came is preserved alone, or removed.
fn write_forwarded(out: &mut Vec<u8>, request: &Request<'_, '_>, rules: &RequestRules<'_>) {
    if rules.forwarded_for == ForwardedFor::Append {
        push(out, &["X-Forwarded-For: "]);
        for header in request.headers.iter().filter(|h| h.known == Known::ForwardedFor && !h.value.is_empty()) {
            out.extend_from_slice(header.value);
            push(out, &[", "]);
        }
        push_address(out, rules.client.ip(), rules.client_port.then(|| rules.client.port()));
        push(out, &["\r\n"]);
    }
    let scheme = if rules.tls.is_some() { "https" } else { "http" };
    push(out, &["X-Forwarded-Proto: ", scheme, "\r\nX-Forwarded-Port: "]);
    push_number(out, rules.port);
    push(out, &["\r\n"]);
}

/// What the connection tells of itself and of the client's certificate ("ELB User Guide, Mutual authentication with TLS";
/// "TLS version and cipher headers"), under the names that the listener has for it. Clients cannot: their fields of these
/// names go no further.
fn write_tls(out: &mut Vec<u8>, agreed: &Agreed, rules: &RequestRules<'_>) {
    let client = agreed.client.iter().flat_map(|client| &client.headers).map(|(name, value)| (*name, value.as_str()));
    let connection = [("X-Amzn-Tls-Version", agreed.version), ("X-Amzn-Tls-Cipher-Suite", agreed.cipher)];
    let connection = connection.into_iter().filter(|_| rules.tls_headers);
    for (name, value) in client.chain(connection) {
        push(out, &[rules.listener.renamed(name), ": ", value, "\r\n"]);
    }
}

/// A new root, or our own field before those that came ("ELB User Guide, Request tracing").
fn write_trace(out: &mut Vec<u8>, came: Option<&[u8]>, trace: &[u8]) {
    push(out, &["X-Amzn-Trace-Id: "]);
    push_trace(out, came, trace);
    push(out, &["\r\n"]);
}

/// The value of `X-Amzn-Trace-Id`.
pub fn push_trace(out: &mut Vec<u8>, came: Option<&[u8]>, trace: &[u8]) {
    let came = came.map(<[u8]>::trim_ascii).filter(|c| !c.is_empty());
    push(out, &[if came.is_some() { "Self=" } else { "Root=" }]);
    out.extend_from_slice(trace);
    let Some(came) = came else { return };
    for field in came.split(|b| *b == b';').map(<[u8]>::trim_ascii).filter(|f| !f.is_empty() && !f.starts_with(b"Self=")) {
        out.push(b';');
        out.extend_from_slice(field);
    }
}

/// How an answer goes to its client.
#[derive(Clone, Copy, Debug)]
pub struct AnswerRules<'a> {
    pub date: &'a str,
    pub close: bool,
    /// The body's framing on the way out is chunked.
    pub chunked: bool,
    /// The protocol to which the connection changes with it, such as that of WebSockets.
    pub switching: Option<&'a str>,
    /// Values of the cookies that the load balancer adds.
    pub cookies: &'a [String],
    pub listener: &'a AnswerHeaders,
}

/// Whether a header of a target's answer is for the client, too.
pub fn goes_on(header: &Header<'_>, answer: &Answer<'_, '_>, listener: &AnswerHeaders) -> bool {
    match header.known {
        Known::Connection | Known::KeepAlive | Known::ProxyConnection | Known::Te | Known::TransferEncoding | Known::Upgrade => {
            false
        }
        Known::Trailer => answer.framing == Framing::Chunked,
        // Content-Length of an answer without a body (to HEAD, 304) tells of what is not sent; 204 and 1xx must not have it.
        Known::ContentLength if answer.status < 200 || answer.status == 204 => false,
        _ if answer.names_headers && is_named_by_connection(answer.headers, header.name) => false,
        _ => listener.set.is_empty() || answer.status < 200 || !listener.sets(header.name),
    }
}

/// "The server MUST send an Upgrade header field in a 426 response to indicate the required protocol(s)" (RFC 9110, 15.5.22).
fn requires_upgrade(header: &Header<'_>, answer: &Answer<'_, '_>) -> bool {
    answer.status == 426 && header.known == Known::Upgrade
}

fn write_upgrades(out: &mut Vec<u8>, answer: &Answer<'_, '_>) {
    answer.headers.iter().filter(|header| requires_upgrade(header, answer)).for_each(|header| push_header(out, header));
}

/// What the answer says of its connection, which names `Upgrade` too where that is sent (RFC 9110, 7.8).
fn connection(answer: &Answer<'_, '_>, close: bool) -> &'static str {
    let upgrades = answer.status == 426 && answer.headers.iter().any(|header| requires_upgrade(header, answer));
    match (upgrades, close) {
        (false, false) => "Connection: keep-alive\r\n",
        (false, true) => "Connection: close\r\n",
        (true, false) => "Connection: upgrade, keep-alive\r\n",
        (true, true) => "Connection: upgrade, close\r\n",
    }
}

/// Writes the head of a target's answer as the client gets it.
pub fn write_answer(out: &mut Vec<u8>, answer: &Answer<'_, '_>, rules: &AnswerRules<'_>) {
    push(out, &["HTTP/1.1 "]);
    push_number(out, answer.status);
    for part in [b" ", answer.reason, b"\r\n"] {
        out.extend_from_slice(part);
    }
    for header in answer.headers.iter().filter(|header| goes_on(header, answer, rules.listener)) {
        push_header(out, header);
    }
    for cookie in rules.cookies {
        push(out, &["Set-Cookie: ", cookie, "\r\n"]);
    }
    if answer.status >= 200 {
        rules.listener.write(out, answer.has_server);
        if !answer.has_date {
            push(out, &["Date: ", rules.date, "\r\n"]);
        }
        if rules.chunked {
            push(out, &["Transfer-Encoding: chunked\r\n"]);
        }
        push(out, &[connection(answer, rules.close)]);
        write_upgrades(out, answer);
    } else if let Some(protocol) = rules.switching {
        push(out, &["Connection: upgrade\r\nUpgrade: ", protocol, "\r\n"]);
    }
    out.extend_from_slice(b"\r\n");
}
