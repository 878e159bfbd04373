//! The instance metadata service as an instance sees it.

use std::net::Ipv4Addr;

use world::{Instance, Want};

use crate::support::{Host, eventually, get, inside, instance, interface, network, request};

const SERVICE: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Asks as a program in the instance would.
fn ask(host: &Host, instance: &Instance, text: &str) -> Result<String, String> {
    let namespace = format!("/proc/{}/ns/net", host.init_pid(instance));
    inside(namespace.as_ref(), || request(SERVICE, 80, text))
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or_default()
}

#[test]
fn an_instance_asks_for_itself_with_a_token() {
    let mut host = Host::new();
    let script = "#!/usr/bin/perl
use IO::Socket::INET;
sub ask { my $s = IO::Socket::INET->new(PeerAddr => '169.254.169.254:80') or die; print $s shift; local $/; return <$s>; }
my $put = ask(\"PUT /latest/api/token HTTP/1.1\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60\\r\\nConnection: close\\r\\n\\r\\n\");
my ($token) = $put =~ /\\r\\n\\r\\n(.*)/s;
print ask(\"GET /latest/meta-data/instance-id HTTP/1.1\\r\\nX-aws-ec2-metadata-token: $token\\r\\nConnection: close\\r\\n\\r\\n\"), \"\\n\";
";
    let [first, second] = [161, 162].map(|number| instance(number, script));
    for instance in [&first, &second] {
        host.run(instance);
        host.console_has(instance, instance.id.as_str(), 2);
    }
    let get = |path: &str, token: &str| format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{token}\r\n");
    let refused = ask(&host, &first, &get("/latest/meta-data/instance-id", "")).unwrap();
    assert_eq!(status(&refused), "401");
    let put = "PUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\nConnection: close\r\n\r\n";
    let answer = ask(&host, &first, put).unwrap();
    assert!(answer.to_lowercase().contains("x-aws-ec2-metadata-token-ttl-seconds: 60"), "{answer}");
    let token = format!("X-aws-ec2-metadata-token: {}\r\n", answer.split("\r\n\r\n").nth(1).unwrap());
    let data = ask(&host, &first, &get("/latest/user-data", &token)).unwrap();
    assert!(data.ends_with(script), "{data}");
    assert_eq!(status(&ask(&host, &second, &get("/latest/user-data", &token)).unwrap()), "401", "a stolen token");
    // Changed metadata is there at once; turned off, nothing is.
    let mut changed = first.clone();
    changed.metadata.entries.insert("meta-data/tags/instance/Name".into(), "web".into());
    changed.metadata.tokens_required = false;
    host.want(Want::Instance(Box::new(changed.clone())));
    let tags = ask(&host, &first, &get("/latest/meta-data/tags/instance/Name", "")).unwrap();
    assert!(tags.ends_with("web"), "{tags}");
    changed.metadata.enabled = false;
    host.want(Want::Instance(Box::new(changed)));
    assert_eq!(status(&ask(&host, &first, &get("/latest/meta-data/", "")).unwrap()), "403");
    // A token outlives the host that gave it.
    host.kill();
    host.start();
    let mut enabled = first.clone();
    enabled.metadata.tokens_required = true;
    host.want(Want::Instance(Box::new(enabled)));
    let again = ask(&host, &first, &get("/latest/meta-data/instance-id", &token)).unwrap();
    assert!(again.ends_with(first.id.as_str()), "{again}");
}

#[test]
fn strangers_and_floods_get_nothing() {
    let mut host = Host::new();
    host.want(network(vec![]));
    let own = instance(165, "");
    host.run(&own);
    // A load balancer's node is no instance.
    host.want(Want::Interface(interface("eni-000000000000000lb", [10, 0, 1, 200], &["sg-lb"])));
    let namespace = host.paths.interface_namespace(&"eni-000000000000000lb".into());
    let answer = inside(&namespace, || get(SERVICE, 80, "/latest/meta-data/", "")).unwrap();
    assert_eq!(status(&answer), "403");
    let endless = format!("GET / HTTP/1.1\r\nX-Long: {}", "x".repeat(9000));
    assert_eq!(status(&ask(&host, &own, &endless).unwrap()), "431");
    // Sixteen idle connections of one instance are its limit; they time out, and hinder nobody.
    let place = format!("/proc/{}/ns/net", host.init_pid(&own));
    let idle =
        inside(place.as_ref(), || (0..40).filter_map(|_| std::net::TcpStream::connect((SERVICE, 80)).ok()).collect::<Vec<_>>());
    let other = instance(166, "");
    host.run(&other);
    let get = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert_eq!(status(&ask(&host, &other, get).unwrap()), "401");
    drop(idle);
    eventually("an answer again", || ask(&host, &own, get));
}

#[test]
fn a_host_without_descriptors_turns_away_whom_it_cannot_take() {
    let mut host = Host::new();
    let own = instance(166, "");
    host.run(&own);
    let get = "GET /latest/meta-data/instance-id HTTP/1.1\r\nConnection: close\r\n\r\n";
    // Not left waiting, where each of them would wake the host for ever.
    eventually("nothing", || {
        // What it has opened for a moment only may be free again when it is asked.
        host.limit_descriptors(0);
        match ask(&host, &own, get) {
            Ok(answer) if answer.is_empty() => Ok(()),
            Err(e) if e.contains("reset") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    host.limit_descriptors(u64::MAX);
    assert_eq!(status(&ask(&host, &own, get).unwrap()), "401");
}
