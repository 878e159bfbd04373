//! Random bytes: the readers never fail.

#![allow(clippy::unwrap_used)]

use edge::testing::read_message;
use proptest::prelude::*;

/// Bytes that look like HTTP often enough to get past its first lines.
fn almost_http() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "GET / HTTP/1.1\r\n", "POST /a HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n", "Host: a\r\n", "Content-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\n", "\r\n", "5\r\nhello\r\n", "0\r\n\r\n", "Connection: close\r\n", ": ", "\n", "\r", " ",
        ]).prop_map(|s| s.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_bytes_make_the_readers_fail(bytes in almost_http(), is_request in any::<bool>()) {
        let _ = read_message(&bytes, is_request);
    }

    #[test]
    fn lengths_that_differ_are_never_taken_and_equal_ones_once(length in 0u64..100, other in 0u64..100, space in " {0,3}") {
        let request = |b| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:{space}{length}\r\ncontent-length:{space}{b}\r\n\r\n");
        prop_assert_eq!(read_message(request(other).as_bytes(), true).is_err(), other != length);
        let body = "a".repeat(100);
        let data = read_message(format!("{}{body}", request(length)).as_bytes(), true).unwrap().unwrap();
        prop_assert_eq!(data.len() as u64, length);
    }

    #[test]
    fn chunks_give_back_what_was_cut(parts in prop::collection::vec("[a-z]{1,40}", 0..8)) {
        let chunks: String = parts.iter().map(|p| format!("{:x}\r\n{p}\r\n", p.len())).collect();
        let message = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
        prop_assert_eq!(read_message(message.as_bytes(), true), Ok(Some(parts.concat().into_bytes())));
    }
}
