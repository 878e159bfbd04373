//! The heads that go on: a request to a target and an answer to a client, with what a load balancer adds, changes and
//! keeps to itself ("ELB User Guide, HTTP headers and Application Load Balancers").

use std::io::Write;
use std::net::IpAddr;

use httparse::Header;

use crate::tls::Agreed;

use super::head::{Answer, Framing, Known, Request, authority, is_named_by_connection};

/// What the headers added to a request depend on.
#[derive(Clone, Copy, Debug)]
pub struct RequestRules<'a> {
    pub client: IpAddr,
    /// The port that the client called.
    pub port: u16,
    /// Stands for a missing Host of HTTP/1.0.
    pub dns_name: &'a str,
    pub preserve_host: bool,
    pub drop_invalid: bool,
    /// `1-TIME-ID`, for a new field of `X-Amzn-Trace-Id`.
    pub trace: &'a str,
    /// What the client's connection has agreed on, if it speaks TLS.
    pub tls: Option<&'a Agreed>,
    /// `routing.http.x_amzn_tls_version_and_cipher_suite.enabled`.
    pub tls_headers: bool,
}

/// Writes the head of a request as its target gets it.
pub fn write_request(out: &mut Vec<u8>, request: &Request<'_, '_>, rules: &RequestRules<'_>) {
    let (host, path) = host_and_path(request);
    push(out, &[request.method, " ", path.0, path.1, " HTTP/1.1\r\n"]);
    write_host(out, host.unwrap_or(rules.dns_name), rules);
    let mut trace = None;
    for header in request.headers {
        match Known::of(header.name) {
            Known::Host
            | Known::Connection
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::Te
            | Known::Trailer
            | Known::TransferEncoding
            | Known::Upgrade
            | Known::ContentLength
            | Known::ForwardedFor
            | Known::ForwardedProto
            | Known::ForwardedPort
            | Known::TlsFact => {}
            Known::TraceId => trace = Some(header.value),
            Known::Expect if !request.http11 => {}
            Known::Expect => push_header(out, header),
            Known::Date | Known::Other => {
                let dropped = (request.names_headers && is_named_by_connection(request.headers, header.name))
                    || (rules.drop_invalid && !is_valid_name(header.name));
                if !dropped {
                    push_header(out, header);
                }
            }
        }
    }
    write_forwarded(out, request, rules);
    write_trace(out, trace, rules.trace);
    if let Some(agreed) = rules.tls {
        write_tls(out, agreed, rules.tls_headers);
    }
    match request.framing {
        Framing::Length(length) => {
            let _ = write!(out, "Content-Length: {length}\r\n");
        }
        Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Framing::None | Framing::UntilClose => {}
    }
    if request.websocket {
        out.extend_from_slice(b"Connection: upgrade\r\nUpgrade: websocket\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// The host that the request is for, and the two parts of its target in origin form. The absolute form's host wins
/// over the header's (RFC 9112, 3.2.2).
pub fn host_and_path<'b>(request: &Request<'b, '_>) -> (Option<&'b str>, (&'static str, &'b str)) {
    match authority(request.target).filter(|_| !request.target.starts_with('/')) {
        Some((host, path)) => (Some(host), (if path.starts_with('/') { "" } else { "/" }, path)),
        None => (request.host.filter(|h| !h.is_empty()), ("", request.target)),
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
        let _ = write!(out, "{name}:{}", rules.port);
    }
    push(out, &["\r\n"]);
}

/// A host's name and its port, if it has one.
pub fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !port.is_empty() => (name, Some(port)),
        _ => (host, None),
    }
}

fn write_forwarded(out: &mut Vec<u8>, request: &Request<'_, '_>, rules: &RequestRules<'_>) {
    push(out, &["X-Forwarded-For: "]);
    for header in request.headers.iter().filter(|h| Known::of(h.name) == Known::ForwardedFor && !h.value.is_empty()) {
        out.extend_from_slice(header.value);
        push(out, &[", "]);
    }
    match rules.client {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            let _ = write!(out, "{a}.{b}.{c}.{d}");
        }
        IpAddr::V6(address) => {
            let _ = write!(out, "{address}");
        }
    }
    let scheme = if rules.tls.is_some() { "https" } else { "http" };
    let _ = write!(out, "\r\nX-Forwarded-Proto: {scheme}\r\nX-Forwarded-Port: {}\r\n", rules.port);
}

/// What the connection tells of itself and of the client's certificate ("ELB User Guide, Mutual authentication with TLS";
/// "TLS version and cipher headers"). Clients cannot: their fields of these names go no further.
fn write_tls(out: &mut Vec<u8>, agreed: &Agreed, version_and_cipher: bool) {
    for (name, value) in agreed.client.iter().flat_map(|client| &client.headers) {
        push(out, &[name, ": ", value, "\r\n"]);
    }
    if version_and_cipher {
        push(out, &["X-Amzn-Tls-Version: ", agreed.version, "\r\nX-Amzn-Tls-Cipher-Suite: ", agreed.cipher, "\r\n"]);
    }
}

/// A new root, or our own field before those that came ("ELB User Guide, Request tracing").
fn write_trace(out: &mut Vec<u8>, came: Option<&[u8]>, trace: &str) {
    let Some(came) = came.map(<[u8]>::trim_ascii).filter(|c| !c.is_empty()) else {
        push(out, &["X-Amzn-Trace-Id: Root=", trace, "\r\n"]);
        return;
    };
    push(out, &["X-Amzn-Trace-Id: Self=", trace]);
    for field in came.split(|b| *b == b';').map(<[u8]>::trim_ascii).filter(|f| !f.is_empty() && !f.starts_with(b"Self=")) {
        out.push(b';');
        out.extend_from_slice(field);
    }
    push(out, &["\r\n"]);
}

/// `routing.http.drop_invalid_header_fields.enabled`: names of letters, digits and hyphens only.
fn is_valid_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// How an answer goes to its client.
#[derive(Clone, Copy, Debug)]
pub struct AnswerRules<'a> {
    pub date: &'a str,
    pub close: bool,
    /// The body's framing on the way out is chunked.
    pub chunked: bool,
    /// The answer to a WebSocket handshake: the connection changes its protocol.
    pub switching: bool,
    /// Values of the cookies that the load balancer adds.
    pub cookies: &'a [String],
}

/// Writes the head of a target's answer as the client gets it.
pub fn write_answer(out: &mut Vec<u8>, answer: &Answer<'_, '_>, rules: &AnswerRules<'_>) {
    let _ = write!(out, "HTTP/1.1 {} {}\r\n", answer.status, answer.reason);
    for header in answer.headers {
        match Known::of(header.name) {
            Known::Connection
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::Te
            | Known::Trailer
            | Known::TransferEncoding
            | Known::Upgrade => {}
            // Content-Length of an answer without a body (to HEAD, 304) tells of what is not sent; 204 and 1xx must not have it.
            Known::ContentLength if answer.status < 200 || answer.status == 204 => {}
            _ if answer.names_headers && is_named_by_connection(answer.headers, header.name) => {}
            _ => push_header(out, header),
        }
    }
    for cookie in rules.cookies {
        push(out, &["Set-Cookie: ", cookie, "\r\n"]);
    }
    if answer.status >= 200 {
        if !answer.has_date {
            push(out, &["Date: ", rules.date, "\r\n"]);
        }
        if rules.chunked {
            push(out, &["Transfer-Encoding: chunked\r\n"]);
        }
        push(out, &[if rules.close { "Connection: close\r\n" } else { "Connection: keep-alive\r\n" }]);
    } else if rules.switching {
        push(out, &["Connection: upgrade\r\nUpgrade: websocket\r\n"]);
    }
    out.extend_from_slice(b"\r\n");
}

fn push_header(out: &mut Vec<u8>, header: &Header<'_>) {
    out.extend_from_slice(header.name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(header.value);
    out.extend_from_slice(b"\r\n");
}

fn push(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}
