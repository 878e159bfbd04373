//! `allod simulate`: what a template would do under a load, predicted by the region's own code in virtual time.

pub mod arguments;
mod chart;
mod html;
mod json;
mod terminal;

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use base::Time;
use rehearsal::{Delays, Demand, POINT, Per, Prediction, PredictionError, Scenario, Trace, predict};

use crate::Failure;
use crate::arguments::Output;
use crate::client::read_text;
use crate::deploy::at_file;
use crate::output::out;
use arguments::{LoadPer, Simulate};

/// What the user asked makes no sense: exit code 2, as that of wrong usage.
const USAGE: u8 = 2;
const DAY: Duration = Duration::from_secs(86_400);
/// 2026-01-01T00:00:00Z.
const FROM: Time = Time::from_unix_ms(1_767_225_600_000);
/// Largest CSV file.
const TRACE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// What the world does by itself happens at whole seconds: far fewer moments, and no minute looks different.
const GRAIN_MS: u64 = 1_000;
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// A prediction with what it is called.
pub struct Run {
    pub name: String,
    pub prediction: Prediction,
}

pub fn simulate(arguments: &Simulate) -> Result<(), Failure> {
    let scenario = scenario(arguments)?;
    let mut runs = vec![run(arguments, &scenario, &arguments.template, name(&arguments.template, &arguments.parameters))?];
    if arguments.compare.is_some() || !arguments.compare_parameters.is_empty() {
        let template = arguments.compare.as_ref().unwrap_or(&arguments.template);
        let mut other = Scenario { template: read_text(template)?, ..scenario };
        for (key, value) in &arguments.compare_parameters {
            other.parameters.retain(|(k, _)| k != key);
            other.parameters.push((key.clone(), value.clone()));
        }
        runs.push(run(arguments, &other, template, name(template, &other.parameters))?);
    }
    if let Some(report) = &arguments.report {
        let page = html::page(&runs, &load_name(arguments));
        fs::write(report, page).map_err(|e| Failure::new(format!("{}: {e}", report.display())))?;
    }
    match arguments.output {
        Output::Json => out!("{:#}", json::all(&runs)),
        Output::Table => terminal::print(&runs, &load_name(arguments)),
    }
    if let (Some(report), Output::Table) = (&arguments.report, arguments.output) {
        out!("\nThe charts are in {}", report.display());
    }
    Ok(())
}

fn usage(message: impl Into<String>) -> Failure {
    Failure { message: message.into(), code: USAGE }
}

fn name(template: &Path, parameters: &[(String, String)]) -> String {
    let file = template.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let parameters = parameters.iter().map(|(k, v)| format!(" {k}={v}"));
    parameters.fold(file, |name, part| name + &part)
}

fn load_name(arguments: &Simulate) -> String {
    if Trace::is_pattern(&arguments.load) {
        return arguments.load.clone();
    }
    Path::new(&arguments.load).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn scenario(arguments: &Simulate) -> Result<Scenario, Failure> {
    let trace = trace(arguments)?;
    let length = match arguments.length_s {
        Some(seconds) => Duration::from_secs_f64(seconds),
        // A shorter file begins anew within the shortest run there is.
        None => trace.length().map_or(DAY, |length| length.max(POINT)),
    };
    let cpu_ms = arguments.cpu_ms.unwrap_or(arguments.service_time_ms);
    let demand = Demand {
        service_us: arguments.service_time_ms * 1_000.0,
        cpu_us: cpu_ms * 1_000.0,
        concurrency: arguments.concurrency,
        queue_max: arguments.queue,
        variation: arguments.variation,
    };
    let delays =
        Delays { boot_ms: arguments.boot_ms, application_ms: arguments.start_ms, grain_ms: GRAIN_MS, ..Delays::default() };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the argument is between 0.001 and 64")]
    let vcpu_millicores = (arguments.vcpu_cores * 1_000.0).round() as u32;
    Ok(Scenario {
        template: read_text(&arguments.template)?,
        parameters: arguments.parameters.clone(),
        from: whole_minute(arguments.from.or(trace.begins()).unwrap_or(FROM)),
        trace,
        demand,
        delays,
        region: arguments.region.clone(),
        vcpu_millicores,
        metric_period_s: arguments.metric_period,
        length,
        seed: arguments.seed,
        hourly_price: arguments.hourly_price,
    })
}

/// Metrics have whole minutes, so a run begins with one.
fn whole_minute(from: Time) -> Time {
    Time::from_unix_ms(from.unix_ms().div_euclid(60_000) * 60_000)
}

fn trace(arguments: &Simulate) -> Result<Trace, Failure> {
    let load = &arguments.load;
    let path = Path::new(load);
    if Trace::is_pattern(load) || (load.contains(':') && !path.exists()) {
        return Trace::pattern(load).map_err(|e| usage(format!("--load {load}: {e}")));
    }
    let about = |e: std::io::Error| usage(format!("--load {load}: {e}"));
    if fs::metadata(path).map_err(about)?.len() > TRACE_BYTES_MAX {
        return Err(usage(format!("--load {load}: the file is larger than {} MiB", TRACE_BYTES_MAX >> 20)));
    }
    let per = match arguments.load_per {
        None => Per::Heading,
        Some(LoadPer::Second) => Per::Second,
        Some(LoadPer::Minute) => Per::Minute,
    };
    let text = fs::read_to_string(path).map_err(about)?;
    Trace::csv(&text, per).map_err(|e| usage(format!("{load}:{}{e}", if e.line.is_some() { "" } else { " " })))
}

fn run(arguments: &Simulate, scenario: &Scenario, template: &Path, name: String) -> Result<Run, Failure> {
    let mut progress = Progress::new(arguments.output, &name);
    let outcome = predict(scenario, &mut |done| progress.tell(done));
    progress.end();
    let prediction = outcome.map_err(|e| match e {
        PredictionError::Template(message) => Failure::new(at_file(template, &message)),
        PredictionError::Stack(message) => Failure::new(format!("{}: the stack was not created: {message}", template.display())),
        PredictionError::Scenario(message) => usage(message),
    })?;
    Ok(Run { name, prediction })
}

/// Tells a terminal how far a run is.
struct Progress<'a> {
    name: &'a str,
    shown: bool,
    told: Instant,
    is_wanted: bool,
}

impl<'a> Progress<'a> {
    fn new(output: Output, name: &'a str) -> Self {
        let is_wanted = output == Output::Table && std::io::stderr().is_terminal();
        Self { name, shown: false, told: Instant::now(), is_wanted }
    }

    fn tell(&mut self, done: f64) {
        if self.is_wanted && self.told.elapsed() >= TELL_EVERY {
            (self.told, self.shown) = (Instant::now(), true);
            // Who does not read progress misses nothing.
            let _ = write!(std::io::stderr(), "\r{}: {:3.0} %", self.name, done * 100.0);
        }
    }

    fn end(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r{:width$}\r", "", width = self.name.chars().count() + 7);
        }
    }
}
