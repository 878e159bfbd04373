//! Trust stores: who may sign the certificates of clients, and which of those no longer count ("Mutual authentication with TLS
//! in Application Load Balancer"). What a user's bucket held is read once, checked, and kept here.

use base::{Fault, Tags};
use kernel::{Cx, ObjectError, Row, State, Tx};
use serde::{Deserialize, Serialize};

use crate::arn::Named;
use crate::error::Error;
use crate::listener::Listener;
use crate::{certificate, tags};

/// "Quotas for your Application Load Balancers".
const TRUST_STORES_MAX: usize = 20;
const AUTHORITIES_MAX: usize = 25;
const LISTS_MAX: usize = 30;
const ENTRIES_MAX: usize = 500_000;
/// Most bytes of a bundle, and of all lists of a trust store: they go to the edge in one frame with everything else.
const BUNDLE_BYTES_MAX: usize = 512 * 1024;
const LISTS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most blocks of one file.
const BLOCKS_MAX: usize = 1_000;
const NAME_CHARS_MAX: usize = 32;

/// A trust store. PEM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrustStore {
    pub arn: String,
    pub name: String,
    pub authorities: String,
    pub authority_count: usize,
    pub revocations: Vec<Revocation>,
    /// Counts them; an id is not given twice.
    pub revocation_ids: i64,
}

/// A file with lists of revoked certificates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revocation {
    pub id: i64,
    pub lists: String,
    /// Certificates on them.
    pub entries: usize,
}

impl Row for TrustStore {
    const TABLE: &'static str = "elb.trust-store";
    type Key = String;
    fn key(&self) -> String {
        self.arn.clone()
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("name", &self.name);
    }
}

impl TrustStore {
    pub(crate) fn to_world(&self) -> world::TrustStore {
        world::TrustStore {
            id: self.arn.clone(),
            authorities: self.authorities.clone(),
            revocations: self.revocations.iter().map(|r| r.lists.clone()).collect(),
        }
    }

    pub(crate) fn entries(&self) -> usize {
        self.revocations.iter().map(|r| r.entries).sum()
    }
}

/// Where a file lies.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) version: Option<String>,
}

pub(crate) fn find<'a>(state: &'a State, arn: &str) -> Result<&'a TrustStore, Error> {
    state.find::<TrustStore, str>(arn).ok_or_else(|| Named::TrustStore.missing(arn))
}

pub(crate) fn missing(arn: &str) -> Error {
    Error::Coded("TrustStoreNotFound", format!("Trust store '{arn}' not found"))
}

pub(crate) fn create(tx: &mut Tx, cx: &Cx, name: &str, place: &Place, given: Tags) -> Result<String, Error> {
    check_name(name)?;
    if tx.rows_where::<TrustStore>("name", name).next().is_some() {
        return Err(Error::Coded("DuplicateTrustStoreName", format!("A trust store with the name '{name}' already exists")));
    }
    if tx.count::<TrustStore>() >= TRUST_STORES_MAX {
        let text = format!("The maximum number of {TRUST_STORES_MAX} trust stores has been reached");
        return Err(Error::TooMany("TooManyTrustStores", text));
    }
    let (authorities, authority_count) = bundle(cx, place)?;
    let id = cx.rng().hex(16);
    let arn = cx.scope.arn("elasticloadbalancing", format_args!("truststore/{name}/{id}"));
    tx.put(TrustStore {
        arn: arn.clone(),
        name: name.into(),
        authorities,
        authority_count,
        revocations: Vec::new(),
        revocation_ids: 0,
    });
    tags::add(tx, &arn, given)?;
    Ok(arn)
}

fn check_name(name: &str) -> Result<(), Error> {
    let is_known = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !(1..=NAME_CHARS_MAX).contains(&name.len()) || !is_known || name.starts_with('-') || name.ends_with('-') {
        let text = format!(
            "Trust store name '{name}' must have 1 to {NAME_CHARS_MAX} letters, digits or hyphens, with no hyphen at either end"
        );
        return Err(Error::Validation(text));
    }
    Ok(())
}

pub(crate) fn modify(tx: &mut Tx, cx: &Cx, arn: &str, place: &Place) -> Result<(), Error> {
    find(tx, arn)?;
    let (authorities, authority_count) = bundle(cx, place)?;
    tx.update::<TrustStore>(&arn.to_string(), |t| (t.authorities, t.authority_count) = (authorities, authority_count));
    Ok(())
}

pub(crate) fn delete(tx: &mut Tx, arn: &str) -> Result<(), Error> {
    find(tx, arn)?;
    if tx.rows_where::<Listener>("trust-store", arn).next().is_some() {
        return Err(Error::Coded("TrustStoreInUse", format!("Trust store '{arn}' is currently in use by a listener")));
    }
    tx.remove::<TrustStore>(&arn.to_string());
    tags::set(tx, arn, Tags::new());
    Ok(())
}

/// Adds a file of lists and returns what it has become.
pub(crate) fn add_revocation(tx: &mut Tx, cx: &Cx, arn: &str, place: &Place) -> Result<Revocation, Error> {
    let store = find(tx, arn)?;
    let (lists, entries) = revocation_lists(cx, place)?;
    let bytes: usize = store.revocations.iter().map(|r| r.lists.len()).sum();
    let too_many = |text: String| Err(Error::TooMany("TooManyTrustStoreRevocationEntries", text));
    if store.revocations.len() >= LISTS_MAX {
        return too_many(format!("A trust store has at most {LISTS_MAX} revocation files"));
    }
    if store.entries() + entries > ENTRIES_MAX {
        return too_many(format!("A trust store has at most {ENTRIES_MAX} revocation entries"));
    }
    if bytes + lists.len() > LISTS_BYTES_MAX {
        return too_many(format!(
            "The revocation files of a trust store have at most {LISTS_BYTES_MAX} bytes together in this region"
        ));
    }
    let revocation = Revocation { id: store.revocation_ids + 1, lists, entries };
    let added = revocation.clone();
    tx.update::<TrustStore>(&arn.to_string(), |t| {
        t.revocation_ids = revocation.id;
        t.revocations.push(revocation);
    });
    Ok(added)
}

pub(crate) fn remove_revocations(tx: &mut Tx, arn: &str, ids: &[i64]) -> Result<(), Error> {
    let store = find(tx, arn)?;
    for id in ids {
        find_revocation(store, *id)?;
    }
    tx.update::<TrustStore>(&arn.to_string(), |t| t.revocations.retain(|r| !ids.contains(&r.id)));
    Ok(())
}

pub(crate) fn find_revocation(store: &TrustStore, id: i64) -> Result<&Revocation, Error> {
    let found = store.revocations.iter().find(|r| r.id == id);
    found.ok_or_else(|| Error::Coded("RevocationIdNotFound", format!("Revocation ID '{id}' not found")))
}

/// Reads an object; `missing` is the code for one that is not there, `invalid` for one that is not as it must be.
fn read(cx: &Cx, place: &Place, bytes_max: usize, missing: &'static str, invalid: &'static str) -> Result<Vec<u8>, Error> {
    if place.version.is_some() {
        return Err(Error::Unsupported("Versions of S3 objects are not supported in this region".into()));
    }
    let Place { bucket, key, .. } = place;
    cx.read_object(bucket, key, bytes_max).map_err(|e| match e {
        ObjectError::TooLarge => Error::Coded(invalid, format!("The object s3://{bucket}/{key} has more than {bytes_max} bytes")),
        other => Error::Coded(missing, format!("The object s3://{bucket}/{key} was not found: {other}")),
    })
}

/// The certificates of authorities that an object holds, and how many ("the bundle must be in PEM format").
fn bundle(cx: &Cx, place: &Place) -> Result<(String, usize), Error> {
    const INVALID: &str = "InvalidCaCertificatesBundle";
    let bytes = read(cx, place, BUNDLE_BYTES_MAX, "CaCertificatesBundleNotFound", INVALID)?;
    let invalid = |text: String| Error::Coded(INVALID, format!("The CA certificates bundle is invalid: {text}"));
    let all = x509::certificates(&bytes, BLOCKS_MAX).map_err(|e| invalid(e.to_string()))?;
    if all.is_empty() {
        return Err(invalid("there is no certificate in it".into()));
    }
    if all.len() > AUTHORITIES_MAX {
        return Err(invalid(format!("it has {} certificates, more than {AUTHORITIES_MAX}", all.len())));
    }
    if let Some(other) = all.iter().find(|c| !c.is_authority) {
        return Err(invalid(format!("'{}' is not the certificate of an authority", other.subject)));
    }
    if let Some(old) = all.iter().find(|c| c.not_after <= cx.now) {
        return Err(invalid(format!("'{}' has expired", old.subject)));
    }
    Ok((all.iter().map(x509::Certificate::to_pem).collect(), all.len()))
}

fn revocation_lists(cx: &Cx, place: &Place) -> Result<(String, usize), Error> {
    const INVALID: &str = "InvalidRevocationContent";
    let bytes = read(cx, place, LISTS_BYTES_MAX, "RevocationContentNotFound", INVALID)?;
    let invalid = |text: String| Error::Coded(INVALID, format!("The revocation content is invalid: {text}"));
    let all = x509::revocation_lists(&bytes, BLOCKS_MAX).map_err(|e| invalid(e.to_string()))?;
    if all.is_empty() {
        return Err(invalid("there is no revocation list in PEM format in it".into()));
    }
    Ok((all.iter().map(x509::RevocationList::to_pem).collect(), all.iter().map(|l| l.entries).sum()))
}

/// The load balancers that verify clients with it, each once.
pub(crate) fn associations(state: &State, arn: &str) -> Result<Vec<String>, Fault> {
    find(state, arn)?;
    let mut all: Vec<String> = certificate::balancers(state, arn).map(ToString::to_string).collect();
    all.sort_unstable();
    all.dedup();
    Ok(all)
}
