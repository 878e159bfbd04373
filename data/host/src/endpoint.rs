//! Where the region's API is, as `serve` leaves it in the data directory. `serve` comes and goes, and may come back at
//! another port: so nothing is kept, each use reads it again.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use serde::Deserialize;
use world::RunPaths;

/// Longest file that is taken for an endpoint.
const FILE_BYTES_MAX: u64 = 4096;

#[derive(Deserialize)]
struct Written {
    url: String,
    pid: u32,
}

/// The loopback address at which the API is or was; none before `serve` has run, after an ordered end, or when it
/// listens on another address of the machine.
pub(crate) fn address(paths: &RunPaths) -> Option<SocketAddrV4> {
    loopback(&read(paths)?.url)
}

/// The same while `serve` lives: after a crash the file is still there, and the port may be somebody else's.
pub(crate) fn serving(paths: &RunPaths) -> Option<SocketAddrV4> {
    let written = read(paths)?;
    Path::new("/proc").join(written.pid.to_string()).exists().then(|| loopback(&written.url)).flatten()
}

fn read(paths: &RunPaths) -> Option<Written> {
    let mut bytes = Vec::new();
    fs::File::open(paths.endpoint()).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// A server on all addresses is on loopback too.
fn loopback(url: &str) -> Option<SocketAddrV4> {
    let address: SocketAddrV4 = url.strip_prefix("http://")?.trim_end_matches('/').parse().ok()?;
    let ip = if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST } else { *address.ip() };
    (ip.is_loopback() && address.port() != 0).then(|| SocketAddrV4::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::loopback;

    #[test]
    fn only_loopback_is_passed_on_to() {
        for (url, wanted) in [
            ("http://127.0.0.1:4566", Some("127.0.0.1:4566")),
            ("http://127.3.2.1:80/", Some("127.3.2.1:80")),
            ("http://0.0.0.0:4566", Some("127.0.0.1:4566")),
            ("http://10.0.0.1:4566", None),
            ("http://[::1]:4566", None),
            ("http://127.0.0.1:0", None),
            ("https://127.0.0.1:4566", None),
            ("127.0.0.1:4566", None),
            ("http://localhost:4566", None),
        ] {
            assert_eq!(loopback(url), wanted.and_then(|text| text.parse().ok()), "{url}");
        }
    }
}
