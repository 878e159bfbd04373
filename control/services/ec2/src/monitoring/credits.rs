//! CPU credits of burstable instances ("Key concepts for burstable performance instances", "Unlimited mode for burstable
//! performance instances", "Standard mode for burstable performance instances"). Arithmetic only. A credit is one vCPU for
//! one minute. Unlike at AWS no instance is slowed down for want of credits: its share of the machine is its limit.

use crate::compute::InstanceType;

/// Credits that a T2 instance in standard mode gets with each start, for each vCPU ("Launch credits").
const LAUNCH_CREDITS: f64 = 30.0;
const MINUTES_OF_DAY: f64 = 1_440.0;

/// What a burstable type earns, and in which mode an instance of it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Terms {
    pub earned_per_minute: f64,
    pub unlimited: bool,
    /// Balance of an instance that was just started.
    pub initial: f64,
}

/// How much an instance has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Credits {
    pub balance: f64,
    /// Spent beyond the balance and not yet earned back, of an unlimited instance.
    pub surplus: f64,
}

impl Terms {
    /// None for types that are not burstable.
    pub fn new(instance_type: &InstanceType, mode: &str) -> Option<Self> {
        let share = instance_type.baseline_percent? / 100.0;
        let unlimited = mode == "unlimited";
        let vcpus = f64::from(instance_type.vcpus);
        let gets_launch_credits = !unlimited && instance_type.name.starts_with("t2.");
        Some(Self {
            earned_per_minute: share * vcpus,
            unlimited,
            initial: if gets_launch_credits { LAUNCH_CREDITS * vcpus } else { 0.0 },
        })
    }

    /// "The number of credits that can be accrued is limited to what can be earned in 24 hours"; surplus credits likewise.
    fn most(self) -> f64 {
        self.earned_per_minute * MINUTES_OF_DAY
    }
}

impl Credits {
    /// Earns for so many minutes and spends. Returns the surplus credits that AWS would charge for.
    pub fn settle(&mut self, terms: Terms, minutes: f64, spent: f64) -> f64 {
        let gain = terms.earned_per_minute * minutes - spent;
        if gain >= 0.0 {
            // What is earned pays surplus credits first.
            let paid = gain.min(self.surplus);
            self.surplus -= paid;
            // Launch credits may lie above what can be accrued.
            self.balance = (self.balance + gain - paid).min(terms.most().max(self.balance));
            return 0.0;
        }
        let from_balance = self.balance.min(-gain);
        self.balance -= from_balance;
        if !terms.unlimited {
            return 0.0;
        }
        self.surplus += -gain - from_balance;
        let charged = (self.surplus - terms.most()).max(0.0);
        self.surplus -= charged;
        charged
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Credits, Terms};
    use crate::compute::InstanceType;

    fn terms(name: &str, mode: &str) -> Terms {
        Terms::new(InstanceType::find(name).unwrap(), mode).unwrap()
    }

    #[test]
    fn types_earn_what_the_documentation_lists_per_hour() {
        for (name, per_hour) in [
            ("t2.micro", 6.0),
            ("t2.xlarge", 54.0),
            ("t3.nano", 6.0),
            ("t3.micro", 12.0),
            ("t3.large", 36.0),
            ("t3.2xlarge", 192.0),
        ] {
            assert!((terms(name, "standard").earned_per_minute * 60.0 - per_hour).abs() < 1e-9, "{name}");
        }
        assert_eq!(Terms::new(InstanceType::find("m5.large").unwrap(), "standard"), None);
        assert_eq!((terms("t2.medium", "standard").initial, terms("t3.medium", "unlimited").initial), (60.0, 0.0));
    }

    #[test]
    fn credits_accrue_for_a_day_at_most() {
        let mut credits = Credits::default();
        credits.settle(terms("t3.micro", "unlimited"), 10_000.0, 0.0);
        assert_eq!(credits, Credits { balance: 288.0, surplus: 0.0 });
    }

    #[test]
    fn an_unlimited_instance_borrows_pays_back_first_and_is_charged_beyond_a_day() {
        let terms = terms("t3.micro", "unlimited");
        let mut credits = Credits { balance: 1.0, surplus: 0.0 };
        assert_eq!(credits.settle(terms, 5.0, 10.0), 0.0);
        assert_eq!(credits, Credits { balance: 0.0, surplus: 8.0 });
        credits.settle(terms, 50.0, 0.0);
        assert_eq!(credits, Credits { balance: 2.0, surplus: 0.0 });
        assert_eq!(credits.settle(terms, 0.0, 300.0), 10.0);
        assert_eq!(credits.surplus, 288.0);
    }

    #[test]
    fn a_standard_instance_ends_at_zero_and_keeps_its_launch_credits() {
        let terms = terms("t2.nano", "standard");
        let mut credits = Credits { balance: 0.5, surplus: 0.0 };
        assert_eq!(credits.settle(terms, 1.0, 20.0), 0.0);
        assert_eq!(credits, Credits::default());
    }
}
