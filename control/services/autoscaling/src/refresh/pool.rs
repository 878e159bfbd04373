//! What a refresh does with the warm pool's instances: pure. They are replaced beside those of the group, with as many of the
//! pool ready as the minimum healthy percentage says ("Use an instance refresh", Auto Scaling groups with a warm pool;
//! "InstanceRefreshWarmPoolProgress").

use base::{InstanceId, Time};

/// An instance of the warm pool that is not on its way out.
#[derive(Clone, Debug)]
pub(super) struct PoolMember {
    pub(super) id: InstanceId,
    pub(super) launched_at: Time,
    /// The refresh replaces it.
    pub(super) obsolete: bool,
    /// It can be called into the group.
    pub(super) is_ready: bool,
}

/// The pool as the decision sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct PoolView {
    /// How many it shall have.
    pub(super) wanted: usize,
    pub(super) members: Vec<PoolMember>,
}

impl PoolView {
    /// Obsolete ones that are still there.
    pub(super) fn remaining(&self) -> usize {
        self.members.iter().filter(|m| m.obsolete).count()
    }

    /// Which go now: those that are not ready cost nothing; of the ready ones, the oldest first, as many as the minimum leaves,
    /// and one where it leaves none while the pool is full.
    pub(super) fn to_replace(&self, min_percent: usize) -> Vec<InstanceId> {
        let ready = self.members.iter().filter(|m| m.is_ready).count();
        let floor = (self.wanted * min_percent).div_ceil(100);
        let mut room = ready.saturating_sub(floor);
        if room == 0 && ready >= self.wanted {
            room = 1;
        }
        let mut obsolete: Vec<&PoolMember> = self.members.iter().filter(|m| m.obsolete).collect();
        obsolete.sort_by(|a, b| (a.is_ready, a.launched_at, &a.id).cmp(&(b.is_ready, b.launched_at, &b.id)));
        let unready = obsolete.iter().filter(|m| !m.is_ready).count();
        obsolete.into_iter().take(unready + room).map(|m| m.id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use base::Time;

    use super::{PoolMember, PoolView};

    /// A letter for each: Ready and Coming ones that are obsolete, and in lower case those that are not.
    fn pool(wanted: usize, letters: &str) -> PoolView {
        let member = |(n, letter): (usize, char)| PoolMember {
            id: format!("i-{n}").as_str().into(),
            launched_at: Time::from_unix_ms(n as i64),
            obsolete: letter.is_uppercase(),
            is_ready: letter.eq_ignore_ascii_case(&'r'),
        };
        PoolView { wanted, members: letters.chars().enumerate().map(member).collect() }
    }

    #[test]
    fn a_minimum_of_the_pool_stays_ready() {
        for (wanted, letters, min_percent, expected) in [
            (4, "RRRR", 50, 2),
            (4, "RRRR", 90, 1),
            (4, "RRRR", 100, 1),
            (4, "RRRc", 100, 0),
            (4, "RRRr", 100, 1),
            (4, "RRRC", 100, 1),
            (2, "RRR", 100, 1),
            (4, "RRRR", 0, 4),
            (4, "rrrr", 0, 0),
            (0, "RR", 90, 2),
            (0, "", 90, 0),
        ] {
            assert_eq!(pool(wanted, letters).to_replace(min_percent).len(), expected, "{letters} of {wanted} at {min_percent}");
        }
    }

    #[test]
    fn the_oldest_go_first_and_before_them_what_is_not_ready() {
        let ids: Vec<String> = pool(4, "RRRC").to_replace(50).iter().map(|id| id.to_string()).collect();
        assert_eq!(ids, ["i-3", "i-0"]);
    }
}
