//! Compressed bodies.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::Request;
use http::request::Parts;
use wire::{UNPACKED_BYTES_MAX, unpacked};

fn parts(encoding: &str) -> Parts {
    Request::post("/").header("content-encoding", encoding).body(()).unwrap().into_parts().0
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn gzip_is_unpacked_and_other_bodies_stay_as_they_are() {
    let text = b"Action=PutMetricData&Namespace=Own";
    assert_eq!(&*unpacked(&parts("gzip"), &packed(text)).unwrap(), text);
    assert_eq!(&*unpacked(&parts("identity"), text).unwrap(), text);
    assert_eq!(unpacked(&parts("gzip"), text).unwrap_err().code, "SerializationException");
    let torn = packed(text);
    assert_eq!(unpacked(&parts("gzip"), &torn[..torn.len() - 9]).unwrap_err().code, "SerializationException");
}

#[test]
fn a_small_body_that_unpacks_to_a_large_one_is_refused() {
    let bomb = packed(&vec![b'a'; 64 * UNPACKED_BYTES_MAX]);
    assert!(bomb.len() < 1 << 20);
    assert_eq!(unpacked(&parts("gzip"), &bomb).unwrap_err().http, 413);
    assert_eq!(unpacked(&parts("GZIP"), &packed(&vec![b'a'; UNPACKED_BYTES_MAX])).unwrap().len(), UNPACKED_BYTES_MAX);
}
