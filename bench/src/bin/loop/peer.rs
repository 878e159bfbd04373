//! Another emulation of CloudWatch beside ours: moto's server, when it is installed (`python3 -m venv target/moto` and
//! `target/moto/bin/pip install 'moto[server]'`). Both get the same bytes on this machine, one after the other.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bench::{Api, Connection, Process, Result, wait_for};

const START_MAX: Duration = Duration::from_secs(30);

/// A running server; it ends with this.
pub struct Peer {
    child: Child,
    pub api: Api,
}

impl Peer {
    pub fn start(program: &Path) -> Result<Self> {
        let address: SocketAddr = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &address.port().to_string()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let api = Api {
            address,
            region: "eu-central-1".into(),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_access_key: "secret".into(),
        };
        let peer = Self { child, api };
        wait_for("moto's server answers", START_MAX, Duration::from_millis(20), || Ok(Connection::open(address).ok()))?;
        Ok(peer)
    }

    pub fn process(&self) -> Result<Process> {
        Process::new(i32::try_from(self.child.id())?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
