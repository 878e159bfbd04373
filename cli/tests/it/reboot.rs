//! The machine goes down with everything that runs, and comes up again: what was running runs again, on its old disk, as
//! EC2's instances do when their host was restarted.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

use crate::rig::{Rig, eventually};

const STACK: &str = r#"
Parameters:
  Image: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>', Default: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.77.0.0/16}}
  Subnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.77.1.0/24}}
  Instance:
    Type: AWS::EC2::Instance
    Properties:
      ImageId: !Ref Image
      InstanceType: t3.micro
      SubnetId: !Ref Subnet
      UserData:
        Fn::Base64: |
          #!/bin/sh
          echo first boot only
          echo kept > /root/kept
"#;

fn status(rig: &Rig) -> Json {
    serde_json::from_str(&rig.good(&["status", "--output", "json"])).unwrap()
}

/// Id, address and state of the one instance.
fn instance(rig: &Rig) -> (String, String, String) {
    let status = status(rig);
    let text = |field: &str| status["instances"][0][field].as_str().unwrap_or_default().to_string();
    (text("id"), text("address"), text("state"))
}

/// What the host has written down of the instance's boot: process id and state.
fn boot(rig: &Rig, id: &str) -> Option<(i32, String)> {
    let record = fs::read(rig.data.join("run/host/state").join(format!("instance_{id}.json"))).ok()?;
    let record: Json = serde_json::from_slice(&record).ok()?;
    Some((i32::try_from(record["boot"]["pid"].as_i64()?).ok()?, record["boot"]["state"].as_str()?.into()))
}

fn kill(pid: i32) {
    // One that has ended already is as dead as it can be.
    let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
}

/// Process ids of the region's own processes: those that were started with its data directory.
fn region(rig: &Rig) -> Vec<i32> {
    let data = rig.data.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let ours = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains(data));
    pids.filter(ours).collect()
}

/// What a power cut leaves: no process, no mount, and nothing of what lies in memory.
fn cut_the_power(rig: &Rig, init: i32) {
    eventually("end of every process", || {
        let alive = region(rig);
        alive.iter().copied().for_each(kill);
        alive.is_empty().then_some(())
    });
    // Last, for nobody may live to tell that it ended.
    kill(init);
    eventually("end of the instance", || (!Path::new(&format!("/proc/{init}/exe")).exists()).then_some(()));
    let run = rig.data.join("run");
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let ours = mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|at| Path::new(at).starts_with(&run));
    for mount in ours {
        assert!(Command::new("umount").args(["-l", mount]).status().unwrap().success(), "{mount}");
    }
    fs::remove_dir_all(run).unwrap();
}

#[test]
fn after_a_reboot_what_was_running_runs_again_on_its_disk() {
    let rig = Rig::started();
    let template = rig.data.with_file_name("one.yaml");
    fs::write(&template, STACK).unwrap();
    rig.good(&["up", template.to_str().unwrap()]);
    let (id, address, state) = instance(&rig);
    assert_eq!(state, "running");
    eventually("user data's end", || rig.good(&["console-output", &id]).contains("first boot only").then_some(()));
    let disk = rig.data.join("instances").join(&id);
    for _ in 0..2 {
        let (before, _) = boot(&rig, &id).unwrap();
        cut_the_power(&rig, before);
        rig.good(&["serve", "--background", "--listen", "127.0.0.1:0"]);
        let (pid, state) = eventually("boot of the instance", || boot(&rig, &id));
        assert_eq!(state, "running");
        assert_ne!(pid, before);
        assert_eq!(instance(&rig), (id.clone(), address.clone(), "running".into()), "the same instance at the same address");
        // It can be looked into where it is: its root has what it wrote before.
        eventually("old disk", || {
            let kept = fs::read_to_string(format!("/proc/{pid}/root/root/kept")).ok();
            kept.filter(|text| text == "kept\n")
        });
    }
    assert_eq!(rig.good(&["console-output", &id]).matches("first boot only").count(), 1, "user data runs at the first boot only");
    assert!(disk.exists());
    // Down and up again is no different.
    rig.good(&["down"]);
    assert_eq!(region(&rig), Vec::<i32>::new());
    rig.good(&["serve", "--background", "--listen", "127.0.0.1:0"]);
    eventually("boot of the instance", || boot(&rig, &id).filter(|(_, state)| state == "running"));
    assert_eq!(instance(&rig).2, "running");
    rig.good(&["down", "--stack-name", "one"]);
    eventually("deletion of the disk", || (!disk.exists()).then_some(()));
}
