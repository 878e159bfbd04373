//! `AWS::CertificateManager::Certificate` as the stack engine calls it.

use kernel::Progress;
use serde_json::json;

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
