//! The forecast itself: hourly values of the coming days from those of the past ones. Pure numbers; it never reads a metric.
//!
//! Load of web traffic repeats by day and by week. A coming hour is a weighted mean of the same hour on past days, newer ones
//! weighing more and those of the same weekday most. How much more is chosen by what would have been best for the last two days.

/// Hours of a day and days of a week.
const DAY: usize = 24;
const WEEK_DAYS: usize = 7;
/// "How predictive scaling works": it looks back fourteen days and needs one.
pub(crate) const DAYS_MAX: usize = 14;
/// The least hours of history ("How predictive scaling works").
pub(crate) const HOURS_MIN: usize = DAY;
/// Hours of a forecast, likewise.
pub(crate) const HORIZON: usize = 48;

/// How past days are weighed.
#[derive(Clone, Copy, Debug)]
struct Weights {
    /// A day's weight against the day after it.
    decay: f64,
    /// The weight of the same weekday against another day.
    weekday: f64,
}

const DECAYS: [f64; 4] = [0.3, 0.6, 0.85, 1.0];
const WEEKDAYS: [f64; 4] = [1.0, 3.0, 10.0, 100.0];

/// The next [`HORIZON`] hours after a history of hourly values, oldest first; hours without data are none. None when fewer than
/// [`HOURS_MIN`] hours are known.
pub(crate) fn forecast(history: &[Option<f64>]) -> Option<Vec<f64>> {
    let known = history.iter().flatten().count();
    if known < HOURS_MIN {
        return None;
    }
    let mean = history.iter().flatten().sum::<f64>() / known as f64;
    let weights = best_weights(history);
    // Sums of great values may be beyond all numbers, which no journal can hold.
    let bounded = |load: f64| if load > f64::MAX { f64::MAX } else { load.max(0.0) };
    let hour = |ahead| bounded(value_at(history, history.len() + ahead, weights).unwrap_or(mean));
    Some((0..HORIZON).map(hour).collect())
}

/// The expected value of hour `at`, counted from the history's first, out of what was known before it.
fn value_at(history: &[Option<f64>], at: usize, weights: Weights) -> Option<f64> {
    let (mut sum, mut total) = (0.0, 0.0);
    for days in 1..=DAYS_MAX + HORIZON / DAY {
        let Some(index) = at.checked_sub(days * DAY) else { break };
        let Some(value) = history.get(index).copied().flatten() else { continue };
        let same_weekday = if days % WEEK_DAYS == 0 { weights.weekday } else { 1.0 };
        let weight = weights.decay.powi(i32::try_from(days).unwrap_or(i32::MAX)) * same_weekday;
        sum += value * weight;
        total += weight;
    }
    (total > 0.0).then(|| sum / total)
}

/// The weights that would have told the last two days best, each from what was known before it.
fn best_weights(history: &[Option<f64>]) -> Weights {
    let all = DECAYS.into_iter().flat_map(|decay| WEEKDAYS.map(|weekday| Weights { decay, weekday }));
    let mut best = (f64::INFINITY, Weights { decay: 0.85, weekday: 1.0 });
    for weights in all {
        let error = backtest(history, weights);
        if error < best.0 {
            best = (error, weights);
        }
    }
    best.1
}

/// The sum of squared errors over the last two days; endless when there is nothing to compare.
fn backtest(history: &[Option<f64>], weights: Weights) -> f64 {
    let (mut error, mut compared) = (0.0, 0);
    for at in history.len().saturating_sub(2 * DAY)..history.len() {
        if let (Some(actual), Some(expected)) = (history[at], value_at(&history[..at], at, weights)) {
            error += (actual - expected).powi(2);
            compared += 1;
        }
    }
    if compared == 0 { f64::INFINITY } else { error }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{DAY, HORIZON, forecast};
    use base::Rng;

    /// A shop's load: high at noon, low at night, half at weekends, with noise of this share.
    fn load(hour: usize, noise: f64, rng: &mut Rng) -> f64 {
        let angle = (hour % DAY) as f64 / DAY as f64 * std::f64::consts::TAU;
        let weekend = if (hour / DAY) % 7 >= 5 { 0.5 } else { 1.0 };
        let shake = (rng.below(2_001) as f64 / 1_000.0 - 1.0) * noise;
        (100.0 - 80.0 * angle.cos()) * weekend * (1.0 + shake)
    }

    #[test]
    fn it_beats_the_same_hour_of_yesterday_on_a_noisy_trace() {
        let (mut ours, mut naive) = (0.0, 0.0);
        for seed in 0..20 {
            let mut rng = Rng::new(seed);
            // Fourteen days that end on each day of the week.
            let from = usize::try_from(seed % 7).unwrap() * DAY;
            let history: Vec<_> = (0..14 * DAY).map(|h| Some(load(from + h, 0.2, &mut rng))).collect();
            let told = forecast(&history).unwrap();
            for (ahead, told) in told.iter().enumerate() {
                let actual = load(from + history.len() + ahead, 0.0, &mut rng);
                let yesterday = history[history.len() - DAY + ahead % DAY].unwrap();
                ours += (told - actual).abs();
                naive += (yesterday - actual).abs();
            }
        }
        println!("mean error: {:.2} ours, {:.2} same hour of yesterday", ours / 960.0, naive / 960.0);
        assert!(ours < 0.6 * naive, "{ours} against {naive}");
    }

    #[test]
    fn a_day_of_data_is_needed_and_is_repeated() {
        assert_eq!(forecast(&[Some(1.0); 23]), None);
        let day: Vec<_> = (0..24).map(|h| Some(f64::from(h))).collect();
        let told = forecast(&day).unwrap();
        assert_eq!((told.len(), told[0], told[23], told[24]), (HORIZON, 0.0, 23.0, 0.0));
        let gaps: Vec<_> = (0..72).map(|h| (h % 3 != 0 || h < 24).then_some(f64::from(h % 24))).collect();
        let told = forecast(&gaps).unwrap();
        assert!((0..24).all(|h| (told[h] - h as f64).abs() < 1e-9), "{told:?}");
    }
}
