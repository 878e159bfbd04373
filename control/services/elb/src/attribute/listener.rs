use std::collections::{BTreeMap, BTreeSet};

use world::Protocol;

use super::{Known, Takes, all, default_of, plain_number, set, value};
use crate::error::Error;
use crate::listener::Listener;

const VALUE_CHARS_MAX: usize = 1_024;
const NAME_CHARS_MAX: usize = 40;
const TEXT: Takes = Takes::HeaderValue(VALUE_CHARS_MAX);
const NAME: Takes = Takes::HeaderName(NAME_CHARS_MAX);

/// Headers of answers: attribute and the header that it stands for ("HTTP header modification for your Application Load
/// Balancer").
const ANSWERS: [(&str, &str); 10] = [
    ("routing.http.response.strict_transport_security.header_value", "Strict-Transport-Security"),
    ("routing.http.response.access_control_allow_origin.header_value", "Access-Control-Allow-Origin"),
    ("routing.http.response.access_control_allow_methods.header_value", "Access-Control-Allow-Methods"),
    ("routing.http.response.access_control_allow_headers.header_value", "Access-Control-Allow-Headers"),
    ("routing.http.response.access_control_allow_credentials.header_value", "Access-Control-Allow-Credentials"),
    ("routing.http.response.access_control_expose_headers.header_value", "Access-Control-Expose-Headers"),
    ("routing.http.response.access_control_max_age.header_value", "Access-Control-Max-Age"),
    ("routing.http.response.content_security_policy.header_value", "Content-Security-Policy"),
    ("routing.http.response.x_content_type_options.header_value", "X-Content-Type-Options"),
    ("routing.http.response.x_frame_options.header_value", "X-Frame-Options"),
];

const HTTP: [Known; 11] = [
    (ANSWERS[0].0, "", TEXT),
    (ANSWERS[1].0, "", TEXT),
    (ANSWERS[2].0, "", TEXT),
    (ANSWERS[3].0, "", TEXT),
    (ANSWERS[4].0, "", Takes::OneOf(&["", "true"])),
    (ANSWERS[5].0, "", TEXT),
    (ANSWERS[6].0, "", Takes::HeaderValue(5)),
    (ANSWERS[7].0, "", TEXT),
    (ANSWERS[8].0, "", Takes::OneOf(&["", "nosniff"])),
    (ANSWERS[9].0, "", TEXT),
    ("routing.http.response.server.enabled", "true", Takes::Bool),
];

/// Headers that the load balancer adds to requests; the default is AWS's name.
const HTTPS_REQUESTS: [Known; 8] = [
    ("routing.http.request.x_amzn_mtls_clientcert_serial_number.header_name", "X-Amzn-Mtls-Clientcert-Serial-Number", NAME),
    ("routing.http.request.x_amzn_mtls_clientcert_issuer.header_name", "X-Amzn-Mtls-Clientcert-Issuer", NAME),
    ("routing.http.request.x_amzn_mtls_clientcert_subject.header_name", "X-Amzn-Mtls-Clientcert-Subject", NAME),
    ("routing.http.request.x_amzn_mtls_clientcert_validity.header_name", "X-Amzn-Mtls-Clientcert-Validity", NAME),
    ("routing.http.request.x_amzn_mtls_clientcert_leaf.header_name", "X-Amzn-Mtls-Clientcert-Leaf", NAME),
    ("routing.http.request.x_amzn_mtls_clientcert.header_name", "X-Amzn-Mtls-Clientcert", NAME),
    ("routing.http.request.x_amzn_tls_version.header_name", "X-Amzn-Tls-Version", NAME),
    ("routing.http.request.x_amzn_tls_cipher_suite.header_name", "X-Amzn-Tls-Cipher-Suite", NAME),
];

/// Names that requests carry to targets anyway: what is renamed to one of them would say something else.
const TAKEN: [&str; 14] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-amzn-trace-id",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
];

const TCP: [Known; 1] = [("tcp.idle_timeout.seconds", "350", Takes::Number(60, 6_000))];

/// All that listeners of the protocol have.
fn known(protocol: Protocol) -> Vec<Known> {
    match protocol {
        Protocol::Http => HTTP.to_vec(),
        Protocol::Https => HTTPS_REQUESTS.into_iter().chain(HTTP).collect(),
        Protocol::Tcp => TCP.to_vec(),
        Protocol::Tls | Protocol::Udp | Protocol::TcpUdp => Vec::new(),
    }
}

/// An attribute's value, own or default; empty when there is none of the name.
pub(crate) fn listener<'a>(listener: &'a Listener, name: &str) -> &'a str {
    value(&known(listener.protocol), &listener.attributes, name)
}

pub(crate) fn all_of_listener(listener: &Listener) -> Vec<(String, String)> {
    all(&known(listener.protocol), &listener.attributes)
}

pub(crate) fn default_of_listener(protocol: Protocol, name: &str) -> Option<&'static str> {
    default_of(&known(protocol), name)
}

pub(crate) fn set_of_listener(listener: &mut Listener, wanted: &[(String, String)]) -> Result<(), Error> {
    let whose = format!("listeners with protocol '{}'", crate::protocol::name(listener.protocol));
    let known = known(listener.protocol);
    // "Setting an empty value for any attribute will cause the Application Load Balancer to revert to the default behavior"
    // ("HTTP header modification for your Application Load Balancer: Limitations").
    let given = |(name, value): &(String, String)| match default_of(&known, name) {
        Some(default) if value.is_empty() && name.starts_with("routing.http.") => (name.clone(), default.to_string()),
        _ => (name.clone(), value.clone()),
    };
    let wanted: Vec<_> = wanted.iter().map(given).collect();
    set(&known, &mut listener.attributes, &wanted, &whose)?;
    let value = |index: usize| listener.attributes.get(ANSWERS[index].0).map(String::as_str);
    let max_age = value(6).is_none_or(|age| plain_number::<u32>(age).is_some_and(|age| age <= 86_400));
    if !max_age {
        return Err(Error::Validation(format!("'{}' must be a number between 0 and 86400", ANSWERS[6].0)));
    }
    let is_frame = |text: &str| matches!(text, "DENY" | "SAMEORIGIN") || text.starts_with("ALLOW-FROM ");
    if value(9).is_some_and(|text| !is_frame(text)) {
        return Err(Error::Validation(format!("'{}' must be DENY, SAMEORIGIN or ALLOW-FROM with an address", ANSWERS[9].0)));
    }
    check_names(listener)
}

/// No two of the load balancer's headers have one name, and none has another header's.
fn check_names(listener: &Listener) -> Result<(), Error> {
    if listener.protocol != Protocol::Https {
        return Ok(());
    }
    let mut names: BTreeSet<String> = TAKEN.iter().map(|name| (*name).to_string()).collect();
    for (attribute, default, _) in &HTTPS_REQUESTS {
        let name = listener.attributes.get(*attribute).map_or(*default, String::as_str);
        if !names.insert(name.to_ascii_lowercase()) {
            return Err(Error::Validation(format!(
                "'{attribute}' cannot be '{name}': requests have another header of this name"
            )));
        }
    }
    Ok(())
}

/// Drops what listeners of another protocol do not have.
pub(crate) fn keep_of_listener(attributes: &mut BTreeMap<String, String>, protocol: Protocol) {
    let known = known(protocol);
    attributes.retain(|name, _| known.iter().any(|(n, _, _)| n == name));
}

/// Headers that answers get in place of their own.
pub(crate) fn answer_headers(listener: &Listener) -> Vec<(String, String)> {
    let own = |(attribute, header): &(&str, &str)| Some(((*header).to_string(), listener.attributes.get(*attribute)?.clone()));
    ANSWERS.iter().filter_map(own).collect()
}

/// AWS's names of headers that requests get, with the wanted ones.
pub(crate) fn request_header_names(listener: &Listener) -> Vec<(String, String)> {
    let own = |(attribute, name, _): &Known| Some(((*name).to_string(), listener.attributes.get(*attribute)?.clone()));
    HTTPS_REQUESTS.iter().filter_map(own).collect()
}
