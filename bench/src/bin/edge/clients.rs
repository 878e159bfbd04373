//! Users: connections that are kept and send the same request again and again, as fast as they are answered or at a
//! given rate. All of them share one thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench::{Result, fail};
use rustix::net::{RecvFlags, recv};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, timeout};

use crate::proxies::HOST;
use crate::upstream::{KIB, head_of, write};

/// How long connections are used before anything is counted.
const WARM_UP: Duration = Duration::from_millis(200);
/// Longest wait for the last answers.
const END_MAX: Duration = Duration::from_secs(10);
/// A paced load releases its requests this often.
const TICK: Duration = Duration::from_millis(1);

/// Users of one proxy.
#[derive(Clone, Debug)]
pub struct Users {
    pub at: SocketAddr,
    /// They speak TLS.
    pub tls: Option<Arc<ClientConfig>>,
    /// They open a connection for each request.
    pub fresh: bool,
    pub connections: usize,
    pub request: Vec<u8>,
    pub duration: Duration,
}

#[derive(Default)]
struct Shared {
    done: Cell<u64>,
    ends: Cell<bool>,
    /// Moments at which requests of a paced load were due, and whether they count: not those of the warm-up.
    due: RefCell<VecDeque<(Instant, bool)>>,
    released: Notify,
    /// How long those that count took from that moment, in microseconds.
    times_us: RefCell<Vec<f64>>,
}

impl Users {
    /// Sends as fast as answers come. `watch` is called when counting begins and when it ends; what it gives is
    /// handed back with the number of requests between.
    pub fn rush<T>(&self, mut watch: impl FnMut() -> Result<T>) -> Result<(u64, T, T)> {
        on_one_thread(async {
            let running = self.begin(Pace::Rush).await;
            sleep(WARM_UP).await;
            let (before, first) = (watch()?, running.shared.done.get());
            sleep(self.duration).await;
            let (after, last) = (watch()?, running.shared.done.get());
            running.end().await?;
            Ok((last - first, before, after))
        })
    }

    /// Sends so many requests a second, whatever the answers; the times in microseconds.
    pub fn pace(&self, per_second: f64) -> Result<Vec<f64>> {
        on_one_thread(self.paced(per_second))
    }

    /// Likewise beside what others do meanwhile on the same thread, so that they do not take turns with it.
    pub fn pace_beside(&self, per_second: f64, others: impl Future<Output = Result<()>>) -> Result<Vec<f64>> {
        on_one_thread(async {
            tokio::select! {
                times = self.paced(per_second) => times,
                ended = others => fail(format!("those beside have ended: {ended:?}")),
            }
        })
    }

    async fn paced(&self, per_second: f64) -> Result<Vec<f64>> {
        let running = self.begin(Pace::Given).await;
        let begin = Instant::now();
        let shared = running.shared.clone();
        let mut sent = 0_u32;
        while begin.elapsed() < WARM_UP + self.duration {
            sleep(TICK).await;
            let now = Instant::now();
            while f64::from(sent) < (now - begin).as_secs_f64() * per_second {
                shared.due.borrow_mut().push_back((now, now - begin >= WARM_UP));
                shared.released.notify_one();
                sent += 1;
            }
        }
        // Those that are late at the end are what the slowest hundredth is made of.
        let all_done = async {
            while shared.done.get() < u64::from(sent) {
                sleep(TICK).await;
            }
        };
        let all_done = timeout(END_MAX, all_done).await;
        running.end().await?;
        all_done?;
        Ok(shared.times_us.take())
    }

    async fn begin(&self, pace: Pace) -> Running {
        let shared = Rc::new(Shared::default());
        let mut users = JoinSet::new();
        for _ in 0..self.connections {
            users.spawn_local(use_proxy(self.clone(), shared.clone(), pace));
        }
        Running { shared, users }
    }
}

/// Users at work.
struct Running {
    shared: Rc<Shared>,
    users: JoinSet<Result<()>>,
}

impl Running {
    async fn end(mut self) -> Result<()> {
        self.shared.ends.set(true);
        self.shared.released.notify_waiters();
        while let Some(user) = timeout(END_MAX, self.users.join_next()).await? {
            user??;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    Rush,
    Given,
}

fn on_one_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    LocalSet::new().block_on(&runtime, work)
}

async fn use_proxy(users: Users, shared: Rc<Shared>, pace: Pace) -> Result<()> {
    let mut connection = Connection::open(users.at, users.tls.as_ref()).await?;
    while !shared.ends.get() {
        let due = if pace == Pace::Given {
            let next = shared.due.borrow_mut().pop_front();
            if next.is_none() {
                shared.released.notified().await;
                continue;
            }
            next
        } else {
            None
        };
        connection.exchange(&users.request).await?;
        shared.done.set(shared.done.get() + 1);
        if users.fresh {
            connection = Connection::open(users.at, users.tls.as_ref()).await?;
        }
        if let Some((due, true)) = due {
            shared.times_us.borrow_mut().push(due.elapsed().as_secs_f64() * 1e6);
        }
    }
    Ok(())
}

/// One kept connection.
pub struct Connection {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    bytes: Vec<u8>,
    /// Room that is never written to.
    void: Vec<u8>,
}

impl Connection {
    pub async fn open(at: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> Result<Self> {
        let stream = TcpStream::connect(at).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(HOST)?;
        let tls = tls.map(|config| ClientConnection::new(config.clone(), name)).transpose()?.map(Box::new);
        Ok(Self { stream, tls, bytes: vec![0; 4 * KIB], void: vec![0; 256 * KIB] })
    }

    /// Sends a request and reads its answer, which must be a good one with a length.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<()> {
        self.write(request).await?;
        let mut filled = 0;
        let (end, length) = loop {
            filled += self.read(filled).await?;
            if let Some(head) = head_of(&self.bytes[..filled]) {
                break head;
            }
        };
        if !self.bytes.starts_with(b"HTTP/1.1 200 ") {
            return fail(format!("the answer is {:?}", String::from_utf8_lossy(&self.bytes[..end.min(40)])));
        }
        let mut left = (end + length).saturating_sub(filled);
        while left > 0 {
            left -= self.drop_bytes(left).await?;
        }
        Ok(())
    }

    /// The first and only request of a connection that speaks HTTP/2.
    async fn exchange_http2(&mut self) -> Result<()> {
        // The greeting, settings of nothing, and `GET /` of `bench` by https (RFC 9113, 3.4 and 6; RFC 7541, Appendix A).
        const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        const REQUEST: &[u8] = b"\0\0\x0a\x01\x05\0\0\0\x01\x82\x87\x84\x01\x05bench";
        const SETTINGS_READ: &[u8] = b"\0\0\0\x04\x01\0\0\0\0";
        self.write(&[GREETING, REQUEST, SETTINGS_READ].concat()).await?;
        let mut filled = 0;
        loop {
            filled += self.read(filled).await?;
            let mut rest = &self.bytes[..filled];
            while let Some((&[a, b, c, kind, flags, ..], behind)) = rest.split_first_chunk::<9>() {
                if kind <= 1 && flags & 1 != 0 {
                    return Ok(());
                }
                rest = behind.get(usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)..).unwrap_or_default();
            }
        }
    }

    async fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        let Some(tls) = &mut self.tls else { return write(&self.stream, bytes).await };
        let mut ciphertext = Vec::new();
        loop {
            while tls.wants_write() {
                tls.write_tls(&mut ciphertext)?;
            }
            write(&self.stream, &ciphertext).await?;
            ciphertext.clear();
            if tls.is_handshaking() {
                self.stream.readable().await?;
                take_in(tls, &self.stream)?;
            } else if bytes.is_empty() {
                return Ok(());
            } else {
                bytes = &bytes[tls.writer().write(bytes)?..];
            }
        }
    }

    async fn read(&mut self, from: usize) -> Result<usize> {
        let space = &mut self.bytes[from..];
        let Some(tls) = &mut self.tls else { return read_plain(&self.stream, space).await };
        loop {
            match tls.reader().read(space) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Ok(0) => return fail("the proxy closed the connection"),
                read => return Ok(read?),
            }
            self.stream.readable().await?;
            take_in(tls, &self.stream)?;
        }
    }

    /// Takes bytes of a body from the kernel without copying them, so that this side is not the slowest.
    async fn drop_bytes(&mut self, most: usize) -> Result<usize> {
        if self.tls.is_some() {
            return Ok(self.read(0).await?.min(most));
        }
        loop {
            let most = most.min(self.void.len());
            let (stream, void) = (&self.stream, &mut self.void[..most]);
            let dropped = stream.try_io(Interest::READABLE, || Ok(recv(stream, void, RecvFlags::TRUNC)?.0));
            match dropped {
                Ok(0) => return fail("the proxy closed the connection within a body"),
                Ok(count) => return Ok(count),
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.stream.readable().await?,
                Err(e) => return Err(e.into()),
            }
        }
    }
}

async fn read_plain(stream: &TcpStream, space: &mut [u8]) -> Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(space) {
            Ok(0) => return fail("the proxy closed the connection"),
            Ok(count) => return Ok(count),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// Takes in what ciphertext has come.
fn take_in(tls: &mut ClientConnection, stream: &TcpStream) -> Result<()> {
    let mut bytes = [0; 16 * KIB];
    match stream.try_read(&mut bytes) {
        Ok(0) => return fail("the proxy closed the connection"),
        Ok(count) => {
            let mut rest = &bytes[..count];
            while !rest.is_empty() {
                tls.read_tls(&mut rest)?;
                tls.process_new_packets()?;
            }
        }
        Err(e) if e.kind() == ErrorKind::WouldBlock => {}
        Err(e) => return Err(e.into()),
    }
    Ok(())
}

/// Opens so many connections, has one small answer on each, and calls `look` while they all are idle.
pub fn hold_idle<T>(at: SocketAddr, connections: usize, look: impl FnOnce() -> Result<T>) -> Result<T> {
    on_one_thread(async {
        let mut held = Vec::with_capacity(connections);
        for _ in 0..connections {
            let mut connection = Connection::open(at, None).await?;
            connection.exchange(b"GET /small HTTP/1.1\r\nHost: bench\r\n\r\n").await?;
            held.push(connection.stream);
        }
        sleep(WARM_UP).await;
        look()
    })
}

/// Likewise connections that speak HTTP/2 over TLS.
pub fn hold_idle_http2<T>(
    at: SocketAddr,
    tls: &Arc<ClientConfig>,
    connections: usize,
    look: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let mut tls = ClientConfig::clone(tls);
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let tls = Arc::new(tls);
    on_one_thread(async {
        let mut held = Vec::with_capacity(connections);
        for _ in 0..connections {
            let mut connection = Connection::open(at, Some(&tls)).await?;
            connection.exchange_http2().await?;
            held.push(connection.stream);
        }
        sleep(WARM_UP).await;
        look()
    })
}
