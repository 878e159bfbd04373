//! `AWS::CertificateManager::Certificate` as the stack engine calls it.

use kernel::Progress;
use serde_json::json;
use shapes::acm as s;

use crate::region::{describe, issue, orders, region, use_by};

const TYPE: &str = "AWS::CertificateManager::Certificate";

#[test]
fn a_stack_makes_tags_and_removes_a_certificate() {
    let mut region = region();
    let properties = json!({
        "DomainName": "example.com", "SubjectAlternativeNames": ["*.example.com"], "ValidationMethod": "DNS",
        "DomainValidationOptions": [{"DomainName": "example.com", "HostedZoneId": "Z1"}], "Tags": [{"Key": "team", "Value": "a"}],
    });
    let arn = region.make(TYPE, &properties).unwrap();
    assert_eq!(describe(&mut region, &arn).status.as_deref(), Some("PENDING_VALIDATION"));
    let order = orders(&region).pop().unwrap();
    issue(&mut region, &order);
    assert_eq!(describe(&mut region, &arn).status.as_deref(), Some("ISSUED"));
    let mut changed = properties.clone();
    changed["CertificateTransparencyLoggingPreference"] = json!("DISABLED");
    region.change(TYPE, &arn, &properties, &changed).unwrap();
    let options = describe(&mut region, &arn).options.unwrap();
    assert_eq!(options.certificate_transparency_logging_preference.as_deref(), Some("DISABLED"));
    changed["CertificateExport"] = json!("ENABLED");
    assert_eq!(region.change(TYPE, &arn, &properties, &changed).unwrap_err().code, "InvalidParameterException");
    use_by(&mut region, "arn:balancer", &arn);
    assert_eq!(region.end(TYPE, &arn).unwrap_err().code, "ResourceInUseException");
    use_by(&mut region, "arn:balancer", "another");
    assert_eq!(region.end(TYPE, &arn).unwrap(), Progress::Ready);
    assert_eq!(region.end(TYPE, &arn).unwrap(), Progress::Ready);
}

/// A user's own tags are none of the stack's.
#[test]
fn an_update_takes_back_only_the_tags_that_the_stack_gave() {
    let mut region = region();
    region.stack_tags.insert("stage".into(), "test".into());
    let of = |tags: serde_json::Value| json!({"DomainName": "example.com", "ValidationMethod": "DNS", "Tags": tags});
    let first = of(json!([{"Key": "team", "Value": "blue"}, {"Key": "cost", "Value": "1"}]));
    let arn = region.make(TYPE, &first).unwrap();
    let tags = vec![s::Tag { key: "mine".into(), value: Some("m".into()) }];
    region.call::<s::ops::AddTagsToCertificate>(s::AddTagsToCertificateRequest { certificate_arn: arn.clone(), tags }).unwrap();
    region.stack_tags.remove("stage");
    region.change(TYPE, &arn, &first, &of(json!([{"Key": "team", "Value": "red"}]))).unwrap();
    let list = s::ListTagsForCertificateRequest { certificate_arn: arn };
    let mut shown = region.call::<s::ops::ListTagsForCertificate>(list).unwrap().tags;
    shown.retain(|tag| !tag.key.starts_with("aws:"));
    let shown: Vec<_> = shown.into_iter().map(|tag| (tag.key, tag.value.unwrap())).collect();
    assert_eq!(shown, [("mine".to_string(), "m".to_string()), ("team".into(), "red".into())]);
}
