//! What the JSON reader refuses, and that it reads what a plain reading by way of a tree would: serde_json is the judge of what
//! is JSON at all, and a slow conversion of its tree says what a request means.

#![allow(clippy::unwrap_used)]

use std::fmt;

use base::{Time, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use models::{Structure, Type};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::sample::select;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::route::{Route, route};

/// Between them these have every kind of member: lists and maps of structures, integers of both widths, floats, moments, bytes.
const TARGETS: [&str; 4] = [
    "GraniteServiceVersion20100801.PutMetricData",
    "Allod_sns.Publish",
    "Allod_ec2.RunInstances",
    "Allod_autoscaling.PutScheduledUpdateGroupAction",
];
const PUT: &str = TARGETS[0];

fn routed(target: &str) -> Route {
    let request = http::Request::post("/").header("x-amz-target", target).body(()).unwrap();
    route(&request.into_parts().0, b"").map_err(|r| r.fault).unwrap()
}

fn read(target: &str, body: &[u8]) -> Result<Value, String> {
    super::decode(&routed(target), body).map_err(|fault| {
        assert_eq!((fault.http, fault.code.as_ref()), (400, "SerializationException"));
        fault.message
    })
}

/// JSON as serde_json reads it, every pair of an object in the order of the text.
#[derive(Debug)]
enum Tree {
    Null,
    Bool(bool),
    Number(Option<i64>, f64),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Grower)
    }
}

struct Grower;

impl<'de> Visitor<'de> for Grower {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }
    fn visit_bool<E: Error>(self, b: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(b))
    }
    fn visit_i64<E: Error>(self, n: i64) -> Result<Tree, E> {
        Ok(Tree::Number(Some(n), n as f64))
    }
    fn visit_u64<E: Error>(self, n: u64) -> Result<Tree, E> {
        Ok(Tree::Number(i64::try_from(n).ok(), n as f64))
    }
    fn visit_f64<E: Error>(self, n: f64) -> Result<Tree, E> {
        Ok(Tree::Number(None, n))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.into()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Tree::Object(pairs))
    }
}

/// What a tree means; none when it does not fit.
fn structure(route: &Route, structure: &Structure, tree: &Tree) -> Option<Value> {
    let Tree::Object(pairs) = tree else { return None };
    let mut slots = vec![Value::Null; structure.members.len()];
    // Of a member that comes twice the last counts.
    for (name, tree) in pairs {
        let at = structure.members.iter().position(|member| super::name(route, member) == name)?;
        slots[at] = if matches!(tree, Tree::Null) { Value::Null } else { convert(route, &structure.members[at].shape, tree)? };
    }
    Some(Value::Struct(slots))
}

fn convert(route: &Route, shape: &Type, tree: &Tree) -> Option<Value> {
    Some(match (shape, tree) {
        (Type::Structure(name), tree) => match route.service.structure(name) {
            Some(found) => structure(route, found, tree)?,
            None => Value::Null,
        },
        (Type::List { item, .. }, Tree::List(items)) => {
            Value::List(items.iter().map(|tree| convert(route, item, tree)).collect::<Option<_>>()?)
        }
        (Type::Map { value, .. }, Tree::Object(pairs)) => {
            let pairs = pairs.iter().map(|(key, tree)| Some((key.clone(), convert(route, value, tree)?)));
            Value::Map(pairs.collect::<Option<_>>()?)
        }
        (Type::Bool, Tree::Bool(b)) => Value::Bool(*b),
        (Type::Int, Tree::Number(Some(n), _)) if i32::try_from(*n).is_ok() => Value::Int(*n),
        (Type::Long, Tree::Number(Some(n), _)) => Value::Int(*n),
        (Type::F32 | Type::F64, Tree::Number(_, n)) => Value::Float(*n),
        (Type::F32 | Type::F64, Tree::Text(text)) if ["NaN", "Infinity", "-Infinity"].contains(&text.as_str()) => {
            Value::Float(text.parse().unwrap())
        }
        (Type::Str | Type::Text(_), Tree::Text(text)) => Value::Str(text.clone()),
        (Type::Blob, Tree::Text(text)) => Value::Blob(STANDARD.decode(text).ok()?),
        (Type::Time(_), Tree::Text(text)) => Value::Time(Time::parse_iso8601(text)?),
        (Type::Time(_), Tree::Number(_, seconds)) => Value::Time(Time::from_unix_ms((seconds * 1_000.0) as i64)),
        _ => return None,
    })
}

/// Values by their text, for NaN is not equal to itself.
fn agree(target: &str, body: &[u8]) {
    let route = routed(target);
    let input = route.service.structure(route.operation.input.as_ref().unwrap()).unwrap();
    let body = if body.is_empty() { b"{}" } else { body };
    let tree = serde_json::from_slice::<Tree>(body);
    let meant = tree.as_ref().ok().and_then(|tree| structure(&route, input, tree));
    let got = read(target, body);
    let text = String::from_utf8_lossy(body);
    assert_eq!(format!("{:?}", got.as_ref().ok()), format!("{:?}", meant.as_ref()), "{target}: {text}: {got:?} {tree:?}");
}

fn refused(body: impl AsRef<[u8]>, told: &str) {
    let text = String::from_utf8_lossy(body.as_ref()).into_owned();
    let why = read(PUT, body.as_ref()).expect_err(&text);
    assert!(why.contains(told), "{text}: {why}");
    agree(PUT, body.as_ref());
}

#[test]
fn what_is_no_json_is_refused() {
    for body in [
        "{",
        "}",
        "[",
        "{]",
        "nul",
        "{\"Namespace\":\"a\",}",
        "{,}",
        "{\"Namespace\" \"a\"}",
        "{\"Namespace\":}",
        "{\"Namespace\":\"a\"",
        "{Namespace:\"a\"}",
        "{'Namespace':'a'}",
        "{\"Namespace\":\"a\"}}",
        "{\"Namespace\":\"a\"} {}",
        "{\"Namespace\":\"a\"}x",
        "{\"MetricData\":[,]}",
        "{\"MetricData\":[{},]}",
        "{\"MetricData\":[{} {}]}",
        "// no\n{}",
        "{/**/}",
        "\u{feff}{}",
        "{\"Namespace\":nil}",
        "{\"Namespace\":NaN}",
        "{\"a\u{0}\":1}",
        " ",
    ] {
        refused(body, "");
    }
}

#[test]
fn texts_are_escaped_and_unicode() {
    let name = |text: &str| [b"{\"Namespace\":\"".as_slice(), text.as_bytes(), b"\"}"].concat();
    for (bad, told) in [
        ("\\x41", "invalid escape"),
        ("\\'", "invalid escape"),
        ("\\u12", "invalid escape"),
        ("\\u12g4", "invalid escape"),
        ("\\", "EOF"),
        ("\\ud800", ""),
        ("\\ud800x", ""),
        ("\\ud800\\n", ""),
        ("\\ud800\\ud800", ""),
        ("\\udc00", ""),
        ("a\nb", "control character"),
        ("a\tb", "control character"),
        ("a\u{0}b", "control character"),
        ("a\u{1f}b", "control character"),
    ] {
        refused(name(bad), told);
    }
    for bytes in [&b"\xff"[..], b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"] {
        refused([b"{\"Namespace\":\"", bytes, b"\"}"].concat(), "unicode");
        refused([b"{\"", bytes, b"\":1}"].concat(), "");
    }
    for (good, text) in [
        ("\\u0041\\u00e9", "A\u{e9}"),
        ("\\ud83d\\ude00", "\u{1f600}"),
        ("\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\u{8}\u{c}\n\r\t"),
        ("\\u0000", "\0"),
        ("\u{7f}\u{2028}", "\u{7f}\u{2028}"),
    ] {
        let Value::Struct(slots) = read(PUT, &name(good)).unwrap() else { panic!("no structure") };
        assert!(slots.contains(&Value::Str(text.into())), "{good}: {slots:?}");
        agree(PUT, &name(good));
    }
    // A member's name may be escaped too.
    agree(PUT, br#"{"\u004eamespace":"a"}"#);
    assert!(read(PUT, br#"{"\u004eamespace":"a"}"#).is_ok());
}

#[test]
fn numbers_are_numbers_and_fit() {
    let datum = |value: &str| format!("{{\"MetricData\":[{{\"Value\":{value}}}]}}");
    for bad in
        ["01", "+1", "1.", ".5", "-", "1e", "1e+", "0x10", "1_000", "--1", "Infinity", "1 2", "\"1\"", "\"inf\"", "true", "[]"]
    {
        refused(datum(bad), "");
    }
    refused(datum("1e999"), "out of range");
    refused(datum("-1e999"), "out of range");
    for good in [
        "0",
        "-0",
        "-0.0",
        "1e3",
        "1E-3",
        "1.5",
        "9007199254740993",
        "18446744073709551616",
        "1e-999",
        "\"NaN\"",
        "\"-Infinity\"",
    ] {
        assert!(read(PUT, datum(good).as_bytes()).is_ok(), "{good}");
        agree(PUT, datum(good).as_bytes());
    }
    // StorageResolution is of 32 bits.
    let resolution = |n: &str| format!("{{\"MetricData\":[{{\"StorageResolution\":{n}}}]}}");
    for bad in
        ["2147483648", "-2147483649", "9223372036854775808", "18446744073709551616", "1.0", "1e0", "60.5", "\"60\"", "true"]
    {
        refused(resolution(bad), "StorageResolution must be an integer");
    }
    for good in ["60", "2147483647", "-2147483648", "-0"] {
        agree(PUT, resolution(good).as_bytes());
    }
    refused(r#"{"MetricData":[{"Timestamp":"yesterday"}]}"#, "a moment");
    refused(r#"{"MetricData":[{"Timestamp":true}]}"#, "a moment");
}

#[test]
fn of_a_member_that_comes_twice_the_last_counts() {
    for body in [
        r#"{"Namespace":"a","Namespace":"b"}"#,
        r#"{"Namespace":"a","Namespace":null}"#,
        r#"{"MetricData":[{"Value":1}],"Namespace":"a","MetricData":[]}"#,
    ] {
        assert!(read(PUT, body.as_bytes()).is_ok(), "{body}");
        agree(PUT, body.as_bytes());
    }
    // What is wrong with the first is told all the same.
    refused(r#"{"Namespace":1,"Namespace":"b"}"#, "Namespace must be a string");
    agree("Allod_sns.CreateTopic", br#"{"Name":"a","Attributes":{"k":"1","k":"2"}}"#);
}

#[test]
fn other_kinds_unknown_members_and_nulls_are_refused_where_they_stand() {
    for (body, told) in [
        ("[]", "the request must be an object"),
        ("null", "the request must be an object"),
        ("\"{}\"", "the request must be an object"),
        (r#"{"Color":"red"}"#, "/Color is not recognized"),
        (r#"{"namespace":"a"}"#, "/namespace is not recognized"),
        (r#"{"MetricData":{}}"#, "MetricData must be a list"),
        (r#"{"MetricData":[null]}"#, "must be an object"),
        (r#"{"MetricData":[{"Values":[1,null]}]}"#, "must be a number"),
        (r#"{"MetricData":[{"Dimensions":[{"Name":1}]}]}"#, "Name must be a string"),
    ] {
        refused(body, told);
    }
}

#[test]
fn depth_is_bounded() {
    for (open, close) in [("[", "]"), ("{\"MetricData\":", "}"), ("{\"a\":", "}")] {
        for depth in [129, 100_000] {
            assert!(read(PUT, format!("{}1{}", open.repeat(depth), close.repeat(depth)).as_bytes()).is_err());
        }
    }
    // A statement may hold a statement without end.
    let nested = |depth: usize| {
        let (open, close) = ("{\"NotStatement\":{\"Statement\":".repeat(depth), "}}".repeat(depth));
        format!("{{\"Rules\":[{{\"Statement\":{open}{{}}{close}}}]}}")
    };
    let target = "Allod_wafv2.CreateWebACL";
    assert!(read(target, nested(20).as_bytes()).is_ok());
    agree(target, nested(20).as_bytes());
    for depth in [64, 10_000] {
        assert!(read(target, nested(depth).as_bytes()).unwrap_err().contains("recursion limit"));
    }
}

const BODIES: [(usize, &str); 5] = [
    (
        0,
        r#"{"Namespace":"a","MetricData":[{"MetricName":"m","Dimensions":[{"Name":"k","Value":"v"}],"Timestamp":1.7e9,"Value":1.5,"Unit":"Count","StorageResolution":60}]}"#,
    ),
    (
        0,
        r#"{"MetricData":[{"MetricName":"\u00e9\ud83d\ude00","StatisticValues":{"SampleCount":1,"Sum":2,"Minimum":-1e3,"Maximum":"NaN"},"Values":[1,2],"Counts":[]}],"Namespace":null}"#,
    ),
    (
        1,
        r#"{"TopicArn":"a","Message":"\"b\"","MessageAttributes":{"k":{"DataType":"Binary","BinaryValue":"AAEC"},"l":{"DataType":"String","StringValue":"x"}}}"#,
    ),
    (
        2,
        r#"{"ImageId":"ami-1","MinCount":1,"MaxCount":2,"Monitoring":{"Enabled":false},"TagSpecifications":[{"ResourceType":"instance","Tags":[{"Key":"a","Value":"b"}]}]}"#,
    ),
    (
        3,
        r#"{"AutoScalingGroupName":"a","ScheduledActionName":"b","StartTime":"2026-01-01T00:00:00Z","MinSize":-1,"MaxSize":2147483647}"#,
    ),
];

/// What readers stumble over.
const PIECES: [&[u8]; 30] = [
    b",",
    b":",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b" ",
    b"\n",
    b"\t",
    b"\0",
    b"null",
    b"true",
    b"-",
    b"0",
    b"1.0",
    b"1e400",
    b"\\u",
    b"\\ud800",
    b"\\udc00",
    b"\\u0041",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xc3\xa9",
    b"\"Value\":1,",
    b"\"Namespace\":\"b\",",
    b"99999999999999999999",
    b"[[[[",
    b"{\"a\":",
];

fn mutated(body: &str, changes: &[(usize, usize, Option<&'static [u8]>)]) -> Vec<u8> {
    let mut bytes = body.as_bytes().to_vec();
    for (at, cut, piece) in changes {
        let at = at % (bytes.len() + 1);
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, piece.unwrap_or_default().iter().copied());
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn mutated_bodies_mean_what_their_tree_means(
        which in 0..BODIES.len(),
        changes in proptest::collection::vec((any::<usize>(), 0_usize..4, proptest::option::of(select(&PIECES[..]))), 0..4),
    ) {
        let (target, body) = BODIES[which];
        agree(TARGETS[target], &mutated(body, &changes));
    }

    #[test]
    fn any_small_json_in_any_place_means_what_its_tree_means(
        member in select(&["Namespace", "MetricData", "StrictEntityValidation", "Nonsense"][..]),
        value in json(),
        twice in any::<bool>(),
    ) {
        let again = if twice { format!(",\"{member}\":{value}") } else { String::new() };
        agree(PUT, format!("{{\"{member}\":{value}{again}}}").as_bytes());
        agree(PUT, format!("{{\"MetricData\":[{{\"Value\":{value}}},{{\"Values\":{value}}},{{\"Timestamp\":{value}}}]}}").as_bytes());
    }
}

/// The text of some JSON, some of it with what a member of a metric's data is called.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_string()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("JSON has no others", |n| n.is_finite()).prop_map(|n| n.to_string()),
        ".{0,8}".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = select(&["MetricName", "Value", "Values", "Dimensions", "Name", "StatisticValues", "Sum"][..]);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec((name, inner), 0..4).prop_map(|pairs| {
                let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
                format!("{{{}}}", pairs.join(" , "))
            }),
        ]
    })
}
