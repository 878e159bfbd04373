//! The control plane's side of a courier, and servers on the loopback that receive what it carries.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base::Time;
use courier::{Courier, CourierOptions, SmtpServer};
use world::{
    Delivery, Destination, Effect, EndpointNetworks, Frame, FrameReader, MessageForm, MessageKind, Observation, RunPaths, Slot,
    SlotKind, Want,
};

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Rig {
    pub paths: RunPaths,
    stream: UnixStream,
    reader: FrameReader,
    next_version: u64,
    _data: tempfile::TempDir,
}

impl Rig {
    pub fn new(smtp: Option<&str>) -> Self {
        Self::with(smtp, None, &[])
    }

    /// One that may call endpoints in these networks too.
    pub fn in_networks(networks: &[&str]) -> Self {
        Self::with(None, None, networks)
    }

    pub fn with(smtp: Option<&str>, sender: Option<&str>, networks: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let paths = RunPaths::new(data.path());
        let options = CourierOptions {
            paths: paths.clone(),
            endpoint_networks: EndpointNetworks::new(networks.iter().map(|n| n.parse().unwrap())),
            smtp: smtp.map(|url| SmtpServer::parse(url).unwrap()),
            sender: sender.map(|s| s.parse().unwrap()),
        };
        let courier = Courier::new(options).unwrap();
        let (stream, theirs) = UnixStream::pair().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        courier.start(theirs).unwrap();
        let mut rig = Self { paths, stream, reader: FrameReader::default(), next_version: 1, _data: data };
        assert!(matches!(rig.frame(), Frame::Hello { applied, .. } if applied.is_empty()));
        rig
    }

    fn frame(&mut self) -> Frame {
        loop {
            if let Some(frame) = self.reader.next_frame().unwrap() {
                return frame;
            }
            let mut buffer = [0; 4096];
            let n = self.stream.read(&mut buffer).unwrap();
            assert!(n > 0, "the courier has closed the connection");
            self.reader.push(&buffer[..n]);
        }
    }

    /// The next answer: the delivery's id, and the reason if it was refused.
    pub fn answer(&mut self) -> (String, Option<String>) {
        match self.frame() {
            Frame::Observation(Observation::Applied { slot, .. }) => (slot.id, None),
            Frame::Observation(Observation::Refused { slot, reason, .. }) => (slot.id, Some(reason)),
            other => panic!("an answer is expected, not {other:?}"),
        }
    }

    pub fn want(&mut self, delivery: &Delivery) {
        let slot = Slot::new(SlotKind::Delivery, delivery.id.as_str());
        self.send(slot, Some(Want::Delivery(Box::new(delivery.clone()))));
    }

    pub fn want_no(&mut self, id: &str) {
        self.send(Slot::new(SlotKind::Delivery, id), None);
    }

    fn send(&mut self, slot: Slot, want: Option<Want>) {
        let version = self.next_version;
        self.next_version += 1;
        let frame = Frame::Effect(Effect { slot, version, want });
        self.stream.write_all(&frame.encode().unwrap()).unwrap();
    }

    /// Carries one delivery; the reason if it was refused.
    pub fn carry(&mut self, delivery: &Delivery) -> Option<String> {
        self.want(delivery);
        let (id, refused) = self.answer();
        assert_eq!(id, delivery.id);
        refused
    }
}

pub fn notification(id: &str, destination: Destination, form: MessageForm) -> Delivery {
    Delivery {
        id: id.into(),
        attempt: 1,
        destination,
        form,
        kind: MessageKind::Notification,
        message_id: "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324".into(),
        topic_arn: "arn:aws:sns:eu-central-1:000000000000:alerts".into(),
        subscription_arn: Some("arn:aws:sns:eu-central-1:000000000000:alerts:1".into()),
        subject: Some("Grüße".into()),
        message: "Hello\nworld".into(),
        published_at: Time::from_unix_ms(1_769_860_800_250),
        attributes: BTreeMap::new(),
        link: "http://127.0.0.1:4566/?Action=Unsubscribe".into(),
        token: None,
        certificate_url: "http://127.0.0.1:4566/_allod/sns/SimpleNotificationService.pem".into(),
    }
}

/// What a request brought.
#[derive(Clone, Debug, Default)]
pub struct Got {
    pub head: Vec<String>,
    pub body: String,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.iter().filter_map(|line| line.split_once(": "));
        pairs.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

/// A server that serves each connection by a function, and ends with the test.
pub struct Server {
    pub address: SocketAddr,
    ends: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (ends, open) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (ending, opened, serve) = (ends.clone(), open.clone(), Arc::new(serve));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if ending.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, serve) = (stream.unwrap(), serve.clone());
                opened.lock().unwrap().push(stream.try_clone().unwrap());
                thread::spawn(move || serve(stream));
            }
        });
        Self { address, ends, open, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> Destination {
        let url = format!("http://{}{path}", self.address);
        Destination::Http { url, content_type: "text/plain; charset=UTF-8".into() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads a request with a `Content-Length`.
pub fn read_request(stream: &TcpStream) -> Option<Got> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut got = Got::default();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        got.head.push(line.trim().to_string());
    }
    let length: usize = got.header("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    got.body = String::from_utf8(body).ok()?;
    Some(got)
}

pub fn answer(mut stream: &TcpStream, status: &str) {
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}
