//! Measures how long an instance takes from the decision (the effect is sent) to the first instruction of its user
//! data, and to the report that it runs: `start_latency [COUNT] [KEPT]`. KEPT instances run meanwhile. Needs root.
#![allow(unsafe_code, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant, SystemTime};

use world::{
    Effect, Frame, FrameReader, Image, Instance, InstanceState, Interface, Metadata, Network, Observation, Power, RunPaths, Slot,
    Want,
};

const STAMP: &str = "#!/bin/bash\necho \"first instruction at $EPOCHREALTIME\"\n";
const VPC: &str = "vpc-bench";
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    let argument = |n: usize, default| std::env::args().nth(n).map_or(default, |text| text.parse().expect("a number"));
    let (count, kept): (u32, u32) = (argument(1, 200), argument(2, 0));
    let data = std::env::temp_dir().join(format!("allod-bench-{}", std::process::id()));
    std::fs::create_dir_all(&data).expect("a directory");
    let paths = RunPaths::new(&data);
    // Each instance gets a door to the API, as in a region. Nobody is behind this one.
    let endpoint = format!(r#"{{"url":"http://127.0.0.1:4566","region":"eu-central-1","pid":{}}}"#, std::process::id());
    std::fs::write(paths.endpoint(), endpoint).expect("written");
    // SAFETY: this process has one thread.
    let host = unsafe { libc::fork() };
    if host == 0 {
        let outcome = host::run(host::HostOptions { paths });
        std::process::exit(i32::from(outcome.inspect_err(|e| eprintln!("{e}")).is_err()));
    }
    let mut serve = Serve::connect(&paths);
    let network = Network { id: VPC.into(), cidrs: vec!["10.0.0.0/16".into()], subnets: vec![], security_groups: vec![] };
    let slot = Slot::new(world::SlotKind::Network, VPC);
    serve.send(&Frame::Effect(Effect { slot, version: 1, want: Some(Want::Network(network)) }));
    let (mut running_ms, mut first_ms, mut gone_ms) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..kept {
        serve.send(&want(number, 1, Some("#!/bin/sh\n")));
        serve.wait(number, &InstanceState::Running);
    }
    for number in kept..kept + count {
        let (started, wall) = (Instant::now(), SystemTime::now());
        serve.send(&want(number, 1, Some(STAMP)));
        serve.wait(number, &InstanceState::Running);
        running_ms.push(started.elapsed().as_secs_f64() * 1000.0);
        let stamp = stamp(&paths, &id(number));
        first_ms.push((stamp - wall.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()) * 1000.0);
        serve.send(&want(number, 2, None));
        let started = Instant::now();
        serve.wait(number, &InstanceState::Gone);
        gone_ms.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    serve.send(&Frame::Shutdown { purge: true });
    let mut status = 0;
    // SAFETY: the status lives through the call.
    unsafe { libc::waitpid(host, &raw mut status, 0) };
    std::fs::remove_dir_all(&data).ok();
    println!("{count} starts, {kept} other instances");
    print("running reported", &mut running_ms);
    print("first user instruction", &mut first_ms);
    print("termination to gone", &mut gone_ms);
}

fn print(what: &str, ms: &mut [f64]) {
    ms.sort_by(f64::total_cmp);
    let at = |share: f64| ms[((ms.len() - 1) as f64 * share).round() as usize];
    println!("{what:24} p50 {:6.2} ms  p99 {:6.2} ms  max {:6.2} ms", at(0.5), at(0.99), at(1.0));
}

fn id(number: u32) -> String {
    format!("i-{number:017x}")
}

fn want(number: u32, version: u64, user_data: Option<&str>) -> Frame {
    let instance = user_data.map(|user_data| {
        let [_, _, high, low] = (number + 10).to_be_bytes();
        let interface = Interface {
            id: format!("eni-{number:017x}").as_str().into(),
            vpc: VPC.into(),
            subnet: "subnet-bench".into(),
            zone: "a".into(),
            address: [10, 0, high, low].into(),
            prefix_bits: 16,
            mac: format!("06:00:0a:00:{high:02x}:{low:02x}"),
            groups: vec!["sg-bench".into()],
            source_dest_check: true,
        };
        Want::Instance(Box::new(Instance {
            id: id(number).as_str().into(),
            generation: 1,
            power: Power::On,
            image: Image::Host,
            cpu_millicores: 1000,
            memory_bytes: 64 << 20,
            interface,
            hostname: format!("ip-10-0-{high}-{low}"),
            user_data: Some(user_data.into()),
            metadata: Metadata::default(),
            stop_grace_ms: 1000,
        }))
    });
    let slot = Slot::new(world::SlotKind::Instance, id(number));
    Frame::Effect(Effect { slot, version, want: instance })
}

/// When the instance's user data began, in seconds since 1970.
fn stamp(paths: &RunPaths, id: &str) -> f64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let console = host::console_output(paths, &id.into()).unwrap_or_default();
        let console = String::from_utf8_lossy(&console).into_owned();
        if let Some((_, rest)) = console.split_once("first instruction at ")
            && let Some((number, _)) = rest.split_once('\n')
        {
            return number.parse().expect("a time");
        }
        assert!(Instant::now() < deadline, "{id} says nothing: {console}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

struct Serve {
    stream: UnixStream,
    reader: FrameReader,
}

impl Serve {
    fn connect(paths: &RunPaths) -> Self {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(stream) = UnixStream::connect(paths.host_socket()) {
                return Self { stream, reader: FrameReader::default() };
            }
            assert!(Instant::now() < deadline, "no host");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn send(&mut self, frame: &Frame) {
        self.stream.write_all(&frame.encode().expect("it fits")).expect("the host listens");
    }

    fn wait(&mut self, number: u32, wanted: &InstanceState) {
        let mut chunk = [0; 4096];
        loop {
            while let Some(frame) = self.reader.next_frame().expect("frames") {
                if let Frame::Observation(Observation::Instance { id: of, state, .. }) = frame
                    && of == *id(number).as_str()
                {
                    match state {
                        InstanceState::Failed { reason } => panic!("{of}: {reason}"),
                        state if state == *wanted => return,
                        _ => {}
                    }
                }
            }
            let length = self.stream.read(&mut chunk).expect("the host speaks");
            self.reader.push(&chunk[..length]);
        }
    }
}
