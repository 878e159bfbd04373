//! AWS Signature Version 4: checks signed requests, in headers or in the URL, and signs requests of our own command
//! line. The moment is a parameter; no clock is read here. Source: "AWS Signature Version 4 for API requests", IAM User
//! Guide.

mod canonical;
mod error;

use aws_lc_rs::{constant_time, digest, hmac};
use base::Time;
use http::request::Parts;
use http::{HeaderValue, Request};

use canonical::{Query, canonical_headers, canonical_path};
pub use error::SignatureError;

/// How far a request's time may be from ours.
const SKEW_MS: u64 = 15 * 60 * 1_000;
/// Longest life of a presigned URL, in seconds.
const EXPIRES_MAX: u64 = 7 * 24 * 3_600;
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The header that names a JSON service's operation.
const TARGET: &str = "x-amz-target";

/// A signing key's owner and where it is used.
pub struct Key<'a> {
    pub access_key_id: &'a str,
    pub secret_access_key: &'a str,
    pub region: &'a str,
    pub service: &'a str,
}

/// What a good signature proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub access_key_id: String,
    /// Region and service of the credential scope.
    pub region: String,
    pub service: String,
}

/// What a request says about its signature.
struct Claim {
    access_key_id: String,
    date: String,
    region: String,
    service: String,
    signed_headers: Vec<String>,
    signature: String,
    /// `20260131T120000Z`.
    timestamp: String,
    /// Life of a presigned URL, in seconds.
    expires: Option<u64>,
}

/// Checks a request's signature. `secret` finds the secret of an access key.
pub fn verify(
    parts: &Parts,
    body: &[u8],
    now: Time,
    secret: impl FnOnce(&str) -> Option<String>,
) -> Result<Verified, SignatureError> {
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let header = parts.headers.get("authorization");
    let claim = match header {
        Some(header) => from_header(parts, header.to_str().map_err(|_| incomplete("Authorization header is not text"))?)?,
        None if query.get("X-Amz-Signature").is_some() => from_query(&query)?,
        None => return Err(SignatureError::Missing),
    };
    check_time(&claim, now)?;
    // It says what is asked for: whoever passes on a signed request must not be able to add one.
    if parts.headers.contains_key(TARGET) && !claim.signed_headers.iter().any(|name| name == TARGET) {
        return Err(SignatureError::WrongScope("'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.".into()));
    }
    let secret = secret(&claim.access_key_id).ok_or(SignatureError::UnknownKey)?;
    let hash = payload_hash(parts, body)?;
    let scope = format!("{}/{}/{}/aws4_request", claim.date, claim.region, claim.service);
    let headers =
        canonical_headers(&parts.headers, &claim.signed_headers).ok_or_else(|| incomplete("A signed header is missing"))?;
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{}\n{hash}",
        parts.method,
        canonical_path(parts.uri.path()),
        query.canonical(),
        claim.signed_headers.join(";")
    );
    let signature = signature(&secret, &claim.date, &claim.region, &claim.service, &claim.timestamp, &scope, &canonical);
    if constant_time::verify_slices_are_equal(signature.as_bytes(), claim.signature.as_bytes()).is_err() {
        return Err(SignatureError::Mismatch);
    }
    Ok(Verified { access_key_id: claim.access_key_id, region: claim.region, service: claim.service })
}

/// Signs a request in its headers: adds `host`, `x-amz-date` and `authorization`.
pub fn sign(request: &mut Request<Vec<u8>>, key: &Key, now: Time) {
    let timestamp = compact(now);
    let date = &timestamp[..8];
    let host = request.uri().authority().map(|a| a.as_str().to_string()).unwrap_or_default();
    for (name, value) in [("host", host.as_str()), ("x-amz-date", timestamp.as_str())] {
        if let Ok(value) = HeaderValue::from_str(value) {
            request.headers_mut().insert(name, value);
        }
    }
    let mut signed: Vec<String> = request.headers().keys().map(|k| k.as_str().to_string()).collect();
    signed.sort_unstable();
    let headers = canonical_headers(request.headers(), &signed).unwrap_or_default();
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{}\n{}",
        request.method(),
        canonical_path(request.uri().path()),
        Query::parse(request.uri().query().unwrap_or_default()).canonical(),
        signed.join(";"),
        hex(digest::digest(&digest::SHA256, request.body()).as_ref())
    );
    let scope = format!("{date}/{}/{}/aws4_request", key.region, key.service);
    let signature = signature(key.secret_access_key, date, key.region, key.service, &timestamp, &scope, &canonical);
    let header = format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
        key.access_key_id,
        signed.join(";")
    );
    if let Ok(header) = HeaderValue::from_str(&header) {
        request.headers_mut().insert("authorization", header);
    }
}

fn incomplete(what: impl Into<String>) -> SignatureError {
    SignatureError::Incomplete(what.into())
}

fn from_header(parts: &Parts, header: &str) -> Result<Claim, SignatureError> {
    let fields = header.strip_prefix(ALGORITHM).filter(|rest| rest.starts_with(' ')).ok_or(SignatureError::Missing)?;
    let field = |name: &str| {
        let value = fields.split(',').find_map(|f| f.trim().strip_prefix(name)?.strip_prefix('='));
        value.ok_or_else(|| incomplete(format!("Authorization header requires '{name}' parameter.")))
    };
    let timestamp = parts.headers.get("x-amz-date").and_then(|h| h.to_str().ok());
    let timestamp = timestamp
        .ok_or_else(|| incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."))?;
    claim(field("Credential")?, field("SignedHeaders")?, field("Signature")?, timestamp, None)
}

fn from_query(query: &Query) -> Result<Claim, SignatureError> {
    let field = |name: &str| query.get(name).ok_or_else(|| incomplete(format!("The query requires '{name}'.")));
    if field("X-Amz-Algorithm")? != ALGORITHM {
        return Err(incomplete("The algorithm is not supported."));
    }
    let expires: u64 = field("X-Amz-Expires")?.parse().map_err(|_| incomplete("X-Amz-Expires should be a number"))?;
    if expires > EXPIRES_MAX {
        return Err(incomplete(format!("X-Amz-Expires must be less than {EXPIRES_MAX} seconds")));
    }
    claim(
        field("X-Amz-Credential")?,
        field("X-Amz-SignedHeaders")?,
        field("X-Amz-Signature")?,
        field("X-Amz-Date")?,
        Some(expires),
    )
}

fn claim(
    credential: &str,
    signed: &str,
    signature: &str,
    timestamp: &str,
    expires: Option<u64>,
) -> Result<Claim, SignatureError> {
    let parts: Vec<&str> = credential.split('/').collect();
    let [access_key_id, date, region, service, terminator] = parts[..] else {
        return Err(incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."));
    };
    let signed_headers: Vec<String> = signed.split(';').map(str::to_ascii_lowercase).collect();
    if !signed_headers.iter().any(|h| h == "host") {
        return Err(SignatureError::WrongScope(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".into(),
        ));
    }
    if terminator != "aws4_request" {
        let text = format!("Credential should be scoped with a valid terminator: 'aws4_request', not '{terminator}'.");
        return Err(SignatureError::WrongScope(text));
    }
    if timestamp.get(..8) != Some(date) {
        let text = "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.";
        return Err(SignatureError::WrongScope(text.into()));
    }
    Ok(Claim {
        access_key_id: access_key_id.into(),
        date: date.into(),
        region: region.into(),
        service: service.into(),
        signed_headers,
        signature: signature.into(),
        timestamp: timestamp.into(),
        expires,
    })
}

fn check_time(claim: &Claim, now: Time) -> Result<(), SignatureError> {
    let signed = parse_compact(&claim.timestamp).ok_or_else(|| incomplete("Date must be in ISO-8601 'basic format'."))?;
    let life_ms = claim.expires.map_or(SKEW_MS, |seconds| seconds * 1_000);
    if now.ms_since(signed) > life_ms {
        return Err(SignatureError::Expired { signed: claim.timestamp.clone(), now: compact(now) });
    }
    if signed.ms_since(now) > SKEW_MS {
        return Err(SignatureError::NotYet { signed: claim.timestamp.clone(), now: compact(now) });
    }
    Ok(())
}

/// The body's hash; a hash that the client names must be the body's.
fn payload_hash(parts: &Parts, body: &[u8]) -> Result<String, SignatureError> {
    let hash = hex(digest::digest(&digest::SHA256, body).as_ref());
    match parts.headers.get("x-amz-content-sha256").map(HeaderValue::as_bytes) {
        Some(named) if named != hash.as_bytes() => Err(SignatureError::Mismatch),
        _ => Ok(hash),
    }
}

fn signature(secret: &str, date: &str, region: &str, service: &str, timestamp: &str, scope: &str, canonical: &str) -> String {
    let hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let text = format!("{ALGORITHM}\n{timestamp}\n{scope}\n{hash}");
    let start = format!("AWS4{secret}").into_bytes();
    let key = [date, region, service, "aws4_request"].iter().fold(start, |key, part| mac(&key, part));
    hex(&mac(&key, &text))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|d| char::from(DIGITS[usize::from(d)])).collect()
}

/// `20260131T120000Z`.
fn compact(time: Time) -> String {
    time.iso8601_s().replace(['-', ':'], "")
}

fn parse_compact(text: &str) -> Option<Time> {
    if text.len() != 16 || !text.is_ascii() {
        return None;
    }
    let (y, mo, d, h, mi, s) = (&text[..4], &text[4..6], &text[6..8], &text[9..11], &text[11..13], &text[13..15]);
    Time::parse_iso8601(&format!("{y}-{mo}-{d}{}{h}:{mi}:{s}{}", &text[8..9], &text[15..]))
}
