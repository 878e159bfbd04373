use base::{Fault, Value};
use http::Request;
use http::request::Parts;
use proptest::prelude::{any, proptest};
use wire::{Protocol, decode, encode, route};

fn post(body: &str, target: Option<&str>) -> (Parts, Vec<u8>) {
    let mut request = Request::post("/");
    if let Some(target) = target {
        request = request.header("x-amz-target", target);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    (parts, body.as_bytes().to_vec())
}

/// Routes and decodes; gives the members that are set, with their slots' names.
fn decoded(body: &str, target: Option<&str>) -> Result<Vec<(String, Value)>, Fault> {
    let (parts, body) = post(body, target);
    let route = route(&parts, &body).map_err(|r| r.fault)?;
    let Value::Struct(slots) = decode(&route, &parts, &body)? else { return Ok(vec![]) };
    let structure = route.service.structure(route.operation.input.as_ref().unwrap()).unwrap();
    let all = structure.members.iter().map(|m| m.name.clone()).zip(slots);
    Ok(all.filter(|(_, v)| *v != Value::Null).collect())
}

fn fault(body: &str, target: Option<&str>) -> (String, String) {
    let fault = decoded(body, target).unwrap_err();
    (fault.code.into_owned(), fault.message)
}

fn text(s: &str) -> Value {
    Value::Str(s.into())
}

const EC2: &str = "Version=2016-11-15&Action=";
const ASG: &str = "Version=2011-01-01&Action=";

#[test]
fn ec2_query_is_read() {
    let got =
        decoded(&format!("{EC2}DescribeInstances&InstanceId.1=i-1&InstanceId.2=i-2&MaxResults=5&DryRun=false"), None).unwrap();
    assert_eq!(
        got,
        [
            ("InstanceIds".into(), Value::List(vec![text("i-1"), text("i-2")])),
            ("DryRun".into(), Value::Bool(false)),
            ("MaxResults".into(), Value::Int(5)),
        ]
    );
}

#[test]
fn query_is_read() {
    let got =
        decoded(&format!("{ASG}SuspendProcesses&AutoScalingGroupName=a+b%2Fc&ScalingProcesses.member.1=Launch"), None).unwrap();
    assert_eq!(got[0], ("AutoScalingGroupName".into(), text("a b/c")));
    assert_eq!(got[1], ("ScalingProcesses".into(), Value::List(vec![text("Launch")])));
}

#[test]
fn json_is_read_also_the_plain_kind_of_any_service() {
    let got = decoded(r#"{"Names":["/a"],"WithDecryption":true}"#, Some("AmazonSSM.GetParameters")).unwrap();
    assert_eq!(got, [("Names".into(), Value::List(vec![text("/a")])), ("WithDecryption".into(), Value::Bool(true))]);
    let got = decoded(r#"{"InstanceIds":["i-1"]}"#, Some("Allod_ec2.DescribeInstances")).unwrap();
    assert_eq!(got, [("InstanceIds".into(), Value::List(vec![text("i-1")]))]);
}

#[test]
fn bad_requests_are_told_in_awss_words() {
    let cases = [
        (format!("{EC2}Dance"), None, "InvalidAction", "The action Dance is not valid for this web service."),
        (
            format!("{EC2}CreateSubnet&CidrBlock=10.0.0.0/24"),
            None,
            "MissingParameter",
            "The request must contain the parameter VpcId",
        ),
        (format!("{EC2}DescribeInstances&Color=red"), None, "UnknownParameter", "The parameter Color is not recognized"),
        (
            format!("{EC2}DescribeInstances&MaxResults=many"),
            None,
            "InvalidParameterValue",
            "Invalid value for MaxResults: an integer is expected",
        ),
        (
            format!("{ASG}SetDesiredCapacity&DesiredCapacity=1"),
            None,
            "ValidationError",
            "1 validation error detected: Value null at 'autoScalingGroupName' failed to satisfy constraint: Member must not be null",
        ),
        ("{".into(), Some("AmazonSSM.GetParameters"), "SerializationException", "EOF while parsing an object at line 1 column 1"),
        ("{}".into(), Some("AmazonSSM.Dance"), "UnknownOperationException", "The operation AmazonSSM.Dance is unknown."),
        (r#"{"Names":"a"}"#.into(), Some("AmazonSSM.GetParameters"), "SerializationException", "/Names must be a list"),
        (
            r#"{"MaxResults":4294967296}"#.into(),
            Some("AmazonSSM.DescribeParameters"),
            "SerializationException",
            "/MaxResults must be an integer of 32 bits",
        ),
    ];
    for (body, target, code, message) in cases {
        assert_eq!(fault(&body, target), (code.into(), message.into()), "{body}");
    }
}

/// Who forgets the number must not get what an empty list means, which is everything.
#[test]
fn a_list_or_structure_that_is_given_as_a_text_is_refused() {
    let asg = |rest: &str| format!("{ASG}SuspendProcesses&AutoScalingGroupName=a&{rest}");
    let sns = |rest: &str| format!("Version=2010-03-31&Action=CreateTopic&Name=a&{rest}");
    for (body, code) in [
        (format!("{EC2}DescribeInstances&InstanceId=i-1"), "InvalidParameterValue"),
        (format!("{EC2}DescribeInstances&Filter.1=vpc-id"), "InvalidParameterValue"),
        (asg("ScalingProcesses=Launch"), "MalformedInput"),
        (asg("ScalingProcesses.member=Launch"), "MalformedInput"),
        (asg("ScalingProcesses=Launch&ScalingProcesses.member.1=Launch"), "MalformedInput"),
        (sns("Attributes=a"), "MalformedInput"),
        (sns("Attributes.entry=a"), "MalformedInput"),
        (sns("Attributes.entry.1=a&Attributes.entry.1.key=k&Attributes.entry.1.value=v"), "MalformedInput"),
        (sns("Attributes.entry.1.key=k&Attributes.entry.1.value=v&Attributes.entry.1.more=w"), "ValidationError"),
    ] {
        assert_eq!(decoded(&body, None).map_err(|fault| fault.code.into_owned()), Err(code.into()), "{body}");
    }
    // So clients write an empty list.
    let empty = decoded(&asg("ScalingProcesses="), None).unwrap();
    assert_eq!(empty[1], ("ScalingProcesses".into(), Value::List(vec![])));
}

#[test]
fn answers_have_awss_form() {
    let (parts, body) = post(&format!("{EC2}DescribeRegions"), None);
    let ec2 = route(&parts, &body).unwrap();
    let structure = ec2.service.structure("Region").unwrap();
    let region =
        structure.members.iter().map(|m| if m.name == "RegionName" { text("a<b>&\u{1}") } else { Value::Null }).collect();
    let value = Value::Struct(vec![Value::List(vec![Value::Struct(region)])]);
    let answer = encode(&ec2, Ok(&value), "r-1");
    assert_eq!(
        String::from_utf8(answer.into_body()).unwrap(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DescribeRegionsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
         <requestId>r-1</requestId><regionInfo><item><regionName>a&lt;b&gt;&amp;\u{fffd}</regionName></item></regionInfo></DescribeRegionsResponse>"
    );
    let answer = encode(&ec2, Err(&Fault::client("InvalidVpcID.NotFound", "no")), "r-2");
    assert_eq!(answer.status(), 400);
    assert_eq!(
        String::from_utf8(answer.into_body()).unwrap(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code><Message>no</Message></Error></Errors>\
         <RequestID>r-2</RequestID></Response>"
    );
    let (parts, body) = post(&format!("{ASG}SetDesiredCapacity&AutoScalingGroupName=a&DesiredCapacity=1"), None);
    let asg = route(&parts, &body).unwrap();
    let answer = encode(&asg, Ok(&Value::Null), "r-3");
    assert_eq!(
        String::from_utf8(answer.into_body()).unwrap(),
        "<SetDesiredCapacityResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><ResponseMetadata><RequestId>r-3</RequestId>\
         </ResponseMetadata></SetDesiredCapacityResponse>"
    );
    let (parts, body) = post("{}", Some("AmazonSSM.PutParameter"));
    let ssm = route(&parts, &body).unwrap();
    assert_eq!(ssm.protocol, Protocol::Json);
    let answer = encode(&ssm, Err(&Fault::client("ParameterNotFound", "no")), "r-4");
    assert_eq!(answer.body(), br#"{"__type":"ParameterNotFound","message":"no"}"#);
}

/// What a launch template was not given is not shown as empty: Ansible compares it with what it gave.
#[test]
fn lists_that_a_launch_template_was_not_given_are_left_out() {
    let (parts, body) = post(&format!("{EC2}DescribeLaunchTemplateVersions"), None);
    let route = route(&parts, &body).unwrap();
    let of = |name: &str, given: &[(&str, Value)]| {
        let members = &route.service.structure(name).unwrap().members;
        let value = |m: &models::Member| match given.iter().find(|(name, _)| *name == m.name) {
            Some((_, value)) => value.clone(),
            None if matches!(m.shape, models::Type::List { .. }) => Value::List(Vec::new()),
            None => Value::Null,
        };
        Value::Struct(members.iter().map(value).collect())
    };
    let monitoring = of("LaunchTemplatesMonitoring", &[("Enabled", Value::Bool(true))]);
    let data = of("ResponseLaunchTemplateData", &[("Monitoring", monitoring)]);
    let version = of("LaunchTemplateVersion", &[("LaunchTemplateData", data)]);
    let versions = ("LaunchTemplateVersions", Value::List(vec![version]));
    let answer = encode(&route, Ok(&of("DescribeLaunchTemplateVersionsResult", &[versions])), "r-1");
    let text = String::from_utf8(answer.into_body()).unwrap();
    let data = "<item><launchTemplateData><monitoring><enabled>true</enabled></monitoring></launchTemplateData></item>";
    assert!(text.contains(data), "{text}");
}

proptest! {
    #[test]
    fn random_bytes_are_refused_or_read_but_never_crash(body in proptest::collection::vec(any::<u8>(), 0..400), json in any::<bool>()) {
        let target = json.then_some("AmazonSSM.PutParameter");
        let (mut parts, _) = post("", target);
        parts.uri = "/".parse().unwrap();
        if let Ok(route) = route(&parts, &body) {
            let _ = decode(&route, &parts, &body);
        }
    }

    #[test]
    fn random_parameters_are_refused_or_read_but_never_crash(keys in proptest::collection::vec("[A-Za-z.0-9]{0,40}", 0..20)) {
        let body: String = keys.iter().map(|k| format!("&{k}=1")).collect();
        let (parts, body) = post(&format!("{EC2}RunInstances{body}"), None);
        let route = route(&parts, &body).unwrap();
        let _ = decode(&route, &parts, &body);
    }
}

/// A request of RPC v2, from hexadecimal digits.
fn cbor(name: &str, hex: &str) -> (Parts, Vec<u8>) {
    let request = Request::post(format!("/service/GraniteServiceVersion20100801/operation/{name}"));
    let (parts, ()) = request.header("smithy-protocol", "rpc-v2-cbor").body(()).unwrap().into_parts();
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    (parts, digits.chunks(2).map(byte).collect())
}

fn read_cbor(name: &str, hex: &str) -> Result<Vec<(String, Value)>, Fault> {
    let (parts, body) = cbor(name, hex);
    let route = route(&parts, &body).map_err(|r| r.fault)?;
    assert_eq!(route.protocol, Protocol::Cbor);
    let Value::Struct(slots) = decode(&route, &parts, &body)? else { return Ok(vec![]) };
    let structure = route.service.structure(route.operation.input.as_ref().unwrap()).unwrap();
    let all = structure.members.iter().map(|m| m.name.clone()).zip(slots);
    Ok(all.filter(|(_, v)| *v != Value::Null).collect())
}

/// {"AlarmNames": ["a"], "MaxRecords": 5}: of known length, of open length, with the text in pieces.
#[test]
fn cbor_is_read() {
    let wanted = [("AlarmNames".into(), Value::List(vec![text("a")])), ("MaxRecords".into(), Value::Int(5))];
    for hex in [
        "a2 6a416c61726d4e616d6573 81 6161 6a4d61785265636f726473 05",
        "bf 6a416c61726d4e616d6573 9f 6161 ff 6a4d61785265636f726473 1805 ff",
        "a2 6a416c61726d4e616d6573 81 7f 6161 ff 6a4d61785265636f726473 1b0000000000000005",
    ] {
        assert_eq!(read_cbor("DescribeAlarms", hex).unwrap(), wanted, "{hex}");
    }
}

#[test]
fn bad_cbor_is_refused() {
    for (hex, message) in [
        ("81 01", "the request must be a map"),
        ("a1 6a4d61785265636f726473 6161", "/MaxRecords must be an integer of 32 bits"),
        ("a1 6a4d61785265636f726473 1b00000001 00000000", "/MaxRecords must be an integer of 32 bits"),
        ("a1 6141 01", "/A is not recognized"),
        ("a0 00", "more bytes than a request"),
        ("a1 6a416c61726d4e616d6573 9bffffffffffffffff 6161", "end of input bytes"),
    ] {
        let fault = read_cbor("DescribeAlarms", hex).unwrap_err();
        assert_eq!((fault.code.as_ref(), fault.message.as_str()), ("SerializationException", message), "{hex}");
    }
    // What has to be there is not let in as nothing: {"Namespace": "N", "MetricData": [null]}.
    for nothing in ["f6", "f7"] {
        let fault = read_cbor("PutMetricData", &format!("a2 694e616d657370616365 614e 6a4d657472696344617461 81{nothing}"));
        assert_eq!(fault.unwrap_err().message, "/MetricData/0 must be present");
    }
    assert_eq!(
        read_cbor("DescribeAlarms", "a1 6a416c61726d4e616d6573 81f6").unwrap_err().message,
        "/AlarmNames/0 must be present"
    );
    assert_eq!(read_cbor("Dance", "a0").unwrap_err().code, "UnknownOperationException");
}

#[test]
fn answers_in_cbor_have_smithys_form() {
    let (parts, body) = cbor("DescribeAlarms", "a0");
    let route = route(&parts, &body).unwrap();
    let structure = route.service.structure(route.operation.output.as_ref().unwrap()).unwrap();
    let token = structure.members.iter().map(|m| if m.name == "NextToken" { text("t") } else { Value::Null }).collect();
    let answer = encode(&route, Ok(&Value::Struct(token)), "r-1");
    assert_eq!(answer.headers()["smithy-protocol"], "rpc-v2-cbor");
    assert_eq!(answer.headers()["content-type"], "application/cbor");
    assert_eq!(answer.body(), b"\xa1\x69NextToken\x61t");
    // The error's shape in the body, its code of the query protocol in the header.
    let answer = encode(&route, Err(&Fault::client("ResourceNotFound", "no")), "r-2");
    assert_eq!(answer.headers()["x-amzn-query-error"], "ResourceNotFound;Sender");
    assert!(answer.body().starts_with(b"\xa2\x66__type"), "{:?}", answer.body());
}

proptest! {
    #[test]
    fn random_cbor_is_refused_or_read_but_never_crashes(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (parts, _) = cbor("PutMetricAlarm", "a0");
        let route = route(&parts, &noise).unwrap();
        let _ = decode(&route, &parts, &noise);
    }
}

/// A key that is too long is still a key: no answer shows it.
#[test]
fn what_is_far_too_long_is_not_said_again() {
    let iam = "Version=2010-05-08&Action=UploadServerCertificate&ServerCertificateName=a&CertificateBody=b";
    let (code, message) = fault(&format!("{iam}&PrivateKey={}", "k".repeat(16_385)), None);
    assert_eq!(code, "ValidationError");
    assert_eq!(
        message,
        "1 validation error detected: Value at 'privateKey' failed to satisfy constraint: Member must have length less than or equal to 16384"
    );
}
