//! How safe a request is that can be understood: the classes and reasons of "ELB User Guide, Desync mitigation mode" and
//! "Access logs, Classification reasons". What cannot be understood is never classified here, since it is refused in every
//! mode: ALB's monitor mode would let some of it pass.

use world::DesyncMode;

use super::HttpError;
use super::fields::{Header, Known};

/// From harmless to harmful. Severe requests are among those that the parser refuses: none passes here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Compliant,
    Acceptable,
    Ambiguous,
    /// Refused in every mode.
    Severe,
}

impl Class {
    /// As access logs have it.
    pub fn name(self) -> &'static str {
        match self {
            Class::Compliant => "-",
            Class::Acceptable => "Acceptable",
            Class::Ambiguous => "Ambiguous",
            Class::Severe => "Severe",
        }
    }
}

/// Why a request is less than compliant. The names are those of access logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// GET or HEAD with `Content-Length: 0`.
    GetHeadZeroContentLength,
    /// GET or HEAD with another length.
    UndefinedContentLengthSemantics,
    /// GET or HEAD with a transfer coding.
    UndefinedTransferEncodingSemantics,
    /// The same length, said more than once.
    DuplicateContentLength,
    /// A length beside a transfer coding; the coding counts (RFC 9112, 6.1), and the length goes no further.
    BothTeClPresent,
    /// A header whose name a lenient reader could take for one that says where the body ends.
    SuspiciousHeader,
}

impl Reason {
    pub fn class(self) -> Class {
        match self {
            Reason::GetHeadZeroContentLength => Class::Acceptable,
            _ => Class::Ambiguous,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Reason::GetHeadZeroContentLength => "GetHeadZeroContentLength",
            Reason::UndefinedContentLengthSemantics => "UndefinedContentLengthSemantics",
            Reason::UndefinedTransferEncodingSemantics => "UndefinedTransferEncodingSemantics",
            Reason::DuplicateContentLength => "DuplicateContentLength",
            Reason::BothTeClPresent => "BothTeClPresent",
            Reason::SuspiciousHeader => "SuspiciousHeader",
        }
    }
}

/// What is done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    Pass,
    /// It goes on, and both connections end with it.
    PassAndClose,
    /// It is answered with 400.
    Block,
}

/// Monitor passes, defensive passes and closes behind the ambiguous, strictest passes nothing but the compliant.
pub fn treat(mode: DesyncMode, reason: Option<Reason>) -> Treatment {
    match (mode, reason.map_or(Class::Compliant, Reason::class)) {
        (_, Class::Compliant) | (DesyncMode::Monitor, _) | (DesyncMode::Defensive, Class::Acceptable) => Treatment::Pass,
        (DesyncMode::Defensive, Class::Ambiguous) => Treatment::PassAndClose,
        (DesyncMode::Strictest, _) | (_, Class::Severe) => Treatment::Block,
    }
}

/// The class and reason of a request that is refused for how it is written; none where it broke a limit of ours, not the
/// rules ("Access logs, Classification reasons").
pub fn of_refused(error: HttpError) -> Option<(Class, &'static str)> {
    let reason = match error {
        HttpError::Syntax("the Content-Length" | "what looks like a length") => "BadContentLength",
        HttpError::Syntax("more than one Content-Length") => "MultipleContentLength",
        HttpError::Syntax("more than one Transfer-Encoding") => "MultipleTransferEncodingChunked",
        HttpError::TransferCoding | HttpError::Syntax("what looks like a transfer coding" | "a transfer coding in HTTP/1.0") => {
            "BadTransferEncoding"
        }
        HttpError::Syntax("both Content-Length and Transfer-Encoding") => "BothTeClPresent",
        HttpError::Syntax("the request target") => "BadUri",
        HttpError::Syntax("the first line") => "BadMethod",
        HttpError::Version => "BadVersion",
        HttpError::Syntax(_) => "BadHeader",
        HttpError::TooLarge(_) | HttpError::LineTooLong | HttpError::Method | HttpError::ForwardedFor => return None,
    };
    Some((Class::Severe, reason))
}

/// What a request's framing headers say, each as far as it was understood.
#[derive(Clone, Copy, Debug)]
pub struct Framed<'a> {
    pub method: &'a str,
    pub http11: bool,
    pub length: Option<u64>,
    pub length_repeats: bool,
    pub coded: bool,
}

/// The worst that there is to say; of two equally bad things the first in ALB's order. An error is a severe request.
pub fn classify(framed: &Framed<'_>, headers: &[Header<'_>]) -> Result<Option<Reason>, HttpError> {
    let without_body = matches!(framed.method, "GET" | "HEAD");
    if headers.iter().any(|h| h.known == Known::Other && is_suspicious(h.name)) {
        return weigh_look_alikes(framed.http11, headers).map(Some);
    }
    Ok(match *framed {
        Framed { length_repeats: true, .. } => Some(Reason::DuplicateContentLength),
        Framed { coded: true, .. } if without_body => Some(Reason::UndefinedTransferEncodingSemantics),
        Framed { length: Some(1..), .. } if without_body => Some(Reason::UndefinedContentLengthSemantics),
        Framed { length: Some(_), coded: true, .. } => Some(Reason::BothTeClPresent),
        Framed { length: Some(0), .. } if without_body => Some(Reason::GetHeadZeroContentLength),
        _ => None,
    })
}

/// A look-alike is ambiguous, and severe when a reader that takes it for the real thing would find a bad value there, or one
/// that contradicts another.
#[cold]
fn weigh_look_alikes(http11: bool, headers: &[Header<'_>]) -> Result<Reason, HttpError> {
    let of = |wanted: &'static [u8]| headers.iter().filter(move |h| is_like(h.name, wanted)).map(|h| h.value);
    let [length, coding] = LOOK_ALIKES;
    if !http11 && of(coding).next().is_some() {
        return Ok(Reason::SuspiciousHeader);
    }
    let mut before_chunked = false;
    for value in of(coding).flat_map(|value| value.split(|b| *b == b',')) {
        let name = value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
        let is_chunked = name.eq_ignore_ascii_case(b"chunked");
        if (before_chunked && is_chunked) || !CODINGS.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            return Err(HttpError::Syntax("what looks like a transfer coding"));
        }
        before_chunked = is_chunked;
    }
    let mut values = of(length).map(|value| {
        let digits = value.trim_ascii();
        let number = digits.iter().try_fold(0u64, |n, d| n.checked_mul(10)?.checked_add(u64::from(d.wrapping_sub(b'0'))));
        number.filter(|_| digits.iter().all(u8::is_ascii_digit))
    });
    let first = values.next();
    if first == Some(None) || values.any(|other| Some(other) != first) {
        return Err(HttpError::Syntax("what looks like a length"));
    }
    Ok(Reason::SuspiciousHeader)
}

/// The transfer codings that are known (RFC 9112, 7), and one that was once.
const CODINGS: [&[u8]; 5] = [b"chunked", b"compress", b"deflate", b"gzip", b"identity"];
const LOOK_ALIKES: [&[u8]; 2] = [b"content-length", b"transfer-encoding"];

/// Whether a name is one of the two but for what stands around and between its words.
fn is_suspicious(name: &[u8]) -> bool {
    LOOK_ALIKES.iter().any(|wanted| is_like(name, wanted))
}

fn is_like(name: &[u8], wanted: &[u8]) -> bool {
    if name.len() < wanted.len() {
        return false;
    }
    let mut rest = from_letter(name);
    for letter in wanted {
        let Some((first, tail)) = rest.split_first() else { return false };
        if *letter == b'-' {
            rest = from_letter(tail);
        } else if first.to_ascii_lowercase() == *letter {
            rest = tail;
        } else {
            break;
        }
    }
    from_letter(rest).is_empty()
}

/// From the first letter or digit on.
fn from_letter(bytes: &[u8]) -> &[u8] {
    let at = bytes.iter().position(u8::is_ascii_alphanumeric).unwrap_or(bytes.len());
    &bytes[at..]
}

#[cfg(test)]
mod tests {
    use super::{Class, DesyncMode, Reason, Treatment, is_suspicious, treat};

    #[test]
    fn modes_treat_classes_as_the_user_guide_says() {
        let (acceptable, ambiguous) = (Some(Reason::GetHeadZeroContentLength), Some(Reason::BothTeClPresent));
        assert_eq!(
            (Reason::GetHeadZeroContentLength.class(), Reason::BothTeClPresent.class()),
            (Class::Acceptable, Class::Ambiguous)
        );
        for (mode, expected) in [
            (DesyncMode::Monitor, [Treatment::Pass, Treatment::Pass, Treatment::Pass]),
            (DesyncMode::Defensive, [Treatment::Pass, Treatment::Pass, Treatment::PassAndClose]),
            (DesyncMode::Strictest, [Treatment::Pass, Treatment::Block, Treatment::Block]),
        ] {
            assert_eq!([None, acceptable, ambiguous].map(|reason| treat(mode, reason)), expected, "{mode:?}");
        }
    }

    #[test]
    fn look_alikes_of_framing_headers_are_suspicious() {
        for name in
            ["Content_Length", "content--length", "Transfer_Encoding", "transfer-encoding.", "-content-length", "content+length"]
        {
            assert!(is_suspicious(name.as_bytes()), "{name}");
        }
        for name in
            ["content-type", "content-lengths", "x-content-length", "contentlength", "accept-encoding", "transfer-encoder"]
        {
            assert!(!is_suspicious(name.as_bytes()), "{name}");
        }
    }
}
