//! The grammar of metric math: text to a tree. It knows operators, lists and calls, and no function by name.

use super::MathError;

/// Longest expression in bytes ("Using metric math": an expression has up to 2,048 characters).
pub(super) const TEXT_MAX: usize = 2_048;
/// Deepest nesting of an expression, so that neither reading nor evaluating one can exhaust the stack.
const DEPTH_MAX: usize = 48;
/// Most operators of an expression, for the same reason.
const OPERATORS_MAX: usize = 256;

/// An operator between two operands, in the order of "Metric math syntax and functions".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Number(f64),
    /// The id of another query, or a keyword such as `REPEAT`.
    Name(String),
    Text(String),
    List(Vec<Node>),
    Call(String, Vec<Node>),
    Negative(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
}

impl Node {
    /// Whether a function is used anywhere in it.
    pub(super) fn calls(&self, function: &str) -> bool {
        match self {
            Node::Number(_) | Node::Name(_) | Node::Text(_) => false,
            Node::List(nodes) => nodes.iter().any(|node| node.calls(function)),
            Node::Call(name, nodes) => name == function || nodes.iter().any(|node| node.calls(function)),
            Node::Negative(node) => node.calls(function),
            Node::Binary(_, left, right) => left.calls(function) || right.calls(function),
        }
    }
}

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Node, MathError> {
    if text.len() > TEXT_MAX {
        return Err(MathError(format!("the expression is longer than {TEXT_MAX} characters")));
    }
    let mut reader = Reader { tokens: tokens(text)?, at: 0, operators: 0 };
    let node = reader.binary(0, 0)?;
    match reader.peek() {
        None => Ok(node),
        Some(token) => Err(MathError(format!("{} is not expected here", token.shown()))),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Name(String),
    Text(String),
    Sign(&'static str),
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Name(name) => format!("'{name}'"),
            Self::Text(text) => format!("\"{text}\""),
            Self::Sign(sign) => format!("'{sign}'"),
        }
    }
}

/// Longer ones first, for the first that fits is taken.
const SIGNS: [&str; 18] = ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "^", "(", ")", "[", "]", ","];

fn tokens(text: &str) -> Result<Vec<Token>, MathError> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length;
        if first.is_ascii_digit() || first == '.' {
            length = number_length(rest);
            let number: f64 = rest[..length].parse().map_err(|_| MathError(format!("{} is no number", &rest[..length])))?;
            all.push(Token::Number(number));
        } else if first.is_ascii_alphabetic() || first == '_' {
            length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            all.push(match &rest[..length] {
                "AND" => Token::Sign("&&"),
                "OR" => Token::Sign("||"),
                name => Token::Name(name.to_string()),
            });
        } else if first == '"' || first == '\'' {
            let end = rest[1..].find(first).ok_or_else(|| MathError("a text is not closed".into()))?;
            length = end + 2;
            all.push(Token::Text(rest[1..=end].to_string()));
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| MathError(format!("the character '{first}' is not expected")))?;
            length = sign.len();
            all.push(Token::Sign(sign));
        }
        rest = rest[length..].trim_start();
    }
    Ok(all)
}

/// Length of the number at the beginning: digits, a point, and an exponent when it has digits.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    end
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    /// Seen so far: each may make the tree one level higher.
    operators: usize,
}

/// Operators by how strongly they bind, the weakest first.
const LEVELS: [&[(&str, Operator)]; 6] = [
    &[("||", Operator::Or)],
    &[("&&", Operator::And)],
    &[
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide)],
    &[("^", Operator::Power)],
];

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(s)) if *s == sign);
        self.at += usize::from(found);
        found
    }

    fn binary(&mut self, level: usize, depth: usize) -> Result<Node, MathError> {
        let Some(operators) = LEVELS.get(level) else { return self.unary(depth) };
        if depth > DEPTH_MAX {
            return Err(MathError("the expression is nested too deeply".into()));
        }
        let mut left = self.binary(level + 1, depth)?;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.takes(sign)) {
            self.operators += 1;
            if self.operators > OPERATORS_MAX {
                return Err(MathError(format!("the expression has more than {OPERATORS_MAX} operators")));
            }
            let right = self.binary(level + 1, depth)?;
            left = Node::Binary(*operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self, depth: usize) -> Result<Node, MathError> {
        if self.takes("-") {
            if depth > DEPTH_MAX {
                return Err(MathError("the expression is nested too deeply".into()));
            }
            return Ok(Node::Negative(Box::new(self.unary(depth + 1)?)));
        }
        let token = self.peek().cloned().ok_or_else(|| MathError("the expression ends too early".into()))?;
        self.at += 1;
        match token {
            Token::Number(number) => Ok(Node::Number(number)),
            Token::Text(text) => Ok(Node::Text(text)),
            Token::Name(name) if self.takes("(") => Ok(Node::Call(name, self.several(")", depth + 1)?)),
            Token::Name(name) => Ok(Node::Name(name)),
            Token::Sign("[") => Ok(Node::List(self.several("]", depth + 1)?)),
            Token::Sign("(") => {
                let inner = self.binary(0, depth + 1)?;
                if self.takes(")") { Ok(inner) } else { Err(MathError("a parenthesis is not closed".into())) }
            }
            token => Err(MathError(format!("{} is not expected here", token.shown()))),
        }
    }

    /// Expressions with commas between them, up to `end`.
    fn several(&mut self, end: &str, depth: usize) -> Result<Vec<Node>, MathError> {
        let mut all = Vec::new();
        if self.takes(end) {
            return Ok(all);
        }
        loop {
            all.push(self.binary(0, depth)?);
            if self.takes(end) {
                return Ok(all);
            }
            if !self.takes(",") {
                return Err(MathError(format!("',' or '{end}' is missing")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Node, Operator, parse};

    #[test]
    fn operators_bind_as_in_arithmetic() {
        let name = |n: &str| Box::new(Node::Name(n.into()));
        assert_eq!(
            parse("m1+m2*2 > 3 AND m1").unwrap(),
            Node::Binary(
                Operator::And,
                Box::new(Node::Binary(
                    Operator::Greater,
                    Box::new(Node::Binary(
                        Operator::Add,
                        name("m1"),
                        Box::new(Node::Binary(Operator::Multiply, name("m2"), Box::new(Node::Number(2.0))))
                    )),
                    Box::new(Node::Number(3.0))
                )),
                name("m1")
            )
        );
        assert_eq!(parse("1e3").unwrap(), Node::Number(1_000.0));
        assert!(
            matches!(parse("SUM([m1, METRICS(\"err\")])").unwrap(), Node::Call(name, inner) if name == "SUM" && inner.len() == 1)
        );
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        let deep = format!("{}1{}", "(".repeat(900), ")".repeat(900));
        let minus = "-".repeat(2_000);
        for text in ["", "m1 +", "(m1", "m1 m2", "SUM(m1", "m1 % 2", "\"open", "[m1", "1..2", &deep, &minus, &"a".repeat(3_000)] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
