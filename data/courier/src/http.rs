//! Deliveries by HTTP POST ("Fanout Amazon SNS notifications to HTTPS endpoints", SNS Developer Guide).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use world::{Delivery, EndpointNetworks, MessageForm, RefusedAddress};

use crate::failure::Failure;
use crate::resolver::GuardedResolver;

/// How long an endpoint may take to accept the connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long it may take for everything: AWS waits 15 seconds for an answer.
const WHOLE_MAX: Duration = Duration::from_secs(15);
const USER_AGENT: &str = "Amazon Simple Notification Service Agent";
/// Most of a host's address or reason that is told on.
const REASON_BYTES_MAX: usize = 512;

pub(crate) struct Client {
    agent: OnceLock<Agent>,
    networks: EndpointNetworks,
}

impl Client {
    pub(crate) fn new(networks: EndpointNetworks) -> Self {
        Self { agent: OnceLock::new(), networks }
    }

    /// One attempt. Redirects are not followed: like other answers that a further attempt would get again, they end it.
    pub(crate) fn post(&self, delivery: &Delivery, url: &str, content_type: &str, body: &str) -> Result<(), Failure> {
        let (url, credentials) = split_credentials(url);
        let mut request = self
            .agent
            .get_or_init(|| agent(self.networks.clone()))
            .post(&url)
            .header("Content-Type", content_type)
            .header("x-amz-sns-message-type", delivery.kind.as_str())
            .header("x-amz-sns-message-id", &delivery.message_id)
            .header("x-amz-sns-topic-arn", &delivery.topic_arn);
        if let Some(arn) = &delivery.subscription_arn {
            request = request.header("x-amz-sns-subscription-arn", arn);
        }
        if delivery.form == MessageForm::Raw {
            request = request.header("x-amz-sns-rawdelivery", "true");
        }
        if let Some(credentials) = credentials {
            let credentials: Vec<u8> = percent_decode_str(credentials).collect();
            request = request.header("Authorization", format!("Basic {}", STANDARD.encode(credentials)));
        }
        match request.send(body) {
            Ok(answer) => judge(answer.status().as_u16()),
            Err(e @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => Err(Failure::for_good(e)),
            Err(ureq::Error::Other(e)) if e.is::<RefusedAddress>() => Err(Failure::for_good(e)),
            Err(e) => Err(Failure::ForNow(e.to_string().chars().take(REASON_BYTES_MAX).collect())),
        }
    }
}

/// "Message delivery retries": 5xx and 429 are tried again, other refusals are for good.
fn judge(status: u16) -> Result<(), Failure> {
    match status {
        200..=299 => Ok(()),
        429 | 500.. => Err(Failure::ForNow(format!("the endpoint answered with HTTP status {status}"))),
        300..=399 => {
            Err(Failure::ForGood(format!("the endpoint answered with HTTP status {status}; redirects are not followed")))
        }
        _ => Err(Failure::ForGood(format!("the endpoint answered with HTTP status {status}"))),
    }
}

/// Name and password in a URL are for the endpoint's basic authentication; what cannot stand in a URL is there by its code
/// (RFC 3986, 3.2.1).
fn split_credentials(url: &str) -> (String, Option<&str>) {
    let Some((scheme, rest)) = url.split_once("://") else { return (url.into(), None) };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rsplit_once('@') {
        Some((credentials, host)) => (format!("{scheme}://{host}{}", &rest[end..]), Some(credentials)),
        None => (url.into(), None),
    }
}

/// Certificates are checked against the system's roots. Proxies of the environment are for people, not for the region.
fn agent(networks: EndpointNetworks) -> Agent {
    let found = rustls_native_certs::load_native_certs();
    for e in &found.errors {
        tracing::warn!(%e, "some of the system's root certificates cannot be read");
    }
    let roots: Vec<Certificate<'static>> = found.certs.iter().map(|c| Certificate::from_der(c).to_owned()).collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    let config = Agent::config_builder()
        .timeout_connect(Some(CONNECT_MAX))
        .timeout_global(Some(WHOLE_MAX))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .proxy(None)
        .user_agent(USER_AGENT)
        .max_idle_connections(0)
        .tls_config(tls)
        .build();
    Agent::with_parts(config, DefaultConnector::default(), GuardedResolver::new(networks))
}

#[cfg(test)]
mod tests {
    use super::split_credentials;

    #[test]
    fn credentials_leave_the_url() {
        for (url, plain, credentials) in [
            ("http://host/a@b", "http://host/a@b", None),
            ("http://me:secret@host:80/x?y", "http://host:80/x?y", Some("me:secret")),
            ("https://me:p@ss@host", "https://host", Some("me:p@ss")),
        ] {
            assert_eq!(split_credentials(url), (plain.to_string(), credentials));
        }
    }
}
