//! What rules that a request does not meet cost it: our edge alone, whose listener has one of them and many, piece by piece.

use std::path::Path;
use std::time::Instant;

use bench::{Limit, Measured, Report, Result, fail};
use world::{Action, Condition, ListenerRule, LoadBalancer, Pattern, QueryPattern, Want};

use crate::Settings;
use crate::allod::{Serve, balancer};
use crate::clients::Users;
use crate::proxies::{Addresses, Identity, Kind, Proxy};
use crate::rush::{PIECES, Piece, SMALL};

/// "Quotas for your Application Load Balancers": as many rules as a load balancer has, unless more are asked for.
const MANY: u32 = 100;
const CONNECTIONS: usize = 64;

pub fn measure(
    settings: &Settings,
    addresses: Addresses,
    identity: &Identity,
    proxies: &[Proxy],
    directory: &Path,
    report: &mut Report,
) {
    let name = format!("keep-alive, {MANY} rules: CPU a request");
    match turns(settings, addresses, identity, proxies, directory) {
        Ok([one, many]) => {
            // Each turn's own, whose pieces met the same.
            let ratios = one.iter().zip(&many).map(|(one, many)| many / one).collect();
            report.add("keep-alive, 1 rule: CPU a request", Ok(Measured::new("us", Limit::None, one)));
            report.add(&name, Ok(Measured::new("us", Limit::None, many)));
            report.add(format!("{name}, ratio"), Ok(Measured::new("of 1 rule", Limit::AtMost(1.05), ratios)));
        }
        Err(e) => report.add(name, Err(e)),
    }
}

/// Changes the edge that is there already. Microseconds with one rule, and with many.
fn turns(
    settings: &Settings,
    addresses: Addresses,
    identity: &Identity,
    proxies: &[Proxy],
    directory: &Path,
) -> Result<[Vec<f64>; 2]> {
    let Some(edge) = proxies.iter().find(|proxy| proxy.kind == Kind::Allod) else { return fail("no edge runs") };
    let plain = balancer(edge.at, addresses.upstream(), identity)?;
    let ruled = [1, MANY].map(|count| with_rules(&plain, count));
    let users = Users {
        at: edge.at,
        tls: None,
        fresh: false,
        connections: CONNECTIONS,
        request: SMALL.to_vec(),
        duration: settings.turn / PIECES,
    };
    let mut serve = Serve::connect(&directory.join(Kind::Allod.name()))?;
    // The edge was told version 1 at its start.
    let mut version = 1;
    let mut tell = |balancer: &LoadBalancer| {
        version += 1;
        serve.apply(version, Want::LoadBalancer(Box::new(balancer.clone())))
    };
    let mut taken = [Vec::new(), Vec::new()];
    for _ in 0..settings.rounds {
        let mut sums = [Piece::default(); 2];
        for _ in 0..PIECES {
            for (balancer, sum) in ruled.iter().zip(&mut sums) {
                tell(balancer)?;
                sum.add(users.rush(|| Ok((Instant::now(), edge.process.processor_ns()?)))?);
            }
        }
        taken.iter_mut().zip(&sums).for_each(|(taken, sum)| taken.push(sum.micros()));
    }
    tell(&plain)?;
    Ok(taken)
}

fn with_rules(plain: &LoadBalancer, count: u32) -> LoadBalancer {
    let mut ruled = plain.clone();
    ruled.listeners[0].rules = (1..=count).map(rule).collect();
    ruled
}

/// One that the users' requests do not meet, of the kinds by turns.
fn rule(priority: u32) -> ListenerRule {
    let glob = |text: String| vec![Pattern::Glob(text)];
    let host = || Condition::Host { values: glob(format!("tenant{priority}.example.com")) };
    let path = || Condition::Path { values: glob(format!("/app{priority}/*")) };
    let conditions = match priority % 5 {
        0 => vec![host()],
        1 => vec![path()],
        2 => vec![host(), path()],
        3 => vec![Condition::Header { name: "X-Tenant".into(), values: glob(format!("tenant{priority}")) }],
        _ => vec![Condition::Query { values: vec![QueryPattern { key: Some("page".into()), value: format!("{priority}") }] }],
    };
    ListenerRule {
        id: format!("rule-{priority}").as_str().into(),
        priority,
        conditions,
        transforms: Vec::new(),
        action: Action::FixedResponse { status: 404, content_type: None, body: String::new() },
    }
}
