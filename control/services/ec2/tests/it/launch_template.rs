//! Launch templates and their versions by the API.

use base::Fault;
use shapes::ec2 as s;
use shapes::ec2::ops;

use crate::region::Region;

fn code(outcome: Result<impl std::fmt::Debug, Fault>) -> String {
    outcome.unwrap_err().code.to_string()
}

fn create(name: &str) -> s::CreateLaunchTemplateRequest {
    let launch_template_data = s::RequestLaunchTemplateData { image_id: Some("ami-host".into()), ..Default::default() };
    s::CreateLaunchTemplateRequest { launch_template_name: name.into(), launch_template_data, ..Default::default() }
}

fn another(name: &str) -> s::CreateLaunchTemplateVersionRequest {
    s::CreateLaunchTemplateVersionRequest { launch_template_name: Some(name.into()), ..Default::default() }
}

#[test]
fn a_page_has_one_to_two_hundred() {
    let mut region = Region::new();
    region.call::<ops::CreateLaunchTemplate>(create("web")).unwrap();
    region.call::<ops::CreateLaunchTemplateVersion>(another("web")).unwrap();
    region.call::<ops::CreateLaunchTemplate>(create("other")).unwrap();
    let mut templates = |max| {
        region.call::<ops::DescribeLaunchTemplates>(s::DescribeLaunchTemplatesRequest {
            max_results: Some(max),
            ..Default::default()
        })
    };
    let page = templates(1).unwrap();
    assert_eq!((page.launch_templates.len(), page.next_token.is_some()), (1, true));
    assert_eq!(templates(200).unwrap().launch_templates.len(), 2);
    assert_eq!((code(templates(0)), code(templates(201))), ("InvalidParameterValue".into(), "InvalidParameterValue".into()));
    let mut versions = |max| {
        region.call::<ops::DescribeLaunchTemplateVersions>(s::DescribeLaunchTemplateVersionsRequest {
            launch_template_name: Some("web".into()),
            max_results: Some(max),
            ..Default::default()
        })
    };
    let page = versions(1).unwrap();
    assert_eq!((page.launch_template_versions[0].version_number, page.next_token.is_some()), (Some(2), true));
    assert_eq!((code(versions(0)), code(versions(201))), ("InvalidParameterValue".into(), "InvalidParameterValue".into()));
}
