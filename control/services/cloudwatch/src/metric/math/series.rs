//! Values of metric math: scalars, time series, and arrays of them, with what operators do to each.

use std::rc::Rc;

use super::MathError;
use super::parse::Operator;

/// One time series. Moments are seconds since 1970, in order, each once.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub label: Rc<str>,
    pub period_s: u32,
    pub points: Rc<Vec<(i64, f64)>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Scalar(f64),
    Line(Line),
    Lines(Vec<Line>),
    /// A keyword or a text, for the functions that take one.
    Word(String),
}

impl Line {
    pub(super) fn with(&self, points: Vec<(i64, f64)>) -> Self {
        Self { label: self.label.clone(), period_s: self.period_s, points: Rc::new(points) }
    }

    pub(super) fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        self.with(finite(self.points.iter().map(|(at, value)| (*at, f(*value)))))
    }
}

/// Leaves out what is no number: a division by zero or the logarithm of a negative number gives no data point.
pub(super) fn finite(points: impl Iterator<Item = (i64, f64)>) -> Vec<(i64, f64)> {
    points.filter(|(_, value)| value.is_finite()).collect()
}

/// An operator between any two values. Of two series, only moments at which both have a value give one ("Using math
/// expressions", basic arithmetic).
pub(super) fn binary(operator: Operator, left: &Value, right: &Value) -> Result<Value, MathError> {
    Ok(match (left, right) {
        (Value::Scalar(a), Value::Scalar(b)) => Value::Scalar(apply(operator, *a, *b)),
        (Value::Scalar(a), Value::Line(b)) => Value::Line(b.map(|b| apply(operator, *a, b))),
        (Value::Line(a), Value::Scalar(b)) => Value::Line(a.map(|a| apply(operator, a, *b))),
        (Value::Line(a), Value::Line(b)) => Value::Line(both(operator, a, b)),
        (Value::Lines(all), other @ (Value::Scalar(_) | Value::Line(_))) => {
            each(all, |line| binary(operator, &Value::Line(line.clone()), other))?
        }
        (other @ (Value::Scalar(_) | Value::Line(_)), Value::Lines(all)) => {
            each(all, |line| binary(operator, other, &Value::Line(line.clone())))?
        }
        (Value::Lines(_), Value::Lines(_)) => {
            return Err(MathError("an operator cannot stand between two arrays of time series".into()));
        }
        (Value::Word(word), _) | (_, Value::Word(word)) => return Err(unknown(word)),
    })
}

fn each(all: &[Line], f: impl Fn(&Line) -> Result<Value, MathError>) -> Result<Value, MathError> {
    let lines = all.iter().map(|line| match f(line)? {
        Value::Line(line) => Ok(line),
        _ => Err(MathError("a time series was expected".into())),
    });
    lines.collect::<Result<_, _>>().map(Value::Lines)
}

pub(super) fn unknown(word: &str) -> MathError {
    MathError(format!("Undefined variable '{word}'"))
}

fn both(operator: Operator, a: &Line, b: &Line) -> Line {
    let mut points = Vec::with_capacity(a.points.len().min(b.points.len()));
    let mut others = b.points.iter().peekable();
    for (at, left) in a.points.iter() {
        while others.peek().is_some_and(|(other, _)| other < at) {
            others.next();
        }
        if let Some((_, right)) = others.peek().filter(|(other, _)| other == at) {
            points.push((*at, apply(operator, *left, *right)));
        }
    }
    let line = Line { label: a.label.clone(), period_s: a.period_s.max(b.period_s), points: Rc::default() };
    line.with(finite(points.into_iter()))
}

/// Comparisons and logic give 1 or 0; any number but 0 is true.
#[expect(clippy::float_cmp, reason = "metric math compares for equality when it is asked to")]
pub(super) fn apply(operator: Operator, a: f64, b: f64) -> f64 {
    let truth = |holds: bool| f64::from(u8::from(holds));
    match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::Power => a.powf(b),
        Operator::Equal => truth(a == b),
        Operator::NotEqual => truth(a != b),
        Operator::Less => truth(a < b),
        Operator::LessOrEqual => truth(a <= b),
        Operator::Greater => truth(a > b),
        Operator::GreaterOrEqual => truth(a >= b),
        Operator::And => truth(a != 0.0 && b != 0.0),
        Operator::Or => truth(a != 0.0 || b != 0.0),
    }
}
