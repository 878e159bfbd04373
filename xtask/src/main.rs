//! The project's own tasks: `cargo xtask shapes [--check]`.

mod shapes;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["shapes"] => shapes::run(root, shapes::Mode::Write),
        ["shapes", "--check"] => shapes::run(root, shapes::Mode::Check),
        _ => Err("usage: cargo xtask shapes [--check]".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("xtask: {e}");
            ExitCode::FAILURE
        }
    }
}
