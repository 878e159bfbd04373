//! Reports of what instances use, checked against what they did.

use std::time::{SystemTime, UNIX_EPOCH};

use base::Time;
use world::{Frame, Instance, InstanceState, InstanceUsage, Observation, Power, Want};

use crate::support::{Host, eventually, from_balancer, inside, instance, interface, network, request, web_server};

const BALANCER: &str = "eni-000000000000000lb";
const EVERY_MS: u64 = 200;

/// Burns this much processor time, as the kernel counts it, and says so.
fn burn(seconds: f64) -> String {
    format!(
        "#!/usr/bin/perl\n$| = 1;\nexit 0 if fork;\nmy ($x, $u, $s) = (0, 0, 0);\n\
         while ($u + $s < {seconds}) {{ $x++ for 1 .. 10000; ($u, $s) = times; }}\nprint \"burnt\\n\";\nsleep 1000;\n"
    )
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time::from_unix_ms(i64::try_from(since.as_millis()).unwrap())
}

/// The next report.
fn report(host: &mut Host) -> (Time, Time, Vec<InstanceUsage>) {
    match host.serve().until("a report", |o| matches!(o, Observation::Usage { .. })) {
        Observation::Usage { from, until, instances } => (from, until, instances),
        _ => unreachable!("only reports match"),
    }
}

/// Everything that reports tell of an instance, from the next one on and until they tell of a moment after this one.
fn used(host: &mut Host, instance: &Instance) -> InstanceUsage {
    let enough = now();
    let mut sum = InstanceUsage {
        id: instance.id.clone(),
        cpu_us: 0,
        running_ms: 0,
        network_in_bytes: 0,
        network_out_bytes: 0,
        network_in_packets: 0,
        network_out_packets: 0,
    };
    loop {
        let (_, until, instances) = report(host);
        for usage in instances.into_iter().filter(|usage| usage.id == instance.id) {
            sum.cpu_us += usage.cpu_us;
            sum.running_ms += usage.running_ms;
            sum.network_in_bytes += usage.network_in_bytes;
            sum.network_out_bytes += usage.network_out_bytes;
            sum.network_in_packets += usage.network_in_packets;
            sum.network_out_packets += usage.network_out_packets;
        }
        if until > enough {
            return sum;
        }
    }
}

#[test]
fn processor_time_is_what_the_instance_has_burnt() {
    let mut host = Host::new();
    host.send(&Frame::Report { every_ms: EVERY_MS });
    let begun = now();
    let busy = instance(131, &burn(0.5));
    host.run(&busy);
    host.console_has(&busy, "burnt", 1);
    let used = used(&mut host, &busy);
    // Beside the program, the instance boots.
    assert!((480_000..700_000).contains(&used.cpu_us), "{used:?}");
    assert!(used.running_ms <= now().ms_since(begun) + EVERY_MS, "{used:?}");
    assert!(used.running_ms >= 900, "at half a processor it takes twice as long: {used:?}");
}

#[test]
fn traffic_is_counted_from_the_instances_point_of_view() {
    let mut host = Host::new();
    host.send(&Frame::Report { every_ms: EVERY_MS });
    host.want(network(vec![from_balancer(80)]));
    host.want(Want::Interface(interface(BALANCER, [10, 0, 1, 200], &["sg-lb"])));
    let web = instance(141, &web_server(80));
    host.run(&web);
    host.console_has(&web, "serving", 1);
    let namespace = host.paths.interface_namespace(&BALANCER.into());
    let text = format!("GET / HTTP/1.1\r\nHost: test\r\nX-Long: {}\r\n\r\n", "x".repeat(50_000));
    eventually("an answer", || inside(&namespace, || request(web.interface.address, 80, &text)));
    let used = used(&mut host, &web);
    assert!((50_000..60_000).contains(&used.network_in_bytes), "{used:?}");
    assert!((100..10_000).contains(&used.network_out_bytes), "{used:?}");
    assert!(used.network_in_packets > 5 && used.network_out_packets > 3, "{used:?}");
}

#[test]
fn periods_end_at_multiples_of_their_length_and_follow_each_other() {
    let mut host = Host::new();
    host.send(&Frame::Report { every_ms: EVERY_MS });
    let mut end = None;
    for _ in 0..5 {
        let (from, until, _) = report(&mut host);
        assert_eq!(until.unix_ms() % EVERY_MS as i64, 0);
        assert!(end.is_none_or(|end| end == from), "{end:?} {from}");
        assert!(now().ms_since(until) < 2_000, "it comes at once");
        end = Some(until);
    }
}

#[test]
fn reports_wait_for_a_serve_that_is_away() {
    let mut host = Host::new();
    host.send(&Frame::Report { every_ms: EVERY_MS });
    let (_, mut end, _) = report(&mut host);
    host.disconnect();
    let back = Time::from_unix_ms(end.unix_ms() + 5 * EVERY_MS as i64);
    eventually("a while", || if now() > back { Ok(()) } else { Err(now().to_string()) });
    host.connect();
    while end < back {
        let (from, until, _) = report(&mut host);
        assert_eq!(from, end, "no period is missing");
        end = until;
    }
}

#[test]
fn a_new_host_counts_from_where_it_came_in() {
    let mut host = Host::new();
    let busy = instance(151, &burn(0.3));
    host.run(&busy);
    host.console_has(&busy, "burnt", 1);
    host.kill();
    host.start();
    host.send(&Frame::Report { every_ms: EVERY_MS });
    let used = used(&mut host, &busy);
    assert!(used.running_ms > 0 && used.cpu_us < 100_000, "what was used before is no jump: {used:?}");
}

#[test]
fn what_an_instance_used_before_its_end_is_told() {
    let mut host = Host::new();
    host.send(&Frame::Report { every_ms: 2_000 });
    let mut busy = instance(161, &burn(0.3));
    host.run(&busy);
    host.console_has(&busy, "burnt", 1);
    busy.power = Power::Off;
    host.want(Want::Instance(Box::new(busy.clone())));
    host.state(&busy, |state| matches!(state, InstanceState::Stopped { .. }));
    let used = used(&mut host, &busy);
    assert!(used.cpu_us > 280_000, "{used:?}");
}
