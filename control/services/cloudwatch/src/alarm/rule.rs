//! The rule of a composite alarm ("PutCompositeAlarm", AlarmRule): reads it, says which alarms it names, and evaluates it over
//! their states. Pure.

use std::fmt;

use super::row::AlarmState;

/// Longest rule, characters.
pub(crate) const RULE_CHARS_MAX: usize = 10_240;
/// Most alarms that a rule may name.
pub(crate) const CHILDREN_MAX: usize = 100;
/// Most elements: alarms, `TRUE`, `FALSE` and pairs of parentheses.
const ELEMENTS_MAX: usize = 500;
/// Deepest nesting of parentheses and `NOT`.
const DEPTH_MAX: usize = 100;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    Constant(bool),
    /// An alarm by its name, and the state it must be in.
    Is(String, AlarmState),
    Not(Box<Rule>),
    And(Vec<Rule>),
    Or(Vec<Rule>),
}

/// Why a rule is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuleError(pub String);

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of an alarm that is given by name or ARN.
pub(crate) fn name_of(name_or_arn: &str) -> &str {
    match name_or_arn.strip_prefix("arn:").and_then(|_| name_or_arn.splitn(7, ':').nth(6)) {
        Some(name) => name,
        None => name_or_arn,
    }
}

impl Rule {
    /// Names of all alarms, each once, in the rule's order.
    pub(crate) fn children(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.visit(&mut |name| {
            if !all.iter().any(|n| n == name) {
                all.push(name.to_string());
            }
        });
        all
    }

    fn visit(&self, each: &mut impl FnMut(&str)) {
        match self {
            Self::Constant(_) => {}
            Self::Is(name, _) => each(name),
            Self::Not(inner) => inner.visit(each),
            Self::And(all) | Self::Or(all) => all.iter().for_each(|r| r.visit(each)),
        }
    }

    /// Whether the rule holds. An alarm that does not exist is in no state.
    pub(crate) fn holds(&self, state_of: &impl Fn(&str) -> Option<AlarmState>) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::Is(name, state) => state_of(name) == Some(*state),
            Self::Not(inner) => !inner.holds(state_of),
            Self::And(all) => all.iter().all(|r| r.holds(state_of)),
            Self::Or(all) => all.iter().any(|r| r.holds(state_of)),
        }
    }
}

/// Reads a rule. `NOT` binds tighter than `AND`, that tighter than `OR`.
pub(crate) fn parse(text: &str) -> Result<Rule, RuleError> {
    if text.chars().count() > RULE_CHARS_MAX {
        return Err(RuleError(format!("it has more than {RULE_CHARS_MAX} characters")));
    }
    let mut parser = Parser { rest: text, elements: 0 };
    let rule = parser.or(0)?;
    parser.space();
    if !parser.rest.is_empty() {
        return Err(parser.unexpected());
    }
    if rule.children().len() > CHILDREN_MAX {
        return Err(RuleError(format!("it names more than {CHILDREN_MAX} alarms")));
    }
    Ok(rule)
}

struct Parser<'a> {
    rest: &'a str,
    elements: usize,
}

impl Parser<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn unexpected(&self) -> RuleError {
        let near: String = self.rest.chars().take(20).collect();
        RuleError(if near.is_empty() { "it ends too early".into() } else { format!("unexpected '{near}'") })
    }

    /// Takes a word when it comes next, in any case of letters.
    fn word(&mut self, word: &str) -> bool {
        self.space();
        let Some(found) = self.rest.get(..word.len()) else { return false };
        let follows = self.rest[word.len()..].chars().next();
        if !found.eq_ignore_ascii_case(word) || follows.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            return false;
        }
        self.rest = &self.rest[word.len()..];
        true
    }

    fn sign(&mut self, sign: char) -> bool {
        self.space();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn element(&mut self) -> Result<(), RuleError> {
        self.elements += 1;
        if self.elements > ELEMENTS_MAX {
            return Err(RuleError(format!("it has more than {ELEMENTS_MAX} elements")));
        }
        Ok(())
    }

    fn or(&mut self, depth: usize) -> Result<Rule, RuleError> {
        let mut all = vec![self.and(depth)?];
        while self.word("OR") {
            all.push(self.and(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Rule::Or(all) })
    }

    fn and(&mut self, depth: usize) -> Result<Rule, RuleError> {
        let mut all = vec![self.one(depth)?];
        while self.word("AND") {
            all.push(self.one(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Rule::And(all) })
    }

    fn one(&mut self, depth: usize) -> Result<Rule, RuleError> {
        if depth == DEPTH_MAX {
            return Err(RuleError("it is nested too deeply".into()));
        }
        if self.word("NOT") {
            return Ok(Rule::Not(Box::new(self.one(depth + 1)?)));
        }
        self.element()?;
        if self.sign('(') {
            let rule = self.or(depth + 1)?;
            return if self.sign(')') { Ok(rule) } else { Err(self.unexpected()) };
        }
        if self.word("TRUE") {
            return Ok(Rule::Constant(true));
        }
        if self.word("FALSE") {
            return Ok(Rule::Constant(false));
        }
        for state in [AlarmState::Alarm, AlarmState::Ok, AlarmState::InsufficientData] {
            if self.word(state.as_str()) {
                return Ok(Rule::Is(self.name()?, state));
            }
        }
        Err(self.unexpected())
    }

    /// A name or ARN in parentheses, with or without quotes.
    fn name(&mut self) -> Result<String, RuleError> {
        if !self.sign('(') {
            return Err(self.unexpected());
        }
        self.space();
        let (found, rest) = match self.rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or_else(|| self.unexpected())?,
            None => {
                let end = self.rest.find(')').ok_or_else(|| self.unexpected())?;
                (self.rest[..end].trim_end(), &self.rest[end..])
            }
        };
        if found.is_empty() {
            return Err(self.unexpected());
        }
        let name = name_of(found).to_string();
        self.rest = rest;
        if self.sign(')') { Ok(name) } else { Err(self.unexpected()) }
    }
}
