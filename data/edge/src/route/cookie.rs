//! The load balancer's own cookies: who a client belongs to, encrypted, so that nobody can read or choose it ("ELB User Guide,
//! Sticky sessions for your Application Load Balancer: the contents are encrypted and cannot be decrypted").

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use aws_lc_rs::aead::{AES_128_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;

use crate::files::{Readers, write_atomically};
use crate::http::fields::Header;

const KEY_BYTES: usize = 16;
/// Choices that a cookie remembers: a client of several groups keeps its target in each.
const BONDS_MAX: usize = 5;
const BOND_BYTES: usize = 20;
const TAG_BYTES: usize = 16;
/// Longest cookie that is looked at: a little more than the longest that is made.
const TEXT_BYTES_MAX: usize = 256;

/// Which of the cookies: one does not pass for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Target = 1,
    Application = 2,
    Group = 3,
}

/// What was chosen where, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bond {
    /// Among which it was chosen: a group's targets, or an action's groups.
    pub scope: u64,
    pub chosen: u64,
    /// Seconds since 1970.
    pub at_s: u32,
}

/// All bonds of a cookie, the newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bonds {
    list: [Bond; BONDS_MAX],
    count: usize,
}

impl Bonds {
    pub fn find(&self, scope: u64) -> Option<Bond> {
        self.list[..self.count].iter().find(|bond| bond.scope == scope).copied()
    }

    /// Puts a bond in the place of the last one of its scope; the oldest gives way when there are too many.
    pub fn put(&mut self, bond: Bond) {
        let (old, mut kept) = (*self, Self::default());
        kept.push(bond);
        old.list[..old.count].iter().filter(|b| b.scope != bond.scope).for_each(|b| kept.push(*b));
        *self = kept;
    }

    fn push(&mut self, bond: Bond) {
        if let Some(place) = self.list.get_mut(self.count) {
            *place = bond;
            self.count += 1;
        }
    }
}

/// Seals and opens cookies.
pub struct Sealer(LessSafeKey);

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// With the key in this file; makes it, readable by our user alone, when it is not there. Cookies live as long as the
    /// file does.
    pub fn load(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(key) if key.len() == KEY_BYTES => return Self::new(&key),
            Ok(_) => tracing::error!("{} holds no key: sticky clients choose their targets anew", path.display()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let key = Self::fresh_key()?;
        write_atomically(path, &key, Readers::Owner)?;
        Self::new(&key)
    }

    fn fresh_key() -> io::Result<[u8; KEY_BYTES]> {
        let mut key = [0; KEY_BYTES];
        rand::fill(&mut key).map_err(|_| io::Error::other("the machine gives no random bytes"))?;
        Ok(key)
    }

    fn new(key: &[u8]) -> io::Result<Self> {
        let key = UnboundKey::new(&AES_128_GCM_SIV, key).map_err(|_| io::Error::other("the key is not accepted"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// The cookie's value. The cipher forgives a nonce that comes twice, so that a cheap one does.
    pub fn seal(&self, kind: Kind, bonds: &Bonds, rng: &mut Rng) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        rng.fill(&mut nonce);
        let mut bytes = Vec::with_capacity(NONCE_LEN + BONDS_MAX * BOND_BYTES + TAG_BYTES);
        bytes.extend_from_slice(&nonce);
        for bond in &bonds.list[..bonds.count] {
            bytes.extend_from_slice(&bond.scope.to_be_bytes());
            bytes.extend_from_slice(&bond.chosen.to_be_bytes());
            bytes.extend_from_slice(&bond.at_s.to_be_bytes());
        }
        let sealed = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(sealed, Aad::from([kind as u8]), &mut bytes[NONCE_LEN..]).ok()?;
        bytes.extend_from_slice(tag.as_ref());
        Some(STANDARD.encode(bytes))
    }

    /// What a cookie says; none when it is not ours.
    pub fn open(&self, kind: Kind, text: &[u8]) -> Option<Bonds> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let mut bytes = STANDARD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE_LEN>()?;
        let plain = self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from([kind as u8]), sealed).ok()?;
        let mut bonds = Bonds::default();
        for bytes in plain.chunks_exact(BOND_BYTES) {
            let number = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
            let at_s = bytes[16..].try_into().ok().map(u32::from_be_bytes)?;
            bonds.push(Bond { scope: number(0)?, chosen: number(8)?, at_s });
        }
        Some(bonds)
    }
}

/// A number that stands for names in cookies: the same in every edge (FNV-1a).
pub fn scope_of(names: &[&str]) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    names.iter().fold(0xcbf2_9ce4_8422_2325, |hash, name| name.bytes().chain([0]).fold(hash, step))
}

/// The value of the first cookie of this name in a request.
pub fn find<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a [u8]> {
    let lines = headers.iter().filter(|h| h.name.len() == 6 && h.name.eq_ignore_ascii_case(b"cookie"));
    let pairs = lines.flat_map(|h| h.value.split(|b| *b == b';')).map(<[u8]>::trim_ascii);
    let value = |pair: &'a [u8]| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=");
    pairs.filter_map(value).next().map(|value| value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use crate::http::fields::Header;
    use fastrand::Rng;

    use super::{BONDS_MAX, Bond, Bonds, Kind, Sealer, TEXT_BYTES_MAX, find};

    fn bond(scope: u64) -> Bond {
        Bond { scope, chosen: scope * 7, at_s: 1_700_000_000 }
    }

    #[test]
    fn only_the_key_opens_what_it_sealed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let (sealer, mut rng) = (Sealer::load(&path).unwrap(), Rng::with_seed(1));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut bonds = Bonds::default();
        (0..9).for_each(|scope| bonds.put(bond(scope)));
        let text = sealer.seal(Kind::Target, &bonds, &mut rng).unwrap();
        assert!(text.len() <= TEXT_BYTES_MAX, "{}", text.len());
        assert_ne!(sealer.seal(Kind::Target, &bonds, &mut rng).unwrap(), text);
        assert_eq!(Sealer::load(&path).unwrap().open(Kind::Target, text.as_bytes()), Some(bonds), "the key is kept");
        assert_eq!(sealer.open(Kind::Group, text.as_bytes()), None);
        let other = Sealer::load(&directory.path().join("other")).unwrap();
        assert_eq!(other.open(Kind::Target, text.as_bytes()), None);
        for at in 0..text.len() {
            let mut broken = text.clone().into_bytes();
            broken[at] = if broken[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(sealer.open(Kind::Target, &broken), None, "byte {at}");
        }
        for nonsense in [&b""[..], b"AAAA", b"\xff\xff", &[b'A'; 300]] {
            assert_eq!(sealer.open(Kind::Target, nonsense), None);
        }
    }

    #[test]
    fn the_newest_bonds_are_kept() {
        let mut bonds = Bonds::default();
        (0..9).for_each(|scope| bonds.put(bond(scope)));
        assert_eq!((0..9).filter(|s| bonds.find(*s).is_some()).collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
        bonds.put(Bond { chosen: 1, ..bond(5) });
        assert_eq!(bonds.find(5).unwrap().chosen, 1);
        assert_eq!(bonds.count, BONDS_MAX);
    }

    #[test]
    fn cookies_are_found_in_all_lines() {
        let headers = [Header::new(b"Cookie", b"a=1; AWSALBCORS=x"), Header::new(b"cookie", b"AWSALB=y;b=\"2\"")];
        assert_eq!(find(&headers, "AWSALB"), Some(&b"y"[..]));
        assert_eq!(find(&headers, "AWSALBCORS"), Some(&b"x"[..]));
        assert_eq!(find(&headers, "b"), Some(&b"2"[..]));
        assert_eq!(find(&headers, "AWSALBTG"), None);
    }
}
