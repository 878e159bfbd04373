//! The names of log files ("ELB User Guide, Access log files", "Connection log files", "Health check log files") and the test
//! files that are there from the moment a log is switched on.

use std::net::Ipv4Addr;
use std::path::{Component, Path, PathBuf};

use world::{LoadBalancer, LogPlace};

use super::text::Moment;

/// What a log is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Requests.
    Access,
    Connection,
    Health,
    /// TLS connections through a network load balancer.
    Flow,
}

impl Kind {
    /// What the names of its files begin with.
    fn mark(self) -> &'static str {
        match self {
            Kind::Access | Kind::Flow => "",
            Kind::Connection => "conn_log.",
            Kind::Health => "health_check_log_",
        }
    }

    fn test_file(self) -> &'static str {
        match self {
            Kind::Access | Kind::Flow => "ELBAccessLogTestFile",
            Kind::Connection => "ELBConnectionLogTestFile",
            Kind::Health => "ELBHealthCheckLogTestFile",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Access | Kind::Flow => "access",
            Kind::Connection => "connection",
            Kind::Health => "health check",
        }
    }
}

/// Where the files of one log go.
#[derive(Debug)]
pub struct Home {
    kind: Kind,
    /// `BUCKET[/PREFIX]/AWSLogs/ACCOUNT`
    root: PathBuf,
    account: String,
    region: String,
    pub balancer: String,
    node: Ipv4Addr,
}

impl Home {
    /// None when the load balancer has no proper ARN, or the place is none.
    pub fn new(arn: &str, kind: Kind, node: Ipv4Addr, place: &LogPlace) -> Option<Self> {
        if check_place(place).is_err() {
            return None;
        }
        let (region, account, balancer) = parts(arn)?;
        let root = Path::new(&place.bucket).join(&place.prefix).join("AWSLogs").join(account);
        Some(Self { kind, root, account: account.into(), region: region.into(), balancer: balancer.into(), node })
    }

    /// A new file, below the buckets, for lines up to this moment.
    pub fn file(&self, end: Moment, random: &str) -> PathBuf {
        let Self { kind, root, account, region, balancer, node } = self;
        let (year, month, day) = end.date();
        let (hour, minute) = end.time();
        let directory = root.join("elasticloadbalancing").join(region).join(format!("{year:04}/{month:02}/{day:02}"));
        let mark = kind.mark();
        let balancer = balancer.replace('/', ".");
        let address = if *kind == Kind::Flow { String::new() } else { format!("{node}_") };
        directory.join(format!(
            "{mark}{account}_elasticloadbalancing_{region}_{balancer}_{year:04}{month:02}{day:02}T{hour:02}{minute:02}Z_{address}{random}.log.gz"
        ))
    }

    /// The file that shows that logs can be written here, and what it says.
    pub fn test_file(&self, now: Moment) -> (PathBuf, String) {
        let text = format!("The {} log of {} is switched on since {now}.\n", self.kind.name(), self.balancer);
        (self.root.join(self.kind.test_file()), text)
    }
}

/// Region, account and resource id.
fn parts(arn: &str) -> Option<(&str, &str, &str)> {
    let mut fields = arn.splitn(6, ':').skip(3);
    let (region, account, resource) = (fields.next()?, fields.next()?, fields.next()?);
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let balancer = resource.strip_prefix("loadbalancer/")?;
    (is_plain(region) && is_plain(account) && balancer.split('/').all(is_plain)).then_some((region, account, balancer))
}

/// Whether the logs that a load balancer wants can have files; the reason if not.
pub fn check(balancer: &LoadBalancer) -> Result<(), String> {
    let logs = [&balancer.access_log, &balancer.connection_log, &balancer.health_check_log];
    logs.into_iter().flatten().try_for_each(check_place)
}

/// Nothing may lead out of the bucket's directory.
fn check_place(place: &LogPlace) -> Result<(), String> {
    let is_bucket = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    let bucket = &place.bucket;
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(is_bucket) || bucket.starts_with('.') {
        return Err(format!("{bucket:?} is no name of a bucket that logs could go to"));
    }
    let prefix = Path::new(&place.prefix);
    if !prefix.components().all(|part| matches!(part, Component::Normal(_))) || place.prefix.contains('\0') {
        return Err(format!("{:?} is no prefix that logs could have", place.prefix));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Home, Kind, check_place};
    use crate::log::text::Moment;
    use world::LogPlace;

    const ARN: &str = "arn:aws:elasticloadbalancing:us-east-2:123456789012:loadbalancer/app/my-loadbalancer/1234567890abcdef";

    fn place(bucket: &str, prefix: &str) -> LogPlace {
        LogPlace { bucket: bucket.into(), prefix: prefix.into() }
    }

    #[test]
    fn files_are_named_as_the_user_guide_says() {
        let end = Moment::of_micros(1_644_968_400_000_000);
        let name = |kind, prefix: &str| {
            let home = Home::new(ARN, kind, [172, 160, 1, 192].into(), &place("amzn-s3-demo-logging-bucket", prefix)).unwrap();
            home.file(end, "20sg8hgm").to_str().unwrap().to_string()
        };
        let directory = "AWSLogs/123456789012/elasticloadbalancing/us-east-2/2022/02/15";
        let rest = "123456789012_elasticloadbalancing_us-east-2_app.my-loadbalancer.1234567890abcdef_20220215T2340Z";
        let bucket = "amzn-s3-demo-logging-bucket";
        let with_prefix = format!("{bucket}/logging/prefix/{directory}/{rest}_172.160.1.192_20sg8hgm.log.gz");
        assert_eq!(name(Kind::Access, "logging/prefix"), with_prefix);
        let connection = format!("{bucket}/{directory}/conn_log.{rest}_172.160.1.192_20sg8hgm.log.gz");
        assert_eq!(name(Kind::Connection, ""), connection);
        let health = format!("{bucket}/{directory}/health_check_log_{rest}_172.160.1.192_20sg8hgm.log.gz");
        assert_eq!(name(Kind::Health, ""), health);
        assert_eq!(name(Kind::Flow, ""), format!("{bucket}/{directory}/{rest}_20sg8hgm.log.gz"));
    }

    #[test]
    fn nothing_leads_out_of_a_bucket() {
        assert_eq!(check_place(&place("my-bucket", "a/b")), Ok(()));
        for (bucket, prefix) in [("..", ""), ("a/b", ""), ("ab", ""), ("My", ""), (".abc", ""), ("abc", "../x"), ("abc", "/etc")]
        {
            assert!(check_place(&place(bucket, prefix)).is_err(), "{bucket} {prefix}");
        }
        let bad = "arn:aws:elasticloadbalancing:eu/../x:1:loadbalancer/app/a/b";
        assert!(Home::new(bad, Kind::Access, [127, 0, 0, 1].into(), &place("abc", "")).is_none());
        let bad = "arn:aws:elasticloadbalancing:eu-central-1:1:loadbalancer/app/../b";
        assert!(Home::new(bad, Kind::Access, [127, 0, 0, 1].into(), &place("abc", "")).is_none());
    }
}
