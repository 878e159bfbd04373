//! Reads what a load balancer tells or decides of an X.509 certificate: names, validity, serial number, kind of key. It reads
//! DER strictly, inside the bytes that it is given; whether anyone should trust the certificate is not its business.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// Names of one certificate ("Quotas" of ACM: 100 at most), and attributes of one distinguished name.
const NAMES_MAX: usize = 1_000;
const ATTRIBUTES_MAX: usize = 64;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BMP_STRING: u8 = 0x1e;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const BOOLEAN: u8 = 0x01;
const DNS_NAME: u8 = 0x82;

const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const RSA_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// secp256r1, secp384r1 and secp521r1 (RFC 5480, 2.1.1.1).
const CURVES: [&[u8]; 3] =
    [&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], &[0x2b, 0x81, 0x04, 0x00, 0x22], &[0x2b, 0x81, 0x04, 0x00, 0x23]];

/// Attribute types that RFC 2253 gives a short name, and the few more that are usual.
const SHORT_NAMES: [(&[u8], &str); 9] = [
    (COMMON_NAME, "CN"),
    (&[0x55, 0x04, 0x07], "L"),
    (&[0x55, 0x04, 0x08], "ST"),
    (&[0x55, 0x04, 0x0a], "O"),
    (&[0x55, 0x04, 0x0b], "OU"),
    (&[0x55, 0x04, 0x06], "C"),
    (&[0x55, 0x04, 0x09], "STREET"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01], "UID"),
];

/// Of the public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// On one of the three curves that are served.
    Ecdsa,
    Rsa,
    Other,
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Hexadecimal, in capital letters.
    pub serial: String,
    /// As RFC 2253 writes distinguished names.
    pub issuer: String,
    pub subject: String,
    /// Unix seconds.
    pub not_before: i64,
    pub not_after: i64,
    /// Names of hosts, in lower case; that of the subject when there is no other.
    pub names: Vec<String>,
    pub key: KeyKind,
    pub key_bits: usize,
    /// Bits of the hash in its signature; zero for one that is not known.
    pub hash_bits: usize,
}

/// Reads a certificate; none when it is not understood.
pub fn read(certificate: &[u8]) -> Option<Facts> {
    let mut outer = Der(Der(certificate).expect(SEQUENCE)?);
    let mut body = Der(outer.expect(SEQUENCE)?);
    let version = body.next_if(VERSION).and_then(|v| Der(v).expect(INTEGER));
    let serial = body.expect(INTEGER)?;
    let signature = Der(body.expect(SEQUENCE)?).expect(OID)?;
    let issuer = body.expect(SEQUENCE)?;
    let mut validity = Der(body.expect(SEQUENCE)?);
    let (not_before, not_after) = (validity.time()?, validity.time()?);
    let subject = body.expect(SEQUENCE)?;
    let (key, key_bits) = read_key(body.expect(SEQUENCE)?)?;
    let mut names = Vec::new();
    // Only version 3, which is 2 here, has extensions.
    if version == Some(&[2]) {
        while let Some((tag, content)) = body.next() {
            if tag == EXTENSIONS {
                names = alternative_names(Der(content).expect(SEQUENCE)?)?;
            }
        }
    }
    if names.is_empty() {
        names.extend(common_name(subject));
    }
    Some(Facts {
        serial: hexadecimal(serial),
        issuer: distinguished_name(issuer)?,
        subject: distinguished_name(subject)?,
        not_before,
        not_after,
        names,
        key,
        key_bits,
        hash_bits: hash_bits(signature),
    })
}

/// `PEM`, as URLs write it: everything but letters, digits, `-._~` and the safe characters `+=/` is escaped ("ELB User
/// Guide, Mutual authentication with TLS").
pub fn url_encoded_pem(certificate: &[u8], out: &mut String) {
    out.push_str("-----BEGIN%20CERTIFICATE-----%0A");
    let text = STANDARD.encode(certificate);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push_str("%0A");
        rest = after;
    }
    out.push_str("-----END%20CERTIFICATE-----%0A");
}

/// `2026-11-21T14:00:00Z`.
pub fn moment(unix_seconds: i64) -> String {
    let Ok(at) = OffsetDateTime::from_unix_timestamp(unix_seconds) else { return "-".into() };
    let (y, mo, d) = (at.year(), u8::from(at.month()), at.day());
    format!("{y:04}-{mo:02}-{d:02}T{:02}:{:02}:{:02}Z", at.hour(), at.minute(), at.second())
}

/// A cursor over a sequence of tagged values.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value's tag and content. Long tags and indefinite lengths are not DER of certificates.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (digits.iter().fold(0, |n, d| n << 8 | usize::from(*d)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(t, _)| *t == tag).map(|(_, content)| content)
    }

    fn next_if(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() == Some(&tag) { self.expect(tag) } else { None }
    }

    /// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280, 4.1.2.5), in Unix seconds.
    fn time(&mut self) -> Option<i64> {
        let (tag, text) = self.next()?;
        let (year_digits, century) = match tag {
            UTC_TIME => (2, if text.first()? < &b'5' { 2000 } else { 1900 }),
            GENERALIZED_TIME => (4, 0),
            _ => return None,
        };
        let digits = text.strip_suffix(b"Z").filter(|d| d.len() == year_digits + 10 && d.iter().all(u8::is_ascii_digit))?;
        let (year, rest) = digits.split_at(year_digits);
        let number = |digits: &[u8]| digits.iter().fold(0_u16, |n, d| n * 10 + u16::from(d - b'0'));
        let pair = |at: usize| u8::try_from(number(&rest[at * 2..at * 2 + 2])).unwrap_or(u8::MAX);
        let date = Date::from_calendar_date(century + i32::from(number(year)), Month::try_from(pair(0)).ok()?, pair(1)).ok()?;
        let time = Time::from_hms(pair(2), pair(3), pair(4)).ok()?;
        Some(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
    }
}

fn read_key(info: &[u8]) -> Option<(KeyKind, usize)> {
    let mut info = Der(info);
    let mut identifier = Der(info.expect(SEQUENCE)?);
    let algorithm = identifier.expect(OID)?;
    let (_, bits) = info.expect(BIT_STRING)?.split_first()?;
    if algorithm == RSA_KEY {
        let modulus = Der(Der(bits).expect(SEQUENCE)?).expect(INTEGER)?;
        let digits = modulus.iter().skip_while(|b| **b == 0).count();
        return Some((KeyKind::Rsa, digits * 8));
    }
    // An uncompressed point: one byte, then both coordinates.
    let is_served = algorithm == EC_KEY && identifier.next_if(OID).is_some_and(|curve| CURVES.contains(&curve));
    let kind = if is_served { KeyKind::Ecdsa } else { KeyKind::Other };
    Some((kind, bits.len().saturating_sub(1) / 2 * 8))
}

fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut extensions = Der(extensions);
    let mut names = Vec::new();
    while let Some(extension) = extensions.next_if(SEQUENCE) {
        let mut extension = Der(extension);
        if extension.expect(OID)? != SUBJECT_ALTERNATIVE_NAME {
            continue;
        }
        extension.next_if(BOOLEAN);
        let mut list = Der(Der(extension.expect(OCTET_STRING)?).expect(SEQUENCE)?);
        while let Some((tag, name)) = list.next() {
            if tag == DNS_NAME && names.len() < NAMES_MAX {
                names.extend(host_name(name));
            }
        }
    }
    Some(names)
}

fn host_name(bytes: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(bytes).ok()?.trim_end_matches('.').to_ascii_lowercase();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'*');
    (!name.is_empty() && name.len() <= 253 && name.bytes().all(allowed)).then_some(name)
}

/// A type, the tag of its value, and the value.
type Attribute<'a> = (&'a [u8], u8, &'a [u8]);

/// Grouped by relative name.
fn attributes(name: &[u8]) -> Option<Vec<Vec<Attribute<'_>>>> {
    let mut name = Der(name);
    let mut groups = Vec::new();
    let mut count = 0;
    while !name.0.is_empty() {
        let mut set = Der(name.expect(SET)?);
        let mut group = Vec::new();
        while !set.0.is_empty() {
            let mut attribute = Der(set.expect(SEQUENCE)?);
            let kind = attribute.expect(OID)?;
            let (tag, value) = attribute.next()?;
            group.push((kind, tag, value));
            count += 1;
            if count > ATTRIBUTES_MAX {
                return None;
            }
        }
        groups.push(group);
    }
    Some(groups)
}

fn common_name(subject: &[u8]) -> Option<String> {
    let groups = attributes(subject)?;
    let (_, _, value) = groups.into_iter().flatten().rfind(|(kind, _, _)| *kind == COMMON_NAME)?;
    host_name(value)
}

/// RFC 2253: the last relative name first.
fn distinguished_name(name: &[u8]) -> Option<String> {
    let mut out = String::new();
    for group in attributes(name)?.into_iter().rev() {
        if !out.is_empty() {
            out.push(',');
        }
        for (index, (kind, tag, value)) in group.into_iter().enumerate() {
            if index > 0 {
                out.push('+');
            }
            match SHORT_NAMES.iter().find(|(oid, _)| *oid == kind) {
                Some((_, short)) => {
                    let _ = write!(out, "{short}=");
                    write_value(&mut out, tag, value);
                }
                None => {
                    write_oid(&mut out, kind);
                    // The value's own encoding, whole, as RFC 2253 wants it of types without a short name.
                    let length = u8::try_from(value.len()).ok().filter(|l| *l < 0x80);
                    let long = [0x82, (value.len() >> 8 & 0xff) as u8, (value.len() & 0xff) as u8];
                    let _ = write!(out, "=#{tag:02X}");
                    match length {
                        Some(length) => write_hexadecimal(&mut out, &[length]),
                        None => write_hexadecimal(&mut out, &long),
                    }
                    write_hexadecimal(&mut out, value);
                }
            }
        }
    }
    Some(out)
}

/// Escapes what RFC 2253 wants escaped, and every byte that is not printable ASCII, since this goes into headers.
fn write_value(out: &mut String, tag: u8, value: &[u8]) {
    let decoded;
    let bytes = if tag == BMP_STRING {
        let units = value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        decoded = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>();
        decoded.as_bytes()
    } else {
        value
    };
    for (at, byte) in bytes.iter().enumerate() {
        let is_edge_space = *byte == b' ' && (at == 0 || at + 1 == bytes.len());
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => out.extend(['\\', char::from(*byte)]),
            b'#' if at == 0 => out.push_str("\\#"),
            b' ' if is_edge_space => out.push_str("\\ "),
            0x20..=0x7e => out.push(char::from(*byte)),
            _ => {
                let _ = write!(out, "\\{byte:02X}");
            }
        }
    }
}

fn write_oid(out: &mut String, oid: &[u8]) {
    let mut number = 0_u64;
    let mut is_first = true;
    for byte in oid {
        number = (number & 0x01ff_ffff_ffff_ffff) << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        if is_first {
            let root = (number / 40).min(2);
            let _ = write!(out, "{root}.{}", number - root * 40);
            is_first = false;
        } else {
            let _ = write!(out, ".{number}");
        }
        number = 0;
    }
}

/// Without the zero that keeps a number from being negative.
fn hexadecimal(number: &[u8]) -> String {
    let digits = match number {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    let mut out = String::with_capacity(digits.len() * 2);
    write_hexadecimal(&mut out, digits);
    out
}

fn write_hexadecimal(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "{byte:02X}");
    }
}

/// Signature algorithms end in a number that tells the hash: RSA's under 1.2.840.113549.1.1, those of ECDSA under
/// 1.2.840.10045.4.3.
fn hash_bits(signature: &[u8]) -> usize {
    let last = signature.last().copied().unwrap_or_default();
    match (signature.len(), last) {
        (9, 5) => 160,
        (9, 11) | (8, 2) => 256,
        (9, 12) | (8, 3) => 384,
        (9, 13) | (8, 4) => 512,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::{any, proptest};
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P384_SHA384, SerialNumber};

    use super::{KeyKind, read, url_encoded_pem};

    fn certificate() -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["Web.Example".into(), "*.web.example".into()]).unwrap();
        params.serial_number = Some(SerialNumber::from_slice(&[0x03, 0xa5, 0xb1]));
        params.not_before = rcgen::date_time_ymd(2023, 9, 21);
        params.not_after = rcgen::date_time_ymd(2051, 1, 2);
        let mut name = DistinguishedName::new();
        name.push(DnType::CountryName, "US");
        name.push(DnType::OrganizationName, "a, b \u{e9}");
        name.push(DnType::CommonName, "client");
        name.push(DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]), "x");
        params.distinguished_name = name;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_is_read() {
        let facts = read(&certificate()).unwrap();
        assert_eq!(facts.serial, "03A5B1");
        assert_eq!(facts.subject, "1.2.840.113549.1.9.1=#0C0178,CN=client,O=a\\, b \\C3\\A9,C=US");
        assert_eq!(facts.issuer, facts.subject);
        assert_eq!(
            (super::moment(facts.not_before), super::moment(facts.not_after)),
            ("2023-09-21T00:00:00Z".into(), "2051-01-02T00:00:00Z".into())
        );
        assert_eq!(facts.names, ["web.example", "*.web.example"]);
        assert_eq!((facts.key, facts.key_bits, facts.hash_bits), (KeyKind::Ecdsa, 384, 384));
    }

    #[test]
    fn pem_is_url_encoded_with_the_safe_characters_of_alb() {
        let mut out = String::new();
        url_encoded_pem(&[0xfb; 60], &mut out);
        let lines: Vec<&str> = out.split("%0A").collect();
        assert_eq!((lines[0], lines[3], lines[4]), ("-----BEGIN%20CERTIFICATE-----", "-----END%20CERTIFICATE-----", ""));
        assert_eq!((lines[1].len(), lines[2].len()), (64, 16));
        assert!(lines[1].contains('+') && !out.contains("%2B"));
    }

    #[test]
    fn a_certificate_cut_or_changed_anywhere_is_harmless() {
        let whole = certificate();
        for length in 0..whole.len() {
            let _ = read(&whole[..length]);
            for change in [0x01, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[length] ^= change;
                let _ = read(&changed);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_harmless(bytes: Vec<u8>, head in any::<[u8; 4]>()) {
            let mut all = vec![0x30, 0x82, head[0] & 3, head[1], 0x30];
            all.extend(bytes);
            let _ = read(&all);
        }
    }
}
