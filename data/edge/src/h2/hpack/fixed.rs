//! The static table of RFC 7541, Appendix A.

/// Its entries; the first has the index 1.
pub const ENTRIES: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// The index of `:status` with this value, or of any `:status` and that the value is another.
pub fn status_index(status: u16) -> (u8, bool) {
    match status {
        200 => (8, true),
        204 => (9, true),
        206 => (10, true),
        304 => (11, true),
        400 => (12, true),
        404 => (13, true),
        500 => (14, true),
        _ => (8, false),
    }
}

/// The index of a field that answers often have, by its name in lower case.
pub fn index_of(name: &[u8]) -> Option<u8> {
    Some(match name {
        b"age" => 21,
        b"date" => 33,
        b"etag" => 34,
        b"link" => 45,
        b"vary" => 59,
        b"via" => 60,
        b"allow" => 22,
        b"server" => 54,
        b"expires" => 36,
        b"refresh" => 52,
        b"location" => 46,
        b"set-cookie" => 55,
        b"retry-after" => 53,
        b"content-type" => 31,
        b"accept-ranges" => 18,
        b"cache-control" => 24,
        b"content-range" => 30,
        b"last-modified" => 44,
        b"content-length" => 28,
        b"content-encoding" => 26,
        b"content-language" => 27,
        b"content-location" => 29,
        b"www-authenticate" => 61,
        b"content-disposition" => 25,
        b"strict-transport-security" => 56,
        b"access-control-allow-origin" => 20,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{ENTRIES, index_of, status_index};

    #[test]
    fn indices_are_those_of_the_table() {
        for (at, (name, value)) in ENTRIES.iter().enumerate() {
            if let Some(index) = index_of(name.as_bytes()) {
                assert_eq!(usize::from(index), at + 1, "{name}");
            }
            if *name == ":status" {
                let status = value.parse().unwrap_or_default();
                assert_eq!(status_index(status), (u8::try_from(at + 1).unwrap_or_default(), true));
            }
        }
        assert_eq!(ENTRIES.iter().filter(|(name, _)| index_of(name.as_bytes()).is_some()).count(), 26);
    }
}
