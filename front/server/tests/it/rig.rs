//! A region of its own for a test: its server runs in a thread, and is told to end by its shutdown request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base::Time;
use http::Request;
use kernel::{Journal, RedbJournal};
use server::{Credentials, ExecutorProcess, Options, StartError};
use wire::sigv4::{self, Key};
use world::RunPaths;

/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(30);
pub const REGION: &str = "eu-central-1";

pub struct Rig {
    pub paths: RunPaths,
    pub address: SocketAddr,
    pub credentials: Credentials,
    thread: Option<JoinHandle<Result<(), StartError>>>,
}

/// An answer: status, headers in lower case, and body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The error's code, in whichever protocol it came.
    pub fn code(&self) -> String {
        let between = |from: &str, to: &str| Some(self.body.split_once(from)?.1.split_once(to)?.0.to_string());
        between("<Code>", "</Code>").or_else(|| between("\"__type\":\"", "\"")).unwrap_or_default()
    }
}

impl Rig {
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, Vec::new())
    }

    pub fn start_with(data: &Path, executors: Vec<ExecutorProcess>) -> Self {
        let paths = RunPaths::new(data);
        std::fs::create_dir_all(paths.run()).unwrap();
        let options = Options {
            paths: paths.clone(),
            listen: "127.0.0.1:0".parse().unwrap(),
            region: Some(REGION.into()),
            vcpu_millicores: 250,
            metric_period_s: 60,
            endpoint_networks: world::EndpointNetworks::default(),
            executors,
            threads: Vec::new(),
            console_output: Box::new(|_| Ok(b"console".to_vec())),
        };
        let thread = std::thread::spawn(move || server::run(options));
        let deadline = Instant::now() + PATIENCE;
        let endpoint = loop {
            if let Some(endpoint) = server::read_endpoint(&paths).unwrap() {
                break endpoint;
            }
            assert!(Instant::now() < deadline && !thread.is_finished(), "the server does not start");
            std::thread::sleep(Duration::from_millis(2));
        };
        let address = endpoint.url.trim_start_matches("http://").parse().unwrap();
        let credentials = server::read_credentials(&paths).unwrap().unwrap();
        Self { paths, address, credentials, thread: Some(thread) }
    }

    pub fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.exchange(&self.signed("allod", "/_allod/shutdown", &[], b"{}"));
            thread.join().unwrap().unwrap();
        }
    }

    /// Stops the server and gives every row of its journal.
    pub fn rows(mut self) -> Vec<(String, Vec<u8>)> {
        self.stop();
        RedbJournal::open(&self.paths.journal()).unwrap().load().unwrap()
    }

    pub fn key<'a>(&'a self, service: &'a str) -> Key<'a> {
        let Credentials { access_key_id, secret_access_key } = &self.credentials;
        Key { access_key_id, secret_access_key, region: REGION, service }
    }

    /// The bytes of a signed POST.
    pub fn signed(&self, service: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        self.signed_by(&self.key(service), server::wall_clock(), path, headers, body)
    }

    pub fn signed_by(&self, key: &Key, now: Time, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let request = Request::post(format!("http://{}{path}", self.address));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let mut request = request.body(body.to_vec()).unwrap();
        sigv4::sign(&mut request, key, now);
        let lines = request.headers().iter().map(|(n, v)| format!("{n}: {}\r\n", v.to_str().unwrap()));
        let head = format!("POST {path} HTTP/1.1\r\n{}content-length: {}\r\n", lines.collect::<String>(), body.len());
        [head.as_bytes(), b"connection: close\r\n\r\n", body].concat()
    }

    /// A signed request of a query service.
    pub fn query(&self, service: &str, body: &str) -> Answer {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.exchange(&self.signed(service, "/", &headers, body.as_bytes()))
    }

    pub fn json(&self, service: &str, target: &str, body: &str) -> Answer {
        self.exchange(&self.signed(service, "/", &[("x-amz-target", target)], body.as_bytes()))
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes and reads until the server closes: what came, be it an answer or nothing.
    pub fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        // The server may have enough before all is sent.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut got = Vec::new();
        let _ = stream.read_to_end(&mut got);
        got
    }

    pub fn exchange(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        let text = String::from_utf8(got).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_ascii_lowercase(), body: body.into() }
    }

    /// The server still answers, and knows us.
    pub fn is_well(&self) {
        let answer = self.query("ec2", "Action=DescribeVpcs&Version=2016-11-15");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}
