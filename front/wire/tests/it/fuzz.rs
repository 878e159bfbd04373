//! Whatever comes in, the codecs answer or refuse; they never crash, and never take much more memory than they were given.

use base::{Fault, Time, Value};
use http::Request;
use http::request::Parts;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::sample::select;
use wire::sigv4::{Key, sign, verify};
use wire::{Protocol, decode, encode, encode_fault, route};

const NOON: Time = Time::from_unix_ms(1_769_860_800_000);
const KEY: Key = Key { access_key_id: "AKIAEXAMPLE", secret_access_key: "secret", region: "eu-central-1", service: "ec2" };

/// Good requests of each family: target and body.
const GOOD: [(Option<&str>, &str); 6] = [
    (
        None,
        "Action=RunInstances&Version=2016-11-15&ImageId=ami-1&MinCount=1&MaxCount=2&BlockDeviceMapping.1.Ebs.VolumeSize=8&\
         TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b%20c",
    ),
    (None, "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1&Filter.1.Value.2=vpc-2"),
    (
        None,
        "Action=CreateAutoScalingGroup&Version=2011-01-01&AutoScalingGroupName=a&MinSize=1&MaxSize=3&\
         LaunchTemplate.LaunchTemplateName=t&Tags.member.1.Key=k&Tags.member.1.PropagateAtLaunch=true",
    ),
    (None, "Action=CreateStack&Version=2010-05-15&StackName=a&Parameters.member.1.ParameterKey=k&TemplateBody=%7B%7D"),
    (
        Some("AmazonSSM.PutParameter"),
        r#"{"Name":"/a","Value":"b","Type":"String","Tags":[{"Key":"k","Value":"v"}],"Overwrite":true}"#,
    ),
    (Some("Allod_ec2.RunInstances"), r#"{"ImageId":"ami-1","MinCount":1,"MaxCount":1,"Monitoring":{"Enabled":false}}"#),
];

fn parts(target: Option<&str>) -> Parts {
    let mut request = Request::post("/").header("host", "localhost");
    if let Some(target) = target {
        request = request.header("x-amz-target", target);
    }
    request.body(()).unwrap().into_parts().0
}

/// Routes, decodes, and writes an answer to what came of it.
fn run(parts: &Parts, body: &[u8]) -> Result<Value, Fault> {
    let _ = wire::protocol(parts);
    let answer = match route(parts, body) {
        Ok(route) => {
            let outcome = decode(&route, parts, body);
            (encode(&route, outcome.as_ref().map(|_| &Value::Null), "r-1"), outcome)
        }
        Err(refusal) => {
            let answer = encode_fault(refusal.protocol, refusal.namespace.as_deref(), &refusal.fault, "r-1");
            (answer, Err(refusal.fault))
        }
    };
    if answer.1.is_err() {
        assert!((400..500).contains(&answer.0.status().as_u16()), "a bad request is its sender's fault");
        // What was asked is quoted, but neither in full nor so that it could become markup.
        assert!(answer.0.body().len() < 64 * 1024 + 8 * body.len());
    }
    answer.1
}

/// A change to a request: what is there is cut out, doubled, or written over.
#[derive(Clone, Debug)]
enum Mutation {
    Set(usize, u8),
    Cut(usize, usize),
    Double(usize, usize),
    Insert(usize, &'static [u8]),
}

const PIECES: [&[u8]; 22] = [
    b"&",
    b"=",
    b".",
    b"%",
    b"%zz",
    b"%00",
    b"%ff",
    b"+",
    b"\"",
    b"{",
    b"[",
    b"\\u",
    b"null",
    b"-1",
    b"1e999",
    b".member.",
    b".1.",
    b".4294967295.",
    b".99999999999999999999",
    b"99999999999999999999",
    b"\xff\xfe",
    b"\0",
];

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let at = any::<usize>();
    let one = prop_oneof![
        (at, any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        (at, 0_usize..30).prop_map(|(at, n)| Mutation::Cut(at, n)),
        (at, 0_usize..60).prop_map(|(at, n)| Mutation::Double(at, n)),
        (at, select(&PIECES)).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
    ];
    proptest::collection::vec(one, 1..8)
}

fn mutated(text: &[u8], mutations: &[Mutation]) -> Vec<u8> {
    let mut text = text.to_vec();
    for mutation in mutations {
        let length = text.len();
        match *mutation {
            Mutation::Set(at, byte) if length > 0 => text[at % length] = byte,
            Mutation::Cut(at, n) if length > 0 => drop(text.drain(at % length..(at % length + n).min(length))),
            Mutation::Double(at, n) if length > 0 => {
                let again = text[at % length..(at % length + n).min(length)].to_vec();
                text.splice(at % length..at % length, again);
            }
            Mutation::Insert(at, piece) => drop(text.splice(at % (length + 1)..at % (length + 1), piece.iter().copied())),
            _ => {}
        }
    }
    text
}

/// The parts of a header, in any order.
fn fields(header: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(header).to_lowercase();
    text.split([',', ' ']).map(|part| part.trim().to_string()).filter(|part| !part.is_empty()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn mutated_requests_are_read_or_refused(which in 0..GOOD.len(), mutations in mutations()) {
        let (target, body) = GOOD[which];
        let _ = run(&parts(target), &mutated(body.as_bytes(), &mutations));
    }

    #[test]
    fn mutated_urls_and_targets_are_read_or_refused(which in 0..GOOD.len(), mutations in mutations()) {
        let (target, body) = GOOD[which];
        let mut parts = parts(None);
        let name = mutated(target.unwrap_or("AmazonSSM.GetParameters").as_bytes(), &mutations);
        if target.is_some() && let Ok(value) = http::HeaderValue::from_bytes(&name) {
            parts.headers.insert("x-amz-target", value);
        }
        let query = mutated(body.as_bytes(), &mutations);
        if let Ok(uri) = http::Uri::from_maybe_shared(bytes::Bytes::from([b"/?", &query[..]].concat())) {
            parts.uri = uri;
        }
        parts.method = http::Method::GET;
        let _ = run(&parts, b"");
    }

    #[test]
    fn a_mutated_signature_is_never_accepted_nor_crashes(header in any::<bool>(), mutations in mutations()) {
        let mut request = Request::post("http://localhost/a%20b?x=1&y=%2F").body(GOOD[0].1.as_bytes().to_vec()).unwrap();
        sign(&mut request, &KEY, NOON);
        let (mut parts, body) = request.into_parts();
        let check = |parts: &Parts| verify(parts, &body, NOON, |id| (id == KEY.access_key_id).then(|| KEY.secret_access_key.into()));
        check(&parts).unwrap();
        let name = if header { "authorization" } else { "x-amz-date" };
        let text = parts.headers[name].as_bytes().to_vec();
        let changed = mutated(&text, &mutations);
        let Ok(value) = http::HeaderValue::from_bytes(&changed) else { return Ok(()) };
        parts.headers.insert(name, value);
        let (meant, said) = (fields(&text), fields(&changed));
        match check(&parts) {
            // Fields may be doubled or junk may stand between them; what was signed is all there.
            Ok(_) => assert!(meant.iter().all(|field| said.contains(field)), "{changed:?}"),
            Err(e) => for protocol in [Protocol::Query, Protocol::Ec2, Protocol::Json] {
                assert!((400..404).contains(&e.fault(protocol).http));
            },
        }
    }

    #[test]
    fn random_presigned_urls_never_crash(fields in proptest::collection::vec((select(&["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"]), prop_oneof![
        "[ -~]{0,40}",
        Just("AWS4-HMAC-SHA256".to_string()),
        Just("AKIAEXAMPLE/20260131/eu-central-1/ec2/aws4_request".to_string()),
        Just("20260131T120000Z".to_string()),
        Just("99999999999999999999".to_string()),
        Just("\u{e9}\u{1f600}0131T120000Z".to_string()),
        Just("host;host".to_string()),
    ]), 0..10)) {
        let encoded = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
        let query: Vec<String> = fields.iter().map(|(name, value)| format!("X-Amz-{name}={}", encoded(value))).collect();
        let mut parts = parts(None);
        parts.uri = format!("/?{}", query.join("&")).parse().unwrap();
        assert!(verify(&parts, b"", NOON, |_| Some("secret".into())).is_err());
        let _ = run(&parts, b"");
    }

    #[test]
    fn random_authorization_headers_never_crash(text in "(AWS4-HMAC-SHA256)?[ -~]{0,80}", date in "[0-9TZé:+ -]{0,20}") {
        let mut parts = parts(None);
        for (name, value) in [("authorization", text), ("x-amz-date", date)] {
            parts.headers.insert(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        assert!(verify(&parts, b"", NOON, |_| Some("secret".into())).is_err());
        let _ = run(&parts, b"");
    }
}
