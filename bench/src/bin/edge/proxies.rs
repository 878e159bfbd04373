//! The proxies that are measured, each one worker on the first core with a configuration as fast as it is known to be:
//! connections kept on both sides, no access log, `reuseport` where it exists.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bench::{Process, Result, bound, fail, wait_for};

use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};

use crate::{allod, cores, floor};

const START_MAX: Duration = Duration::from_secs(20);
const PORT: u16 = 8_080;
/// Where each of them speaks TLS, by the same address.
pub const SECURE_PORT: u16 = 8_443;
/// Where each of them passes connections on as they are.
pub const FLOW_PORT: u16 = 8_081;
/// Debian's `libnginx-mod-stream`.
const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// What all of them show to clients: the same certificate, so that the same arithmetic is done.
pub struct Identity {
    /// PEM.
    pub chain: String,
    /// PEM.
    pub key: String,
    /// How users speak who trust nothing else.
    pub client: Arc<ClientConfig>,
}

/// The host that users call.
pub const HOST: &str = "bench";

impl Identity {
    /// A new one, of the kind that costs least (ECDSA over P-256).
    pub fn new() -> Result<Self> {
        let made = rcgen::generate_simple_self_signed([HOST.to_string()])?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut client = client.with_root_certificates(roots).with_no_client_auth();
        // New connections are to cost what those of new users cost.
        client.resumption = Resumption::disabled();
        Ok(Self { chain: made.cert.pem(), key: made.signing_key.serialize_pem(), client: Arc::new(client) })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Allod,
    Nginx,
    Haproxy,
    /// Knows nothing of HTTP.
    Floor,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Allod, Kind::Nginx, Kind::Haproxy];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Allod => "allod",
            Kind::Nginx => "nginx",
            Kind::Haproxy => "haproxy",
            Kind::Floor => "floor",
        }
    }
}

/// Loopback addresses of this run alone.
#[derive(Clone, Copy, Debug)]
pub struct Addresses([u8; 2]);

impl Addresses {
    pub fn new() -> Self {
        Self([127, 64 + u8::try_from(std::process::id() % 128).unwrap_or(0)])
    }

    pub fn host(self, third: u8, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(self.0[0], self.0[1], third, host)
    }

    pub fn upstream(self) -> SocketAddr {
        SocketAddr::from((self.host(0, 1), 9_000))
    }

    fn door(self, kind: Kind) -> SocketAddr {
        SocketAddr::from((self.host(1 + kind as u8, 1), PORT))
    }
}

/// A running proxy; it ends with this.
pub struct Proxy {
    pub kind: Kind,
    pub at: SocketAddr,
    /// Where it speaks TLS.
    pub secure: SocketAddr,
    /// Where it passes connections on.
    pub flow: SocketAddr,
    /// How users speak it.
    pub client: Arc<ClientConfig>,
    pub process: Process,
    child: Child,
    /// Keeps our edge told.
    _serve: Option<allod::Serve>,
}

impl Proxy {
    /// Starts one with its files in `directory`.
    pub fn start(kind: Kind, addresses: Addresses, identity: &Identity, directory: &Path) -> Result<Self> {
        let directory = directory.join(kind.name());
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("identity.pem"), format!("{}{}", identity.chain, identity.key))?;
        let at = addresses.door(kind);
        let mut command = match kind {
            Kind::Allod => allod::command(&directory, at)?,
            Kind::Nginx => nginx(&directory, at, addresses.upstream())?,
            Kind::Haproxy => haproxy(&directory, at, addresses.upstream())?,
            Kind::Floor => floor::command(at, addresses.upstream())?,
        };
        cores::proxy()?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        cores::load()?;
        let mut child = child?;
        let pid = i32::try_from(child.id())?;
        let serve = match kind {
            Kind::Allod => {
                let balancers = allod::balancer(at, addresses.upstream(), identity).map(|b| [allod::network(&b), b]);
                Some(allod::Serve::tell(&directory, &balancers))
            }
            _ => None,
        };
        let started = serve.transpose().and_then(|serve| {
            wait_for(kind.name(), START_MAX, Duration::from_millis(10), || match child.try_wait()? {
                Some(status) => fail(format!("{} ended with {status}", kind.name())),
                None => Ok(TcpStream::connect(at).ok()),
            })?;
            Ok(serve)
        });
        match started.and_then(|serve| Ok((serve, Process::new(pid)?))) {
            Ok((serve, process)) => Ok(Self {
                kind,
                at,
                secure: SocketAddr::new(at.ip(), SECURE_PORT),
                flow: SocketAddr::new(at.ip(), FLOW_PORT),
                client: identity.client.clone(),
                process,
                child,
                _serve: serve,
            }),
            Err(e) => {
                child.kill().ok();
                child.wait().ok();
                Err(e)
            }
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Where Debian puts servers, beside the usual places.
fn program(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = places.map(|place| place.join(name)).find(|program| program.is_file());
    found.map_or_else(|| fail(format!("{name} is not installed: apt-get install {name}")), Ok)
}

fn nginx(directory: &Path, at: SocketAddr, upstream: SocketAddr) -> Result<Command> {
    let (place, secure) = (directory.display(), SocketAddr::new(at.ip(), SECURE_PORT));
    let flow = SocketAddr::new(at.ip(), FLOW_PORT);
    let (load, stream) = match Path::new(NGINX_STREAM).is_file() {
        true => (
            format!("load_module {NGINX_STREAM};\n"),
            format!(
                "stream {{ server {{ listen {flow} reuseport backlog=4096; proxy_pass {upstream}; proxy_buffer_size 64k; }} }}\n"
            ),
        ),
        // Whoever measures TCP is told that nobody listens there.
        false => Default::default(),
    };
    let text = format!(
        "{load}daemon off; master_process off; worker_processes 1; pid {place}/pid; error_log {place}/error.log crit;\n\
         events {{ worker_connections 32768; use epoll; }}\n\
         http {{\n\
           access_log off; tcp_nodelay on; server_tokens off;\n\
           keepalive_timeout 3600s; keepalive_requests 1000000000;\n\
           client_body_buffer_size 64k; proxy_buffer_size 16k; proxy_buffers 16 64k; proxy_busy_buffers_size 256k;\n\
           proxy_max_temp_file_size 0;\n\
           client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;\n\
           uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;\n\
           upstream targets {{ server {upstream}; keepalive 512; keepalive_requests 1000000000; keepalive_timeout 600s; }}\n\
           server {{\n\
             listen {at} reuseport backlog=4096;\n\
             listen {secure} ssl http2 reuseport backlog=4096;\n\
             ssl_certificate {place}/identity.pem; ssl_certificate_key {place}/identity.pem;\n\
             ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets on; http2_max_concurrent_streams 128;\n\
             location / {{\n\
               proxy_pass http://targets; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
               proxy_set_header Host $http_host;\n\
               proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
               proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Port $server_port;\n\
             }}\n\
           }}\n\
         }}\n\
         {stream}"
    );
    let file = directory.join("nginx.conf");
    fs::write(&file, text)?;
    let mut command = bound(program("nginx")?);
    command.arg("-c").arg(&file).arg("-p").arg(directory).stderr(Stdio::inherit());
    Ok(command)
}

fn haproxy(directory: &Path, at: SocketAddr, upstream: SocketAddr) -> Result<Command> {
    let (place, secure) = (directory.display(), SocketAddr::new(at.ip(), SECURE_PORT));
    let flow = SocketAddr::new(at.ip(), FLOW_PORT);
    let text = format!(
        "global\n\
         \x20 nbthread 1\n\
         \x20 maxconn 12000\n\
         \x20 no strict-limits\n\
         \x20 tune.maxaccept 64\n\
         defaults\n\
         \x20 mode http\n\
         \x20 timeout connect 5s\n\
         \x20 timeout client 3600s\n\
         \x20 timeout server 60s\n\
         \x20 timeout http-keep-alive 3600s\n\
         \x20 option http-keep-alive\n\
         \x20 http-reuse always\n\
         \x20 option forwardfor\n\
         \x20 option splice-response\n\
         frontend users\n\
         \x20 bind {at} backlog 4096\n\
         \x20 bind {secure} ssl crt {place}/identity.pem alpn h2,http/1.1 backlog 4096\n\
         \x20 http-request set-header X-Forwarded-Proto http unless {{ ssl_fc }}\n\
         \x20 http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}\n\
         \x20 http-request set-header X-Forwarded-Port %[dst_port]\n\
         \x20 default_backend targets\n\
         backend targets\n\
         \x20 server one {upstream} pool-max-conn 512 pool-purge-delay 600s\n\
         listen flows\n\
         \x20 mode tcp\n\
         \x20 option splice-auto\n\
         \x20 bind {flow} backlog 4096\n\
         \x20 server one {upstream}\n"
    );
    let file = directory.join("haproxy.cfg");
    fs::write(&file, text)?;
    let mut command = bound(program("haproxy")?);
    command.arg("-db").arg("-f").arg(&file).stderr(Stdio::inherit());
    Ok(command)
}
