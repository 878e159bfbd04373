//! The command line and the environment.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::identity::{Identity, Sources};

const HELP: &str = "\
Allod's reference application: shows which instance answers, counts views, keeps tasks, burns processor time.

Usage: web-tier [--port PORT] [--address ADDRESS]

Options:
  --port PORT        Port to listen on, 0 for any free one [env: PORT, default: 8080]
  --address ADDRESS  Address to listen on [env: ADDRESS, default: 0.0.0.0]
  --help             Print this help
  --version          Print the version

Pages: / and /health, /work?ms=N (burns N ms of processor time), and the JSON API /api/instance, /api/session,
/api/tasks, /api/tasks/ID.

The instance's id and zone come from the instance metadata service (version 2). When it does not answer they come from
the environment, INSTANCE_ID and AVAILABILITY_ZONE, else from the host name.
  AWS_EC2_METADATA_DISABLED=true           do not ask the metadata service
  AWS_EC2_METADATA_SERVICE_ENDPOINT=URL    ask it here [default: http://169.254.169.254]

SIGTERM and SIGINT stop it: it takes no new connection and finishes the requests in flight.
";

pub enum Command {
    Serve(Options),
    Print(String),
}

pub struct Options {
    pub address: IpAddr,
    pub port: u16,
    pub identity: Sources,
}

/// Reads arguments, and what they leave open from the environment.
pub fn read(
    mut arguments: impl Iterator<Item = String>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Command, String> {
    let given = |name: &str| environment(name).filter(|value| !value.is_empty());
    let mut port = given("PORT").map(|text| port("PORT", &text)).transpose()?.unwrap_or(8080);
    let mut address = given("ADDRESS").map(|text| ip("ADDRESS", &text)).transpose()?.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    while let Some(argument) = arguments.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name.to_string(), Some(value.to_string())),
            None => (argument, None),
        };
        let mut value = || inline.clone().or_else(|| arguments.next()).ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--port" | "-p" => port = self::port(&name, &value()?)?,
            "--address" => address = ip(&name, &value()?)?,
            "--help" | "-h" => return Ok(Command::Print(HELP.into())),
            "--version" | "-V" => return Ok(Command::Print(format!("web-tier {}\n", env!("CARGO_PKG_VERSION")))),
            _ => return Err(format!("unknown argument {name}")),
        }
    }
    let disabled = given("AWS_EC2_METADATA_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let endpoint = given("AWS_EC2_METADATA_SERVICE_ENDPOINT").map(|url| endpoint(&url)).transpose()?;
    let metadata = endpoint.unwrap_or(SocketAddr::from(([169, 254, 169, 254], 80)));
    let fallback = Identity::without_metadata(given("INSTANCE_ID"), given("AVAILABILITY_ZONE"));
    Ok(Command::Serve(Options { address, port, identity: Sources { metadata: (!disabled).then_some(metadata), fallback } }))
}

fn port(name: &str, text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("{name} must be a port from 0 to 65535, not {text:?}"))
}

fn ip(name: &str, text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{name} must be an IP address, not {text:?}"))
}

/// Takes `http://ADDRESS[:PORT][/]`.
fn endpoint(url: &str) -> Result<SocketAddr, String> {
    let wrong = || format!("AWS_EC2_METADATA_SERVICE_ENDPOINT must be http://ADDRESS[:PORT], not {url:?}");
    let place = url.strip_prefix("http://").ok_or_else(wrong)?.trim_end_matches('/');
    let address = place.trim_matches(['[', ']']).parse().map(|ip: IpAddr| SocketAddr::new(ip, 80));
    place.parse().or(address).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::{Command, endpoint, read};

    fn check(arguments: &[&str], environment: &[(&str, &str)]) -> Result<String, String> {
        let lookup = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_string());
        read(arguments.iter().map(ToString::to_string), lookup).map(|command| match command {
            Command::Serve(o) => format!("{}:{} {:?}", o.address, o.port, o.identity.metadata.map(|m| m.to_string())),
            Command::Print(text) => text.lines().next().unwrap_or_default().into(),
        })
    }

    #[test]
    fn arguments_go_before_the_environment() {
        let imds = "Some(\"169.254.169.254:80\")";
        assert_eq!(check(&[], &[]), Ok(format!("0.0.0.0:8080 {imds}")));
        assert_eq!(check(&[], &[("PORT", "8080")]), Ok(format!("0.0.0.0:8080 {imds}")));
        assert_eq!(check(&["--port", "81"], &[("PORT", "8080")]), Ok(format!("0.0.0.0:81 {imds}")));
        assert_eq!(check(&["--port=82", "--address=::1"], &[("PORT", "")]), Ok(format!("::1:82 {imds}")));
        assert_eq!(check(&[], &[("AWS_EC2_METADATA_DISABLED", "TRUE")]), Ok("0.0.0.0:8080 None".into()));
        assert!(check(&["--help"], &[]).is_ok_and(|text| text.contains("reference application")));
    }

    #[test]
    fn says_what_is_wrong() {
        for (arguments, environment, wanted) in [
            (&["--port"][..], &[][..], "--port needs a value"),
            (&["--port", "70000"], &[], "--port must be a port"),
            (&["--verbose"], &[], "unknown argument --verbose"),
            (&["--address", "home"], &[], "--address must be an IP address"),
            (&[], &[("PORT", "eighty")], "PORT must be a port"),
            (&[], &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ftp://x")], "must be http://"),
        ] {
            let got = check(arguments, environment);
            assert!(got.as_ref().is_err_and(|e| e.contains(wanted)), "{arguments:?}: {got:?}");
        }
    }

    #[test]
    fn reads_endpoints() {
        for (url, wanted) in [
            ("http://127.0.0.1:81/", "127.0.0.1:81"),
            ("http://127.0.0.1", "127.0.0.1:80"),
            ("http://[fd00:ec2::254]", "[fd00:ec2::254]:80"),
        ] {
            assert_eq!(endpoint(url).map(|e| e.to_string()), Ok(wanted.into()));
        }
    }
}
