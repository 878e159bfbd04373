//! How HTTPS and TLS listeners speak TLS: policy, certificates, ALPN and clients' certificates.

use kernel::State;
use serde::{Deserialize, Serialize};
use shapes::elbv2 as s;
use world::{ClientCertificates, ListenerTls, Protocol};

use crate::error::Error;
use crate::{certificate, protocol, security_policies};

/// What a listener gets that names no policy: the one that AWS's console proposes. The API's own default there,
/// `ELBSecurityPolicy-2016-08`, allows TLS 1.0, which this region never speaks.
pub(crate) const POLICY_DEFAULT: &str = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06";
/// "Certificates per load balancer", not counting the default ones.
pub(crate) const CERTIFICATES_MAX: usize = 25;

/// ALPN policies of TLS listeners ("Listeners for your Network Load Balancers, ALPN policies").
const ALPN: [(&str, &[&str]); 5] = [
    ("HTTP1Only", &["http/1.1", "http/1.0"]),
    ("HTTP2Only", &["h2"]),
    ("HTTP2Optional", &["http/1.1", "http/1.0", "h2"]),
    ("HTTP2Preferred", &["h2", "http/1.1", "http/1.0"]),
    ("None", &[]),
];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tls {
    pub policy: String,
    /// References (`certificate::reference`): the default certificate's, and behind it those of the certificate list, which is
    /// a thing of its own: it may name the default one again (DescribeListenerCertificates: "If the default certificate is also
    /// in the certificate list, it appears twice").
    certificates: Vec<String>,
    pub alpn: Option<String>,
    pub clients: ClientCertificates,
}

/// What a request says of TLS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    pub(crate) policy: Option<String>,
    pub(crate) certificates: Vec<s::Certificate>,
    pub(crate) alpn: Vec<String>,
    pub(crate) mutual: Option<s::MutualAuthenticationAttributes>,
}

impl Tls {
    /// Of a listener of this protocol; none for one without TLS. `old` is what the listener had: its certificate list stays
    /// as it is, whatever becomes the default certificate ("ELB User Guide, Update an HTTPS listener: Replace the default
    /// certificate", "Add certificates to the certificate list").
    pub(crate) fn of(state: &State, of: Protocol, given: Given, old: Option<&Tls>) -> Result<Option<Self>, Error> {
        if !protocol::has_tls(of) {
            check_absent(of, &given)?;
            return Ok(None);
        }
        let policy = given.policy.filter(|p| !p.is_empty()).unwrap_or_else(|| POLICY_DEFAULT.into());
        security_policies::check(&policy)?;
        let certificate = default_certificate(state, of, given.certificates)?;
        let list = old.map_or(&[][..], Tls::certificate_list);
        let certificates = std::iter::once(&certificate).chain(list).cloned().collect();
        Ok(Some(Self { policy, certificates, alpn: alpn(of, given.alpn)?, clients: clients(state, of, given.mutual)? }))
    }

    pub(crate) fn default_certificate(&self) -> Option<&String> {
        self.certificates.first()
    }

    /// The certificates for further names, in the order in which they came.
    pub(crate) fn certificate_list(&self) -> &[String] {
        self.certificates.get(1..).unwrap_or_default()
    }

    /// All that it can answer with, the default one first, each as often as it is there.
    pub(crate) fn certificates(&self) -> &[String] {
        &self.certificates
    }

    /// Whether a request that came to `other` asked for what this is; the certificate list is not part of it.
    pub(crate) fn is_as_asked(&self, other: &Tls) -> bool {
        let settings =
            |tls: &Tls| (tls.policy.clone(), tls.default_certificate().cloned(), tls.alpn.clone(), tls.clients.clone());
        settings(self) == settings(other)
    }

    /// Adds to the list; what is on it already is there once ("the call is successful but the certificate is not added again").
    pub(crate) fn add_to_list(&mut self, reference: String) {
        if !self.certificate_list().contains(&reference) {
            self.certificates.push(reference);
        }
    }

    /// Takes these off the list. The default certificate stays what it is.
    pub(crate) fn take_off_list(&mut self, references: &[String]) {
        let list: Vec<String> = self.certificate_list().iter().filter(|c| !references.contains(c)).cloned().collect();
        self.certificates.truncate(1);
        self.certificates.extend(list);
    }

    /// The default certificate, as a request would give it.
    pub(crate) fn to_given(&self, state: &State) -> Given {
        Given {
            policy: Some(self.policy.clone()),
            certificates: self.certificate_shapes(state),
            alpn: self.alpn.iter().cloned().collect(),
            mutual: self.mutual_shape(),
        }
    }

    pub(crate) fn certificate_shapes(&self, state: &State) -> Vec<s::Certificate> {
        let arn = |reference: &String| Some(certificate::arn_of(state, reference));
        let shape = |reference| s::Certificate { certificate_arn: arn(reference), is_default: None };
        self.default_certificate().map(shape).into_iter().collect()
    }

    pub(crate) fn mutual_shape(&self) -> Option<s::MutualAuthenticationAttributes> {
        let mode = |mode: &str| s::MutualAuthenticationAttributes { mode: Some(mode.into()), ..Default::default() };
        Some(match &self.clients {
            ClientCertificates::Off => mode("off"),
            ClientCertificates::Passthrough => mode("passthrough"),
            ClientCertificates::Verify { trust_store, ignore_expiry, advertise_names } => s::MutualAuthenticationAttributes {
                trust_store_arn: Some(trust_store.clone()),
                ignore_client_certificate_expiry: Some(*ignore_expiry),
                trust_store_association_status: Some("active".into()),
                advertise_trust_store_ca_names: Some(if *advertise_names { "on" } else { "off" }.into()),
                ..mode("verify")
            },
        })
    }

    pub(crate) fn trust_store(&self) -> Option<&String> {
        match &self.clients {
            ClientCertificates::Verify { trust_store, .. } => Some(trust_store),
            _ => None,
        }
    }

    pub(crate) fn to_world(&self, state: &State) -> ListenerTls {
        let protocols = ALPN.iter().find(|(name, _)| self.alpn.as_deref() == Some(*name)).map_or(&[][..], |(_, list)| list);
        let mut certificates: Vec<String> = Vec::with_capacity(self.certificates.len());
        for reference in &self.certificates {
            let arn = certificate::arn_of(state, reference);
            if !certificates.contains(&arn) {
                certificates.push(arn);
            }
        }
        ListenerTls {
            policy: self.policy.clone(),
            certificates,
            alpn: protocols.iter().map(|p| (*p).to_string()).collect(),
            clients: self.clients.clone(),
        }
    }
}

fn check_absent(of: Protocol, given: &Given) -> Result<(), Error> {
    let is_mutual = given.mutual.as_ref().is_some_and(|m| m.mode.as_deref().is_some_and(|mode| mode != "off"));
    let parts = [
        ("A certificate", !given.certificates.is_empty()),
        ("A security policy", given.policy.as_ref().is_some_and(|p| !p.is_empty())),
        ("An ALPN policy", !given.alpn.is_empty()),
        ("Mutual authentication", is_mutual),
    ];
    match parts.iter().find(|(_, given)| *given) {
        Some((what, _)) => Err(Error::Validation(format!("{what} cannot be specified for {} listeners", protocol::name(of)))),
        None => Ok(()),
    }
}

fn default_certificate(state: &State, of: Protocol, certificates: Vec<s::Certificate>) -> Result<String, Error> {
    let name = protocol::name(of);
    let mut certificates = certificates.into_iter();
    let certificate = match (certificates.next(), certificates.next()) {
        (None, _) => return Err(Error::Validation(format!("A certificate must be specified for {name} listeners"))),
        (Some(certificate), None) => certificate,
        (Some(_), Some(_)) => {
            let text = "Up to '1' certificate ARNs can be specified, but '2' or more were: use AddListenerCertificates for more";
            return Err(Error::TooMany("TooManyCertificates", text.into()));
        }
    };
    if certificate.is_default.is_some() {
        return Err(Error::Validation("You cannot set the isDefault parameter for a certificate".into()));
    }
    certificate::check(state, &certificate.certificate_arn.unwrap_or_default())
}

fn alpn(of: Protocol, given: Vec<String>) -> Result<Option<String>, Error> {
    if given.is_empty() {
        return Ok(None);
    }
    if of != Protocol::Tls {
        return Err(Error::Validation("An ALPN policy cannot be specified for HTTPS listeners".into()));
    }
    let mut given = given.into_iter();
    match (given.next(), given.next()) {
        (Some(name), None) if ALPN.iter().any(|(known, _)| *known == name) => Ok(Some(name)),
        (Some(name), None) => {
            let text = format!("ALPN policy '{name}' must be one of HTTP1Only, HTTP2Only, HTTP2Optional, HTTP2Preferred, None");
            Err(Error::Coded("ALPNPolicyNotFound", text))
        }
        _ => Err(Error::Validation("Only one ALPN policy can be specified".into())),
    }
}

fn clients(state: &State, of: Protocol, given: Option<s::MutualAuthenticationAttributes>) -> Result<ClientCertificates, Error> {
    let mut given = given.unwrap_or_default();
    // Terraform sends it empty.
    given.trust_store_arn = given.trust_store_arn.filter(|arn| !arn.is_empty());
    let mode = given.mode.as_deref().unwrap_or("off");
    let invalid = |text: String| Err(Error::Validation(text));
    if mode != "off" && of != Protocol::Https {
        return invalid(format!("Mutual authentication cannot be specified for {} listeners", protocol::name(of)));
    }
    let has_more = given.trust_store_arn.is_some()
        || given.ignore_client_certificate_expiry == Some(true)
        || given.advertise_trust_store_ca_names.as_deref() == Some("on");
    match mode {
        "off" | "passthrough" if has_more => invalid(format!("Mutual authentication in mode '{mode}' takes no trust store")),
        "off" => Ok(ClientCertificates::Off),
        "passthrough" => Ok(ClientCertificates::Passthrough),
        "verify" => {
            let Some(trust_store) = given.trust_store_arn else {
                return invalid("A trust store ARN must be specified for mutual authentication in mode 'verify'".into());
            };
            certificate::check_trust_store(state, &trust_store)?;
            Ok(ClientCertificates::Verify {
                trust_store,
                ignore_expiry: given.ignore_client_certificate_expiry == Some(true),
                advertise_names: given.advertise_trust_store_ca_names.as_deref() == Some("on"),
            })
        }
        other => invalid(format!("Mutual authentication mode '{other}' must be one of 'off, passthrough, verify'")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::Tls;

    /// Rows that were written while the default certificate could not be on the list.
    #[test]
    fn a_stored_listener_keeps_its_default_certificate_and_its_list() {
        let stored = json!({"policy": "p", "certificates": ["a", "b", "c"], "alpn": null, "clients": {"mode": "off"}});
        let mut tls: Tls = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!(
            (tls.default_certificate().map(String::as_str), tls.certificate_list()),
            (Some("a"), &["b".into(), "c".into()][..])
        );
        assert_eq!(serde_json::to_value(&tls).unwrap(), stored);
        tls.add_to_list("a".into());
        tls.add_to_list("b".into());
        assert_eq!(tls.certificates(), ["a", "b", "c", "a"]);
        tls.take_off_list(&["a".into(), "c".into()]);
        assert_eq!(tls.certificates(), ["a", "b"]);
    }
}
