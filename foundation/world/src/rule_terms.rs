//! What rules of load balancers may say, decided once: the control plane asks before it accepts a rule, and the edge compiles by
//! the same functions, so that whatever the one accepts the other can serve. It never looks at a request, and knows no service.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ast;

use crate::{Action, Condition, Pattern, Transform};

/// Longest glob or expression of a condition ("ELB API Reference, PathPatternConditionConfig": 128 characters).
pub const PATTERN_CHARS_MAX: usize = 128;
/// Longest expression, or replacement, of a transform ("ELB API Reference, RewriteConfig": 1,024 characters).
pub const REWRITE_CHARS_MAX: usize = 1_024;
/// Longest name of a header in a condition ("ELB API Reference, HttpHeaderConditionConfig": 40 characters).
pub const HEADER_NAME_CHARS_MAX: usize = 40;
/// What a compiled expression may take. Three segments of a path of up to 255 characters each need 108 KiB; what takes much more
/// can keep a request of 16 K waiting for seconds, and those behind it. AWS tells no limit.
const REGEX_BYTES_MAX: usize = 256 << 10;
/// What each thread may remember of an expression from one request to the next; with less it goes on more slowly.
const REGEX_CACHE_BYTES_MAX: usize = 512 << 10;

/// Why a rule cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfitRule(String);

impl fmt::Display for UnfitRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for UnfitRule {}

impl From<UnfitRule> for String {
    fn from(unfit: UnfitRule) -> String {
        unfit.0
    }
}

fn unfit<T>(reason: impl Into<String>) -> Result<T, UnfitRule> {
    Err(UnfitRule(reason.into()))
}

/// Whether upper and lower case differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Matters,
    Ignored,
}

impl Condition {
    /// "ELB User Guide, Condition types for listener rules": case matters for paths and methods alone.
    pub fn case(&self) -> Case {
        match self {
            Condition::Path { .. } | Condition::Method { .. } => Case::Matters,
            Condition::Host { .. } | Condition::Header { .. } | Condition::Query { .. } | Condition::SourceIp { .. } => {
                Case::Ignored
            }
        }
    }

    /// Whether the edge can compile it.
    pub fn check(&self) -> Result<(), UnfitRule> {
        match self {
            Condition::Host { values } | Condition::Path { values } => values.iter().try_for_each(|v| v.check(self.case())),
            Condition::Header { name, values } => {
                check_header_name(name)?;
                values.iter().try_for_each(|v| v.check(self.case()))
            }
            Condition::Query { values } => {
                values.iter().flat_map(|q| q.key.iter().chain([&q.value])).try_for_each(|g| check_glob(g))
            }
            Condition::SourceIp { values } => values.iter().try_for_each(|v| parse_cidr(v).map(|_| ())),
            Condition::Method { .. } => Ok(()),
        }
    }
}

impl Pattern {
    fn check(&self, case: Case) -> Result<(), UnfitRule> {
        match self {
            Pattern::Glob(glob) => check_glob(glob),
            Pattern::Regex(text) => compile_regex(text, case, PATTERN_CHARS_MAX).map(|_| ()),
        }
    }
}

/// Whether a glob has a length that it may have. Any text of it means something.
pub fn check_glob(text: &str) -> Result<(), UnfitRule> {
    match text.chars().count() {
        1..=PATTERN_CHARS_MAX => Ok(()),
        _ => unfit(format!("the pattern {text:?} has no character, or more than {PATTERN_CHARS_MAX}")),
    }
}

/// Whether a header's name has a length that it may have.
pub fn check_header_name(name: &str) -> Result<(), UnfitRule> {
    match name.len() {
        1..=HEADER_NAME_CHARS_MAX => Ok(()),
        _ => unfit(format!("the header name {name:?} has no character, or more than {HEADER_NAME_CHARS_MAX}")),
    }
}

/// An address and how many of its first bits count.
pub fn parse_cidr(text: &str) -> Result<(IpAddr, u8), UnfitRule> {
    let parsed = text.split_once('/').and_then(|(address, bits)| {
        let address: IpAddr = address.parse().ok()?;
        let bits: u8 = bits.parse().ok().filter(|_| bits.bytes().all(|b| b.is_ascii_digit()))?;
        (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, bits))
    });
    parsed.ok_or_else(|| UnfitRule(format!("'{text}' is no block of addresses in CIDR notation")))
}

/// Compiles an expression as rules have them. It may match anywhere, over bytes, and has printable ASCII characters only, as all
/// that it is matched with. "Lookaheads, lookbehinds, backreferences, atomic groups, possessive quantifiers, subroutines,
/// recursion, and Unicode character classes" are not for rules ("ELB User Guide, Listener rules: Rule basics").
pub fn compile_regex(text: &str, case: Case, chars_max: usize) -> Result<Regex, UnfitRule> {
    if text.is_empty() || text.chars().count() > chars_max {
        return unfit(format!("the regular expression '{text}' has no character, or more than {chars_max}"));
    }
    if !text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return unfit(format!("the regular expression '{text}' has a character that is not printable ASCII"));
    }
    let invalid = |why: &str| UnfitRule(format!("'{text}' is not a valid regular expression: {why}"));
    let parsed = ast::parse::Parser::new().parse(text).map_err(|e| invalid(&e.kind().to_string()))?;
    ast::visit(&parsed, Features).map_err(|feature| invalid(&format!("{feature} are not supported")))?;
    let built = RegexBuilder::new(text)
        .unicode(false)
        .case_insensitive(case == Case::Ignored)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_CACHE_BYTES_MAX)
        .build();
    built.map_err(|e| match e {
        regex::Error::CompiledTooBig(_) => invalid("it stands for too much, such as a long repetition of a long repetition"),
        e => invalid(one_line(&e.to_string())),
    })
}

/// The reason alone: the text that comes with it draws a picture of many lines.
fn one_line(error: &str) -> &str {
    error.lines().last().map_or(error, |line| line.trim_start_matches("error: "))
}

/// Finds what the parser understands and rules do not have, or what others read differently: an expression that is taken must
/// mean what its writer knows from elsewhere.
struct Features;

const UNICODE_CLASSES: &str = "Unicode character classes";

impl Features {
    fn check(flags: &ast::Flags) -> Result<(), &'static str> {
        let has = |flag| flags.flag_state(flag).is_some();
        match (has(ast::Flag::Unicode), has(ast::Flag::CRLF)) {
            (true, _) => Err(UNICODE_CLASSES),
            // `(?R)` is recursion elsewhere.
            (_, true) => Err("recursion and subroutines"),
            _ => Ok(()),
        }
    }
}

fn is_edge_of_word(kind: &ast::AssertionKind) -> bool {
    use ast::AssertionKind as Kind;
    match kind {
        Kind::StartLine | Kind::EndLine | Kind::StartText | Kind::EndText | Kind::WordBoundary | Kind::NotWordBoundary => false,
        Kind::WordBoundaryStart
        | Kind::WordBoundaryEnd
        | Kind::WordBoundaryStartAngle
        | Kind::WordBoundaryEndAngle
        | Kind::WordBoundaryStartHalf
        | Kind::WordBoundaryEndHalf => true,
    }
}

impl ast::Visitor for Features {
    type Output = ();
    type Err = &'static str;

    fn finish(self) -> Result<(), &'static str> {
        Ok(())
    }

    fn visit_pre(&mut self, node: &ast::Ast) -> Result<(), &'static str> {
        match node {
            ast::Ast::ClassUnicode(_) => Err(UNICODE_CLASSES),
            ast::Ast::Flags(set) => Self::check(&set.flags),
            ast::Ast::Group(group) => group.flags().map_or(Ok(()), Self::check),
            // `\<` is a plain character elsewhere.
            ast::Ast::Assertion(at) if is_edge_of_word(&at.kind) => Err("the word boundaries \\<, \\> and \\b{...}"),
            // `a++` is possessive elsewhere, and `a**` is nothing.
            ast::Ast::Repetition(outer) if matches!(*outer.ast, ast::Ast::Repetition(_)) => {
                Err("possessive quantifiers and repetitions of repetitions without a group")
            }
            _ => Ok(()),
        }
    }

    fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), &'static str> {
        match item {
            ast::ClassSetItem::Unicode(_) => Err(UNICODE_CLASSES),
            // Elsewhere `[` is a plain character here, and the first `]` ends the class.
            ast::ClassSetItem::Bracketed(_) => Err("character classes in character classes"),
            _ => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, _: &ast::ClassSetBinaryOp) -> Result<(), &'static str> {
        // `&&`, `--` and `~~` are plain characters elsewhere.
        Err("set operations in character classes")
    }
}

/// A transform, ready to be applied.
#[derive(Clone, Debug)]
pub struct Rewrite {
    pub regex: Regex,
    pub replacement: Vec<ReplacementPiece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplacementPiece {
    Text(Vec<u8>),
    /// A group that the expression has; zero is all that matched.
    Group(usize),
}

impl Transform {
    /// "ELB API Reference, RewriteConfig".
    pub fn compile(&self) -> Result<Rewrite, UnfitRule> {
        let (expression, replace, case) = match self {
            Transform::Url { regex, replace } => (regex, replace, Case::Matters),
            Transform::Host { regex, replace } => (regex, replace, Case::Ignored),
        };
        let regex = compile_regex(expression, case, REWRITE_CHARS_MAX)?;
        if replace.chars().count() > REWRITE_CHARS_MAX {
            return unfit(format!("the replacement '{replace}' has more than {REWRITE_CHARS_MAX} characters"));
        }
        if !replace.bytes().all(|b| b.is_ascii_graphic()) {
            return unfit(format!("the replacement '{replace}' has a blank, or a character that is not printable ASCII"));
        }
        let replacement = pieces(replace);
        let groups = regex.captures_len();
        let is_unknown = |p: &ReplacementPiece| matches!(p, ReplacementPiece::Group(number) if *number >= groups);
        match replacement.iter().find(|piece| is_unknown(piece)) {
            Some(ReplacementPiece::Group(number)) => unfit(format!(
                "the replacement '{replace}' names group ${number}, which the regular expression '{expression}' does not have"
            )),
            _ => Ok(Rewrite { regex, replacement }),
        }
    }
}

/// A rule's transforms, ready to be applied.
#[derive(Clone, Debug, Default)]
pub struct Rewrites {
    pub url: Option<Rewrite>,
    pub host: Option<Rewrite>,
}

impl Rewrites {
    /// "You can add one host header rewrite transform and one URL rewrite transform per rule" ("ELB User Guide, Transforms for
    /// listener rules").
    pub fn compile(transforms: &[Transform]) -> Result<Self, UnfitRule> {
        let mut compiled = Self::default();
        for transform in transforms {
            let place = match transform {
                Transform::Url { .. } => &mut compiled.url,
                Transform::Host { .. } => &mut compiled.host,
            };
            if place.replace(transform.compile()?).is_some() {
                return unfit("a rule can only have one transform of each type");
            }
        }
        Ok(compiled)
    }
}

/// A dollar and one digit stand for a group, two dollars for one, and a dollar before anything else for itself.
fn pieces(replace: &str) -> Vec<ReplacementPiece> {
    let mut pieces = vec![ReplacementPiece::Text(Vec::new())];
    let mut bytes = replace.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek()) {
            (b'$', Some(digit @ b'0'..=b'9')) => {
                pieces.push(ReplacementPiece::Group(usize::from(digit - b'0')));
                pieces.push(ReplacementPiece::Text(Vec::new()));
                bytes.next();
                continue;
            }
            (b'$', Some(b'$')) => {
                bytes.next();
            }
            _ => {}
        }
        if let Some(ReplacementPiece::Text(text)) = pieces.last_mut() {
            text.push(byte);
        }
    }
    pieces
}

impl Action {
    /// Whether the edge can compile it; whether its target groups are there is asked elsewhere.
    pub fn check(&self) -> Result<(), UnfitRule> {
        match self {
            Action::Forward { .. } => Ok(()),
            Action::FixedResponse { status, content_type, .. } => {
                if !(200..=599).contains(status) {
                    return unfit(format!("a fixed response cannot have status {status}"));
                }
                match content_type.iter().flat_map(|t| t.bytes()).all(|b| (0x20..0x7f).contains(&b)) {
                    true => Ok(()),
                    false => unfit("a fixed response has an invalid content type"),
                }
            }
            Action::Redirect { protocol, host, port, path, query, status } => {
                check_redirect([protocol, host, port, path, query], *status)
            }
        }
    }
}

/// "ELB API Reference, RedirectActionConfig".
fn check_redirect(parts: [&str; 5], status: u16) -> Result<(), UnfitRule> {
    let [protocol, host, port, path, _] = parts;
    if !matches!(status, 301 | 302) {
        return unfit(format!("a redirect has status {status}, not 301 or 302"));
    }
    if parts.iter().any(|part| !part.bytes().all(|b| b.is_ascii_graphic())) {
        return unfit("a redirect has a blank, or a character that is not printable ASCII");
    }
    // "You must modify at least one of the following components to avoid a redirect loop: protocol, hostname, port, or path."
    if [protocol, host, port, path] == ["#{protocol}", "#{host}", "#{port}", "/#{path}"] {
        return unfit("the redirect configuration creates a loop: it changes neither protocol, host, port nor path");
    }
    if !matches!(protocol, "HTTP" | "HTTPS" | "#{protocol}") || host.is_empty() || !path.starts_with('/') {
        return unfit("a redirect has no valid protocol, host or path");
    }
    // "You can specify a value from 1 to 65535 or #{port}."
    let is_number = port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0') && port.parse::<u16>().is_ok();
    match port == "#{port}" || is_number {
        true => Ok(()),
        false => unfit(format!("the redirect port '{port}' is neither a number between 1 and 65535 nor '#{{port}}'")),
    }
}

#[cfg(test)]
#[path = "rule_terms_tests.rs"]
mod tests;
