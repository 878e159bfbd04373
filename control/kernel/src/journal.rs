use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

/// One changed row: its journal key, and its JSON or none when it was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub key: String,
    pub value: Option<Vec<u8>>,
}

/// The port to what keeps the state: redb on one machine, another store for several. `commit` returns only when
/// the writes are durable, all of them. On an error it is not known whether they are: a later commit must name their keys
/// again.
pub trait Journal: Send {
    /// Every row, by journal key.
    fn load(&mut self) -> Result<Vec<(String, Vec<u8>)>, JournalError>;

    /// Whether what is written can ever be read again; what cannot is not even written down.
    fn keeps(&self) -> bool {
        true
    }

    /// Makes the writes durable. `epoch` fences out an older leader, where there can be several.
    fn commit(&mut self, epoch: u64, writes: &[Write]) -> Result<(), JournalError>;
}

/// Keeps nothing: for a simulation that never starts again.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoJournal;

impl Journal for NoJournal {
    fn load(&mut self) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        Ok(Vec::new())
    }

    fn keeps(&self) -> bool {
        false
    }

    fn commit(&mut self, _: u64, _: &[Write]) -> Result<(), JournalError> {
        Ok(())
    }
}

/// The journal cannot be read or written, for the reason in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalError(pub String);

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "journal: {}", self.0)
    }
}

impl std::error::Error for JournalError {}

impl JournalError {
    fn of(e: impl fmt::Display) -> Self {
        Self(e.to_string())
    }
}

const ROWS: TableDefinition<&str, &[u8]> = TableDefinition::new("rows");
/// Memory that redb may keep of its file; the state itself lives in our tables.
const CACHE_BYTES: usize = 2 * 1024 * 1024;

/// The journal in one redb file.
pub struct RedbJournal {
    path: PathBuf,
    /// None after a failed write: redb takes nothing more once its file has failed it, until it is opened anew.
    db: Option<Database>,
}

impl RedbJournal {
    /// Opens or makes the file. It is locked against a second process.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Ok(Self { path: path.to_path_buf(), db: Some(open(path)?) })
    }

    fn db(&mut self) -> Result<&Database, JournalError> {
        let db = match self.db.take() {
            Some(db) => db,
            // Never made anew: it would hold the newest rows alone.
            None if !self.path.exists() => return Err(JournalError(format!("{} is gone", self.path.display()))),
            None => open_file(&self.path)?,
        };
        Ok(self.db.insert(db))
    }
}

fn open(path: &Path) -> Result<Database, JournalError> {
    let named = |e: std::io::Error| JournalError(format!("{}: {e}", path.display()));
    if path.try_exists().map_err(named)? {
        return open_file(path);
    }
    // redb opens no file that was cut off while it was being made: it has its name once it is whole.
    let new = path.with_added_extension("new");
    match fs::remove_file(&new) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(named(e)),
        _ => {}
    }
    let db = open_file(&new)?;
    fs::rename(&new, path).map_err(named)?;
    // Its name outlives a power cut as what is written to it does.
    if let Some(directory) = path.parent() {
        fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(named)?;
    }
    Ok(db)
}

fn open_file(path: &Path) -> Result<Database, JournalError> {
    // The journal holds user data, parameters and keys: its owner alone reads it, also where it was made before.
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let private = file.and_then(|file| file.set_permissions(Permissions::from_mode(0o600)));
    private.map_err(|e| JournalError(format!("{}: {e}", path.display())))?;
    Database::builder().set_cache_size(CACHE_BYTES).create(path).map_err(|e| match e {
        redb::DatabaseError::DatabaseAlreadyOpen => {
            JournalError(format!("another process has {} open; a data directory holds one running region", path.display()))
        }
        e => JournalError::of(e),
    })
}

fn load(db: &Database) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
    let tx = db.begin_read().map_err(JournalError::of)?;
    let table = match tx.open_table(ROWS) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(e) => return Err(JournalError::of(e)),
    };
    let mut rows = Vec::new();
    for entry in table.iter().map_err(JournalError::of)? {
        let (key, value) = entry.map_err(JournalError::of)?;
        rows.push((key.value().to_string(), value.value().to_vec()));
    }
    Ok(rows)
}

fn write(db: &Database, writes: &[Write]) -> Result<(), JournalError> {
    let tx = db.begin_write().map_err(JournalError::of)?;
    {
        let mut table = tx.open_table(ROWS).map_err(JournalError::of)?;
        for write in writes {
            match &write.value {
                Some(value) => table.insert(write.key.as_str(), value.as_slice()).map_err(JournalError::of)?,
                None => table.remove(write.key.as_str()).map_err(JournalError::of)?,
            };
        }
    }
    tx.commit().map_err(JournalError::of)
}

impl Journal for RedbJournal {
    fn load(&mut self) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        load(self.db()?)
    }

    fn commit(&mut self, _epoch: u64, writes: &[Write]) -> Result<(), JournalError> {
        let outcome = write(self.db()?, writes);
        if outcome.is_err() {
            self.db = None;
        }
        outcome
    }
}

/// A journal in memory, for the simulated world: it survives a simulated crash, and can be told to fail.
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal {
    pub rows: BTreeMap<String, Vec<u8>>,
    /// The next commits fail while this is set.
    pub failing: bool,
}

impl Journal for MemoryJournal {
    fn load(&mut self) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        Ok(self.rows.clone().into_iter().collect())
    }

    fn commit(&mut self, _epoch: u64, writes: &[Write]) -> Result<(), JournalError> {
        if self.failing {
            return Err(JournalError("No space left on device".into()));
        }
        for write in writes {
            match &write.value {
                Some(value) => self.rows.insert(write.key.clone(), value.clone()),
                None => self.rows.remove(&write.key),
            };
        }
        Ok(())
    }
}

/// A journal that several owners share, so that a test can look into it while a kernel uses it.
impl<J: Journal> Journal for std::sync::Arc<std::sync::Mutex<J>> {
    fn load(&mut self) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        self.lock().map_err(JournalError::of)?.load()
    }

    fn keeps(&self) -> bool {
        self.lock().is_ok_and(|journal| journal.keeps())
    }

    fn commit(&mut self, epoch: u64, writes: &[Write]) -> Result<(), JournalError> {
        self.lock().map_err(JournalError::of)?.commit(epoch, writes)
    }
}
