//! Patterns of rules: globs and regular expressions over bytes. Nothing here knows where the text comes from.

use regex::bytes::Regex;
use world::{Case, PATTERN_CHARS_MAX, UnfitRule, check_glob, compile_regex};

/// One value of a condition.
#[derive(Clone, Debug)]
pub enum Pattern {
    Glob(Glob),
    Regex {
        regex: Regex,
        /// What every match begins with, where that is plain to see and case matters.
        prefix: Vec<u8>,
    },
}

impl Pattern {
    pub fn compile(pattern: &world::Pattern, case: Case) -> Result<Self, UnfitRule> {
        match pattern {
            world::Pattern::Glob(text) => Glob::compile(text, case).map(Pattern::Glob),
            world::Pattern::Regex(text) => {
                let prefix = if case == Case::Matters { plain_prefix(text) } else { Vec::new() };
                Ok(Pattern::Regex { regex: compile_regex(text, case, PATTERN_CHARS_MAX)?, prefix })
            }
        }
    }

    pub fn matches(&self, text: &[u8]) -> bool {
        match self {
            Pattern::Glob(glob) => glob.matches(text),
            Pattern::Regex { regex, .. } => regex.is_match(text),
        }
    }

    /// What every match begins with.
    pub fn prefix(&self) -> Vec<u8> {
        match self {
            Pattern::Glob(glob) => glob.prefix(),
            Pattern::Regex { prefix, .. } => prefix.clone(),
        }
    }
}

/// The letters that an anchored expression begins with; none when it has alternatives or flags, which could say otherwise.
fn plain_prefix(expression: &str) -> Vec<u8> {
    let Some(rest) = expression.strip_prefix('^').filter(|rest| !rest.contains('|') && !rest.contains("(?")) else {
        return Vec::new();
    };
    let mut prefix = Vec::new();
    let mut bytes = rest.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let literal = match byte {
            b'\\' => bytes.next().filter(u8::is_ascii_punctuation),
            byte => Some(byte).filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_')),
        };
        // What may come not at all is not part of it.
        let is_optional = matches!(bytes.peek(), Some(b'?' | b'*' | b'{'));
        match literal.filter(|_| !is_optional) {
            Some(literal) => prefix.push(literal),
            None => break,
        }
        if bytes.peek() == Some(&b'+') {
            break;
        }
    }
    prefix
}

/// A byte of a glob, or any byte.
const ANY: u16 = 256;

/// `*` stands for any number of characters, `?` for one; a backslash takes away their meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    case: Case,
    /// What stands between the stars, in lower case where case is ignored.
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Box<[u8]>),
    /// With `?` in it.
    Loose(Box<[u16]>),
}

impl Part {
    fn of(tokens: &[u16]) -> Self {
        let literal: Option<Box<[u8]>> = tokens.iter().map(|t| u8::try_from(*t).ok()).collect();
        literal.map_or_else(|| Part::Loose(tokens.into()), Part::Literal)
    }

    fn len(&self) -> usize {
        match self {
            Part::Literal(bytes) => bytes.len(),
            Part::Loose(tokens) => tokens.len(),
        }
    }

    /// `text` is exactly as long.
    fn is(&self, text: &[u8], case: Case) -> bool {
        match (self, case) {
            (Part::Literal(bytes), Case::Matters) => **bytes == *text,
            (Part::Literal(bytes), Case::Ignored) => bytes.eq_ignore_ascii_case(text),
            (Part::Loose(tokens), _) => {
                let fold = |b: &u8| u16::from(if case == Case::Ignored { b.to_ascii_lowercase() } else { *b });
                tokens.iter().zip(text).all(|(token, b)| *token == ANY || *token == fold(b))
            }
        }
    }

    /// Where it ends at its first place in `text`.
    fn end_in(&self, text: &[u8], case: Case) -> Option<usize> {
        if let (Part::Literal(bytes), Case::Matters) = (self, case) {
            return memchr::memmem::find(text, bytes).map(|at| at + bytes.len());
        }
        (0..=text.len().checked_sub(self.len())?).find(|at| self.is(&text[*at..at + self.len()], case)).map(|at| at + self.len())
    }
}

impl Glob {
    pub fn compile(text: &str, case: Case) -> Result<Self, UnfitRule> {
        check_glob(text)?;
        let (mut parts, mut tokens) = (Vec::new(), Vec::new());
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'*' => parts.push(Part::of(&std::mem::take(&mut tokens))),
                b'?' => tokens.push(ANY),
                byte => {
                    let literal = if byte == b'\\' { bytes.next().unwrap_or(byte) } else { byte };
                    tokens.push(u16::from(if case == Case::Ignored { literal.to_ascii_lowercase() } else { literal }));
                }
            }
        }
        parts.push(Part::of(&tokens));
        Ok(Self { case, parts })
    }

    pub fn matches(&self, text: &[u8]) -> bool {
        let case = self.case;
        let [first, between @ .., last] = &*self.parts else {
            return self.parts.first().is_some_and(|only| only.len() == text.len() && only.is(text, case));
        };
        let Some(after) = text.len().checked_sub(first.len() + last.len()) else { return false };
        if !first.is(&text[..first.len()], case) || !last.is(&text[first.len() + after..], case) {
            return false;
        }
        let mut rest = &text[first.len()..first.len() + after];
        between.iter().all(|part| match part.end_in(rest, case) {
            Some(end) => {
                rest = &rest[end..];
                true
            }
            None => false,
        })
    }

    /// What every match begins with.
    pub fn prefix(&self) -> Vec<u8> {
        match self.parts.first() {
            Some(Part::Literal(bytes)) => bytes.to_vec(),
            Some(Part::Loose(tokens)) => tokens.iter().map_while(|t| u8::try_from(*t).ok()).collect(),
            None => Vec::new(),
        }
    }

    /// What every match ends with, from its last byte on.
    pub fn suffix_reversed(&self) -> Vec<u8> {
        match self.parts.last() {
            Some(Part::Literal(bytes)) => bytes.iter().rev().copied().collect(),
            Some(Part::Loose(tokens)) => tokens.iter().rev().map_while(|t| u8::try_from(*t).ok()).collect(),
            None => Vec::new(),
        }
    }

    /// The only text that it matches, if it has neither `*` nor `?`.
    pub fn literal(&self) -> Option<&[u8]> {
        match &*self.parts {
            [Part::Literal(bytes)] => Some(bytes),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use world::{Case, PATTERN_CHARS_MAX};

    use super::{Glob, plain_prefix};

    #[test]
    fn an_expression_tells_what_it_begins_with() {
        let check = |expression, wanted: &str| assert_eq!(plain_prefix(expression), wanted.as_bytes(), "{expression}");
        check("^/api/v[0-9]+/", "/api/v");
        check(r"^/a\.b\/c$", "/a.b/c");
        check("^/ab?", "/a");
        check("^/ab*c", "/a");
        check("^/ab{0}", "/a");
        check("^/ab+c", "/ab");
        check(r"^/a\d", "/a");
        check("^/a|/b", "");
        check("(?i)^/a", "");
        check("/a", "");
    }

    #[test]
    fn globs_match_as_the_user_guide_shows() {
        let check = |pattern: &str, case, text: &str, wanted| {
            let glob = Glob::compile(pattern, case).unwrap();
            assert_eq!(glob.matches(text.as_bytes()), wanted, "{pattern} on {text}");
        };
        check("/img/*", Case::Matters, "/img/picture.jpg", true);
        check("/img/*", Case::Matters, "/img/", true);
        check("/img/*", Case::Matters, "/img", false);
        check("/img/*", Case::Matters, "/IMG/a", false);
        check("/img/*/pics", Case::Matters, "/img/a/b/pics", true);
        check("*.example.com", Case::Ignored, "TEST.example.COM", true);
        check("*.example.com", Case::Ignored, "example.com", false);
        check("a?c*e", Case::Matters, "abcde", true);
        check("a?c*e", Case::Matters, "ace", false);
        check("*Chrome*", Case::Ignored, "mozilla chrome/1", true);
        check(r"what\?\*", Case::Matters, "what?*", true);
        check(r"what\?\*", Case::Matters, "whatever", false);
        check("a*a", Case::Matters, "a", false);
        check("*", Case::Matters, "", true);
    }

    #[test]
    fn limits_of_patterns() {
        assert!(Glob::compile("", Case::Matters).is_err());
        assert!(Glob::compile(&"a".repeat(PATTERN_CHARS_MAX), Case::Matters).is_ok());
        assert!(Glob::compile(&"a".repeat(PATTERN_CHARS_MAX + 1), Case::Matters).is_err());
    }

    /// Written to be read: tries everything that a star may stand for.
    fn slow(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|skip| slow(rest, &text[skip..])),
            [b'?', rest @ ..] => text.split_first().is_some_and(|(_, after)| slow(rest, after)),
            [b'\\', literal, rest @ ..] | [literal, rest @ ..] => {
                text.split_first().is_some_and(|(b, after)| b == literal && slow(rest, after))
            }
        }
    }

    proptest! {
        #[test]
        fn globs_match_what_the_slow_reference_matches(pattern in r"[ab*?\\]{1,9}", text in "[ab*?]{0,12}") {
            let glob = Glob::compile(&pattern, Case::Matters).unwrap();
            let wanted = slow(pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(glob.matches(text.as_bytes()), wanted);
            let folded = Glob::compile(&pattern.to_uppercase(), Case::Ignored).unwrap();
            prop_assert_eq!(folded.matches(text.as_bytes()), wanted);
            if wanted {
                prop_assert!(text.as_bytes().starts_with(&glob.prefix()));
                let mut suffix = glob.suffix_reversed();
                suffix.reverse();
                prop_assert!(text.as_bytes().ends_with(&suffix));
            }
        }
    }
}
