use std::env;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use world::{IpNetwork, RunPaths};

use crate::Failure;
use crate::simulate::arguments::Simulate;

/// A cloud region that you own: AWS's highly available web tier, really running on this machine.
#[derive(Parser)]
#[command(name = "allod", version, propagate_version = true, after_help = EXAMPLES)]
pub struct Arguments {
    /// Where the region keeps everything [default: /var/lib/allod for root, else ~/.local/share/allod]
    #[arg(long, global = true, env = "ALLOD_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  allod serve --background                      start the region; returns when the API answers
  allod up stacks/web-tier.yaml                 create or update a stack from a CloudFormation template
  allod up web.yaml --parameter MaxSize=6       with a parameter
  eval \"$(allod env)\" && aws ec2 describe-instances
  allod status --output json                    what runs, for a script
  allod down                                    stop everything; the records and disks are kept

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no region runs here.";

#[derive(Subcommand)]
pub enum Command {
    /// Run the region: API, control plane and console
    #[command(
        after_help = "Examples:\n  allod serve\n  allod serve --background --vcpu-cores 0.1\n  allod serve --listen 127.0.0.1:4600 --data /tmp/region"
    )]
    Serve(Serve),
    /// Run the host executor (started by serve)
    #[command(hide = true)]
    Host,
    /// Run the traffic plane (started by serve)
    #[command(hide = true)]
    Edge,
    /// Create or update a stack from a CloudFormation template, and show its progress
    #[command(
        after_help = "Examples:\n  allod up stacks/web-tier.yaml\n  allod up web.yaml --stack-name web --parameter MinSize=2 --parameter MaxSize=6"
    )]
    Up(Up),
    /// Stop the region and everything that it runs, or delete one stack. The next `serve` starts again what was running, on
    /// the same disks, as it does after a reboot of the machine
    #[command(
        after_help = "Examples:\n  allod down                         stop; records and disks are kept\n  allod down --stack-name web-tier   delete one stack, the region goes on\n  allod down --purge                 stop and delete the data directory"
    )]
    Down(Down),
    /// Start a process of the region anew, with this very binary, while it goes on doing what it does
    #[command(
        after_help = "Examples:\n  allod restart edge    the new edge takes over the listening sockets, the old one finishes what it has: no\n                        request fails"
    )]
    Restart {
        #[arg(value_enum)]
        process: RestartProcess,
    },
    /// Show stacks, load balancers, groups and instances
    #[command(after_help = "Examples:\n  allod status\n  allod status --output json | jq -r '.load_balancers[].url'")]
    Status {
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Print shell exports for AWS clients: eval "$(allod env)"
    #[command(after_help = "Examples:\n  eval \"$(allod env)\"\n  aws ec2 describe-instances")]
    Env,
    /// Print the certificate of the region's own authority, and how to trust it
    #[command(
        after_help = "Examples:\n  allod ca > allod.pem && curl --cacert allod.pem https://web.example.com\n  allod ca --output json | jq -r .file"
    )]
    Ca {
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Machine images
    #[command(
        after_help = "Examples:\n  allod image import web-tier target/image/web-tier --base host\n  allod image list --output json"
    )]
    #[command(subcommand)]
    Image(ImageCommand),
    /// Print what an instance wrote to its console: the last 64 KiB
    #[command(
        after_help = "Examples:\n  allod console-output i-0123456789abcdef0\n  allod console-output i-0123456789abcdef0 | tail -20"
    )]
    ConsoleOutput {
        /// Id, such as i-0123456789abcdef0
        instance: String,
    },
    /// Predict instances, latency, failures and cost of a template under a load, in virtual time
    #[command(after_help = crate::simulate::arguments::EXAMPLES)]
    Simulate(Box<Simulate>),
    /// List the mail that the region sent to subscribers of topics, or print one
    #[command(
        after_help = "Examples:\n  allod outbox\n  allod outbox 0000000000000042\n  allod outbox --output json | jq -r '.[-1].name'"
    )]
    Outbox {
        /// Name of a mail, as the list shows it: print it whole
        letter: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Print the logs of the region's own processes
    #[command(after_help = "Examples:\n  allod logs\n  allod logs serve -n 200\n  allod logs host --follow")]
    Logs(Logs),
}

#[derive(Args)]
pub struct Serve {
    /// Where the API listens
    #[arg(long, default_value = "127.0.0.1:4566", value_name = "ADDRESS:PORT")]
    pub listen: std::net::SocketAddr,
    /// Name of the region, decided at the first start [default: eu-central-1]
    #[arg(long, value_name = "NAME")]
    pub region: Option<String>,
    /// Cores that one vCPU of an instance type means on this machine (host.vcpu_cores)
    #[arg(long, default_value_t = 0.25, value_name = "CORES", value_parser = vcpu_cores)]
    pub vcpu_cores: f64,
    /// Period of the region's own metrics; AWS's is 60 seconds. Shorter ones are kept at high resolution: by the second for three
    /// hours, by the minute from then on
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = metric_period)]
    pub metric_period: u32,
    /// Mail server for e-mail subscriptions, beside the outbox; as ALLOD_SMTP its password stays out of the process list.
    /// TLS is used where the password would leave this machine
    #[arg(long, env = "ALLOD_SMTP", hide_env_values = true, value_name = "smtp://USER:PASSWORD@HOST:PORT")]
    pub smtp: Option<String>,
    /// Whom the region's mail is from, such as "Alerts <alerts@example.com>" [default: the user in --smtp where it is a mail
    /// address, else no-reply@sns.REGION.localhost, which few mail servers take]
    #[arg(long, env = "ALLOD_SMTP_FROM", value_name = "ADDRESS")]
    pub smtp_from: Option<courier::Sender>,
    /// A network whose addresses may be HTTP endpoints of topics; may be given again. The Internet and this machine's loopback
    /// always may, private, link-local and reserved addresses only so
    #[arg(long, env = "ALLOD_ENDPOINT_NETWORK", value_delimiter = ',', value_name = "CIDR")]
    pub endpoint_network: Vec<IpNetwork>,
    /// Return as soon as the API answers, and go on in the background
    #[arg(long)]
    pub background: bool,
}

fn metric_period(text: &str) -> Result<u32, String> {
    let seconds: u32 = text.parse().map_err(|_| "a number of seconds is expected, such as 10".to_string())?;
    let divides = (1..=60).contains(&seconds) && 60 % seconds == 0;
    if divides { Ok(seconds) } else { Err("it must divide a minute: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 or 60".into()) }
}

pub fn vcpu_cores(text: &str) -> Result<f64, String> {
    let cores: f64 = text.parse().map_err(|_| "a number of cores is expected, such as 0.25".to_string())?;
    if (0.001..=64.0).contains(&cores) { Ok(cores) } else { Err("it must be between 0.001 and 64".into()) }
}

#[derive(Args)]
pub struct Up {
    /// The template, YAML or JSON
    pub template: PathBuf,
    /// Name of the stack [default: the template's file name without its ending]
    #[arg(long, value_name = "NAME")]
    pub stack_name: Option<String>,
    /// A template parameter; may be given again
    #[arg(long = "parameter", value_name = "KEY=VALUE", value_parser = key_value)]
    pub parameters: Vec<(String, String)>,
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

pub fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is expected")?;
    Ok((key.into(), value.into()))
}

#[derive(Args)]
pub struct Down {
    /// Delete this stack only; the region goes on
    #[arg(long, value_name = "NAME", conflicts_with = "purge")]
    pub stack_name: Option<String>,
    /// Also delete the data directory: journal, images, disks, keys
    #[arg(long)]
    pub purge: bool,
}

#[derive(Subcommand)]
pub enum ImageCommand {
    /// Make a machine image from a directory or an OCI image archive
    #[command(
        after_help = "Examples:\n  allod image import web-tier target/image/web-tier --base host\n  skopeo copy docker://example/app oci-archive:app.tar && allod image import app app.tar"
    )]
    Import(ImageImport),
    /// List the images of this region
    #[command(after_help = "Examples:\n  allod image list\n  allod image list --output json | jq -r '.[].ImageId'")]
    List {
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
}

#[derive(Args)]
pub struct ImageImport {
    /// Name of the image; templates find it as the SSM parameter /allod/images/NAME
    pub name: String,
    /// A root directory, or an OCI image archive (.tar)
    pub source: PathBuf,
    /// What the files lie on: nothing, or this machine's own /usr
    #[arg(long, value_enum, default_value_t)]
    pub base: ImageBase,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ImageBase {
    /// The source is a complete root file system
    #[default]
    None,
    /// The source is a layer over this machine's own /usr
    Host,
}

#[derive(Args)]
pub struct Logs {
    /// Only this process
    #[arg(value_enum)]
    pub process: Option<Process>,
    /// How many of the last lines
    #[arg(long, short = 'n', default_value_t = 50, value_name = "LINES")]
    pub lines: usize,
    /// Go on printing as the logs grow
    #[arg(long, short)]
    pub follow: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Process {
    Serve,
    Host,
    Edge,
}

impl Process {
    pub fn name(self) -> &'static str {
        match self {
            Process::Serve => "serve",
            Process::Host => "host",
            Process::Edge => "edge",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RestartProcess {
    /// The traffic plane
    Edge,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    #[default]
    Table,
    Json,
}

impl Arguments {
    /// The region's paths, from `--data`, the environment, or the user's default.
    pub fn paths(&self) -> Result<RunPaths, Failure> {
        let data = match &self.data {
            Some(data) => data.clone(),
            None if rustix::process::geteuid().is_root() => PathBuf::from("/var/lib/allod"),
            None => {
                let home = env::var_os("HOME").ok_or_else(|| Failure::new("HOME is not set: say where with --data DIR"))?;
                PathBuf::from(home).join(".local/share/allod")
            }
        };
        Ok(RunPaths::new(std::path::absolute(data)?))
    }
}
