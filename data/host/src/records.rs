//! What a new host must know of what an old one did: one small file for each slot, written whole and renamed. They say
//! nothing that outlives a reboot of the machine, and are thrown away after one.

use std::fs;
use std::io;
use std::net::SocketAddrV4;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use world::{Exit, RunPaths, Slot, Want};

use crate::failure::{During, Result};
use crate::network::Port;
use crate::sys::process::Pid;

/// How far a boot of an instance got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(crate) enum BootState {
    /// Number and start time name the process even after the number is used again.
    Running {
        pid: Pid,
        start_time_ticks: u64,
        asked_to_stop: bool,
    },
    Stopped {
        exit: Exit,
    },
    Failed {
        reason: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Boot {
    pub generation: u64,
    #[serde(flatten)]
    pub state: BootState,
}

/// Everything about one slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub slot: Slot,
    pub version: u64,
    /// The slot is to be removed, or was. `want` then still tells what it was, until it is gone.
    pub removed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub want: Option<Want>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Port>,
    /// Where a running instance reaches the region's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<SocketAddrV4>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Boot>,
}

pub(crate) struct Records {
    directory: PathBuf,
}

/// Directory of everything that the host keeps under `run`.
pub(crate) fn host_directory(paths: &RunPaths) -> PathBuf {
    paths.run().join("host")
}

impl Records {
    /// Opens the records; of another boot of the machine there are none. Tells whether that was so.
    pub fn open(paths: &RunPaths) -> Result<(Self, bool)> {
        let host = host_directory(paths);
        let directory = host.join("state");
        let boot_file = host.join("boot-id");
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").during("reading the machine's boot id")?;
        let same = fs::read_to_string(&boot_file).is_ok_and(|known| known == boot);
        if !same {
            match fs::remove_dir_all(&host) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e).during("removing old records"),
                _ => {}
            }
        }
        fs::create_dir_all(&directory).during("making the directory of records")?;
        // User data may hold secrets: the records are for the host alone.
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).during("closing the directory of records")?;
        if !same {
            fs::write(&boot_file, boot).during("writing the boot id")?;
        }
        Ok((Self { directory }, !same))
    }

    fn file(&self, slot: &Slot) -> PathBuf {
        self.directory.join(format!("{}.json", slot.to_string().replace('/', "_")))
    }

    pub fn save(&self, record: &Record) -> Result<()> {
        let file = self.file(&record.slot);
        let draft = file.with_extension("draft");
        let bytes = serde_json::to_vec(record).map_err(io::Error::from);
        let written = bytes.and_then(|bytes| fs::write(&draft, bytes)).and_then(|()| fs::rename(&draft, &file));
        written.during(format_args!("recording {}", record.slot))
    }

    pub fn forget(&self, slot: &Slot) {
        fs::remove_file(self.file(slot)).ok();
    }

    /// All records, networks first. One that cannot be read is left out: what it described is found as a stray.
    pub fn load(&self) -> Result<Vec<Record>> {
        let entries = fs::read_dir(&self.directory).during("reading the records")?.flatten();
        let files = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "json"));
        let mut records: Vec<Record> = files.filter_map(|path| read(&path)).collect();
        records.sort_by(|a, b| a.slot.cmp(&b.slot));
        Ok(records)
    }
}

fn read(path: &Path) -> Option<Record> {
    let record = fs::read(path).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
    record.inspect_err(|e| tracing::error!("the record {} is unreadable: {e}", path.display())).ok()
}
