//! AWS's error code and status for each protocol family, whatever is wrong with who asks or what is asked.

use base::Time;
use wire::sigv4::Key;

use crate::rig::{Answer, REGION, Rig};

/// A protocol family: a service of it, its JSON target, and a request that would change something.
struct Family {
    service: &'static str,
    target: Option<&'static str>,
    body: &'static str,
}

const FAMILIES: [Family; 3] = [
    Family { service: "ec2", target: None, body: "Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0%2F16" },
    Family {
        service: "cloudformation",
        target: None,
        body: "Action=CreateStack&Version=2010-05-15&StackName=a&TemplateBody=%7B%22Resources%22%3A%7B%22A%22%3A%7B%22Type%22%3A%22AWS%3A%3AEC2%3A%3AInternetGateway%22%7D%7D%7D",
    },
    Family { service: "ssm", target: Some("AmazonSSM.PutParameter"), body: r#"{"Name":"/a","Value":"b","Type":"String"}"# },
];

impl Family {
    fn headers(&self) -> Vec<(&'static str, &'static str)> {
        self.target.map(|target| ("x-amz-target", target)).into_iter().collect()
    }

    fn signed(&self, rig: &Rig, key: &Key, now: Time) -> Answer {
        rig.exchange(&rig.signed_by(key, now, "/", &self.headers(), self.body.as_bytes()))
    }

    fn unsigned(&self, rig: &Rig, path: &str, more: &str) -> Answer {
        let headers: String = self.headers().iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
        let (address, length) = (rig.address, self.body.len());
        rig.exchange(
            format!("POST {path} HTTP/1.1\r\nHost: {address}\r\n{headers}{more}Content-Length: {length}\r\nConnection: close\r\n\r\n{}", self.body)
                .as_bytes(),
        )
    }
}

/// Statuses and codes of EC2, the query services and the JSON services, in this order.
type Expected = [(u16, &'static str); 3];

#[track_caller]
fn check(expected: Expected, ask: impl Fn(&Family) -> Answer) {
    for (family, (status, code)) in FAMILIES.iter().zip(expected) {
        let answer = ask(family);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}: {answer:?}", family.service);
        assert!(answer.head.contains("x-amzn-requestid: "), "{answer:?}");
        let kind = if family.target.is_some() { "content-type: application/x-amz-json-1.1" } else { "content-type: text/xml" };
        assert!(answer.head.contains(kind), "{answer:?}");
        let envelope = match family.service {
            "ec2" => "<Response><Errors><Error><Code>",
            "ssm" => "{\"__type\":",
            _ => "<ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><Error><Type>Sender</Type><Code>",
        };
        assert!(answer.body.contains(envelope), "{answer:?}");
    }
}

#[test]
fn who_cannot_prove_who_he_is_changes_nothing_and_learns_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let before = Rig::start(directory.path()).rows();
    let rig = Rig::start(directory.path());
    let now = server::wall_clock();
    let minutes = |n: i64| Time::from_unix_ms(now.unix_ms() + n * 60_000);
    let mismatch: Expected = [(401, "AuthFailure"), (403, "SignatureDoesNotMatch"), (400, "InvalidSignatureException")];
    let expired: Expected = [(400, "RequestExpired"), (403, "SignatureDoesNotMatch"), (400, "InvalidSignatureException")];
    check(mismatch, |f| f.signed(&rig, &Key { secret_access_key: "wrong", ..rig.key(f.service) }, now));
    check(mismatch, |f| f.signed(&rig, &Key { region: "us-west-2", ..rig.key(f.service) }, now));
    check(mismatch, |f| f.signed(&rig, &Key { region: "us-east-1", ..rig.key(f.service) }, now));
    check(expired, |f| f.signed(&rig, &rig.key(f.service), minutes(-16)));
    check(expired, |f| f.signed(&rig, &rig.key(f.service), minutes(16)));
    check([(401, "AuthFailure"), (403, "InvalidClientTokenId"), (400, "UnrecognizedClientException")], |f| {
        f.signed(&rig, &Key { access_key_id: "AKIAUNKNOWN", ..rig.key(f.service) }, now)
    });
    let malformed: Expected = [(400, "IncompleteSignature"), (400, "IncompleteSignature"), (400, "IncompleteSignatureException")];
    check(malformed, |f| {
        let scope = format!("Credential=A/20260131/{REGION}/{}/aws4_request", f.service);
        f.unsigned(&rig, "/", &format!("Authorization: AWS4-HMAC-SHA256 {scope}\r\nX-Amz-Date: 20260131T000000Z\r\n"))
    });
    // In the URL.
    let presigned = |f: &Family, expires: &str, signature: &str| {
        format!(
            "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F20260131%2F{REGION}%2F{}%2Faws4_request&X-Amz-Date=20260131T000000Z\
             &X-Amz-Expires={expires}&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}",
            rig.credentials.access_key_id, f.service
        )
    };
    check(expired, |f| f.unsigned(&rig, &presigned(f, "60", "00"), ""));
    check(malformed, |f| f.unsigned(&rig, &presigned(f, "604801", "00"), ""));
    check(malformed, |f| f.unsigned(&rig, &presigned(f, "soon", "00"), ""));
    rig.is_well();
    assert!(rig.rows() == before, "something was changed");
}

#[test]
fn unsigned_requests_are_refused_whatever_they_ask() {
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::start(directory.path());
    // Without a signature only the version tells EC2 from the others.
    for (path, body, target, expected) in [
        ("/", "Action=CreateVpc&Version=2016-11-15", "", (401, "MissingAuthenticationToken")),
        ("/", "Action=CreateStack&Version=2010-05-15", "", (403, "MissingAuthenticationToken")),
        ("/", "Action=Dance&Version=2010-05-15", "", (403, "MissingAuthenticationToken")),
        ("/", "Action=CreateVpc", "", (403, "MissingAuthenticationToken")),
        ("/", "", "", (403, "MissingAuthenticationToken")),
        ("/nowhere", "", "", (403, "MissingAuthenticationToken")),
        ("/", "{}", "x-amz-target: AmazonSSM.PutParameter\r\n", (400, "MissingAuthenticationTokenException")),
        ("/", "{}", "x-amz-target: Nobody.Nothing\r\n", (400, "MissingAuthenticationTokenException")),
        ("/", "{}", "x-amz-target: Allod_ec2.CreateVpc\r\n", (400, "MissingAuthenticationTokenException")),
        ("/_allod/shutdown", "{}", "", (400, "MissingAuthenticationTokenException")),
        ("/_allod/status", "{}", "", (400, "MissingAuthenticationTokenException")),
        (
            "/_allod/status",
            "{}",
            "cookie: allod-4566=0123456789abcdef0123456789abcdef\r\n",
            (400, "MissingAuthenticationTokenException"),
        ),
    ] {
        let (address, length) = (rig.address, body.len());
        let text = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\n{target}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let answer = rig.exchange(text.as_bytes());
        assert_eq!((answer.status, answer.code().as_str()), expected, "{path} {target}{body}: {answer:?}");
    }
    // A page elsewhere on the web reaches nothing under a name of its own.
    let answer = rig.exchange(b"POST /_allod/status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert_eq!(answer.status, 403);
}

/// The scope of a signature binds it to a service, as it does to a region.
#[test]
fn a_signature_for_another_service_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::start(directory.path());
    let put = r#"{"Name":"/a","Value":"b","Type":"String"}"#;
    for (service, region) in [("ec2", REGION), ("iam", REGION), ("iam", "us-east-1")] {
        for target in ["AmazonSSM.PutParameter", "Allod_ssm.PutParameter"] {
            let key = Key { region, ..rig.key(service) };
            let headers = [("x-amz-target", target)];
            let answer = rig.exchange(&rig.signed_by(&key, server::wall_clock(), "/", &headers, put.as_bytes()));
            assert_eq!((answer.status, answer.code().as_str()), (400, "InvalidSignatureException"), "{answer:?}");
            assert!(answer.body.contains("Credential should be scoped to correct service: 'ssm'."), "{answer:?}");
        }
    }
    // Our own protocol is signed by the name of a description also.
    for service in ["elbv2", "elasticloadbalancing"] {
        assert_eq!(rig.json(service, "Allod_elbv2.DescribeLoadBalancers", "{}").status, 200, "{service}");
    }
}

#[test]
fn what_does_not_exist_is_told_in_awss_codes() {
    let directory = tempfile::tempdir().unwrap();
    let before = Rig::start(directory.path()).rows();
    let rig = Rig::start(directory.path());
    let ec2 = [
        ("Action=Dance&Version=2016-11-15", "InvalidAction"),
        ("Action=CreateVpc&Version=2030-01-01&CidrBlock=10.0.0.0/16", "NoSuchVersion"),
        ("Action=CreateVpc&Version=latest&CidrBlock=10.0.0.0/16", "NoSuchVersion"),
        ("Action=&Version=2016-11-15", "MissingAction"),
        ("Version=2016-11-15", "MissingAction"),
        ("", "MissingAction"),
        ("Action=CreateVpc&Version=2016-11-15&CidrBlock=%ff%fe", "MalformedQueryString"),
        ("Action=CreateVpc&Version=2016-11-15&Colour=red", "UnknownParameter"),
        ("Action=CreateSubnet&Version=2016-11-15&CidrBlock=10.0.0.0/24", "MissingParameter"),
        ("Action=DescribeVpcs&Version=2016-11-15&MaxResults=many", "InvalidParameterValue"),
    ];
    for (body, code) in ec2 {
        let answer = rig.query("ec2", body);
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{body}: {answer:?}");
        assert!(answer.body.contains("<Response><Errors>"), "{answer:?}");
    }
    let query = [
        ("Action=Dance&Version=2010-05-15", "InvalidAction"),
        ("Action=CreateStack&Version=2009-01-01&StackName=a", "InvalidAction"),
        ("Action=CreateStack&Version=2010-05-15", "ValidationError"),
        ("Action=CreateStack&Version=2010-05-15&StackName=a&TemplateBody=%7B", "ValidationError"),
        ("Action=CreateStack&Version=2010-05-15&StackName=a&Parameters.one.ParameterKey=a", "ValidationError"),
    ];
    for (body, code) in query {
        let answer = rig.query("cloudformation", body);
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{body}: {answer:?}");
        assert!(answer.body.contains("<ErrorResponse"), "{answer:?}");
    }
    let json = [
        ("AmazonSSM.Dance", "{}", "UnknownOperationException"),
        ("Nobody.PutParameter", "{}", "UnknownOperationException"),
        ("PutParameter", "{}", "UnknownOperationException"),
        ("", "{}", "UnknownOperationException"),
        ("AmazonSSM.PutParameter", "{", "SerializationException"),
        ("AmazonSSM.PutParameter", "[]", "SerializationException"),
        ("AmazonSSM.PutParameter", "\u{1f600}", "SerializationException"),
        ("AmazonSSM.PutParameter", r#"{"Name":7}"#, "SerializationException"),
        ("AmazonSSM.PutParameter", r#"{"Type":"String"}"#, "ValidationException"),
        ("AmazonSSM.GetParameter", r#"{"Name":"/nothing"}"#, "ParameterNotFound"),
    ];
    for (target, body, code) in json {
        let answer = rig.json("ssm", target, body);
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{target} {body}: {answer:?}");
    }
    // A service that is described, but that the region does not have.
    let answer = rig.json("kms", "TrentService.CreateKey", "{}");
    assert_eq!((answer.status, answer.code().as_str()), (400, "UnknownOperationException"), "{answer:?}");
    // CloudWatch speaks JSON 1.0, also when it refuses ("AWS JSON 1.0 protocol", Smithy).
    let answer = rig.json("monitoring", "GraniteServiceVersion20100801.DescribeAlarms", r#"{"MaxRecords":0}"#);
    assert!(answer.status == 400 && answer.head.contains("content-type: application/x-amz-json-1.0"), "{answer:?}");
    assert!(rig.rows() == before, "something was changed");
}

#[test]
fn the_console_of_an_unknown_instance_is_awss_error() {
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::start(directory.path());
    for (id, code) in [("i-0123456789abcdef0", "InvalidInstanceID.NotFound"), ("../../etc/passwd", "InvalidInstanceID.Malformed")]
    {
        let answer = rig.query("ec2", &format!("Action=GetConsoleOutput&Version=2016-11-15&InstanceId={id}"));
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{answer:?}");
    }
}
