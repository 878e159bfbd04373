//! Charts as SVG text: lines over one common time, drawn from points that were thinned out to what a screen can show.

use std::fmt::Write;

use super::terminal::number;

/// Size of a chart in its own units; the page scales it.
pub const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 20.0;
/// Most points of a line.
const POINTS_MAX: usize = 900;

/// A line: its class (which the page's style colours), what it is, and its values, all charts' at the same moments.
pub struct Line {
    pub class: &'static str,
    pub name: String,
    pub values: Vec<f64>,
    /// It changes in steps, as numbers of instances do.
    pub steps: bool,
}

/// What a chart shows besides its lines.
pub struct Chart<'a> {
    pub title: &'a str,
    pub unit: &'a str,
    pub lines: Vec<Line>,
    /// Spans of the time, 0 to 1, in which an alarm was on.
    pub bands: &'a [(f64, f64)],
    /// Labels of the time axis, with their place from 0 to 1.
    pub labels: &'a [(f64, String)],
    /// A fixed upper end, where the values have one.
    pub most: Option<f64>,
}

/// Text that may stand in HTML and SVG, also inside quotes.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() && c != '\n' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

impl Chart<'_> {
    pub fn svg(&self) -> String {
        let highest = self.lines.iter().flat_map(|l| &l.values).copied().fold(0.0, f64::max);
        let most = self.most.unwrap_or(0.0).max(nice(highest));
        let mut svg = String::new();
        let mut put = |text: std::fmt::Arguments| {
            // Writing to a string does not fail.
            let _ = svg.write_fmt(text);
        };
        put(format_args!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n", escape(self.title)));
        let (floor, width) = (HEIGHT - BOTTOM, WIDTH - LEFT - RIGHT);
        for (from, until) in self.bands {
            let (x, w) = (LEFT + from * width, ((until - from) * width).max(1.0));
            put(format_args!("<rect class=\"band\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{w:.1}\" height=\"{:.1}\"/>\n", floor - TOP));
        }
        for step in 0..=2 {
            let (share, y) = (f64::from(step) / 2.0, floor - f64::from(step) / 2.0 * (floor - TOP));
            put(format_args!("<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\n", WIDTH - RIGHT));
            let text = number(most * share);
            put(format_args!(
                "<text class=\"tick\" x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>\n",
                LEFT - 6.0,
                y + 4.0
            ));
        }
        for (place, text) in self.labels {
            let x = LEFT + place * width;
            put(format_args!(
                "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{text}</text>\n",
                HEIGHT - 5.0
            ));
        }
        for line in &self.lines {
            let path = path(&line.values, most, line.steps);
            put(format_args!("<path class=\"{}\" d=\"{path}\"><title>{}</title></path>\n", line.class, escape(&line.name)));
        }
        put(format_args!("<text class=\"title\" x=\"{LEFT}\" y=\"14\">{}, {}</text>\n", escape(self.title), escape(self.unit)));
        let mut x = WIDTH - RIGHT;
        for line in self.lines.iter().rev() {
            put(format_args!(
                "<text class=\"key {}\" x=\"{x:.0}\" y=\"14\" text-anchor=\"end\">{}</text>\n",
                line.class,
                escape(&line.name)
            ));
            x -= 7.0 * line.name.chars().count() as f64 + 16.0;
        }
        put(format_args!("</svg>\n"));
        svg
    }
}

fn path(values: &[f64], most: f64, steps: bool) -> String {
    let (floor, width) = (HEIGHT - BOTTOM, WIDTH - LEFT - RIGHT);
    let thin = thin(values);
    let last = thin.len().saturating_sub(1).max(1) as f64;
    let mut path = String::new();
    let mut before = 0.0;
    for (index, value) in thin.iter().enumerate() {
        let (x, y) = (LEFT + index as f64 / last * width, floor - (value / most).min(1.0) * (floor - TOP));
        let _ = match (index, steps) {
            (0, _) => write!(path, "M{x:.1} {y:.1}"),
            (_, true) if y != before => write!(path, "H{x:.1}V{y:.1}"),
            (_, true) if index + 1 < thin.len() => Ok(()),
            _ => write!(path, "L{x:.1} {y:.1}"),
        };
        before = y;
    }
    path
}

/// At most as many values as a screen shows: of those that share a place the highest, for peaks are what matters.
fn thin(values: &[f64]) -> Vec<f64> {
    let count = values.len().min(POINTS_MAX);
    let bound = |i: usize| i * values.len() / count.max(1);
    (0..count).map(|i| values[bound(i)..bound(i + 1)].iter().copied().fold(0.0, f64::max)).collect()
}

/// The next number up that reads well.
fn nice(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10.0_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    steps.iter().map(|s| s * power).find(|v| *v >= value * 0.999_999).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::{escape, nice, thin};

    #[test]
    fn text_from_outside_cannot_become_markup() {
        assert_eq!(escape("<b a=\"1\" b='2'>&\u{1}"), "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;\u{fffd}");
    }

    #[test]
    fn axes_end_at_round_numbers_and_peaks_stay() {
        assert_eq!([nice(0.0), nice(0.07), nice(130.0), nice(200.0), nice(99.0)], [1.0, 0.08, 200.0, 200.0, 100.0]);
        let mut values = vec![1.0; 10_000];
        values[7_777] = 50.0;
        let thin = thin(&values);
        assert!(thin.len() == super::POINTS_MAX && thin.contains(&50.0));
    }
}
