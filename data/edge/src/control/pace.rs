//! How fast flows are, ten seconds after ten seconds ("CloudWatch metrics for your Network Load Balancer": "Highest average bytes
//! processed per second, calculated every 10 seconds during the sampling window"). Clocks and counters come in.

use base::Time;
use world::Pace;

/// A stretch ends at multiples of this; sooner where whole periods are shorter.
const STRETCH_MS: i64 = 10_000;

/// When stretches end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stretches {
    /// When the one under way began; none before the first look.
    begin: Option<Time>,
    /// One has ended in the period under way.
    ended: bool,
}

impl Stretches {
    fn end(begin: Time) -> Time {
        Time::from_unix_ms((begin.unix_ms().div_euclid(STRETCH_MS) + 1) * STRETCH_MS)
    }

    /// Milliseconds until the next look.
    pub fn wait_ms(&self, now: Time) -> u64 {
        self.begin.map_or(0, |begin| Self::end(begin).ms_since(now).min(STRETCH_MS.unsigned_abs()))
    }

    /// The length of the stretch that has ended by now, if one has; where a period of so many milliseconds `is_over`, it has
    /// had one at least. What has just begun to be looked at, or was looked at too early, did nothing before.
    pub fn ended(&mut self, now: Time, period_ms: u64, is_over: bool) -> Option<u64> {
        let begin = *self.begin.get_or_insert(now);
        let is_due = now >= Self::end(begin) || (is_over && !self.ended);
        self.ended = !is_over && (self.ended || is_due);
        if now < begin || is_due {
            self.begin = Some(now);
        }
        let least_ms = STRETCH_MS.unsigned_abs().min(period_ms).max(1);
        is_due.then(|| now.ms_since(begin).max(least_ms))
    }
}

/// Those of one network load balancer in one zone.
#[derive(Debug, Default)]
pub struct Paces {
    bytes: u64,
    packets: u64,
    noted: Vec<Pace>,
}

impl Paces {
    /// A stretch has ended with these sums since the start.
    pub fn note(&mut self, ms: u64, bytes: u64, packets: u64) {
        let pace = Pace { ms, bytes: bytes.wrapping_sub(self.bytes), packets: packets.wrapping_sub(self.packets) };
        (self.bytes, self.packets) = (bytes, packets);
        self.noted.push(pace);
    }

    /// Those of the period that has ended; none where nothing moved.
    pub fn take(&mut self) -> Vec<Pace> {
        let mut noted = std::mem::take(&mut self.noted);
        if noted.iter().all(|pace| (pace.bytes, pace.packets) == (0, 0)) {
            noted.clear();
        }
        noted
    }
}

#[cfg(test)]
mod tests {
    use super::{Pace, Paces, Stretches, Time};

    /// Looks at these moments (milliseconds), with periods of one length; tells which stretches ended.
    fn check(period_ms: i64, looks: &[i64], wanted: &[Option<u64>]) {
        let mut stretches = Stretches::default();
        let mut until = (looks[0] / period_ms + 1) * period_ms;
        let mut found = Vec::new();
        for now in looks {
            let is_over = *now >= until;
            found.push(stretches.ended(Time::from_unix_ms(*now), period_ms.unsigned_abs(), is_over));
            if is_over {
                until = (now / period_ms + 1) * period_ms;
            }
        }
        assert_eq!(found, wanted, "periods of {period_ms}: {looks:?}");
    }

    #[test]
    fn stretches_are_of_ten_seconds_or_of_a_whole_shorter_period() {
        let ten = Some(10_000);
        check(60_000, &[0, 5_000, 10_000, 20_000, 30_000, 60_003], &[None, None, ten, ten, ten, Some(30_003)]);
        check(60_000, &[60_004, 70_000, 80_000], &[None, ten, ten]);
        check(60_000, &[8_000, 10_000, 20_000], &[None, ten, ten]);
        check(1_000, &[500, 1_000, 2_000, 3_001], &[None, Some(1_000), Some(1_000), Some(1_001)]);
        check(15_000, &[0, 10_000, 15_000, 20_000, 30_000, 45_000], &[None, ten, None, ten, ten, Some(15_000)]);
        // A clock that was set back.
        check(60_000, &[50_000, 41_000, 50_000], &[None, None, ten]);
    }

    #[test]
    fn a_stretch_is_waited_for_and_no_longer_than_it_takes() {
        let at = |stretches: &Stretches, ms| stretches.wait_ms(Time::from_unix_ms(ms));
        let mut stretches = Stretches::default();
        assert_eq!(at(&stretches, 5), 0);
        stretches.ended(Time::from_unix_ms(12_000), 60_000, false);
        assert_eq!([13_000, 20_001, 0].map(|ms| at(&stretches, ms)), [7_000, 0, 10_000]);
    }

    #[test]
    fn paces_are_of_what_is_new() {
        let mut paces = Paces::default();
        paces.note(10_000, 0, 0);
        assert_eq!(paces.take(), []);
        paces.note(10_000, 500, 5);
        paces.note(10_000, 500, 5);
        let wanted = [Pace { ms: 10_000, bytes: 500, packets: 5 }, Pace { ms: 10_000, bytes: 0, packets: 0 }];
        assert_eq!(paces.take(), wanted);
        paces.note(100, 501, 6);
        assert_eq!(paces.take(), [Pace { ms: 100, bytes: 1, packets: 1 }]);
    }
}
