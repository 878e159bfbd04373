//! Connection logs ("ELB User Guide, Connection logs for your Application Load Balancer: Connection log entries"): a line for
//! each connection of a client when it is there, or when it is clear that it will not be.

use std::io;

use rustls::{CertificateError, Error, NamedGroup};

use super::text::{Moment, push_millis, push_safe, push_trace_id};
use crate::http::text::{push, push_address, push_number};
use crate::proxy::Caller;
use crate::snapshot::Site;
use crate::tls::x509::moment;
use crate::worker::Worker;

/// Notes a connection that was established, with what was agreed on.
pub fn established(worker: &Worker, caller: &Caller, site: &Site) {
    write(worker, caller, site, None);
}

/// Notes a client with which no TLS could be agreed.
pub fn failed(worker: &Worker, caller: &Caller, site: &Site, error: &io::Error) {
    write(worker, caller, site, Some(code(error)));
}

fn write(worker: &Worker, caller: &Caller, site: &Site, failure: Option<&'static str>) {
    let Some(channel) = site.log.as_ref().and_then(|log| log.connection.as_ref()) else { return };
    worker.log.line(channel, |out| {
        let tls = caller.tls.as_deref();
        Moment::now().push(out);
        push(out, &[" "]);
        push_address(out, caller.address.ip(), None);
        push(out, &[" "]);
        push_number(out, caller.address.port());
        push(out, &[" "]);
        push_number(out, caller.at.port());
        push(out, &[" ", tls.map_or("-", |tls| tls.version), " ", tls.map_or("-", |tls| tls.cipher), " "]);
        match tls {
            Some(tls) => push_millis(out, std::time::Duration::from_micros(tls.handshake_us)),
            None => push(out, &["-"]),
        }
        push(out, &[" \""]);
        match tls.and_then(|tls| tls.client.as_ref()).map(|client| &client.facts) {
            Some(facts) => {
                push_safe(out, facts.subject.as_bytes());
                let (from, until) = (moment(facts.not_before), moment(facts.not_after));
                push(out, &["\" NotBefore=", &from, ";NotAfter=", &until, " ", &facts.serial]);
            }
            None => push(out, &["-\" - -"]),
        }
        match failure {
            Some(code) => push(out, &[" Failed:", code, " "]),
            None if tls.is_some() => push(out, &[" Success "]),
            None => push(out, &[" - "]),
        }
        push_trace_id(out, worker.log.secret(), caller.serial);
        let key_exchange = tls.and_then(|tls| tls.key_exchange).map_or("-", group_name);
        push(out, &[" ", key_exchange, " ", channel.balancer(), " ", channel.node()]);
    });
}

/// "Error reason codes" of connection logs.
fn code(error: &io::Error) -> &'static str {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match tls {
        Some(Error::InvalidCertificate(why)) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "ClientCertExpired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "ClientCertNotYetValid",
            CertificateError::Revoked => "ClientCertCrlHit",
            // A wrong signature is that of somebody who only has the name of an authority.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => "ClientCertUntrusted",
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => "ClientCertPurposeInvalid",
            CertificateError::UnknownRevocationStatus
            | CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => "ClientCertCrlProcessingError",
            CertificateError::ApplicationVerificationFailure => "ClientCertRejected",
            _ => "ClientCertInvalid",
        },
        Some(Error::General(why)) if why.starts_with("the client's certificates have more") => "ClientCertMaxSizeExceeded",
        _ => "UnmappedConnectionError",
    }
}

/// The name of a key exchange as OpenSSL has it.
pub fn group_name(group: NamedGroup) -> &'static str {
    match group {
        NamedGroup::X25519 => "X25519",
        NamedGroup::secp256r1 => "secp256r1",
        NamedGroup::secp384r1 => "secp384r1",
        NamedGroup::secp521r1 => "secp521r1",
        NamedGroup::X25519MLKEM768 => "X25519MLKEM768",
        NamedGroup::secp256r1MLKEM768 => "SecP256r1MLKEM768",
        _ => "-",
    }
}
