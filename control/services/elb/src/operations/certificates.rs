use base::Fault;
use kernel::{Cx, Tx};
use shapes::elbv2 as s;

use super::cut;
use crate::error::Error;
use crate::tls::Tls;
use crate::{certificate, listener, security_policies};

fn shape(arn: &str, is_default: bool) -> s::Certificate {
    s::Certificate { certificate_arn: Some(arn.into()), is_default: Some(is_default) }
}

pub(super) fn add(
    tx: &mut Tx,
    _: &Cx,
    input: s::AddListenerCertificatesInput,
) -> Result<s::AddListenerCertificatesOutput, Fault> {
    let arns = listener::add_certificates(tx, &input.listener_arn, input.certificates)?;
    Ok(s::AddListenerCertificatesOutput { certificates: arns.iter().map(|arn| shape(arn, false)).collect() })
}

pub(super) fn remove(
    tx: &mut Tx,
    _: &Cx,
    input: s::RemoveListenerCertificatesInput,
) -> Result<s::RemoveListenerCertificatesOutput, Fault> {
    listener::remove_certificates(tx, &input.listener_arn, input.certificates)?;
    Ok(s::RemoveListenerCertificatesOutput {})
}

/// The default certificate first, and again where it is on the certificate list too, as AWS has it.
pub(super) fn describe(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeListenerCertificatesInput,
) -> Result<s::DescribeListenerCertificatesOutput, Fault> {
    let listener = listener::find(tx, &input.listener_arn)?;
    let references = listener.tls.as_ref().map_or(&[][..], Tls::certificates);
    let arns = references.iter().map(|reference| certificate::arn_of(tx, reference));
    let all: Vec<(usize, String)> = arns.enumerate().collect();
    let page = cut(all.iter().collect(), |(index, _)| format!("{index:05}"), input.marker.as_deref(), input.page_size)?;
    let certificates = page.items.into_iter().map(|(index, arn)| shape(arn, *index == 0)).collect();
    Ok(s::DescribeListenerCertificatesOutput { certificates, next_marker: page.next_token })
}

pub(super) fn policies(_: &mut Tx, _: &Cx, input: s::DescribeSSLPoliciesInput) -> Result<s::DescribeSSLPoliciesOutput, Fault> {
    if input.load_balancer_type.as_deref() == Some("gateway") {
        return Err(Error::Validation("Load balancers of type 'gateway' have no SSL policies".into()).into());
    }
    let all: Vec<_> = security_policies::named(&input.names)?.into_iter().enumerate().collect();
    let page = cut(all.iter().collect(), |(index, _)| format!("{index:05}"), input.marker.as_deref(), input.page_size)?;
    let ssl_policies = page.items.into_iter().map(|(_, policy)| security_policies::to_shape(policy)).collect();
    Ok(s::DescribeSSLPoliciesOutput { ssl_policies, next_marker: page.next_token })
}
