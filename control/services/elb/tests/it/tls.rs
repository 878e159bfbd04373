//! Certificates of listeners, with an authority that the test plays: HTTPS and TLS listeners, names beside the default one,
//! renewal.

use kernel::Wanted;
use serde_json::json;
use shapes::acm::ops as acm_ops;
use shapes::elbv2 as s;
use shapes::elbv2::ops;
use world::{ClientCertificates, IssuedCertificate, Observation, PrivateKey, Want};

use crate::region::{Region, forward, path};
use crate::target_groups::modify;

/// Issues whatever is on order. The text says how often that has happened.
fn issue(region: &mut Region, round: usize) {
    let orders: Vec<_> = region.state().rows::<Wanted>().filter_map(|w| w.want.clone()).collect();
    for want in orders {
        let Want::Certificate(order) = want else { continue };
        let issued = IssuedCertificate {
            certificate: format!("certificate {round}\n"),
            chain: "authority\n".into(),
            key: PrivateKey("key\n".into()),
            serial: "01".into(),
            issuer: "test".into(),
            signature_algorithm: "SHA256WITHECDSA".into(),
        };
        region.observe(&Observation::Issued { certificate: order.id, generation: order.generation, issued: Box::new(issued) });
    }
}

pub fn certificate(region: &mut Region, name: &str) -> String {
    let arn = request(region, name);
    region.pass(std::time::Duration::from_secs(60));
    issue(region, 1);
    arn
}

fn request(region: &mut Region, name: &str) -> String {
    let input = shapes::acm::RequestCertificateRequest {
        domain_name: name.into(),
        validation_method: Some("DNS".into()),
        ..Default::default()
    };
    region.call::<acm_ops::RequestCertificate>(input).unwrap().certificate_arn.unwrap()
}

fn of(arn: &str) -> Vec<s::Certificate> {
    vec![s::Certificate { certificate_arn: Some(arn.into()), is_default: None }]
}

fn secure(balancer: &str, protocol: &str, group: &str, certificate: &str) -> s::CreateListenerInput {
    s::CreateListenerInput { certificates: of(certificate), ..Region::listener_input(balancer, protocol, 443, forward(group)) }
}

fn create(region: &mut Region, input: s::CreateListenerInput) -> s::Listener {
    region.call::<ops::CreateListener>(input).unwrap().listeners.remove(0)
}

#[test]
fn an_https_listener_has_the_consoles_policy_by_default_and_its_certificate_is_planned() {
    let mut region = Region::new();
    let (web, group) = (region.balancer_arn("web", "application"), region.group("web", "HTTP"));
    let certificate = certificate(&mut region, "www.example.com");
    let made = create(&mut region, secure(&web, "HTTPS", &group, &certificate));
    assert_eq!(made.ssl_policy.as_deref(), Some("ELBSecurityPolicy-TLS13-1-2-Res-2021-06"));
    assert_eq!(made.mutual_authentication.clone().and_then(|m| m.mode).as_deref(), Some("off"));
    let plan = region.plan(&web);
    let tls = plan.listeners[0].tls.clone().unwrap();
    assert_eq!((tls.certificates, tls.clients), (vec![certificate.clone()], ClientCertificates::Off));
    assert_eq!((plan.certificates.len(), plan.certificates[0].id.as_str()), (1, certificate.as_str()));
    assert_eq!(create(&mut region, secure(&web, "HTTPS", &group, &certificate)), made, "the same once more");
    let mut other = secure(&web, "HTTPS", &group, &certificate);
    other.ssl_policy = Some("ELBSecurityPolicy-TLS13-1-3-2021-06".into());
    assert!(region.refusal::<ops::CreateListener>(other).starts_with("DuplicateListener"));
    let again = s::CreateListenerInput {
        load_balancer_arn: web,
        protocol: made.protocol,
        port: Some(444),
        ssl_policy: made.ssl_policy,
        certificates: made.certificates,
        default_actions: made.default_actions,
        alpn_policy: made.alpn_policy,
        mutual_authentication: made.mutual_authentication,
        tags: Vec::new(),
    };
    create(&mut region, again);
}

#[test]
fn further_certificates_come_and_go_but_not_the_default_one() {
    let mut region = Region::new();
    let (web, group) = (region.balancer_arn("web", "application"), region.group("web", "HTTP"));
    let (first, second) = (certificate(&mut region, "a.example.com"), certificate(&mut region, "b.example.com"));
    let listener = create(&mut region, secure(&web, "HTTPS", &group, &first)).listener_arn.unwrap();
    let add = |arn: &str| s::AddListenerCertificatesInput { listener_arn: listener.clone(), certificates: of(arn) };
    let remove = |arn: &str| s::RemoveListenerCertificatesInput { listener_arn: listener.clone(), certificates: of(arn) };
    for _ in 0..2 {
        region.call::<ops::AddListenerCertificates>(add(&second)).unwrap();
    }
    assert_eq!(seen(&mut region, &listener), [(first.clone(), true), (second.clone(), false)]);
    assert_eq!(region.plan(&web).certificates.len(), 2);
    assert!(region.refusal::<ops::RemoveListenerCertificates>(remove(&first)).starts_with("OperationNotPermitted"));
    assert!(region.refusal::<ops::AddListenerCertificates>(add("arn:none")).starts_with("CertificateNotFound"));
    let pending = request(&mut region, "c.example.com");
    assert!(region.refusal::<ops::AddListenerCertificates>(add(&pending)).starts_with("UnsupportedCertificate"));
    region.call::<ops::RemoveListenerCertificates>(remove(&second)).unwrap();
    assert_eq!(seen(&mut region, &listener), [(first, true)]);
    let plain = s::ModifyListenerInput { listener_arn: listener, protocol: Some("HTTP".into()), ..Default::default() };
    let plain = region.call::<ops::ModifyListener>(plain).unwrap().listeners.remove(0);
    assert!(plain.certificates.is_empty() && plain.ssl_policy.is_none());
    assert!(region.plan(&web).certificates.is_empty());
}

/// All certificates that DescribeListenerCertificates shows, and whether each is the default one.
fn seen(region: &mut Region, listener: &str) -> Vec<(String, bool)> {
    let input = s::DescribeListenerCertificatesInput { listener_arn: listener.into(), ..Default::default() };
    let all = region.call::<ops::DescribeListenerCertificates>(input).unwrap().certificates;
    all.into_iter().map(|c| (c.certificate_arn.unwrap(), c.is_default.unwrap())).collect()
}

/// "If the default certificate is also in the certificate list, it appears twice in the results" (DescribeListenerCertificates).
#[test]
fn the_default_certificate_and_the_certificate_list_are_two_things() {
    let mut region = Region::new();
    let (web, group) = (region.balancer_arn("web", "application"), region.group("web", "HTTP"));
    let (first, second) = (certificate(&mut region, "a.example.com"), certificate(&mut region, "b.example.com"));
    let listener = create(&mut region, secure(&web, "HTTPS", &group, &first)).listener_arn.unwrap();
    let add = |arn: &str| s::AddListenerCertificatesInput { listener_arn: listener.clone(), certificates: of(arn) };
    let remove = |arn: &str| s::RemoveListenerCertificatesInput { listener_arn: listener.clone(), certificates: of(arn) };
    let modify =
        |arn: &str| s::ModifyListenerInput { listener_arn: listener.clone(), certificates: of(arn), ..Default::default() };
    region.call::<ops::AddListenerCertificates>(add(&second)).unwrap();
    region.call::<ops::ModifyListener>(modify(&second)).unwrap();
    assert_eq!(
        seen(&mut region, &listener),
        [(second.clone(), true), (second.clone(), false)],
        "the old default one is not kept"
    );
    assert_eq!(
        region.plan(&web).listeners[0].tls.as_ref().unwrap().certificates,
        std::slice::from_ref(&second),
        "the edge needs it once"
    );
    region.call::<ops::ModifyListener>(modify(&first)).unwrap();
    assert_eq!(seen(&mut region, &listener), [(first.clone(), true), (second.clone(), false)], "the list stays as it was");
    for _ in 0..2 {
        region.call::<ops::AddListenerCertificates>(add(&first)).unwrap();
    }
    let both = [(first.clone(), true), (second.clone(), false), (first.clone(), false)];
    assert_eq!(seen(&mut region, &listener), both);
    region.call::<ops::ModifyListener>(modify(&second)).unwrap();
    assert_eq!(region.plan(&web).listeners[0].tls.as_ref().unwrap().certificates, [second.clone(), first.clone()]);
    region.call::<ops::RemoveListenerCertificates>(remove(&second)).unwrap();
    assert_eq!(seen(&mut region, &listener), [(second.clone(), true), (first, false)], "of the two, the one on the list goes");
    assert!(region.refusal::<ops::RemoveListenerCertificates>(remove(&second)).starts_with("OperationNotPermitted"));
}

#[test]
fn tls_and_alpn_are_for_network_load_balancers_grpc_for_https() {
    let mut region = Region::new();
    let (web, flow) = (region.balancer_arn("web", "application"), region.balancer_arn("flow", "network"));
    let tcp = region.group("tcp", "TCP");
    let mut grpc = region.group_input("grpc", "HTTP");
    grpc.protocol_version = Some("GRPC".into());
    let grpc = region.call::<ops::CreateTargetGroup>(grpc).unwrap().target_groups.remove(0).target_group_arn.unwrap();
    let certificate = certificate(&mut region, "*.example.com");
    let alpn = |input: s::CreateListenerInput, name: &str| s::CreateListenerInput { alpn_policy: vec![name.into()], ..input };
    let input = secure(&flow, "TLS", &tcp, &certificate);
    assert!(region.refusal::<ops::CreateListener>(alpn(input.clone(), "HTTP3")).starts_with("ALPNPolicyNotFound"));
    create(&mut region, alpn(input, "HTTP2Preferred"));
    let tls = region.plan(&flow).listeners.remove(0).tls.unwrap();
    assert_eq!(tls.alpn, ["h2", "http/1.1", "http/1.0"]);
    let https = secure(&web, "HTTPS", &grpc, &certificate);
    assert!(region.refusal::<ops::CreateListener>(alpn(https.clone(), "None")).starts_with("ValidationError"));
    let listener = create(&mut region, https).listener_arn.unwrap();
    region.rule(&listener, 1, "/a", &grpc);
    let plain = s::ModifyListenerInput { listener_arn: listener.clone(), protocol: Some("HTTP".into()), ..Default::default() };
    assert!(region.refusal::<ops::ModifyListener>(plain).starts_with("InvalidLoadBalancerAction"));
    let rule = Region::rule_input(&listener, 2, path(&["/b"]), forward(&tcp));
    assert!(region.refusal::<ops::CreateRule>(rule).starts_with("IncompatibleProtocols"));
}

#[test]
fn clients_certificates_are_passed_on_or_verified() {
    let mut region = Region::new();
    let (web, group) = (region.balancer_arn("web", "application"), region.group("web", "HTTP"));
    let certificate = certificate(&mut region, "www.example.com");
    let mutual = |mode: &str, store: Option<&str>| s::CreateListenerInput {
        mutual_authentication: Some(s::MutualAuthenticationAttributes {
            mode: Some(mode.into()),
            trust_store_arn: store.map(String::from),
            ..Default::default()
        }),
        ..secure(&web, "HTTPS", &group, &certificate)
    };
    for (mode, store, code) in [
        ("verify", None, "ValidationError"),
        ("verify", Some("arn:none"), "ValidationError"),
        ("verify", Some("arn:aws:elasticloadbalancing:eu-central-1:000000000000:truststore/a/b"), "TrustStoreNotFound"),
        ("passthrough", Some("arn:none"), "ValidationError"),
        ("always", None, "ValidationError"),
    ] {
        assert!(region.refusal::<ops::CreateListener>(mutual(mode, store)).starts_with(code), "{mode} {store:?}");
    }
    create(&mut region, mutual("passthrough", Some("")));
    let tls = region.plan(&web).listeners.remove(0).tls.unwrap();
    assert_eq!(tls.clients, ClientCertificates::Passthrough);
}

#[test]
fn certificates_of_templates() {
    let mut region = Region::new();
    let (web, group) = (region.balancer_arn("web", "application"), region.group("web", "HTTP"));
    let (first, second) = (certificate(&mut region, "a.example.com"), certificate(&mut region, "b.example.com"));
    let kind = "AWS::ElasticLoadBalancingV2::Listener";
    let properties = json!({"LoadBalancerArn": web, "Port": 443, "Protocol": "HTTPS", "SslPolicy": "ELBSecurityPolicy-TLS13-1-3-2021-06",
        "Certificates": [{"CertificateArn": first}], "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}],
        "ListenerAttributes": [{"Key": "routing.http.request.x_amzn_tls_version.header_name", "Value": "X-Tls"}]});
    let listener = region.make(kind, &properties).unwrap();
    let more = "AWS::ElasticLoadBalancingV2::ListenerCertificate";
    let id = region.make(more, &json!({"ListenerArn": listener, "Certificates": [{"CertificateArn": second}]})).unwrap();
    let planned = region.plan(&web).listeners.remove(0);
    assert_eq!(planned.tls.unwrap().certificates, [first.clone(), second.clone()]);
    assert_eq!(planned.request_header_names, [("X-Amzn-Tls-Version".to_string(), "X-Tls".to_string())]);
    region.change(kind, &listener, &properties, &properties).unwrap();
    assert_eq!(region.plan(&web).certificates.len(), 2, "an update of the listener leaves them");
    let mut other = properties.clone();
    other["Certificates"] = json!([{"CertificateArn": second}]);
    region.change(kind, &listener, &properties, &other).unwrap();
    region.change(kind, &listener, &other, &properties).unwrap();
    let both = [(first.clone(), true), (second, false)];
    assert_eq!(seen(&mut region, &listener), both, "what the other resource has added is its own");
    region.end(more, &id).unwrap();
    assert_eq!(region.plan(&web).listeners.remove(0).tls.unwrap().certificates, [first]);
    region.end(kind, &listener).unwrap();
    region.end(more, &id).unwrap();
}

/// "Sticky sessions are not supported with TLS listeners."
#[test]
fn groups_of_tls_listeners_have_no_stickiness() {
    let mut region = Region::new();
    let flow = region.balancer_arn("flow", "network");
    let (plain, sticky) = (region.group("plain", "TCP"), region.group("sticky", "TCP"));
    let sticks = [("stickiness.enabled", "true")];
    region.call::<ops::ModifyTargetGroupAttributes>(modify(&sticky, &sticks)).unwrap();
    let certificate = certificate(&mut region, "flow.example.com");
    let refused = region.refusal::<ops::CreateListener>(secure(&flow, "TLS", &sticky, &certificate));
    assert!(refused.starts_with("InvalidConfigurationRequest 400"), "{refused}");
    region.call::<ops::CreateListener>(secure(&flow, "TLS", &plain, &certificate)).unwrap();
    assert!(region.refusal::<ops::ModifyTargetGroupAttributes>(modify(&plain, &sticks)).contains("'TLS'"));
    region.listener(&flow, "TCP", 80, forward(&sticky));
}

/// A renamed header is one of the load balancer's own beside those that say where the request came from and where it ends.
#[test]
fn renamed_headers_take_no_name_that_is_in_use() {
    let mut region = Region::new();
    let (web, group) = (region.balancer_arn("web", "application"), region.group("web", "HTTP"));
    let certificate = certificate(&mut region, "www.example.com");
    let listener = create(&mut region, secure(&web, "HTTPS", &group, &certificate)).listener_arn.unwrap();
    let set = |names: &[(&str, &str)]| s::ModifyListenerAttributesInput {
        listener_arn: listener.clone(),
        attributes: names
            .iter()
            .map(|(key, value)| s::ListenerAttribute {
                key: Some(format!("routing.http.request.x_amzn_{key}.header_name")),
                value: Some((*value).to_string()),
            })
            .collect(),
    };
    for names in [
        &[("tls_version", "Host")][..],
        &[("tls_version", "content-length")],
        &[("tls_version", "Transfer-Encoding")],
        &[("mtls_clientcert", "Connection")],
        &[("tls_version", "X-Forwarded-For")],
        &[("tls_version", "X-Amzn-Trace-Id")],
        &[("tls_version", "X-Tls"), ("tls_cipher_suite", "x-tls")],
        &[("tls_version", "x-amzn-tls-cipher-suite")],
        &[("tls_version", "X Tls")],
    ] {
        let refusal = region.refusal::<ops::ModifyListenerAttributes>(set(names));
        assert!(refusal.starts_with("ValidationError 400"), "{names:?} {refusal}");
    }
    let swapped = [("tls_version", "X-Amzn-Tls-Cipher-Suite"), ("tls_cipher_suite", "X-Amzn-Tls-Version")];
    for names in [&[("tls_version", "Custom-Tls")][..], &[("tls_version", "x-amzn-tls-version")], &swapped] {
        region.call::<ops::ModifyListenerAttributes>(set(names)).unwrap();
    }
    // "Setting an empty value for any attribute will cause the Application Load Balancer to revert to the default behavior."
    region.call::<ops::ModifyListenerAttributes>(set(&[("tls_version", ""), ("tls_cipher_suite", "")])).unwrap();
    assert!(region.plan(&web).listeners[0].request_header_names.is_empty());
}
