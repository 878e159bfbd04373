//! Trust stores ("Mutual authentication with TLS in Application Load Balancer"), their files in memory.

use std::sync::Arc;
use std::time::Duration;

use kernel::{MemoryObjects, Objects, Progress};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use serde_json::json;
use shapes::elbv2 as s;
use shapes::elbv2::ops;

use crate::region::{Region, forward};

struct Authority {
    parameters: CertificateParams,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self { parameters, key: KeyPair::generate().unwrap() }
    }

    fn pem(&self) -> String {
        self.parameters.self_signed(&self.key).unwrap().pem()
    }

    fn revoked(&self, serials: std::ops::Range<u8>) -> String {
        let revoked = |serial| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&[serial]),
            revocation_time: date_time_ymd(2026, 2, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 3, 1),
            next_update: date_time_ymd(2040, 4, 1),
            crl_number: SerialNumber::from_slice(&[1]),
            issuing_distribution_point: None,
            revoked_certs: serials.map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&Issuer::from_params(&self.parameters, &self.key)).unwrap().pem().unwrap()
    }
}

fn region() -> (Region, Arc<MemoryObjects>, Authority) {
    let (mut region, objects, authority) = (Region::new(), Arc::new(MemoryObjects::default()), Authority::new("clients"));
    objects.put("trust", "ca.pem", authority.pem());
    objects.put("trust", "two.pem", authority.pem() + &Authority::new("others").pem());
    objects.put("trust", "crl.pem", authority.revoked(1..4));
    region.kernel.use_objects(objects.clone());
    (region, objects, authority)
}

fn input(name: &str, key: &str) -> s::CreateTrustStoreInput {
    s::CreateTrustStoreInput {
        name: name.into(),
        ca_certificates_bundle_s3_bucket: "trust".into(),
        ca_certificates_bundle_s3_key: key.into(),
        ..Default::default()
    }
}

fn create(region: &mut Region) -> String {
    let made = region.call::<ops::CreateTrustStore>(input("clients", "ca.pem")).unwrap();
    made.trust_stores[0].trust_store_arn.clone().unwrap()
}

fn revocations(arn: &str, key: &str) -> s::AddTrustStoreRevocationsInput {
    let content = s::RevocationContent { s3_bucket: Some("trust".into()), s3_key: Some(key.into()), ..Default::default() };
    s::AddTrustStoreRevocationsInput { trust_store_arn: arn.into(), revocation_contents: vec![content] }
}

#[test]
fn a_trust_store_is_made_changed_listed_and_removed() {
    let (mut region, _, _) = region();
    let arn = create(&mut region);
    let shown = region.call::<ops::DescribeTrustStores>(s::DescribeTrustStoresInput::default()).unwrap().trust_stores.remove(0);
    assert_eq!((shown.status.as_deref(), shown.number_of_ca_certificates), (Some("ACTIVE"), Some(1)));
    let modify = s::ModifyTrustStoreInput {
        trust_store_arn: arn.clone(),
        ca_certificates_bundle_s3_bucket: "trust".into(),
        ca_certificates_bundle_s3_key: "two.pem".into(),
        ..Default::default()
    };
    let changed = region.call::<ops::ModifyTrustStore>(modify).unwrap().trust_stores.remove(0);
    assert_eq!(changed.number_of_ca_certificates, Some(2));
    let associations = s::DescribeTrustStoreAssociationsInput { trust_store_arn: arn.clone(), ..Default::default() };
    assert!(region.call::<ops::DescribeTrustStoreAssociations>(associations).unwrap().trust_store_associations.is_empty());
    let delete = s::DeleteTrustStoreInput { trust_store_arn: arn };
    region.call::<ops::DeleteTrustStore>(delete.clone()).unwrap();
    assert!(region.refusal::<ops::DeleteTrustStore>(delete).starts_with("TrustStoreNotFound 400"));
}

#[test]
fn links_to_what_a_trust_store_holds_end_after_ten_minutes() {
    let (mut region, objects, _) = region();
    let arn = create(&mut region);
    let added = region.call::<ops::AddTrustStoreRevocations>(revocations(&arn, "crl.pem")).unwrap().trust_store_revocations;

    let get = s::GetTrustStoreCaCertificatesBundleInput { trust_store_arn: arn.clone() };
    let bundle = region.call::<ops::GetTrustStoreCaCertificatesBundle>(get.clone()).unwrap().location.unwrap();
    let get_lists =
        s::GetTrustStoreRevocationContentInput { trust_store_arn: arn, revocation_id: added[0].revocation_id.unwrap() };
    let lists = region.call::<ops::GetTrustStoreRevocationContent>(get_lists).unwrap().location.unwrap();
    let open = |region: &mut Region, link: &str| {
        let secret = link.rsplit('/').next().unwrap().to_string();
        region.run(move |tx, cx| elb::linked_content(tx, cx, &secret))
    };
    assert!(bundle.starts_with("http://") && bundle != lists, "{bundle}");
    let stored = |key: &str| String::from_utf8(objects.read("trust", key, 1 << 20).unwrap()).unwrap();
    let lines = |pem: &str| pem.lines().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(lines(&open(&mut region, &bundle).unwrap()), lines(&stored("ca.pem")));
    assert_eq!(lines(&open(&mut region, &lists).unwrap()), lines(&stored("crl.pem")));
    assert_eq!(open(&mut region, "http://127.0.0.1/none").unwrap_err().code, "AccessDenied");

    region.pass(Duration::from_secs(600));
    assert_eq!(open(&mut region, &bundle).unwrap_err().code, "AccessDenied");
    // They are bounded: the oldest make room.
    let first = region.call::<ops::GetTrustStoreCaCertificatesBundle>(get.clone()).unwrap().location.unwrap();
    region.pass(Duration::from_secs(1));
    for _ in 0..1_000 {
        region.call::<ops::GetTrustStoreCaCertificatesBundle>(get.clone()).unwrap();
    }
    assert!(open(&mut region, &first).is_err());
}

#[test]
fn bundles_that_are_none_are_refused() {
    let (mut region, objects, authority) = region();
    let mut parameters = CertificateParams::new(vec!["a.example".to_string()]).unwrap();
    parameters.is_ca = IsCa::ExplicitNoCa;
    objects.put("trust", "leaf.pem", parameters.self_signed(&authority.key).unwrap().pem());
    objects.put("trust", "none.pem", "nothing");
    objects.put("trust", "many.pem", authority.pem().repeat(26));
    objects.put("trust", "large.pem", vec![b'x'; 512 * 1024 + 1]);
    for (key, wanted) in [
        ("missing.pem", "CaCertificatesBundleNotFound 400"),
        ("none.pem", "InvalidCaCertificatesBundle 400"),
        ("leaf.pem", "InvalidCaCertificatesBundle 400"),
        ("many.pem", "InvalidCaCertificatesBundle 400"),
        ("large.pem", "InvalidCaCertificatesBundle 400"),
        ("crl.pem", "InvalidCaCertificatesBundle 400"),
    ] {
        let refusal = region.refusal::<ops::CreateTrustStore>(input("clients", key));
        assert!(refusal.starts_with(wanted), "{key}: {refusal}");
    }
    let bad = region.refusal::<ops::CreateTrustStore>(input("-clients", "ca.pem"));
    assert!(bad.starts_with("ValidationError 400"), "{bad}");
    create(&mut region);
    assert!(region.refusal::<ops::CreateTrustStore>(input("clients", "ca.pem")).starts_with("DuplicateTrustStoreName 400"));
}

#[test]
fn revocations_are_counted_and_removed_by_id() {
    let (mut region, objects, authority) = region();
    let arn = create(&mut region);
    let added = region.call::<ops::AddTrustStoreRevocations>(revocations(&arn, "crl.pem")).unwrap();
    assert_eq!(added.trust_store_revocations[0].number_of_revoked_entries, Some(3));
    let id = added.trust_store_revocations[0].revocation_id.unwrap();
    let shown = region.call::<ops::DescribeTrustStores>(s::DescribeTrustStoresInput::default()).unwrap();
    assert_eq!(shown.trust_stores[0].total_revoked_entries, Some(3));
    objects.put("trust", "bad.pem", authority.pem());
    assert!(
        region.refusal::<ops::AddTrustStoreRevocations>(revocations(&arn, "bad.pem")).starts_with("InvalidRevocationContent 400")
    );
    assert!(
        region.refusal::<ops::AddTrustStoreRevocations>(revocations(&arn, "none")).starts_with("RevocationContentNotFound 400")
    );
    let remove = s::RemoveTrustStoreRevocationsInput { trust_store_arn: arn.clone(), revocation_ids: vec![id] };
    region.call::<ops::RemoveTrustStoreRevocations>(remove.clone()).unwrap();
    assert!(region.refusal::<ops::RemoveTrustStoreRevocations>(remove).starts_with("RevocationIdNotFound 400"));
    let again = region.call::<ops::AddTrustStoreRevocations>(revocations(&arn, "crl.pem")).unwrap();
    assert_ne!(again.trust_store_revocations[0].revocation_id, Some(id), "an id is not given twice");
}

#[test]
fn a_stack_makes_a_trust_store_and_its_revocations() {
    const STORE: &str = "AWS::ElasticLoadBalancingV2::TrustStore";
    const REVOCATION: &str = "AWS::ElasticLoadBalancingV2::TrustStoreRevocation";
    let (mut region, _, _) = region();
    let properties = json!({"CaCertificatesBundleS3Bucket": "trust", "CaCertificatesBundleS3Key": "ca.pem"});
    let arn = region.make(STORE, &properties).unwrap();
    assert_eq!(region.attribute(STORE, &arn, "NumberOfCaCertificates").unwrap(), json!(1));
    let contents = json!({"TrustStoreArn": arn, "RevocationContents": [{"S3Bucket": "trust", "S3Key": "crl.pem"}]});
    let revocation = region.make(REVOCATION, &contents).unwrap();
    assert_eq!(
        region.attribute(REVOCATION, &revocation, "TrustStoreRevocations").unwrap()[0]["NumberOfRevokedEntries"],
        json!(3)
    );
    let changed = json!({"CaCertificatesBundleS3Bucket": "trust", "CaCertificatesBundleS3Key": "two.pem"});
    region.change(STORE, &arn, &properties, &changed).unwrap();
    assert_eq!(region.attribute(STORE, &arn, "NumberOfCaCertificates").unwrap(), json!(2));
    region.end(REVOCATION, &revocation).unwrap();
    region.end(STORE, &arn).unwrap();
    region.end(STORE, &arn).unwrap();
    assert_eq!(region.state().rows::<elb::TrustStore>().count(), 0);
}

/// What changes of a trust store changes whom its listeners let in.
#[test]
fn a_trust_store_of_a_stack_is_complete_when_it_is_served() {
    const STORE: &str = "AWS::ElasticLoadBalancingV2::TrustStore";
    const REVOCATION: &str = "AWS::ElasticLoadBalancingV2::TrustStoreRevocation";
    let (mut region, _, _) = region();
    let (web, group) = (region.balancer_arn("web", "application"), region.group("web", "HTTP"));
    let (arn, at_once) =
        region.make_and_look(STORE, &json!({"CaCertificatesBundleS3Bucket": "trust", "CaCertificatesBundleS3Key": "ca.pem"}));
    assert_eq!(at_once, Progress::Ready, "nobody uses it");
    let certificate = crate::tls::certificate(&mut region, "www.example.com");
    let mutual = s::MutualAuthenticationAttributes {
        mode: Some("verify".into()),
        trust_store_arn: Some(arn.clone()),
        ..Default::default()
    };
    let listener = s::CreateListenerInput {
        certificates: vec![s::Certificate { certificate_arn: Some(certificate), is_default: None }],
        mutual_authentication: Some(mutual),
        ..Region::listener_input(&web, "HTTPS", 443, forward(&group))
    };
    region.call::<ops::CreateListener>(listener).unwrap();
    assert_eq!(region.progress(STORE, &arn), Progress::Pending);
    region.world_answers(&web, None);
    assert_eq!(region.progress(STORE, &arn), Progress::Ready);
    let contents = json!({"TrustStoreArn": arn, "RevocationContents": [{"S3Bucket": "trust", "S3Key": "crl.pem"}]});
    let (revocation, at_once) = region.make_and_look(REVOCATION, &contents);
    assert_eq!(at_once, Progress::Pending);
    region.world_answers(&web, Some("no authority is left"));
    assert_eq!(region.progress(REVOCATION, &revocation), Progress::Failed("no authority is left".into()));
}

/// "Quotas for your Application Load Balancers": two listeners of a load balancer verify their clients' certificates.
#[test]
fn two_listeners_of_a_load_balancer_verify() {
    let (mut region, _, _) = region();
    let (web, group) = (region.balancer_arn("web", "application"), region.group("web", "HTTP"));
    let store = create(&mut region);
    let certificate = crate::tls::certificate(&mut region, "www.example.com");
    let mutual = |mode: &str| s::MutualAuthenticationAttributes {
        mode: Some(mode.into()),
        trust_store_arn: (mode == "verify").then(|| store.clone()),
        ..Default::default()
    };
    let input = |port: i64, mode: &str| s::CreateListenerInput {
        certificates: vec![s::Certificate { certificate_arn: Some(certificate.clone()), is_default: None }],
        mutual_authentication: Some(mutual(mode)),
        ..Region::listener_input(&web, "HTTPS", port, forward(&group))
    };
    let mut make = |port: i64, mode: &str| {
        let made = region.call::<ops::CreateListener>(input(port, mode)).unwrap();
        made.listeners[0].listener_arn.clone().unwrap()
    };
    let (first, _, third) = (make(443, "verify"), make(444, "verify"), make(445, "passthrough"));
    make(444, "verify");
    let modify = |arn: &str, mode: &str| s::ModifyListenerInput {
        listener_arn: arn.into(),
        mutual_authentication: Some(mutual(mode)),
        ..Default::default()
    };
    let which = "listeners with mutual authentication in mode 'verify'";
    let text = format!("TooManyListeners 400: The maximum number of {which} has been reached on load balancer '{web}'");
    assert_eq!(region.refusal::<ops::CreateListener>(input(446, "verify")), text);
    assert_eq!(region.refusal::<ops::ModifyListener>(modify(&third, "verify")), text);
    region.call::<ops::ModifyListener>(modify(&first, "verify")).unwrap();
    region.call::<ops::ModifyListener>(modify(&first, "off")).unwrap();
    region.call::<ops::ModifyListener>(modify(&third, "verify")).unwrap();
    let other = region.balancer_arn("other", "application");
    let elsewhere = region.group("elsewhere", "HTTP");
    let of_other =
        s::CreateListenerInput { load_balancer_arn: other, default_actions: vec![forward(&elsewhere)], ..input(443, "verify") };
    region.call::<ops::CreateListener>(of_other).unwrap();
}
