//! A host that is killed and comes back, a `serve` that goes and returns, and the end of everything.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use world::{Effect, Exit, Frame, Instance, InstanceState, Observation, Power, Slot, SlotKind, Want};

use crate::support::{Host, eventually, from_balancer, get, inside, instance, interface, network, slot, web_server};

const BALANCER: &str = "eni-000000000000000lb";

fn running(host: &mut Host, instance: &Instance) {
    host.state(instance, |state| *state == InstanceState::Running);
}

#[test]
fn a_killed_host_comes_back_and_finds_everything() {
    let mut host = Host::new();
    host.want(network(vec![from_balancer(80)]));
    host.want(Want::Interface(interface(BALANCER, [10, 0, 1, 200], &["sg-lb"])));
    let web = instance(101, &web_server(80));
    let doomed = instance(102, "#!/bin/sh\nwhile :; do echo tick; sleep 0.05; done &\n");
    let halting = instance(103, "#!/bin/sh\nsleep 1000 &\n");
    for instance in [&web, &doomed, &halting] {
        host.run(instance);
    }
    host.console_has(&web, "serving", 1);
    let pids = [&web, &doomed, &halting].map(|instance| host.init_pid(instance));
    let namespace = host.paths.interface_namespace(&BALANCER.into());
    let answers = || inside(&namespace, || get(web.interface.address, 80, "/", ""));
    eventually("an answer", answers);
    host.kill();
    answers().expect("no host is needed for traffic");
    let ticks = host.console(&doomed).matches("tick").count();
    host.console_has(&doomed, "tick", ticks + 3);
    // One ends while nobody looks.
    // SAFETY: no pointers; the number is our own instance's.
    assert_eq!(unsafe { libc::kill(pids[1], libc::SIGKILL) }, 0);
    host.start();
    let applied: BTreeSet<String> = host.serve().applied.iter().map(|(slot, _)| slot.to_string()).collect();
    assert_eq!(applied.len(), 5, "{applied:?}");
    running(&mut host, &web);
    running(&mut host, &halting);
    host.state(&doomed, |state| *state == InstanceState::Stopped { exit: Exit::Signal(libc::SIGKILL) });
    assert_eq!([host.init_pid(&web), host.init_pid(&halting)], [pids[0], pids[2]], "nothing was started twice");
    answers().expect("rules and routes are still there");
    // The new host rules as the old one did.
    host.want(network(vec![]));
    assert!(answers().is_err());
    host.want(network(vec![from_balancer(80)]));
    answers().expect("an answer");
    // It sees the end of a process that it did not start, and how it ended where the kernel tells (6.15).
    // SAFETY: no pointers; the number is our own instance's.
    assert_eq!(unsafe { libc::kill(pids[2], libc::SIGPWR) }, 0);
    let known = host.state(&halting, |state| matches!(state, InstanceState::Stopped { .. }));
    if kernel_tells() {
        assert_eq!(known, InstanceState::Stopped { exit: Exit::Poweroff });
    }
    let off = Instance { power: Power::Off, ..web.clone() };
    host.want(Want::Instance(Box::new(off.clone())));
    host.state(&off, |state| *state == InstanceState::Stopped { exit: Exit::Asked });
    host.run(&Instance { generation: 2, ..web });
}

fn kernel_tells() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|n| n.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(15))
}

#[test]
fn a_host_killed_at_any_moment_of_a_start_leaves_one_instance() {
    let mut host = Host::new();
    for (number, pause_us) in (0..12_u8).zip([0, 200, 500, 1000, 1500, 2000, 3000, 4000, 5000, 6000, 8000, 12_000]) {
        let instance = instance(120 + number, "#!/bin/sh\necho once\n");
        let effect = Effect { slot: slot(&instance), version: 1000, want: Some(Want::Instance(Box::new(instance.clone()))) };
        host.send(&Frame::Effect(effect.clone()));
        std::thread::sleep(std::time::Duration::from_micros(pause_us));
        host.kill();
        host.start();
        host.send(&Frame::Effect(effect));
        running(&mut host, &instance);
        host.console_has(&instance, "once", 1);
        let inits = group_members(&host, &instance);
        assert_eq!(inits.len(), 1, "{inits:?} after {pause_us} us");
        assert_eq!(host.console(&instance).matches("once").count(), 1);
    }
}

#[test]
fn an_instance_that_was_recorded_but_not_let_go_runs_under_the_next_host() {
    let mut host = Host::new();
    let instance = instance(135, "#!/bin/sh\necho once\n");
    let recorded = |host: &Host| host.record(&instance).is_some_and(|record| record["boot"]["pid"].is_i64());
    // The first message after the record is the word.
    host.kill_before(libc::SYS_sendmsg, recorded, |host| {
        host.tell(slot(&instance), Some(Want::Instance(Box::new(instance.clone()))));
    });
    let pid = host.init_pid(&instance);
    host.start();
    running(&mut host, &instance);
    host.console_has(&instance, "once", 1);
    assert_eq!(host.init_pid(&instance), pid);
    // The word comes again from each host that takes over, and changes nothing then.
    host.kill();
    host.start();
    running(&mut host, &instance);
    assert_eq!(host.init_pid(&instance), pid);
    assert_eq!(host.console(&instance).matches("boot").count(), 1);
}

#[test]
fn an_address_that_an_ending_instance_gave_up_stays_with_its_successor() {
    let mut host = Host::new();
    host.want(network(vec![from_balancer(80)]));
    host.want(Want::Interface(interface(BALANCER, [10, 0, 1, 200], &["sg-lb"])));
    let mut old = instance(146, "#!/bin/sh\n(trap '' TERM; echo holding; exec sleep 1000) &\n");
    let mut new = instance(147, &web_server(80));
    (old.stop_grace_ms, new.interface.address) = (600_000, old.interface.address);
    new.metadata.tokens_required = false;
    host.run(&old);
    host.console_has(&old, "holding", 1);
    let old_init = host.init_pid(&old);
    host.remove(&slot(&old));
    host.run(&new);
    host.console_has(&new, "serving", 1);
    let answers = {
        let namespace = host.paths.interface_namespace(&BALANCER.into());
        move || inside(&namespace, || get(new.interface.address, 80, "/", ""))
    };
    eventually("an answer", &answers);
    host.kill();
    host.start();
    running(&mut host, &new);
    // Whose address it is decides whose metadata is given, and who is reached there when the other one has ended.
    let own = PathBuf::from(format!("/proc/{}/ns/net", host.init_pid(&new)));
    let told = inside(&own, || get([169, 254, 169, 254].into(), 80, "/latest/meta-data/instance-id", "")).unwrap();
    assert!(told.ends_with(new.id.as_str()), "{told}");
    // SAFETY: no pointers; the number is our own instance's.
    assert_eq!(unsafe { libc::kill(old_init, libc::SIGKILL) }, 0);
    host.state(&old, |state| *state == InstanceState::Gone);
    answers().expect("the successor keeps its address");
}

/// Processes in the instance's cgroup.
fn group_members(host: &Host, instance: &Instance) -> Vec<String> {
    let group = host.region_group().join(instance.id.as_str()).join("cgroup.procs");
    let unified = [Path::new("/sys/fs/cgroup/unified"), Path::new("/sys/fs/cgroup")].map(|mount| mount.join(&group));
    eventually("one process", || {
        let procs = unified.iter().find_map(|path| fs::read_to_string(path).ok()).ok_or("no cgroup")?;
        let procs: Vec<String> = procs.lines().map(str::to_string).collect();
        if procs.len() == 1 { Ok(procs) } else { Err(format!("{procs:?}")) }
    })
}

#[test]
fn serve_may_go_and_is_told_the_present_when_it_returns() {
    let mut host = Host::new();
    let kept = instance(141, "");
    let lost = instance(142, "");
    host.run(&kept);
    host.run(&lost);
    let pid = host.init_pid(&lost);
    host.disconnect();
    // SAFETY: no pointers; the number is our own instance's.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0);
    host.connect();
    running(&mut host, &kept);
    host.state(&lost, |state| *state == InstanceState::Stopped { exit: Exit::Signal(libc::SIGKILL) });
    // What may not exist any more goes; what is gone is said again until it is forgotten.
    host.send(&Frame::Sync { slots: vec![slot(&kept)] });
    host.state(&lost, |state| *state == InstanceState::Gone);
    host.connect();
    host.state(&lost, |state| *state == InstanceState::Gone);
    host.send(&Frame::Sync { slots: vec![slot(&kept)] });
    host.want(Want::Instance(Box::new(kept.clone())));
    host.connect();
    assert_eq!(host.serve().applied.iter().map(|(slot, _)| slot.clone()).collect::<Vec<_>>(), [slot(&kept)]);
}

#[test]
fn effects_repeat_harmlessly_and_old_ones_are_ignored() {
    let mut host = Host::new();
    let instance = instance(145, "#!/bin/sh\necho once\n");
    let effect = |version, instance: &Instance| {
        Frame::Effect(Effect { slot: slot(instance), version, want: Some(Want::Instance(Box::new(instance.clone()))) })
    };
    host.send(&effect(7, &instance));
    running(&mut host, &instance);
    host.console_has(&instance, "once", 1);
    let pid = host.init_pid(&instance);
    let off = Instance { power: Power::Off, ..instance.clone() };
    host.send(&effect(6, &off));
    host.send(&effect(7, &instance));
    running(&mut host, &instance);
    assert_eq!(host.init_pid(&instance), pid);
    let applied = host.serve().heard.iter().filter(|o| matches!(o, Observation::Applied { version: 6, .. })).count();
    assert_eq!(applied, 0);
    host.serve().heard.clear();
    // Removed at version 8, it does not rise again by an effect that was late.
    host.send(&Frame::Effect(Effect { slot: slot(&instance), version: 8, want: None }));
    host.state(&instance, |state| *state == InstanceState::Gone);
    host.send(&effect(7, &instance));
    host.send(&Frame::Effect(Effect { slot: slot(&instance), version: 8, want: None }));
    host.state(&instance, |state| *state == InstanceState::Gone);
    assert!(!host.serve().heard.iter().any(|o| matches!(o, Observation::Instance { state: InstanceState::Running, .. })));
}

#[test]
fn a_second_host_is_refused() {
    let host = Host::new();
    let second = Command::new(env!("CARGO_BIN_EXE_allod-host")).arg(host.paths.data()).output().expect("it runs");
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another host runs"), "{second:?}");
    assert!(host::purge(&host.paths).is_err(), "nor may anyone purge under it");
}

/// Everything on this machine that a host of this data directory could have left.
fn traces(host: &Host) -> BTreeSet<String> {
    let data = fs::canonicalize(host.paths.data()).unwrap();
    let data = data.to_str().unwrap();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mounts = mounts.lines().filter(|line| line.contains(data)).map(|line| format!("mount {line}"));
    let region = host.region_group();
    let groups =
        ["", "unified", "cpu", "cpuacct", "memory", "pids"].map(|part| Path::new("/sys/fs/cgroup").join(part).join(&region));
    let groups = groups.into_iter().filter(|path| path.exists()).map(|path| format!("cgroup {}", path.display()));
    let run = fs::read_dir(host.paths.run()).into_iter().flatten().flatten().map(|e| format!("file {}", e.path().display()));
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let ours = processes.filter(|path: &PathBuf| {
        let in_group = fs::read_to_string(path.join("cgroup")).is_ok_and(|text| text.contains(region.to_str().unwrap()));
        in_group || fs::read_to_string(path.join("cmdline")).is_ok_and(|text| text.contains(data))
    });
    let ours = ours.map(|path| format!("process {}", path.display()));
    mounts.chain(groups).chain(run).chain(ours).collect()
}

/// Processes whose host was killed are dead, but may still wait for the machine's init to reap them.
fn nothing_left(host: &Host) {
    eventually("a clean machine", || {
        let left = traces(host);
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
}

fn fill(host: &mut Host) {
    host.want(network(vec![from_balancer(80)]));
    host.want(Want::Interface(interface(BALANCER, [10, 0, 1, 200], &["sg-lb"])));
    for number in [151, 152] {
        host.run(&instance(number, "#!/bin/sh\n(trap '' TERM; setsid sleep 1000) &\n"));
    }
    host.remove(&Slot::new(SlotKind::Instance, "i-unknown"));
    let traces = traces(host);
    for kind in ["mount", "cgroup", "file", "process"] {
        assert!(traces.iter().any(|trace| trace.starts_with(kind)), "{kind} in {traces:?}");
    }
}

#[test]
fn a_purge_leaves_nothing() {
    let mut host = Host::new();
    fill(&mut host);
    host.purge();
    nothing_left(&host);
    assert!(host.paths.instances().join("i-00000000000000097").join("console.log").exists(), "disks stay");
    // And everything can begin again, with the same disks.
    host.start();
    assert_eq!(host.serve().applied, []);
    host.run(&Instance { generation: 2, ..instance(151, "") });
}

#[test]
fn what_a_killed_host_left_can_be_purged_without_one() {
    let mut host = Host::new();
    fill(&mut host);
    host.kill();
    host::purge(&host.paths).expect("purged");
    nothing_left(&host);
    host::purge(&host.paths).expect("twice is fine");
}
