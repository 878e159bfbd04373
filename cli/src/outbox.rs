//! `allod outbox`: the mail that the region sent to subscribers. It reads the data directory; no region has to run.

use serde_json::{Value as Json, json};
use world::RunPaths;

use crate::Failure;
use crate::arguments::Output;
use crate::looking::print_table;
use crate::output::{self, out};

pub fn outbox(paths: &RunPaths, letter: Option<&str>, output: Output) -> Result<(), Failure> {
    match letter {
        Some(name) => print(paths, name, output),
        None => list(paths, output),
    }
}

fn list(paths: &RunPaths, output: Output) -> Result<(), Failure> {
    let letters = courier::letters(&paths.outbox()).map_err(|e| unreadable(paths, &e))?;
    match output {
        Output::Json => {
            let of = |l: &courier::Letter| json!({"name": l.name, "date": l.date, "to": l.to, "subject": l.subject, "size_bytes": l.size_bytes});
            out!("{:#}", Json::Array(letters.iter().map(of).collect()));
        }
        Output::Table => {
            let rows = letters.into_iter().map(|l| vec![l.name, l.date, l.to, l.subject]);
            print_table(&["NAME", "DATE", "TO", "SUBJECT"], rows);
        }
    }
    Ok(())
}

/// Prints a letter: legible for people, as it was sent for programs.
fn print(paths: &RunPaths, name: &str, output: Output) -> Result<(), Failure> {
    let bytes = courier::read_letter(&paths.outbox(), name).map_err(|e| unreadable(paths, &e))?;
    let bytes = bytes.ok_or_else(|| Failure::new(format!("there is no mail {name}: `allod outbox` lists them")))?;
    match output {
        Output::Json => out!("{:#}", json!({"name": name, "text": String::from_utf8_lossy(&bytes)})),
        Output::Table => output::write(&courier::readable(&bytes)),
    }
    Ok(())
}

fn unreadable(paths: &RunPaths, e: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {e}", paths.outbox().display()))
}
