//! ImportCertificate with certificates of another library.

use kernel::Trial;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use shapes::acm as s;
use shapes::acm::ops;

use crate::region::{describe, region};

struct Pair {
    certificate: String,
    key: String,
}

fn parameters(names: &[&str], until: i32) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|n| (*n).to_string()).collect();
    let mut parameters = CertificateParams::new(names.clone()).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, names[0].as_str());
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters.not_after = date_time_ymd(until, 1, 1);
    parameters
}

fn self_signed(names: &[&str], until: i32) -> Pair {
    let key = KeyPair::generate().unwrap();
    Pair { certificate: parameters(names, until).self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

fn import(pair: &Pair) -> s::ImportCertificateRequest {
    s::ImportCertificateRequest {
        certificate: pair.certificate.clone().into_bytes(),
        private_key: pair.key.clone().into_bytes(),
        ..Default::default()
    }
}

fn imported(region: &mut Trial, pair: &Pair) -> String {
    region.call::<ops::ImportCertificate>(import(pair)).unwrap().certificate_arn.unwrap()
}

#[test]
fn an_imported_certificate_is_shown_and_served_with_its_chain() {
    let mut region = region();
    let root_key = KeyPair::generate().unwrap();
    let mut root = parameters(&["root.example"], 2040);
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters(&["example.com", "www.example.com"], 2040);
    let certificate = certificate.signed_by(&key, &Issuer::from_params(&root, &root_key)).unwrap().pem();
    let root = root.self_signed(&root_key).unwrap().pem();
    let pair = Pair { certificate, key: key.serialize_pem() };
    let input = s::ImportCertificateRequest { certificate_chain: Some(root.clone().into_bytes()), ..import(&pair) };
    let arn = region.call::<ops::ImportCertificate>(input.clone()).unwrap().certificate_arn.unwrap();
    let shown = describe(&mut region, &arn);
    assert_eq!((shown.status.as_deref(), shown.r#type.as_deref()), (Some("ISSUED"), Some("IMPORTED")));
    assert_eq!(shown.subject_alternative_names, ["example.com", "www.example.com"]);
    assert_eq!((shown.issuer.as_deref(), shown.renewal_eligibility.as_deref()), (Some("root.example"), Some("INELIGIBLE")));
    let material = acm::material(region.state(), &arn).unwrap();
    assert_eq!(material.chain.matches("BEGIN CERTIFICATE").count(), 2);
    let wrong = s::ImportCertificateRequest { certificate_chain: Some(pair.certificate.clone().into_bytes()), ..input };
    let refusal = region.refusal::<ops::ImportCertificate>(wrong);
    assert!(refusal.ends_with("The index within the chain of the invalid certificate is: 0"), "{refusal}");
}

#[test]
fn what_cannot_be_served_is_refused() {
    let mut region = region();
    let (good, other, old) =
        (self_signed(&["a.example"], 2040), self_signed(&["a.example"], 2040), self_signed(&["a.example"], 2025));
    let with = |certificate: &str, key: &str| Pair { certificate: certificate.into(), key: key.into() };
    let twice = good.certificate.repeat(2);
    for (pair, wanted) in [
        (with(&good.certificate, &other.key), "The provided private key does not match the certificate."),
        (with(&old.certificate, &old.key), "The certificate has expired."),
        (with(&twice, &good.key), "The certificate field contains more than one certificate"),
        (with(&good.certificate, &good.certificate), "The private key is not in a valid PEM format."),
        (with("nothing", &good.key), "The certificate is not in a valid PEM format"),
        (with(&good.certificate, ""), "1 validation error detected: Value at 'privateKey'"),
        (with(&"x".repeat(32_769), &good.key), "1 validation error detected: Value at 'certificate'"),
    ] {
        let refusal = region.refusal::<ops::ImportCertificate>(import(&pair));
        assert!(refusal.starts_with(&format!("ValidationException 400: {wanted}")), "{refusal}");
    }
}

#[test]
fn an_import_over_another_keeps_the_arn() {
    let mut region = region();
    let arn = imported(&mut region, &self_signed(&["a.example", "b.example"], 2040));
    let before = acm::material(region.state(), &arn).unwrap();
    let again = |pair: &Pair| s::ImportCertificateRequest { certificate_arn: Some(arn.clone()), ..import(pair) };
    region.call::<ops::ImportCertificate>(again(&self_signed(&["b.example", "c.example"], 2041))).unwrap();
    assert_ne!(acm::material(region.state(), &arn).unwrap(), before);
    assert_eq!(describe(&mut region, &arn).subject_alternative_names, ["b.example", "c.example"]);
    let stranger = again(&self_signed(&["d.example"], 2041));
    assert!(region.refusal::<ops::ImportCertificate>(stranger).contains("must keep at least one of its domain names"));
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let certificate = parameters(&["b.example"], 2041).self_signed(&key).unwrap().pem();
    let other = again(&Pair { certificate, key: key.serialize_pem() });
    assert!(region.refusal::<ops::ImportCertificate>(other).contains("key type and size"));
    let mut tagged = again(&self_signed(&["b.example"], 2041));
    tagged.tags = vec![s::Tag { key: "a".into(), value: None }];
    assert!(region.refusal::<ops::ImportCertificate>(tagged).contains("Tagging is not permitted on re-import."));
}

#[test]
fn keys_never_leave() {
    let mut region = region();
    let arn = imported(&mut region, &self_signed(&["a.example"], 2040));
    let export = s::ExportCertificateRequest { certificate_arn: arn.clone(), passphrase: b"secret".to_vec() };
    let refusal = region.refusal::<ops::ExportCertificate>(export);
    assert_eq!(refusal, format!("ValidationException 400: Certificate ARN: {arn} is not a private certificate"));
    let get = s::GetCertificateRequest { certificate_arn: arn };
    let got = region.call::<ops::GetCertificate>(get).unwrap();
    assert_eq!(got.certificate_chain, got.certificate, "one that came alone is its own chain");
    assert!(!format!("{got:?} {:?}", region.state().rows::<acm::Certificate>().next()).contains("PRIVATE KEY"));
}
