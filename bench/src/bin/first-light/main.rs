//! `cargo xtask bench first-light`: how fast the first light of a region is. It starts a region of its own, deploys
//! the reference stack, kills what has to come back, and asks and writes as fast as it can; then all is gone again.
//! Needs root. Medians, beside what they were wanted to be.

mod api;
mod idle;
mod instances;
mod simulated;
mod stack;
mod start;

use std::path::PathBuf;
use std::process::ExitCode;

use bench::{Measured, Region, Report, Result, facts, fail};

const USAGE: &str = "\
usage: first-light [--output table|json] [--instances N] [--directory DIR] [--programs DIR]

  --instances N    how many instances run while reads are measured [default: 1000]
  --directory DIR  where the region's data is kept meanwhile; on the disk that is to be measured [default: /var/tmp]
  --programs DIR   where allod and web-tier are [default: target/release]";

pub struct Settings {
    json: bool,
    pub instances: usize,
    directory: PathBuf,
    programs: PathBuf,
    /// The workspace, where stacks and built programs are.
    pub root: PathBuf,
}

impl Settings {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let programs = root.join("target/release");
        let mut settings = Self { json: false, instances: 1_000, directory: "/var/tmp".into(), programs, root };
        while let Some(name) = arguments.next() {
            let value = arguments.next();
            match (name.as_str(), value.as_deref()) {
                ("--output", Some("json")) => settings.json = true,
                ("--output", Some("table")) => settings.json = false,
                ("--instances", Some(n)) => settings.instances = n.parse()?,
                ("--directory", Some(directory)) => settings.directory = directory.into(),
                ("--programs", Some(directory)) => settings.programs = PathBuf::from(directory).canonicalize()?,
                _ => return fail(USAGE),
            }
        }
        if settings.instances < instances::ALONE + api::NAMED {
            return fail(format!("--instances must be {} at least", instances::ALONE + api::NAMED));
        }
        Ok(settings)
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }
}

fn main() -> ExitCode {
    match Settings::read(std::env::args().skip(1)).and_then(|settings| run(&settings)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("first-light: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything could be measured; what was wanted may still have been missed.
fn run(settings: &Settings) -> Result<bool> {
    let mut report = Report::new(facts(&settings.directory));
    simulated::measure(settings, &mut report);
    let mut region = Region::new(&settings.program("allod"), &settings.directory)?;
    eprintln!("The region is in {0}; if this is interrupted: allod down --purge --data {0}", region.data().display());
    start::measure(&mut region, &mut report);
    stack::measure(settings, &region, &mut report);
    instances::measure(settings, &region, &mut report);
    api::measure(settings, &region, &mut report);
    start::measure_full(settings, &mut region, &mut report);
    drop(region);
    if settings.json {
        println!("{:#}", report.json());
    } else {
        print!("{}", report.table());
    }
    Ok(report.is_complete())
}

/// `count` samples of a measure, or the first failure.
pub fn samples(count: usize, one: impl FnMut() -> Result<f64>) -> Result<Vec<f64>> {
    std::iter::repeat_with(one).take(count).collect()
}

/// A measure of one kind.
pub fn measured(unit: &'static str, limit: bench::Limit, samples: Result<Vec<f64>>) -> Result<Measured> {
    samples.map(|samples| Measured::new(unit, limit, samples))
}
