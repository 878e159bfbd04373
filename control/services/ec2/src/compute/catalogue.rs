//! The catalogue of instance types: AWS's facts, read once from a committed table. It owns no rows and decides
//! nothing about this machine but what share of it a type gets.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kernel::Settings;

/// The table. Its head explains the columns.
const TABLE: &str = include_str!("instance_types.txt");

/// Processor architecture of an image or an instance type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Architecture {
    #[serde(rename = "x86_64")]
    X86,
    #[serde(rename = "arm64")]
    Arm,
}

impl Architecture {
    /// What this machine's processor is; instances run on it directly.
    pub const fn of_this_machine() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm } else { Self::X86 }
    }

    /// AWS's name, `x86_64` or `arm64`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "arm64",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::X86, Self::Arm].into_iter().find(|a| a.as_str() == text)
    }
}

/// What the types of a family have in common.
#[derive(Debug)]
pub struct Family {
    pub architecture: Architecture,
    /// Sustained clock.
    pub clock_ghz: f64,
    pub manufacturer: &'static str,
    pub threads_per_core: u32,
    /// `nitro` or `xen`.
    pub hypervisor: &'static str,
    pub burstable: bool,
    pub current_generation: bool,
}

/// An instance type as AWS describes it.
#[derive(Debug)]
pub struct InstanceType {
    pub name: &'static str,
    pub family: &'static Family,
    pub vcpus: u32,
    pub memory_mib: u32,
    pub interfaces_max: u32,
    pub addresses_per_interface: u32,
    /// What a burstable type can use for ever, in percent of its vCPUs; none for the others.
    pub baseline_percent: Option<f64>,
    /// Such as `Up to 5 Gigabit`.
    pub network_performance: &'static str,
}

impl InstanceType {
    /// The type of this name, or none.
    pub fn find(name: &str) -> Option<&'static InstanceType> {
        CATALOGUE.get(name)
    }

    /// Every type in order of name.
    pub fn all() -> impl Iterator<Item = &'static InstanceType> {
        CATALOGUE.values()
    }

    /// Share of this machine's processors, in thousandths of a core.
    pub fn cpu_millicores(&self, settings: &Settings) -> u32 {
        self.vcpus.saturating_mul(settings.vcpu_millicores)
    }

    pub fn memory_bytes(&self) -> u64 {
        u64::from(self.memory_mib) * 1024 * 1024
    }
}

static CATALOGUE: LazyLock<BTreeMap<&'static str, InstanceType>> = LazyLock::new(|| {
    let mut types = BTreeMap::new();
    let mut family: Option<&'static Family> = None;
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        if let Some(rest) = line.strip_prefix("family ") {
            family = Some(Box::leak(Box::new(parse_family(rest).unwrap_or_else(|| malformed(line)))));
        } else {
            let parsed = family.and_then(|family| parse_type(line, family)).unwrap_or_else(|| malformed(line));
            types.insert(parsed.name, parsed);
        }
    }
    types
});

/// The table is part of the program; a test reads it whole.
fn malformed<T>(line: &str) -> T {
    panic!("instance_types.txt: {line}")
}

fn parse_family(text: &'static str) -> Option<Family> {
    let mut words = text.split(' ').skip(1);
    Some(Family {
        architecture: Architecture::parse(words.next()?)?,
        clock_ghz: words.next()?.parse().ok()?,
        manufacturer: words.next()?,
        threads_per_core: words.next()?.parse().ok()?,
        hypervisor: words.next()?,
        burstable: words.next()? == "burstable",
        current_generation: words.next()? == "current",
    })
}

fn parse_type(line: &'static str, family: &'static Family) -> Option<InstanceType> {
    let mut words = line.splitn(7, ' ');
    Some(InstanceType {
        name: words.next()?,
        family,
        vcpus: words.next()?.parse().ok()?,
        memory_mib: words.next()?.parse().ok()?,
        interfaces_max: words.next()?.parse().ok()?,
        addresses_per_interface: words.next()?.parse().ok()?,
        baseline_percent: match words.next()? {
            "-" => None,
            percent => Some(percent.parse().ok()?),
        },
        network_performance: words.next()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use kernel::Settings;

    use super::{Architecture, InstanceType};

    #[test]
    fn the_table_reads_whole_and_types_have_their_facts() {
        assert!(InstanceType::all().count() > 100);
        let micro = InstanceType::find("t3.micro").unwrap();
        assert_eq!((micro.vcpus, micro.memory_mib, micro.network_performance), (2, 1_024, "Up to 5 Gigabit"));
        assert!(InstanceType::all().all(|t| t.family.burstable == t.baseline_percent.is_some()));
        assert_eq!(InstanceType::find("m7g.large").unwrap().family.architecture, Architecture::Arm);
        assert!(InstanceType::find("t3.mega").is_none());
    }

    #[test]
    fn a_type_gets_its_share_of_the_machine() {
        let settings = Settings { vcpu_millicores: 100, ..Settings::default() };
        assert_eq!(InstanceType::find("m5.xlarge").unwrap().cpu_millicores(&settings), 400);
    }
}
