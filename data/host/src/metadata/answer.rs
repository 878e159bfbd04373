//! Requests to the instance metadata service and their answers, as bytes. Pure.
//!
//! AWS behaviour: EC2 User Guide, "Use instance metadata to manage your EC2 instance" and "How Instance Metadata
//! Service Version 2 works".

use std::collections::BTreeSet;
use std::fmt::Write;

use aws_lc_rs::hmac;
use base::InstanceId;

const HEADERS_MAX: usize = 32;
const TTL_SECONDS_MAX: u64 = 21_600;
const MAC_BYTES: usize = 24;
const EXPIRY_BYTES: usize = 8;

const TOKEN_HEADER: &str = "x-aws-ec2-metadata-token";
const TTL_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";

/// The instance that asks.
pub(crate) struct Subject<'a> {
    pub instance: InstanceId,
    pub user_data: Option<&'a [u8]>,
    pub metadata: &'a world::Metadata,
}

pub(super) enum Reply {
    Incomplete,
    Answer { consumed: usize, bytes: Vec<u8>, close: bool },
}

/// Session tokens: an expiry and a proof that we wrote it for this instance. Nothing is stored for them.
pub(super) struct Tokens(hmac::Key);

impl Tokens {
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    fn issue(&self, instance: &InstanceId, expires_s: u64) -> String {
        let expiry = expires_s.to_be_bytes();
        let mac = self.mac(instance, expiry);
        expiry.iter().chain(&mac.as_ref()[..MAC_BYTES]).fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").ok();
            text
        })
    }

    fn mac(&self, instance: &InstanceId, expiry: [u8; EXPIRY_BYTES]) -> hmac::Tag {
        hmac::sign(&self.0, &[instance.as_bytes(), b"\0", &expiry].concat())
    }

    fn is_valid(&self, token: &str, instance: &InstanceId, now_s: u64) -> bool {
        let pairs = token.as_bytes().chunks(2);
        let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|text| u8::from_str_radix(text, 16).ok());
        let bytes: Option<Vec<u8>> = if token.len() == 2 * (EXPIRY_BYTES + MAC_BYTES) { pairs.map(byte).collect() } else { None };
        let Some((expiry, mac)) = bytes.as_deref().and_then(|bytes| bytes.split_first_chunk::<EXPIRY_BYTES>()) else {
            return false;
        };
        let wanted = self.mac(instance, *expiry);
        let same = aws_lc_rs::constant_time::verify_slices_are_equal(&wanted.as_ref()[..MAC_BYTES], mac).is_ok();
        same && u64::from_be_bytes(*expiry) > now_s
    }
}

/// The headers that matter, at most one value each.
#[derive(Default)]
struct Headers<'a> {
    token: Option<&'a str>,
    ttl: Option<&'a str>,
    forwarded: bool,
    close: bool,
    has_body: bool,
}

/// Answers the first request in `input`.
pub(super) fn answer(input: &[u8], subject: Option<&Subject<'_>>, tokens: &Tokens, now_s: u64) -> Reply {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let consumed = match request.parse(input) {
        Ok(httparse::Status::Complete(consumed)) => consumed,
        Ok(httparse::Status::Partial) => return Reply::Incomplete,
        Err(_) => return Reply::Answer { consumed: input.len(), bytes: Response::error(400).bytes("GET", true), close: true },
    };
    let method = request.method.unwrap_or_default();
    let found = read_headers(request.headers);
    // A body is never read: what follows the head could not be told from the next request.
    let close = found.close || found.has_body || request.version == Some(0);
    let response = match subject {
        _ if found.has_body => Response::error(400),
        Some(subject) if subject.metadata.enabled => {
            respond(method, request.path.unwrap_or_default(), &found, subject, tokens, now_s)
        }
        _ => Response::error(403),
    };
    Reply::Answer { consumed, bytes: response.bytes(method, close), close }
}

/// The answer to a request that does not end.
pub(super) fn too_large() -> Vec<u8> {
    Response::error(431).bytes("GET", true)
}

fn read_headers<'a>(headers: &[httparse::Header<'a>]) -> Headers<'a> {
    let mut found = Headers::default();
    for header in headers {
        let value = std::str::from_utf8(header.value).unwrap_or_default().trim();
        let name = header.name.to_ascii_lowercase();
        match name.as_str() {
            TOKEN_HEADER => found.token = Some(value),
            TTL_HEADER => found.ttl = Some(value),
            "x-forwarded-for" => found.forwarded = true,
            "connection" => found.close = value.eq_ignore_ascii_case("close"),
            "content-length" => found.has_body |= value != "0",
            "transfer-encoding" => found.has_body = true,
            _ => {}
        }
    }
    found
}

fn respond(method: &str, target: &str, headers: &Headers<'_>, subject: &Subject<'_>, tokens: &Tokens, now_s: u64) -> Response {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let below = below_version(path);
    match method {
        "PUT" if below == Some("api/token") => {
            let ttl_s = headers.ttl.and_then(|ttl| ttl.parse().ok()).filter(|ttl| (1..=TTL_SECONDS_MAX).contains(ttl));
            match ttl_s {
                // A proxy that was fooled into passing this on gives itself away so.
                _ if headers.forwarded => Response::error(403),
                None => Response::error(400),
                Some(ttl_s) => {
                    let mut response = Response::text(&tokens.issue(&subject.instance, now_s + ttl_s));
                    response.token_ttl_s = Some(ttl_s);
                    response
                }
            }
        }
        "GET" | "HEAD" => match (headers.token, below) {
            (Some(token), _) if !tokens.is_valid(token, &subject.instance, now_s) => Response::error(401),
            (None, _) if subject.metadata.tokens_required => Response::error(401),
            (_, Some(below)) => look_up(below, subject),
            (_, None) if path == "/" => Response::text("latest"),
            (_, None) => Response::error(404),
        },
        _ => Response::error(405),
    }
}

/// The path after `/latest/` or a dated version, which all mean the same here.
fn below_version(path: &str) -> Option<&str> {
    let (version, rest) = path.strip_prefix('/')?.split_once('/').unwrap_or((path.strip_prefix('/')?, ""));
    let dated = version.len() == 10 && version.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    (version == "latest" || version == "1.0" || dated).then_some(rest)
}

fn look_up(path: &str, subject: &Subject<'_>) -> Response {
    let path = path.strip_suffix('/').unwrap_or(path);
    if path == "user-data" {
        return match subject.user_data {
            Some(bytes) => Response { status: 200, kind: "application/octet-stream", body: bytes.to_vec(), token_ttl_s: None },
            None => Response::error(404),
        };
    }
    let entries = &subject.metadata.entries;
    if let Some(text) = entries.get(path) {
        return Response::text(text);
    }
    let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
    let below = entries.keys().filter_map(|key| key.strip_prefix(prefix.as_str()));
    let mut names: BTreeSet<String> = below
        .map(|rest| match rest.split_once('/') {
            Some((directory, _)) if !path.is_empty() => format!("{directory}/"),
            // The top level is shown without slashes, as AWS does.
            Some((directory, _)) => directory.into(),
            None => rest.into(),
        })
        .collect();
    if path.is_empty() && subject.user_data.is_some() {
        names.insert("user-data".into());
    }
    if names.is_empty() {
        return Response::error(404);
    }
    Response::text(&names.into_iter().collect::<Vec<_>>().join("\n"))
}

struct Response {
    status: u16,
    kind: &'static str,
    body: Vec<u8>,
    token_ttl_s: Option<u64>,
}

impl Response {
    fn text(text: &str) -> Self {
        Self { status: 200, kind: "text/plain", body: text.into(), token_ttl_s: None }
    }

    fn error(status: u16) -> Self {
        let title = format!("{status} - {}", reason(status));
        let body = format!("<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n");
        Self { status, kind: "text/html", body: body.into(), token_ttl_s: None }
    }

    fn bytes(&self, method: &str, close: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        write!(head, "Content-Type: {}\r\nContent-Length: {}\r\n", self.kind, self.body.len()).ok();
        if let Some(ttl_s) = self.token_ttl_s {
            write!(head, "X-Aws-Ec2-Metadata-Token-Ttl-Seconds: {ttl_s}\r\n").ok();
        }
        write!(head, "Connection: {}\r\nServer: EC2ws\r\n\r\n", if close { "close" } else { "keep-alive" }).ok();
        let mut bytes = head.into_bytes();
        if method != "HEAD" {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "Request Header Fields Too Large",
    }
}

#[cfg(test)]
mod tests {
    use super::{Reply, Subject, Tokens, answer};

    const NOW_S: u64 = 1_000;

    fn metadata(tokens_required: bool) -> world::Metadata {
        let entry = |key: &str, value: &str| (key.into(), value.into());
        let entries = [
            entry("meta-data/instance-id", "i-1"),
            entry("meta-data/placement/availability-zone", "eu-central-1a"),
            entry("meta-data/placement/region", "eu-central-1"),
            entry("dynamic/instance-identity/document", "{}"),
        ];
        world::Metadata { entries: entries.into(), tokens_required, enabled: true, hop_limit: 1 }
    }

    fn ask(request: &str, metadata: &world::Metadata, id: &str, now_s: u64) -> (u16, String) {
        let subject = Subject { instance: id.into(), user_data: Some(b"#!/bin/sh\n"), metadata };
        match answer(request.as_bytes(), Some(&subject), &Tokens::new(&[7; 32]), now_s) {
            Reply::Incomplete => (0, String::new()),
            Reply::Answer { bytes, consumed, .. } => {
                assert!(consumed <= request.len());
                let text = String::from_utf8(bytes).expect("text");
                let (head, body) = text.split_once("\r\n\r\n").expect("a head");
                (head[9..12].parse().expect("a status"), body.into())
            }
        }
    }

    fn get(path: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n")
    }

    #[test]
    fn lists_directories_and_gives_leaves() {
        let metadata = metadata(false);
        for (path, status, wanted) in [
            ("/", 200, "latest"),
            ("/latest/", 200, "dynamic\nmeta-data\nuser-data"),
            ("/latest/meta-data/", 200, "instance-id\nplacement/"),
            ("/latest/meta-data", 200, "instance-id\nplacement/"),
            ("/latest/meta-data/placement/", 200, "availability-zone\nregion"),
            ("/latest/meta-data/instance-id", 200, "i-1"),
            ("/2021-07-15/meta-data/instance-id", 200, "i-1"),
            ("/latest/user-data", 200, "#!/bin/sh\n"),
        ] {
            assert_eq!(ask(&get(path), &metadata, "i-1", NOW_S), (status, wanted.into()), "{path}");
        }
        for path in ["/latest/meta-data/nothing", "/earliest/meta-data", "/latest/meta-dat", "/latest/api/token"] {
            assert_eq!(ask(&get(path), &metadata, "i-1", NOW_S).0, 404, "{path}");
        }
    }

    #[test]
    fn tokens_open_what_requires_them_until_they_expire_and_for_one_instance() {
        let metadata = metadata(true);
        let put = |headers: &str| ask(&format!("PUT /latest/api/token HTTP/1.1\r\n{headers}\r\n"), &metadata, "i-1", NOW_S);
        let (status, token) = put("X-aws-ec2-metadata-token-ttl-seconds: 60\r\n");
        assert_eq!(status, 200);
        let with =
            |token: &str| format!("GET /latest/meta-data/instance-id HTTP/1.1\r\nX-aws-ec2-metadata-token: {token}\r\n\r\n");
        assert_eq!(ask(&with(&token), &metadata, "i-1", NOW_S).0, 200);
        assert_eq!(ask(&with(&token), &metadata, "i-1", NOW_S + 60).0, 401, "expired");
        assert_eq!(ask(&with(&token), &metadata, "i-2", NOW_S).0, 401, "another instance's");
        let forged = token.replacen(&token[..1], if token.starts_with('0') { "1" } else { "0" }, 1);
        for bad in [forged.as_str(), "", "zz", &token[1..], "é".repeat(32).as_str()] {
            assert_eq!(ask(&with(bad), &metadata, "i-1", NOW_S).0, 401, "{bad}");
        }
        assert_eq!(ask(&get("/latest/meta-data/instance-id"), &metadata, "i-1", NOW_S).0, 401, "no token");
        for (headers, wanted) in [
            ("", 400),
            ("X-aws-ec2-metadata-token-ttl-seconds: 0\r\n", 400),
            ("X-aws-ec2-metadata-token-ttl-seconds: 21601\r\n", 400),
            ("X-aws-ec2-metadata-token-ttl-seconds: 60\r\nX-Forwarded-For: 10.0.0.1\r\n", 403),
            ("X-aws-ec2-metadata-token-ttl-seconds: 60\r\nContent-Length: 5\r\n", 400),
        ] {
            assert_eq!(put(headers).0, wanted, "{headers}");
        }
    }

    #[test]
    fn refuses_strangers_methods_and_nonsense() {
        let metadata = metadata(false);
        assert_eq!(ask("DELETE /latest/meta-data HTTP/1.1\r\n\r\n", &metadata, "i-1", NOW_S).0, 405);
        assert_eq!(ask("no http at all\r\n\r\n", &metadata, "i-1", NOW_S).0, 400);
        assert_eq!(ask("GET /latest/", &metadata, "i-1", NOW_S).0, 0, "incomplete");
        let disabled = world::Metadata { enabled: false, ..metadata };
        assert_eq!(ask(&get("/latest/meta-data"), &disabled, "i-1", NOW_S).0, 403);
        let tokens = Tokens::new(&[7; 32]);
        match answer(get("/").as_bytes(), None, &tokens, NOW_S) {
            Reply::Answer { bytes, .. } => assert!(bytes.starts_with(b"HTTP/1.1 403 "), "nobody's address"),
            Reply::Incomplete => panic!("it was complete"),
        }
    }
}
