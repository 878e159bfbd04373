//! One evaluation: fetches what metrics give, and works out expressions, each query once.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use base::Time;
use metrics::{Metric, Store};

use super::parse::{Node, parse};
use super::search::Search;
use super::series::{Line, Value, binary, finite, unknown};
use super::{CHAIN_MAX, MathError, Series, VALUES_MAX, function};
use crate::alarm::MetricQuery;
use crate::metric::statistic;

/// Most series of one search, and how long a metric is found after its last sample ("Search expression syntax").
const SEARCH_SERIES_MAX: usize = 500;
const SEARCH_SILENT: Duration = Duration::from_secs(14 * 86_400);
/// Most searches of one evaluation: each looks at all metrics, while everything else waits.
const SEARCHES_MAX: usize = 100;
/// Of a search that names no period, seconds.
const SEARCH_PERIOD_S: f64 = 300.0;

/// Most nodes within one another, over all expressions of a chain, so that no chain exhausts the stack. One expression has some
/// 300 at most.
const DEPTH_MAX: usize = 512;

/// What is fetched of a metric.
#[derive(Clone, Copy)]
struct Wanted<'q> {
    statistic: &'q str,
    period_s: u32,
    unit: Option<&'q str>,
}

pub(super) struct Run<'a> {
    store: &'a Store,
    queries: &'a [MetricQuery],
    from: Time,
    until: Time,
    /// Where a period begins; the others lie around it.
    origin: Time,
    /// When the caller is at; none when all that there is may be used.
    now: Option<Time>,
    done: HashMap<&'a str, Value>,
    /// Expressions that are being worked out, to see one that uses itself.
    chain: Vec<&'a str>,
    /// Nodes within one another that are being worked out, over the whole chain.
    depth: usize,
    values: usize,
    searches: usize,
}

/// What functions need to know of the evaluation.
pub(super) struct Span {
    /// The finest period of the metrics, seconds.
    pub period_s: u32,
    /// Where a period begins.
    pub origin_s: i64,
    pub from_s: i64,
    /// Exclusive.
    pub until_s: i64,
}

impl Span {
    /// Refuses to make a value for each period of so many series, where that is more than anybody could use.
    pub(super) fn check(&self, period_s: u32, series: usize) -> Result<(), MathError> {
        let span_s = u64::try_from(self.until_s.saturating_sub(self.from_s)).unwrap_or(0);
        let moments = usize::try_from(span_s / u64::from(period_s.max(1))).unwrap_or(usize::MAX);
        if moments.saturating_mul(series) > VALUES_MAX { Err(too_many()) } else { Ok(()) }
    }

    /// The beginnings of all periods.
    pub(super) fn moments(&self, period_s: u32) -> impl Iterator<Item = i64> + use<> {
        let period = i64::from(period_s.max(1));
        let first = self.from_s - (self.from_s - self.origin_s).rem_euclid(period);
        (0..).map(move |n| first + n * period).take_while({
            let until = self.until_s;
            move |at| *at < until
        })
    }
}

/// From when on there are data points of a period ("MetricStat", Period: finer than a minute for three hours, whole minutes
/// for 15 days, multiples of five for 63 days, of an hour for 455 days).
fn oldest(period_s: u32, now: Time) -> Time {
    let kept_s = match period_s {
        p if p % 3_600 == 0 => 455 * 86_400,
        p if p % 300 == 0 => 63 * 86_400,
        p if p % 60 == 0 => 15 * 86_400,
        _ => 3 * 3_600,
    };
    now - Duration::from_secs(kept_s)
}

fn too_many() -> MathError {
    MathError("it takes too many values: ask for a shorter time or a longer period".into())
}

fn too_long() -> MathError {
    MathError("expressions use one another in too long a chain".into())
}

impl<'a> Run<'a> {
    /// An evaluation for a caller at the moment `now`, in periods that begin at multiples of their length.
    pub(super) fn new(store: &'a Store, queries: &'a [MetricQuery], span: (Time, Time), now: Time) -> Self {
        Self { origin: Time::ZERO, now: Some(now), ..Self::ending(store, queries, span) }
    }

    /// An evaluation of all that there is, in periods of which one ends with the span.
    pub(super) fn ending(store: &'a Store, queries: &'a [MetricQuery], (from, until): (Time, Time)) -> Self {
        Self {
            store,
            queries,
            from,
            until,
            origin: until,
            now: None,
            done: HashMap::new(),
            chain: Vec::new(),
            depth: 0,
            values: 0,
            searches: 0,
        }
    }

    /// A query's result as the caller sees it.
    pub(super) fn result(&mut self, query: &'a MetricQuery) -> Result<Vec<Series>, MathError> {
        let value = self.query(query)?;
        let own = |line: &Line, alone: bool| {
            // "Using dynamic labels": the query's label names its result; of several each keeps its own behind it.
            let label = match (&query.label, alone, &query.expression) {
                (Some(label), true, _) => label.clone(),
                (Some(label), false, _) => format!("{label} {}", line.label),
                (None, true, Some(_)) => query.id.clone(),
                (None, ..) => line.label.to_string(),
            };
            let points = line.points.iter().map(|(at, value)| (Time::from_unix_ms(at * 1_000), *value)).collect();
            Series { id: query.id.clone(), label, period_s: line.period_s, points }
        };
        match value {
            Value::Line(line) => Ok(vec![own(&line, true)]),
            Value::Lines(lines) => Ok(lines.iter().map(|line| own(line, false)).collect()),
            Value::Scalar(_) if !query.returns => Ok(Vec::new()),
            // "Metric math syntax and functions": the final result of an expression must be time series.
            Value::Scalar(_) => Err(MathError("the expression results in a scalar; it must result in a time series".into())),
            Value::Word(word) => Err(unknown(&word)),
        }
    }

    fn query(&mut self, query: &'a MetricQuery) -> Result<Value, MathError> {
        if let Some(value) = self.done.get(query.id.as_str()) {
            return Ok(value.clone());
        }
        let value = match &query.expression {
            None => Value::Line(self.metric(query)?),
            Some(text) => {
                if self.chain.contains(&query.id.as_str()) {
                    return Err(MathError(format!("the expression '{}' uses itself", query.id)));
                }
                if self.chain.len() == CHAIN_MAX {
                    return Err(too_long());
                }
                self.chain.push(&query.id);
                let value = parse(text).and_then(|node| self.node(&node));
                self.chain.pop();
                value?
            }
        };
        self.done.insert(&query.id, value.clone());
        Ok(value)
    }

    fn metric(&mut self, query: &MetricQuery) -> Result<Line, MathError> {
        let Some(metric) = &query.metric else {
            return Err(MathError(format!("the query '{}' has neither metric nor expression", query.id)));
        };
        let wanted = Wanted { statistic: &query.statistic, period_s: query.period_s.max(1), unit: query.unit.as_deref() };
        self.fetch(metric, wanted, metric.name.as_str().into())
    }

    fn fetch(&mut self, metric: &Metric, wanted: Wanted<'_>, label: Rc<str>) -> Result<Line, MathError> {
        let Wanted { period_s, unit, .. } = wanted;
        let statistic = statistic::parse(wanted.statistic).map_err(|fault| MathError(fault.message))?;
        // "GetMetricData": the span begins at the beginning of a period.
        let period_ms = i64::from(period_s) * 1_000;
        let from = self.from.max(self.now.map_or(Time::ZERO, |now| oldest(period_s, now)));
        let into_ms = (from.unix_ms() - self.origin.unix_ms()).rem_euclid(period_ms);
        let span = (Time::from_unix_ms(from.unix_ms() - into_ms), self.until);
        let found = self.store.values_from(metric, unit, statistic, self.origin, span, period_s);
        self.took(found.len())?;
        let points = finite(found.into_iter().map(|(at, value)| (at.unix_ms().div_euclid(1_000), value)));
        Ok(Line { label, period_s, points: Rc::new(points) })
    }

    /// `SEARCH(expression, statistic[, period])`: a series for each metric that fits, of those that had samples within two weeks
    /// ("Search expression syntax"); its label tells it from the others.
    fn search(&mut self, nodes: &[Node]) -> Result<Vec<Line>, MathError> {
        let (text, statistic, period) = match nodes {
            [Node::Text(text), Node::Text(statistic)] => (text, statistic, SEARCH_PERIOD_S),
            [Node::Text(text), Node::Text(statistic), Node::Number(period)] => (text, statistic, *period),
            _ => return Err(MathError("SEARCH takes an expression, a statistic and a period".into())),
        };
        self.searches += 1;
        if self.searches > SEARCHES_MAX {
            return Err(MathError(format!("at most {SEARCHES_MAX} searches are made at once")));
        }
        let search = Search::parse(text)?;
        let good = (1.0..=86_400.0).contains(&period) && period.fract() == 0.0;
        let period_s = if good { period as u32 } else { return Err(MathError(format!("{period} is no period"))) };
        let wanted = Wanted { statistic, period_s, unit: None };
        let first = Metric { namespace: search.namespace().unwrap_or("").into(), name: String::new(), dimensions: Vec::new() };
        let since = self.now.unwrap_or(self.until) - SEARCH_SILENT;
        let store = self.store;
        let within = |m: &&Metric| search.namespace().is_none_or(|namespace| m.namespace == namespace);
        let found = store.metrics_from(&first).take_while(within).filter(|m| search.fits(m));
        let found = found.filter(|m| store.newest(m).is_some_and(|newest| newest >= since));
        let label = |m: &Metric| {
            m.dimensions.iter().map(|(_, value)| value.as_str()).chain([m.name.as_str()]).collect::<Vec<_>>().join(" ")
        };
        found.take(SEARCH_SERIES_MAX).map(|m| self.fetch(m, wanted, label(m).into())).collect()
    }

    fn took(&mut self, values: usize) -> Result<(), MathError> {
        self.values += values;
        if self.values > VALUES_MAX {
            return Err(too_many());
        }
        Ok(())
    }

    fn span(&self) -> Span {
        let period_s = self.queries.iter().filter(|q| q.expression.is_none()).map(|q| q.period_s).min().unwrap_or(60);
        let seconds = |at: Time| at.unix_ms().div_euclid(1_000);
        Span { period_s, origin_s: seconds(self.origin), from_s: seconds(self.from), until_s: seconds(self.until) }
    }

    fn node(&mut self, node: &Node) -> Result<Value, MathError> {
        if self.depth == DEPTH_MAX {
            return Err(too_long());
        }
        self.depth += 1;
        let value = self.worked_out(node);
        self.depth -= 1;
        value
    }

    fn worked_out(&mut self, node: &Node) -> Result<Value, MathError> {
        let value = match node {
            Node::Number(number) => Value::Scalar(*number),
            Node::Text(text) => Value::Word(text.clone()),
            Node::Name(name) => match self.queries.iter().find(|q| q.id == *name) {
                Some(query) => self.query(query)?,
                None if function::is_keyword(name) => Value::Word(name.clone()),
                None => return Err(unknown(name)),
            },
            Node::List(nodes) => Value::Lines(self.list(nodes)?),
            Node::Negative(inner) => binary(super::parse::Operator::Multiply, &Value::Scalar(-1.0), &self.node(inner)?)?,
            Node::Binary(operator, left, right) => {
                let (left, right) = (self.node(left)?, self.node(right)?);
                binary(*operator, &left, &right)?
            }
            Node::Call(name, nodes) if name == "METRICS" => Value::Lines(self.metrics(nodes)?),
            Node::Call(name, nodes) if name == "SEARCH" => Value::Lines(self.search(nodes)?),
            Node::Call(name, nodes) => {
                function::check_available(name)?;
                let arguments = nodes.iter().map(|n| self.node(n)).collect::<Result<Vec<_>, _>>()?;
                let span = self.span();
                function::call(name, &arguments, &span)?
            }
        };
        let made = match &value {
            Value::Line(line) => line.points.len(),
            Value::Lines(lines) => lines.iter().map(|line| line.points.len()).sum(),
            _ => 0,
        };
        self.took(made / 8)?;
        Ok(value)
    }

    fn list(&mut self, nodes: &[Node]) -> Result<Vec<Line>, MathError> {
        let mut lines = Vec::new();
        for node in nodes {
            match self.node(node)? {
                Value::Line(line) => lines.push(line),
                Value::Lines(more) => lines.extend(more),
                Value::Scalar(_) => return Err(MathError("an array holds time series, not scalars".into())),
                Value::Word(word) => return Err(unknown(&word)),
            }
        }
        Ok(lines)
    }

    /// `METRICS()`: all metrics of the request, or those whose id holds a text; expressions are none.
    fn metrics(&mut self, nodes: &[Node]) -> Result<Vec<Line>, MathError> {
        let part = match nodes {
            [] => "",
            [Node::Text(part)] => part,
            _ => return Err(MathError("METRICS takes no argument or one text".into())),
        };
        let mut lines = Vec::new();
        for query in self.queries.iter().filter(|q| q.expression.is_none() && q.id.contains(part)) {
            if let Value::Line(line) = self.query(query)? {
                lines.push(line);
            }
        }
        Ok(lines)
    }
}
