use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where a store keeps its samples: a handful of named sequences of bytes that grow at their end. What was appended must
/// survive the end of the process; only what was synced need survive a power cut.
pub trait Keep: Send {
    /// All names with their sizes in bytes.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;

    /// Appends, and makes the name when it is new; gives the offset at which the bytes begin. After an error nothing has
    /// been appended.
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<u64>;

    /// Waits until the disk has what was appended.
    fn sync(&mut self, name: &str) -> io::Result<()>;

    /// Reads so many bytes; an error when there are fewer.
    fn read(&self, name: &str, offset: u64, count: usize) -> io::Result<Vec<u8>>;

    /// Forgets what follows the first `size_bytes`.
    fn cut(&mut self, name: &str, size_bytes: u64) -> io::Result<()>;

    /// Removes a name; one that is not there is passed over.
    fn remove(&mut self, name: &str) -> io::Result<()>;
}

/// Where a chunk is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub tier: u8,
    pub span: u32,
    pub offset: u64,
    pub length: u32,
    pub crc: u32,
}

/// Keeps in memory. Clones share what they keep, so that one of them outlives a simulated crash of the store.
#[derive(Clone, Debug, Default)]
pub struct MemoryKeep {
    all: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl MemoryKeep {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes kept.
    pub fn size_bytes(&self) -> usize {
        self.all().values().map(Vec::len).sum()
    }
}

fn missing() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

impl Keep for MemoryKeep {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        Ok(self.all().iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<u64> {
        let mut all = self.all();
        let kept = all.entry(name.to_string()).or_default();
        let offset = kept.len() as u64;
        kept.extend_from_slice(bytes);
        Ok(offset)
    }

    fn sync(&mut self, _name: &str) -> io::Result<()> {
        Ok(())
    }

    fn read(&self, name: &str, offset: u64, count: usize) -> io::Result<Vec<u8>> {
        let all = self.all();
        let from = usize::try_from(offset).map_err(|_| missing())?;
        let bytes = all.get(name).and_then(|kept| kept.get(from..)?.get(..count)).ok_or_else(missing)?;
        Ok(bytes.to_vec())
    }

    fn cut(&mut self, name: &str, size_bytes: u64) -> io::Result<()> {
        if let Some(kept) = self.all().get_mut(name) {
            kept.truncate(usize::try_from(size_bytes).unwrap_or(usize::MAX));
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.all().remove(name);
        Ok(())
    }
}
