//! What CloudWatch hears of instances, and what its alarms do to them. It turns the host's reports of usage into the
//! metrics of `AWS/EC2`; it measures nothing and owns no instance.

mod actions;
mod credits;
mod meters;
mod samples;
mod usage;

use base::Fault;
use kernel::{Cx, Registry, Settings, State, Tx};
use world::{InstanceUsage, Observation};

use crate::compute::{Instance, InstanceType};

/// Of which instances CloudWatch hears one by one. What groups and load balancers tell does not depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Told {
    /// Of all, as at AWS.
    #[default]
    All,
    /// Of none while no alarm watches any: for a simulation, where nobody else looks at a single instance.
    Watched,
}

impl kernel::Store for Told {
    fn keep(&mut self) {}
}

pub(crate) fn register(registry: &mut Registry) {
    registry.store::<Told>();
    registry.store::<meters::Meters>();
    registry.observer(observe);
    actions::register(registry);
}

fn observe(tx: &mut Tx, cx: &Cx, observation: &Observation) -> Result<(), Fault> {
    let is_usage = matches!(observation, Observation::Usage { .. });
    if is_usage && *tx.store::<Told>() == Told::Watched && !cloudwatch::alarm::watches_any(tx, "AWS/EC2", "InstanceId") {
        return Ok(());
    }
    usage::observe(tx, cx, observation)
}

/// `CPUUtilization` of an instance in a period: percent of what its type's share gives here, for the time that it ran. None
/// for an instance that is unknown or did not run.
pub fn cpu_percent(state: &State, settings: &Settings, usage: &InstanceUsage) -> Option<f64> {
    CpuShare::of(state.get::<Instance>(&usage.id)?, settings)?.percent(usage)
}

/// What an instance's type gives it of the machine's processors, for who turns many reports into percentages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuShare {
    /// Thousandths of a core.
    millicores: u32,
}

impl CpuShare {
    /// None for a type that is unknown.
    pub fn of(instance: &Instance, settings: &Settings) -> Option<Self> {
        InstanceType::find(&instance.instance_type).map(|t| Self::of_type(t, settings))
    }

    fn of_type(instance_type: &InstanceType, settings: &Settings) -> Self {
        Self { millicores: instance_type.cpu_millicores(settings) }
    }

    /// A percentage never exceeds 100 ("List the available CloudWatch metrics for your instances"): what the kernel lets an
    /// instance overdraw within one of its periods is cut off. None when it did not run.
    pub fn percent(self, usage: &InstanceUsage) -> Option<f64> {
        // Thousandths of a core times milliseconds are microseconds of processor time.
        let most_us = u64::from(self.millicores) * usage.running_ms;
        (most_us > 0).then(|| (usage.cpu_us as f64 * 100.0 / most_us as f64).min(100.0))
    }
}

/// Finds types for who goes through many instances: neighbours are most often of one type.
#[derive(Debug, Default)]
struct Types {
    last: Option<&'static InstanceType>,
}

impl Types {
    fn of(&mut self, instance: &Instance) -> Option<&'static InstanceType> {
        if self.last.is_none_or(|last| last.name != instance.instance_type) {
            self.last = InstanceType::find(&instance.instance_type);
        }
        self.last
    }
}
