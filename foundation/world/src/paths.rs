use std::path::{Path, PathBuf};

use base::NetworkInterfaceId;

/// Where the processes of one region find each other, under its data directory. Only names: nothing is opened here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPaths {
    data: PathBuf,
}

impl RunPaths {
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self { data: data.into() }
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    /// What does not outlive a reboot of the machine: sockets, pinned namespaces, pid files. A host mounts a tmpfs here.
    pub fn run(&self) -> PathBuf {
        self.data.join("run")
    }

    /// Stream socket on which the host executor listens.
    pub fn host_socket(&self) -> PathBuf {
        self.run().join("host.sock")
    }

    /// Stream socket on which the edge executor listens.
    pub fn edge_socket(&self) -> PathBuf {
        self.run().join("edge.sock")
    }

    /// Where the edge says at which addresses it really serves, as JSON: the edge writes it, whoever prints a URL reads it.
    pub fn edge_front_report(&self) -> PathBuf {
        self.run().join("edge-front.json")
    }

    /// The pinned network namespace that stands for an interface which belongs to no instance: whoever opens a
    /// socket inside it has the interface's address.
    pub fn interface_namespace(&self, id: &NetworkInterfaceId) -> PathBuf {
        self.run().join("netns").join(id.as_str())
    }

    /// Imported images, a directory each.
    pub fn images(&self) -> PathBuf {
        self.data.join("images")
    }

    /// Disks of instances, a directory each.
    pub fn instances(&self) -> PathBuf {
        self.data.join("instances")
    }

    /// The control plane's journal.
    pub fn journal(&self) -> PathBuf {
        self.data.join("region.redb")
    }

    /// Samples of metrics, in files of the control plane's.
    pub fn metrics(&self) -> PathBuf {
        self.data.join("metrics")
    }

    /// Access keys of the root user, mode 0600.
    pub fn credentials(&self) -> PathBuf {
        self.data.join("credentials.json")
    }

    /// Where the API is reached, as JSON; there while `serve` runs, and after it has crashed.
    pub fn endpoint(&self) -> PathBuf {
        self.data.join("endpoint.json")
    }

    /// Mail that the region sent, a file each.
    pub fn outbox(&self) -> PathBuf {
        self.data.join("outbox")
    }

    /// The private key that signs notifications, in PEM, mode 0600.
    pub fn signing_key(&self) -> PathBuf {
        self.data.join("notifications-key.pem")
    }

    /// Its certificate, in PEM, for receivers of notifications.
    pub fn signing_certificate(&self) -> PathBuf {
        self.data.join("notifications-certificate.pem")
    }

    /// The region's own certificate authority: its key, mode 0600, and its certificate.
    pub fn authority(&self) -> PathBuf {
        self.data.join("authority")
    }

    /// The certificate that clients trust to trust the region's, in PEM.
    pub fn root_certificate(&self) -> PathBuf {
        self.authority().join("root-certificate.pem")
    }

    /// Its private key, in PEM, mode 0600.
    pub fn root_key(&self) -> PathBuf {
        self.authority().join("root-key.pem")
    }

    /// What stands for S3 until the region has it: `BUCKET/KEY` below it.
    pub fn buckets(&self) -> PathBuf {
        self.data.join("buckets")
    }

    /// Log files of the processes.
    pub fn logs(&self) -> PathBuf {
        self.data.join("logs")
    }
}
