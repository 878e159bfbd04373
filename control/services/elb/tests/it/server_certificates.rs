//! Listeners with certificates that IAM keeps ("ELB User Guide, HTTPS listeners: SSL certificates").

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::json;
use shapes::elbv2 as s;
use shapes::elbv2::ops;
use shapes::iam as i;

use crate::region::{Region, forward};

/// Uploads a certificate for `NAME.example`; gives its ARN.
fn upload(region: &mut Region, name: &str) -> String {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec![format!("{name}.example")]).unwrap();
    (parameters.not_before, parameters.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2040, 1, 1));
    let input = i::UploadServerCertificateRequest {
        server_certificate_name: name.into(),
        certificate_body: parameters.self_signed(&key).unwrap().pem(),
        private_key: key.serialize_pem(),
        ..Default::default()
    };
    let told = region.call::<i::ops::UploadServerCertificate>(input).unwrap();
    told.server_certificate_metadata.unwrap().arn
}

fn of(arn: &str) -> Vec<s::Certificate> {
    vec![s::Certificate { certificate_arn: Some(arn.into()), is_default: None }]
}

fn rename(region: &mut Region, name: &str, new: &str) {
    let input = i::UpdateServerCertificateRequest {
        server_certificate_name: name.into(),
        new_server_certificate_name: Some(new.into()),
        new_path: Some("/web/".into()),
    };
    region.call::<i::ops::UpdateServerCertificate>(input).unwrap();
}

fn delete(name: &str) -> i::DeleteServerCertificateRequest {
    i::DeleteServerCertificateRequest { server_certificate_name: name.into() }
}

/// A load balancer with an HTTPS listener; both ARNs.
fn secure(region: &mut Region, certificate: &str) -> (String, String) {
    let (web, group) = (region.balancer_arn("web", "application"), region.group("web", "HTTP"));
    let input = Region::listener_input(&web, "HTTPS", 443, forward(&group));
    let made = region.call::<ops::CreateListener>(s::CreateListenerInput { certificates: of(certificate), ..input }).unwrap();
    (web, made.listeners[0].listener_arn.clone().unwrap())
}

fn shown(region: &mut Region, listener: &str) -> Vec<String> {
    let input = s::DescribeListenerCertificatesInput { listener_arn: listener.into(), ..Default::default() };
    let all = region.call::<ops::DescribeListenerCertificates>(input).unwrap().certificates;
    all.into_iter().filter_map(|c| c.certificate_arn).collect()
}

/// What the edge is asked to serve: the listener's certificates, each with what there is of it.
fn planned(region: &Region, balancer: &str) -> Vec<String> {
    let plan = region.plan(balancer);
    let named = plan.listeners[0].tls.clone().unwrap().certificates;
    for id in &named {
        let certificate = plan.certificates.iter().find(|c| c.id == *id).unwrap();
        assert!(certificate.chain.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(certificate.key.0.starts_with("-----BEGIN PRIVATE KEY-----"));
    }
    assert_eq!(plan.certificates.len(), named.len());
    named
}

#[test]
fn a_listener_serves_uploaded_certificates_by_name() {
    let mut region = Region::new();
    let (first, second) = (upload(&mut region, "a"), upload(&mut region, "b"));
    let (web, listener) = secure(&mut region, &first);
    let add = |arn: &str| s::AddListenerCertificatesInput { listener_arn: listener.clone(), certificates: of(arn) };
    assert_eq!(region.call::<ops::AddListenerCertificates>(add(&second)).unwrap().certificates.len(), 1);
    assert_eq!(planned(&region, &web), [first.clone(), second.clone()]);
    assert_eq!(shown(&mut region, &listener), [first.clone(), second.clone()]);
    let none = "arn:aws:iam::000000000000:server-certificate/none";
    let refusal = region.refusal::<ops::AddListenerCertificates>(add(none));
    assert_eq!(refusal, format!("CertificateNotFound 400: Certificate '{none}' not found"));
    let id = iam::find_server_certificate(region.state(), &first).unwrap().id.clone();
    assert!(region.refusal::<ops::AddListenerCertificates>(add(&id)).starts_with("CertificateNotFound"), "an id is no ARN");
    let remove = |arn: &str| s::RemoveListenerCertificatesInput { listener_arn: listener.clone(), certificates: of(arn) };
    let refusal = region.refusal::<ops::RemoveListenerCertificates>(remove(&first));
    assert!(refusal.starts_with(&format!("OperationNotPermitted 400: The default certificate '{first}'")), "{refusal}");
    region.call::<ops::RemoveListenerCertificates>(remove(&second)).unwrap();
    assert_eq!(planned(&region, &web), [first]);
}

/// UpdateServerCertificate: the ARN changes, and whoever serves with it goes on.
#[test]
fn a_renamed_certificate_stays_with_its_listener() {
    let mut region = Region::new();
    let before = upload(&mut region, "shop");
    let (web, listener) = secure(&mut region, &before);
    rename(&mut region, "shop", "store");
    let after = "arn:aws:iam::000000000000:server-certificate/web/store".to_string();
    assert_eq!((planned(&region, &web), shown(&mut region, &listener)), (vec![after.clone()], vec![after.clone()]));
    let stranger = upload(&mut region, "shop");
    assert_eq!((stranger, planned(&region, &web)), (before, vec![after.clone()]), "the old name is another certificate's now");
    region.reopen();
    let policy = s::ModifyListenerInput { listener_arn: listener, port: Some(8443), ..Default::default() };
    let changed = region.call::<ops::ModifyListener>(policy).unwrap().listeners.remove(0);
    assert_eq!(changed.certificates, of(&after));
    assert!(region.refusal::<i::ops::DeleteServerCertificate>(delete("store")).contains(&format!("currently in use by {web}")));
    region.call::<i::ops::DeleteServerCertificate>(delete("shop")).unwrap();
}

/// DeleteServerCertificate: "DeleteConflict" as long as a load balancer uses it.
#[test]
fn an_uploaded_certificate_in_use_is_not_deleted() {
    let mut region = Region::new();
    let (first, second) = (upload(&mut region, "a"), upload(&mut region, "b"));
    let (web, listener) = secure(&mut region, &first);
    let more = "AWS::ElasticLoadBalancingV2::ListenerCertificate";
    let id = region.make(more, &json!({"ListenerArn": listener, "Certificates": [{"CertificateArn": second}]})).unwrap();
    for name in ["a", "b"] {
        let refusal = region.refusal::<i::ops::DeleteServerCertificate>(delete(name));
        assert!(refusal.starts_with("DeleteConflict 409: Certificate: ASCA"), "{refusal}");
    }
    rename(&mut region, "b", "c");
    region.end(more, &id).unwrap();
    assert_eq!(planned(&region, &web), [first]);
    region.call::<i::ops::DeleteServerCertificate>(delete("c")).unwrap();
    region.call::<ops::DeleteLoadBalancer>(s::DeleteLoadBalancerInput { load_balancer_arn: web }).unwrap();
    region.call::<i::ops::DeleteServerCertificate>(delete("a")).unwrap();
}

/// "ELB User Guide, TLS listeners for your Network Load Balancer: Server certificates".
#[test]
fn a_tls_listener_of_a_network_load_balancer_takes_one_too() {
    let mut region = Region::new();
    let certificate = upload(&mut region, "flow");
    let (flow, group) = (region.balancer_arn("flow", "network"), region.group("flow", "TCP"));
    let input = Region::listener_input(&flow, "TLS", 443, forward(&group));
    region.call::<ops::CreateListener>(s::CreateListenerInput { certificates: of(&certificate), ..input }).unwrap();
    assert_eq!(planned(&region, &flow), [certificate]);
}
