//! Running instances in order of id, side by side: all of them are looked at in every period, while few come and go.

use std::collections::BTreeMap;

use base::{InstanceId, Time};
use world::InstanceUsage;

use super::batch::Spent;

/// The batch of one that has gone and is not yet taken out.
const GONE: usize = usize::MAX;

/// A running instance.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: InstanceId,
    pub(super) batch: usize,
    pub(super) since: Time,
    pub(super) at_join: Spent,
    pub(super) carried: Spent,
}

#[derive(Debug, Default)]
pub(super) struct Records {
    /// In order of id.
    all: Vec<Record>,
    gone: usize,
    /// Those that came since the last merge.
    fresh: BTreeMap<InstanceId, Record>,
}

impl Records {
    pub(super) fn len(&self) -> usize {
        self.all.len() - self.gone + self.fresh.len()
    }

    pub(super) fn remove(&mut self, id: &InstanceId) -> Option<Record> {
        if let Some(fresh) = self.fresh.remove(id) {
            return Some(fresh);
        }
        let at = self.place(id).ok().filter(|at| self.all[*at].batch != GONE)?;
        self.gone += 1;
        let old = self.all[at].clone();
        self.all[at].batch = GONE;
        Some(old)
    }

    /// Puts in one that is not there.
    pub(super) fn put(&mut self, record: Record) {
        match self.place(&record.id) {
            Ok(at) => {
                self.gone -= 1;
                self.all[at] = record;
            }
            Err(_) => drop(self.fresh.insert(record.id.clone(), record)),
        }
    }

    fn place(&self, id: &InstanceId) -> Result<usize, usize> {
        self.all.binary_search_by(|r| r.id.cmp(id))
    }

    /// Brings those that came and went into order. A report that began with one item for each of [`Records::all`] has each at its
    /// place afterwards, so that few of them must be made anew.
    pub(super) fn merge(&mut self, report: &mut Vec<InstanceUsage>) {
        report.truncate(self.all.len());
        if report.len() < self.all.len() {
            report.clear();
        }
        if self.gone > 0 {
            let mut all = self.all.iter();
            report.retain(|_| all.next().is_some_and(|r| r.batch != GONE));
            self.all.retain(|r| r.batch != GONE);
            self.gone = 0;
        }
        if self.fresh.is_empty() {
            return;
        }
        let (mut all, mut told) = (Vec::with_capacity(self.len()), Vec::with_capacity(self.len()));
        let places: Vec<usize> = self.fresh.keys().map(|id| self.place(id).unwrap_or_else(|at| at)).collect();
        let (mut records, mut usages) = (std::mem::take(&mut self.all).into_iter(), std::mem::take(report).into_iter());
        let mut done = 0;
        for (at, record) in places.into_iter().zip(std::mem::take(&mut self.fresh).into_values()) {
            all.extend(records.by_ref().take(at - done));
            told.extend(usages.by_ref().take(at - done));
            done = at;
            told.push(super::report::usage(&record.id, Spent::default(), record.since, record.since));
            all.push(record);
        }
        all.extend(records);
        told.extend(usages);
        (self.all, *report) = (all, told);
    }

    /// All in order of id, after a merge.
    pub(super) fn all(&self) -> &[Record] {
        &self.all
    }

    pub(super) fn all_mut(&mut self) -> &mut [Record] {
        &mut self.all
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Record, Records};
    use crate::load::batch::Spent;
    use base::{InstanceId, Rng, Time};
    use std::collections::BTreeMap;

    fn record(id: &str, batch: usize) -> Record {
        Record { id: id.into(), batch, since: Time::ZERO, at_join: Spent::default(), carried: Spent::default() }
    }

    #[test]
    fn records_are_a_map_and_the_report_keeps_their_order() {
        let (mut rng, mut records, mut model) = (Rng::new(7), Records::default(), BTreeMap::new());
        let mut report = Vec::new();
        for round in 0..2_000 {
            let id = format!("i-{:03}", rng.below(300));
            let known = model.remove(&id);
            assert_eq!(records.remove(&InstanceId::from(id.as_str())).map(|r| r.batch), known);
            if rng.below(3) > 0 {
                records.put(record(&id, round));
                model.insert(id, round);
            }
            assert_eq!(records.len(), model.len());
            if rng.below(20) == 0 {
                // A report is sometimes lost.
                if rng.below(5) == 0 {
                    report.clear();
                }
                let was_kept = !report.is_empty() || records.all().is_empty();
                records.merge(&mut report);
                let ids: Vec<_> = records.all().iter().map(|r| (r.id.to_string(), r.batch)).collect();
                assert_eq!(ids, model.clone().into_iter().collect::<Vec<_>>());
                if was_kept {
                    assert!(report.iter().map(|u| &u.id).eq(records.all().iter().map(|r| &r.id)));
                }
                report = records
                    .all()
                    .iter()
                    .map(|r| super::super::report::usage(&r.id, Spent::default(), r.since, r.since))
                    .collect();
            }
        }
    }
}
