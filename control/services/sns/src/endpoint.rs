//! Where subscribers may be: URLs and mail addresses ("Subscribe", SNS API Reference).

use std::net::IpAddr;

use world::EndpointNetworks;

use crate::error::Error;
use crate::subscription::Protocol;

const URL_BYTES_MAX: usize = 2_048;
const ADDRESS_BYTES_MAX: usize = 320;

/// Checks that an endpoint fits its protocol, and that it may be called if it is an address. What a name stands for is looked
/// at when it is called.
pub(crate) fn check(protocol: Protocol, endpoint: &str, networks: &EndpointNetworks) -> Result<(), Error> {
    if protocol.is_http() { check_url(protocol, endpoint, networks) } else { check_address(endpoint) }
}

fn check_url(protocol: Protocol, url: &str, networks: &EndpointNetworks) -> Result<(), Error> {
    let Some(rest) = url.strip_prefix(protocol.as_str()).and_then(|rest| rest.strip_prefix("://")) else {
        return Err(Error::parameter("Endpoint must match the specified protocol"));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match host_port.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port),
        None => host_port.split_at(host_port.find(':').unwrap_or(host_port.len())),
    };
    let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(|p| p.parse::<u16>().is_ok_and(|p| p > 0));
    let is_plain = url.len() <= URL_BYTES_MAX && url.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b));
    if host.is_empty() || !port_fits || !is_plain {
        return Err(Error::parameter("Endpoint Reason: Please use a valid URL"));
    }
    let refused = host.parse::<IpAddr>().ok().and_then(|address| networks.check(address).err());
    refused.map_or(Ok(()), |refused| Err(Error::Parameter(format!("Endpoint Reason: {refused}"))))
}

/// One address, `name@domain`, without comments or quotes.
fn check_address(address: &str) -> Result<(), Error> {
    let known = |b: u8| b.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&b);
    let is_label = |l: &str| {
        (1..=63).contains(&l.len())
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let fits = address.len() <= ADDRESS_BYTES_MAX
        && address.rsplit_once('@').is_some_and(|(name, domain)| {
            (1..=64).contains(&name.len())
                && name.bytes().all(known)
                && name.split('.').all(|part| !part.is_empty())
                && domain.split('.').all(is_label)
        });
    if fits { Ok(()) } else { Err(Error::parameter("Email address")) }
}

#[cfg(test)]
mod tests {
    use super::check as check_in;
    use crate::error::Error;
    use crate::subscription::Protocol;
    use world::EndpointNetworks;

    fn check(protocol: Protocol, endpoint: &str) -> Result<(), Error> {
        check_in(protocol, endpoint, &EndpointNetworks::default())
    }

    #[test]
    fn an_address_that_is_not_called_is_no_endpoint() {
        let named = EndpointNetworks::new(["10.1.0.0/16".parse().expect("a network")]);
        for url in ["http://10.1.0.9/hook", "http://me:secret@10.1.0.9:80", "http://[::ffff:10.1.0.9]:8080/"] {
            let Err(Error::Parameter(told)) = check(Protocol::Http, url) else { panic!("{url} was taken") };
            assert!(told.starts_with("Endpoint Reason: ") && told.contains("is a private address"), "{told}");
            assert!(!told.contains("secret"), "{told}");
            assert_eq!(check_in(Protocol::Http, url, &named), Ok(()), "{url}");
        }
        for url in ["http://169.254.169.254/latest/", "http://0.0.0.0/", "http://[fd00::1]/", "http://[::]/", "http://224.0.0.1/"]
        {
            assert!(check_in(Protocol::Http, url, &named).is_err(), "{url}");
        }
    }

    #[test]
    fn endpoints_fit_their_protocol() {
        let good = [
            (Protocol::Http, "http://127.0.0.1:8080/hook?x=1"),
            (Protocol::Http, "http://user:pass@host/"),
            (Protocol::Http, "http://[::1]:80/"),
            (Protocol::Https, "https://example.com"),
            (Protocol::Email, "ops+alerts@example.com"),
            (Protocol::EmailJson, "root@localhost"),
        ];
        for (protocol, endpoint) in good {
            assert_eq!(check(protocol, endpoint), Ok(()), "{endpoint}");
        }
        let bad = [
            (Protocol::Http, "https://example.com"),
            (Protocol::Https, "http://example.com"),
            (Protocol::Http, "http://"),
            (Protocol::Http, "http://:80/"),
            (Protocol::Http, "http://host:99999/"),
            (Protocol::Http, "http://host/a b"),
            (Protocol::Http, "http://host/\r\nX: y"),
            (Protocol::Email, "nobody"),
            (Protocol::Email, "a@b@"),
            (Protocol::Email, "a b@example.com"),
            (Protocol::Email, "a@example..com"),
            (Protocol::Email, "a@example.com\r\nBcc: x@y.z"),
            (Protocol::Email, "a,b@example.com"),
        ];
        for (protocol, endpoint) in bad {
            assert!(check(protocol, endpoint).is_err(), "{endpoint}");
        }
    }
}
