//! What stands for S3 until the region has it: a directory for each bucket below DATA/buckets, a file for each object. Requests
//! name both, so nothing but regular files below that directory is ever read, and no symbolic link is followed.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use kernel::{ObjectError, Objects};

const KEY_BYTES_MAX: usize = 1_024;

pub(crate) struct Directory {
    root: PathBuf,
}

impl Directory {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The file of an object, when every part of its path is what it must be.
    fn file(&self, bucket: &str, key: &str) -> Result<PathBuf, ObjectError> {
        let is_part = |part: &&str| !part.is_empty() && *part != "." && *part != ".." && !part.contains('\0');
        let is_bucket = bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.');
        if !is_bucket || !is_part(&bucket) || !is_kind(&self.root.join(bucket), fs::Metadata::is_dir)? {
            return Err(ObjectError::NoBucket);
        }
        if key.len() > KEY_BYTES_MAX || !key.split('/').all(|part| is_part(&part)) {
            return Err(ObjectError::NoObject);
        }
        let mut path = self.root.join(bucket);
        let mut parts = key.split('/').peekable();
        while let Some(part) = parts.next() {
            path.push(part);
            let kind = if parts.peek().is_some() { fs::Metadata::is_dir } else { fs::Metadata::is_file };
            if !is_kind(&path, kind)? {
                return Err(ObjectError::NoObject);
            }
        }
        Ok(path)
    }
}

/// Whether there is something of a kind, which a symbolic link is not.
fn is_kind(path: &std::path::Path, kind: fn(&fs::Metadata) -> bool) -> Result<bool, ObjectError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(kind(&metadata)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename) => Ok(false),
        Err(e) => Err(unreadable(&e)),
    }
}

fn unreadable(e: &std::io::Error) -> ObjectError {
    tracing::error!(%e, "an object could not be read");
    ObjectError::Unreadable
}

impl Objects for Directory {
    fn read(&self, bucket: &str, key: &str, bytes_max: usize) -> Result<Vec<u8>, ObjectError> {
        let file = File::open(self.file(bucket, key)?).map_err(|e| unreadable(&e))?;
        let mut bytes = Vec::new();
        let one_more = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        file.take(one_more).read_to_end(&mut bytes).map_err(|e| unreadable(&e))?;
        if bytes.len() > bytes_max { Err(ObjectError::TooLarge) } else { Ok(bytes) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::symlink;

    use kernel::{ObjectError, Objects};

    use super::Directory;

    #[test]
    fn only_regular_files_of_buckets_are_read() {
        let data = tempfile::tempdir().unwrap();
        let root = data.path().join("buckets");
        fs::create_dir_all(root.join("trust/a/b")).unwrap();
        fs::write(root.join("trust/a/b/ca.pem"), "bytes").unwrap();
        fs::write(data.path().join("secret"), "secret").unwrap();
        symlink(data.path().join("secret"), root.join("trust/link")).unwrap();
        symlink(data.path(), root.join("trust/away")).unwrap();
        symlink(data.path(), root.join("out")).unwrap();
        let objects = Directory::new(root);
        assert_eq!(objects.read("trust", "a/b/ca.pem", 5), Ok(b"bytes".to_vec()));
        for (bucket, key, wanted) in [
            ("trust", "a/b/ca.pem", ObjectError::TooLarge),
            ("other", "a", ObjectError::NoBucket),
            ("..", "secret", ObjectError::NoBucket),
            ("", "secret", ObjectError::NoBucket),
            ("out", "secret", ObjectError::NoBucket),
            ("Trust", "a", ObjectError::NoBucket),
            ("trust", "a", ObjectError::NoObject),
            ("trust", "", ObjectError::NoObject),
            ("trust", "a//b/ca.pem", ObjectError::NoObject),
            ("trust", "../../secret", ObjectError::NoObject),
            ("trust", "/etc/passwd", ObjectError::NoObject),
            ("trust", "link", ObjectError::NoObject),
            ("trust", "away/secret", ObjectError::NoObject),
            ("trust", "a/b/ca.pem/x", ObjectError::NoObject),
        ] {
            assert_eq!(objects.read(bucket, key, 4), Err(wanted), "{bucket} {key}");
        }
    }
}
