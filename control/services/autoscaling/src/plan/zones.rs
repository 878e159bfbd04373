//! Where the next instance goes: the zones of a group and how full they are. Pure.

use std::collections::BTreeMap;

use base::{SubnetId, Time};

/// A zone, and a subnet in it unless the zone's default one is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) zone: String,
    pub(crate) subnet: Option<SubnetId>,
}

/// A place and what stands there.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) place: Place,
    /// Instances of the subnet, or of the zone where the place is one.
    pub(crate) here: usize,
    pub(crate) zone: ZoneCount,
}

/// Instances of a zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ZoneCount {
    /// Pending or in service.
    pub(crate) serving: usize,
    /// On their way out.
    pub(crate) leaving: usize,
    /// In the warm pool, or coming there.
    pub(crate) warm: usize,
}

/// The sites of a group while a plan fills them.
pub(super) struct Sites<'a> {
    sites: Vec<Site>,
    avoid: &'a BTreeMap<String, Time>,
    now: Time,
}

impl<'a> Sites<'a> {
    pub(super) fn new(sites: &[Site], avoid: &'a BTreeMap<String, Time>, now: Time) -> Self {
        Self { sites: sites.to_vec(), avoid, now }
    }

    /// The zone with the fewest serving; of equals the one that loses most, so that a replacement stands where its
    /// predecessor did; then the emptiest subnet.
    pub(super) fn emptiest(&self) -> Option<&Site> {
        self.open().min_by_key(|s| (s.zone.serving, usize::MAX - s.zone.leaving, s.here))
    }

    /// The zone with the fewest in the warm pool, then the one with the fewest at all.
    pub(super) fn emptiest_of_pool(&self) -> Option<&Site> {
        self.open().min_by_key(|s| (s.zone.warm, s.zone.serving, s.here))
    }

    fn open(&self) -> impl Iterator<Item = &Site> {
        self.sites.iter().filter(|s| self.avoid.get(&s.place.zone).is_none_or(|until| *until <= self.now))
    }

    /// One more stands there.
    pub(super) fn fill(&mut self, place: &Place) {
        for site in self.sites.iter_mut().filter(|s| s.place.zone == place.zone) {
            site.zone.serving += 1;
            site.here += usize::from(site.place == *place);
        }
    }

    /// One less stands there.
    pub(super) fn empty(&mut self, zone: &str) {
        for site in self.sites.iter_mut().filter(|s| s.place.zone == zone) {
            site.zone.serving = site.zone.serving.saturating_sub(1);
        }
    }

    /// One more of the warm pool stands there.
    pub(super) fn fill_pool(&mut self, place: &Place) {
        for site in self.sites.iter_mut().filter(|s| s.place.zone == place.zone) {
            site.zone.warm += 1;
            site.here += usize::from(site.place == *place);
        }
    }

    /// Counts one less in the fullest zone that has more than `least` and something movable; false when there is none.
    pub(super) fn take_above(&mut self, least: usize, movable: &mut BTreeMap<&str, usize>) -> bool {
        let free = |zone: &str, movable: &BTreeMap<&str, usize>| movable.get(zone).is_some_and(|n| *n > 0);
        let full = self.sites.iter().filter(|s| s.zone.serving > least && free(&s.place.zone, movable));
        let Some(zone) = full.max_by_key(|s| s.zone.serving).map(|s| s.place.zone.clone()) else { return false };
        self.sites.iter_mut().filter(|s| s.place.zone == zone).for_each(|s| s.zone.serving -= 1);
        if let Some(left) = movable.get_mut(zone.as_str()) {
            *left -= 1;
        }
        true
    }

    /// How many serve in a zone; 0 where it is none of the group's.
    pub(super) fn serving(&self, zone: &str) -> usize {
        self.of_zone(zone).map_or(0, |z| z.serving)
    }

    fn of_zone(&self, zone: &str) -> Option<ZoneCount> {
        self.sites.iter().find(|s| s.place.zone == zone).map(|s| s.zone)
    }

    /// Each zone once.
    pub(super) fn zones(&self) -> BTreeMap<&str, ZoneCount> {
        self.sites.iter().map(|s| (s.place.zone.as_str(), s.zone)).collect()
    }

    /// When a zone that is passed over now is tried again.
    pub(super) fn retry_at(&self) -> Option<Time> {
        self.avoid.values().copied().filter(|at| *at > self.now).min()
    }
}
