//! What `SEARCH` looks for ("CloudWatch User Guide, Search expression syntax"): a schema of a namespace and names of dimensions,
//! and terms over names and values. It knows which metrics fit; it never fetches their values.

use metrics::Metric;

use super::MathError;

/// "Search expression syntax": an expression has 1,024 characters at most.
const TEXT_MAX: usize = 1_024;
/// Terms within one another.
const DEPTH_MAX: u32 = 16;

/// A search expression that was read.
#[derive(Debug, PartialEq)]
pub(super) struct Search {
    schema: Option<Schema>,
    /// Without terms all metrics of the schema fit.
    terms: Option<Term>,
}

#[derive(Debug, PartialEq)]
struct Schema {
    namespace: String,
    /// Sorted: those that a metric has, and no others.
    dimensions: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Term {
    All(Vec<Term>),
    Any(Vec<Term>),
    Not(Box<Term>),
    /// Words of a text, in the value of a property or, without one, anywhere.
    Words {
        property: Option<String>,
        words: Vec<String>,
    },
    /// In quotes: the whole value.
    Exact {
        property: Option<String>,
        text: String,
    },
}

impl Search {
    pub(super) fn parse(text: &str) -> Result<Self, MathError> {
        if text.len() > TEXT_MAX {
            return Err(MathError(format!("a search expression has at most {TEXT_MAX} characters")));
        }
        let text = text.trim();
        let (schema, rest) = match text.strip_prefix('{') {
            None => (None, text),
            Some(inner) => {
                let (names, rest) = inner.split_once('}').ok_or_else(|| wrong("a schema ends with }"))?;
                (Some(Schema::parse(names)?), rest)
            }
        };
        let mut reader = Reader { tokens: tokens(rest)?, at: 0 };
        let terms = if reader.tokens.is_empty() { None } else { Some(reader.any(None, 0)?) };
        match reader.peek() {
            Some(token) => Err(wrong(&format!("{token:?} is not expected here"))),
            None if schema.is_none() && terms.is_none() => Err(wrong("it is empty")),
            None => Ok(Self { schema, terms }),
        }
    }

    /// The only namespace in which metrics can fit, where there is one.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.schema.as_ref().map(|schema| schema.namespace.as_str())
    }

    pub(super) fn fits(&self, metric: &Metric) -> bool {
        self.schema.as_ref().is_none_or(|schema| schema.fits(metric)) && self.terms.as_ref().is_none_or(|term| term.fits(metric))
    }
}

impl Schema {
    fn parse(names: &str) -> Result<Self, MathError> {
        let mut names = names.split(',').map(|name| name.trim().trim_matches('"').to_string());
        let namespace = names.next().filter(|n| !n.is_empty()).ok_or_else(|| wrong("a schema begins with a namespace"))?;
        let mut dimensions: Vec<String> = names.collect();
        if dimensions.iter().any(String::is_empty) {
            return Err(wrong("a name of the schema is missing"));
        }
        dimensions.sort_unstable();
        Ok(Self { namespace, dimensions })
    }

    /// Dimensions of a metric are sorted by name.
    fn fits(&self, metric: &Metric) -> bool {
        metric.namespace == self.namespace && metric.dimensions.iter().map(|(name, _)| name).eq(&self.dimensions)
    }
}

impl Term {
    fn fits(&self, metric: &Metric) -> bool {
        match self {
            Term::All(terms) => terms.iter().all(|term| term.fits(metric)),
            Term::Any(terms) => terms.iter().any(|term| term.fits(metric)),
            Term::Not(term) => !term.fits(metric),
            Term::Words { property, words } => values(metric, property.as_deref()).any(|value| {
                let there = words_of(value);
                words.iter().all(|word| there.contains(word))
            }),
            Term::Exact { property, text } => values(metric, property.as_deref()).any(|value| value == text),
        }
    }
}

/// What a term looks at: of a property its value, else namespace, name, and names and values of dimensions.
fn values<'a>(metric: &'a Metric, property: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    let is = move |name: &str| property.is_none_or(|p| p.eq_ignore_ascii_case(name));
    let own = [("Namespace", metric.namespace.as_str()), ("MetricName", metric.name.as_str())];
    let dimensions = metric.dimensions.iter().filter(move |(name, _)| is(name)).map(|(_, value)| value.as_str());
    let names = metric.dimensions.iter().filter(move |_| property.is_none()).map(|(name, _)| name.as_str());
    own.into_iter().filter(move |(name, _)| is(name)).map(|(_, value)| value).chain(dimensions).chain(names)
}

/// The words of a text in lower case, whole and cut where case or kind of character changes: `CPUUtilization` is also `cpu` and
/// `utilization`.
fn words_of(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for whole in text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        let chars: Vec<char> = whole.chars().collect();
        let mut begin = 0;
        for at in 1..chars.len() {
            let (before, here) = (chars[at - 1], chars[at]);
            let next_is_lower = chars.get(at + 1).is_some_and(|c| c.is_lowercase());
            let cut = before.is_numeric() != here.is_numeric()
                || (before.is_lowercase() && here.is_uppercase())
                || (before.is_uppercase() && here.is_uppercase() && next_is_lower);
            if cut {
                words.push(chars[begin..at].iter().collect::<String>().to_lowercase());
                begin = at;
            }
        }
        if begin > 0 {
            words.push(chars[begin..].iter().collect::<String>().to_lowercase());
        }
        words.push(whole.to_lowercase());
    }
    words
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(char),
}

fn tokens(text: &str) -> Result<Vec<Token>, MathError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' | '=' => {
                tokens.push(Token::Sign(first));
                1
            }
            '"' => {
                let end = rest[1..].find('"').ok_or_else(|| wrong("a quotation does not end"))?;
                tokens.push(Token::Quoted(rest[1..=end].to_string()));
                end + 2
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "()=\"".contains(c)).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_string()));
                end
            }
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, token: &Token) -> bool {
        let there = self.peek() == Some(token);
        self.at += usize::from(there);
        there
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.take(&Token::Word(word.into()))
    }

    fn any(&mut self, property: Option<&str>, depth: u32) -> Result<Term, MathError> {
        if depth > DEPTH_MAX {
            return Err(wrong("terms are within one another too deeply"));
        }
        let mut terms = vec![self.all(property, depth)?];
        while self.take_word("OR") {
            terms.push(self.all(property, depth)?);
        }
        Ok(alone_or(terms, Term::Any))
    }

    /// "A space between terms is AND".
    fn all(&mut self, property: Option<&str>, depth: u32) -> Result<Term, MathError> {
        let mut terms = vec![self.one(property, depth)?];
        loop {
            let joined = self.take_word("AND");
            let ends = match self.peek() {
                None | Some(Token::Sign(')')) => true,
                Some(token) => *token == Token::Word("OR".into()),
            };
            if ends && !joined {
                return Ok(alone_or(terms, Term::All));
            }
            terms.push(self.one(property, depth)?);
        }
    }

    fn one(&mut self, property: Option<&str>, depth: u32) -> Result<Term, MathError> {
        if depth > DEPTH_MAX {
            return Err(wrong("terms are within one another too deeply"));
        }
        if self.take_word("NOT") {
            return Ok(Term::Not(Box::new(self.one(property, depth + 1)?)));
        }
        let token = self.peek().cloned().ok_or_else(|| wrong("a term is missing at its end"))?;
        self.at += 1;
        let (text, exact) = match token {
            Token::Sign('(') => {
                let inner = self.any(property, depth + 1)?;
                return if self.take(&Token::Sign(')')) { Ok(inner) } else { Err(wrong("a parenthesis does not end")) };
            }
            Token::Sign(sign) => return Err(wrong(&format!("'{sign}' is not expected here"))),
            Token::Word(text) => (text, false),
            Token::Quoted(text) => (text, true),
        };
        if property.is_none() && self.take(&Token::Sign('=')) {
            return self.one(Some(&text), depth + 1);
        }
        let property = property.map(String::from);
        if exact {
            return Ok(Term::Exact { property, text });
        }
        let words: Vec<String> = match words_of(&text) {
            // The whole is enough where the text is one word; of several, each must be there.
            words if text.chars().all(char::is_alphanumeric) => words.into_iter().next_back().into_iter().collect(),
            words => words,
        };
        if words.is_empty() { Err(wrong(&format!("'{text}' is no word"))) } else { Ok(Term::Words { property, words }) }
    }
}

fn alone_or(mut terms: Vec<Term>, together: fn(Vec<Term>) -> Term) -> Term {
    match terms.pop() {
        Some(only) if terms.is_empty() => only,
        last => together(terms.into_iter().chain(last).collect()),
    }
}

fn wrong(what: &str) -> MathError {
    MathError(format!("the search expression is not valid: {what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use metrics::Metric;
    use proptest::prelude::*;

    use super::Search;

    fn fits(text: &str, metric: &Metric) -> bool {
        Search::parse(text).unwrap().fits(metric)
    }

    #[test]
    fn a_schema_names_the_namespace_and_all_dimensions() {
        let cpu = Metric::new("AWS/EC2", "CPUUtilization", &[("InstanceId", "i-0a1")]);
        assert!(fits("{AWS/EC2,InstanceId}", &cpu));
        assert!(fits(" {\"AWS/EC2\", InstanceId} MetricName=\"CPUUtilization\" ", &cpu));
        assert!(!fits("{AWS/EC2}", &cpu) && !fits("{AWS/EC2, InstanceId, ImageId}", &cpu) && !fits("{AWS/ELB,InstanceId}", &cpu));
    }

    #[test]
    fn words_are_found_in_parts_of_names_whatever_their_case_and_quotations_as_a_whole() {
        let cpu = Metric::new("AWS/EC2", "CPUUtilization", &[("AutoScalingGroupName", "web-blue-2")]);
        for text in
            ["cpu", "Utilization", "MetricName=cpu", "CPUUtilization", "web", "web-blue", "AutoScalingGroupName=blue", "ec2"]
        {
            assert!(fits(text, &cpu), "{text}");
        }
        for text in ["cp", "MetricName=web", "MetricName=\"cpuutilization\"", "\"web\"", "green", "web-green"] {
            assert!(!fits(text, &cpu), "{text}");
        }
        assert!(fits("AutoScalingGroupName=\"web-blue-2\"", &cpu));
    }

    #[test]
    fn terms_are_joined_by_and_or_and_not() {
        let a = Metric::new("Own", "Errors", &[("Host", "a1")]);
        for text in [
            "errors host",
            "errors AND own",
            "Host=(a1 OR b1)",
            "NOT latency",
            "errors NOT (b1 OR c1)",
            "latency OR errors",
            "Host=a1 Errors",
        ] {
            assert!(fits(text, &a), "{text}");
        }
        for text in ["errors latency", "NOT errors", "Host=(b1 OR c1)", "errors AND NOT a1", "Host=(NOT a1)"] {
            assert!(!fits(text, &a), "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in ["", "{", "{}", "{A,,B}", "(a", "a)", "a OR", "a AND", "NOT", "\"a", "= a", "a = ", "--", &"(".repeat(40)] {
            assert!(Search::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[a-zA-Z0-9{}()=\", ANDORT/-]{0,60}") {
            let metric = Metric::new("Own", "Errors", &[("Host", "a1")]);
            let _ = Search::parse(&text).map(|search| search.fits(&metric));
        }
    }
}
