//! Targets are reached from inside the namespace of the load balancer's interface. Needs root.

#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use edge::Sockets;
use rustix::mount::{UnmountFlags, mount_bind, unmount};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use world::TargetHealth;

use crate::client::{Client, get};
use crate::origin::Origin;
use crate::rig::Rig;

/// A pinned network namespace with nothing but a loopback, and a target inside. It goes away with the test.
struct Pinned {
    path: PathBuf,
    _origin: Origin,
}

impl Pinned {
    fn with_target(rig: &Rig, interface: &str, at: SocketAddrV4, name: &'static str) -> Self {
        let path = rig.paths().interface_namespace(&interface.into());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        File::create(&path).unwrap();
        let pin = path.clone();
        // The thread's sockets stay in its namespace, also those that are used elsewhere later.
        let inside = thread::spawn(move || {
            // SAFETY: a network namespace of its own takes nothing from this thread that Rust relies on.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.expect("this test needs root: it makes a network namespace");
            assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
            mount_bind("/proc/thread-self/ns/net", &pin).unwrap();
            Origin::named(at, name)
        });
        Self { path, _origin: inside.join().unwrap() }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        unmount(&self.path, UnmountFlags::DETACH).ok();
    }
}

#[test]
fn targets_are_reached_from_the_interface_of_their_zone() {
    let mut rig = Rig::start_with(Sockets::Namespace);
    // The same address in two namespaces: only who connects from inside tells them apart.
    let _pinned = [
        Pinned::with_target(&rig, "eni-a", rig.target_at(0), "inside a"),
        Pinned::with_target(&rig, "eni-b", rig.target_at(1), "inside b"),
    ];
    let _outside = [Origin::named(rig.target_at(0), "outside"), Origin::named(rig.target_at(1), "outside")];
    rig.serve_with(&[0, 1]);
    let mut client = Client::connect(rig.door());
    let mut texts: Vec<String> = (0..6).map(|_| client.get("/").text()).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts, ["inside a", "inside b"]);
}

#[test]
fn an_interface_that_comes_late_or_anew_is_found() {
    let mut rig = Rig::start_with(Sockets::Namespace);
    let balancer = rig.balancer(&[0]);
    rig.apply(balancer);
    assert_eq!(get(rig.door(), "/").status, 503);
    let first = Pinned::with_target(&rig, "eni-a", rig.target_at(0), "first");
    rig.serve.await_health(0, &TargetHealth::Healthy);
    assert_eq!(get(rig.door(), "/").text(), "first");
    drop(first);
    let _second = Pinned::with_target(&rig, "eni-a", rig.target_at(0), "second");
    crate::rig::eventually("the new namespace is used", || (get(rig.door(), "/").text() == "second").then_some(()));
}
