use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::{SmtpTransport, Transport};
use percent_encoding::percent_decode_str;

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
        let url = with_tls(url)?;
        let (_, credentials, host) = parts(&url)?;
        let builder = SmtpTransport::from_url(&url).map_err(|_| FORMS.to_string())?;
        let user = credentials.and_then(|c| c.split(':').next()).map(percent_decode_str);
        let user = user
            .and_then(|user| user.decode_utf8().ok()?.parse().ok())
            .map(|address| Mailbox::new(Some(SENDER_NAME.into()), address));
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

/// A URL's scheme, user with password, and host.
fn parts(url: &str) -> Result<(&str, Option<&str>, &str), String> {
    let (scheme, rest) = url.split_once("://").ok_or(FORMS)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (credentials, place) = authority.rsplit_once('@').map_or((None, authority), |(c, place)| (Some(c), place));
    // An IPv6 address has colons of its own, between brackets.
    let host = place.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map_or(place, |(host, _)| host);
    if matches!(scheme, "smtp" | "smtps") && !host.is_empty() { Ok((scheme, credentials, host)) } else { Err(FORMS.into()) }
}

/// A URL with what it says of TLS, or with what is right where it says nothing. Only its query can say something, and the word
/// may be a part of a password.
fn with_tls(url: &str) -> Result<String, String> {
    let (scheme, credentials, host) = parts(url)?;
    let is_here = host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|a| a.is_loopback());
    let plain = url.split('#').next().unwrap_or_default();
    let query = plain.split_once('?').map(|(_, query)| query);
    if scheme == "smtps" || is_here || query.is_some_and(|q| q.split('&').any(|pair| pair.starts_with("tls="))) {
        return Ok(plain.into());
    }
    let tls = if credentials.is_some() { "required" } else { "opportunistic" };
    Ok(format!("{plain}{}tls={tls}", if query.is_some() { '&' } else { '?' }))
}

#[cfg(test)]
mod tests {
    use super::with_tls;

    #[test]
    fn a_password_goes_over_tls_unless_the_query_says_otherwise() {
        for (url, expected) in [
            ("smtp://me:secret@mail.example", "smtp://me:secret@mail.example?tls=required"),
            ("smtp://me:secret@mail.example:587/?x=y", "smtp://me:secret@mail.example:587/?x=y&tls=required"),
            ("smtp://me:tls=none@mail.example", "smtp://me:tls=none@mail.example?tls=required"),
            ("smtp://me:secret@mail.example/tls=", "smtp://me:secret@mail.example/tls=?tls=required"),
            ("smtp://me:secret@mail.example?notls=1", "smtp://me:secret@mail.example?notls=1&tls=required"),
            ("smtp://me:secret@mail.example#tls=", "smtp://me:secret@mail.example?tls=required"),
            ("smtp://me:secret@mail.example?x=y&tls=opportunistic", "smtp://me:secret@mail.example?x=y&tls=opportunistic"),
            ("smtp://mail.example", "smtp://mail.example?tls=opportunistic"),
            ("smtp://me:secret@localhost:25", "smtp://me:secret@localhost:25"),
            ("smtp://me:secret@[::1]:25", "smtp://me:secret@[::1]:25"),
            ("smtp://me:secret@[::1]", "smtp://me:secret@[::1]"),
            ("smtp://me:secret@[2001:db8::1]", "smtp://me:secret@[2001:db8::1]?tls=required"),
            ("smtps://me:secret@mail.example", "smtps://me:secret@mail.example"),
        ] {
            assert_eq!(with_tls(url).as_deref(), Ok(expected));
        }
    }
}
