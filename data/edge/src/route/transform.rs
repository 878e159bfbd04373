//! Rewrites a request before it goes on ("ELB User Guide, Transforms for listener rules"): the first match of an expression
//! in the path and query, or in the host, gives way to a replacement in which `$1` stands for a group. Nothing happens
//! where nothing matches; what a replacement makes unusable is answered with 500.

use world::{ReplacementPiece, Rewrite, Rewrites, UnfitRule};

use crate::http::forward::{host_and_path, split_port};
use crate::http::head::{Request, authority, is_host};

/// Longest rewritten path and query ("ELB User Guide, Quotas": a request line of 16 K).
const URL_BYTES_MAX: usize = 16 * 1024;
const HOST_BYTES_MAX: usize = 255;

#[derive(Debug, Default)]
pub struct Transforms(Rewrites);

/// What was rewritten of a request; none is as it was.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// In origin form.
    pub target: Option<String>,
    pub host: Option<String>,
}

/// A replacement makes no usable path or host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    TooLong,
    Path,
    Host,
}

impl Unusable {
    /// As access logs have it.
    pub fn name(self) -> &'static str {
        match self {
            Unusable::TooLong => "TransformBufferTooSmall",
            Unusable::Path => "TransformInvalidPath",
            Unusable::Host => "TransformInvalidHost",
        }
    }
}

impl Rewritten {
    pub fn is_as_it_was(&self) -> bool {
        self.target.is_none() && self.host.is_none()
    }

    /// The request as it goes on.
    pub fn of<'a>(&'a self, request: &'a Request<'_, '_>) -> Request<'a, 'a> {
        // An absolute target's host would be lost with it.
        let host = self.host.as_deref().or_else(|| host_and_path(request).0);
        match &self.target {
            Some(target) => Request { target, host, ..*request },
            None if self.host.is_some() => Request { host, ..*request },
            None => Request { ..*request },
        }
    }
}

impl Transforms {
    /// Refuses what [`Rewrites::compile`] does.
    pub fn compile(transforms: &[world::Transform]) -> Result<Self, UnfitRule> {
        Rewrites::compile(transforms).map(Self)
    }

    pub fn apply(&self, request: &Request<'_, '_>) -> Result<Rewritten, Unusable> {
        let Rewrites { url, host: of_host } = &self.0;
        if url.is_none() && of_host.is_none() {
            return Ok(Rewritten::default());
        }
        let (host, (slash, rest)) = host_and_path(request);
        let target = match url {
            Some(rewrite) => rewritten(rewrite, format!("{slash}{rest}").as_bytes()),
            None => None,
        };
        let host = match of_host {
            Some(rewrite) => rewritten(rewrite, split_port(host.unwrap_or("")).0.as_bytes()),
            None => None,
        };
        let target = target.map(checked_target).transpose()?;
        let host = host.map(checked_host).transpose()?;
        // A host in the target would win over the rewritten one.
        let is_absolute = host.is_some() && authority(request.target).is_some();
        Ok(Rewritten { target: target.or_else(|| is_absolute.then(|| format!("{slash}{rest}"))), host })
    }
}

fn checked_target(target: Vec<u8>) -> Result<String, Unusable> {
    if target.len() > URL_BYTES_MAX {
        return Err(Unusable::TooLong);
    }
    let clean = target.first() == Some(&b'/') && target.iter().all(|b| (0x21..0x7f).contains(b) && *b != b'#');
    String::from_utf8(target).ok().filter(|_| clean).ok_or(Unusable::Path)
}

fn checked_host(host: Vec<u8>) -> Result<String, Unusable> {
    String::from_utf8(host).ok().filter(|h| h.len() <= HOST_BYTES_MAX && is_host(h)).ok_or(Unusable::Host)
}

/// The text with its first match replaced; none when nothing matches.
fn rewritten(rewrite: &Rewrite, text: &[u8]) -> Option<Vec<u8>> {
    let captures = rewrite.regex.captures(text)?;
    let whole = captures.get(0)?;
    let mut out = text[..whole.start()].to_vec();
    for piece in &rewrite.replacement {
        out.extend_from_slice(match piece {
            ReplacementPiece::Text(text) => text,
            ReplacementPiece::Group(number) => captures.get(*number).map_or(b"", |group| group.as_bytes()),
        });
    }
    out.extend_from_slice(&text[whole.end()..]);
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Unusable, checked_host, checked_target, rewritten};

    #[test]
    fn the_first_match_gives_way_to_the_replacement() {
        let check = |regex: &str, replace: &str, text: &str, wanted: Option<&str>| {
            let transform = world::Transform::Url { regex: regex.into(), replace: replace.into() };
            let made = rewritten(&transform.compile().unwrap(), text.as_bytes());
            assert_eq!(made.map(|m| String::from_utf8(m).unwrap()).as_deref(), wanted, "{regex} -> {replace} on {text}");
        };
        check(
            "^mywebsite-(.+).com$",
            "internal.dev.$1.myweb.com",
            "mywebsite-example.com",
            Some("internal.dev.example.myweb.com"),
        );
        check("^/dp/([A-Za-z0-9]+)/?$", "/product.php?id=$1", "/dp/B09G3HRMW", Some("/product.php?id=B09G3HRMW"));
        check("a", "b", "aaa", Some("baa"));
        check("^/x", "/y", "/a/x", None);
        check("(a)(b)?", "[$2$1]$$1$x", "ac", Some("[a]$1$xc"));
        check("(a)", "$10", "a", Some("a0"));
    }

    #[test]
    fn what_a_replacement_makes_must_be_usable() {
        for bad in ["", "no-slash", "/a b", "/a\r\nX: y", "/a#b", "/\u{e9}"] {
            assert_eq!(checked_target(bad.into()), Err(Unusable::Path), "{bad:?}");
        }
        for bad in ["", "a b", "a/b", "a\r\n"] {
            assert_eq!(checked_host(bad.into()), Err(Unusable::Host), "{bad:?}");
        }
    }
}
