use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Keep;

/// Most files held open.
const OPEN_MAX: usize = 32;

/// Keeps in files of one directory, readable by their owner only. It writes without waiting for the disk: the end of the
/// process loses nothing, a power cut the last seconds.
#[derive(Debug)]
pub struct FileKeep {
    directory: PathBuf,
    open: RefCell<HashMap<String, Arc<File>>>,
}

impl FileKeep {
    /// Opens a directory, which is made when it is not there.
    pub fn open(directory: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        Ok(Self { directory: directory.into(), open: RefCell::default() })
    }

    fn file(&self, name: &str, create: bool) -> io::Result<Arc<File>> {
        let mut open = self.open.borrow_mut();
        if let Some(file) = open.get(name) {
            return Ok(file.clone());
        }
        if open.len() >= OPEN_MAX {
            open.clear();
        }
        let path = self.directory.join(name);
        let file = Arc::new(OpenOptions::new().read(true).append(true).create(create).mode(0o600).open(path)?);
        open.insert(name.to_string(), file.clone());
        Ok(file)
    }
}

impl Keep for FileKeep {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if let (true, Ok(name)) = (metadata.is_file(), entry.file_name().into_string()) {
                all.push((name, metadata.len()));
            }
        }
        all.sort_unstable();
        Ok(all)
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<u64> {
        let file = self.file(name, true)?;
        let offset = file.metadata()?.len();
        if let Err(e) = (&*file).write_all(bytes) {
            // What did go in is torn. When it cannot be cut off now, opening notices and cuts it off.
            let _ = file.set_len(offset);
            return Err(e);
        }
        Ok(offset)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.file(name, false)?.sync_data()
    }

    fn read(&self, name: &str, offset: u64, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.file(name, false)?.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn cut(&mut self, name: &str, size_bytes: u64) -> io::Result<()> {
        self.file(name, false)?.set_len(size_bytes)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.open.borrow_mut().remove(name);
        match fs::remove_file(self.directory.join(name)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}
