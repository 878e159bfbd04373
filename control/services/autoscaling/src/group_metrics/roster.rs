//! What the report of usage needs to know of all members, side by side in memory: a report names every instance in every period,
//! while rows change seldom and lie far apart. It follows the rows and decides nothing.

use std::collections::{BTreeSet, HashMap};

use base::{Fault, GroupName, InstanceId, Time};
use kernel::{Cx, Registry, Settings, State, Tx};

use super::spread::{Spread, Values};
use crate::group::Group;
use crate::member::{Lifecycle, Member};
use crate::policy::metric_warmup_s;

const RECONCILER: &str = "autoscaling.roster";

/// Members in order of id, and their groups. It is made anew from the rows with each process.
#[derive(Default)]
pub(super) struct Roster {
    entries: Vec<Entry>,
    groups: Vec<OfGroup>,
    by_name: HashMap<GroupName, usize>,
    /// Members whose rows have changed since the last report.
    touched: BTreeSet<InstanceId>,
    /// The beginning of the five minutes under way.
    pub(super) begin: Option<Time>,
}

impl kernel::Store for Roster {
    fn keep(&mut self) {}
}

struct Entry {
    id: InstanceId,
    group: usize,
    cpu: ec2::CpuShare,
    /// With detailed monitoring.
    is_detailed: bool,
    /// Since when it is in service; none while it is not.
    serves_since: Option<Time>,
    /// The beginning of the last period that it was reported for: each counts once.
    reported: Time,
}

pub(super) struct OfGroup {
    pub(super) name: GroupName,
    members: usize,
    warmup_s: u32,
    /// Values of members with detailed monitoring in the period, and of the others in the five minutes under way.
    pub(super) detailed: Spread,
    pub(super) basic: Spread,
}

pub(super) fn register(registry: &mut Registry) {
    registry.store::<Roster>();
    registry.reconciler(RECONCILER, touch);
    registry.watch::<Member>(RECONCILER, |_, member, due| due.push(member.instance.to_string()));
    registry.watch::<ec2::Instance>(RECONCILER, |state, instance, due| {
        if state.get::<Member>(&instance.id).is_some() {
            due.push(instance.id.to_string());
        }
    });
}

fn touch(tx: &mut Tx, _: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    tx.store_mut::<Roster>().touched.insert(key.into());
    Ok(None)
}

impl Roster {
    /// Takes in what has changed in the rows, and how long groups' members warm up now.
    pub(super) fn follow(&mut self, state: &State, settings: &Settings) {
        let mut fresh = Vec::new();
        let mut gone = false;
        for id in std::mem::take(&mut self.touched) {
            let entry = self.read(state, settings, &id);
            match (self.entries.binary_search_by(|e| e.id.cmp(&id)), entry) {
                (Ok(at), Some(entry)) => {
                    self.groups[self.entries[at].group].members -= 1;
                    let reported = self.entries[at].reported;
                    self.entries[at] = Entry { reported, ..entry };
                }
                (Ok(at), None) => {
                    self.groups[self.entries[at].group].members -= 1;
                    self.entries[at].group = usize::MAX;
                    gone = true;
                }
                (Err(at), Some(entry)) => fresh.push((at, entry)),
                (Err(_), None) => {}
            }
        }
        if !fresh.is_empty() {
            self.insert(fresh);
        }
        if gone {
            self.entries.retain(|e| e.group != usize::MAX);
        }
        for group in self.groups.iter_mut().filter(|g| g.members > 0) {
            group.warmup_s = state.get::<Group>(&group.name).map_or(0, |g| metric_warmup_s(state, g));
        }
    }

    /// Puts entries in their places, which they have in order.
    fn insert(&mut self, fresh: Vec<(usize, Entry)>) {
        let mut all = Vec::with_capacity(self.entries.len() + fresh.len());
        let mut done = 0;
        let mut old = std::mem::take(&mut self.entries).into_iter();
        for (at, entry) in fresh {
            all.extend(old.by_ref().take(at - done));
            done = at;
            all.push(entry);
        }
        all.extend(old);
        self.entries = all;
    }

    /// A member as its rows are now, counted in its group.
    fn read(&mut self, state: &State, settings: &Settings, id: &InstanceId) -> Option<Entry> {
        let member = state.get::<Member>(id)?;
        let instance = state.get::<ec2::Instance>(id)?;
        let cpu = ec2::CpuShare::of(instance, settings)?;
        let group = self.group(&member.group);
        self.groups[group].members += 1;
        Some(Entry {
            id: instance.id.clone(),
            group,
            cpu,
            is_detailed: instance.monitoring,
            serves_since: member.in_service_at.filter(|_| member.lifecycle == Lifecycle::InService),
            reported: Time::ZERO,
        })
    }

    /// The place of a group; that of one without members is given to another.
    fn group(&mut self, name: &GroupName) -> usize {
        if let Some(known) = self.by_name.get(name) {
            return *known;
        }
        let fresh =
            OfGroup { name: name.clone(), members: 0, warmup_s: 0, detailed: Spread::default(), basic: Spread::default() };
        let free = self.groups.iter().position(|g| g.members == 0 && g.detailed.is_empty() && g.basic.is_empty());
        let place = match free {
            Some(free) => {
                let old = std::mem::replace(&mut self.groups[free], fresh);
                self.by_name.remove(&old.name);
                free
            }
            None => {
                self.groups.push(fresh);
                self.groups.len() - 1
            }
        };
        self.by_name.insert(name.clone(), place);
        place
    }

    /// Adds the values of each reported member that was warm at `from` to those of its group. Reports are in order of id but
    /// for a few, so that the next member is most often the one that is meant.
    pub(super) fn take_in(&mut self, from: Time, report: &[world::InstanceUsage]) {
        let mut next = 0;
        for usage in report {
            let at = match self.entries.get(next) {
                Some(entry) if is_same(&entry.id, &usage.id) => next,
                _ => match self.entries.binary_search_by(|e| e.id.cmp(&usage.id)) {
                    Ok(at) => at,
                    Err(_) => continue,
                },
            };
            next = at + 1;
            let entry = &mut self.entries[at];
            if std::mem::replace(&mut entry.reported, from) == from {
                continue;
            }
            let group = &mut self.groups[entry.group];
            let warmup = std::time::Duration::from_secs(u64::from(group.warmup_s));
            if entry.serves_since.is_none_or(|since| since + warmup > from) {
                continue;
            }
            let Some(percent) = entry.cpu.percent(usage) else { continue };
            let values = if entry.is_detailed { &mut group.detailed } else { &mut group.basic };
            values.add(&values_of(percent, usage));
        }
    }

    /// Every group there is, in order of its place.
    pub(super) fn groups_mut(&mut self) -> impl Iterator<Item = &mut OfGroup> {
        self.groups.iter_mut()
    }
}

/// Equal ids are often the same text in memory: then it need not be read.
fn is_same(a: &InstanceId, b: &InstanceId) -> bool {
    std::ptr::eq(a.as_str(), b.as_str()) || a == b
}

fn values_of(percent: f64, usage: &world::InstanceUsage) -> Values {
    let count = |n: u64| n as f64;
    [
        percent,
        count(usage.network_in_bytes),
        count(usage.network_out_bytes),
        count(usage.network_in_packets),
        count(usage.network_out_packets),
    ]
}
