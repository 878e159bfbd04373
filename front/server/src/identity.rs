//! Who the region is: its name and account, and the root user's access key, made at the first start and kept in
//! the data directory (the key with mode 0600).

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aws_lc_rs::rand;
use base::Scope;
use kernel::{NoRandomness, Secrets};
use serde::{Deserialize, Serialize};
use world::RunPaths;

/// The root user's access key. Never log it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// `AKIA` and sixteen letters and digits.
    pub access_key_id: String,
    /// Forty letters and digits.
    pub secret_access_key: String,
}

/// Reads who the region is, or decides it at the first start. A region keeps its name and account for life: asking
/// for another name later is an error.
pub fn scope(paths: &RunPaths, region: Option<&str>) -> io::Result<Scope> {
    let file = paths.data().join("region.json");
    if let Some(scope) = read_json::<Scope>(&file)? {
        if let Some(region) = region.filter(|r| *r != scope.region) {
            let data = paths.data().display();
            return Err(io::Error::other(format!(
                "{data} holds region {}, which cannot become {region}; choose another --data directory",
                scope.region
            )));
        }
        return Ok(scope);
    }
    let scope = Scope::new(region.unwrap_or(DEFAULT_REGION), DEFAULT_ACCOUNT);
    write_json(&file, &scope, 0o644)?;
    Ok(scope)
}

const DEFAULT_REGION: &str = "eu-central-1";
/// The account number that AWS-local tools agree on.
const DEFAULT_ACCOUNT: &str = "000000000000";

/// Reads the root user's access key, or makes it at the first start.
pub fn credentials(paths: &RunPaths) -> io::Result<Credentials> {
    if let Some(credentials) = read_credentials(paths)? {
        return Ok(credentials);
    }
    let credentials =
        Credentials { access_key_id: format!("AKIA{}", random_text(BASE32, 16)?), secret_access_key: random_text(BASE62, 40)? };
    write_json(&paths.credentials(), &credentials, 0o600)?;
    Ok(credentials)
}

/// Reads the root user's access key; none before the first start.
pub fn read_credentials(paths: &RunPaths) -> io::Result<Option<Credentials>> {
    read_json(&paths.credentials())
}

const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE62: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Secret text from the system's randomness, each letter equally likely.
pub(crate) fn random_text(alphabet: &[u8], length: usize) -> io::Result<String> {
    let mut text = String::with_capacity(length);
    let limit = 256 - 256 % alphabet.len();
    while text.len() < length {
        let mut bytes = [0; 64];
        rand::fill(&mut bytes).map_err(|_| io::Error::other("the system has no randomness"))?;
        let fair = bytes.iter().map(|b| usize::from(*b)).filter(|b| *b < limit);
        text.extend(fair.map(|b| char::from(alphabet[b % alphabet.len()])).take(length - text.len()));
    }
    Ok(text)
}

/// What the region's services keep secret, from the system's randomness.
pub(crate) struct SystemSecrets;

impl Secrets for SystemSecrets {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        rand::fill(bytes).map_err(|_| NoRandomness)
    }
}

/// A seed for ids that are unique but not secret.
pub(crate) fn random_seed() -> io::Result<u64> {
    let mut bytes = [0; 8];
    rand::fill(&mut bytes).map_err(|_| io::Error::other("the system has no randomness"))?;
    Ok(u64::from_le_bytes(bytes))
}

fn read_json<T: for<'de> Deserialize<'de>>(file: &Path) -> io::Result<Option<T>> {
    match fs::read(file) {
        Ok(bytes) => {
            let value = serde_json::from_slice(&bytes);
            value.map(Some).map_err(|e| io::Error::other(format!("{}: {e}", file.display())))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io::Error::new(e.kind(), format!("{}: {e}", file.display()))),
    }
}

/// Writes a file whole or not at all.
fn write_json(file: &Path, value: &impl Serialize, mode: u32) -> io::Result<()> {
    let new = file.with_extension("new");
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    serde_json::to_writer_pretty(&mut out, value)?;
    out.write_all(b"\n")?;
    out.sync_all()?;
    fs::rename(&new, file)
}

/// Loopback networks for load balancers, of 256 addresses each: 127.64.0.0 to 127.127.255.0.
const FRONT_BLOCKS: u64 = 1 << 14;

/// Where this region's load balancers begin. It depends on the data directory, so that several regions on one machine
/// hardly ever want the same addresses.
pub(crate) fn first_front(paths: &RunPaths) -> Ipv4Addr {
    let mut hasher = DefaultHasher::new();
    paths.data().hash(&mut hasher);
    let block = u32::try_from(hasher.finish() % FRONT_BLOCKS).unwrap_or_default();
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 64, 0, 1)) + (block << 8))
}

#[cfg(test)]
mod tests {
    use super::{credentials, scope};
    use std::os::unix::fs::PermissionsExt;
    use world::RunPaths;

    #[test]
    fn identity_is_made_once_and_the_key_is_private() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = RunPaths::new(dir.path());
        let first = credentials(&paths).expect("made");
        let second = credentials(&paths).expect("read");
        assert_eq!(first.secret_access_key, second.secret_access_key);
        assert_eq!(first.secret_access_key.len(), 40);
        let mode = std::fs::metadata(paths.credentials()).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(scope(&paths, Some("us-east-1")).expect("made").region, "us-east-1");
        assert_eq!(scope(&paths, None).expect("read").region, "us-east-1");
        assert!(scope(&paths, Some("eu-west-1")).is_err());
    }
}
