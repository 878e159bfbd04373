//! Boots, stops and ends of instances.

use std::fs;
use std::path::Path;

use base::ImageId;
use world::{Exit, Image, Instance, InstanceState, Observation, Power, Want};

use crate::support::{Host, eventually, instance, slot};

fn stopped(exit: Exit) -> impl Fn(&InstanceState) -> bool {
    move |state| *state == InstanceState::Stopped { exit }
}

fn with_power(instance: &Instance, power: Power, generation: u64) -> Instance {
    Instance { power, generation, ..instance.clone() }
}

fn wanted(instance: &Instance) -> Want {
    Want::Instance(Box::new(instance.clone()))
}

const COUNTING: &str = "#!/bin/sh
echo run >> /root/runs
echo \"user data as $(id -un), home $HOME, runs $(wc -l < /root/runs)\"
printf '#!/bin/sh\\necho \"rc.local sees $(cat /root/kept) and $(wc -l < /root/runs) run\"\\n' > /etc/rc.local
chmod +x /etc/rc.local
echo treasure > /root/kept
echo overwritten > /usr/share/allod-test
";

#[test]
fn user_data_runs_once_and_the_disk_outlives_stops() {
    let mut host = Host::new();
    let first = instance(51, COUNTING);
    host.run(&first);
    host.console_has(&first, "user data as root, home /root, runs 1", 1);
    host.console_has(&first, "rc.local sees treasure and 1 run", 1);
    let off = with_power(&first, Power::Off, 1);
    host.want(wanted(&off));
    host.state(&off, stopped(Exit::Asked));
    let again = with_power(&first, Power::On, 2);
    host.run(&again);
    host.console_has(&again, "rc.local sees treasure and 1 run", 2);
    assert_eq!(host.console(&again).matches("user data as root").count(), 1);
    // A reboot is a boot with a higher number, without a stop in between.
    let rebooted = with_power(&first, Power::On, 3);
    host.run(&rebooted);
    host.console_has(&rebooted, "rc.local sees treasure and 1 run", 3);
    assert!(!Path::new("/usr/share/allod-test").exists(), "the machine's own /usr is untouched");
    // Terminated, nothing of it is left.
    host.remove(&slot(&first));
    host.state(&rebooted, |state| *state == InstanceState::Gone);
    assert!(!host.paths.instances().join(first.id.as_str()).exists());
    eventually("an empty directory of disks", || {
        let left = fs::read_dir(host.paths.instances()).unwrap().count();
        if left == 0 { Ok(()) } else { Err(format!("{left} left")) }
    });
}

#[test]
fn user_data_that_is_no_script_is_not_run() {
    let mut host = Host::new();
    for (number, data, says) in [(52, "echo no", "no script"), (53, "\u{1f}\u{8b}zip", "no script")] {
        let plain = instance(number, data);
        host.run(&plain);
        host.console_has(&plain, says, 1);
    }
    let mut zipped = instance(54, "");
    zipped.user_data = Some(vec![0x1f, 0x8b, 8, 0]);
    host.run(&zipped);
    host.console_has(&zipped, "compressed", 1);
}

#[test]
fn an_instance_ends_in_many_ways() {
    let mut host = Host::new();
    for (number, command, exit) in [
        (61, "poweroff", Exit::Poweroff),
        (62, "reboot", Exit::Reboot),
        (63, "shutdown -r now", Exit::Reboot),
        (64, "shutdown now", Exit::Poweroff),
    ] {
        let instance = instance(number, &format!("#!/bin/sh\n{command}\nsleep 60\n"));
        host.want(wanted(&instance));
        host.state(&instance, stopped(exit));
    }
    // reboot(2) itself, without asking init: 169 on x86-64, 142 on 64-bit ARM.
    let call = if cfg!(target_arch = "x86_64") { 169 } else { 142 };
    let script = format!("#!/usr/bin/perl\nsyscall({call}, 0xfee1dead, 672274793, 0x4321fedc, 0);\nsleep 60;\n");
    let direct = instance(65, &script);
    host.want(wanted(&direct));
    host.state(&direct, stopped(Exit::Poweroff));
    // Killed from outside, as by the machine's OOM killer.
    let victim = instance(66, "#!/bin/sh\nsleep 1000 & sleep 1000 &\necho up\n");
    host.run(&victim);
    host.console_has(&victim, "up", 1);
    // SAFETY: no pointers; the number is our own instance's.
    assert_eq!(unsafe { libc::kill(host.init_pid(&victim), libc::SIGKILL) }, 0);
    host.state(&victim, stopped(Exit::Signal(libc::SIGKILL)));
    // It stays down until a higher generation wants it up.
    host.want(wanted(&victim));
    host.state(&victim, stopped(Exit::Signal(libc::SIGKILL)));
    host.run(&with_power(&victim, Power::On, 2));
}

#[test]
fn a_stop_asks_first_and_kills_what_does_not_listen() {
    let mut host = Host::new();
    let polite = instance(
        71,
        "#!/bin/sh\n(trap 'echo saving; sleep 0.2; echo saved; exit' TERM; echo ready; while :; do sleep 0.05; done) &\n",
    );
    host.run(&polite);
    host.console_has(&polite, "ready", 1);
    let off = with_power(&polite, Power::Off, 1);
    host.want(wanted(&off));
    host.state(&off, stopped(Exit::Asked));
    assert!(host.console(&polite).contains("saved"), "{}", host.console(&polite));
    let mut deaf = instance(72, "#!/bin/sh\n(trap '' TERM; echo ready; while :; do sleep 0.05; done) &\n");
    deaf.stop_grace_ms = 300;
    host.run(&deaf);
    host.console_has(&deaf, "ready", 1);
    let off = with_power(&deaf, Power::Off, 1);
    host.want(wanted(&off));
    host.state(&off, stopped(Exit::Asked));
    // Even an init that does not move any more is stopped, once the host loses patience.
    let mut frozen = instance(73, "");
    frozen.stop_grace_ms = 100;
    host.run(&frozen);
    // SAFETY: no pointers; the number is our own instance's.
    assert_eq!(unsafe { libc::kill(host.init_pid(&frozen), libc::SIGSTOP) }, 0);
    host.remove(&slot(&frozen));
    host.state(&frozen, |state| *state == InstanceState::Gone);
}

#[test]
fn an_instance_that_cannot_start_says_why() {
    let mut host = Host::new();
    let mut lost = instance(81, "");
    lost.image = Image::Imported { id: ImageId::from("ami-0"), location: "nowhere".into() };
    host.want(wanted(&lost));
    match host.state(&lost, |state| matches!(state, InstanceState::Failed { .. })) {
        InstanceState::Failed { reason } => assert!(reason.contains("nowhere"), "{reason}"),
        state => panic!("{state:?}"),
    }
    let mut bad = instance(82, "");
    bad.interface.mac = "none".into();
    host.want(wanted(&bad));
    match host.state(&bad, |state| matches!(state, InstanceState::Failed { .. })) {
        InstanceState::Failed { reason } => assert!(reason.contains("MAC"), "{reason}"),
        state => panic!("{state:?}"),
    }
    // With the fault gone, the next boot works.
    let good = Instance { generation: 2, ..instance(82, "") };
    host.run(&good);
    let mut escape = instance(83, "");
    escape.id = "../../escape".into();
    match host.ask(wanted(&escape)) {
        Observation::Refused { .. } => {}
        other => panic!("{other:?}"),
    }
}

const LOOKING: &str = r#"#!/bin/sh
for path in /home/* /var/lib/* /opt/* /srv/* /root/* /work /etc/ssl/private; do [ -e "$path" ] && echo "sees $path"; done
[ "$(id -u)" = 0 ] && echo "is root"
cat /etc/passwd > /dev/null && grep -q ec2-user /etc/passwd && echo "has its own users"
touch /usr/local/x /etc/x && echo "may write"
mount -t tmpfs none /mnt 2>/dev/null && echo "MOUNTED"
mknod /tmp/disk b 8 0 2>/dev/null && echo "MADE A DEVICE"
unshare -U true 2>/dev/null && echo "NESTED USERS"
(echo 1 > /proc/sys/kernel/panic) 2>/dev/null && echo "WROTE A SETTING"
(echo b > /proc/sysrq-trigger) 2>/dev/null; echo "still here"
cat /proc/1/environ 2>/dev/null | grep -q . && echo "READ INIT"
cat /proc/kcore 2>/dev/null | grep -q . && echo "READ KCORE"
ls /sys/fs/cgroup 2>/dev/null | grep -q allod && echo "SEES GROUPS"
echo "processes: $(ls -d /proc/[0-9]* | wc -l)"
echo "title: $(tr '\0' ' ' < /proc/1/cmdline)"
echo "cgroup: $(cut -d: -f3 /proc/self/cgroup | sort -u | tr '\n' ' ')"
echo "name: $(hostname)"
echo "to the console" > /dev/console
perl -MPOSIX -e 'print "a shared library works\n"'
echo "ended looking"
"#;

#[test]
fn an_instance_is_alone_in_its_world() {
    // What the skeleton itself puts there.
    const OURS: [&str; 3] = ["sees /var/lib/cloud", "sees /home/ec2-user", "sees /opt/aws"];
    let mut host = Host::new();
    let instance = instance(91, LOOKING);
    host.run(&instance);
    host.console_has(&instance, "ended looking", 1);
    let console = host.console(&instance);
    for line in [
        "is root",
        "has its own users",
        "may write",
        "still here",
        "to the console",
        "a shared library works",
        "title: init",
        "name: ip-10-0-1-91",
    ] {
        assert!(console.contains(line), "{line:?} is missing in {console}");
    }
    for line in ["sees /", "MOUNTED", "MADE A DEVICE", "NESTED", "WROTE", "READ", "SEES"] {
        let seen: Vec<_> = console.lines().filter(|l| l.starts_with(line)).collect();
        let seen: Vec<_> = seen.into_iter().filter(|l| !OURS.contains(l)).collect();
        assert!(seen.is_empty(), "{seen:?}");
    }
    // Its root is nobody in particular here.
    let status = fs::read_to_string(format!("/proc/{}/status", host.init_pid(&instance))).unwrap();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:\t")).unwrap().split('\t').next().unwrap();
    assert!(uid.parse::<u32>().unwrap() >= 0x7000_0000, "{uid}");
}

fn v1_or_v2(host: &Host, instance: &Instance, v1: (&str, &str), v2: &str) -> String {
    let group = host.region_group().join(instance.id.as_str());
    let candidates =
        [Path::new("/sys/fs/cgroup").join(v1.0).join(&group).join(v1.1), Path::new("/sys/fs/cgroup").join(&group).join(v2)];
    candidates
        .iter()
        .find_map(|path| fs::read_to_string(path).ok())
        .unwrap_or_else(|| panic!("none of {candidates:?}"))
        .trim()
        .into()
}

#[test]
fn limits_are_set_and_follow_the_wish() {
    let mut host = Host::new();
    // Takes 200 MiB where 128 are allowed: the kernel ends it, and not the instance.
    // Files in memory may take a part of it only: all of it would leave nothing for init.
    let script = "#!/bin/sh\nperl -e 'my $x = \"a\" x (200 << 20); print \"TOO MUCH\\n\"'\necho \"hog ended with $?\"
for where in /dev/shm /run; do cat /dev/zero > $where/big; wc -c < $where/big; rm $where/big; done\necho \"files ended\"\n";
    let mut instance = instance(95, script);
    host.run(&instance);
    let cpu = |host: &Host, instance: &Instance| v1_or_v2(host, instance, ("cpu", "cpu.cfs_quota_us"), "cpu.max");
    let memory = |host: &Host, instance: &Instance| v1_or_v2(host, instance, ("memory", "memory.limit_in_bytes"), "memory.max");
    assert!(cpu(&host, &instance).starts_with("50000"), "half a core");
    assert_eq!(memory(&host, &instance), (128 << 20).to_string());
    assert_eq!(v1_or_v2(&host, &instance, ("pids", "pids.max"), "pids.max"), "4096");
    host.console_has(&instance, "hog ended with 137", 1);
    assert!(!host.console(&instance).contains("TOO MUCH"));
    host.console_has(&instance, "files ended", 1);
    host.console_has(&instance, &(64 << 20).to_string(), 1);
    assert!(host.console(&instance).contains("\n268"), "a fifth of 128 MiB in /run: {}", host.console(&instance));
    let procs = v1_or_v2(&host, &instance, ("memory", "cgroup.procs"), "cgroup.procs");
    assert!(procs.lines().any(|pid| pid == host.init_pid(&instance).to_string()), "{procs}");
    instance.cpu_millicores = 1000;
    instance.memory_bytes = 256 << 20;
    host.want(wanted(&instance));
    assert!(cpu(&host, &instance).starts_with("100000"));
    assert_eq!(memory(&host, &instance), (256 << 20).to_string());
}

#[test]
fn a_flood_on_the_console_stays_bounded_and_keeps_its_end() {
    let mut host = Host::new();
    let instance = instance(97, "#!/usr/bin/perl\nprint \"line $_ \", 'x' x 100, \"\\n\" for 1..40000;\nprint \"the end\\n\";\n");
    host.run(&instance);
    host.console_has(&instance, "the end", 1);
    let file = host.paths.instances().join(instance.id.as_str()).join("console.log");
    assert!(fs::metadata(file).unwrap().len() <= 1024 * 1024);
    let shown = host::console_output(&host.paths, &instance.id).unwrap();
    assert!(shown.len() <= host::CONSOLE_SHOWN_BYTES);
    assert!(String::from_utf8_lossy(&shown).contains("line 40000 x"));
}

#[test]
fn an_end_that_cannot_be_recorded_is_told_when_it_can() {
    let mut host = Host::new();
    let mut own = instance(57, "#!/bin/sh\n(trap '' TERM; echo holding; exec sleep 1000) &\n");
    own.stop_grace_ms = 600_000;
    host.run(&own);
    host.console_has(&own, "holding", 1);
    let init = host.init_pid(&own);
    host.remove(&slot(&own));
    // As on a full disk: nothing can be written where the record is drafted.
    let draft = host.paths.run().join("host/state").join(format!("instance_{}.draft", own.id));
    fs::create_dir(&draft).unwrap();
    // SAFETY: no pointers; the number is our own instance's.
    assert_eq!(unsafe { libc::kill(init, libc::SIGKILL) }, 0);
    eventually("the end of its disk", || {
        let there = fs::exists(host.paths.instances().join(own.id.as_str())).unwrap();
        if there { Err("it is there".into()) } else { Ok(()) }
    });
    fs::remove_dir(&draft).unwrap();
    host.state(&own, |state| *state == InstanceState::Gone);
    // And it is remembered.
    host.connect();
    host.state(&own, |state| *state == InstanceState::Gone);
}

#[test]
fn a_wish_that_cannot_be_recorded_is_not_counted_as_applied() {
    let mut host = Host::new();
    let own = instance(58, "");
    let off = with_power(&own, Power::Off, 1);
    // As on a full disk: nothing can be written where the record is drafted.
    let draft = host.paths.run().join("host/state").join(format!("instance_{}.draft", own.id));
    let refused = |host: &mut Host, want: Option<Want>| {
        host.connect();
        let applied = host.serve().applied.clone();
        fs::create_dir(&draft).unwrap();
        let answer = match want {
            Some(want) => host.ask(want),
            None => host.remove(&slot(&own)),
        };
        fs::remove_dir(&draft).unwrap();
        assert!(matches!(answer, Observation::Refused { .. }), "{answer:?}");
        host.connect();
        assert_eq!(host.serve().applied, applied, "it must come again");
    };
    refused(&mut host, Some(wanted(&own)));
    host.run(&own);
    refused(&mut host, Some(wanted(&off)));
    refused(&mut host, None);
    host.want(wanted(&off));
    host.state(&off, stopped(Exit::Asked));
}
