//! Links that anyone opens who was given them: in messages to subscribers, to confirm a subscription, to end it, and to the
//! certificate of the message's signature; and to what a trust store holds.

use std::fs;
use std::io;

use base::Fault;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use wire::Route;

use crate::http::{Answer, Region, plain};

/// Operations that need no signature; what they name is known to the receiver of a message only ("ConfirmSubscription" and
/// "Unsubscribe", SNS API Reference).
const UNSIGNED: [(&str, &str); 2] = [("sns", "ConfirmSubscription"), ("sns", "Unsubscribe")];

/// The certificate's place under `/_allod`.
pub(crate) const CERTIFICATE: &str = "/sns/SimpleNotificationService.pem";

/// What comes before the secret of a link to what a trust store holds.
pub(crate) const TRUST_STORE: &str = "/trust-store/";

/// Whether a request is one that needs no signature, and has none. One that has a signature must have a good one.
pub(crate) fn needs_no_signature(route: &Route, parts: &Parts) -> bool {
    let is_signed = parts.headers.contains_key(header::AUTHORIZATION)
        || parts.uri.query().is_some_and(|q| q.split('&').any(|pair| pair.starts_with("X-Amz-")));
    !is_signed && UNSIGNED.contains(&(route.service.name.as_str(), route.operation.name.as_str()))
}

/// The certificate as receivers of messages fetch it. It is made with the first signature.
pub(crate) fn certificate(region: &Region) -> Answer {
    match fs::read_to_string(region.paths.signing_certificate()) {
        Ok(pem) => pem_page(&pem),
        Err(e) if e.kind() == io::ErrorKind::NotFound => plain(StatusCode::NOT_FOUND, "No message has been signed yet\n"),
        Err(e) => {
            tracing::error!(%e, "the certificate of the signatures cannot be read");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "The certificate cannot be read\n")
        }
    }
}

/// Certificates or revocation lists of a trust store.
pub(crate) async fn trust_store(region: &Region, secret: &str) -> Result<Answer, Fault> {
    let secret = secret.to_string();
    let pem = region.control.run(move |tx, cx| region::elb::linked_content(tx, cx, &secret)).await?;
    Ok(pem_page(&pem))
}

fn pem_page(pem: &str) -> Answer {
    let mut answer = plain(StatusCode::OK, pem);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-pem-file"));
    answer
}
