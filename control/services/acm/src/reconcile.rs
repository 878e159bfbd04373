//! Orders certificates at the authority, hears of them, and renews those that are in use before they end.

use std::time::Duration;

use base::{Fault, Time};
use kernel::{Cx, Registry, Tx};
use world::{CertificateOrder, IssuedCertificate, KeyAlgorithm, Observation, Slot, SlotKind, Want};

use crate::certificate::{Certificate, Contents, Kind, Order, RENEWED_BEFORE, Renewal, RenewalStatus, VALID, VALIDATION_MAX};
use crate::request;

const CERTIFICATE: &str = "acm.certificate";
/// After a refusal the authority is asked again.
const RETRY: Duration = Duration::from_secs(60);
/// How often a certificate that nobody uses is looked at, once its renewal is due.
const LOOK_AGAIN: Duration = Duration::from_secs(24 * 3_600);
const DAY_MS: i64 = 24 * 3_600 * 1_000;

pub(crate) fn register(registry: &mut Registry) {
    registry.reconciler(CERTIFICATE, reconcile);
    registry.watch::<Certificate>(CERTIFICATE, |_, certificate, due| due.push(certificate.arn.clone()));
    registry.observer(observe);
}

/// What is to be done for a certificate.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    Look(Time),
    Order,
    TimeOut,
}

/// Decides by the row, who uses it, and the time.
fn plan(certificate: &Certificate, is_used: bool, now: Time) -> Next {
    let wait = certificate.not_before_retry.filter(|at| *at > now);
    let ask = || wait.map_or(Next::Order, Next::Look);
    if certificate.kind == Kind::Imported || certificate.timed_out {
        return Next::Nothing;
    }
    let Some(contents) = &certificate.contents else {
        let deadline = certificate.created_at + VALIDATION_MAX;
        return match (&certificate.order, ask()) {
            _ if deadline <= now => Next::TimeOut,
            (Some(_), _) => Next::Look(deadline),
            (None, Next::Look(at)) => Next::Look(at.min(deadline)),
            (None, next) => next,
        };
    };
    let renew_at = contents.not_after - RENEWED_BEFORE;
    let is_asked_for = matches!(&certificate.renewal, Some(Renewal { status: RenewalStatus::Pending, .. }));
    match &certificate.order {
        Some(_) => Next::Nothing,
        None if is_asked_for => ask(),
        None if renew_at > now => Next::Look(renew_at),
        // "Only certificates that are associated with another service are renewed."
        None if is_used => ask(),
        None => Next::Look(now + LOOK_AGAIN),
    }
}

fn reconcile(tx: &mut Tx, cx: &Cx, arn: &str) -> Result<Option<Time>, Fault> {
    let key = arn.to_string();
    // Whoever removes one ends its wish.
    let Some(certificate) = tx.get::<Certificate>(&key) else { return Ok(None) };
    let is_used = !tx.registry().users(tx, arn).is_empty();
    match plan(certificate, is_used, cx.now) {
        Next::Nothing => Ok(None),
        Next::Look(at) => Ok(Some(at)),
        Next::TimeOut => {
            tx.want(Slot::new(SlotKind::Certificate, arn), None);
            tx.update::<Certificate>(&key, |c| (c.timed_out, c.order) = (true, None));
            Ok(None)
        }
        Next::Order => {
            let certificate = certificate.clone();
            order(tx, cx, &certificate);
            Ok(None)
        }
    }
}

fn order(tx: &mut Tx, cx: &Cx, certificate: &Certificate) {
    // Requests for other algorithms are refused; RSA is what AWS takes when nothing is said.
    let algorithm = request::algorithm(&certificate.algorithm).unwrap_or(KeyAlgorithm::Rsa2048);
    // From midnight, as AWS's.
    let not_before = Time::from_unix_ms(cx.now.unix_ms().div_euclid(DAY_MS) * DAY_MS);
    let not_after = not_before + VALID - Duration::from_secs(1);
    let generation = certificate.orders + 1;
    let want = CertificateOrder {
        id: certificate.arn.clone(),
        generation,
        names: certificate.names.clone(),
        algorithm,
        not_before,
        not_after,
    };
    let version = tx.want(Slot::new(SlotKind::Certificate, certificate.arn.as_str()), Some(Want::Certificate(want)));
    tx.update::<Certificate>(&certificate.arn, |c| {
        c.order = Some(Order { generation, version, not_before, not_after });
        c.orders = generation;
        c.not_before_retry = None;
        if c.contents.is_some() {
            c.renewal = Some(Renewal { status: RenewalStatus::Pending, updated_at: cx.now });
        }
    });
}

fn observe(tx: &mut Tx, cx: &Cx, observation: &Observation) -> Result<(), Fault> {
    match observation {
        Observation::Issued { certificate, generation, issued } => take(tx, cx, certificate, *generation, issued),
        Observation::Refused { slot, version, .. } if slot.kind == SlotKind::Certificate => {
            let key = slot.id.clone();
            let is_ours = |c: &Certificate| c.order.as_ref().is_some_and(|o| o.version == *version);
            if tx.get::<Certificate>(&key).is_some_and(is_ours) {
                tx.update::<Certificate>(&key, |c| (c.order, c.not_before_retry) = (None, Some(cx.now + RETRY)));
                tx.want(slot.clone(), None);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Takes what was issued, if it answers the order under way.
fn take(tx: &mut Tx, cx: &Cx, arn: &str, generation: u64, issued: &IssuedCertificate) {
    let Some(certificate) = tx.find::<Certificate, str>(arn) else { return };
    let Some(order) = certificate.order.clone().filter(|o| o.generation == generation) else { return };
    let contents = contents(certificate, &order, issued);
    tx.update::<Certificate>(&arn.to_string(), |c| {
        if c.contents.is_some() {
            c.renewal = Some(Renewal { status: RenewalStatus::Success, updated_at: cx.now });
        }
        (c.contents, c.issued_at, c.order) = (Some(contents), Some(cx.now), None);
    });
    // The authority keeps nothing: the wish, and the key on its way, end here.
    tx.want(Slot::new(SlotKind::Certificate, arn), None);
}

fn contents(certificate: &Certificate, order: &Order, issued: &IssuedCertificate) -> Contents {
    let usages: &[&str] = match certificate.algorithm.starts_with("RSA") {
        true => &["DIGITAL_SIGNATURE", "KEY_ENCIPHERMENT"],
        false => &["DIGITAL_SIGNATURE"],
    };
    let extended =
        [("TLS_WEB_SERVER_AUTHENTICATION", "1.3.6.1.5.5.7.3.1"), ("TLS_WEB_CLIENT_AUTHENTICATION", "1.3.6.1.5.5.7.3.2")];
    Contents {
        certificate: issued.certificate.clone(),
        chain: Some(issued.chain.clone()),
        key: issued.key.clone(),
        serial: issued.serial.clone(),
        subject: format!("CN={}", certificate.domain),
        issuer: issued.issuer.clone(),
        signature_algorithm: issued.signature_algorithm.clone(),
        not_before: order.not_before,
        not_after: order.not_after,
        key_usages: usages.iter().map(|u| (*u).to_string()).collect(),
        extended_key_usages: extended.map(|(name, id)| (name.to_string(), id.to_string())).to_vec(),
    }
}
