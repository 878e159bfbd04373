//! Inits that are killed at any moment of a start or a stop, by nobody's order: the host tells it, cleans up, and can start
//! the instance anew.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use world::{Instance, InstanceState, Power, Want};

use crate::support::{Host, PATIENCE, instance, slot};

/// Moments after the first sight of the instance's process, in microseconds.
const MOMENTS_US: [u64; 12] = [0, 0, 100, 200, 400, 800, 1_200, 2_000, 3_000, 5_000, 8_000, 15_000];

/// The processes in the instance's cgroup, as soon as there are some.
fn processes(host: &Host, instance: &Instance) -> Vec<i32> {
    let group = host.region_group().join(instance.id.as_str()).join("cgroup.procs");
    let paths = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup", "/sys/fs/cgroup/pids"].map(|mount| Path::new(mount).join(&group));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = paths.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        let pids: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect();
        if !pids.is_empty() {
            return pids;
        }
        assert!(Instant::now() < deadline, "no process of {}", instance.id);
    }
}

fn kill(pids: &[i32]) {
    for pid in pids {
        // SAFETY: no pointers; the numbers are our own instance's.
        unsafe { libc::kill(*pid, libc::SIGKILL) };
    }
}

fn spin(us: u64) {
    let until = Instant::now() + Duration::from_micros(us);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

fn is_over(state: &InstanceState) -> bool {
    matches!(state, InstanceState::Stopped { .. } | InstanceState::Failed { .. })
}

/// Waits for the end of the instance's present boot, however it ended.
fn over(host: &mut Host, instance: &Instance) {
    host.serve().until(&format!("an end of {}", instance.id), |observation| match observation {
        world::Observation::Instance { id, generation, state, .. } => {
            *id == instance.id && *generation == instance.generation && is_over(state)
        }
        _ => false,
    });
}

#[test]
fn an_init_killed_while_it_starts_is_reported_and_can_start_anew() {
    let mut host = Host::new();
    for (number, moment) in (210_u8..).zip(MOMENTS_US) {
        let instance = instance(number, "#!/bin/sh\necho once\n");
        let want = Some(Want::Instance(Box::new(instance.clone())));
        host.tell(slot(&instance), want);
        let first = processes(&host, &instance);
        spin(moment);
        kill(&first);
        over(&mut host, &instance);
        let again = Instance { generation: 2, ..instance };
        host.run(&again);
        host.console_has(&again, "boot 2", 1);
        // User data runs once: an init that was killed when it had just marked it as done has had its chance.
        if !host.console(&again).contains("boot 1") {
            host.console_has(&again, "once", 1);
        }
        assert!(host.console(&again).matches("once").count() <= 1);
        assert_eq!(processes(&host, &again).iter().filter(|pid| first.contains(pid)).count(), 0);
        host.remove(&slot(&again));
        host.state(&again, |state| *state == InstanceState::Gone);
    }
}

#[test]
fn an_init_killed_while_it_stops_has_stopped() {
    let mut host = Host::new();
    for (number, moment) in (225_u8..).zip(MOMENTS_US) {
        let instance = instance(number, "#!/bin/sh\n(trap '' TERM; setsid sleep 1000) &\n");
        host.run(&instance);
        let pid = host.init_pid(&instance);
        let off = Instance { power: Power::Off, ..instance.clone() };
        let want = Some(Want::Instance(Box::new(off.clone())));
        host.tell(slot(&instance), want);
        spin(moment);
        kill(&[pid]);
        over(&mut host, &off);
        assert!(!Path::new(&format!("/proc/{pid}/exe")).exists(), "its process is gone");
        host.remove(&slot(&instance));
        host.state(&instance, |state| *state == InstanceState::Gone);
    }
}

#[test]
fn a_host_killed_together_with_inits_finds_them_ended() {
    let mut host = Host::new();
    let (kept, lost, stopping) =
        (instance(240, ""), instance(241, ""), instance(242, "#!/bin/sh\n(trap '' TERM; sleep 1000) &\n"));
    for instance in [&kept, &lost, &stopping] {
        host.run(instance);
    }
    let [pid, stopping_pid] = [&lost, &stopping].map(|instance| host.init_pid(instance));
    let off = Instance { power: Power::Off, ..stopping.clone() };
    let want = Some(Want::Instance(Box::new(off.clone())));
    host.tell(slot(&off), want.clone());
    host.kill();
    kill(&[pid, stopping_pid]);
    host.start();
    host.tell(slot(&off), want);
    over(&mut host, &lost);
    over(&mut host, &off);
    host.state(&kept, |state| *state == InstanceState::Running);
    host.run(&Instance { generation: 2, ..lost });
    host.run(&Instance { generation: 2, ..stopping });
}
