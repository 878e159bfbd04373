//! The signatures here were made by botocore 1.43 with the clock at 2026-01-31T12:00:00Z.

use base::Time;
use http::Request;
use http::request::Parts;
use wire::Protocol;
use wire::sigv4::{Key, SignatureError, Verified, sign, verify};

const NOON: Time = Time::from_unix_ms(1_769_860_800_000);
const BODY: &[u8] = b"Action=DescribeInstances&Version=2016-11-15";
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260131/eu-central-1/ec2/aws4_request, \
     SignedHeaders=content-type;host;x-amz-date;x-odd, Signature=4c11b21ce67bbe09341b4bf3795c0834bd8d226e56e02f80a09b8285831b8370";
const PRESIGNED: &str = "/a%20b/c?z=1&Action=X%20Y&k=%2F~&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAEXAMPLE%2F20260131%2Feu-central-1%2F\
     ec2%2Faws4_request&X-Amz-Date=20260131T120000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=\
     3db3ad8efd6a60faf420f323a5f509a2358128ff7dfad3b93db3d046888319a6";

fn signed() -> Parts {
    let request = Request::post("/")
        .header("host", "127.0.0.1:4566")
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .header("x-odd", "a   b")
        .header("x-amz-date", "20260131T120000Z")
        .header("authorization", AUTHORIZATION);
    request.body(()).unwrap().into_parts().0
}

fn presigned() -> Parts {
    Request::get(PRESIGNED).header("host", "127.0.0.1:4566").body(()).unwrap().into_parts().0
}

fn check(parts: &Parts, body: &[u8], now: Time) -> Result<Verified, SignatureError> {
    verify(parts, body, now, |key| (key == "AKIAEXAMPLE").then(|| "secret/+key".into()))
}

fn later(minutes: i64) -> Time {
    Time::from_unix_ms(NOON.unix_ms() + minutes * 60_000)
}

#[test]
fn botocores_signatures_are_accepted() {
    let verified = check(&signed(), BODY, later(14)).unwrap();
    assert_eq!((verified.region.as_str(), verified.service.as_str()), ("eu-central-1", "ec2"));
    check(&presigned(), b"", NOON).unwrap();
}

#[test]
fn what_was_changed_after_signing_is_refused() {
    assert_eq!(check(&signed(), b"Action=TerminateInstances", NOON), Err(SignatureError::Mismatch));
    let mut parts = signed();
    parts.headers.insert("x-odd", "other".parse().unwrap());
    assert_eq!(check(&parts, BODY, NOON), Err(SignatureError::Mismatch));
    parts.headers.remove("x-odd");
    assert!(matches!(check(&parts, BODY, NOON), Err(SignatureError::Incomplete(_))));
    let mut parts = presigned();
    parts.uri = PRESIGNED.replace("k=%2F", "k=x").parse().unwrap();
    assert_eq!(check(&parts, b"", NOON), Err(SignatureError::Mismatch));
}

/// Whoever was given a signed URL may do with it what it says, and nothing else.
#[test]
fn an_operation_that_was_not_signed_is_refused() {
    for mut parts in [presigned(), signed()] {
        let body = if parts.method == "GET" { b"" } else { BODY };
        parts.headers.insert("x-amz-target", "AmazonSSM.DescribeParameters".parse().unwrap());
        let refused = check(&parts, body, NOON).unwrap_err();
        assert_eq!(refused.fault(Protocol::Json).code, "InvalidSignatureException", "{}", parts.method);
    }
}

#[test]
fn time_bounds_the_life_of_a_signature() {
    assert!(matches!(check(&signed(), BODY, later(16)), Err(SignatureError::Expired { .. })));
    assert!(matches!(check(&signed(), BODY, later(-16)), Err(SignatureError::NotYet { .. })));
    assert!(matches!(check(&presigned(), b"", later(2)), Err(SignatureError::Expired { .. })));
}

#[test]
fn each_protocol_has_its_own_codes() {
    let mut parts = signed();
    parts.headers.remove("authorization");
    let missing = check(&parts, BODY, NOON).unwrap_err();
    let unknown = verify(&signed(), BODY, NOON, |_| None).unwrap_err();
    let codes = |protocol| [missing.fault(protocol).code, unknown.fault(protocol).code];
    assert_eq!(codes(Protocol::Query), ["MissingAuthenticationToken", "InvalidClientTokenId"]);
    assert_eq!(codes(Protocol::Ec2), ["MissingAuthenticationToken", "AuthFailure"]);
    assert_eq!(codes(Protocol::Json), ["MissingAuthenticationTokenException", "UnrecognizedClientException"]);
}

/// "Credential scope errors" (Troubleshoot signed requests, IAM User Guide): what can be read, but is not for this request.
#[test]
fn a_scope_that_is_not_the_requests_is_a_signature_that_does_not_match() {
    for (from, to) in [
        ("/20260131/", "/20260130/"),
        ("/20260131/", "//"),
        ("/aws4_request", "/aws5_request"),
        ("content-type;host;x-amz-date;x-odd", "content-type;x-amz-date;x-odd"),
    ] {
        let mut parts = signed();
        parts.headers.insert("authorization", AUTHORIZATION.replace(from, to).parse().unwrap());
        let refused = check(&parts, BODY, NOON).unwrap_err();
        let codes = [Protocol::Query, Protocol::Ec2, Protocol::Json].map(|protocol| refused.fault(protocol).code);
        assert_eq!(codes, ["SignatureDoesNotMatch", "AuthFailure", "InvalidSignatureException"], "{to}");
    }
}

/// "get-slash", "get-relative" and their kind of AWS's test suite for Signature Version 4 have the signature of "get-vanilla".
#[test]
fn paths_are_signed_without_redundant_and_relative_parts() {
    let now = Time::parse_iso8601("2015-08-30T12:36:00Z").unwrap();
    for path in ["/", "//", "/./", "/example/..", "/example1/example2/../..", "/..", "/example//.././/"] {
        let request = Request::get(path).header("host", "example.amazonaws.com").header("x-amz-date", "20150830T123600Z").header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, \
                 Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        );
        let parts = request.body(()).unwrap().into_parts().0;
        let verified = verify(&parts, b"", now, |_| Some("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into()));
        assert!(verified.is_ok(), "{path}: {verified:?}");
    }
}

#[test]
fn what_we_sign_we_accept() {
    let mut request = Request::post("http://127.0.0.1:4566/x?b=2&a=1%2F").body(b"{}".to_vec()).unwrap();
    let key = Key { access_key_id: "AKIAEXAMPLE", secret_access_key: "secret/+key", region: "eu-central-1", service: "ssm" };
    sign(&mut request, &key, NOON);
    let (parts, body) = request.into_parts();
    assert_eq!(check(&parts, &body, NOON).unwrap().service, "ssm");
}
