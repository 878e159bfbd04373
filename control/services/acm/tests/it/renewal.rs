//! Renewal before the end ("Managed certificate renewal in AWS Certificate Manager").

use std::time::Duration;

use kernel::Trial;
use shapes::acm as s;
use shapes::acm::ops;

use crate::region::{describe, issue, issued, orders, region, use_by};

const DAY: Duration = Duration::from_secs(24 * 3_600);

fn renewal(region: &mut Trial, arn: &str) -> Option<String> {
    describe(region, arn).renewal_summary.map(|r| r.renewal_status)
}

#[test]
fn a_certificate_in_use_is_renewed_sixty_days_before_its_end() {
    let mut region = region();
    let arn = issued(&mut region, "example.com");
    use_by(&mut region, "arn:balancer", &arn);
    region.pass(DAY * 333);
    assert_eq!((orders(&region).len(), renewal(&mut region, &arn)), (0, None));
    region.pass(DAY * 2);
    assert_eq!(renewal(&mut region, &arn).as_deref(), Some("PENDING_AUTO_RENEWAL"));
    assert_eq!(acm::material(region.state(), &arn).unwrap().chain, "certificate 1\n", "served until the new one is there");
    let order = orders(&region).pop().unwrap();
    issue(&mut region, &order);
    assert_eq!(acm::material(region.state(), &arn).unwrap().chain, "certificate 2\n");
    assert_eq!(renewal(&mut region, &arn).as_deref(), Some("SUCCESS"));
    region.pass(DAY * 334);
    assert!(orders(&region).is_empty(), "the new one is good for as long");
}

#[test]
fn what_nobody_uses_expires_and_is_renewed_once_somebody_does() {
    let mut region = region();
    let arn = issued(&mut region, "example.com");
    region.pass(DAY * 396);
    assert_eq!(describe(&mut region, &arn).status.as_deref(), Some("EXPIRED"));
    assert!(orders(&region).is_empty());
    use_by(&mut region, "arn:balancer", &arn);
    region.pass(DAY);
    let order = orders(&region).pop().unwrap();
    issue(&mut region, &order);
    assert_eq!(describe(&mut region, &arn).status.as_deref(), Some("ISSUED"));
}

#[test]
fn a_user_may_have_one_renewed_at_once() {
    let mut region = region();
    let arn = issued(&mut region, "example.com");
    region.call::<ops::RenewCertificate>(s::RenewCertificateRequest { certificate_arn: arn.clone() }).unwrap();
    let order = orders(&region).pop().unwrap();
    assert_eq!(order.generation, 2);
    issue(&mut region, &order);
    assert_eq!(describe(&mut region, &arn).serial.as_deref(), Some("02"));
}
