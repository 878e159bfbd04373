//! The command `allod`: starts the processes of a region, and talks to a running one through its API.

mod arguments;
mod authority;
mod client;
mod deploy;
mod image;
mod logs;
mod looking;
mod outbox;
mod output;
mod region;
mod restart;
mod simulate;
mod stop;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command, ImageCommand, RestartProcess};

/// What went wrong, in words for the user, and the exit code that tells it to a script.
pub struct Failure {
    pub message: String,
    pub code: u8,
}

/// The command could not do what it was asked.
const FAILED: u8 = 1;
/// An argument makes no sense; clap says so of most.
const WRONG_USAGE: u8 = 2;
/// No region runs in this data directory.
const NOT_RUNNING: u8 = 3;

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: FAILED }
    }

    pub fn not_running(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: NOT_RUNNING }
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(e: E) -> Self {
        Self::new(e.to_string())
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).and_then(|()| output::finish()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where nobody listens any more there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "allod: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let paths = arguments.paths()?;
    match arguments.command {
        Command::Serve(serve) => region::serve(&paths, &serve),
        Command::Host => region::host(&paths),
        Command::Edge => region::edge(&paths),
        Command::Up(up) => deploy::up(&paths, &up),
        Command::Down(down) => stop::down(&paths, &down),
        Command::Restart { process: RestartProcess::Edge } => restart::edge(&paths),
        Command::Status { output } => looking::status(&paths, output),
        Command::Env => looking::env(&paths),
        Command::Ca { output } => authority::certificate(&paths, output),
        Command::Image(ImageCommand::Import(import)) => image::import(&paths, &import),
        Command::Image(ImageCommand::List { output }) => image::list(&paths, output),
        Command::ConsoleOutput { instance } => looking::console_output(&paths, &instance),
        Command::Simulate(simulate) => simulate::simulate(&simulate),
        Command::Outbox { letter, output } => outbox::outbox(&paths, letter.as_deref(), output),
        Command::Logs(logs) => logs::logs(&paths, &logs),
    }
}
