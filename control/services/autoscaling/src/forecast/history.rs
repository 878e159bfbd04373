//! What has been measured of a group, by the hour: its load, and what an instance carries of it. It reads the store of samples.

use base::Time;
use cloudwatch::alarm::MetricQuery;
use kernel::{Cx, State};
use metrics::Metric;

use super::row::{HOUR_MS, Load, Measure, Named, Predictive, Source};
use super::{HOUR, MINUTE_S, model};

/// A series by the hour, each value a mean; none for hours without data.
type Hourly = Vec<Option<f64>>;

/// The span of a history and how it is read.
pub(super) struct Reader<'a> {
    state: &'a State,
    cx: &'a Cx,
    group: &'a str,
    begin: Time,
    until: Time,
}

impl<'a> Reader<'a> {
    /// Up to fourteen days until the beginning of an hour.
    pub(super) fn new(state: &'a State, cx: &'a Cx, group: &'a str, until: Time) -> Self {
        let begin = until - HOUR * u32::try_from(model::DAYS_MAX * 24).unwrap_or(u32::MAX);
        Self { state, cx, group, begin, until }
    }

    /// The group's load.
    pub(super) fn load(&self, predictive: &Predictive) -> Hourly {
        match &predictive.source {
            Source::Pair(named) | Source::Apart { load: named, .. } => self.predefined_load(named),
            Source::Customized { load: Measure::Predefined(named), .. } => self.predefined_load(named),
            Source::Customized { load: Measure::Queries(queries), .. } => self.queried(queries),
        }
    }

    /// How much of the scaling metric, over all instances, one unit of the load has been: 1 for metrics that belong together,
    /// and for as long as nothing tells ("Advanced predictive scaling policy configurations using custom metrics": load, scaling
    /// and capacity metrics are to be related).
    pub(super) fn per_load(&self, predictive: &Predictive, load: &[Option<f64>]) -> f64 {
        let Source::Customized { scaling, capacity, .. } = &predictive.source else { return 1.0 };
        let scaling = match scaling {
            Measure::Predefined(named) => self.predefined_scaling(named),
            Measure::Queries(queries) => self.queried(queries),
        };
        let capacity = match capacity {
            Some(queries) => self.queried(queries),
            None => self.in_service(),
        };
        let hours = load.iter().zip(scaling.iter().zip(&capacity));
        let known = hours.filter_map(|(load, (scaling, capacity))| Some(((*load)?, (*scaling)? * (*capacity)?)));
        let (total, carried) = known.fold((0.0, 0.0), |sum, (load, carried)| (sum.0 + load, sum.1 + carried));
        if total > 0.0 && carried > 0.0 { carried / total } else { 1.0 }
    }

    fn predefined_load(&self, named: &Named) -> Hourly {
        let (metric, load) = named.load(self.group);
        // An instance whose share is measured several times a minute counts once.
        let share = f64::from(self.cx.settings.metric_period_s.min(MINUTE_S)) / f64::from(MINUTE_S);
        let points = cloudwatch::store(self.state).points(&metric, self.begin, self.until, MINUTE_S).into_iter();
        self.hourly(points.map(|(at, sample)| (at, if load == Load::Percent { sample.sum * share } else { sample.sum })))
    }

    fn predefined_scaling(&self, named: &Named) -> Hourly {
        let (metric, statistic) = named.scaling(self.group);
        let points = cloudwatch::store(self.state).points(&metric, self.begin, self.until, MINUTE_S).into_iter();
        self.hourly(points.filter_map(|(at, sample)| Some((at, statistic.of(&sample)?))))
    }

    /// The group's own metric, where its collection is enabled.
    fn in_service(&self) -> Hourly {
        let metric = Metric::new("AWS/AutoScaling", "GroupInServiceInstances", &[("AutoScalingGroupName", self.group)]);
        let points = cloudwatch::store(self.state).points(&metric, self.begin, self.until, MINUTE_S).into_iter();
        self.hourly(points.map(|(at, sample)| (at, sample.sum / sample.count.max(1.0))))
    }

    fn queried(&self, queries: &[MetricQuery]) -> Hourly {
        self.hourly(cloudwatch::series(self.state, queries, (self.begin, self.until)).into_iter())
    }

    fn hourly(&self, points: impl Iterator<Item = (Time, f64)>) -> Hourly {
        let mut sums = vec![(0.0, 0_u32); model::DAYS_MAX * 24];
        for (at, value) in points {
            let hour = usize::try_from((at.unix_ms() - self.begin.unix_ms()).div_euclid(HOUR_MS)).unwrap_or(usize::MAX);
            if let Some((sum, count)) = sums.get_mut(hour) {
                *sum += value;
                *count += 1;
            }
        }
        sums.into_iter().map(|(sum, count)| (count > 0).then(|| sum / f64::from(count))).collect()
    }
}
