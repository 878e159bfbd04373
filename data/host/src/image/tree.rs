//! Copies trees of files as they are, and tells by a digest whether two are the same.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use crate::failure::{During, Failure, Result};

/// Most files of an image.
pub(super) const FILES_MAX: usize = 1_000_000;
/// Most bytes of an image.
pub(super) const BYTES_MAX: u64 = 32 << 30;

/// Counts what an image takes, so that a source without end does not fill the disk.
#[derive(Default)]
pub(super) struct Budget {
    files: usize,
    bytes: u64,
}

impl Budget {
    pub(super) fn take(&mut self, bytes: u64) -> Result<()> {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.files > FILES_MAX || self.bytes > BYTES_MAX {
            let text = format!("the image is too large: at most {FILES_MAX} files and {} GiB", BYTES_MAX >> 30);
            return Err(Failure::new(text));
        }
        Ok(())
    }
}

/// Copies everything in `from` into the directory `to`: files, directories and symbolic links, with owners and modes.
/// Sockets, pipes and devices are left out: an image has no use for them.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut budget = Budget::default();
    let mut rest = vec![(from.to_path_buf(), to.to_path_buf())];
    while let Some((from, to)) = rest.pop() {
        for entry in fs::read_dir(&from).during(from.display())? {
            let entry = entry.during(from.display())?;
            let (source, target) = (entry.path(), to.join(entry.file_name()));
            let metadata = entry.metadata().during(source.display())?;
            budget.take(metadata.len())?;
            copy_one(&source, &target, &metadata).during(source.display())?;
            if metadata.is_dir() {
                rest.push((source, target));
            }
        }
    }
    Ok(())
}

fn copy_one(from: &Path, to: &Path, metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
    } else if kind.is_dir() {
        fs::create_dir(to)?;
    } else if kind.is_file() {
        fs::copy(from, to)?;
    } else {
        return Ok(());
    }
    lchown(to, Some(metadata.uid()), Some(metadata.gid()))?;
    if !kind.is_symlink() {
        // After the owner, whose change takes set-user-id away.
        fs::set_permissions(to, fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
    }
    Ok(())
}

/// A running digest.
pub(super) struct Digest(Context);

impl Digest {
    pub(super) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Adds a field; its length goes first, so that no two lists of fields look alike.
    pub(super) fn add(&mut self, field: &[u8]) {
        self.0.update(&(field.len() as u64).to_le_bytes());
        self.0.update(field);
    }

    pub(super) fn text(self) -> String {
        self.0.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Adds everything that makes a tree what it is: names, kinds, owners, modes, links and contents, in order of name.
pub(super) fn digest(root: &Path, digest: &mut Digest) -> Result<()> {
    let mut rest = vec![PathBuf::new()];
    while let Some(relative) = rest.pop() {
        let directory = root.join(&relative);
        let mut names = Vec::new();
        for entry in fs::read_dir(&directory).during(directory.display())? {
            names.push(entry.during(directory.display())?.file_name());
        }
        names.sort();
        for name in names {
            let relative = relative.join(name);
            let path = root.join(&relative);
            let metadata = fs::symlink_metadata(&path).during(path.display())?;
            add_one(&path, &relative, &metadata, digest).during(path.display())?;
            if metadata.is_dir() {
                rest.push(relative);
            }
        }
    }
    Ok(())
}

fn add_one(path: &Path, relative: &Path, metadata: &Metadata, digest: &mut Digest) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    digest.add(relative.as_os_str().as_bytes());
    digest.add(format!("{:o} {} {}", metadata.mode(), metadata.uid(), metadata.gid()).as_bytes());
    if metadata.is_symlink() {
        digest.add(fs::read_link(path)?.as_os_str().as_bytes());
    } else if metadata.is_file() {
        digest.0.update(&metadata.len().to_le_bytes());
        let mut file = File::open(path)?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                n => digest.0.update(&buffer[..n]),
            }
        }
    }
    Ok(())
}
