//! RequestCertificate and what becomes of a request.

use std::time::Duration;

use shapes::acm as s;
use shapes::acm::ops;

use crate::region::{User, describe, input, issue, issued, orders, refuse, region, request, use_by};

#[test]
fn a_request_is_ordered_validated_and_issued() {
    let mut region = region();
    let mut asked = input("www.Example.com");
    asked.subject_alternative_names = vec!["*.example.com".into(), "www.example.com".into()];
    asked.key_algorithm = Some("EC_prime256v1".into());
    let arn = region.call::<ops::RequestCertificate>(asked).unwrap().certificate_arn.unwrap();
    let pending = describe(&mut region, &arn);
    assert_eq!(pending.status.as_deref(), Some("PENDING_VALIDATION"));
    assert_eq!(pending.domain_validation_options[0].validation_status.as_deref(), Some("PENDING_VALIDATION"));
    assert!(acm::material(region.state(), &arn).is_none());
    let get = s::GetCertificateRequest { certificate_arn: arn.clone() };
    assert!(region.refusal::<ops::GetCertificate>(get.clone()).starts_with("RequestInProgressException 400"));

    let order = orders(&region).pop().unwrap();
    assert_eq!((order.names.join(" ").as_str(), order.generation), ("www.example.com *.example.com", 1));
    issue(&mut region, &order);
    assert!(orders(&region).is_empty(), "the authority keeps nothing");
    let shown = describe(&mut region, &arn);
    assert_eq!((shown.status.as_deref(), shown.r#type.as_deref()), (Some("ISSUED"), Some("AMAZON_ISSUED")));
    assert_eq!(shown.key_algorithm.as_deref(), Some("EC-prime256v1"));
    let days = shown.not_after.unwrap().ms_since(shown.not_before.unwrap()).div_ceil(24 * 3_600_000);
    assert_eq!(days, 395, "ACM certificates are good for 13 months");
    let records: Vec<_> = shown.domain_validation_options.iter().map(|v| v.resource_record.clone().unwrap()).collect();
    assert!(records[0].name.ends_with(".www.example.com.") && records[0].value.ends_with(".acm-validations.aws."));
    assert!(records[1].name.ends_with(".example.com.") && !records[1].name.contains('*'));
    assert_eq!(shown.domain_validation_options[1].validation_status.as_deref(), Some("SUCCESS"));
    let answer = region.call::<ops::GetCertificate>(get).unwrap();
    assert_eq!((answer.certificate.as_deref(), answer.certificate_chain.as_deref()), (Some("certificate 1\n"), Some("root\n")));
    let material = acm::material(region.state(), &arn).unwrap();
    assert_eq!((material.chain.as_str(), material.key.0.as_str()), ("certificate 1\n", "key 1\n"));
    assert!(!format!("{:?}", region.state().rows::<acm::Certificate>().next()).contains("key 1"));
}

#[test]
fn a_domain_and_its_wildcard_have_the_same_record() {
    let mut region = region();
    let (plain, wild) = (request(&mut region, "example.com"), request(&mut region, "*.example.com"));
    let record = |c: s::CertificateDetail| c.domain_validation_options[0].resource_record.clone();
    assert_eq!(record(describe(&mut region, &plain)), record(describe(&mut region, &wild)));
}

#[test]
fn mail_goes_to_the_five_mailboxes_of_the_validation_domain() {
    let mut region = region();
    let mut asked = input("www.example.com");
    asked.validation_method = None;
    asked.domain_validation_options =
        vec![s::DomainValidationOption { domain_name: "www.example.com".into(), validation_domain: "example.com".into() }];
    let arn = region.call::<ops::RequestCertificate>(asked.clone()).unwrap().certificate_arn.unwrap();
    let shown = describe(&mut region, &arn).domain_validation_options.remove(0);
    assert_eq!((shown.validation_method.as_deref(), shown.validation_emails.len()), (Some("EMAIL"), 5));
    assert!(shown.validation_emails.contains(&"hostmaster@example.com".to_string()));
    asked.domain_validation_options[0].validation_domain = "example.org".into();
    assert!(region.refusal::<ops::RequestCertificate>(asked).starts_with("InvalidDomainValidationOptionsException 400"));
}

#[test]
fn the_same_token_gives_the_same_certificate_for_an_hour() {
    let mut region = region();
    let mut asked = input("example.com");
    asked.idempotency_token = Some("once".into());
    let mut ask = |region: &mut kernel::Trial, name: &str| {
        asked.domain_name = name.into();
        region.call::<ops::RequestCertificate>(asked.clone()).unwrap().certificate_arn.unwrap()
    };
    let first = ask(&mut region, "example.com");
    assert_eq!(ask(&mut region, "example.com"), first);
    assert_ne!(ask(&mut region, "example.org"), first);
    region.pass(Duration::from_secs(3_600));
    assert_ne!(ask(&mut region, "example.com"), first);
}

#[test]
fn bad_requests_are_told() {
    let mut region = region();
    let mut with = |change: &dyn Fn(&mut s::RequestCertificateRequest), wanted: &str| {
        let mut asked = input("example.com");
        change(&mut asked);
        let refusal = region.refusal::<ops::RequestCertificate>(asked);
        assert!(refusal.starts_with(wanted), "{refusal}");
    };
    with(&|r| r.domain_name = "localhost".into(), "ValidationException 400: 1 validation error detected: Value 'localhost'");
    with(&|r| r.key_algorithm = Some("RSA_4096".into()), "ValidationException 400");
    with(&|r| r.validation_method = Some("HTTP".into()), "InvalidParameterException 400");
    with(&|r| r.certificate_authority_arn = Some("arn:aws:acm-pca:eu-central-1:0:x".into()), "InvalidParameterException 400");
    with(&|r| r.tags = vec![s::Tag { key: "aws:x".into(), value: None }], "InvalidTagException 400");
    with(
        &|r| r.options = Some(s::CertificateOptions { export: Some("ENABLED".into()), ..Default::default() }),
        "InvalidParameterException 400",
    );
    let get = s::DescribeCertificateRequest { certificate_arn: "arn:aws:acm:eu-central-1:000000000000:certificate/none".into() };
    assert!(region.refusal::<ops::DescribeCertificate>(get).starts_with("ResourceNotFoundException 400"));
    let get = s::DescribeCertificateRequest { certificate_arn: "arn:aws:iam::000000000000:server/x".into() };
    assert!(region.refusal::<ops::DescribeCertificate>(get).starts_with("ValidationException 400"));
}

#[test]
fn a_refusal_is_tried_again_until_the_request_times_out() {
    let mut region = region();
    let arn = request(&mut region, "example.com");
    refuse(&mut region);
    assert!(orders(&region).is_empty());
    region.pass(Duration::from_secs(60));
    assert_eq!(orders(&region)[0].generation, 2);
    let late = orders(&region).pop().unwrap();
    region.pass(Duration::from_secs(72 * 3_600));
    assert_eq!(describe(&mut region, &arn).status.as_deref(), Some("VALIDATION_TIMED_OUT"));
    assert!(orders(&region).is_empty());
    issue(&mut region, &late);
    assert_eq!(describe(&mut region, &arn).status.as_deref(), Some("VALIDATION_TIMED_OUT"), "it comes too late");
}

#[test]
fn a_crash_loses_no_order_and_an_answer_to_an_older_one_is_dropped() {
    let mut region = region();
    let arn = request(&mut region, "example.com");
    let old = orders(&region).pop().unwrap();
    region.reopen();
    assert_eq!(orders(&region), std::slice::from_ref(&old));
    refuse(&mut region);
    region.pass(Duration::from_secs(60));
    issue(&mut region, &old);
    assert_eq!(describe(&mut region, &arn).status.as_deref(), Some("PENDING_VALIDATION"));
    let new = orders(&region).pop().unwrap();
    issue(&mut region, &new);
    issue(&mut region, &new);
    assert_eq!(describe(&mut region, &arn).serial.as_deref(), Some("02"));
}

#[test]
fn what_is_in_use_stays() {
    let mut region = region();
    let arn = issued(&mut region, "example.com");
    use_by(&mut region, "arn:balancer", &arn);
    let shown = describe(&mut region, &arn);
    assert_eq!((shown.in_use_by, shown.renewal_eligibility.as_deref()), (vec!["arn:balancer".to_string()], Some("ELIGIBLE")));
    let delete = s::DeleteCertificateRequest { certificate_arn: arn.clone() };
    let refusal = region.refusal::<ops::DeleteCertificate>(delete.clone());
    assert_eq!(refusal, format!("ResourceInUseException 400: Certificate {arn} in account 000000000000 is in use."));
    region
        .run(|tx, _| {
            tx.remove::<User>(&"arn:balancer".to_string());
            Ok(())
        })
        .unwrap();
    region.call::<ops::DeleteCertificate>(delete.clone()).unwrap();
    assert!(region.refusal::<ops::DeleteCertificate>(delete).starts_with("ResourceNotFoundException"));
}

#[test]
fn listings_show_rsa_only_unless_asked_for_more() {
    let mut region = region();
    let rsa = issued(&mut region, "a.example.com");
    let mut asked = input("b.example.com");
    asked.key_algorithm = Some("EC_secp384r1".into());
    let ec = region.call::<ops::RequestCertificate>(asked).unwrap().certificate_arn.unwrap();
    let mut list = |input: s::ListCertificatesRequest| -> Vec<String> {
        let found = region.call::<ops::ListCertificates>(input).unwrap().certificate_summary_list;
        found.into_iter().filter_map(|c| c.certificate_arn).collect()
    };
    assert_eq!(list(s::ListCertificatesRequest::default()), std::slice::from_ref(&rsa));
    let keys = s::Filters { key_types: vec!["EC_secp384r1".into(), "RSA_2048".into()], ..Default::default() };
    let both = s::ListCertificatesRequest { includes: Some(keys), ..Default::default() };
    assert_eq!(list(both.clone()).len(), 2);
    let statuses = vec!["PENDING_VALIDATION".into()];
    assert_eq!(list(s::ListCertificatesRequest { certificate_statuses: statuses, ..both.clone() }), std::slice::from_ref(&ec));
    let first = s::ListCertificatesRequest { max_items: Some(1), ..both };
    let page = region.call::<ops::ListCertificates>(first.clone()).unwrap();
    let rest = region.call::<ops::ListCertificates>(s::ListCertificatesRequest { next_token: page.next_token, ..first }).unwrap();
    let arns = [page.certificate_summary_list, rest.certificate_summary_list].concat();
    let mut arns: Vec<_> = arns.into_iter().filter_map(|c| c.certificate_arn).collect();
    arns.sort();
    let mut all = vec![rsa, ec];
    all.sort();
    assert_eq!((arns, rest.next_token), (all, None));
}

#[test]
fn tags_are_added_and_removed() {
    let mut region = region();
    let arn = request(&mut region, "example.com");
    let tag = |key: &str, value: Option<&str>| s::Tag { key: key.into(), value: value.map(Into::into) };
    let tags = vec![tag("team", Some("a")), tag("stage", Some("b"))];
    region.call::<ops::AddTagsToCertificate>(s::AddTagsToCertificateRequest { certificate_arn: arn.clone(), tags }).unwrap();
    let tags = vec![tag("team", Some("other")), tag("stage", None)];
    region
        .call::<ops::RemoveTagsFromCertificate>(s::RemoveTagsFromCertificateRequest { certificate_arn: arn.clone(), tags })
        .unwrap();
    let list = s::ListTagsForCertificateRequest { certificate_arn: arn };
    assert_eq!(region.call::<ops::ListTagsForCertificate>(list).unwrap().tags, [tag("team", Some("a"))]);
}

/// Whoever ends certificates page by page meets each of them, in either order.
#[test]
fn pages_in_order_go_on_after_certificates_have_gone() {
    for order in ["ASCENDING", "DESCENDING"] {
        let mut region = region();
        for second in 0..9 {
            request(&mut region, &format!("a{second}.example.com"));
            // Three are made at one moment.
            region.pass(Duration::from_secs(u64::from(second % 3 == 2)));
        }
        let (mut met, mut token) = (Vec::new(), None);
        loop {
            let page = region.call::<ops::ListCertificates>(s::ListCertificatesRequest {
                sort_by: Some("CREATED_AT".into()),
                sort_order: Some(order.into()),
                max_items: Some(2),
                next_token: token,
                ..Default::default()
            });
            let page = page.unwrap();
            for shown in page.certificate_summary_list {
                met.push(shown.created_at.unwrap());
                let certificate_arn = shown.certificate_arn.unwrap();
                region.call::<ops::DeleteCertificate>(s::DeleteCertificateRequest { certificate_arn }).unwrap();
            }
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        let is_in_order = if order == "ASCENDING" { met.is_sorted() } else { met.is_sorted_by(|a, b| a >= b) };
        assert!(met.len() == 9 && is_in_order, "{order}: {met:?}");
    }
}
