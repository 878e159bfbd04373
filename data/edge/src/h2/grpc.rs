//! Which requests a target group takes, by what its targets speak ("ELB User Guide, Target groups for your Application Load
//! Balancers: Protocol version"), and what is particular to gRPC. It sends nothing.

use world::ProtocolVersion;

use crate::http::head::Request;

/// The status of a request that its target group does not take ("ELB User Guide, Troubleshoot your Application Load
/// Balancers: HTTP 464").
pub const INCOMPATIBLE: u16 = 464;

/// What a request is, as the guide's table has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestProtocol {
    Http1,
    Http2,
    Grpc,
}

impl RequestProtocol {
    /// What makes a request by HTTP/2 one of gRPC is its content type.
    pub fn of(request: &Request<'_, '_>) -> Self {
        if !request.http2 {
            return RequestProtocol::Http1;
        }
        let content_type = request.headers.iter().find(|h| h.name.eq_ignore_ascii_case(b"content-type"));
        if content_type.is_some_and(|h| is_grpc(h.value)) { RequestProtocol::Grpc } else { RequestProtocol::Http2 }
    }

    /// Whether a group of this version takes such a request: HTTP/1.1 goes to HTTP/1.1 only, gRPC never does, and what goes to
    /// gRPC is a POST.
    pub fn fits(self, method: &str, version: ProtocolVersion) -> bool {
        match (self, version) {
            (RequestProtocol::Http1 | RequestProtocol::Http2, ProtocolVersion::Http1) => true,
            (RequestProtocol::Http2 | RequestProtocol::Grpc, ProtocolVersion::Http2) => true,
            (RequestProtocol::Http2 | RequestProtocol::Grpc, ProtocolVersion::Grpc) => method == "POST",
            (RequestProtocol::Http1, ProtocolVersion::Http2 | ProtocolVersion::Grpc) => false,
            (RequestProtocol::Grpc, ProtocolVersion::Http1) => false,
        }
    }
}

/// Whether this is the content type of a gRPC message: `application/grpc`, with a format or parameters behind it (gRPC over
/// HTTP2).
fn is_grpc(content_type: &[u8]) -> bool {
    let (begin, rest) = content_type.split_at(content_type.len().min("application/grpc".len()));
    begin.eq_ignore_ascii_case(b"application/grpc") && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// The number in a `grpc-status`: up to two digits.
pub fn status(value: &[u8]) -> Option<u16> {
    let digits = value.len() <= 2 && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use world::ProtocolVersion::{Grpc, Http1, Http2};

    use super::{RequestProtocol, is_grpc, status};

    /// "Protocol version": the table of request protocols and versions.
    #[test]
    fn requests_fit_groups_as_the_guides_table_says() {
        let cases = [
            (RequestProtocol::Http1, "GET", [true, false, false]),
            (RequestProtocol::Http1, "POST", [true, false, false]),
            (RequestProtocol::Http2, "GET", [true, true, false]),
            (RequestProtocol::Http2, "POST", [true, true, true]),
            (RequestProtocol::Grpc, "POST", [false, true, true]),
        ];
        for (protocol, method, expected) in cases {
            assert_eq!([Http1, Http2, Grpc].map(|version| protocol.fits(method, version)), expected, "{protocol:?} {method}");
        }
    }

    #[test]
    fn content_types_of_grpc() {
        for (text, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/GRPC;v=1", true),
            ("application/grpc-web", false),
            ("application/grp", false),
            ("", false),
        ] {
            assert_eq!(is_grpc(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn statuses_are_short_numbers() {
        let cases: [(&[u8], Option<u16>); 6] =
            [(b"0", Some(0)), (b"12", Some(12)), (b"99", Some(99)), (b"100", None), (b"-1", None), (b"", None)];
        for (value, expected) in cases {
            assert_eq!(status(value), expected);
        }
    }
}
