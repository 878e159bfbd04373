//! The answers that the load balancer gives by itself, in the words of an ALB.

use super::forward::AnswerHeaders;
use super::text::{push, push_number};

/// What one of the load balancer's own answers says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnAnswer<'a> {
    pub status: u16,
    pub content_type: &'a str,
    pub body: &'a [u8],
    /// The connection ends after it.
    pub close: bool,
    /// Where a redirect leads.
    pub location: Option<&'a str>,
    /// The request was HEAD: the body is announced and left out.
    pub to_head: bool,
    /// What its listener changes of answers.
    pub headers: &'a AnswerHeaders,
}

/// Writes the answer to plain text where only TLS is spoken.
pub fn write_plain_to_https(out: &mut Vec<u8>, date: &str, headers: &AnswerHeaders) {
    let why = "The plain HTTP request was sent to HTTPS port";
    let body = format!(
        "<html>\r\n<head><title>400 {why}</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n\
         <center>{why}</center>\r\n</body>\r\n</html>\r\n"
    );
    let (content_type, body) = ("text/html", body.as_bytes());
    let (close, location, to_head) = (true, None, false);
    write(out, date, &OwnAnswer { status: 400, content_type, body, close, location, to_head, headers });
}

/// Writes one of the load balancer's own answers, with the page that an ALB shows for this status.
pub fn write_page(out: &mut Vec<u8>, status: u16, date: &str, close: bool, to_head: bool, headers: &AnswerHeaders) {
    let page = OwnAnswer { status, content_type: "text/html", body: &[], close, location: None, to_head, headers };
    write_with_page(out, date, &page);
}

/// Writes an answer whose body is the page that an ALB shows for its status, such as that of a redirect.
pub fn write_with_page(out: &mut Vec<u8>, date: &str, answer: &OwnAnswer<'_>) {
    let (status, phrase) = (answer.status, phrase(answer.status));
    if phrase.is_empty() {
        return write(out, date, answer);
    }
    let body = format!(
        "<html>\r\n<head><title>{status} {phrase}</title></head>\r\n<body>\r\n<center><h1>{status} {phrase}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    write(out, date, &OwnAnswer { content_type: "text/html", body: body.as_bytes(), ..*answer });
}

/// Writes an answer with a body of the user's choice.
pub fn write(out: &mut Vec<u8>, date: &str, answer: &OwnAnswer<'_>) {
    let OwnAnswer { status, content_type, body, close, location, to_head, headers } = *answer;
    let has_body = status != 204 && status != 304;
    push(out, &["HTTP/1.1 "]);
    push_number(out, status);
    push(out, &[" ", phrase(status), "\r\n"]);
    headers.write(out, false);
    push(out, &["Date: ", date, "\r\n"]);
    if !body.is_empty() {
        push(out, &["Content-Type: ", content_type, "\r\n"]);
    }
    if has_body {
        push(out, &["Content-Length: "]);
        push_number(out, body.len() as u64);
        push(out, &["\r\n"]);
    }
    if let Some(location) = location {
        push(out, &["Location: ", location, "\r\n"]);
    }
    push(out, &[if close { "Connection: close\r\n\r\n" } else { "Connection: keep-alive\r\n\r\n" }]);
    if !to_head && has_body {
        out.extend_from_slice(body);
    }
}

/// The reason phrase of a status as an ALB writes it.
pub fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Authorization Required",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Time-out",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        418 => "I'm a teapot",
        421 => "Misdirected Request",
        422 => "Unprocessable Entity",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        // An ALB has neither words nor a page for it.
        464 => "",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        511 => "Network Authentication Required",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{OwnAnswer, write, write_page};
    use crate::http::forward::PLAIN;

    #[test]
    fn pages_are_those_of_an_alb() {
        let mut out = Vec::new();
        write_page(&mut out, 503, "Thu, 01 Jan 1970 00:00:00 GMT", false, false, &PLAIN);
        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 Service Temporarily Unavailable\r\nServer: awselb/2.0\r\n"), "{head}");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
        assert_eq!(
            body,
            "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>\r\n\
             <center><h1>503 Service Temporarily Unavailable</h1></center>\r\n</body>\r\n</html>\r\n"
        );
    }

    #[test]
    fn head_and_204_carry_no_body() {
        for (status, to_head) in [(200, true), (204, false)] {
            let mut out = Vec::new();
            let headers = &PLAIN;
            let answer =
                OwnAnswer { status, content_type: "text/plain", body: b"abc", close: true, location: None, to_head, headers };
            write(&mut out, "", &answer);
            assert!(String::from_utf8(out).unwrap().ends_with("Connection: close\r\n\r\n"));
        }
    }
}
