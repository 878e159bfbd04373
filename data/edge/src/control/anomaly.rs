//! Finds targets that fail requests far more often than others of their group, and has them get fewer ("ELB User Guide,
//! Automatic Target Weights"). AWS does not publish its arithmetic; ours is below. Health is none of its business.

use crate::target::WEIGHT_FULL;

/// How often the records of targets are looked at.
pub const LOOK_EVERY_MS: u64 = 1_000;
/// Healthy targets that a group needs: with fewer, nobody is the odd one out.
pub const TARGETS_MIN: usize = 3;
/// What the last look leaves of the ones before: a record is mostly of the last three seconds, so that a target which gets few
/// requests can show soon that it has recovered.
const KEPT: f32 = 0.6;
/// Requests on record that are enough to judge by.
const REQUESTS_MIN: f32 = 5.0;
/// A target is anomalous when it fails this much more of its requests than the others together do, and so many times as many.
const EXCESS: f32 = 0.10;
const FACTOR: f32 = 3.0;
/// Looks without enough requests after which nothing is held against a target any more.
const QUIET_LOOKS_MAX: u32 = 30;
/// An anomalous target gets half of what it got, look by look, down to this: enough to see that it has recovered.
const WEIGHT_MIN: u32 = WEIGHT_FULL / 20;
/// One that has recovered gets so much more, look by look.
const WEIGHT_STEP: u32 = WEIGHT_FULL / 20;

/// What is known of one target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Counters as they were read last; none before the first look.
    read: Option<(u32, u32)>,
    requests: f32,
    failures: f32,
    quiet_looks: u32,
    pub anomalous: bool,
    /// It gets fewer requests for that.
    pub mitigated: bool,
}

impl Record {
    /// Takes in the counters of requests and failures, which come round.
    pub fn read(&mut self, now: (u32, u32)) {
        let before = self.read.replace(now).unwrap_or(now);
        let (requests, failures) = (now.0.wrapping_sub(before.0), now.1.wrapping_sub(before.1));
        #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
        let (requests, failures) = (requests as f32, failures as f32);
        self.requests = self.requests * KEPT + requests;
        self.failures = self.failures * KEPT + failures;
        self.quiet_looks = if self.requests < REQUESTS_MIN { self.quiet_looks.saturating_add(1) } else { 0 };
    }

    fn rate(&self) -> f32 {
        self.failures / self.requests.max(1.0)
    }
}

/// Judges all healthy targets of a group by their records.
pub fn judge(records: &mut [&mut Record]) {
    if records.len() < TARGETS_MIN {
        records.iter_mut().for_each(|record| record.anomalous = false);
        return;
    }
    let (requests, failures) = records.iter().fold((0.0, 0.0), |(r, f), record| (r + record.requests, f + record.failures));
    for record in records.iter_mut() {
        let others = (failures - record.failures).max(0.0) / (requests - record.requests).max(1.0);
        let fails = record.requests >= REQUESTS_MIN && record.rate() > (others + EXCESS).max(others * FACTOR);
        let is_over = record.quiet_looks > QUIET_LOOKS_MAX || (record.requests >= REQUESTS_MIN && !fails);
        record.anomalous = fails || (record.anomalous && !is_over);
    }
    // When half of them fail, it is no anomaly of theirs.
    if records.iter().filter(|record| record.anomalous).count() * 2 > records.len() {
        records.iter_mut().for_each(|record| record.anomalous = false);
    }
}

/// The weight that follows on this one, in a group that mitigates.
pub fn next_weight(weight: u32, anomalous: bool) -> u32 {
    if anomalous { (weight / 2).max(WEIGHT_MIN) } else { (weight + WEIGHT_STEP).min(WEIGHT_FULL) }
}

#[cfg(test)]
mod tests {
    use super::{QUIET_LOOKS_MAX, Record, WEIGHT_FULL, WEIGHT_MIN, judge, next_weight};

    /// Records after looks at which each target got 100 requests and failed so many.
    fn after(looks: u32, failing: &[u32]) -> Vec<Record> {
        let mut records = vec![Record::default(); failing.len()];
        for look in 0..=looks {
            records.iter_mut().zip(failing).for_each(|(record, failing)| record.read((100 * look, failing * look)));
            judge(&mut records.iter_mut().collect::<Vec<_>>());
        }
        records
    }

    #[test]
    fn only_the_odd_one_out_is_anomalous() {
        let check = |failing: &[u32], wanted: &[bool]| {
            let found: Vec<bool> = after(5, failing).iter().map(|record| record.anomalous).collect();
            assert_eq!(found, wanted, "{failing:?}");
        };
        check(&[0, 0, 50], &[false, false, true]);
        check(&[0, 0, 5], &[false, false, false]);
        check(&[20, 20, 45], &[false, false, false]);
        check(&[5, 5, 40], &[false, false, true]);
        check(&[0, 50], &[false, false]);
        check(&[0, 50, 50], &[false, false, false]);
        check(&[0, 0, 50, 50], &[false, false, true, true]);
    }

    #[test]
    fn an_anomaly_ends_with_better_answers_or_with_silence() {
        let mut records = after(5, &[0, 0, 60]);
        assert!(records[2].anomalous);
        let look = |records: &mut [Record], requests: u32| {
            for record in records.iter_mut() {
                let (all, failed) = record.read.unwrap_or_default();
                record.read((all + requests, failed));
            }
            judge(&mut records.iter_mut().collect::<Vec<_>>());
        };
        let mut silent = records.clone();
        (0..20).for_each(|_| look(&mut records, 100));
        assert!(!records[2].anomalous);
        (0..20).for_each(|_| look(&mut silent, 0));
        assert!(silent[2].anomalous, "nothing has shown that it is well");
        (0..=QUIET_LOOKS_MAX + 20).for_each(|_| look(&mut silent, 0));
        assert!(!silent[2].anomalous);
    }

    #[test]
    fn weights_fall_fast_and_rise_slowly() {
        let mut weight = WEIGHT_FULL;
        (0..10).for_each(|_| weight = next_weight(weight, true));
        assert_eq!(weight, WEIGHT_MIN);
        (0..18).for_each(|_| weight = next_weight(weight, false));
        assert!(weight < WEIGHT_FULL);
        weight = next_weight(weight, false);
        assert_eq!(weight, WEIGHT_FULL);
    }
}
