//! Real packets through security groups.

use std::net::Ipv4Addr;

use world::{Instance, Peer, Rule, Slot, SlotKind, Traffic, Want};

use crate::support::{Host, any, eventually, from_balancer, get, inside, instance, interface, network, web_server};

const BALANCER: &str = "eni-000000000000000lb";

fn balancer(host: &mut Host) -> std::path::PathBuf {
    host.want(Want::Interface(interface(BALANCER, [10, 0, 1, 200], &["sg-lb"])));
    host.paths.interface_namespace(&BALANCER.into())
}

fn reachable(namespace: &std::path::Path, instance: &Instance, port: u16) -> Result<String, String> {
    let address = instance.interface.address;
    inside(namespace, || get(address, port, "/", ""))
}

#[test]
fn groups_decide_between_a_load_balancer_and_instances() {
    let mut host = Host::new();
    host.want(network(vec![]));
    let namespace = balancer(&mut host);
    let web = [instance(11, &web_server(80)), instance(12, &web_server(80))];
    for instance in &web {
        host.run(instance);
        host.console_has(instance, "serving", 1);
        assert!(reachable(&namespace, instance, 80).is_err(), "no rule opens it");
    }
    host.want(network(vec![from_balancer(80)]));
    for instance in &web {
        let answer = eventually("an answer", || reachable(&namespace, instance, 80));
        assert!(answer.ends_with(&instance.hostname), "{answer}");
        assert!(reachable(&namespace, instance, 81).is_err());
    }
    host.want(network(vec![from_balancer(8080)]));
    assert!(reachable(&namespace, &web[0], 80).is_err(), "the rule is gone");
    host.want(network(vec![Rule { traffic: Traffic::Tcp { from: 80, to: 90 }, peer: Peer::Cidr("10.0.1.200/32".into()) }]));
    assert!(reachable(&namespace, &web[0], 80).is_ok(), "by address");
    // The instance leaves the group, and comes back to it, without a restart.
    let mut alone = web[0].clone();
    alone.interface.groups = vec!["sg-other".into()];
    host.want(Want::Instance(Box::new(alone)));
    assert!(reachable(&namespace, &web[0], 80).is_err());
    assert!(reachable(&namespace, &web[1], 80).is_ok());
    host.want(Want::Instance(Box::new(web[0].clone())));
    assert!(reachable(&namespace, &web[0], 80).is_ok());
    // An interface that is removed speaks no more.
    host.remove(&Slot::new(SlotKind::Interface, BALANCER));
    assert!(!namespace.exists());
}

#[test]
fn effects_may_come_in_any_order() {
    let mut host = Host::new();
    let web = instance(21, &web_server(80));
    host.run(&web);
    let namespace = balancer(&mut host);
    assert!(reachable(&namespace, &web, 80).is_err());
    host.want(network(vec![Rule { traffic: Traffic::All, peer: any() }]));
    eventually("an answer", || reachable(&namespace, &web, 80));
}

#[test]
fn a_forged_source_address_goes_nowhere() {
    let mut host = Host::new();
    host.want(network(vec![Rule { traffic: Traffic::All, peer: any() }]));
    let namespace = balancer(&mut host);
    // Replies to the balancer's own address arrive; the same packet from a stolen one never gets past the router.
    let script = "#!/usr/bin/perl\nuse IO::Socket::INET;\n$| = 1;\n\
        my $s = IO::Socket::INET->new(LocalPort => 5000, Proto => 'udp') or die;\nprint \"ready\\n\";\n\
        while (defined(my $peer = $s->recv(my $text, 100))) { print 'got ', $text, ' from ', $s->peerhost, \"\\n\"; }\n";
    let target = instance(31, script);
    host.run(&target);
    host.console_has(&target, "ready", 1);
    let address = target.interface.address;
    let send = |source: Ipv4Addr, text: &str| {
        inside(&namespace, || {
            let socket = std::net::UdpSocket::bind((source, 0)).expect("bound");
            socket.send_to(text.as_bytes(), (address, 5000)).expect("sent");
        });
    };
    inside(&namespace, || {
        // As an attacker with full power over his interface would.
        let added = std::process::Command::new("ip").args(["address", "add", "10.0.1.250/32", "dev", "eth0"]).status();
        assert!(added.expect("ip runs").success());
    });
    send(Ipv4Addr::new(10, 0, 1, 250), "forged");
    send(Ipv4Addr::new(10, 0, 1, 200), "honest");
    host.console_has(&target, "got honest from 10.0.1.200", 1);
    assert!(!host.console(&target).contains("forged"));
}

#[test]
fn bad_networks_are_refused_and_leave_the_old_rules() {
    let mut host = Host::new();
    host.want(network(vec![from_balancer(80)]));
    let namespace = balancer(&mut host);
    let web = instance(41, &web_server(80));
    host.run(&web);
    eventually("an answer", || reachable(&namespace, &web, 80));
    let bad = Rule { traffic: Traffic::All, peer: Peer::Cidr("10.0.0.0/8; drop".into()) };
    match host.ask(network(vec![bad])) {
        world::Observation::Refused { reason, .. } => assert!(reason.contains("CIDR"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert!(reachable(&namespace, &web, 80).is_ok());
    match host.ask(Want::Interface(interface("eni-thief", [10, 0, 1, 41], &[]))) {
        world::Observation::Refused { reason, .. } => assert!(reason.contains("10.0.1.41"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert!(reachable(&namespace, &web, 80).is_ok());
}
