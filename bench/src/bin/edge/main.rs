//! `cargo xtask bench edge`: what a request costs our edge, nginx and HAProxy. Each is one worker on the first core;
//! users and upstream share the second. They take turns, round by round, so that what else the machine does meets all
//! of them. All traffic stays on 127.0.0.0/8. nginx and HAProxy are Debian's.

mod allod;
mod change;
mod clients;
mod cores;
mod floor;
mod http2;
mod idle;
mod proxies;
mod rules;
mod rush;
mod slow;
mod steady;
mod system_calls;
mod upstream;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bench::{Report, Result, facts, fail};
use proxies::{Addresses, Identity, Kind, Proxy};

/// In this order: what is idle is looked at before anything else has left its buffers.
const PARTS: [&str; 12] =
    ["idle", "keep-alive", "rules", "post", "https", "handshakes", "http2", "large", "latency", "tcp", "slow", "change"];
const USAGE: &str = "\
usage: edge [--output table|json] [--only PART] [--rounds N] [--seconds S] [--directory DIR]

  --only PART      one of idle, keep-alive, rules, post, https, handshakes, http2, large, latency, tcp, slow, change
  --rounds N       how many turns each proxy gets [default: 5]
  --seconds S      how long a turn takes [default: 2]
  --directory DIR  where the proxies' files are kept meanwhile [default: /var/tmp]";

pub struct Settings {
    json: bool,
    only: Option<String>,
    pub rounds: usize,
    pub turn: Duration,
    directory: PathBuf,
}

impl Settings {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let turn = Duration::from_secs(2);
        let mut settings = Self { json: false, only: None, rounds: 5, turn, directory: "/var/tmp".into() };
        while let Some(name) = arguments.next() {
            let value = arguments.next();
            match (name.as_str(), value.as_deref()) {
                ("--output", Some("json")) => settings.json = true,
                ("--output", Some("table")) => settings.json = false,
                ("--only", Some(part)) if PARTS.contains(&part) => settings.only = Some(part.into()),
                ("--rounds", Some(n)) => settings.rounds = n.parse()?,
                ("--seconds", Some(s)) => settings.turn = Duration::try_from_secs_f64(s.parse()?)?,
                ("--directory", Some(directory)) => settings.directory = directory.into(),
                _ => return fail(USAGE),
            }
        }
        if settings.rounds == 0 || settings.turn.is_zero() {
            return fail("at least one round, and a turn that takes time");
        }
        Ok(settings)
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let outcome = if arguments.next_if(|a| a == allod::EDGE).is_some() {
        allod::run(arguments).map(|()| true)
    } else if arguments.next_if(|a| a == floor::FLOOR).is_some() {
        floor::run(arguments).map(|()| true)
    } else {
        Settings::read(arguments).and_then(|settings| run(&settings))
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("edge: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything could be measured; what was wanted may still have been missed.
fn run(settings: &Settings) -> Result<bool> {
    let mut report = Report::new(facts(&settings.directory));
    cores::load()?;
    cores::raise_descriptors()?;
    let directory = Directory::new(settings)?;
    let addresses = Addresses::new();
    upstream::start(addresses.upstream())?;
    let identity = Identity::new()?;
    let started = Kind::ALL.into_iter().map(|kind| Proxy::start(kind, addresses, &identity, &directory.0));
    let mut proxies = started.collect::<Result<Vec<_>>>()?;
    for part in PARTS.into_iter().filter(|part| settings.only.as_deref().is_none_or(|only| only == *part)) {
        match part {
            "keep-alive" => {
                proxies.push(Proxy::start(Kind::Floor, addresses, &identity, &directory.0)?);
                rush::small(settings, &proxies, &mut report);
                proxies.pop();
            }
            "rules" => rules::measure(settings, addresses, &identity, &proxies, &directory.0, &mut report),
            "post" => rush::post(settings, &proxies, &mut report),
            "https" => rush::https(settings, &proxies, &mut report),
            "handshakes" => rush::handshakes(settings, &proxies, &mut report),
            "large" => rush::large(settings, &proxies, &mut report),
            "http2" => http2::measure(settings, &proxies, &mut report),
            "tcp" => rush::tcp(settings, &proxies, &mut report),
            "slow" => slow::measure(settings, &proxies, &mut report),
            "change" => change::measure(addresses, &identity, &proxies, &directory.0, &mut report),
            "latency" => steady::measure(settings, &proxies, &mut report),
            _ => idle::measure(settings, &proxies, &mut report),
        }
    }
    if settings.json {
        println!("{:#}", report.json());
    } else {
        print!("{}", report.table());
    }
    Ok(report.is_complete())
}

/// A directory of this run, which goes with it.
struct Directory(PathBuf);

impl Directory {
    fn new(settings: &Settings) -> Result<Self> {
        let directory = settings.directory.join(format!("allod-bench-edge-{}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        Ok(Self(directory))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
