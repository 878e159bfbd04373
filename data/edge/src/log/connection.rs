//! Connection logs ("ELB User Guide, Connection logs for your Application Load Balancer: Connection log entries"): a line for
//! each connection of a client when it is there, or when it is clear that it will not be.

use std::io;

use rustls::{CertificateError, Error, NamedGroup};

use super::text::{Moment, push_millis, push_safe, push_trace_id};
use crate::http::text::{push, push_address, push_number};
use crate::proxy::Caller;
use crate::snapshot::Site;
use crate::tls::Attempt;
use crate::tls::clients::Unfit;
use crate::tls::x509::{Facts, moment};
use crate::worker::Worker;

/// What a line tells of TLS; nothing where none was spoken.
#[derive(Default)]
struct Told<'a> {
    version: Option<&'static str>,
    cipher: Option<&'static str>,
    key_exchange: Option<NamedGroup>,
    handshake_us: Option<u64>,
    client: Option<&'a Facts>,
    failure: Option<&'static str>,
}

/// Notes a connection that was established, with what was agreed on.
pub fn established(worker: &Worker, caller: &Caller, site: &Site) {
    let told = caller.tls.as_deref().map(|tls| Told {
        version: Some(tls.version),
        cipher: Some(tls.cipher),
        key_exchange: tls.key_exchange,
        handshake_us: Some(tls.handshake_us),
        client: tls.client.as_ref().map(|client| &client.facts),
        failure: None,
    });
    write(worker, caller, site, &told.unwrap_or_default());
}

/// Notes a client with which no TLS could be agreed, with what is known of it: whose certificate was refused, say. Only how long
/// the handshake took is never told, as in AWS's example of such a line ("Example log entries").
pub fn failed(worker: &Worker, caller: &Caller, site: &Site, error: &io::Error, attempt: &Attempt) {
    let Attempt { version, cipher, key_exchange, client } = attempt;
    let (version, cipher, key_exchange, client) = (*version, *cipher, *key_exchange, client.as_ref());
    let told = Told { version, cipher, key_exchange, handshake_us: None, client, failure: Some(code(error)) };
    write(worker, caller, site, &told);
}

fn write(worker: &Worker, caller: &Caller, site: &Site, told: &Told<'_>) {
    let Some(channel) = site.log.as_ref().and_then(|log| log.connection.as_ref()) else { return };
    worker.log.line(channel, |out| {
        Moment::now().push(out);
        push(out, &[" "]);
        push_address(out, caller.address.ip(), None);
        push(out, &[" "]);
        push_number(out, caller.address.port());
        push(out, &[" "]);
        push_number(out, caller.at.port());
        push(out, &[" ", told.version.unwrap_or("-"), " ", told.cipher.unwrap_or("-"), " "]);
        match told.handshake_us {
            Some(us) => push_millis(out, std::time::Duration::from_micros(us)),
            None => push(out, &["-"]),
        }
        push(out, &[" \""]);
        match told.client {
            Some(facts) => {
                push_safe(out, facts.subject.as_bytes());
                let (from, until) = (moment(facts.not_before), moment(facts.not_after));
                push(out, &["\" NotBefore=", &from, ";NotAfter=", &until, " ", &facts.serial]);
            }
            None => push(out, &["-\" - -"]),
        }
        match told.failure {
            Some(code) => push(out, &[" Failed:", code, " "]),
            None if told.version.is_some() => push(out, &[" Success "]),
            None => push(out, &[" - "]),
        }
        push_trace_id(out, worker.log.secret(), caller.serial);
        let key_exchange = told.key_exchange.map_or("-", group_name);
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
            CertificateError::Other(why) => match why.0.downcast_ref::<Unfit>() {
                Some(Unfit::TooLarge) => "ClientCertMaxSizeExceeded",
                Some(Unfit::TooDeep) => "ClientCertMaxChainDepthExceeded",
                Some(Unfit::KeyUnsupported) => "ClientCertTypeUnsupported",
                None => "ClientCertInvalid",
            },
            _ => "ClientCertInvalid",
        },
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
