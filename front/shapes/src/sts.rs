//! Shapes of `sts`, generated: do not edit.

shape!(GetCallerIdentityRequest {});

shape!(GetCallerIdentityResponse {
    user_id: Option<String>,
    account: Option<String>,
    arn: Option<String>,
});

/// Operations, for registration and for typed calls.
pub mod ops {
    operation!("sts" GetCallerIdentity super::GetCallerIdentityRequest => super::GetCallerIdentityResponse);
}
