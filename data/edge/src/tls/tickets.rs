//! Session tickets: a client that comes back, to whichever worker and after whatever change of configuration, skips the
//! costly part of the handshake. The keys live as long as the edge and are replaced regularly; a ticket is good only for the
//! listener that gave it.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use rustls::server::ProducesTickets;

use crate::clock::now_ms;

/// How long a ticket may be used.
const LIFETIME: Duration = Duration::from_secs(12 * 3_600);
/// How long new tickets are sealed with the same key.
const ROTATE_AFTER_MS: u64 = 6 * 3_600 * 1_000;
/// Keys that still open tickets: every ticket outlives two rotations at most.
const KEYS_MAX: usize = 3;
const NAME_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;

struct Key {
    name: [u8; NAME_BYTES],
    aead: RandomizedNonceKey,
    made_ms: u64,
}

impl Key {
    fn new(now_ms: u64) -> Option<Self> {
        let (mut name, mut secret) = ([0; NAME_BYTES], [0; 32]);
        rand::fill(&mut name).ok()?;
        rand::fill(&mut secret).ok()?;
        let aead = RandomizedNonceKey::new(&AES_256_GCM, &secret).ok()?;
        secret.fill(0);
        Some(Self { name, aead, made_ms: now_ms })
    }
}

/// The keys of all listeners, the newest first. Workers read them together; one in six hours writes.
pub struct TicketKeys(RwLock<Vec<Key>>);

impl TicketKeys {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(RwLock::new(Vec::new())))
    }

    /// Makes a new key when the newest is too old.
    fn rotate(&self, now_ms: u64) -> Option<()> {
        let is_fresh = |keys: &[Key]| keys.first().is_some_and(|k| now_ms.saturating_sub(k.made_ms) < ROTATE_AFTER_MS);
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
        for rotation in 1..=KEYS_MAX as u64 {
            assert_eq!(keys.open("a", &ticket).as_deref(), Some(&b"secret"[..]), "after {} rotations", rotation - 1);
            keys.seal("a", b"", rotation * ROTATE_AFTER_MS).unwrap();
        }
        assert_eq!(keys.open("a", &ticket), None);
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
