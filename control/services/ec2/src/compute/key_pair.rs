//! Key pairs: public keys that users import, kept as records and given to instances through their metadata.

use base::{Tags, Time};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::error::ComputeError;
use crate::error::Error;
use crate::tags;

/// Most key pairs of a region, as AWS's quota.
pub const KEY_PAIRS_MAX: usize = 5_000;
/// Longest public key in bytes, with its comment.
const KEY_BYTES_MAX: usize = 16 * 1024;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyPair {
    /// `key-` and 17 digits.
    pub id: String,
    pub name: String,
    pub kind: KeyKind,
    pub fingerprint: String,
    /// In OpenSSH's form: type, base64, comment.
    pub public_key: String,
    pub created_at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    Rsa,
    Ed25519,
}

impl KeyKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }
}

impl Row for KeyPair {
    const TABLE: &'static str = "ec2.key-pair";
    type Key = String;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("id", &self.id);
    }
}

pub(crate) fn exists(state: &State, name: &str) -> bool {
    state.get::<KeyPair>(&name.to_string()).is_some()
}

/// Keeps a public key under a new name.
pub fn import_key_pair(tx: &mut Tx, cx: &Cx, name: &str, public_key: &str, tags: Tags) -> Result<KeyPair, Error> {
    if name.is_empty() || name.len() > 255 || !name.is_ascii() {
        return Err(Error::invalid("KeyName", name, "It must have 1 to 255 ASCII characters."));
    }
    if exists(tx, name) {
        return Err(ComputeError::KeyPairInUse.into());
    }
    if tx.count::<KeyPair>() >= KEY_PAIRS_MAX {
        return Err(Error::LimitExceeded("KeyPairLimitExceeded", format!("at most {KEY_PAIRS_MAX} key pairs")));
    }
    let (kind, blob) = read_public_key(public_key).ok_or(ComputeError::MalformedKey)?;
    let id = format!("key-{}", cx.rng().hex(17));
    let pair = KeyPair {
        id: id.clone(),
        name: name.into(),
        kind,
        fingerprint: fingerprint(kind, &blob),
        public_key: public_key.trim().into(),
        created_at: cx.now,
    };
    tx.put(pair.clone());
    tags::add(tx, &id, tags)?;
    Ok(pair)
}

/// Forgets a key pair; instances keep the key that they have.
pub fn delete_key_pair(tx: &mut Tx, name: &str) -> Option<KeyPair> {
    let pair = tx.remove::<KeyPair>(&name.to_string())?;
    tags::forget(tx, &pair.id);
    Some(pair)
}

/// The kind and blob of a key in OpenSSH's form, one line. The blob begins with its own kind, length first.
fn read_public_key(text: &str) -> Option<(KeyKind, Vec<u8>)> {
    if text.len() > KEY_BYTES_MAX || text.trim().contains(['\r', '\n']) {
        return None;
    }
    let mut words = text.split_whitespace();
    let (kind, name) = match words.next()? {
        name @ "ssh-rsa" => (KeyKind::Rsa, name),
        name @ "ssh-ed25519" => (KeyKind::Ed25519, name),
        _ => return None,
    };
    let blob = STANDARD.decode(words.next()?).ok()?;
    let length = u32::try_from(name.len()).ok()?.to_be_bytes();
    let inner = blob.strip_prefix(&length)?.strip_prefix(name.as_bytes())?;
    if inner.len() < 32 {
        return None;
    }
    Some((kind, blob))
}

/// As AWS shows that of an imported key ("Verify the fingerprint of your key pair"): MD5 for RSA, SHA-256 for ED25519.
fn fingerprint(kind: KeyKind, blob: &[u8]) -> String {
    match kind {
        KeyKind::Rsa => {
            let digest = md5::Md5::digest(blob);
            digest.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
        }
        KeyKind::Ed25519 => STANDARD.encode(sha2::Sha256::digest(blob)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{KeyKind, fingerprint, read_public_key};

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@example.com";

    #[test]
    fn reads_a_public_key_and_refuses_others() {
        let (kind, blob) = read_public_key(KEY).unwrap();
        assert_eq!(kind, KeyKind::Ed25519);
        assert_eq!(fingerprint(kind, &blob).len(), 44);
        assert!(read_public_key(&format!("{KEY}\n")).is_some());
        assert!(read_public_key(&format!("{KEY}\n{KEY}")).is_none(), "one key");
        assert!(read_public_key(&format!("{KEY} {}", "x".repeat(super::KEY_BYTES_MAX))).is_none());
        assert!(read_public_key("ssh-ed25519 AAAA").is_none());
        assert!(read_public_key(&KEY.replacen("ssh-ed25519", "ssh-rsa", 1)).is_none());
        assert!(read_public_key("-----BEGIN PUBLIC KEY-----").is_none());
    }
}
