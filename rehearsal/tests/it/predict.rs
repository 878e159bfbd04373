//! What is predicted for templates under load.

use std::time::Duration;

use base::Time;
use rehearsal::{Cause, Delays, Demand, Prediction, PredictionError, Scenario, Trace, predict, web_tier};

const HOUR: Duration = Duration::from_secs(3_600);
const FROM: Time = Time::from_unix_ms(1_767_225_600_000);

fn sizes(least: &str, most: &str) -> Vec<(String, String)> {
    [("MinSize", least), ("MaxSize", most)].map(|(k, v)| (k.to_string(), v.to_string())).into()
}

/// The web tier, fixed at two instances.
pub fn scenario(load: &str) -> Scenario {
    Scenario {
        template: web_tier::TEMPLATE.into(),
        parameters: sizes("2", "2"),
        trace: Trace::pattern(load).unwrap(),
        demand: Demand { service_us: 20_000.0, cpu_us: 20_000.0, concurrency: 100, queue_max: 1_000, variation: 0.5 },
        delays: Delays { boot_ms: (20_000, 40_000), application_ms: (5_000, 10_000), grain_ms: 1_000, ..Delays::default() },
        region: "eu-central-1".into(),
        vcpu_millicores: 1_000,
        metric_period_s: 60,
        from: FROM,
        length: HOUR,
        seed: 1,
        hourly_price: None,
    }
}

pub fn run(scenario: &Scenario) -> Prediction {
    predict(scenario, &mut |_| {}).unwrap()
}

#[test]
fn the_web_tier_under_constant_load_is_steady() {
    let p = run(&scenario("constant:100"));
    assert_eq!(p.points.len(), 60);
    assert!((p.totals.requests - 360_000.0).abs() < 1.0 && p.totals.failed == 0.0, "{:?}", p.totals);
    for point in &p.points {
        assert_eq!((point.in_service, point.waits_for), (2, None), "{point:?}");
        // Two instances of two cores, 20 ms of processor time a request.
        assert!((point.cpu - 0.5).abs() < 1e-6 && (point.capacity - 200.0).abs() < 1e-6, "{point:?}");
        assert!(point.p50_ms > 15.0 && point.p99_ms < 100.0, "{point:?}");
    }
    assert!((p.bill.instance_hours - 2.0).abs() < 1e-9);
    // Two hours of a t3.micro at 0.012 $.
    assert!((p.bill.instances_usd.unwrap() - 0.024).abs() < 1e-9);
}

#[test]
fn more_load_than_capacity_fails_what_cannot_wait_and_conserves_requests() {
    let p = run(&scenario("step:50..300,at=20m,for=20m"));
    let done = p.totals.requests - p.totals.failed;
    assert!(p.totals.requests > 0.0 && p.totals.failed > 100_000.0 && done > 300_000.0, "{:?}", p.totals);
    assert_eq!(p.slow.len(), 1, "{:?}", p.slow);
    let slow = &p.slow[0];
    assert_eq!(slow.from, FROM + HOUR / 3);
    assert!((slow.worst - 1.5).abs() < 0.01, "{slow:?}");
    assert_eq!(slow.waited_for[0].0, Cause::MaxSize);
}

#[test]
fn above_the_target_at_the_largest_size_the_maximum_is_named() {
    let held = run(&scenario("constant:140"));
    assert_eq!((held.slow.len(), held.held_by_maximum()), (0, HOUR));
    assert_eq!(run(&scenario("constant:100")).held_by_maximum(), Duration::ZERO);
    let room = Scenario { parameters: sizes("2", "8"), ..scenario("constant:140") };
    assert_eq!(run(&room).held_by_maximum(), Duration::ZERO);
}

#[test]
fn the_same_seed_predicts_the_same() {
    let wish = scenario("diurnal:50..150,peak=00:30");
    assert_eq!(run(&wish), run(&wish));
    let other = run(&Scenario { seed: 2, ..wish.clone() });
    assert_ne!(other.digest, run(&wish).digest);
}

/// "Target tracking scaling policies": as many instances as keep the metric at or near the target.
#[test]
fn the_web_tier_follows_its_load_and_comes_back() {
    let wish = Scenario { parameters: sizes("2", "8"), length: HOUR * 3, ..scenario("step:60..250,at=20m,for=40m") };
    let p = run(&wish);
    assert_eq!(p.cpu_target, Some(0.5));
    let at = |minute: usize| &p.points[minute];
    assert_eq!((at(10).in_service, at(55).in_service, at(179).in_service), (2, 5, 2), "{:?}", p.activities);
    assert!((at(55).cpu - 0.5).abs() < 0.1, "{:?}", at(55));
    assert!(p.slow.iter().any(|s| s.waited_for.iter().any(|(c, _)| *c == Cause::Alarm || *c == Cause::Boot)), "{:?}", p.slow);
    assert!(p.points.iter().all(|x| (2..=8).contains(&x.desired)));
    // Nothing fails before the step, and nothing once the group has grown and shrinks again.
    let failed = |from: usize, until: usize| p.points[from..until].iter().map(|x| x.failed).sum::<f64>();
    assert_eq!((failed(0, 20), failed(45, 180)), (0.0, 0.0), "{:?}", p.slow);
    assert!(p.bill.instances_usd < p.bill.peak_fleet.1);
}

/// "HTTP 504: Gateway timeout": the load balancer gives up on a target that has not answered within its idle timeout, 60 s.
#[test]
fn answers_beyond_the_idle_timeout_are_none() {
    let demand = Demand { service_us: 40e6, cpu_us: 1_000.0, concurrency: 1_000, queue_max: 1_000, variation: 1.0 };
    let p = run(&Scenario { demand, ..scenario("constant:2") });
    // Of a log-normal distribution with this variation 18 % are beyond one and a half times its mean.
    let share = p.totals.late / p.totals.requests;
    assert!((0.14..0.22).contains(&share) && p.totals.failed == p.totals.late, "{share}: {:?}", p.totals);
    assert!(p.totals.p99_ms <= 60_000.0, "{:?}", p.totals);
    let instances = run(&Scenario {
        template: include_str!("../../../stacks/instance.yaml").into(),
        parameters: Vec::new(),
        demand,
        ..scenario("constant:2")
    });
    assert!(
        instances.totals.failed == 0.0 && instances.totals.p99_ms > 60_000.0,
        "nobody gives up on it: {:?}",
        instances.totals
    );
}

/// Users follow redirects, and are there for what is forwarded: neither is the instances' load any less for it.
#[test]
fn the_load_goes_to_where_requests_are_forwarded() {
    let forward = "- {Type: forward, TargetGroupArn: !Ref TargetGroup}";
    let redirect = "- {Type: redirect, RedirectConfig: {Port: '8080', StatusCode: HTTP_301}}";
    let nothing = "- {Type: fixed-response, FixedResponseConfig: {StatusCode: '404'}}";
    let second = |port: &str, actions: &str| {
        let listener = "Type: AWS::ElasticLoadBalancingV2::Listener, Properties: {LoadBalancerArn: !Ref LoadBalancer";
        format!("\n  Second: {{{listener}, Protocol: HTTP, Port: {port}, DefaultActions: [{}]}}}}\n", &actions[2..])
    };
    let rule = format!(
        "\n  Rule: {{Type: AWS::ElasticLoadBalancingV2::ListenerRule, Properties: {{ListenerArn: !Ref Listener, Priority: 1, \
         Conditions: [{{Field: path-pattern, Values: ['/*']}}], Actions: [{}]}}}}\n",
        &forward[2..]
    );
    for (first, more) in [(redirect, second("8080", forward)), (nothing, rule)] {
        let template = web_tier::TEMPLATE.replacen(forward, first, 1).replacen("\nOutputs:", &format!("{more}\nOutputs:"), 1);
        // The group's load balancer must be in use by its target group before it has instances.
        let last = if more.contains("Second") { "Second" } else { "Rule" };
        let template = template.replacen("DependsOn: Listener", &format!("DependsOn: {last}"), 1);
        let p = run(&Scenario { template, length: HOUR / 6, ..scenario("constant:100") });
        assert!(p.totals.failed == 0.0 && (p.totals.cpu - 0.5).abs() < 1e-6, "{more}: {:?}", p.totals);
    }
}

/// Neither lost nor carried by the instances: the load balancer answers with 503.
#[test]
fn what_has_no_weight_anywhere_fails() {
    let forward = "{Type: forward, TargetGroupArn: !Ref TargetGroup}";
    let nowhere = "{Type: forward, ForwardConfig: {TargetGroups: [{TargetGroupArn: !Ref TargetGroup, Weight: 0}]}}";
    let template = web_tier::TEMPLATE.replacen(forward, nowhere, 1);
    let p = run(&Scenario { template, length: HOUR / 6, ..scenario("constant:100") });
    assert!((p.totals.nobody - p.totals.requests).abs() < 1e-3 && p.totals.cpu == 0.0, "{:?}", p.totals);
}

/// "Warm pools for Amazon EC2 Auto Scaling": what is stopped costs its disk alone.
#[test]
fn stopped_instances_of_a_warm_pool_cost_no_hours() {
    let with_pool = |state: &str| {
        let pool = format!(
            "\n  Pool: {{Type: AWS::AutoScaling::WarmPool, Properties: {{AutoScalingGroupName: !Ref Group, MinSize: 3, \
             PoolState: {state}}}}}\n\nOutputs:"
        );
        run(&Scenario { template: web_tier::TEMPLATE.replacen("\nOutputs:", &pool, 1), ..scenario("constant:100") })
    };
    for (state, instances) in [("Stopped", 2), ("Running", 5)] {
        let p = with_pool(state);
        assert!(p.points.iter().all(|x| x.instances == instances), "{state}: {:?}", p.points[30]);
        assert!((p.bill.instance_hours - instances as f64).abs() < 1e-9, "{state}: {:?}", p.bill);
    }
}

/// Instances that are in no group serve and cost too.
#[test]
fn instances_of_no_group_are_on_the_bill() {
    let template = include_str!("../../../stacks/instance.yaml");
    let p = run(&Scenario { template: template.into(), parameters: Vec::new(), ..scenario("constant:50") });
    assert!(p.totals.failed == 0.0 && (p.totals.cpu - 0.5).abs() < 1e-6, "{:?}", p.totals);
    assert!(p.points.iter().all(|x| (x.instances, x.in_service) == (1, 1)), "{:?}", p.points[0]);
    assert!((p.bill.instance_hours - 1.0).abs() < 1e-9 && p.bill.peak_fleet.0 == 1, "{:?}", p.bill);
}

#[test]
fn what_makes_no_sense_is_told() {
    let good = scenario("constant:1");
    let check = |wish: Scenario, expected: &str| match predict(&wish, &mut |_| {}) {
        Err(PredictionError::Scenario(text) | PredictionError::Template(text) | PredictionError::Stack(text)) => {
            assert!(text.contains(expected), "{text}");
        }
        Ok(_) => panic!("it predicts something: {expected}"),
    };
    let demand = good.demand;
    check(Scenario { demand: Demand { concurrency: 0, ..demand }, ..good.clone() }, "at least");
    check(Scenario { demand: Demand { cpu_us: 30_000.0, ..demand }, ..good.clone() }, "processor time");
    check(Scenario { demand: Demand { service_us: 0.0, cpu_us: 0.0, ..demand }, ..good.clone() }, "service time");
    check(Scenario { demand: Demand { variation: f64::NAN, ..demand }, ..good.clone() }, "variation");
    check(Scenario { length: Duration::from_secs(5), ..good.clone() }, "one minute");
    check(Scenario { template: "Resources: {A: {Type: AWS::No::Such}}".into(), ..good.clone() }, "AWS::No::Such");
    check(Scenario { parameters: vec![("MaxSize".into(), "many".into())], ..good.clone() }, "MaxSize");
    let no_image = vec![("ImageId".into(), "/not/there".into())];
    check(Scenario { parameters: no_image, ..good }, "/not/there");
}
