//! The region's own certificate authority: it makes keys and issues certificates that the control plane orders. It owns its root
//! key and certificate, which it makes when the first certificate is ordered; it keeps nothing of what it issues, and never
//! asks whether somebody may have a certificate: that is the control plane's to decide.

mod desk;
mod issue;
mod root;

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use world::{CertificateOrder, IssuedCertificate, RunPaths};

use root::Root;
pub use root::open_root_certificate;

/// The region's authority; cheap to clone.
#[derive(Clone)]
pub struct Authority {
    paths: RunPaths,
    /// None until the first order.
    root: Arc<Mutex<Option<Root>>>,
}

impl Authority {
    pub fn new(paths: RunPaths) -> Self {
        Self { paths, root: Arc::default() }
    }

    /// Serves one connection of the control plane, in a thread of its own, until it ends.
    pub fn start(&self, stream: UnixStream) -> io::Result<()> {
        desk::open(self.clone(), stream)
    }

    /// Makes a key and the certificate for it.
    fn issue(&self, order: &CertificateOrder) -> io::Result<IssuedCertificate> {
        // What is held there is whole even after a panic: it is put there in one piece.
        let mut held = self.root.lock().unwrap_or_else(PoisonError::into_inner);
        let root = match held.take() {
            Some(root) => root,
            None => Root::open(&self.paths)?,
        };
        issue::issue(held.insert(root), order)
    }
}
