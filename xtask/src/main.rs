//! The project's own tasks, by `cargo xtask NAME`: one command that checks all, and its parts.
//!
//! It owns no rule of the product, and starts nothing that outlives it.

mod bench;
mod ci;
mod shapes;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask ci [STEP ...]        every check and test, or only these steps; fails when one fails
       cargo xtask tidy                 the rules of the house that a machine can check
       cargo xtask shapes [--check]     write the typed shapes of front/models, or tell whether they are up to date
       cargo xtask bench [NAME ...]     list the benchmarks, or run one, with its own arguments";

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["ci", ref steps @ ..] => ci::run(root, steps),
        ["tidy"] => tidy::run(root),
        ["shapes"] => shapes::run(root, shapes::Mode::Write),
        ["shapes", "--check"] => shapes::run(root, shapes::Mode::Check),
        ["bench", ref rest @ ..] => bench::run(root, rest),
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("xtask: {e}");
            ExitCode::FAILURE
        }
    }
}
