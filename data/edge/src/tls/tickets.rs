//! Session tickets: a client that comes back, to whichever worker and after whatever change of configuration, skips the
//! costly part of the handshake. The keys go from one edge to the next that takes over, are never on a disk, and are replaced
//! regularly; a ticket is good only for the listener that gave it.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::server::ProducesTickets;
use serde::{Deserialize, Serialize};

use crate::clock::now_ms;

/// How long a ticket may be used.
const LIFETIME: Duration = Duration::from_secs(12 * 3_600);
/// How long new tickets are sealed with the same key.
const ROTATE_AFTER_MS: i64 = 6 * 3_600 * 1_000;
/// Keys that still open tickets: every ticket outlives two rotations at most.
const KEYS_MAX: usize = 3;
const NAME_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const SECRET_BYTES: usize = 32;

struct Key {
    name: [u8; NAME_BYTES],
    secret: [u8; SECRET_BYTES],
    aead: RandomizedNonceKey,
    /// Below zero where an edge before this one made it.
    made_ms: i64,
}

impl Drop for Key {
    fn drop(&mut self) {
        self.secret.fill(0);
    }
}

/// A key on its way to the edge that takes over.
#[derive(Serialize, Deserialize)]
pub struct PassedKey {
    /// Base64.
    name: String,
    /// Likewise.
    secret: String,
    age_ms: i64,
}

impl fmt::Debug for PassedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PassedKey")
    }
}

impl Key {
    fn new(now_ms: i64) -> Option<Self> {
        let (mut name, mut secret) = ([0; NAME_BYTES], [0; SECRET_BYTES]);
        rand::fill(&mut name).ok()?;
        rand::fill(&mut secret).ok()?;
        Self::of(name, secret, now_ms)
    }

    fn of(name: [u8; NAME_BYTES], secret: [u8; SECRET_BYTES], made_ms: i64) -> Option<Self> {
        let aead = RandomizedNonceKey::new(&AES_256_GCM, &secret).ok()?;
        Some(Self { name, secret, aead, made_ms })
    }

    fn pass_on(&self, now_ms: i64) -> PassedKey {
        PassedKey { name: STANDARD.encode(self.name), secret: STANDARD.encode(self.secret), age_ms: now_ms - self.made_ms }
    }

    fn taken_over(passed: &PassedKey, now_ms: i64) -> Option<Self> {
        let bytes = |text: &str| STANDARD.decode(text).ok();
        Self::of(bytes(&passed.name)?.try_into().ok()?, bytes(&passed.secret)?.try_into().ok()?, now_ms - passed.age_ms)
    }
}

/// The edge's clock, which may be reckoned back beyond its start.
fn signed(now_ms: u64) -> i64 {
    i64::try_from(now_ms).unwrap_or(i64::MAX)
}

/// The keys of all listeners, the newest first. Workers read them together; one in six hours writes.
pub struct TicketKeys(RwLock<Vec<Key>>);

impl TicketKeys {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(RwLock::new(Vec::new())))
    }

    /// Those of the edge before, the newest first.
    pub fn taken_over(passed: &[PassedKey]) -> Arc<Self> {
        let keys = passed.iter().take(KEYS_MAX).filter_map(|key| Key::taken_over(key, signed(now_ms())));
        Arc::new(Self(RwLock::new(keys.collect())))
    }

    /// For the edge that takes over.
    pub fn pass_on(&self) -> Vec<PassedKey> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().map(|key| key.pass_on(signed(now_ms()))).collect()
    }

    /// Makes a new key when the newest is too old.
    fn rotate(&self, now_ms: u64) -> Option<()> {
        let now_ms = signed(now_ms);
        let is_fresh = |keys: &[Key]| keys.first().is_some_and(|k| now_ms - k.made_ms < ROTATE_AFTER_MS);
        if is_fresh(&self.0.read().unwrap_or_else(PoisonError::into_inner)) {
            return Some(());
        }
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !is_fresh(&keys) {
            keys.insert(0, Key::new(now_ms)?);
            keys.truncate(KEYS_MAX);
        }
        Some(())
    }

    fn seal(&self, context: &str, plain: &[u8], now_ms: u64) -> Option<Vec<u8>> {
        self.rotate(now_ms)?;
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.first()?;
        let mut sealed = plain.to_vec();
        let nonce = key.aead.seal_in_place_append_tag(Aad::from(context), &mut sealed).ok()?;
        let mut ticket = Vec::with_capacity(NAME_BYTES + NONCE_BYTES + sealed.len());
        ticket.extend_from_slice(&key.name);
        ticket.extend_from_slice(nonce.as_ref());
        ticket.extend_from_slice(&sealed);
        Some(ticket)
    }

    fn open(&self, context: &str, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME_BYTES>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.iter().find(|key| key.name == *name)?;
        let mut opened = sealed.to_vec();
        let length = key.aead.open_in_place(Nonce::from(nonce), Aad::from(context), &mut opened).ok()?.len();
        opened.truncate(length);
        Some(opened)
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKeys")
    }
}

/// The tickets of one listener.
#[derive(Debug)]
pub struct Tickets {
    pub keys: Arc<TicketKeys>,
    /// What a ticket is good for: the listener's ARN.
    pub context: String,
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(LIFETIME.as_secs()).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.keys.seal(&self.context, plain, now_ms())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.keys.open(&self.context, cipher)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{KEYS_MAX, ROTATE_AFTER_MS, TicketKeys};

    #[test]
    fn tickets_outlive_rotations_but_not_for_ever() {
        let keys = TicketKeys::new();
        let ticket = keys.seal("a", b"secret", 0).unwrap();
        let rotate_after_ms = ROTATE_AFTER_MS.unsigned_abs();
        for rotation in 1..=KEYS_MAX as u64 {
            assert_eq!(keys.open("a", &ticket).as_deref(), Some(&b"secret"[..]), "after {} rotations", rotation - 1);
            keys.seal("a", b"", rotation * rotate_after_ms).unwrap();
        }
        assert_eq!(keys.open("a", &ticket), None);
    }

    #[test]
    fn tickets_outlive_the_edge_that_gave_them_but_no_longer_than_otherwise() {
        let keys = TicketKeys::new();
        let ticket = keys.seal("a", b"secret", 1).unwrap();
        let mut passed = keys.pass_on();
        let next = TicketKeys::taken_over(&passed);
        assert_eq!(next.open("a", &ticket).as_deref(), Some(&b"secret"[..]));
        assert_eq!(next.seal("a", b"", 1).unwrap()[..16], ticket[..16], "with the same key");
        passed[0].age_ms = ROTATE_AFTER_MS;
        let later = TicketKeys::taken_over(&passed);
        assert_ne!(later.seal("a", b"", 1).unwrap()[..16], ticket[..16], "its age went along");
        assert!(later.open("a", &ticket).is_some());
        passed[0].secret.pop();
        assert!(TicketKeys::taken_over(&passed).open("a", &ticket).is_none(), "what is not understood is left out");
    }

    #[test]
    fn a_ticket_of_another_listener_or_a_changed_one_is_not_opened() {
        let keys = TicketKeys::new();
        let ticket = keys.seal("a", b"secret", 0).unwrap();
        assert_eq!(keys.open("b", &ticket), None);
        for at in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[at] ^= 1;
            assert_eq!(keys.open("a", &changed), None, "byte {at}");
            assert_eq!(keys.open("a", &ticket[..at]), None);
        }
    }
}
