//! The frames between `serve` and its executors, byte for byte. `serve` is upgraded while its executors go on running, so each
//! must read what the other's older version writes. A frame that comes out otherwise than `frames.golden` says is a change of the
//! language: a new member with a default is good, and its line is written anew; anything else needs both ends upgraded at once.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use base::Time;
use world::{
    BalancerTraffic, Delivery, Destination, Effect, Exit, Frame, FrameReader, GroupTraffic, Histogram, Image, Instance,
    InstanceState, InstanceUsage, Interface, MessageAttribute, MessageForm, MessageKind, Metadata, Network, Observation, Peer,
    Power, RegisteredTarget, RequestCounts, Rule, SecurityGroup, Slot, SlotKind, Subnet, Target, TargetHealth, TargetKey,
    TargetMode, TargetReason, Traffic, Want,
};

const GOLDEN: &str = include_str!("frames.golden");
const NOON: Time = Time::from_unix_ms(1_769_860_800_250);

/// Length and text, as the golden file has them.
fn written(frame: &Frame) -> String {
    let bytes = frame.encode().unwrap();
    let (header, body) = bytes.split_first_chunk::<4>().unwrap();
    assert_eq!(u32::from_be_bytes(*header) as usize, body.len());
    let header: String = header.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{header} {}", std::str::from_utf8(body).unwrap())
}

fn read(line: &str) -> Frame {
    let (header, body) = line.split_once(' ').unwrap();
    let mut reader = FrameReader::default();
    reader.push(&u32::from_str_radix(header, 16).unwrap().to_be_bytes());
    reader.push(body.as_bytes());
    reader.next_frame().unwrap().unwrap()
}

#[test]
fn frames_are_written_and_read_as_ever() {
    let frames = [controls(), states(), healths(), reports(), effects()].concat();
    let now: Vec<String> = frames.iter().map(written).collect();
    let golden: Vec<&str> = GOLDEN.lines().collect();
    for (number, (now, golden)) in now.iter().zip(&golden).enumerate() {
        assert_eq!(now, golden, "line {} of frames.golden", number + 1);
    }
    assert_eq!(now.len(), golden.len(), "all of them now:\n{}", now.join("\n"));
    for (frame, line) in frames.iter().zip(golden) {
        assert_eq!(read(line), *frame, "{line}");
    }
}

fn slot(kind: SlotKind, id: &str) -> Slot {
    Slot::new(kind, id)
}

fn controls() -> Vec<Frame> {
    let applied = vec![(slot(SlotKind::Instance, "i-1"), 3), (slot(SlotKind::LoadBalancer, "arn:lb"), 1)];
    vec![
        Frame::Hello { version: "0.1.0".into(), applied },
        Frame::Sync { slots: vec![slot(SlotKind::Network, "vpc-1"), slot(SlotKind::Interface, "eni-1")] },
        Frame::Report { every_ms: 60_000 },
        Frame::Shutdown { purge: true },
        Frame::Effect(Effect { slot: slot(SlotKind::Delivery, "7"), version: 9, want: None }),
    ]
}

fn states() -> Vec<Frame> {
    let of = |state| Observation::Instance { id: "i-1".into(), generation: 2, state, at: NOON };
    let stopped = |exit| of(InstanceState::Stopped { exit });
    let all = [
        Observation::Applied { slot: slot(SlotKind::Instance, "i-1"), version: 3 },
        Observation::Refused { slot: slot(SlotKind::Network, "vpc-1"), version: 4, reason: "no \"room\"\n".into() },
        of(InstanceState::Running),
        stopped(Exit::Asked),
        stopped(Exit::Poweroff),
        stopped(Exit::Reboot),
        stopped(Exit::Signal(9)),
        stopped(Exit::Status(1)),
        of(InstanceState::Gone),
        of(InstanceState::Failed { reason: "the image is gone".into() }),
    ];
    all.map(Frame::Observation).to_vec()
}

fn healths() -> Vec<Frame> {
    let unhealthy = |reason| TargetHealth::Unhealthy { reason, draining: false };
    let all = [
        TargetHealth::Initial,
        TargetHealth::Healthy,
        unhealthy(TargetReason::ResponseCodeMismatch { status: 503 }),
        unhealthy(TargetReason::Timeout),
        unhealthy(TargetReason::FailedHealthChecks),
        TargetHealth::Unhealthy { reason: TargetReason::Timeout, draining: true },
        TargetHealth::Draining,
        TargetHealth::Drained,
    ];
    let of = |health| Observation::Target {
        load_balancer: "arn:lb".into(),
        group: "arn:tg".into(),
        target: TargetKey { id: "i-1".into(), port: 80 },
        generation: 5,
        health,
    };
    all.map(|health| Frame::Observation(of(health))).to_vec()
}

fn reports() -> Vec<Frame> {
    let usage = InstanceUsage {
        id: "i-1".into(),
        cpu_us: 1,
        running_ms: 2,
        network_in_bytes: 3,
        network_out_bytes: 4,
        network_in_packets: 5,
        network_out_packets: 6,
    };
    let mut response_time_us = Histogram::default();
    [(0.0, 1), (1_500.0, 2), (20_000.5, 1)].into_iter().for_each(|(value, count)| response_time_us.add(value, count));
    let group = GroupTraffic {
        id: "arn:tg".into(),
        requests: 4,
        unhealthy_routed: 0,
        grpc_requests: 0,
        ipv6_requests: 0,
        answers: [1, 0, 2, 1],
        connection_errors: 1,
        tls_errors: 0,
        response_time_us,
    };
    let traffic = BalancerTraffic {
        id: "arn:lb".into(),
        zone: "eu-central-1a".into(),
        requests: 4,
        active_connections: 2,
        new_connections: 3,
        rejected_connections: 1,
        processed_bytes: 4_096,
        fixed_responses: 0,
        client_tls_errors: 0,
        own_answers: vec![(503, 2)],
        groups: vec![group],
        more: RequestCounts::default(),
        flows: None,
        paces: Vec::new(),
    };
    let mut particular = traffic.clone();
    (particular.groups[0].grpc_requests, particular.groups[0].ipv6_requests) = (2, 1);
    let (from, until) = (Time::from_unix_ms(1_769_860_740_000), Time::from_unix_ms(1_769_860_800_000));
    vec![
        Frame::Observation(Observation::Usage { from, until, instances: vec![usage] }),
        Frame::Observation(Observation::Traffic { from, until, balancers: vec![traffic] }),
        Frame::Observation(Observation::Traffic { from, until, balancers: vec![particular] }),
    ]
}

fn effects() -> Vec<Frame> {
    let of = |want: Want| Frame::Effect(Effect { slot: want.slot(), version: 9, want: Some(want) });
    vec![
        of(Want::Network(network())),
        of(Want::Interface(interface())),
        of(Want::Instance(Box::new(instance(Image::Host, None)))),
        of(Want::Instance(Box::new(instance(
            Image::Imported { id: "ami-1".into(), location: "0123".into() },
            Some(b"#!".to_vec()),
        )))),
        of(Want::Delivery(Box::new(delivery()))),
        of(Want::Target(RegisteredTarget { load_balancer: "arn:lb".into(), group: "arn:tg".into(), target: target() })),
    ]
}

fn target() -> Target {
    Target {
        key: TargetKey { id: "i-1".into(), port: 80 },
        generation: 5,
        address: [10, 0, 1, 5].into(),
        zone: "eu-central-1a".into(),
        mode: TargetMode::Draining { until: NOON },
    }
}

fn network() -> Network {
    let rule = |traffic, peer| Rule { traffic, peer };
    let ingress = vec![
        rule(Traffic::Tcp { from: 80, to: 81 }, Peer::Cidr("0.0.0.0/0".into())),
        rule(Traffic::Udp { from: 53, to: 53 }, Peer::Group("sg-2".into())),
        rule(Traffic::Icmp { kind: Some(8), code: None }, Peer::Cidr("10.0.0.0/8".into())),
        rule(Traffic::Protocol(47), Peer::Group("sg-1".into())),
    ];
    let egress = vec![rule(Traffic::All, Peer::Cidr("0.0.0.0/0".into()))];
    Network {
        id: "vpc-1".into(),
        cidrs: vec!["10.0.0.0/16".into()],
        subnets: vec![Subnet { id: "subnet-1".into(), cidr: "10.0.1.0/24".into(), zone: "eu-central-1a".into() }],
        security_groups: vec![SecurityGroup { id: "sg-1".into(), ingress, egress }],
    }
}

fn interface() -> Interface {
    Interface {
        id: "eni-1".into(),
        vpc: "vpc-1".into(),
        subnet: "subnet-1".into(),
        zone: "eu-central-1a".into(),
        address: [10, 0, 1, 5].into(),
        prefix_bits: 24,
        mac: "02:00:00:00:00:01".into(),
        groups: vec!["sg-1".into()],
        source_dest_check: true,
    }
}

fn instance(image: Image, user_data: Option<Vec<u8>>) -> Instance {
    Instance {
        id: "i-1".into(),
        generation: 2,
        power: if user_data.is_some() { Power::On } else { Power::Off },
        image,
        cpu_millicores: 500,
        memory_bytes: 1 << 30,
        interface: interface(),
        hostname: "ip-10-0-1-5".into(),
        user_data,
        metadata: Metadata {
            entries: BTreeMap::from([("meta-data/instance-id".into(), "i-1".into())]),
            tokens_required: true,
            enabled: true,
            hop_limit: 1,
        },
        stop_grace_ms: 30_000,
    }
}

fn delivery() -> Delivery {
    let attribute = MessageAttribute { data_type: "String".into(), value: "fire".into() };
    Delivery {
        id: "0000000000000007".into(),
        attempt: 2,
        destination: Destination::Http { url: "http://127.0.0.1:9/".into(), content_type: "text/plain".into() },
        form: MessageForm::Envelope,
        kind: MessageKind::SubscriptionConfirmation,
        message_id: "m-1".into(),
        topic_arn: "arn:topic".into(),
        subscription_arn: Some("arn:topic:1".into()),
        subject: Some("Gr\u{fc}\u{df}e".into()),
        message: "it burns".into(),
        published_at: NOON,
        attributes: BTreeMap::from([("kind".into(), attribute)]),
        link: "http://127.0.0.1:4566/?Action=ConfirmSubscription".into(),
        token: Some("ab".into()),
        certificate_url: "http://127.0.0.1:4566/_allod/sns/SimpleNotificationService.pem".into(),
    }
}
