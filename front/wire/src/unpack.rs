//! Bodies that clients send compressed: AWS's SDKs do so with long requests of `PutMetricData` ("Request compression", AWS SDKs
//! and Tools Reference Guide). The signature is over the bytes as they are sent.

use std::borrow::Cow;
use std::io::Read;

use base::Fault;
use flate2::read::MultiGzDecoder;
use http::header::CONTENT_ENCODING;
use http::request::Parts;

/// Longest body once it is unpacked.
pub const UNPACKED_BYTES_MAX: usize = 2 << 20;

/// The body as its sender meant it: unpacked when its head says that it is gzip.
pub fn unpacked<'a>(parts: &Parts, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Fault> {
    let encoding = parts.headers.get(CONTENT_ENCODING).and_then(|e| e.to_str().ok()).unwrap_or_default().trim();
    if !encoding.eq_ignore_ascii_case("gzip") {
        return Ok(Cow::Borrowed(body));
    }
    let mut out = Vec::new();
    let read = MultiGzDecoder::new(body).take(UNPACKED_BYTES_MAX as u64 + 1).read_to_end(&mut out);
    if read.is_err() {
        return Err(Fault::client("SerializationException", "The request's body is not gzip, as its Content-Encoding says"));
    }
    if out.len() > UNPACKED_BYTES_MAX {
        let text = format!("The request's body is over the limit of {UNPACKED_BYTES_MAX} bytes once it is unpacked");
        return Err(Fault::new(413, "RequestEntityTooLarge", text));
    }
    Ok(Cow::Owned(out))
}
