use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same, with slashes kept.
const IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// The path without redundant and relative parts, and encoded once more, as every service but S3 wants it.
pub(super) fn canonical_path(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let end = if path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    utf8_percent_encode(&format!("/{}{end}", parts.join("/")), IN_PATH).to_string()
}

/// The decoded parameters of a URL.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = text.split('&').filter(|p| !p.is_empty());
        Self(pairs.map(|p| p.split_once('=').unwrap_or((p, ""))).map(|(k, v)| (decoded(k), decoded(v))).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Encoded, sorted and joined; without the signature itself.
    pub(super) fn canonical(&self) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
        let all = self.0.iter().filter(|(key, _)| key != "X-Amz-Signature");
        let mut all: Vec<(String, String)> = all.map(|(k, v)| (encoded(k), encoded(v))).collect();
        all.sort_unstable();
        all.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("&")
    }
}

/// A line for each signed header; none when one of them is not there.
pub(super) fn canonical_headers(headers: &HeaderMap, signed: &[String]) -> Option<String> {
    let mut lines = String::new();
    for name in signed {
        let values: Vec<String> =
            headers.get_all(name.as_str()).iter().map(|v| trimmed(&String::from_utf8_lossy(v.as_bytes()))).collect();
        if values.is_empty() {
            return None;
        }
        lines.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    Some(lines)
}

/// Without spaces at the ends, and inner runs of spaces as one.
fn trimmed(value: &str) -> String {
    value.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
