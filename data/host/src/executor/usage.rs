//! What instances use: read at the end of each period that `serve` has asked for, told as the difference to the reading
//! before. Reading is all: nothing here limits or judges.

use std::collections::{BTreeMap, HashMap};
use std::io;

use base::{InstanceId, Time, VpcId};
use world::{InstanceUsage, Observation, Periods, Unsent};

use super::{Executor, now};
use crate::cgroup::CpuClock;
use crate::netlink::Counters;

/// Whether an instance begins to use anything now, or has done so before this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    Fresh,
    Adopted,
}

/// The readings of a running instance.
#[derive(Debug)]
pub(super) struct Meter {
    clock: CpuClock,
    cpu_us: u64,
    /// None until the first reading; an instance that was started by this host began with nothing.
    counters: Option<Counters>,
    /// Since when it has run, in this period.
    since: Time,
}

/// Reports that are made, or under way.
#[derive(Default)]
pub(super) struct Usages {
    pub periods: Periods,
    unsent: Unsent,
    /// Of instances that have ended within the period.
    ended: BTreeMap<InstanceId, InstanceUsage>,
}

type AllCounters = HashMap<VpcId, HashMap<u32, Counters>>;

impl Meter {
    fn new(clock: CpuClock, begin: Begin) -> io::Result<Self> {
        let counters = (begin == Begin::Fresh).then(Counters::default);
        Ok(Self { cpu_us: clock.read_us()?, clock, counters, since: now() })
    }

    /// What was used since the last reading.
    fn turn(&mut self, id: &InstanceId, counters: Option<Counters>, at: Time) -> InstanceUsage {
        let cpu_us = self.clock.read_us().unwrap_or(self.cpu_us);
        // Unread counters stand still.
        let counters = counters.or(self.counters);
        let before = self.counters.or(counters).unwrap_or_default();
        let after = counters.unwrap_or_default();
        // What the router's end receives, the instance has sent.
        let usage = InstanceUsage {
            id: id.clone(),
            cpu_us: cpu_us.saturating_sub(self.cpu_us),
            running_ms: at.ms_since(self.since),
            network_in_bytes: after.sent_bytes.saturating_sub(before.sent_bytes),
            network_out_bytes: after.received_bytes.saturating_sub(before.received_bytes),
            network_in_packets: after.sent_packets.saturating_sub(before.sent_packets),
            network_out_packets: after.received_packets.saturating_sub(before.received_packets),
        };
        self.cpu_us = cpu_us;
        self.counters = counters;
        self.since = at;
        usage
    }
}

fn add(sum: &mut InstanceUsage, more: &InstanceUsage) {
    sum.cpu_us += more.cpu_us;
    sum.running_ms += more.running_ms;
    sum.network_in_bytes += more.network_in_bytes;
    sum.network_out_bytes += more.network_out_bytes;
    sum.network_in_packets += more.network_in_packets;
    sum.network_out_packets += more.network_out_packets;
}

impl Executor {
    /// Reports usage every so often from now on.
    pub fn report_every(&mut self, every_ms: u64) {
        self.usages.periods.set(every_ms, now());
    }

    /// Reports that were made while nobody listened; whoever asks gets them.
    pub fn unsent_reports(&mut self) -> impl Iterator<Item = Observation> + use<> {
        self.usages.unsent.take()
    }

    /// Nobody listens: reports are kept. States are told anew to whoever comes.
    pub fn keep_reports(&mut self, observations: Vec<Observation>) {
        let reports = observations.into_iter().filter(|o| matches!(o, Observation::Usage { .. }));
        reports.for_each(|report| self.usages.unsent.push(report));
    }

    /// Begins to read what an instance uses.
    pub(super) fn begin_metering(&mut self, id: &InstanceId, begin: Begin) {
        let Some(process) = self.instances.get_mut(id).and_then(|held| held.process.as_mut()) else {
            return;
        };
        let meter = self.cgroups.clock(id).and_then(|clock| Meter::new(clock, begin));
        process.meter = meter.inspect_err(|e| tracing::warn!("what {id} uses is not known: {e}")).ok();
    }

    /// An instance has ended: keeps what it used in the period under way, but for its last packets.
    pub(super) fn end_metering(&mut self, id: &InstanceId) {
        let Some(process) = self.instances.get_mut(id).and_then(|held| held.process.as_mut()) else {
            return;
        };
        if let Some(mut meter) = process.meter.take()
            && self.usages.periods.wait_ms(now()).is_some()
        {
            let usage = meter.turn(id, None, now());
            match self.usages.ended.get_mut(id) {
                Some(earlier) => add(earlier, &usage),
                None => drop(self.usages.ended.insert(id.clone(), usage)),
            }
        }
    }

    /// Reports the period that has ended, if one has.
    pub(super) fn report_usage(&mut self) {
        let Some((from, until)) = self.usages.periods.ended(now()) else {
            return;
        };
        let counters = self.read_counters();
        let mut all = std::mem::take(&mut self.usages.ended);
        for (id, held) in &mut self.instances {
            let port = held.port.as_ref().map(|port| (&port.interface.vpc, port.index));
            let Some(meter) = held.process.as_mut().and_then(|process| process.meter.as_mut()) else {
                continue;
            };
            let counters = port.and_then(|(vpc, index)| counters.get(vpc)?.get(&index).copied());
            let mut usage = meter.turn(id, counters, until.max(meter.since));
            if let Some(earlier) = all.get(id) {
                add(&mut usage, earlier);
            }
            all.insert(id.clone(), usage);
        }
        self.observe(Observation::Usage { from, until, instances: all.into_values().collect() });
    }

    fn read_counters(&mut self) -> AllCounters {
        let mut all = AllCounters::new();
        for (id, vpc) in &mut self.vpcs {
            match vpc.router.counters() {
                Ok(counters) => drop(all.insert(id.clone(), counters)),
                Err(failure) => tracing::warn!("{id}: {failure}"),
            }
        }
        all
    }
}
