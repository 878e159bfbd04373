//! Dashboards.

use kernel::{Registry, Trial};
use shapes::cloudwatch::{self as aws, ops};

fn services(registry: &mut Registry) {
    sns::register(registry);
    cloudwatch::register(registry);
}

fn put(region: &mut Trial, name: &str, body: &str) -> Result<Vec<aws::DashboardValidationMessage>, base::Fault> {
    let input = aws::PutDashboardInput { dashboard_name: name.into(), dashboard_body: body.into(), tags: vec![] };
    region.call::<ops::PutDashboard>(input).map(|output| output.dashboard_validation_messages)
}

const GOOD: &str = r##"{"widgets":[{"type":"metric","x":0,"y":0,"width":12,"height":6,"properties":{"metrics":[["AWS/EC2","CPUUtilization"]],"region":"eu-central-1"}},{"type":"text","properties":{"markdown":"# Hello"}}]}"##;

#[test]
fn a_dashboard_is_put_listed_read_and_deleted() {
    let mut region = Trial::new(services);
    assert_eq!(put(&mut region, "main", GOOD).unwrap(), []);
    put(&mut region, "other", r#"{"widgets":[]}"#).unwrap();
    region.reopen();
    let got = region.call::<ops::GetDashboard>(aws::GetDashboardInput { dashboard_name: "main".into() }).unwrap();
    assert_eq!(got.dashboard_body.as_deref(), Some(GOOD));
    assert_eq!(got.dashboard_arn.as_deref(), Some("arn:aws:cloudwatch::000000000000:dashboard/main"));
    let list = |region: &mut Trial| {
        let output = region.call::<ops::ListDashboards>(aws::ListDashboardsInput::default()).unwrap();
        output.dashboard_entries.into_iter().map(|e| e.dashboard_name.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(list(&mut region), ["main", "other"]);
    let delete = |names: &[&str]| aws::DeleteDashboardsInput { dashboard_names: names.iter().map(|n| n.to_string()).collect() };
    let fault = region.call::<ops::DeleteDashboards>(delete(&["main", "none"])).unwrap_err();
    assert_eq!((fault.code.as_ref(), fault.http), ("ResourceNotFound", 404));
    assert_eq!(list(&mut region).len(), 2, "all or none");
    region.call::<ops::DeleteDashboards>(delete(&["main"])).unwrap();
    assert_eq!(list(&mut region), ["other"]);
}

#[test]
fn bodies_that_are_none_are_refused_and_doubtful_ones_told() {
    let mut region = Trial::new(services);
    let bodies = [
        ("", "valid JSON object"),
        ("[]", "valid JSON object"),
        ("{}", "required property 'widgets'"),
        (r#"{"widgets":{}}"#, "Should be array"),
        (r#"{"widgets":[{"properties":{}}]}"#, "required property 'type'"),
        (r#"{"widgets":[{"type":"pie","properties":{}}]}"#, "allowed values"),
        (r#"{"widgets":[{"type":"text","width":25,"properties":{"markdown":""}}]}"#, "/widgets/0/width"),
        (r#"{"widgets":[{"type":"text","properties":{}}]}"#, "required property 'markdown'"),
        (r#"{"widgets":[{"type":"metric"}]}"#, "required property 'properties'"),
    ];
    for (body, text) in bodies {
        let fault = put(&mut region, "main", body).unwrap_err();
        assert_eq!(fault.code, "InvalidParameterInput", "{body}");
        assert!(fault.message.contains(text), "{body}: {}", fault.message);
    }
    assert_eq!(put(&mut region, "a b", GOOD).unwrap_err().code, "InvalidParameterInput");
    let doubts = put(&mut region, "main", r#"{"widgets":[],"color":"red"}"#).unwrap();
    assert_eq!(doubts[0].message.as_deref(), Some("Should NOT have additional property 'color'"));
}

#[test]
fn tags_of_dashboards_have_the_limits_of_tags() {
    let mut region = Trial::new(services);
    let mut put = |keys: &[&str]| {
        let tags = keys.iter().map(|key| aws::Tag { key: (*key).into(), value: "v".into() }).collect();
        let input = aws::PutDashboardInput { dashboard_name: "main".into(), dashboard_body: GOOD.into(), tags };
        region.call::<ops::PutDashboard>(input).map_err(|fault| fault.code)
    };
    let many: Vec<String> = (0..51).map(|n| n.to_string()).collect();
    for keys in [&["aws:cloudformation:stack-name"][..], &["a", "a"], &[""], &many.iter().map(String::as_str).collect::<Vec<_>>()]
    {
        assert_eq!(put(keys).unwrap_err(), "InvalidParameterInput", "{keys:?}");
    }
    assert!(put(&["a", "b"]).is_ok());
}
