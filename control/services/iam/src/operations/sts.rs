use base::Fault;
use kernel::{Cx, Registry, Tx};
use shapes::sts::{self as s, ops};

pub(super) fn register(registry: &mut Registry) {
    registry.operation::<ops::GetCallerIdentity>(get_caller_identity);
}

/// Who signed the request.
fn get_caller_identity(_: &mut Tx, cx: &Cx, _: s::GetCallerIdentityRequest) -> Result<s::GetCallerIdentityResponse, Fault> {
    let caller = cx.caller.clone();
    Ok(s::GetCallerIdentityResponse { user_id: Some(caller.user_id), account: Some(caller.account), arn: Some(caller.arn) })
}
