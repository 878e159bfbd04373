//! How many requests a second users send, over time: from a file that was recorded, or from a pattern in one line.

use std::fmt;
use std::time::Duration;

use base::Time;

/// Most lines of a recorded file.
pub const LINES_MAX: usize = 5_000_000;
const DAY_S: f64 = 86_400.0;
const MINUTE_MS: i64 = 60_000;
/// Longest time that is read, a thousand years.
const TIME_S_MAX: f64 = 365_250.0 * DAY_S;
/// Most requests a second that are read.
const RATE_MAX: f64 = 1e12;

/// Requests a second as a function of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    shape: Shape,
}

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Constant(f64),
    /// A wave a day long, highest at this second of the day (UTC).
    Diurnal {
        low: f64,
        high: f64,
        peak_s: f64,
    },
    /// `high` from `at_s` seconds after the beginning, for `for_s` seconds, else `low`.
    Step {
        low: f64,
        high: f64,
        at_s: f64,
        for_s: f64,
    },
    /// Evenly from `low` to `high` in `over_s` seconds from the beginning on.
    Ramp {
        low: f64,
        high: f64,
        over_s: f64,
    },
    Recorded {
        clock: Clock,
        points: Vec<(f64, f64)>,
        length_s: f64,
    },
}

/// What the times of a recorded file count from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Seconds from the beginning of the run.
    Run,
    /// Time of day, UTC.
    Day,
    /// Moments, of which the first is this.
    Moments(Time),
}

/// What the values of a recorded file count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Per {
    /// Per minute where the head of the column says so, else per second.
    #[default]
    Heading,
    Second,
    Minute,
}

/// What is wrong with a load, with the line of the file where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceError {
    pub line: Option<usize>,
    pub message: String,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for TraceError {}

fn wrong(message: impl Into<String>) -> TraceError {
    TraceError { line: None, message: message.into() }
}

/// The patterns, as help and errors name them.
pub const PATTERNS: &str =
    "constant:RPS, diurnal:LOW..HIGH[,peak=HH:MM], step:LOW..HIGH,at=TIME[,for=TIME], ramp:LOW..HIGH,over=TIME";

impl Trace {
    /// Whether the text names a pattern, not a file.
    pub fn is_pattern(text: &str) -> bool {
        text.split_once(':').is_some_and(|(kind, _)| ["constant", "diurnal", "step", "ramp"].contains(&kind))
    }

    /// Reads a pattern.
    pub fn pattern(text: &str) -> Result<Self, TraceError> {
        let (kind, rest) = text.split_once(':').ok_or_else(|| wrong(format!("a load is one of {PATTERNS}")))?;
        let mut parts = rest.split(',');
        let level = parts.next().unwrap_or_default();
        let mut options = Options::read(parts)?;
        let shape = match kind {
            "constant" => Shape::Constant(rate(level)?),
            "diurnal" => {
                let (low, high) = range(level)?;
                if low > high {
                    return Err(wrong(format!("diurnal: the low {low} is above the high {high}; write diurnal:{high}..{low}")));
                }
                Shape::Diurnal { low, high, peak_s: options.take("peak", clock_s)?.unwrap_or(14.0 * 3_600.0) }
            }
            "step" => {
                let (low, high) = range(level)?;
                let at_s = options.take("at", seconds)?.ok_or_else(|| wrong("step: says when with at=TIME, such as at=1h"))?;
                Shape::Step { low, high, at_s, for_s: options.take("for", seconds)?.unwrap_or(f64::INFINITY) }
            }
            "ramp" => {
                let (low, high) = range(level)?;
                let over_s =
                    options.take("over", seconds)?.ok_or_else(|| wrong("ramp: says how long with over=TIME, such as over=6h"))?;
                Shape::Ramp { low, high, over_s: over_s.max(1.0) }
            }
            other => return Err(wrong(format!("{other} is no pattern of load: there are {PATTERNS}"))),
        };
        options.none_left(kind)?;
        Ok(Self { shape })
    }

    /// Reads a recorded file: lines of time and value, a comma, semicolon or tab between them. Times are seconds,
    /// `HH:MM[:SS]` or ISO 8601; they must grow. A value holds until the next time; the last one as long as the one before.
    pub fn csv(text: &str, per: Per) -> Result<Self, TraceError> {
        let mut points: Vec<(f64, f64)> = Vec::new();
        let (mut clock, mut is_per_minute, mut first) = (None, per == Per::Minute, true);
        for (index, line) in text.lines().enumerate() {
            let at = |message: String| TraceError { line: Some(index + 1), message };
            let line = line.trim_start_matches('\u{feff}').trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // Beside another mark, or between quotes, a comma is a part of a number, which is then none that is read.
            let mark = [';', '\t'].into_iter().find(|mark| line.contains(*mark)).unwrap_or(',');
            let mut cells = line.split(mark).map(|cell| unquoted(cell.trim()));
            let (Some(time), Some(value)) = (cells.next(), cells.next()) else {
                return Err(at("a time and a value are expected, with a comma between them".into()));
            };
            let is_head = std::mem::take(&mut first) && value.parse::<f64>().is_err();
            if is_head {
                let head = value.to_lowercase();
                is_per_minute |= per == Per::Heading && (head.contains("minute") || head.contains("/min"));
                continue;
            }
            let (of, time_s) = moment(time).ok_or_else(|| {
                at(format!("{time:?} is no time: seconds, HH:MM, HH:MM:SS or ISO 8601 such as 2026-01-31T12:00:00Z are"))
            })?;
            let clock = clock.get_or_insert(of);
            let time_s = match (*clock, of) {
                (Clock::Moments(first), Clock::Moments(this)) => this.ms_since(first) as f64 / 1e3,
                (a, b) if a == b => time_s,
                _ => return Err(at(format!("{time:?} is written in another way than the times before it"))),
            };
            let value: f64 = value.parse().map_err(|_| at(format!("{value:?} is no number")))?;
            if !(0.0..=RATE_MAX).contains(&value) {
                return Err(at(format!("{value} is no number of requests")));
            }
            if points.last().is_some_and(|(before, _)| *before >= time_s) {
                return Err(at(format!("{time:?} is not later than the time before it")));
            }
            if points.len() == LINES_MAX {
                return Err(at(format!("more than {LINES_MAX} lines")));
            }
            points.push((time_s, if is_per_minute { value / 60.0 } else { value }));
        }
        let clock = clock.ok_or_else(|| wrong("the file holds no values"))?;
        let last = points.last().map_or(0.0, |p| p.0);
        let gap = if points.len() > 1 { last - points[points.len() - 2].0 } else { 60.0 };
        let length_s = if clock == Clock::Day { DAY_S } else { last + gap };
        Ok(Self { shape: Shape::Recorded { clock, points, length_s } })
    }

    /// The first whole minute of a recorded file that tells moments: a run begins with one, and before the first moment there
    /// is the load of the last.
    pub fn begins(&self) -> Option<Time> {
        match &self.shape {
            Shape::Recorded { clock: Clock::Moments(first), .. } => {
                Some(Time::from_unix_ms(first.unix_ms().saturating_add(MINUTE_MS - 1).div_euclid(MINUTE_MS) * MINUTE_MS))
            }
            _ => None,
        }
    }

    /// How long a recorded file is; none for patterns, which have no end.
    pub fn length(&self) -> Option<Duration> {
        match &self.shape {
            Shape::Recorded { length_s, .. } => Some(Duration::from_secs_f64(*length_s)),
            _ => None,
        }
    }

    /// Requests a second at a moment of a run that began at `from`. Before its beginning there is the load of the
    /// beginning; a recorded file that has ended begins anew.
    pub fn at(&self, from: Time, now: Time) -> f64 {
        let now = now.max(from);
        let run_s = now.ms_since(from) as f64 / 1e3;
        match &self.shape {
            Shape::Constant(rate) => *rate,
            Shape::Diurnal { low, high, peak_s } => {
                let turn = (day_s(now) - peak_s) / DAY_S * std::f64::consts::TAU;
                low + (high - low) * (1.0 + turn.cos()) / 2.0
            }
            Shape::Step { low, high, at_s, for_s } => {
                if run_s >= *at_s && run_s < at_s + for_s {
                    *high
                } else {
                    *low
                }
            }
            Shape::Ramp { low, high, over_s } => low + (high - low) * (run_s / over_s).min(1.0),
            Shape::Recorded { clock, points, length_s } => {
                let at_s = match clock {
                    Clock::Run => run_s,
                    Clock::Day => day_s(now),
                    Clock::Moments(first) => (now.unix_ms() - first.unix_ms()) as f64 / 1e3,
                };
                held(points, at_s.rem_euclid(*length_s))
            }
        }
    }
}

fn unquoted(cell: &str) -> &str {
    cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell)
}

fn day_s(now: Time) -> f64 {
    now.unix_ms().rem_euclid(86_400_000) as f64 / 1e3
}

/// The value that holds at a time: that of the last point up to it; before the first, that of the first.
fn held(points: &[(f64, f64)], at_s: f64) -> f64 {
    let after = points.partition_point(|(time, _)| *time <= at_s);
    points.get(after.saturating_sub(1)).map_or(0.0, |p| p.1)
}

fn moment(text: &str) -> Option<(Clock, f64)> {
    if let Ok(seconds) = text.parse::<f64>() {
        return (0.0..=TIME_S_MAX).contains(&seconds).then_some((Clock::Run, seconds));
    }
    if let Ok(of_day) = clock_s(text) {
        return Some((Clock::Day, of_day));
    }
    parse_moment(text).map(|moment| (Clock::Moments(moment), 0.0))
}

/// Reads an ISO 8601 moment; seconds and the offset may be left out (UTC), and a space may stand for the T.
pub fn parse_moment(text: &str) -> Option<Time> {
    let text = text.replacen(' ', "T", 1);
    // Seconds may be missing before an offset such as +02:00 too.
    let offset = text.len().checked_sub(6).and_then(|at| text.split_at_checked(at)).unwrap_or((&text, ""));
    let candidates = [
        text.clone(),
        format!("{text}Z"),
        format!("{text}:00Z"),
        text.replace('Z', ":00Z"),
        format!("{text}T00:00:00Z"),
        format!("{}:00{}", offset.0, offset.1),
    ];
    candidates.iter().find_map(|t| Time::parse_iso8601(t))
}

/// `HH:MM` or `HH:MM:SS` in seconds of the day.
fn clock_s(text: &str) -> Result<f64, String> {
    let wrong = || format!("{text:?} is no time of day: HH:MM is");
    let parts: Vec<u32> = text.split(':').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
    match parts[..] {
        [h, m] if h < 24 && m < 60 => Ok(f64::from(h * 3_600 + m * 60)),
        [h, m, s] if h < 24 && m < 60 && s < 60 => Ok(f64::from(h * 3_600 + m * 60 + s)),
        _ => Err(wrong()),
    }
}

/// Reads a length of time: a number with `s`, `m`, `h` or `d`, of seconds without.
pub fn seconds(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => (&text[..at], unit),
        _ => (text, 's'),
    };
    let factor = match unit {
        's' => 1.0,
        'm' => 60.0,
        'h' => 3_600.0,
        'd' => DAY_S,
        _ => f64::NAN,
    };
    match number.parse::<f64>().map(|n| n * factor) {
        Ok(seconds) if (0.0..=TIME_S_MAX).contains(&seconds) => Ok(seconds),
        _ => Err(format!("{text:?} is no length of time: 90s, 30m, 24h or 7d are")),
    }
}

fn rate(text: &str) -> Result<f64, TraceError> {
    match text.parse::<f64>() {
        Ok(rate) if (0.0..=RATE_MAX).contains(&rate) => Ok(rate),
        Ok(rate) if rate > RATE_MAX => {
            Err(wrong(format!("{text:?} is more than the {RATE_MAX:e} requests a second that there may be")))
        }
        _ => Err(wrong(format!("{text:?} is no number of requests a second"))),
    }
}

fn range(text: &str) -> Result<(f64, f64), TraceError> {
    let (low, high) = text.split_once("..").ok_or_else(|| wrong(format!("{text:?} is no range: LOW..HIGH is")))?;
    Ok((rate(low)?, rate(high)?))
}

/// `name=value` parts of a pattern.
struct Options<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Options<'a> {
    fn read(parts: impl Iterator<Item = &'a str>) -> Result<Self, TraceError> {
        let pair = |part: &'a str| part.split_once('=').ok_or_else(|| wrong(format!("{part:?}: NAME=VALUE is expected")));
        parts.map(pair).collect::<Result<_, _>>().map(Self)
    }

    fn take(&mut self, name: &str, read: fn(&str) -> Result<f64, String>) -> Result<Option<f64>, TraceError> {
        let Some(at) = self.0.iter().position(|(n, _)| *n == name) else { return Ok(None) };
        let (_, value) = self.0.remove(at);
        read(value).map(Some).map_err(|e| wrong(format!("{name}: {e}")))
    }

    fn none_left(&self, kind: &str) -> Result<(), TraceError> {
        self.0.first().map_or(Ok(()), |(name, _)| Err(wrong(format!("{kind} has no option {name}: there are {PATTERNS}"))))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base::Time;

    use super::{Per, Trace};

    const MIDNIGHT: i64 = 1_767_225_600_000;

    #[track_caller]
    fn check(trace: &Trace, expected: &[(i64, f64)]) {
        let from = Time::from_unix_ms(MIDNIGHT);
        for (second, rate) in expected {
            let got = trace.at(from, Time::from_unix_ms(MIDNIGHT + second * 1_000));
            assert!((got - rate).abs() < 1e-6, "at {second} s there are {got}, not {rate}");
        }
    }

    #[test]
    fn patterns() {
        let p = |text| Trace::pattern(text).unwrap();
        check(&p("constant:12.5"), &[(-5, 12.5), (0, 12.5), (1_000_000, 12.5)]);
        check(&p("diurnal:100..300,peak=12:00"), &[(0, 100.0), (6 * 3_600, 200.0), (12 * 3_600, 300.0), (30 * 3_600, 200.0)]);
        check(&p("diurnal:10..20"), &[(14 * 3_600, 20.0), (2 * 3_600, 10.0)]);
        check(&p("step:1..9,at=1h,for=30m"), &[(0, 1.0), (3_599, 1.0), (3_600, 9.0), (5_399, 9.0), (5_400, 1.0)]);
        check(&p("ramp:0..100,over=100s"), &[(0, 0.0), (50, 50.0), (500, 100.0)]);
    }

    #[test]
    fn patterns_that_make_no_sense() {
        for (text, expected) in [
            ("constant:many", "\"many\" is no number of requests a second"),
            ("constant:-1", "is no number of requests"),
            ("constant:1e13", "\"1e13\" is more than the 1e12 requests a second that there may be"),
            ("step:1..2,at=1e300", "at: \"1e300\" is no length of time"),
            ("diurnal:5", "\"5\" is no range: LOW..HIGH is"),
            ("diurnal:1..2,peak=25:00", "peak: \"25:00\" is no time of day"),
            ("diurnal:3..1", "the low 3 is above the high 1; write diurnal:1..3"),
            ("diurnal:1..2,top=3", "diurnal has no option top"),
            ("step:1..2", "at=TIME"),
            ("step:1..2,at=soon", "at: \"soon\" is no length of time"),
            ("ramp:1..2,over", "\"over\": NAME=VALUE is expected"),
            ("saw:1..2", "saw is no pattern of load"),
        ] {
            let said = Trace::pattern(text).unwrap_err().to_string();
            assert!(said.contains(expected), "{text}: {said}");
        }
    }

    #[test]
    fn recorded_files() {
        let read = |text| Trace::csv(text, Per::Heading).unwrap();
        check(&read("0,5\n60,7\n120,1\n"), &[(-1, 5.0), (0, 5.0), (59, 5.0), (60, 7.0), (179, 1.0), (180, 5.0), (240, 7.0)]);
        check(&read("\u{feff}time;requests per minute\r\n00:00;60\r\n12:00;120\r\n"), &[(0, 1.0), (43_200, 2.0), (86_400, 1.0)]);
        check(&read("# recorded\n\n\"2026-01-01T00:00:00Z\",\"3\"\n2026-01-01 00:01,4\n"), &[(0, 3.0), (60, 4.0), (120, 3.0)]);
        check(&Trace::csv("0,60", Per::Minute).unwrap(), &[(0, 1.0)]);
        check(&Trace::csv("t,requests/minute\n0,60", Per::Second).unwrap(), &[(0, 60.0)]);
        assert_eq!(read("2026-01-01T00:00Z,3").begins(), Some(Time::from_unix_ms(MIDNIGHT)));
        for text in ["2026-01-01T02:00+02:00", "2026-01-01 02:00:00+02:00", "2025-12-31T19:00:00-05:00", "2026-01-01"] {
            assert_eq!(super::parse_moment(text), Some(Time::from_unix_ms(MIDNIGHT)), "{text}");
        }
        // A run begins with a whole minute, and so within the file; an hour before it there is the load of the beginning.
        let within = read("2025-12-31T23:59:10Z,3\n2026-01-01T00:02:00Z,9");
        assert_eq!(within.begins(), Some(Time::from_unix_ms(MIDNIGHT)));
        check(&within, &[(-3_600, 3.0), (0, 3.0), (119, 3.0), (120, 9.0)]);
        assert_eq!(read("0,1\n30,2").length().unwrap().as_secs(), 60);
    }

    #[test]
    fn recorded_files_that_make_no_sense_are_told_with_their_line() {
        for (text, expected) in [
            ("", "the file holds no values"),
            ("time,value\n", "the file holds no values"),
            ("0,1\n60\n", "2: a time and a value are expected"),
            ("0,1\n60,x\n", "2: \"x\" is no number"),
            ("0,1\n60,-3\n", "2: -3 is no number of requests"),
            ("0,1\n60,NaN\n", "2: NaN is no number of requests"),
            ("0,1\n60,1e300\n", "2: 1000"),
            ("0,1\n60,\"1,200\"\n", "2: \"\\\"1\" is no number"),
            ("0;1\n60;12,5\n", "2: \"12,5\" is no number"),
            ("0\t1\n60\t12,5\n", "2: \"12,5\" is no number"),
            ("0,1\n1e300,3\n", "2: \"1e300\" is no time"),
            ("0,1\nnoon,3\n", "2: \"noon\" is no time"),
            ("0,1\n00:01,3\n", "2: \"00:01\" is written in another way"),
            ("60,1\n60,3\n", "2: \"60\" is not later"),
            ("2026-01-02T00:00:00Z,1\n2026-01-01T00:00:00Z,3\n", "2: "),
        ] {
            let said = Trace::csv(text, Per::Heading).unwrap_err().to_string();
            assert!(said.starts_with(expected) || (expected == "2: " && said.starts_with(expected)), "{text:?}: {said}");
        }
    }
}
