use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::{SmtpTransport, Transport};

use crate::failure::Failure;

/// How long each step of a conversation with the mail server may take.
const STEP_MAX: Duration = Duration::from_secs(15);
/// The name beside the sender's address, as AWS's mail has it.
pub(crate) const SENDER_NAME: &str = "AWS Notifications";
const FORMS: &str = "smtp://user:password@host:port or smtps://user:password@host:port is expected";

/// A mail server that takes the region's mail. It never shows its password.
#[derive(Clone)]
pub struct SmtpServer {
    transport: SmtpTransport,
    host: String,
    /// Its user's name where that is a mail address: what such a server lets its user send from.
    pub(crate) user: Option<Mailbox>,
}

/// Whom the region's mail is from: `alerts@example.com`, or `Alerts <alerts@example.com>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender(pub(crate) Mailbox);

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Sender {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |_| "a mail address is expected, such as alerts@example.com or \"Alerts <alerts@example.com>\"".to_string();
        text.parse().map(Self).map_err(wrong)
    }
}

impl fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpServer({})", self.host)
    }
}

impl SmtpServer {
    /// Reads `smtp://user:password@host:port` or `smtps://...`. A password is sent over TLS only, but to this machine
    /// itself; `?tls=opportunistic` or `?tls=required` says otherwise. The error tells nothing of the URL.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or(FORMS)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (credentials, place) = authority.rsplit_once('@').map_or((None, authority), |(c, place)| (Some(c), place));
        let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
        if !matches!(scheme, "smtp" | "smtps") || host.is_empty() {
            return Err(FORMS.into());
        }
        let is_here = host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|a| a.is_loopback());
        let mut url = url.to_string();
        if scheme == "smtp" && !rest.contains("tls=") && !is_here {
            let tls = if credentials.is_some() { "required" } else { "opportunistic" };
            url.push_str(if rest.contains('?') { "&tls=" } else { "?tls=" });
            url.push_str(tls);
        }
        let builder = SmtpTransport::from_url(&url).map_err(|_| FORMS.to_string())?;
        let user = credentials.and_then(|c| c.split(':').next()).map(|user| user.replace("%40", "@"));
        let user = user.and_then(|user| user.parse().ok()).map(|address| Mailbox::new(Some(SENDER_NAME.into()), address));
        Ok(Self { transport: builder.timeout(Some(STEP_MAX)).build(), host: host.into(), user })
    }

    /// Hands a mail over. What the server refuses for good is refused for good.
    pub(crate) fn send(&self, mail: &lettre::Message) -> Result<(), Failure> {
        match self.transport.send(mail) {
            Ok(_) => Ok(()),
            Err(e) if e.is_permanent() => Err(Failure::for_good(format_args!("the mail server {}: {e}", self.host))),
            Err(e) => Err(Failure::for_now(format_args!("the mail server {}: {e}", self.host))),
        }
    }
}
