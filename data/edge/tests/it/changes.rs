//! Listeners, rules, targets, certificates and attributes change while users call: nobody notices who need not.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::ClientConfig;
use world::{
    Action, Algorithm, Certificate, ClientCertificates, Condition, DesyncMode, ListenerRule, LoadBalancer, Observation, Pattern,
    RegisteredTarget, Target, TargetHealth, WeightedGroup,
};

use crate::client::{Client, get};
use crate::origin::Origin;
use crate::rig::{BALANCER, GROUP, PORT, Rig, eventually};
use crate::secure::{Authority, SecureClient, secure};

const NAME: &str = "web-1.eu-central-1.elb.localhost";
const SECURE_PORT: u16 = 8443;
const CHANGES: usize = 200;

/// What the load balancer is like at a change.
fn changed(rig: &Rig, change: usize, certificates: &[Certificate; 2]) -> LoadBalancer {
    // Two targets stay for one half of the time and the others for the other, while the rest come, drain and go.
    let (staying, moving) = if change < CHANGES / 2 { ([0, 1], [2, 3]) } else { ([2, 3], [0, 1]) };
    let here = moving.iter().enumerate().filter(|(at, _)| (change >> at).is_multiple_of(2) || change.is_multiple_of(CHANGES / 2));
    let numbers: Vec<u8> = staying.into_iter().chain(here.map(|(_, n)| *n)).collect();
    let mut balancer = rig.balancer(&numbers);
    if change % 3 == 1 && numbers.len() > 2 {
        balancer.target_groups[0].targets[2].mode = crate::draining::in_ms(200);
    }
    let mut tls = rig.balancer(&[]);
    secure(&mut tls, vec![certificates[change / 10 % 2].clone()], ClientCertificates::Off);
    (tls.listeners[0].port, tls.listeners[0].id) = (SECURE_PORT, format!("{BALANCER}/secure").as_str().into());
    balancer.certificates = tls.certificates;
    balancer.listeners.push(tls.listeners.remove(0));
    if change % 4 < 2 {
        let mut passing = balancer.listeners[0].clone();
        (passing.port, passing.id) = (9_100 + u16::try_from(change % 3).unwrap(), format!("{BALANCER}/{change}").as_str().into());
        balancer.listeners.push(passing);
    }
    for listener in &mut balancer.listeners {
        listener.rules = (0..change % 5).map(|number| rule(number, change)).collect();
        listener.server_header = change.is_multiple_of(2);
    }
    balancer.idle_timeout_ms = 30_000 + change as u64;
    balancer.preserve_host_header = change.is_multiple_of(2);
    balancer.http.desync = [DesyncMode::Defensive, DesyncMode::Monitor, DesyncMode::Strictest][change % 3];
    let group = &mut balancer.target_groups[0];
    group.algorithm = [Algorithm::RoundRobin, Algorithm::LeastOutstandingRequests, Algorithm::WeightedRandom][change % 3];
    group.health_check.interval_ms = 300 + change as u64;
    balancer
}

fn rule(number: usize, change: usize) -> ListenerRule {
    let path = Pattern::Glob(format!("/{}/{change}*", number + 1));
    ListenerRule {
        id: format!("{BALANCER}/rule/{number}"),
        priority: u32::try_from(number).unwrap() + 1,
        conditions: vec![Condition::Path { values: vec![path, Pattern::Glob("/ruled*".into())] }],
        transforms: Vec::new(),
        action: Action::Forward { groups: vec![WeightedGroup { group: GROUP.into(), weight: 1 }], sticky_ms: None },
    }
}

/// Who calls: plain or over TLS, on one connection or on a new one each time.
struct Users {
    ended: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Result<(), String>>>,
}

impl Users {
    fn call(door: SocketAddrV4, config: &Arc<ClientConfig>) -> Self {
        let (ended, served): (Arc<AtomicBool>, Arc<AtomicUsize>) = Default::default();
        let failed: Arc<Mutex<Option<String>>> = Arc::default();
        let start = |number: usize| {
            let (ended, served, failed, config) = (ended.clone(), served.clone(), failed.clone(), config.clone());
            thread::spawn(move || {
                let told = |e: std::io::Error| format!("user {number}: {e}");
                let mut plain = None;
                let mut tls = None;
                while !ended.load(Ordering::SeqCst) && failed.lock().unwrap().is_none() {
                    let asked = if number < 4 { ask(&mut plain, door) } else { ask_securely(&mut tls, door, &config) };
                    let status = asked.map_err(told)?;
                    if status != 200 {
                        return Err(format!("user {number}: status {status}"));
                    }
                    served.fetch_add(1, Ordering::SeqCst);
                    if number % 2 == 1 {
                        (plain, tls) = (None, None);
                    }
                }
                Ok(())
            })
        };
        let threads = (0..8).map(start).collect();
        Self { ended, served, threads }
    }

    fn end(self) {
        self.ended.store(true, Ordering::SeqCst);
        let outcomes: Vec<_> = self.threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(outcomes, vec![Ok(()); 8]);
    }
}

/// A connection that is there must serve: it is never replaced.
fn ask(client: &mut Option<Client>, door: SocketAddrV4) -> std::io::Result<u16> {
    let client = match client {
        Some(client) => client,
        None => client.insert(Client::try_connect(door)?),
    };
    std::io::Write::write_all(&mut client.stream, format!("GET /ruled HTTP/1.1\r\nHost: {NAME}\r\n\r\n").as_bytes())?;
    Ok(client.try_answer(false)?.status)
}

fn ask_securely(client: &mut Option<SecureClient>, door: SocketAddrV4, config: &Arc<ClientConfig>) -> std::io::Result<u16> {
    let client = match client {
        Some(client) => client,
        None => client.insert(SecureClient::connect((*door.ip(), SECURE_PORT), NAME, config)?),
    };
    Ok(client.get(NAME, "")?.0)
}

#[test]
fn two_hundred_changes_fail_no_request_and_end_no_connection_of_a_listener_that_stays() {
    let mut rig = Rig::start();
    let _origins: Vec<Origin> = (0..4).map(|n| Origin::named(rig.target_at(n), "here")).collect();
    let authority = Authority::new();
    let certificates = [authority.issue("own", &[NAME]), authority.issue_for("own", &[NAME], (2021, 2061), 2)];
    let balancer = changed(&rig, 0, &certificates);
    rig.apply(balancer);
    (0..4).for_each(|n| rig.serve.await_health(n, &TargetHealth::Healthy));
    let config = Arc::new(authority.client());
    let users = Users::call(rig.door(), &config);
    for change in 1..CHANGES {
        if change == CHANGES / 2 {
            // The others take over: first all are there.
            rig.apply(changed(&rig, 0, &certificates));
            (0..4).for_each(|n| rig.serve.await_health(n, &TargetHealth::Healthy));
        }
        let before = users.served.load(Ordering::SeqCst);
        let balancer = changed(&rig, change, &certificates);
        let passing = balancer.listeners.get(2).map(|listener| listener.port);
        rig.apply(balancer);
        if change % 10 == 0 {
            // Without a session to take up, which would bring its certificate along.
            let config = Arc::new(authority.client());
            let fresh = SecureClient::connect((rig.address(1), SECURE_PORT), NAME, &config).unwrap();
            let wanted = &crate::secure::chain(&certificates[change / 10 % 2])[0];
            assert!(fresh.subject() == wanted.to_vec(), "who comes anew sees the certificate of change {change}");
            if let Some(port) = passing {
                assert_eq!(get(SocketAddrV4::new(rig.address(1), port), "/").status, 200);
            }
        }
        let all_ended = || users.threads.iter().any(JoinHandle::is_finished);
        eventually("users go on", || (users.served.load(Ordering::SeqCst) >= before + 8 || all_ended()).then_some(()));
        if all_ended() {
            break;
        }
    }
    users.end();
    assert!(
        std::net::TcpStream::connect_timeout(&rig.door().into(), Duration::from_secs(1)).is_ok() && PORT == rig.door().port()
    );
}

/// It says more at once than the edge takes in at once, and load balancers among it take their time.
#[test]
fn all_that_serve_says_is_heard_however_much_it_is() {
    let mut rig = Rig::start();
    let mut said = 0;
    for number in 0..2_500_u64 {
        if number.is_multiple_of(40) {
            let balancer = rig.balancer(&[]);
            rig.send(LoadBalancer { idle_timeout_ms: 30_000 + number, ..balancer });
            said += 1;
        }
        let mut target = Target { mode: crate::draining::in_ms(60_000), ..rig.target(0) };
        target.key.id = format!("i-{number}");
        rig.tell(RegisteredTarget { load_balancer: BALANCER.into(), group: GROUP.into(), target });
        said += 1;
    }
    eventually("all of it is answered", || {
        let answers = rig.serve.observations().into_iter().filter(|o| matches!(o, Observation::Applied { .. }));
        (answers.count() == said).then_some(())
    });
}
