//! Targets and clients that speak HTTP/2, on a runtime that all tests share.

#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::net::{SocketAddr, SocketAddrV4};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use world::Certificate;

use crate::rig::eventually;
use crate::secure::{Authority, chain, key};

const PATIENCE: Duration = Duration::from_secs(15);

/// The runtime, which a thread of its own drives.
pub fn runtime() -> &'static Handle {
    static RUNTIME: OnceLock<Handle> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        handle
    })
}

/// Waits for something, for a while.
#[track_caller]
pub fn wait<T>(work: impl Future<Output = T>) -> T {
    let done = runtime().block_on(async { tokio::time::timeout(PATIENCE, work).await });
    done.expect("it did not come to an end")
}

/// A request as a target got it.
pub struct Call {
    pub head: Parts,
    pub body: RecvStream,
    pub respond: SendResponse<Bytes>,
}

impl Call {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).map(|v| v.to_str().unwrap())
    }

    /// The whole body and what came behind it.
    pub async fn read(&mut self) -> (Vec<u8>, Option<HeaderMap>) {
        read(&mut self.body).await.unwrap()
    }

    /// Answers with a status and a body.
    pub fn answer(mut self, status: u16, body: &str) {
        let head = Response::builder().status(status).body(()).unwrap();
        let mut stream = self.respond.send_response(head, false).unwrap();
        stream.send_data(Bytes::copy_from_slice(body.as_bytes()), true).unwrap();
    }

    /// Answers as gRPC does: a head, a message, and trailers.
    pub fn answer_grpc(mut self, message: Vec<u8>, status: &str) {
        let mut stream = self.respond.send_response(grpc_head(), false).unwrap();
        stream.send_data(message.into(), false).unwrap();
        stream.send_trailers(grpc_trailers(status)).unwrap();
    }

    /// Answers with nothing but trailers.
    pub fn refuse_grpc(mut self, status: &str) {
        let mut head = grpc_head();
        head.headers_mut().extend(grpc_trailers(status));
        self.respond.send_response(head, true).unwrap();
    }
}

pub fn grpc_head() -> Response<()> {
    Response::builder().header("content-type", "application/grpc").body(()).unwrap()
}

pub fn grpc_trailers(status: &str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), status.parse().unwrap())])
}

/// Reads a body to its end.
pub async fn read(body: &mut RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut all = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        all.extend_from_slice(&piece);
    }
    Ok((all, body.trailers().await?))
}

/// Sends data as fast as the other side takes it.
pub async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes) -> Result<(), h2::Error> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        while stream.capacity() == 0 {
            std::future::poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap_or(Err(Reason::CANCEL.into()))?;
        }
        let part = data.split_to(stream.capacity().min(data.len()));
        stream.send_data(part, false)?;
    }
    Ok(())
}

type Handler = dyn Fn(Call) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// How a target sets up its connections.
#[derive(Clone, Default)]
pub struct Setup {
    pub tls: Option<Arc<ServerConfig>>,
    pub streams_max: Option<u32>,
}

impl Setup {
    /// A target that speaks TLS.
    pub fn secure(certificate: &Certificate) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_no_client_auth().with_single_cert(chain(certificate), key(certificate)).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self { tls: Some(Arc::new(config)), streams_max: None }
    }
}

/// What a target's connections are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Go,
    /// Say goodbye, and finish what is under way.
    Leave,
    /// End at once.
    Die,
}

#[derive(Default)]
struct Shared {
    calls: Mutex<Vec<Parts>>,
    checks: Mutex<Vec<Parts>>,
    connections: AtomicUsize,
    open: AtomicUsize,
}

/// A target.
pub struct H2Origin {
    shared: Arc<Shared>,
    word: watch::Sender<Word>,
}

impl H2Origin {
    /// Answers health checks by itself, with 200 or the status 12 of gRPC, and everything else by the handler.
    pub fn healthy<F: Future<Output = ()> + Send + 'static>(
        at: SocketAddrV4,
        setup: Setup,
        handler: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Self {
        let handler = Arc::new(handler);
        Self::start(at, setup, move |call: Call| {
            let handler = handler.clone();
            async move {
                match (call.header("user-agent"), call.header("content-type")) {
                    (Some("ELB-HealthChecker/2.0"), Some(_)) => call.refuse_grpc("12"),
                    (Some("ELB-HealthChecker/2.0"), None) => call.answer(200, ""),
                    _ => handler(call).await,
                }
            }
        })
    }

    pub fn start<F: Future<Output = ()> + Send + 'static>(
        at: SocketAddrV4,
        setup: Setup,
        handler: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Self {
        let handler: Arc<Handler> = Arc::new(move |call| Box::pin(handler(call)));
        let listener = eventually("the address of a target is free", || std::net::TcpListener::bind(at).ok());
        listener.set_nonblocking(true).unwrap();
        let (shared, (word, words)) = (Arc::new(Shared::default()), watch::channel(Word::Go));
        let inner = shared.clone();
        runtime().spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            let mut ends = words.clone();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (socket, _) = accepted.unwrap();
                        tokio::spawn(carry(socket, setup.clone(), inner.clone(), handler.clone(), words.clone()));
                    }
                    _ = ends.wait_for(|word| *word == Word::Die) => return,
                }
            }
        });
        Self { shared, word }
    }

    /// Requests of users.
    pub fn calls(&self) -> Vec<Parts> {
        self.shared.calls.lock().unwrap().clone()
    }

    pub fn checks(&self) -> Vec<Parts> {
        self.shared.checks.lock().unwrap().clone()
    }

    /// Connections that carried a user's request.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Those that are open.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Says goodbye on all connections; new ones are taken as before.
    pub fn leave(&self) {
        self.word.send(Word::Leave).unwrap();
        self.word.send(Word::Go).unwrap();
    }

    /// Ends as a killed process does.
    pub fn kill(&self) {
        let _ = self.word.send(Word::Die);
    }
}

impl Drop for H2Origin {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn carry(socket: TcpStream, setup: Setup, shared: Arc<Shared>, handler: Arc<Handler>, words: watch::Receiver<Word>) {
    socket.set_nodelay(true).unwrap();
    match setup.tls.clone() {
        None => serve(socket, setup, shared, handler, words).await,
        Some(config) => {
            if let Ok(stream) = TlsAcceptor::from(config).accept(socket).await {
                serve(stream, setup, shared, handler, words).await;
            }
        }
    }
}

async fn serve<T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    setup: Setup,
    shared: Arc<Shared>,
    handler: Arc<Handler>,
    mut words: watch::Receiver<Word>,
) {
    let mut builder = h2::server::Builder::new();
    if let Some(most) = setup.streams_max {
        builder.max_concurrent_streams(most);
    }
    let Ok(mut connection) = builder.handshake(stream).await else { return };
    let mut counted = false;
    // What was said before is not for this one.
    if *words.borrow_and_update() == Word::Die {
        return;
    }
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { break };
                let (head, body) = request.into_parts();
                let is_check = head.headers.get("user-agent").is_some_and(|v| v == "ELB-HealthChecker/2.0");
                if !is_check && !std::mem::replace(&mut counted, true) {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    shared.open.fetch_add(1, Ordering::SeqCst);
                }
                let list = if is_check { &shared.checks } else { &shared.calls };
                list.lock().unwrap().push(head.clone());
                tokio::spawn(handler(Call { head, body, respond }));
            }
            changed = words.changed() => {
                let word = *words.borrow_and_update();
                if changed.is_err() || word == Word::Die {
                    break;
                }
                // It was told to leave, and those after it to go on.
                connection.graceful_shutdown();
            }
        }
    }
    if counted {
        shared.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A client's connection over TLS.
#[derive(Clone)]
pub struct H2Client {
    pub sender: SendRequest<Bytes>,
    name: String,
}

/// An answer and all that came with it.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: Option<HeaderMap>,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|v| v.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The status of gRPC, wherever it is.
    pub fn grpc_status(&self) -> Option<&str> {
        let trailing = self.trailers.as_ref().and_then(|t| t.get("grpc-status"));
        trailing.or(self.headers.get("grpc-status")).map(|v| v.to_str().unwrap())
    }
}

impl H2Client {
    /// Agrees on HTTP/2 with whoever listens there, by this name.
    pub fn connect(at: impl Into<SocketAddr>, name: &str, authority: &Authority) -> Self {
        let at = at.into();
        let mut config: ClientConfig = authority.client();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let tls = TlsConnector::from(Arc::new(config));
        let sender = wait(async {
            let socket = TcpStream::connect(at).await.unwrap();
            socket.set_nodelay(true).unwrap();
            let stream = tls.connect(ServerName::try_from(name.to_string()).unwrap(), socket).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            let mut builder = h2::client::Builder::new();
            // One answer that is not read does not hold up the others.
            builder.initial_connection_window_size(1024 * 1024);
            let (sender, connection) = builder.handshake(stream).await.unwrap();
            tokio::spawn(connection);
            sender
        });
        Self { sender, name: name.into() }
    }

    pub fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(format!("https://{}{path}", self.name)).version(http::Version::HTTP_2)
    }

    /// A call of gRPC.
    pub fn grpc(&self, path: &str) -> Request<()> {
        self.request("POST", path).header("content-type", "application/grpc").header("te", "trailers").body(()).unwrap()
    }

    /// Begins a request.
    pub async fn begin(&self, request: Request<()>, ends: bool) -> (ResponseFuture, SendStream<Bytes>) {
        let mut sender = self.sender.clone().ready().await.unwrap();
        sender.send_request(request, ends).unwrap()
    }

    /// Sends a whole request and reads its whole answer.
    pub async fn ask(&self, request: Request<()>, body: Option<Bytes>) -> Result<Got, h2::Error> {
        let (response, mut stream) = self.begin(request, body.is_none()).await;
        if let Some(body) = body {
            // Whoever answers before it has read all may not want the rest.
            tokio::spawn(async move {
                if send(&mut stream, body).await.is_ok() {
                    let _ = stream.send_data(Bytes::new(), true);
                }
            });
        }
        let (head, mut body) = response.await?.into_parts();
        let (body, trailers) = read(&mut body).await?;
        Ok(Got { status: head.status.as_u16(), headers: head.headers, body, trailers })
    }

    /// Likewise, for those who wait.
    #[track_caller]
    pub fn get(&self, path: &str) -> Got {
        wait(self.ask(self.request("GET", path).body(()).unwrap(), None)).unwrap()
    }

    /// Calls a method of gRPC with one message.
    #[track_caller]
    pub fn call(&self, path: &str, message: &[u8]) -> Got {
        wait(self.ask(self.grpc(path), Some(Bytes::copy_from_slice(message)))).unwrap()
    }
}
