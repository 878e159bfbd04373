//! Disks of instances: a directory each, which outlives stops and reboots of the machine. Each disk belongs to a range
//! of user ids of its own, so that no instance can touch another's files even if it broke out.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base::InstanceId;
use serde::{Deserialize, Serialize};
use world::RunPaths;

use crate::failure::{During, Failure, Result};
use crate::{console, naming};

/// Ids in one range: an instance's users 0 to 65535.
pub(crate) const IDS_PER_INSTANCE: u32 = 65_536;
/// The ranges lie between what systemd gives to containers and what it calls foreign.
const FIRST_ID: u32 = 0x7000_0000;
const RANGES_MAX: u32 = 4094;
const DIRECTORIES: [&str; 4] = ["root", "root-work", "usr", "usr-work"];
const TRASH: &str = ".trash-";

/// Written beside the disk: what must stay as it is for the disk's life.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Facts {
    first_id: u32,
}

/// All disks of a data directory, by instance.
pub(crate) struct Disks {
    directory: PathBuf,
    ranges: BTreeMap<InstanceId, u32>,
}

/// One instance's disk.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    /// The directory whose four parts are the overlays' upper and work directories.
    pub path: PathBuf,
    pub first_id: u32,
}

impl Disks {
    /// Reads what is there. What an earlier host had begun to delete goes on being deleted.
    pub fn open(paths: &RunPaths) -> Result<Self> {
        let directory = paths.instances();
        fs::create_dir_all(&directory).during("making the directory of disks")?;
        let mut ranges = BTreeMap::new();
        for entry in fs::read_dir(&directory).during("reading the directory of disks")?.flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if let Some(facts) = facts(&entry.path()).filter(|_| naming::is_plain(&name)) {
                ranges.insert(InstanceId::from(name), facts.first_id);
            }
        }
        Ok(Self { directory, ranges })
    }

    /// Finds the instance's disk or makes an empty one.
    pub fn provide(&mut self, id: &InstanceId) -> Result<Disk> {
        let home = self.directory.join(id.as_str());
        let path = home.join("disk");
        if let Some(first_id) = self.ranges.get(id) {
            return Ok(Disk { path, first_id: *first_id });
        }
        let first_id = self.choose_range(id)?;
        let make = || {
            // A directory without facts was left half made: it never held anything.
            match fs::remove_dir_all(&home) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            fs::create_dir(&home)?;
            fs::set_permissions(&home, Permissions::from_mode(0o700))?;
            fs::create_dir(&path)?;
            chown(&path, Some(first_id), Some(first_id))?;
            fs::set_permissions(&path, Permissions::from_mode(0o700))?;
            for name in DIRECTORIES {
                fs::create_dir(path.join(name))?;
                fs::set_permissions(path.join(name), Permissions::from_mode(0o755))?;
                chown(path.join(name), Some(first_id), Some(first_id))?;
            }
            fs::write(home.join("facts.json"), serde_json::to_vec(&Facts { first_id })?)
        };
        make().during("making an instance's disk")?;
        self.ranges.insert(id.clone(), first_id);
        Ok(Disk { path, first_id })
    }

    /// The same instance tends to get the same range; a taken one leads to the next.
    fn choose_range(&self, id: &InstanceId) -> Result<u32> {
        let start = u32::try_from(naming::hash(id.bytes()) % u64::from(RANGES_MAX)).unwrap_or(0);
        let all = (0..RANGES_MAX).map(|i| FIRST_ID + (start + i) % RANGES_MAX * IDS_PER_INSTANCE);
        let mut free = all.filter(|first| self.ranges.values().all(|taken| taken != first));
        free.next().ok_or_else(|| Failure::new(format!("this machine already holds {RANGES_MAX} instances")))
    }

    /// Opens the console log to be written by init.
    pub fn console_log(paths: &RunPaths, id: &InstanceId) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        options.open(console::path(paths, id)).during("opening the console log")
    }

    /// Makes the disk disappear now; what it held is deleted in the background.
    pub fn discard(&mut self, id: &InstanceId) -> Result<()> {
        self.ranges.remove(id);
        let trash = self.directory.join(format!("{TRASH}{id}"));
        match fs::rename(self.directory.join(id.as_str()), &trash) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e).during("removing an instance's disk"),
            _ => Ok(()),
        }
    }

    /// Starts deleting what was discarded, if anything was. To be reaped by the caller.
    pub fn start_emptying(&self) -> io::Result<Option<Child>> {
        let entries = fs::read_dir(&self.directory)?.flatten();
        let trash: Vec<_> = entries.filter(|e| e.file_name().as_encoded_bytes().starts_with(TRASH.as_bytes())).collect();
        if trash.is_empty() {
            return Ok(None);
        }
        // `rm` walks trees of any depth without following links, and in a process of its own keeps nobody waiting.
        let mut command = Command::new("rm");
        command.arg("-rf").arg("--one-file-system").arg("--").args(trash.iter().map(fs::DirEntry::path));
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().map(Some)
    }
}

fn facts(home: &Path) -> Option<Facts> {
    let written = fs::read(home.join("facts.json")).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    written.or_else(|| recovered(home))
}

/// What a power cut took from the file, the disk still tells by the owner of what is made last.
fn recovered(home: &Path) -> Option<Facts> {
    let first_id = fs::metadata(home.join("disk").join(DIRECTORIES.last()?)).ok()?.uid();
    let range = first_id.checked_sub(FIRST_ID)? / IDS_PER_INSTANCE;
    (range < RANGES_MAX && first_id.is_multiple_of(IDS_PER_INSTANCE)).then_some(Facts { first_id })
}

#[cfg(test)]
mod tests {
    use super::{Disks, FIRST_ID, IDS_PER_INSTANCE, RANGES_MAX};
    use std::collections::BTreeMap;
    use std::fs;
    use world::RunPaths;

    #[test]
    fn a_disk_whose_facts_were_lost_is_kept_as_it_was() {
        let directory = tempfile::tempdir().expect("a directory");
        let paths = RunPaths::new(directory.path());
        let id = "i-1".into();
        let before = Disks::open(&paths).and_then(|mut disks| disks.provide(&id)).expect("made");
        fs::write(before.path.join("root/kept"), "x").expect("written");
        // What a power cut makes of a file that was written a moment ago.
        fs::write(before.path.with_file_name("facts.json"), "").expect("emptied");
        let after = Disks::open(&paths).and_then(|mut disks| disks.provide(&id)).expect("found");
        assert_eq!(after.first_id, before.first_id);
        assert!(after.path.join("root/kept").exists());
        // One that was left half made is made anew.
        fs::remove_dir(after.path.join("usr-work")).expect("removed");
        let anew = Disks::open(&paths).and_then(|mut disks| disks.provide(&id)).expect("made");
        assert!(!anew.path.join("root/kept").exists() && anew.path.join("usr-work").exists());
    }

    #[test]
    fn ranges_never_overlap_and_come_again_for_the_same_instance() {
        let mut disks = Disks { directory: "/nowhere".into(), ranges: BTreeMap::new() };
        let again = disks.choose_range(&"i-7".into()).expect("free");
        for i in 0..RANGES_MAX {
            let range = disks.choose_range(&format!("i-{i}").as_str().into()).expect("free");
            assert!((FIRST_ID..0x7fff_0000).contains(&range) && (range - FIRST_ID).is_multiple_of(IDS_PER_INSTANCE));
            assert!(disks.ranges.values().all(|taken| *taken != range));
            disks.ranges.insert(format!("i-{i}").as_str().into(), range);
        }
        assert!(disks.choose_range(&"i-x".into()).is_err(), "full");
        disks.ranges.clear();
        assert_eq!(disks.choose_range(&"i-7".into()).expect("free"), again);
    }
}
