//! Starts the application, and a metadata service for it to ask.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::http::Response;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running application, killed with the test.
pub struct Application {
    pub address: SocketAddr,
    log: Mutex<Receiver<String>>,
    process: Child,
    agent: ureq::Agent,
}

impl Drop for Application {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// An answer, its body read.
pub struct Answer {
    pub status: u16,
    pub text: String,
    pub cookie: Option<String>,
    pub location: Option<String>,
    pub policy: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }
}

/// Starts it with these variables on a free port of the loopback.
pub fn start(environment: &[(&str, &str)]) -> Application {
    launch(Command::new(env!("CARGO_BIN_EXE_web-tier")), environment)
}

/// Starts it without a metadata service, by a shell that has first done this.
pub fn start_after(shell: &str) -> Application {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("{shell}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_web-tier")]);
    launch(command, &ALONE)
}

fn launch(mut command: Command, environment: &[(&str, &str)]) -> Application {
    command.args(["--address", "127.0.0.1", "--port", "0"]).env_clear().envs(environment.iter().copied());
    let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let address = first.rsplit_once(' ').unwrap().1.parse().unwrap_or_else(|_| panic!("{first}"));
    let (sender, log) = channel();
    thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).max_redirects(0);
    Application { address, log: Mutex::new(log), process, agent: config.build().into() }
}

const ALONE: [(&str, &str); 3] =
    [("AWS_EC2_METADATA_DISABLED", "true"), ("INSTANCE_ID", "i-test"), ("AVAILABILITY_ZONE", "eu-test-1a")];

/// Starts it without a metadata service.
pub fn start_alone() -> Application {
    start(&ALONE)
}

impl Application {
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.process)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(self.agent.run(request.body(body.to_string()).unwrap()).unwrap())
    }

    /// Sends bytes as they are and gives what comes back until the other side is silent or closes.
    pub fn send(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The first line of the log that holds this text.
    pub fn logged(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.log.lock().unwrap().recv_timeout(left).unwrap_or_else(|_| panic!("never logged: {text}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    pub fn wait_for_exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn read(mut response: Response<ureq::Body>) -> Answer {
    let header = |name| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_string);
    let (cookie, location, policy) = (header("set-cookie"), header("location"), header("content-security-policy"));
    let status = response.status().as_u16();
    Answer { status, text: response.body_mut().read_to_string().unwrap(), cookie, location, policy: policy.unwrap_or_default() }
}

/// How a metadata service treats a request, by its number from 0.
#[derive(Clone, Copy)]
pub enum Manner {
    Answer,
    /// The first so many requests get 503.
    Fail(usize),
    Refuse,
    Silent,
}

/// Serves metadata, version 2 only, until the test's process ends.
pub fn metadata_service(manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut silent = Vec::new();
        for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            match manner {
                Manner::Silent => silent.push(stream),
                Manner::Refuse => answer(stream, |_| (403, "no")),
                Manner::Fail(first) if number < first => answer(stream, |_| (503, "later")),
                _ => answer(stream, metadata),
            }
        }
    });
    url
}

fn metadata(request: &str) -> (u16, &'static str) {
    let has_token = request.contains("\r\nX-aws-ec2-metadata-token: secret\r\n");
    match request.split_once(" HTTP/1.1").unwrap().0 {
        "PUT /latest/api/token" if request.contains("X-aws-ec2-metadata-token-ttl-seconds: ") => (200, "secret"),
        "GET /latest/meta-data/instance-id" if has_token => (200, "i-0123456789abcdef0"),
        "GET /latest/meta-data/placement/availability-zone" if has_token => (200, "eu-central-1b"),
        _ => (401, "token"),
    }
}

fn answer(mut stream: TcpStream, reply: impl Fn(&str) -> (u16, &'static str)) {
    let mut request = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while !request.ends_with("\r\n\r\n") && reader.read_line(&mut request).is_ok_and(|n| n > 0) {}
    let (status, body) = reply(&request);
    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).ok();
}
