//! Access logs of network load balancers ("User Guide for Network Load Balancers, Access logs": "Access log entries"): a line for
//! each connection through a TLS listener, at its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::connection::group_name;
use super::text::Moment;
use super::{Channel, Writer};
use crate::http::text::{push, push_address, push_number};
use crate::tls::{Agreed, Greeting};

/// "The string is truncated if it is longer than 256 bytes."
const PREFERENCES_BYTES_MAX: usize = 256;

/// A TLS connection that has ended, or that never came to be.
#[derive(Clone, Debug)]
pub struct Ended<'a> {
    /// ARN.
    pub listener: &'a str,
    pub client: SocketAddr,
    /// The listener's address.
    pub at: SocketAddr,
    pub begun: Moment,
    pub lasted: Duration,
    /// What the client said; nothing when that was no valid greeting.
    pub greeting: &'a Greeting,
    /// None when the handshake failed.
    pub agreed: Option<&'a Agreed>,
    /// Of data, as it was within TLS.
    pub received_bytes: u64,
    pub sent_bytes: u64,
    /// The number of the alert that the client sent, if it sent one.
    pub alert: Option<u8>,
    /// What was agreed on above TLS with the client and with the target.
    pub client_protocol: Option<&'a str>,
    pub target_protocol: Option<&'a str>,
    /// The listener has an ALPN policy.
    pub has_policy: bool,
}

/// Writes its line.
pub fn note(log: &Writer, channel: &Arc<Channel>, ended: &Ended<'_>) {
    log.line(channel, |out| {
        push(out, &["tls 2.0 "]);
        ended.begun.after(ended.lasted).push_seconds(out);
        let listener = ended.listener.rsplit('/').next().unwrap_or("-");
        push(out, &[" ", channel.balancer(), " ", listener, " "]);
        push_address(out, ended.client.ip(), Some(ended.client.port()));
        push(out, &[" "]);
        push_address(out, ended.at.ip(), Some(ended.at.port()));
        push(out, &[" "]);
        push_number(out, millis(ended.lasted));
        push(out, &[" "]);
        match ended.agreed {
            Some(agreed) => push_number(out, agreed.handshake_us / 1_000),
            None => push(out, &["-"]),
        }
        for bytes in [ended.received_bytes, ended.sent_bytes] {
            push(out, &[" "]);
            push_number(out, bytes);
        }
        push(out, &[" "]);
        match ended.alert {
            Some(alert) => push_number(out, alert),
            None => push(out, &["-"]),
        }
        push_agreed(out, ended.greeting, ended.agreed);
        push(out, &[" ", ended.client_protocol.unwrap_or("-"), " ", ended.target_protocol.unwrap_or("-"), " "]);
        push_preferences(out, if ended.has_policy { &ended.greeting.protocols } else { &[] });
        push(out, &[" "]);
        ended.begun.push_seconds(out);
    });
}

/// Certificate, its serial number (always `-`), cipher, version, key exchange, server name. "If TLS negotiation does not
/// complete, this value is set to -" holds for the three in the middle only.
fn push_agreed(out: &mut Vec<u8>, greeting: &Greeting, agreed: Option<&Agreed>) {
    push(out, &[" ", greeting.shown.as_ref().map_or("-", |shown| shown.id())]);
    match agreed {
        Some(agreed) => {
            let version = if agreed.version == "TLSv1.3" { "tlsv13" } else { "tlsv12" };
            let key_exchange = agreed.key_exchange.map_or("-", group_name);
            push(out, &[" - ", agreed.cipher, " ", version, " ", key_exchange, " "]);
        }
        None => push(out, &[" - - - - "]),
    }
    match &greeting.server_name {
        Some(name) => push_encoded(out, name.as_bytes()),
        None => push(out, &["-"]),
    }
}

/// "Each protocol is enclosed in double quotes and protocols are separated by a comma."
fn push_preferences(out: &mut Vec<u8>, preferences: &[Vec<u8>]) {
    if preferences.is_empty() {
        return push(out, &["-"]);
    }
    let begin = out.len();
    for (index, name) in preferences.iter().enumerate() {
        push(out, &[if index > 0 { ",\"" } else { "\"" }]);
        push_encoded(out, name);
        push(out, &["\""]);
    }
    out.truncate(begin + PREFERENCES_BYTES_MAX);
}

/// "This value is URL-encoded."
fn push_encoded(out: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(byte) {
            out.push(*byte);
        } else {
            push(out, &[&format!("%{byte:02X}")]);
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
