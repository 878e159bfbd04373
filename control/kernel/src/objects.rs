use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Why an object was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectError {
    NoBucket,
    NoObject,
    /// It has more bytes than were asked for at most.
    TooLarge,
    Unreadable,
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ObjectError::NoBucket => "the bucket does not exist",
            ObjectError::NoObject => "there is no such object in the bucket",
            ObjectError::TooLarge => "the object is too large",
            ObjectError::Unreadable => "the object could not be read",
        })
    }
}

/// Where objects of S3 are read that a request names. A port, for operations answer at once whether an object is good.
pub trait Objects: Send + Sync {
    /// The bytes of an object, `bytes_max` at most.
    fn read(&self, bucket: &str, key: &str, bytes_max: usize) -> Result<Vec<u8>, ObjectError>;
}

/// Objects in memory, for tests and simulations.
#[derive(Debug, Default)]
pub struct MemoryObjects(Mutex<BTreeMap<String, BTreeMap<String, Vec<u8>>>>);

impl MemoryObjects {
    pub fn put(&self, bucket: &str, key: &str, bytes: impl Into<Vec<u8>>) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.entry(bucket.into()).or_default().insert(key.into(), bytes.into());
    }
}

impl Objects for MemoryObjects {
    fn read(&self, bucket: &str, key: &str, bytes_max: usize) -> Result<Vec<u8>, ObjectError> {
        let buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let object = buckets.get(bucket).ok_or(ObjectError::NoBucket)?.get(key).ok_or(ObjectError::NoObject)?;
        if object.len() > bytes_max { Err(ObjectError::TooLarge) } else { Ok(object.clone()) }
    }
}
