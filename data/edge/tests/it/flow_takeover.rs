//! A new edge takes over from the one that runs while connections and datagrams go through network load balancers: in real
//! processes, which are killed at any moment.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use world::{Frame, LoadBalancer, Observation, Protocol, TargetHealth};

use crate::draining::in_ms;
use crate::flow_peers::{Asker, Caller, PATIENCE, Speaker, network};
use crate::load::Load;
use crate::rig::{Rig, Serve, eventually};
use crate::takeover::{Process, await_saved};

/// Targets of both kinds at one port. By UDP they answer with their name and whom they see, and, once they are asked to, call
/// those who have said `later`.
struct Peer {
    speaker: Speaker,
    socket: UdpSocket,
    waiting: Arc<Mutex<Vec<SocketAddr>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    fn start(at: SocketAddrV4, name: &'static str) -> Self {
        let speaker = Speaker::echo(at, name);
        let socket = UdpSocket::bind(at).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (waiting, ended): (Arc<Mutex<Vec<SocketAddr>>>, Arc<AtomicBool>) = Default::default();
        let (inner, later, over) = (socket.try_clone().unwrap(), waiting.clone(), ended.clone());
        let thread = thread::spawn(move || {
            let mut bytes = [0; 2_048];
            while !over.load(Ordering::SeqCst) {
                let Ok((count, from)) = inner.recv_from(&mut bytes) else { continue };
                match &bytes[..count] {
                    b"later" => later.lock().unwrap().push(from),
                    text => drop(inner.send_to(&[format!("{name} {from} ").as_bytes(), text].concat(), from)),
                }
            }
        });
        Self { speaker, socket, waiting, ended, thread: Some(thread) }
    }

    fn call_back(&self) {
        for client in self.waiting.lock().unwrap().drain(..) {
            self.socket.send_to(b"at last", client).unwrap();
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn balancer(rig: &Rig) -> LoadBalancer {
    network(rig, &[0, 1], Protocol::TcpUdp)
}

/// A rig whose edge is a process, with two healthy targets for connections and datagrams at one port.
fn start(workers: usize, keeps_sockets: bool) -> (Rig, Process, [Peer; 2]) {
    let mut rig = Rig::without_edge();
    if keeps_sockets {
        std::fs::create_dir_all(rig.paths().run()).unwrap();
        edge::keep_sockets(&rig.paths()).unwrap();
    }
    let process = Process::start(&rig, workers);
    rig.reconnect();
    let peers = [Peer::start(rig.target_at(0), "zero"), Peer::start(rig.target_at(1), "one")];
    rig.apply(balancer(&rig));
    [0, 1].iter().for_each(|n| rig.serve.await_health(*n, &TargetHealth::Healthy));
    await_saved(&rig);
    (rig, process, peers)
}

/// Who answered, and whom they saw.
fn seen(asker: &Asker, text: &str) -> (String, String) {
    asker.0.set_read_timeout(Some(PATIENCE)).unwrap();
    let answer = asker.ask_once(text).expect("an answer to the first try");
    let [name, from, echo] = *answer.split(' ').collect::<Vec<_>>() else { panic!("{answer}") };
    assert_eq!(echo, text);
    (name.into(), from.into())
}

#[test]
fn a_flow_of_datagrams_goes_on_with_its_target_which_notices_nothing() {
    let (mut rig, mut old, peers) = start(2, false);
    let askers: Vec<Asker> = (0..32).map(|_| Asker::new(rig.door())).collect();
    let before: Vec<_> = askers.iter().map(|asker| seen(asker, "before")).collect();
    assert_eq!(before.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len(), 2);
    for workers in [2, 1, 3, 2] {
        askers.iter().for_each(|asker| assert_eq!(asker.0.send(b"later").unwrap(), 5));
        let waiting = || peers.iter().map(|peer| peer.waiting.lock().unwrap().len()).sum::<usize>();
        eventually("all are waited for", || (waiting() == askers.len()).then_some(()));
        let new = Process::succeed(&rig, workers);
        rig.reconnect();
        peers.iter().for_each(Peer::call_back);
        for asker in &askers {
            let mut bytes = [0; 16];
            let count = asker.0.recv(&mut bytes).unwrap();
            assert_eq!(&bytes[..count], b"at last", "what a target says later comes too");
        }
        let after: Vec<_> = askers.iter().map(|asker| seen(asker, "after")).collect();
        assert_eq!(after, before, "the same target sees the same address and port");
        old.await_end();
        old = new;
    }
}

#[test]
fn a_target_that_is_told_of_its_clients_goes_on_being_told() {
    let (mut rig, mut old, _peers) = start(2, false);
    let mut announcing = balancer(&rig);
    announcing.target_groups[0].flow.proxy_protocol = true;
    rig.apply(announcing);
    let asker = Asker::new(rig.door());
    asker.0.set_read_timeout(Some(PATIENCE)).unwrap();
    let before = asker.ask_once("before").unwrap();
    assert!(before.contains("QUIT") && before.ends_with("before"), "{before}");
    let _new = Process::succeed(&rig, 2);
    rig.reconnect();
    old.await_end();
    assert_eq!(asker.ask_once("after").unwrap(), before.replace("before", "after"));
}

/// So many that their notes and sockets take many messages.
#[test]
fn thousands_of_flows_go_along() {
    // Every client has a descriptor here too.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let (mut rig, mut old, _peers) = start(2, false);
    let askers: Vec<Asker> = (0..3_000).map(|_| Asker::new(rig.door())).collect();
    let before: Vec<_> = askers.iter().map(|asker| seen(asker, "before")).collect();
    let _new = Process::succeed(&rig, 2);
    rig.reconnect();
    old.await_end();
    let after: Vec<_> = askers.iter().map(|asker| seen(asker, "after")).collect();
    assert!(after == before);
}

/// "Connection draining": flows of a target that leaves go on; new ones go to others. So it is at the next edge.
#[test]
fn flows_to_a_target_that_leaves_go_on_and_are_waited_for_at_the_next_edge() {
    let (mut rig, mut old, _peers) = start(1, false);
    let asker = Asker::new(rig.door());
    let before = seen(&asker, "before");
    let number = u8::from(before.0 == "one");
    let mut leaving = balancer(&rig);
    leaving.target_groups[0].targets[usize::from(number)].mode = in_ms(60_000);
    rig.apply(leaving);
    rig.serve.await_health(number, &TargetHealth::Draining);
    let new = Process::succeed(&rig, 1);
    rig.reconnect();
    old.await_end();
    assert_eq!(seen(&asker, "after"), before);
    rig.serve.await_health(number, &TargetHealth::Draining);
    let others: BTreeSet<_> = (0..16).map(|_| seen(&Asker::new(rig.door()), "new").0).collect();
    assert!(!others.contains(&before.0), "{others:?}");
    assert_eq!(rig.serve.healths(number).last(), Some(&TargetHealth::Draining), "it is not drained while it has a flow");
    drop(new);
}

/// Clients who call all the time, as long as nothing goes wrong for them.
fn load(clients: impl IntoIterator<Item = Box<dyn FnMut() -> io::Result<()> + Send>>) -> Load {
    Load::start(clients, |mut client: Box<dyn FnMut() -> io::Result<()> + Send>, told| {
        while told.goes_on() {
            if let Err(e) = client() {
                return told.failed(e.to_string());
            }
            told.served.fetch_add(1, Ordering::SeqCst);
        }
    })
}

/// Asks again and again in one flow, each time once.
fn in_one_flow(at: SocketAddrV4) -> Box<dyn FnMut() -> io::Result<()> + Send> {
    let asker = Asker::new(at);
    asker.0.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut first, mut number) = (None, 0);
    Box::new(move || {
        number += 1;
        let answer = asker
            .ask_once(&number.to_string())
            .ok_or_else(|| io::Error::other(format!("datagram {number} of {:?} was lost", asker.0.local_addr())))?;
        let (peer, echo) = answer.rsplit_once(' ').unwrap();
        assert_eq!(echo, number.to_string());
        match &first {
            None => first = Some(peer.to_string()),
            Some(first) if first != peer => return Err(io::Error::other(format!("{peer} after {first}"))),
            Some(_) => {}
        }
        Ok(())
    })
}

/// Asks in a flow of its own each time, at a pace that leaves room for them all.
fn in_new_flows(at: SocketAddrV4) -> Box<dyn FnMut() -> io::Result<()> + Send> {
    Box::new(move || {
        let asker = Asker::new(at);
        asker.0.set_read_timeout(Some(PATIENCE)).unwrap();
        thread::sleep(Duration::from_millis(2));
        asker.ask_once("new").map(|_| ()).ok_or_else(|| io::Error::other("a datagram of a new flow was lost"))
    })
}

fn by_new_connections(at: SocketAddrV4) -> Box<dyn FnMut() -> io::Result<()> + Send> {
    Box::new(move || Caller::try_call(at)?.echo("new"))
}

fn by_one_connection(at: SocketAddrV4) -> Box<dyn FnMut() -> io::Result<()> + Send> {
    let mut caller = Caller::call(at);
    Box::new(move || caller.echo("kept"))
}

#[test]
fn nothing_is_refused_lost_or_led_elsewhere_while_edges_take_over_under_load() {
    let (mut rig, mut old, _peers) = start(2, false);
    let at = rig.door();
    let coming = [by_new_connections(at), by_new_connections(at), in_new_flows(at), in_new_flows(at)];
    let lasting: Vec<_> = (0..4).map(|_| in_one_flow(at)).collect();
    let load = load(coming.into_iter().chain(lasting));
    let mut balancer = balancer(&rig);
    // Flows that have ended make room for others.
    balancer.listeners[0].tcp_idle_timeout_ms = Some(5_000);
    rig.apply(balancer);
    load.await_more(100);
    for workers in [2, 3, 1, 2, 2] {
        let new = Process::succeed(&rig, workers);
        rig.reconnect();
        load.await_more(100);
        old.await_end();
        old = new;
    }
    assert_eq!(load.end(), Vec::<String>::new());
}

#[test]
fn open_connections_live_on_in_the_old_edge_which_ends_with_them() {
    let (mut rig, mut old, _peers) = start(2, false);
    let load = load((0..4).map(|_| by_one_connection(rig.door())));
    let mut silent: Vec<Caller> = (0..8).map(|_| Caller::call(rig.door())).collect();
    let mut new = Process::succeed(&rig, 2);
    rig.reconnect();
    Caller::call(rig.door()).echo("new").unwrap();
    load.await_more(1_000);
    // Connections of flows are never between two requests: silence is no reason to let them go.
    let begun = Instant::now();
    eventually("idle connections of HTTP would have gone", || (begun.elapsed() > Duration::from_secs(6)).then_some(()));
    silent.iter_mut().for_each(|caller| caller.echo("still there").unwrap());
    assert!(old.lives());
    assert_eq!(load.end(), Vec::<String>::new());
    drop(silent);
    old.await_end();
    Caller::call(rig.door()).echo("at the new edge").unwrap();
    new.kill();
}

/// Several edges may be draining at a time: each hears of the next one what becomes of targets, and ends when all do.
#[test]
fn connections_live_through_several_new_edges_and_end_with_the_region() {
    let (mut rig, first, _peers) = start(1, false);
    let mut edges = vec![first];
    let mut callers = vec![Caller::call(rig.door())];
    for _ in 0..3 {
        edges.push(Process::succeed(&rig, 1));
        rig.reconnect();
        callers.push(Caller::call(rig.door()));
    }
    callers.iter_mut().for_each(|caller| caller.echo("still there").unwrap());
    assert!(edges.iter_mut().all(Process::lives));
    // Connections of the first edge end: it does, and those after it go on.
    callers.remove(0);
    edges.remove(0).await_end();
    callers.iter_mut().for_each(|caller| caller.echo("still there").unwrap());
    rig.serve.send(&Frame::Shutdown { purge: true });
    edges.iter_mut().for_each(Process::await_end);
    assert!(callers.iter_mut().all(|caller| caller.echo("over").is_err()));
}

/// What the attributes of a target group say of flows holds for those at edges before this one too:
/// "deregistration_delay.connection_termination.enabled", "target_health_state.unhealthy.connection_termination.enabled".
#[test]
fn flows_at_old_edges_end_with_their_targets_or_do_not_as_is_wanted() {
    for cuts in [true, false] {
        let (mut rig, mut first, mut peers) = start(1, false);
        let mut wanted = balancer(&rig);
        wanted.target_groups[0].flow.cut_at_deregistration = cuts;
        wanted.target_groups[0].flow.cut_when_unhealthy = cuts;
        rig.apply(wanted.clone());
        let of = |name: &str| eventually("a caller of this target", || Some(Caller::call(rig.door())).filter(|c| c.name == name));
        let (mut deregistered, mut unhealthy) = (of("zero"), of("one"));
        let mut second = Process::succeed(&rig, 1);
        let _third = Process::succeed(&rig, 1);
        rig.reconnect();
        [0, 1].iter().for_each(|n| rig.serve.await_health(*n, &TargetHealth::Healthy));
        peers[1].speaker.close();
        eventually("it is unhealthy", || {
            matches!(rig.serve.healths(1).last(), Some(TargetHealth::Unhealthy { .. })).then_some(())
        });
        wanted.target_groups[0].targets[0].mode = in_ms(1_000);
        rig.apply(wanted.clone());
        rig.serve.await_health(0, &TargetHealth::Drained);
        for caller in [&mut deregistered, &mut unhealthy] {
            match cuts {
                true => assert!(caller.was_reset()),
                false => caller.echo("still there").unwrap(),
            }
        }
        match cuts {
            true => [&mut first, &mut second].into_iter().for_each(Process::await_end),
            false => assert!(first.lives() && second.lives()),
        }
    }
}

#[test]
fn what_is_gone_from_the_configuration_ends_at_old_edges_too() {
    let (mut rig, mut old, _peers) = start(1, false);
    let mut caller = Caller::call(rig.door());
    let _new = Process::succeed(&rig, 1);
    rig.reconnect();
    let mut gone = balancer(&rig);
    gone.listeners.clear();
    gone.target_groups.clear();
    rig.apply(gone);
    assert!(caller.was_reset());
    old.await_end();
}

/// Until it has taken over, the old edge goes on as if there were no other; after that its death is that of any edge.
#[test]
fn a_new_edge_that_is_killed_at_any_moment_leaves_flows_where_they_are() {
    let (mut rig, mut old, _peers) = start(2, true);
    let asker = Asker::new(rig.door());
    let name = |answer: &str| answer.split(' ').next().unwrap().to_string();
    let first = name(&asker.ask("before"));
    let (mut stayed, mut before) = (0, asker.ask("x"));
    for step in 0..30 {
        let mut new = Process::start(&rig, 2);
        let end = Instant::now() + Duration::from_millis(step);
        while Instant::now() < end {
            thread::yield_now();
        }
        new.kill();
        let stays = eventually("one of them serves, or none", || match Serve::try_connect(rig.directory.path()) {
            Some(_) => Some(true),
            None => (!old.lives()).then_some(false),
        });
        if stays {
            stayed += 1;
            assert_eq!(asker.ask_once("x").as_ref(), Some(&before), "step {step}");
            Caller::call(rig.door()).echo("as before").unwrap();
        } else {
            old.await_end();
            old = Process::succeed(&rig, 2);
            before = asker.ask("x");
            assert_eq!(name(&before), first);
        }
        rig.reconnect();
    }
    assert!(stayed > 0, "none was killed early enough");
}

/// Between its death and the next one's start nobody can serve; after it, flows are led to the targets that they had.
#[test]
fn an_old_edge_that_is_killed_at_any_moment_leaves_flows_to_the_same_targets() {
    let (mut rig, mut old, _peers) = start(2, false);
    let askers: Vec<Asker> = (0..8).map(|_| Asker::new(rig.door())).collect();
    let name = |answer: String| answer.split(' ').next().unwrap().to_string();
    let before: Vec<String> = askers.iter().map(|asker| name(asker.ask("before"))).collect();
    for step in 0..16 {
        let new = Process::start(&rig, 2);
        let end = Instant::now() + Duration::from_millis(4 * step);
        while Instant::now() < end {
            thread::yield_now();
        }
        old.kill();
        new.await_office(&rig.paths());
        rig.reconnect();
        let after: Vec<String> = askers.iter().map(|asker| name(asker.ask("after"))).collect();
        assert_eq!(after, before, "step {step}");
        eventually("connections are served", || Caller::try_call(rig.door()).ok()?.echo("new").ok());
        old = new;
    }
}

#[test]
fn datagrams_and_connections_wait_for_the_next_edge_where_sockets_are_kept() {
    let (mut rig, mut old, _peers) = start(2, true);
    let asker = Asker::new(rig.door());
    asker.0.set_read_timeout(Some(PATIENCE)).unwrap();
    let before = seen(&asker, "before").0;
    for _ in 0..3 {
        await_saved(&rig);
        old.kill();
        asker.0.send(b"waits").unwrap();
        let door = rig.door();
        let callers: Vec<_> = (0..8).map(|_| thread::spawn(move || Caller::call(door).echo("waits"))).collect();
        old = Process::start(&rig, 2);
        let mut bytes = [0; 64];
        let count = asker.0.recv(&mut bytes).unwrap();
        assert!(bytes[..count].starts_with(before.as_bytes()) && bytes[..count].ends_with(b"waits"));
        callers.into_iter().for_each(|caller| caller.join().unwrap().unwrap());
        rig.reconnect();
    }
    rig.serve.send(&Frame::Shutdown { purge: true });
    old.await_end();
    eventually("nobody listens any more", || TcpStream::connect(rig.door()).is_err().then_some(()));
    eventually("nobody receives any more", || UdpSocket::bind(rig.door()).ok());
}

/// A listener that goes and comes again, as when a stack replaces it, has the port that it had, though its sockets are kept.
#[test]
fn a_listener_that_comes_again_has_its_port_again() {
    let (mut rig, _edge, _peers) = start(2, true);
    let asker = Asker::new(rig.door());
    for round in 0..20 {
        let mut without = balancer(&rig);
        without.listeners.clear();
        if round % 2 == 0 {
            rig.send(without);
        } else {
            rig.apply(without);
        }
        let with = balancer(&rig);
        rig.apply(with);
        Caller::call(rig.door()).echo("again").unwrap();
        asker.ask("again");
    }
}

#[test]
fn a_flow_is_new_once_and_active_as_long_as_it_lasts() {
    let (mut rig, mut old, _peers) = start(1, false);
    rig.serve.send(&Frame::Report { every_ms: 1_000 });
    let asker = Asker::new(rig.door());
    asker.ask("once");
    let udp = |serve: &Serve| {
        let of = |o: Observation| match o {
            Observation::Traffic { balancers, .. } => balancers,
            _ => Vec::new(),
        };
        serve.observations().into_iter().flat_map(of).filter_map(|b| b.flows).map(|flows| flows.udp).collect::<Vec<_>>()
    };
    eventually("it is told of", || udp(&rig.serve).iter().any(|counts| counts.new == 1).then_some(()));
    let _new = Process::succeed(&rig, 1);
    rig.serve = Serve::connect(rig.directory.path());
    rig.serve.send(&Frame::Report { every_ms: 1_000 });
    old.await_end();
    eventually("it is active", || udp(&rig.serve).iter().any(|counts| counts.active == 1).then_some(()));
    assert_eq!(udp(&rig.serve).iter().map(|counts| counts.new).sum::<u64>(), 0);
}
