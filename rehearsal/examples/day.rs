//! Simulates a day of a large web tier and prints what it went through:
//! `cargo run --release -p rehearsal --example day -- --instances 1000 --hours 24`.

use std::process::ExitCode;
use std::time::Instant;

use rehearsal::{Day, Scrutiny, day};

const USAGE: &str = "usage: day [--instances N] [--hours N] [--seed N] [--deaths-an-hour N] [--hangs-an-hour N] [--check]";

fn main() -> ExitCode {
    let outcome = wish().and_then(|wish| {
        let started = Instant::now();
        let report = day(&wish)?;
        println!(
            "{report:#?}\n{} instances for {} hours in {:.2} s",
            wish.instances,
            wish.hours,
            started.elapsed().as_secs_f64()
        );
        Ok(())
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn wish() -> Result<Day, String> {
    let mut day = Day { seed: 1, instances: 1_000, hours: 24, deaths_an_hour: 4, hangs_an_hour: 1, scrutiny: Scrutiny::Never };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--check" {
            day.scrutiny = Scrutiny::EveryCommit;
            continue;
        }
        let number: u32 = arguments.next().and_then(|n| n.parse().ok()).ok_or(USAGE)?;
        match name.as_str() {
            "--instances" => day.instances = number,
            "--hours" => day.hours = number,
            "--seed" => day.seed = number.into(),
            "--deaths-an-hour" => day.deaths_an_hour = number,
            "--hangs-an-hour" => day.hangs_an_hour = number,
            _ => return Err(USAGE.into()),
        }
    }
    Ok(day)
}
