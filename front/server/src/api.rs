//! AWS's operations: from a request's bytes, signed and in one of AWS's protocols, to the control thread and back. It knows no
//! rules of any service.

use std::sync::Arc;

use base::{Caller, Fault, Rng, Value};
use bytes::Bytes;
use http::request::Parts;
use wire::sigv4::{self, SignatureError, Verified};
use wire::{Protocol, Route};

use crate::control::{Call, wall_clock};
use crate::http::{Answer, Region, with_body};
use crate::large::{Turn, is_large};
use crate::{identity, links, local};

/// Services that have one endpoint for all regions, signed for `us-east-1`.
const GLOBAL_SERVICES: [&str; 2] = ["iam", "sts"];
const GLOBAL_REGION: &str = "us-east-1";

/// A request whose sender and meaning are known.
struct Understood {
    caller: Caller,
    route: Route,
    input: Value,
}

/// Answers a request for one of AWS's operations. Large ones come one after the other, apart from the thread that serves all
/// connections, so that they hold nobody else up.
pub(crate) async fn answer(region: &Arc<Region>, parts: Parts, body: Bytes) -> Answer {
    let request_id = request_id();
    if !is_large(&parts, &body) {
        return match understand(region, &parts, &body, &request_id, &|_| false) {
            Ok(request) => operate(region, request, &request_id, None).await,
            Err(answer) => *answer,
        };
    }
    let turn = region.large.turn().await;
    let failed = refused(&parts, &Fault::internal(), &request_id);
    let work = {
        let (region, request_id) = (region.clone(), request_id.clone());
        // The turn goes along: it lasts as long as the work, also when the client has left.
        move || (understand(&region, &parts, &body, &request_id, &|route| region.large.is_refused(route)), turn)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok((Ok(request), turn)) => operate(region, request, &request_id, Some(turn)).await,
        Ok((Err(answer), _)) => *answer,
        Err(e) => {
            tracing::error!(request_id, %e, "a request could not be read");
            failed
        }
    }
}

/// An answer to a request that could not be routed.
pub(crate) fn refused(parts: &Parts, fault: &Fault, request_id: &str) -> Answer {
    let (protocol, namespace) = wire::protocol(parts);
    with_body(wire::encode_fault(protocol, namespace, fault, request_id))
}

/// Finds out who asks for what; or the answer, when that cannot be done. `is_throttled` tells of operations of which nothing
/// more shall be read now. Boxed, for an answer is larger than a request.
fn understand(
    region: &Region,
    parts: &Parts,
    body: &[u8],
    request_id: &str,
    is_throttled: &dyn Fn(&Route) -> bool,
) -> Result<Understood, Box<Answer>> {
    let unpacked = wire::unpacked(parts, body).map_err(|fault| {
        let fault = verified(region, wire::protocol(parts).0, parts, body).err().unwrap_or(fault);
        Box::new(refused(parts, &fault, request_id))
    })?;
    let route = wire::route(parts, &unpacked).map_err(|refusal| {
        // Who cannot prove who he is learns nothing else.
        let fault = match verified(region, refusal.protocol, parts, body) {
            Ok(signed) if !is_known(region, &signed.service) => Fault::client(
                "UnknownOperationException",
                format!("The service {} is not supported in this region.", signed.service),
            ),
            Ok(_) => refusal.fault,
            Err(fault) => fault,
        };
        Box::new(with_body(wire::encode_fault(refusal.protocol, refusal.namespace.as_deref(), &fault, request_id)))
    })?;
    match read(region, &route, parts, (body, &unpacked), is_throttled) {
        Ok((caller, input)) => Ok(Understood { caller, route, input }),
        Err(fault) => Err(Box::new(told(&route, Err(&fault), request_id))),
    }
}

/// Reads a routed request. The signature is over its body as it was sent, its meaning is in the body unpacked.
fn read(
    region: &Region,
    route: &Route,
    parts: &Parts,
    (body, unpacked): (&[u8], &[u8]),
    is_throttled: &dyn Fn(&Route) -> bool,
) -> Result<(Caller, Value), Fault> {
    let caller = match links::needs_no_signature(route, parts) {
        true => Caller::anonymous(),
        false => {
            let verified = verified(region, route.protocol, parts, body)?;
            check_service(route, &verified)?;
            Caller::root(&region.scope, &verified.access_key_id)
        }
    };
    let (service, operation) = (&route.service.name, &route.operation.name);
    if !region.registry.has_operation(service, operation) && !local::has_operation(service, operation) {
        return Err(match route.protocol {
            Protocol::Query | Protocol::Ec2 | Protocol::Plain => {
                Fault::client("InvalidAction", format!("The action {operation} is not valid for this web service."))
            }
            Protocol::Json | Protocol::Cbor => {
                Fault::client("UnknownOperationException", format!("The operation {operation} is unknown."))
            }
        });
    }
    if is_throttled(route) {
        return Err(Fault::client("Throttling", "Rate exceeded"));
    }
    Ok((caller, wire::decode(route, parts, unpacked)?))
}

/// Runs a request. A large one keeps its turn until the control thread is through with it.
async fn operate(region: &Region, request: Understood, request_id: &str, turn: Option<Turn>) -> Answer {
    let Understood { caller, route, input } = request;
    let (service, operation) = (&route.service.name, &route.operation.name);
    let outcome = if local::has_operation(service, operation) {
        drop(turn);
        local::operate(region, caller, request_id, input).await
    } else {
        let call = Call { caller, request_id: request_id.into(), service: service.clone(), operation: operation.clone(), input };
        let outcome = region.control.call(call).await;
        if turn.is_some() {
            region.large.note(&route, &outcome);
        }
        outcome
    };
    told(&route, outcome.as_ref(), request_id)
}

fn told(route: &Route, outcome: Result<&Value, &Fault>, request_id: &str) -> Answer {
    if let Err(fault) = outcome {
        tracing::debug!(service = route.service.name, operation = route.operation.name, request_id, %fault, "refused");
    }
    with_body(wire::encode(route, outcome, request_id))
}

/// Whether any service signs its requests with this name.
fn is_known(region: &Region, signing_name: &str) -> bool {
    let name = match signing_name {
        "elasticloadbalancing" => "elbv2",
        "monitoring" => "cloudwatch",
        other => other,
    };
    region.registry.operations().any(|(service, _)| service == name)
}

/// Refuses a signature for another service than the one that is asked. Our own protocol goes by the names of descriptions too.
fn check_service(route: &Route, verified: &Verified) -> Result<(), Fault> {
    let wanted = &route.service.signing_name;
    let is_named = route.protocol == Protocol::Plain && verified.service == route.service.name;
    if verified.service == *wanted || is_named {
        return Ok(());
    }
    let text = format!("Credential should be scoped to correct service: '{wanted}'.");
    Err(SignatureError::WrongScope(text).fault(route.protocol))
}

/// Checks the signature; there is one user, root.
pub(crate) fn authenticate(region: &Region, protocol: Protocol, parts: &Parts, body: &[u8]) -> Result<Caller, Fault> {
    verified(region, protocol, parts, body).map(|verified| Caller::root(&region.scope, &verified.access_key_id))
}

fn verified(region: &Region, protocol: Protocol, parts: &Parts, body: &[u8]) -> Result<Verified, Fault> {
    let credentials = &region.credentials;
    let secret = |key: &str| (key == credentials.access_key_id).then(|| credentials.secret_access_key.clone());
    let verified = sigv4::verify(parts, body, wall_clock(), secret).map_err(|e| e.fault(protocol))?;
    let name = &region.scope.region;
    let is_global = GLOBAL_SERVICES.contains(&verified.service.as_str()) && verified.region == GLOBAL_REGION;
    if verified.region != *name && !is_global {
        let text = format!("Credential should be scoped to a valid region, not '{}': this region is {name}.", verified.region);
        return Err(SignatureError::WrongScope(text).fault(protocol));
    }
    Ok(verified)
}

/// A request's id, a UUID as AWS's are.
pub(crate) fn request_id() -> String {
    Rng::new(identity::random_seed().unwrap_or_default()).uuid()
}
