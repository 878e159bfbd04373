//! Public cases of request smuggling through the edge to servers that others have written: none of them reads a request that
//! was hidden in another one's body, and nobody gets an answer that is not his.
//!
//! Python's server and axum are always asked; `ALLOD_TEST_SERVERS=axum,python,node,nginx` asks Node and nginx as well, which must
//! be there then.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddrV4, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Uri;
use tokio::sync::oneshot;
use world::DesyncMode;

use crate::client::{Client, get};
use crate::rig::Rig;

const PYTHON: &str = r#"
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        if self.headers.get("Transfer-Encoding"):
            while (size := int(self.rfile.readline().split(b";")[0], 16)):
                self.rfile.read(size + 2)
            while self.rfile.readline().strip():
                pass
        else:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
        print(self.path, flush=True)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.path)))
        self.end_headers()
        self.wfile.write(self.path.encode())
    do_GET = do_POST = answer
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"#;

const NODE: &str = r#"
require("http").createServer((request, answer) => {
    request.resume().on("end", () => { console.log(request.url); answer.end(request.url); });
}).listen(+process.argv[2], process.argv[1]);
"#;

/// A server, and the paths that it says it was asked for.
struct Server {
    runs: Runs,
    paths: Arc<Mutex<Vec<String>>>,
}

enum Runs {
    /// In a process of its own, with its configuration.
    Apart { child: Child, _directory: tempfile::TempDir },
    /// In a thread that ends with this.
    Here { _stop: oneshot::Sender<()> },
}

/// axum, in this process.
fn start_axum(at: SocketAddrV4) -> Server {
    let paths: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = paths.clone();
    let answer = move |uri: Uri, _body: Bytes| {
        told.lock().unwrap().push(uri.path().to_string());
        async move { uri.path().to_string() }
    };
    let listener = TcpListener::bind(at).unwrap();
    listener.set_nonblocking(true).unwrap();
    let (stop, stopped) = oneshot::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let serving = axum::serve(listener, axum::Router::new().fallback(answer));
            tokio::select! {
                served = serving.into_future() => served.unwrap(),
                _ = stopped => {}
            }
        });
    });
    Server { runs: Runs::Here { _stop: stop }, paths }
}

impl Server {
    fn start(kind: &str, at: SocketAddrV4) -> Self {
        if kind == "axum" {
            return start_axum(at);
        }
        let directory = tempfile::tempdir().unwrap();
        let (ip, port) = (at.ip().to_string(), at.port().to_string());
        let mut command = match kind {
            "python" => Command::new("python3"),
            "node" => Command::new("node"),
            "nginx" => Command::new("nginx"),
            other => panic!("{other} is no server that this test knows"),
        };
        match kind {
            "python" => command.args(["-c", PYTHON, &ip, &port]),
            "node" => command.args(["-e", NODE, &ip, &port]),
            _ => {
                let place = directory.path().display();
                let text = format!(
                    "daemon off; master_process off; pid {place}/pid; error_log {place}/error;\n\
                     events {{}}\n\
                     http {{ log_format path '$request_uri'; access_log /dev/stdout path;\n\
                     client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;\n\
                     uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;\n\
                     server {{ listen {at}; location / {{ return 200 $request_uri; }} }} }}\n"
                );
                std::fs::write(directory.path().join("nginx.conf"), text).unwrap();
                command.arg("-c").arg(directory.path().join("nginx.conf")).arg("-p").arg(directory.path())
            }
        };
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = spawned.unwrap_or_else(|e| panic!("{kind} is needed here: {e}"));
        let paths: Arc<Mutex<Vec<String>>> = Arc::default();
        let (inner, lines) = (paths.clone(), BufReader::new(child.stdout.take().unwrap()));
        thread::spawn(move || lines.lines().map_while(Result::ok).for_each(|path| inner.lock().unwrap().push(path)));
        Self { runs: Runs::Apart { child, _directory: directory }, paths }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Runs::Apart { child, .. } = &mut self.runs {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// A request that is read from the middle of a body if anyone disagrees about where that body ends.
const HIDDEN: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\nX: ";

/// Ways to say `chunked` that one reader takes and another does not, beside a length.
const CODINGS: [&str; 18] = [
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
    "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding:\tchunked",
    " Transfer-Encoding: chunked",
    "X: X\nTransfer-Encoding: chunked",
    "Transfer-Encoding\r\n : chunked",
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding: \x0bchunked",
    "Transfer-Encoding: chunked\x0c",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer_Encoding: chunked",
    "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
    "tRANSFER-ENCODING: CHUNKED",
];

fn cases() -> Vec<String> {
    let short = format!("0\r\n\r\n{HIDDEN}");
    let long = format!("{:x}\r\n{HIDDEN}\r\n0\r\n\r\n", HIDDEN.len());
    let line = long.find('\n').unwrap() + 1;
    let post = |headers: &str, body: &str| format!("POST /case HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n{body}");
    let mut cases: Vec<String> = Vec::new();
    for coding in CODINGS {
        // The front counts the length and the back the coding, and the other way round.
        cases.push(post(&format!("Content-Length: {}\r\n{coding}", short.len()), &short));
        cases.push(post(&format!("{coding}\r\nContent-Length: {line}"), &long));
    }
    for lengths in [
        "Content-Length: 0\r\nContent-Length: N",
        "Content-Length: N\r\nContent-Length: 0",
        "Content-Length: 0, N",
        "Content-Length: +N",
        "Content-Length: -0\r\nContent-Length: N",
        "Content_Length: 0\r\nContent-Length: N",
        "Content-Length : 0\r\nContent-Length: N",
        "Content-Length: N",
    ] {
        cases.push(post(&lengths.replace('N', &HIDDEN.len().to_string()), HIDDEN));
    }
    // A body where none is expected.
    cases.push(format!("GET /case HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len()));
    cases.push(format!("GET /case HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{long}"));
    for chunks in [
        "0;\nX\r\n\r\n",
        "0\n\n",
        "00000000000000000\r\n\r\n",
        "0x0\r\n\r\n",
        "1\r\nAA\r\n0\r\n\r\n",
        "-1\r\n\r\n",
        "1;a\n\r\nA\r\n0\r\n\r\n",
    ] {
        cases.push(post("Transfer-Encoding: chunked", &format!("{chunks}{HIDDEN}")));
    }
    cases
}

#[test]
fn nothing_is_smuggled_past_the_edge_to_servers_of_others() {
    let asked = std::env::var("ALLOD_TEST_SERVERS").unwrap_or_else(|_| "axum,python".into());
    for kind in asked.split(',') {
        let mut rig = Rig::start();
        let server = Server::start(kind, rig.target_at(0));
        rig.serve_with(&[0]);
        for mode in [DesyncMode::Defensive, DesyncMode::Strictest] {
            let mut balancer = rig.balancer(&[0]);
            balancer.http.desync = mode;
            rig.apply(balancer);
            for (number, case) in cases().into_iter().enumerate() {
                let mut attacker = Client::connect(rig.door());
                attacker.stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
                // The edge may close before it has got all.
                let _ = attacker.stream.write_all(case.as_bytes());
                if let Ok(answer) = attacker.try_answer(false) {
                    assert!([200, 400, 501].contains(&answer.status), "{kind}: {case:?}: {}", answer.head);
                }
                let path = format!("/after-{number}");
                assert_eq!(get(rig.door(), &path).text(), path, "{kind}, {mode:?}: {case:?}");
            }
        }
        let paths = server.paths.lock().unwrap();
        assert!(paths.iter().any(|p| p == "/case"), "{kind} got some of them: {paths:?}");
        assert!(!paths.iter().any(|p| p.contains("smuggled")), "{kind}: {paths:?}");
    }
}
