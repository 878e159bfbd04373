//! A host of its own for a test: started as a process, spoken to as `serve` does, and purged however the test ends.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use world::{
    Effect, Frame, FrameReader, Image, Instance, InstanceState, Interface, Metadata, Network, Observation, Peer, Power, Rule,
    RunPaths, SecurityGroup, Slot, SlotKind, Subnet, Traffic, Want,
};

/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

static DIRECTORIES: AtomicU64 = AtomicU64::new(0);

pub struct Host {
    pub paths: RunPaths,
    directory: PathBuf,
    process: Option<Child>,
    serve: Option<Serve>,
    version: u64,
}

/// The test's end of the conversation.
pub struct Serve {
    stream: UnixStream,
    reader: FrameReader,
    pub applied: Vec<(Slot, u64)>,
    /// Everything heard so far.
    pub heard: Vec<Observation>,
}

impl Host {
    pub fn new() -> Self {
        // SAFETY: no pointers.
        assert_eq!(unsafe { libc::geteuid() }, 0, "these tests make namespaces and cgroups: run them as root");
        let number = DIRECTORIES.fetch_add(1, Ordering::Relaxed);
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("host-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory for the test");
        let mut host = Self { paths: RunPaths::new(&directory), directory, process: None, serve: None, version: 0 };
        host.start();
        host
    }

    pub fn start(&mut self) {
        let child = Command::new(env!("CARGO_BIN_EXE_allod-host")).arg(&self.directory).spawn().expect("the host starts");
        self.process = Some(child);
        self.connect();
    }

    /// Connects (again) and reads the greeting.
    pub fn connect(&mut self) {
        self.serve = None;
        let deadline = Instant::now() + PATIENCE;
        self.serve = Some(loop {
            if let Some(serve) = Serve::greeted(&self.paths) {
                break serve;
            }
            assert!(Instant::now() < deadline, "no host answers");
            if let Some(status) = self.process.as_mut().and_then(|child| child.try_wait().expect("our child")) {
                panic!("the host ended with {status}");
            }
            std::thread::sleep(Duration::from_millis(2));
        });
    }

    pub fn serve(&mut self) -> &mut Serve {
        self.serve.as_mut().expect("connected")
    }

    pub fn disconnect(&mut self) {
        self.serve = None;
    }

    /// Kills the host as `kill -9` does.
    pub fn kill(&mut self) {
        let mut child = self.process.take().expect("it runs");
        child.kill().expect("killed");
        child.wait().expect("reaped");
        self.serve = None;
    }

    /// Kills the host when it is about to make the system call `number` after `now` has come to hold, once `act` is done.
    pub fn kill_before(&mut self, number: libc::c_long, now: impl Fn(&Self) -> bool, act: impl FnOnce(&mut Self)) {
        let pid = self.process.as_ref().expect("it runs").id().cast_signed();
        let trace = |request, data: usize| {
            // SAFETY: requests that take a number, or write at most `data`'s own size to where the caller says.
            let done = unsafe { libc::ptrace(request, pid, 0, data) };
            assert!(done >= 0, "ptrace: {}", std::io::Error::last_os_error());
        };
        let stopped = || {
            let mut status = 0;
            // SAFETY: the status lives through the call.
            assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) }, pid);
            assert!(libc::WIFSTOPPED(status), "the host ended: {status:x}");
            libc::WSTOPSIG(status)
        };
        trace(libc::PTRACE_SEIZE, (libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACESYSGOOD).cast_unsigned() as usize);
        trace(libc::PTRACE_INTERRUPT, 0);
        stopped();
        act(self);
        loop {
            trace(libc::PTRACE_SYSCALL, 0);
            if stopped() == libc::SIGTRAP | 0x80 && system_call(pid) == Some(number) && now(self) {
                return self.kill();
            }
        }
    }

    /// Sends what the slot must be, as a new version, and waits until it is accepted.
    pub fn want(&mut self, want: Want) {
        match self.ask(want) {
            Observation::Applied { .. } => {}
            refused => panic!("{refused:?}"),
        }
    }

    /// The same, whatever the answer.
    pub fn ask(&mut self, want: Want) -> Observation {
        let slot = want.slot();
        self.effect(slot, Some(want))
    }

    pub fn remove(&mut self, slot: &Slot) -> Observation {
        self.effect(slot.clone(), None)
    }

    /// Sends what the slot must be, as a new version, and does not wait.
    pub fn tell(&mut self, slot: Slot, want: Option<Want>) -> u64 {
        self.version += 1;
        let version = self.version;
        self.send(&Frame::Effect(Effect { slot, version, want }));
        version
    }

    fn effect(&mut self, slot: Slot, want: Option<Want>) -> Observation {
        let version = self.tell(slot.clone(), want);
        self.serve().until("an answer to the effect", |o| match o {
            Observation::Applied { slot: s, version: v } | Observation::Refused { slot: s, version: v, .. } => {
                *s == slot && *v == version
            }
            _ => false,
        })
    }

    pub fn send(&mut self, frame: &Frame) {
        let bytes = frame.encode().expect("it fits");
        self.serve().stream.write_all(&bytes).expect("the host listens");
    }

    /// Starts an instance and waits until it runs.
    pub fn run(&mut self, instance: &Instance) {
        self.want(Want::Instance(Box::new(instance.clone())));
        self.state(instance, |state| *state == InstanceState::Running);
    }

    /// Waits for a state of the instance's present boot.
    pub fn state(&mut self, instance: &Instance, wanted: impl Fn(&InstanceState) -> bool) -> InstanceState {
        let found = self.serve().until(&format!("a state of {}", instance.id), |o| match o {
            Observation::Instance { id, generation, state, .. } => {
                let meant = *id == instance.id && *generation == instance.generation;
                match state {
                    InstanceState::Failed { reason } if meant && !wanted(state) => panic!("{id} failed: {reason}"),
                    state => meant && wanted(state),
                }
            }
            _ => false,
        });
        match found {
            Observation::Instance { state, .. } => state,
            _ => unreachable!("only instances match"),
        }
    }

    pub fn console(&self, instance: &Instance) -> String {
        let bytes = host::console_output(&self.paths, &instance.id).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until the console holds `text` this many times.
    pub fn console_has(&self, instance: &Instance, text: &str, times: usize) {
        eventually(&format!("{text:?} {times} times in the console"), || {
            let console = self.console(instance);
            (console.matches(text).count() >= times).then_some(()).ok_or(console)
        });
    }

    /// What the host has written down of an instance.
    pub fn record(&self, instance: &Instance) -> Option<serde_json::Value> {
        let file = self.paths.run().join("host/state").join(format!("instance_{}.json", instance.id));
        fs::read(file).ok().map(|bytes| serde_json::from_slice(&bytes).expect("JSON"))
    }

    /// Number of the instance's init in our PID namespace.
    pub fn init_pid(&self, instance: &Instance) -> i32 {
        let record = self.record(instance).expect("a record");
        i32::try_from(record["boot"]["pid"].as_i64().expect("it runs")).expect("a pid")
    }

    fn proc(&self) -> PathBuf {
        format!("/proc/{}", self.process.as_ref().expect("it runs").id()).into()
    }

    /// How many descriptors the host has open.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(self.proc().join("fd")).expect("it runs").count()
    }

    /// Lets the host have `count` descriptors more than it has, or as many as it may.
    pub fn limit_descriptors(&self, count: u64) {
        let pid = self.process.as_ref().expect("it runs").id().cast_signed();
        let open = |fd: &u64| fs::symlink_metadata(self.proc().join(format!("fd/{fd}"))).is_ok();
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the limit lives through both calls.
        unsafe {
            assert_eq!(libc::prlimit(pid, libc::RLIMIT_NOFILE, std::ptr::null(), &raw mut limit), 0);
            limit.rlim_cur = (0..).find(|fd| !open(fd)).expect("one is free").saturating_add(count).min(limit.rlim_max);
            assert_eq!(libc::prlimit(pid, libc::RLIMIT_NOFILE, &raw const limit, std::ptr::null_mut()), 0);
        }
    }

    /// Processor time that the host has used.
    pub fn processor_time_ms(&self) -> u64 {
        let stat = fs::read_to_string(self.proc().join("stat")).expect("it runs");
        let fields: Vec<_> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
        // User and system time are its 14th and 15th field, in hundredths of a second.
        fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number") * 10).sum()
    }

    /// Name of the region's cgroup.
    pub fn region_group(&self) -> PathBuf {
        // FNV-1a of the path, as the host names it.
        let real = fs::canonicalize(&self.directory).expect("it exists");
        let bytes = real.as_os_str().as_encoded_bytes();
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
        Path::new("allod").join(format!("{:08x}", hash & 0xffff_ffff))
    }

    /// Asks the host to remove everything and waits for its end.
    pub fn purge(&mut self) {
        self.send(&Frame::Shutdown { purge: true });
        let status = self.process.take().expect("it runs").wait().expect("reaped");
        assert!(status.success(), "{status}");
        self.serve = None;
    }
}

/// The system call that a traced process is about to make; none when it has just made one.
fn system_call(pid: i32) -> Option<libc::c_long> {
    // SAFETY: zeros are a valid value, of which the kernel overwrites at most the size it is given.
    let info = unsafe {
        let mut info: libc::ptrace_syscall_info = std::mem::zeroed();
        let size = size_of::<libc::ptrace_syscall_info>();
        assert!(libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, pid, size, &raw mut info) > 0);
        info
    };
    if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return None;
    }
    // SAFETY: the kernel says that it filled this part of the union.
    unsafe { info.u.entry.nr }.try_into().ok()
}

impl Drop for Host {
    fn drop(&mut self) {
        self.serve = None;
        if let Some(mut child) = self.process.take() {
            child.kill().ok();
            child.wait().ok();
        }
        if let Err(e) = host::purge(&self.paths) {
            eprintln!("purging after the test: {e}");
        }
        fs::remove_dir_all(&self.directory).ok();
    }
}

impl Serve {
    /// None when nobody is there, or a clone of a killed host that still holds its socket for a moment.
    fn greeted(paths: &RunPaths) -> Option<Self> {
        let stream = UnixStream::connect(paths.host_socket()).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(20))).expect("set");
        let mut serve = Serve { stream, reader: FrameReader::default(), applied: Vec::new(), heard: Vec::new() };
        match serve.next(Instant::now() + PATIENCE)? {
            Frame::Hello { applied, .. } => serve.applied = applied,
            other => panic!("instead of a greeting: {other:?}"),
        }
        Some(serve)
    }

    /// The next frame before the deadline.
    pub fn next(&mut self, deadline: Instant) -> Option<Frame> {
        let mut chunk = [0; 4096];
        loop {
            if let Some(frame) = self.reader.next_frame().expect("whole frames") {
                if let Frame::Observation(observation) = &frame {
                    self.heard.push(observation.clone());
                }
                return Some(frame);
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(length) => self.reader.push(&chunk[..length]),
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock && Instant::now() < deadline => {}
                Err(_) => return None,
            }
        }
    }

    /// Waits for an observation that has not been looked at yet.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&Observation) -> bool) -> Observation {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = 0;
        loop {
            if let Some(at) = self.heard[seen..].iter().position(&wanted) {
                return self.heard.remove(seen + at);
            }
            seen = self.heard.len();
            assert!(self.next(deadline).is_some(), "no {what}; heard {:?}", self.heard);
        }
    }
}

/// Polls until there is a result; panics with the last obstacle.
pub fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(obstacle) => assert!(Instant::now() < deadline, "no {what}: {obstacle}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Does something inside a network namespace, in a thread of its own.
pub fn inside<T: Send>(namespace: &Path, action: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            let file = fs::File::open(namespace).expect("the namespace is pinned");
            // SAFETY: no pointers; only this thread moves, and it ends with the action.
            assert_eq!(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) }, 0, "{}", std::io::Error::last_os_error());
            action()
        });
        work.join().expect("the action does not panic")
    })
}

/// One HTTP request by `GET`, with a second's patience for each step; the whole answer.
pub fn get(address: Ipv4Addr, port: u16, path: &str, headers: &str) -> Result<String, String> {
    request(address, port, &format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n"))
}

pub fn request(address: Ipv4Addr, port: u16, text: &str) -> Result<String, String> {
    let second = Duration::from_secs(1);
    let attempt = || {
        let mut stream = TcpStream::connect_timeout(&SocketAddrV4::new(address, port).into(), second)?;
        stream.set_read_timeout(Some(second))?;
        stream.write_all(text.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    attempt().map_err(|e| e.to_string())
}

pub const VPC: &str = "vpc-0123456789abcdef0";

pub fn interface(id: &str, address: [u8; 4], groups: &[&str]) -> Interface {
    Interface {
        id: id.into(),
        vpc: VPC.into(),
        subnet: "subnet-1".into(),
        zone: "eu-central-1a".into(),
        address: address.into(),
        prefix_bits: 24,
        mac: format!("06:00:0a:00:{:02x}:{:02x}", address[2], address[3]),
        groups: groups.iter().map(|group| (*group).into()).collect(),
        source_dest_check: true,
    }
}

/// An instance with the last byte of its address as its number.
pub fn instance(number: u8, user_data: &str) -> Instance {
    let id = format!("i-{number:017x}");
    let entries = [("meta-data/instance-id".to_string(), id.clone())];
    Instance {
        id: id.as_str().into(),
        generation: 1,
        power: Power::On,
        image: Image::Host,
        cpu_millicores: 500,
        memory_bytes: 128 << 20,
        interface: interface(&format!("eni-{number:017x}"), [10, 0, 1, number], &["sg-web"]),
        hostname: format!("ip-10-0-1-{number}"),
        user_data: (!user_data.is_empty()).then(|| user_data.into()),
        metadata: Metadata { entries: entries.into(), tokens_required: true, enabled: true, hop_limit: 2 },
        stop_grace_ms: 3_000,
    }
}

pub fn any() -> Peer {
    Peer::Cidr("0.0.0.0/0".into())
}

/// A VPC in which load balancers may send anything and `ingress` opens the instances.
pub fn network(ingress: Vec<Rule>) -> Want {
    let all = Rule { traffic: Traffic::All, peer: any() };
    let group = |id: &str, ingress| SecurityGroup { id: id.into(), ingress, egress: vec![all.clone()] };
    let subnet = Subnet { id: "subnet-1".into(), cidr: "10.0.1.0/24".into(), zone: "eu-central-1a".into() };
    Want::Network(Network {
        id: VPC.into(),
        cidrs: vec!["10.0.0.0/16".into()],
        subnets: vec![subnet],
        security_groups: vec![group("sg-web", ingress), group("sg-lb", vec![])],
    })
}

/// TCP to a port from the load balancer's group.
pub fn from_balancer(port: u16) -> Rule {
    Rule { traffic: Traffic::Tcp { from: port, to: port }, peer: Peer::Group("sg-lb".into()) }
}

pub fn slot(instance: &Instance) -> Slot {
    Slot::new(SlotKind::Instance, instance.id.as_str())
}

/// User data that serves its host name at a port, with what every Debian has.
pub fn web_server(port: u16) -> String {
    format!(
        r#"#!/usr/bin/perl
use IO::Socket::INET;
$| = 1;
exit 0 if fork;
my $s = IO::Socket::INET->new(LocalPort => {port}, Listen => 64, ReuseAddr => 1) or die "listen: $!";
open my $h, '<', '/etc/hostname'; my $name = <$h>; chomp $name;
print "serving $name from ", $$, "\n";
while (1) {{
    my $c = $s->accept or next;
    while (my $line = <$c>) {{ last if $line =~ /^\r?\n$/; }}
    print $c "HTTP/1.1 200 OK\r\nContent-Length: ", length $name, "\r\nConnection: close\r\n\r\n$name";
    close $c;
}}
"#
    )
}
