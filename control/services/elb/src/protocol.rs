//! Protocols by AWS's names, and which listener may forward to which target group.

use world::{BalancerKind, Protocol, ProtocolVersion};

use crate::error::Error;

const NAMES: [(Protocol, &str); 6] = [
    (Protocol::Http, "HTTP"),
    (Protocol::Https, "HTTPS"),
    (Protocol::Tcp, "TCP"),
    (Protocol::Tls, "TLS"),
    (Protocol::Udp, "UDP"),
    (Protocol::TcpUdp, "TCP_UDP"),
];

pub(crate) fn name(protocol: Protocol) -> &'static str {
    NAMES.iter().find(|(p, _)| *p == protocol).map_or("HTTP", |(_, name)| name)
}

fn of(name: &str) -> Option<Protocol> {
    NAMES.iter().find(|(_, n)| *n == name).map(|(protocol, _)| *protocol)
}

/// What rows had before there were others.
pub(crate) fn http() -> Protocol {
    Protocol::Http
}

pub(crate) fn is_http(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Http | Protocol::Https)
}

pub(crate) fn has_tls(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Https | Protocol::Tls)
}

/// The protocol of a listener of such a load balancer.
pub(crate) fn of_listener(kind: BalancerKind, name: Option<&str>) -> Result<Protocol, Error> {
    let name = name.ok_or_else(|| Error::Validation("A protocol must be specified".into()))?;
    let wanted = kind == BalancerKind::Application;
    match of(name) {
        Some(protocol) if is_http(protocol) == wanted => Ok(protocol),
        _ => {
            let (kind, names) = match kind {
                BalancerKind::Application => ("application", "HTTP, HTTPS"),
                BalancerKind::Network => ("network", "TCP, TLS, UDP, TCP_UDP"),
            };
            let text = format!("Protocol '{name}' must be one of '{names}' for a listener of a load balancer of type '{kind}'");
            Err(Error::Validation(text))
        }
    }
}

/// The protocol of a target group.
pub(crate) fn of_target_group(name: Option<&str>) -> Result<Protocol, Error> {
    let name = name.ok_or_else(|| Error::Validation("A protocol must be specified".into()))?;
    of(name).ok_or_else(|| match name {
        "GENEVE" | "QUIC" | "TCP_QUIC" => {
            Error::Unsupported(format!("Target groups of protocol '{name}' are not supported in this region"))
        }
        _ => Error::Validation(format!("Protocol '{name}' must be one of 'HTTP, HTTPS, TCP, TLS, UDP, TCP_UDP'")),
    })
}

/// The protocol version of a target group; a group that is not of HTTP has none.
pub(crate) fn version(protocol: Protocol, name: Option<&str>) -> Result<ProtocolVersion, Error> {
    // Terraform sends it empty.
    let Some(name) = name.filter(|n| !n.is_empty()) else { return Ok(ProtocolVersion::Http1) };
    if !is_http(protocol) {
        let text = format!("Protocol version cannot be specified for target groups with protocol '{}'", self::name(protocol));
        return Err(Error::Validation(text));
    }
    match name {
        "HTTP1" => Ok(ProtocolVersion::Http1),
        "HTTP2" => Ok(ProtocolVersion::Http2),
        "GRPC" => Ok(ProtocolVersion::Grpc),
        other => Err(Error::Validation(format!("Protocol version '{other}' must be one of 'HTTP1, HTTP2, GRPC'"))),
    }
}

pub(crate) fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::Http1 => "HTTP1",
        ProtocolVersion::Http2 => "HTTP2",
        ProtocolVersion::Grpc => "GRPC",
    }
}

/// Whether a listener may forward to such a group: "Listeners for your Network Load Balancers, Protocol" and "Target groups
/// for your Application Load Balancers, Protocol version" (HTTP/2 and gRPC need an HTTPS listener).
pub(crate) fn check_pair(listener: Protocol, group: Protocol, version: ProtocolVersion) -> Result<(), Error> {
    let fits = match listener {
        Protocol::Http | Protocol::Https => is_http(group),
        Protocol::Tcp => matches!(group, Protocol::Tcp | Protocol::TcpUdp),
        Protocol::Tls => matches!(group, Protocol::Tcp | Protocol::Tls),
        Protocol::Udp => matches!(group, Protocol::Udp | Protocol::TcpUdp),
        Protocol::TcpUdp => group == Protocol::TcpUdp,
    };
    if !fits {
        let (listener, group) = (name(listener), name(group));
        let text = format!("Listener protocol '{listener}' is not supported with a target group with protocol '{group}'");
        return Err(Error::Coded("IncompatibleProtocols", text));
    }
    if version != ProtocolVersion::Http1 && listener != Protocol::Https {
        let (listener, version) = (name(listener), version_name(version));
        let text =
            format!("Listener protocol '{listener}' is not supported with a target group with the protocol-version '{version}'");
        return Err(Error::Coded("InvalidLoadBalancerAction", text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{check_pair, of_listener};
    use world::{BalancerKind, Protocol, ProtocolVersion};

    #[test]
    fn listeners_forward_to_groups_that_the_guides_tables_allow() {
        use Protocol::{Http, Https, Tcp, TcpUdp, Tls, Udp};
        let all = [Http, Https, Tcp, Tls, Udp, TcpUdp];
        let allowed = [(Tcp, Tcp), (Tcp, TcpUdp), (Tls, Tcp), (Tls, Tls), (Udp, Udp), (Udp, TcpUdp), (TcpUdp, TcpUdp)];
        for (listener, group) in all.iter().flat_map(|l| all.iter().map(move |g| (*l, *g))) {
            let is_http = |p| matches!(p, Http | Https);
            let expected = allowed.contains(&(listener, group)) || (is_http(listener) && is_http(group));
            let seen = check_pair(listener, group, ProtocolVersion::Http1).is_ok();
            assert_eq!(seen, expected, "{listener:?} to {group:?}");
        }
        assert!(check_pair(Http, Http, ProtocolVersion::Grpc).is_err());
        assert!(check_pair(Https, Http, ProtocolVersion::Grpc).is_ok());
    }

    #[test]
    fn each_kind_of_load_balancer_has_its_protocols() {
        let (application, network) = (BalancerKind::Application, BalancerKind::Network);
        assert!(of_listener(application, Some("HTTPS")).is_ok() && of_listener(network, Some("TCP_UDP")).is_ok());
        for (kind, name) in [(application, "TCP"), (network, "HTTP"), (network, "GENEVE"), (application, "http")] {
            assert!(of_listener(kind, Some(name)).is_err(), "{name}");
        }
    }
}
