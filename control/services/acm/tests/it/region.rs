//! A region of ACM alone, whose things are used by whom the test says.

use kernel::{Registry, Row, State, Trial, Wanted};
use serde::{Deserialize, Serialize};
use shapes::acm as s;
use shapes::acm::ops;
use world::{CertificateOrder, IssuedCertificate, Observation, PrivateKey, Want};

/// Something that uses a certificate, as a load balancer does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub arn: String,
    pub uses: String,
}

impl Row for User {
    const TABLE: &'static str = "test.user";
    type Key = String;
    fn key(&self) -> String {
        self.arn.clone()
    }
}

fn services(registry: &mut Registry) {
    acm::register(registry);
    registry.table::<User>();
    registry.users_of(|state: &State, arn, users| {
        users.extend(state.rows::<User>().filter(|u| u.uses == arn).map(|u| u.arn.clone()))
    });
}

pub fn region() -> Trial {
    Trial::new(services)
}

/// What the authority is asked for.
pub fn orders(region: &Trial) -> Vec<CertificateOrder> {
    let order = |wanted: &Wanted| match &wanted.want {
        Some(Want::Certificate(order)) => Some(order.clone()),
        _ => None,
    };
    region.state().rows::<Wanted>().filter_map(order).collect()
}

/// Answers an order.
pub fn issue(region: &mut Trial, order: &CertificateOrder) {
    let issued = Box::new(IssuedCertificate {
        certificate: format!("certificate {}\n", order.generation),
        chain: "root\n".into(),
        key: PrivateKey(format!("key {}\n", order.generation)),
        serial: format!("{:02x}", order.generation),
        issuer: "Test root".into(),
        signature_algorithm: "SHA256WITHECDSA".into(),
    });
    let issued = Observation::Issued { certificate: order.id.clone(), generation: order.generation, issued };
    region.observe(&issued);
}

/// Refuses an order.
pub fn refuse(region: &mut Trial) {
    let wanted = region.state().rows::<Wanted>().find(|w| w.want.is_some()).unwrap();
    let refused = Observation::Refused { slot: wanted.slot.clone(), version: wanted.version, reason: "no randomness".into() };
    region.observe(&refused);
}

pub fn input(name: &str) -> s::RequestCertificateRequest {
    s::RequestCertificateRequest { domain_name: name.into(), validation_method: Some("DNS".into()), ..Default::default() }
}

pub fn request(region: &mut Trial, name: &str) -> String {
    region.call::<ops::RequestCertificate>(input(name)).unwrap().certificate_arn.unwrap()
}

pub fn describe(region: &mut Trial, arn: &str) -> s::CertificateDetail {
    let input = s::DescribeCertificateRequest { certificate_arn: arn.into() };
    region.call::<ops::DescribeCertificate>(input).unwrap().certificate.unwrap()
}

pub fn issued(region: &mut Trial, name: &str) -> String {
    let arn = request(region, name);
    let order = orders(region).pop().unwrap();
    issue(region, &order);
    arn
}

pub fn use_by(region: &mut Trial, user: &str, arn: &str) {
    let row = User { arn: user.into(), uses: arn.into() };
    region
        .run(|tx, _| {
            tx.put(row);
            Ok(())
        })
        .unwrap();
}
