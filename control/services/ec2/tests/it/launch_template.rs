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

#[test]
fn an_image_by_a_parameter_is_shown_as_an_id_on_request() {
    let mut region = Region::new();
    let parameter = shapes::ssm::PutParameterRequest {
        name: "/image".into(),
        value: "ami-host".into(),
        r#type: Some("String".into()),
        ..Default::default()
    };
    region.call::<shapes::ssm::ops::PutParameter>(parameter).unwrap();
    let mut template = create("web");
    template.launch_template_data.image_id = Some("resolve:ssm:/image".into());
    region.call::<ops::CreateLaunchTemplate>(template).unwrap();
    let image = |version: s::LaunchTemplateVersion| version.launch_template_data.unwrap().image_id.unwrap();
    let shown = |region: &mut Region, resolve_alias| {
        let launch_template_name = Some("web".into());
        let input = s::DescribeLaunchTemplateVersionsRequest { launch_template_name, resolve_alias, ..Default::default() };
        let answer = region.call::<ops::DescribeLaunchTemplateVersions>(input)?;
        Ok::<_, Fault>(image(answer.launch_template_versions.into_iter().next().unwrap()))
    };
    assert_eq!(shown(&mut region, None).unwrap(), "resolve:ssm:/image");
    assert_eq!(shown(&mut region, Some(true)).unwrap(), "ami-host");
    let next =
        s::CreateLaunchTemplateVersionRequest { source_version: Some("1".into()), resolve_alias: Some(true), ..another("web") };
    let made = region.call::<ops::CreateLaunchTemplateVersion>(next).unwrap().launch_template_version.unwrap();
    assert_eq!(image(made), "ami-host");
    assert_eq!(shown(&mut region, None).unwrap(), "resolve:ssm:/image", "what it keeps is the parameter");
    region.call::<shapes::ssm::ops::DeleteParameter>(shapes::ssm::DeleteParameterRequest { name: "/image".into() }).unwrap();
    assert!(shown(&mut region, Some(false)).is_ok() && shown(&mut region, Some(true)).is_err());
}

#[test]
fn groups_beside_those_of_the_templates_interface_are_refused() {
    let mut region = Region::new();
    let group = |region: &mut Region, name: &str| {
        let input = s::CreateSecurityGroupRequest { group_name: name.into(), description: name.into(), ..Default::default() };
        region.call::<ops::CreateSecurityGroup>(input).unwrap().group_id.unwrap()
    };
    let (inside, beside) = (group(&mut region, "inside"), group(&mut region, "beside"));
    let mut template = create("web");
    template.launch_template_data.network_interfaces =
        vec![s::LaunchTemplateInstanceNetworkInterfaceSpecificationRequest { groups: vec![inside], ..Default::default() }];
    region.call::<ops::CreateLaunchTemplate>(template).unwrap();
    let launch = |group: &[&String]| s::RunInstancesRequest {
        launch_template: Some(s::LaunchTemplateSpecification { launch_template_name: Some("web".into()), ..Default::default() }),
        security_group_ids: group.iter().map(|id| id.to_string()).collect(),
        min_count: 1,
        max_count: 1,
        ..Default::default()
    };
    assert_eq!(code(region.call::<ops::RunInstances>(launch(&[&beside]))), "InvalidParameterCombination");
    region.call::<ops::RunInstances>(launch(&[])).unwrap();
}

/// AWS refuses them so; only Auto Scaling lays its subnet over the interface's.
#[test]
fn a_subnet_or_address_beside_the_templates_interface_is_refused() {
    let mut region = Region::new();
    let subnet = region.default_subnet("eu-central-1a").to_string();
    let mut template = create("web");
    template.launch_template_data.network_interfaces = vec![s::LaunchTemplateInstanceNetworkInterfaceSpecificationRequest {
        description: Some("first".into()),
        ..Default::default()
    }];
    region.call::<ops::CreateLaunchTemplate>(template).unwrap();
    let launch = |subnet: Option<&String>, address: Option<&str>| s::RunInstancesRequest {
        launch_template: Some(s::LaunchTemplateSpecification { launch_template_name: Some("web".into()), ..Default::default() }),
        subnet_id: subnet.cloned(),
        private_ip_address: address.map(Into::into),
        min_count: 1,
        max_count: 1,
        ..Default::default()
    };
    assert_eq!(code(region.call::<ops::RunInstances>(launch(Some(&subnet), None))), "InvalidParameterCombination");
    assert_eq!(code(region.call::<ops::RunInstances>(launch(None, Some("172.31.0.9")))), "InvalidParameterCombination");
    region.call::<ops::RunInstances>(launch(None, None)).unwrap();
}

/// A client that asks for the version must find what it gave, volume or not: Terraform made another version at each run.
#[test]
fn what_has_no_effect_here_is_shown_as_it_was_given() {
    let mut region = Region::new();
    let device = |name: &str, no_device: Option<&str>, virtual_name: Option<&str>| s::LaunchTemplateBlockDeviceMappingRequest {
        device_name: Some(name.into()),
        no_device: no_device.map(Into::into),
        virtual_name: virtual_name.map(Into::into),
        ..Default::default()
    };
    let mut template = create("web");
    let data = &mut template.launch_template_data;
    data.block_device_mappings = vec![device("/dev/sdb", Some(""), None), device("/dev/sdc", None, Some("ephemeral0"))];
    data.network_interfaces = vec![s::LaunchTemplateInstanceNetworkInterfaceSpecificationRequest {
        connection_tracking_specification: Some(s::ConnectionTrackingSpecificationRequest {
            udp_timeout: Some(60),
            ..Default::default()
        }),
        ..Default::default()
    }];
    data.capacity_reservation_specification = Some(s::LaunchTemplateCapacityReservationSpecificationRequest {
        capacity_reservation_preference: Some("open".into()),
        ..Default::default()
    });
    region.call::<ops::CreateLaunchTemplate>(template).unwrap();
    let input = s::DescribeLaunchTemplateVersionsRequest { launch_template_name: Some("web".into()), ..Default::default() };
    let version = region.call::<ops::DescribeLaunchTemplateVersions>(input).unwrap().launch_template_versions.remove(0);
    let shown = version.launch_template_data.unwrap();
    let devices: Vec<_> = shown.block_device_mappings.iter().map(|d| (&d.no_device, &d.virtual_name)).collect();
    assert_eq!(devices, [(&Some(String::new()), &None), (&None, &Some("ephemeral0".into()))]);
    let tracking = shown.network_interfaces[0].connection_tracking_specification.as_ref().unwrap();
    assert_eq!((tracking.udp_timeout, tracking.udp_stream_timeout), (Some(60), None));
    assert_eq!(shown.capacity_reservation_specification.unwrap().capacity_reservation_preference.as_deref(), Some("open"));
    let launch = s::RunInstancesRequest {
        launch_template: Some(s::LaunchTemplateSpecification { launch_template_name: Some("web".into()), ..Default::default() }),
        min_count: 1,
        max_count: 1,
        ..Default::default()
    };
    region.call::<ops::RunInstances>(launch).unwrap();
}

#[test]
fn a_zone_by_its_id_is_not_passed_over() {
    let mut region = Region::new();
    let mut template = create("web");
    template.launch_template_data.placement =
        Some(s::LaunchTemplatePlacementRequest { availability_zone_id: Some("euc1-az3".into()), ..Default::default() });
    assert_eq!(code(region.call::<ops::CreateLaunchTemplate>(template)), "UnsupportedOperation");
    let placement = |id: &str| s::RunInstancesRequest {
        image_id: Some("ami-host".into()),
        placement: Some(s::Placement { availability_zone_id: Some(id.into()), ..Default::default() }),
        min_count: 1,
        max_count: 1,
        ..Default::default()
    };
    assert_eq!(code(region.call::<ops::RunInstances>(placement("euc1-az3"))), "UnsupportedOperation");
    region.call::<ops::RunInstances>(placement("")).unwrap();
}

#[test]
fn a_request_that_comes_again_makes_nothing_twice() {
    let mut region = Region::new();
    let mut first = create("web");
    first.client_token = Some("token-1".into());
    let make = |region: &mut Region, input: &s::CreateLaunchTemplateRequest| -> Result<String, Fault> {
        Ok(region.call::<ops::CreateLaunchTemplate>(input.clone())?.launch_template.unwrap().launch_template_id.unwrap())
    };
    let id = make(&mut region, &first).unwrap();
    let mut second = another("web");
    second.client_token = Some("token-2".into());
    let version = |region: &mut Region, input: &s::CreateLaunchTemplateVersionRequest| -> Result<Option<i64>, Fault> {
        let made = region.call::<ops::CreateLaunchTemplateVersion>(input.clone())?;
        Ok(made.launch_template_version.unwrap().version_number)
    };
    assert_eq!(version(&mut region, &second).unwrap(), Some(2));
    region.reopen();
    assert_eq!(make(&mut region, &first).unwrap(), id);
    assert_eq!(version(&mut region, &second).unwrap(), Some(2));
    let mut other = first.clone();
    other.launch_template_data.image_id = Some("ami-0123".into());
    assert_eq!(code(make(&mut region, &other)), "IdempotentParameterMismatch");
    other.client_token = Some("token-3".into());
    assert_eq!(code(make(&mut region, &other)), "InvalidLaunchTemplateName.AlreadyExistsException");
    other.client_token = Some("x".repeat(129));
    assert_eq!(code(make(&mut region, &other)), "InvalidParameterValue");
    region.call::<ops::CreateLaunchTemplate>(create("other")).unwrap();
    second.launch_template_name = Some("other".into());
    assert_eq!(code(version(&mut region, &second)), "IdempotentParameterMismatch");
    second.client_token = Some("token-3".into());
    assert_eq!(version(&mut region, &second).unwrap(), Some(2));
}
