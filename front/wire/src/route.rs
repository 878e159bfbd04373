use base::Fault;
use http::request::Parts;
use models::{Operation, Service};

use crate::form;

/// How a request and its answer are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Form parameters in, XML out.
    Query,
    /// EC2's variant of it.
    Ec2,
    /// AWS JSON 1.0 and 1.1.
    Json,
    /// Smithy's RPC v2 over CBOR: `/service/PREFIX/operation/NAME`.
    Cbor,
    /// Our own: `X-Amz-Target: Allod_SERVICE.OPERATION`, members named as in the description, times in ISO 8601.
    Plain,
}

/// The header by which a client says that it speaks RPC v2, and what it says.
pub(crate) const SMITHY_PROTOCOL: &str = "smithy-protocol";
pub(crate) const RPC_V2_CBOR: &str = "rpc-v2-cbor";

/// What a request asks for.
#[derive(Clone, Debug)]
pub struct Route {
    pub service: &'static Service,
    pub operation: &'static Operation,
    pub protocol: Protocol,
}

/// Why a request cannot be routed, and in which protocol to say so.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub protocol: Protocol,
    pub namespace: Option<String>,
    pub fault: Fault,
}

/// Tells service and operation: by the path of RPC v2, by `X-Amz-Target`, else by `Action`, `Version` and the service in the
/// credential scope.
pub fn route(parts: &Parts, body: &[u8]) -> Result<Route, Refusal> {
    if speaks_cbor(parts) {
        return by_path(parts.uri.path());
    }
    match parts.headers.get("x-amz-target") {
        Some(target) => by_target(target.to_str().unwrap_or_default()),
        None => by_action(parts, body),
    }
}

/// In which protocol, and XML namespace, to answer a request of which only the head is known.
pub fn protocol(parts: &Parts) -> (Protocol, Option<&'static str>) {
    if speaks_cbor(parts) {
        return (Protocol::Cbor, None);
    }
    if parts.headers.contains_key("x-amz-target") {
        return (Protocol::Json, None);
    }
    let service = signing_name(parts).and_then(|name| by_name(Some(&name), None));
    service.map_or((Protocol::Query, None), |s| (protocol_of(s), s.xml_namespace.as_deref()))
}

fn speaks_cbor(parts: &Parts) -> bool {
    parts.headers.get(SMITHY_PROTOCOL).is_some_and(|protocol| protocol == RPC_V2_CBOR)
}

fn by_path(path: &str) -> Result<Route, Refusal> {
    let find = || {
        let (prefix, name) = path.strip_prefix("/service/")?.split_once("/operation/")?;
        let speaks =
            |s: &&Service| s.target_prefix.as_deref() == Some(prefix) && s.protocols.iter().any(|p| p == "smithy-rpc-v2-cbor");
        let service = models::names().filter_map(models::service).find(speaks)?;
        Some(Route { service, operation: service.operation(name)?, protocol: Protocol::Cbor })
    };
    find().ok_or_else(|| Refusal {
        protocol: Protocol::Cbor,
        namespace: None,
        fault: Fault::new(404, "UnknownOperationException", format!("The operation {path} is unknown.")),
    })
}

fn by_target(target: &str) -> Result<Route, Refusal> {
    let unknown = |protocol| Refusal {
        protocol,
        namespace: None,
        fault: Fault::client("UnknownOperationException", format!("The operation {target} is unknown.")),
    };
    let (prefix, name) = target.rsplit_once('.').ok_or_else(|| unknown(Protocol::Json))?;
    let (protocol, service) = match prefix.strip_prefix("Allod_") {
        Some(service) => (Protocol::Plain, models::service(service)),
        None => {
            let mut all = models::names().filter_map(models::service);
            (Protocol::Json, all.find(|s| s.target_prefix.as_deref() == Some(prefix)))
        }
    };
    let service = service.ok_or_else(|| unknown(protocol))?;
    let operation = service.operation(name).ok_or_else(|| unknown(protocol))?;
    Ok(Route { service, operation, protocol })
}

fn by_action(parts: &Parts, body: &[u8]) -> Result<Route, Refusal> {
    let refusal = |service: Option<&Service>, fault| Refusal {
        protocol: service.map_or(Protocol::Query, protocol_of),
        namespace: service.and_then(|s| s.xml_namespace.clone()),
        fault,
    };
    let scope = signing_name(parts);
    let parameters = form::parameters(parts, body).map_err(|fault| refusal(by_name(scope.as_deref(), None), fault))?;
    let parameter = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let service = by_name(scope.as_deref(), parameter("Version"));
    let Some(action) = parameter("Action").filter(|a| !a.is_empty()) else {
        let text = "The action or operation requested is missing. Verify that the action is given by Action or X-Amz-Target.";
        return Err(refusal(service, Fault::new(400, "MissingAction", text)));
    };
    let Some(service) = service else {
        return Err(refusal(None, invalid_action(action)));
    };
    if let Some(fault) = parameter("Version").and_then(|version| unknown_version(service, action, version)) {
        return Err(refusal(Some(service), fault));
    }
    match service.operation(action) {
        Some(operation) => Ok(Route { service, operation, protocol: protocol_of(service) }),
        None => Err(refusal(Some(service), invalid_action(action))),
    }
}

/// AWS's answer for an action that a service does not have.
fn invalid_action(action: &str) -> Fault {
    Fault::new(400, "InvalidAction", format!("The action {action} is not valid for this web service."))
}

/// What AWS says of a version that a service never had. EC2 serves its older versions too; they are dates.
fn unknown_version(service: &Service, action: &str, version: &str) -> Option<Fault> {
    if version == service.version {
        return None;
    }
    if protocol_of(service) == Protocol::Query {
        return Some(Fault::new(400, "InvalidAction", format!("Could not find operation {action} for version {version}")));
    }
    let is_date = version.len() == 10 && version.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    (!is_date || version > service.version.as_str()).then(|| {
        let text = format!("The requested version ({version}) of service AmazonEC2 does not exist");
        Fault::new(400, "NoSuchVersion", text)
    })
}

fn protocol_of(service: &Service) -> Protocol {
    if service.name == "ec2" { Protocol::Ec2 } else { Protocol::Query }
}

/// A query service by its signing name and version; by one of them where the other is not known.
fn by_name(signing_name: Option<&str>, version: Option<&str>) -> Option<&'static Service> {
    let speaks_query = |s: &&Service| s.protocols.iter().any(|p| p == "query" || p == "ec2");
    let all = || models::names().filter_map(models::service).filter(speaks_query);
    let named = || all().filter(|s| signing_name.is_none_or(|name| s.signing_name == name));
    named().find(|s| version.is_some_and(|v| s.version == v)).or_else(|| signing_name.and_then(|_| named().next()))
}

/// The service in the credential scope, of a header or of a presigned URL.
fn signing_name(parts: &Parts) -> Option<String> {
    let header = parts.headers.get("authorization").and_then(|h| h.to_str().ok());
    let in_header = header.and_then(|h| h.split_once("Credential=")).map(|(_, rest)| rest.split(',').next().unwrap_or_default());
    let credential = match in_header {
        Some(credential) => credential.to_string(),
        None => {
            let query = parts.uri.query()?;
            let value = query.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
            percent_encoding::percent_decode_str(value).decode_utf8().ok()?.into_owned()
        }
    };
    credential.split('/').nth(3).map(str::to_string)
}
