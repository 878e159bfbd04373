//! `cargo xtask bench loop`: how fast the loop of load, metric, alarm, policy and instance is, simulated and real. It runs
//! days of simulated regions, takes in metrics, evaluates alarms, and starts a region of its own whose stack follows real
//! load; then all is gone again. Needs root. Medians, beside what they were wanted to be.

mod alarms;
mod built;
mod closed;
mod flood;
mod intake;
mod peer;
mod simulated;
mod store;

use std::path::PathBuf;
use std::process::ExitCode;

use bench::{Limit, Measured, Report, Result, facts, fail};

const PARTS: [&str; 6] = ["simulated", "store", "intake", "alarms", "closed", "flood"];
const USAGE: &str = "\
usage: loop [--output table|json] [--only PART] [--directory DIR] [--programs DIR] [--peer PROGRAM]

  --only PART      one of simulated, store, intake, alarms, closed, flood
  --directory DIR  where a region's data is kept meanwhile [default: /var/tmp]
  --programs DIR   where allod and web-tier are [default: target/release]
  --peer PROGRAM   moto's server, to be measured beside `intake` [default: target/moto/bin/moto_server, when it is there]";

pub struct Settings {
    json: bool,
    only: Option<String>,
    pub directory: PathBuf,
    programs: PathBuf,
    pub peer: PathBuf,
    /// The workspace, where stacks and built programs are.
    pub root: PathBuf,
}

impl Settings {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let programs = root.join("target/release");
        let peer = root.join("target/moto/bin/moto_server");
        let mut settings = Self { json: false, only: None, directory: "/var/tmp".into(), programs, peer, root };
        while let Some(name) = arguments.next() {
            let value = arguments.next();
            match (name.as_str(), value.as_deref()) {
                ("--output", Some("json")) => settings.json = true,
                ("--output", Some("table")) => settings.json = false,
                ("--only", Some(part)) if PARTS.contains(&part) => settings.only = Some(part.into()),
                ("--directory", Some(directory)) => settings.directory = directory.into(),
                ("--programs", Some(directory)) => settings.programs = PathBuf::from(directory).canonicalize()?,
                ("--peer", Some(program)) => settings.peer = program.into(),
                _ => return fail(USAGE),
            }
        }
        Ok(settings)
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(flood::CLIENT) {
        return match flood::client() {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                eprintln!("loop {}: {e}", flood::CLIENT);
                ExitCode::FAILURE
            }
        };
    }
    match Settings::read(std::env::args().skip(1)).map(|settings| run(&settings)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("loop: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything could be measured; what was wanted may still have been missed.
fn run(settings: &Settings) -> bool {
    let mut report = Report::new(facts(&settings.directory));
    for part in PARTS.into_iter().filter(|part| settings.only.as_deref().is_none_or(|only| only == *part)) {
        match part {
            "simulated" => simulated::measure(settings, &mut report),
            "store" => store::measure(&mut report),
            "intake" => intake::measure(settings, &mut report),
            "alarms" => alarms::measure(settings, &mut report),
            "closed" => closed::measure(settings, &mut report),
            _ => flood::measure(settings, &mut report),
        }
    }
    if settings.json {
        println!("{:#}", report.json());
    } else {
        print!("{}", report.table());
    }
    report.is_complete()
}

/// A measure of one kind.
pub fn measured(unit: &'static str, limit: Limit, samples: Result<Vec<f64>>) -> Result<Measured> {
    samples.map(|samples| Measured::new(unit, limit, samples))
}
