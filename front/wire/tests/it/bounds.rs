//! Requests made to cost much: deep, wide, with numbers that leave gaps. Each is answered at once and in little memory.

use std::time::{Duration, Instant};

use base::{Fault, Value};
use http::Request;
use wire::{decode, route};

/// The longest body that the server takes.
const BODY_BYTES: usize = 1 << 20;
/// What decoding one such body may add to the process, at the most.
const MEMORY_MAX: usize = 160 << 20;
/// Unoptimized and beside other tests.
const TIME_MAX: Duration = Duration::from_secs(20);

/// Most memory that this process has ever had, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<usize>().unwrap() * 1024
}

fn run(target: Option<&str>, body: &str) -> Result<Value, Fault> {
    assert!(body.len() <= BODY_BYTES, "the server would not take it");
    let mut request = Request::post("/");
    if let Some(target) = target {
        request = request.header("x-amz-target", target);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let route = route(&parts, body.as_bytes()).map_err(|refusal| refusal.fault)?;
    decode(&route, &parts, body.as_bytes())
}

#[track_caller]
fn check(target: Option<&str>, body: &str) -> Result<Value, Fault> {
    let (before, begun) = (peak(), Instant::now());
    let outcome = run(target, body);
    // The kernel sums the counters of several processors without stopping them: a later peak may read a little lower.
    let more = peak().saturating_sub(before);
    assert!(more < MEMORY_MAX, "{} MiB more", more >> 20);
    assert!(begun.elapsed() < TIME_MAX, "{:?}", begun.elapsed());
    if let Err(fault) = &outcome {
        assert!(fault.message.len() < 8_192 + 2 * body.len());
    }
    outcome
}

const DESCRIBE: &str = "Action=DescribeInstances&Version=2016-11-15";

/// As many repetitions as a body has room for.
fn filled(start: &str, mut next: impl FnMut(usize) -> String) -> String {
    let mut text = start.to_string();
    for n in 0.. {
        let piece = next(n);
        if text.len() + piece.len() > BODY_BYTES - 8 {
            break;
        }
        text.push_str(&piece);
    }
    text
}

#[test]
fn gaps_in_a_list_cost_nothing() {
    let far =
        check(None, &format!("{DESCRIBE}&Filter.1000000.Name=vpc-id&Filter.1000000.Value.4294967295=a&Filter.7.Name=b")).unwrap();
    let Value::Struct(slots) = far else { panic!("{far:?}") };
    let lists: Vec<usize> =
        slots.iter().filter_map(|s| if let Value::List(items) = s { Some(items.len()) } else { None }).collect();
    assert_eq!(lists, [2], "two filters, in the order of their numbers");
    for index in ["4294967296", "-1", "1e9", "", " 1", "0x1"] {
        assert_eq!(check(None, &format!("{DESCRIBE}&Filter.{index}.Name=a")).unwrap_err().code, "UnknownParameter", "{index}");
    }
}

#[test]
fn the_last_of_several_values_counts() {
    let value = check(None, &format!("{DESCRIBE}&MaxResults=5&MaxResults=6&MaxResults=7")).unwrap();
    assert!(matches!(value, Value::Struct(slots) if slots.contains(&Value::Int(7)) && !slots.contains(&Value::Int(5))));
    let value = check(Some("AmazonSSM.GetParameters"), r#"{"Names":["a"],"Names":["b"]}"#).unwrap();
    assert!(matches!(value, Value::Struct(slots) if slots.contains(&Value::List(vec![Value::Str("b".into())]))));
}

#[test]
fn parameters_are_limited_in_number_and_depth() {
    let many = filled(DESCRIBE, |n| format!("&InstanceId.{n}=i"));
    assert_eq!(check(None, &many).unwrap_err().code, "MalformedQueryString");
    let deep_and_many = filled(DESCRIBE, |n| format!("&{n}{}=", ".a".repeat(31)));
    assert_eq!(check(None, &deep_and_many).unwrap_err().code, "MalformedQueryString");
    let deep = format!("{DESCRIBE}&Filter{}=a", ".1".repeat(200_000));
    assert_eq!(check(None, &deep).unwrap_err().code, "UnknownParameter");
    let long = format!("{DESCRIBE}&{}=a", "x".repeat(1_000_000));
    assert_eq!(check(None, &long).unwrap_err().code, "UnknownParameter");
    let separators = format!("{DESCRIBE}{}", "&".repeat(1_000_000));
    check(None, &separators).unwrap();
    let value = format!("{DESCRIBE}&InstanceId.1={}", "%41".repeat(300_000));
    check(None, &value).unwrap();
}

/// "PutMetricData": a thousand metrics in a request of 1 MB, each with its dimensions.
#[test]
fn as_many_metrics_are_read_as_a_request_may_have() {
    let mut body = "Action=PutMetricData&Version=2010-08-01&Namespace=N".to_string();
    for n in 1..=1_000 {
        let datum = format!("&MetricData.member.{n}");
        body += &format!("{datum}.MetricName=m{datum}.Value={n}{datum}.Unit=Count{datum}.Timestamp=2026-01-31T12%3A00%3A00Z");
        for d in 1..=6 {
            body += &format!("{datum}.Dimensions.member.{d}.Name=d{d}{datum}.Dimensions.member.{d}.Value=v");
        }
    }
    let Value::Struct(slots) = check(None, &body).unwrap() else { panic!() };
    assert!(slots.iter().any(|slot| matches!(slot, Value::List(items) if items.len() == 1_000)));
}

#[test]
fn json_is_limited_in_depth_and_never_grows_beyond_measure() {
    const TARGET: Option<&str> = Some("AmazonSSM.GetParameters");
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [1_000, 150_000] {
            let deep = format!("{{\"Names\":{}1{}}}", open.repeat(depth), close.repeat(depth));
            assert_eq!(check(TARGET, &deep).unwrap_err().code, "SerializationException");
            let never_closed = format!("{{\"Names\":{}", open.repeat(depth));
            assert_eq!(check(TARGET, &never_closed).unwrap_err().code, "SerializationException");
        }
    }
    let wide = filled("{\"Names\":[1", |_| ",1".into());
    assert_eq!(check(TARGET, &format!("{wide}]}}")).unwrap_err().code, "SerializationException");
    let wide = filled("{\"Names\":[[]", |_| ",[]".into());
    assert_eq!(check(TARGET, &format!("{wide}]}}")).unwrap_err().code, "SerializationException");
    let names = filled("{\"Names\":[\"a\"", |_| ",\"\"".into());
    assert_eq!(check(TARGET, &format!("{names}]}}")).unwrap_err().code, "ValidationException");
    let members = filled("{\"Names\":[\"a\"]", |n| format!(",\"{n}\":0"));
    assert_eq!(check(TARGET, &format!("{members}}}")).unwrap_err().code, "SerializationException");
    let number = format!("{{\"Names\":[{}]}}", "9".repeat(1_000_000));
    assert_eq!(check(TARGET, &number).unwrap_err().code, "SerializationException");
}

#[test]
fn moments_out_of_any_calendar_are_refused_or_kept_small() {
    for moment in ["1e300", "-1e300", "253402300800", "\"10000-01-01T00:00:00Z\"", "\"0000-00-00T00:00:00Z\"", "\"\u{e9}\u{e9}\""]
    {
        let body = format!("{{\"AutoScalingGroupName\":\"a\",\"StartTime\":{moment}}}");
        if let Ok(Value::Struct(slots)) = check(Some("Allod_autoscaling.PutScheduledUpdateGroupAction"), &body) {
            for slot in slots {
                if let Value::Time(time) = slot {
                    assert!(time.iso8601_ms().len() <= 26, "{moment}");
                }
            }
        }
    }
}
