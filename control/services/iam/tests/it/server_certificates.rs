//! Server certificates: the calls, what is refused, and their CloudFormation resource.

use kernel::{Progress, Registry, Row, State, Trial};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shapes::iam::{self as s, ops};

use crate::region::tag;

/// Something that uses a certificate, as a load balancer does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    arn: String,
    uses: String,
}

impl Row for User {
    const TABLE: &'static str = "test.user";
    type Key = String;
    fn key(&self) -> String {
        self.arn.clone()
    }
}

fn services(registry: &mut Registry) {
    iam::register(registry);
    registry.table::<User>();
    registry.users_of(|state: &State, arn, users| {
        users.extend(state.rows::<User>().filter(|u| u.uses == arn).map(|u| u.arn.clone()))
    });
}

fn region() -> Trial {
    Trial::new(services)
}

struct Pair {
    certificate: String,
    key: String,
}

fn parameters(name: &str, from: i32, until: i32) -> CertificateParams {
    let mut parameters = CertificateParams::new(vec![name.to_string()]).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = date_time_ymd(from, 1, 1);
    parameters.not_after = date_time_ymd(until, 1, 1);
    parameters
}

fn self_signed(from: i32, until: i32) -> Pair {
    let key = KeyPair::generate().unwrap();
    let certificate = parameters("shop.example", from, until).self_signed(&key).unwrap();
    Pair { certificate: certificate.pem(), key: key.serialize_pem() }
}

fn upload(name: &str, pair: &Pair) -> s::UploadServerCertificateRequest {
    s::UploadServerCertificateRequest {
        server_certificate_name: name.into(),
        certificate_body: pair.certificate.clone(),
        private_key: pair.key.clone(),
        ..Default::default()
    }
}

fn uploaded(region: &mut Trial, name: &str) -> s::ServerCertificateMetadata {
    let answer = region.call::<ops::UploadServerCertificate>(upload(name, &self_signed(2020, 2040))).unwrap();
    answer.server_certificate_metadata.unwrap()
}

fn got(region: &mut Trial, name: &str) -> s::ServerCertificate {
    let input = s::GetServerCertificateRequest { server_certificate_name: name.into() };
    region.call::<ops::GetServerCertificate>(input).unwrap().server_certificate
}

fn rename(name: &str, new: Option<&str>, path: Option<&str>) -> s::UpdateServerCertificateRequest {
    s::UpdateServerCertificateRequest {
        server_certificate_name: name.into(),
        new_server_certificate_name: new.map(String::from),
        new_path: path.map(String::from),
    }
}

#[test]
fn an_uploaded_certificate_is_shown_with_its_chain_and_survives_a_restart() {
    let mut region = region();
    let root_key = KeyPair::generate().unwrap();
    let mut root = parameters("root.example", 2020, 2040);
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let certificate = parameters("shop.example", 2020, 2040);
    let certificate = certificate.signed_by(&key, &Issuer::from_params(&root, &root_key)).unwrap().pem();
    let chain = root.self_signed(&root_key).unwrap().pem();
    let pair = Pair { certificate, key: key.serialize_pem() };
    let input = s::UploadServerCertificateRequest {
        path: Some("/web/".into()),
        certificate_chain: Some(chain.clone()),
        tags: vec![tag("team", "shop")],
        ..upload("shop", &pair)
    };
    let answer = region.call::<ops::UploadServerCertificate>(input.clone()).unwrap();
    let told = answer.server_certificate_metadata.unwrap();
    assert_eq!(told.arn, "arn:aws:iam::000000000000:server-certificate/web/shop");
    assert!(told.server_certificate_id.starts_with("ASCA") && told.server_certificate_id.len() == 21);
    assert_eq!(told.expiration.unwrap().iso8601_s(), "2040-01-01T00:00:00Z");
    region.reopen();
    let shown = got(&mut region, "shop");
    assert_eq!((shown.server_certificate_metadata, shown.tags), (told.clone(), vec![tag("team", "shop")]));
    let wanted = (pair.certificate.trim(), Some(chain.trim()));
    assert_eq!((shown.certificate_body.as_str(), shown.certificate_chain.as_deref()), wanted, "Terraform compares them");
    let row = iam::find_server_certificate(region.state(), &told.arn).unwrap();
    assert_eq!(row.served.matches("BEGIN CERTIFICATE").count(), 2);
    assert!(row.key.0.starts_with("-----BEGIN PRIVATE KEY-----"));
    assert!(!format!("{row:?}").contains("PRIVATE KEY"), "no log shows a key");
    let wrong = s::UploadServerCertificateRequest {
        server_certificate_name: "other".into(),
        certificate_chain: Some(pair.certificate.clone()),
        ..input
    };
    let refusal = region.refusal::<ops::UploadServerCertificate>(wrong);
    assert!(refusal.starts_with("MalformedCertificate 400: Unable to validate certificate chain."), "{refusal}");
}

/// "IAM User Guide, Manage server certificates: before you upload": in PEM, valid now, its own key, without a password.
#[test]
fn what_cannot_be_served_is_refused() {
    let mut region = region();
    let (good, other) = (self_signed(2020, 2040), self_signed(2020, 2040));
    let with = |certificate: &str, key: &str| Pair { certificate: certificate.into(), key: key.into() };
    let encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nYQ==\n-----END RSA PRIVATE KEY-----\n";
    for (pair, wanted) in [
        (with(&good.certificate, &other.key), "KeyPairMismatch 400: The private key does not belong"),
        (self_signed(2020, 2025), "MalformedCertificate 400: The certificate has expired."),
        (self_signed(2035, 2040), "MalformedCertificate 400: The certificate is not valid yet."),
        (with("nothing", &good.key), "MalformedCertificate 400: Unable to parse certificate."),
        (with(&good.key, &good.key), "MalformedCertificate 400: Unable to parse certificate."),
        (with(&good.certificate.repeat(2), &good.key), "MalformedCertificate 400: The certificate body holds more than one"),
        (with(&good.certificate, "nothing"), "MalformedCertificate 400: Unable to parse private key."),
        (with(&good.certificate, encrypted), "MalformedCertificate 400: The private key is encrypted."),
        (with(&"x".repeat(16_385), &good.key), "ValidationError 400: 1 validation error detected: Value at 'certificateBody'"),
        (with(&good.certificate, &"x".repeat(16_385)), "ValidationError 400: 1 validation error detected: Value at 'privateKey'"),
    ] {
        let refusal = region.refusal::<ops::UploadServerCertificate>(upload("shop", &pair));
        assert!(refusal.starts_with(wanted), "{refusal}");
    }
    for (name, wanted) in [("a b", "The specified value for serverCertificateName is invalid."), ("", "1 validation error")] {
        let refusal = region.refusal::<ops::UploadServerCertificate>(upload(name, &good));
        assert!(refusal.starts_with(&format!("ValidationError 400: {wanted}")), "{refusal}");
    }
    let chain = s::UploadServerCertificateRequest { certificate_chain: Some("x".repeat(2_097_153)), ..upload("shop", &good) };
    assert!(region.refusal::<ops::UploadServerCertificate>(chain).contains("Value at 'certificateChain'"));
    assert!(region.state().rows::<iam::ServerCertificate>().next().is_none(), "what was refused left nothing");
}

/// "IAM and AWS STS quotas: Server certificates stored in an AWS account, 20".
#[test]
fn an_account_stores_twenty() {
    let mut region = region();
    for n in 0..20 {
        uploaded(&mut region, &format!("c{n:02}"));
    }
    let one_more = upload("c20", &self_signed(2020, 2040));
    let refusal = region.refusal::<ops::UploadServerCertificate>(one_more.clone());
    assert_eq!(refusal, "LimitExceeded 409: Cannot exceed quota for ServerCertificatesPerAccount: 20");
    let page = |marker| s::ListServerCertificatesRequest { max_items: Some(15), marker, path_prefix: Some("/".into()) };
    let first = region.call::<ops::ListServerCertificates>(page(None)).unwrap();
    let second = region.call::<ops::ListServerCertificates>(page(first.marker)).unwrap();
    let all = first.server_certificate_metadata_list.into_iter().chain(second.server_certificate_metadata_list);
    let names: Vec<String> = all.map(|c| c.server_certificate_name).collect();
    assert_eq!(names, (0..20).map(|n| format!("c{n:02}")).collect::<Vec<_>>());
    assert_eq!((first.is_truncated, second.is_truncated), (Some(true), Some(false)));
    let delete = s::DeleteServerCertificateRequest { server_certificate_name: "c07".into() };
    region.call::<ops::DeleteServerCertificate>(delete).unwrap();
    region.call::<ops::UploadServerCertificate>(one_more).unwrap();
}

/// UpdateServerCertificate: the ARN follows name and path, the id stays.
#[test]
fn another_name_or_path_is_another_arn() {
    let mut region = region();
    let before = uploaded(&mut region, "shop");
    uploaded(&mut region, "blog");
    for (input, wanted) in [
        (rename("shop", Some("BLOG"), None), "EntityAlreadyExists 409: The Server Certificate with name BLOG already exists."),
        (rename("none", Some("x"), None), "NoSuchEntity 404: The Server Certificate with name none cannot be found."),
        (rename("shop", None, Some("web")), "ValidationError 400: The specified value for path is invalid."),
        (rename("shop", Some("a b"), None), "ValidationError 400: The specified value for newServerCertificateName is invalid."),
    ] {
        let refusal = region.refusal::<ops::UpdateServerCertificate>(input);
        assert!(refusal.starts_with(wanted), "{refusal}");
    }
    region.call::<ops::UpdateServerCertificate>(rename("shop", Some("Shop"), None)).unwrap();
    region.call::<ops::UpdateServerCertificate>(rename("Shop", None, Some("/cloudfront/"))).unwrap();
    let after = got(&mut region, "Shop").server_certificate_metadata;
    assert_eq!(after.arn, "arn:aws:iam::000000000000:server-certificate/cloudfront/Shop");
    assert_eq!((after.server_certificate_id, after.upload_date), (before.server_certificate_id, before.upload_date));
    assert!(iam::find_server_certificate(region.state(), &before.arn).is_none());
    let under = s::ListServerCertificatesRequest { path_prefix: Some("/cloudfront/".into()), ..Default::default() };
    assert_eq!(region.call::<ops::ListServerCertificates>(under).unwrap().server_certificate_metadata_list.len(), 1);
}

#[test]
fn a_certificate_in_use_stays() {
    let mut region = region();
    let told = uploaded(&mut region, "shop");
    let user = "arn:aws:elasticloadbalancing:eu-central-1:000000000000:loadbalancer/app/web/1";
    let row = User { arn: user.into(), uses: told.arn.clone() };
    region
        .run(|tx, _| {
            tx.put(row);
            Ok(())
        })
        .unwrap();
    let delete = s::DeleteServerCertificateRequest { server_certificate_name: "shop".into() };
    let refusal = region.refusal::<ops::DeleteServerCertificate>(delete.clone());
    let id = told.server_certificate_id;
    assert_eq!(
        refusal,
        format!(
            "DeleteConflict 409: Certificate: {id} is currently in use by {user}. Please remove it first before deleting it from IAM."
        )
    );
    region.run(|tx, _| Ok(tx.remove::<User>(&user.to_string()))).unwrap();
    region.call::<ops::DeleteServerCertificate>(delete.clone()).unwrap();
    let refusal = region.refusal::<ops::DeleteServerCertificate>(delete);
    assert_eq!(refusal, "NoSuchEntity 404: The Server Certificate with name shop cannot be found.");
}

#[test]
fn tags_come_and_go() {
    let mut region = region();
    uploaded(&mut region, "shop");
    let name = || "shop".to_string();
    let tags = vec![tag("team", "a"), tag("stage", "test")];
    region.call::<ops::TagServerCertificate>(s::TagServerCertificateRequest { server_certificate_name: name(), tags }).unwrap();
    let untag = s::UntagServerCertificateRequest { server_certificate_name: name(), tag_keys: vec!["TEAM".into()] };
    region.call::<ops::UntagServerCertificate>(untag).unwrap();
    let list = s::ListServerCertificateTagsRequest { server_certificate_name: name(), ..Default::default() };
    assert_eq!(region.call::<ops::ListServerCertificateTags>(list).unwrap().tags, [tag("stage", "test")]);
    let reserved = s::TagServerCertificateRequest { server_certificate_name: name(), tags: vec![tag("aws:x", "1")] };
    assert!(region.refusal::<ops::TagServerCertificate>(reserved).starts_with("InvalidInput 400"));
}

/// "AWS::IAM::ServerCertificate": Ref gives the name, the path changes in place.
#[test]
fn a_stacks_certificate_is_made_moved_and_ended() {
    const TYPE: &str = "AWS::IAM::ServerCertificate";
    let (mut region, pair) = (region(), self_signed(2020, 2040));
    let old = json!({"CertificateBody": pair.certificate, "PrivateKey": pair.key, "Tags": [{"Key": "team", "Value": "blog"}]});
    let name = region.make(TYPE, &old).unwrap();
    assert!(name.starts_with("web-Thing-"), "{name}");
    assert_eq!(got(&mut region, &name).tags[1], tag("team", "blog"));
    let arn = |path: &str| json!(format!("arn:aws:iam::000000000000:server-certificate{path}{name}"));
    assert_eq!(region.attribute(TYPE, &name, "Arn").unwrap(), arn("/"));
    let new = json!({"CertificateBody": pair.certificate, "PrivateKey": pair.key, "Path": "/web/"});
    region.change(TYPE, &name, &old, &new).unwrap();
    assert_eq!(region.attribute(TYPE, &name, "Arn").unwrap(), arn("/web/"));
    assert_eq!(got(&mut region, &name).tags.len(), 1, "the stack's own tag is left");
    assert_eq!(region.end(TYPE, &name).unwrap(), Progress::Ready);
    assert_eq!(region.end(TYPE, &name).unwrap(), Progress::Ready, "what is gone is gone");
    let keyless = json!({"CertificateBody": pair.certificate});
    assert_eq!(region.make(TYPE, &keyless).unwrap_err().message, "Property PrivateKey cannot be empty.");
}
