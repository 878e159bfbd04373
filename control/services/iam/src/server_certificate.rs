//! Server certificates: what users upload for HTTPS and TLS listeners ("IAM User Guide, Manage server certificates"). Keys
//! are kept as ACM keeps its own, in the region's journal, and no answer has one.

use base::{Tags, Time};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};
use world::PrivateKey;
use x509::{KeyError, PairError, ServerPair};

use crate::error::Error;
use crate::validate;

/// "IAM and AWS STS quotas, Server certificates stored in an AWS account".
pub const SERVER_CERTIFICATES_MAX: usize = 20;
/// Characters of a name, a certificate, a key and a chain (UploadServerCertificate).
const NAME_MAX: usize = 128;
const BODY_MAX: usize = 16_384;
const KEY_MAX: usize = 16_384;
const CHAIN_MAX: usize = 2_097_152;

/// A server certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerCertificate {
    /// `ASCA` and 17 letters and digits. It stays when name, path and ARN change.
    pub id: String,
    pub name: String,
    pub path: String,
    /// `arn:aws:iam::ACCOUNT:server-certificate/PATH/NAME`.
    pub arn: String,
    pub uploaded_at: Time,
    /// Until when it is valid.
    pub expires_at: Time,
    /// PEM as it was uploaded, but for space around it: AWS gives it back so, and Terraform compares it.
    pub body: String,
    /// The certificates above it, likewise.
    pub chain: Option<String>,
    /// What a server sends: the certificate, and those above it. PEM.
    pub served: String,
    pub key: PrivateKey,
    pub tags: Tags,
}

impl Row for ServerCertificate {
    const TABLE: &'static str = "iam.server-certificate";
    type Key = String;

    fn key(&self) -> String {
        self.id.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("name", &self.name);
        add("lower-name", &self.name.to_lowercase());
        add("arn", &self.arn);
    }
}

/// What a user uploads. PEM.
#[derive(Clone, Default)]
pub(crate) struct Upload {
    pub(crate) name: String,
    pub(crate) path: Option<String>,
    pub(crate) body: String,
    pub(crate) key: String,
    pub(crate) chain: Option<String>,
    pub(crate) tags: Tags,
}

/// The server certificate of an ARN or an id.
pub fn find_server_certificate<'a>(state: &'a State, arn_or_id: &str) -> Option<&'a ServerCertificate> {
    if arn_or_id.starts_with("arn:") {
        return state.rows_where::<ServerCertificate>("arn", arn_or_id).next();
    }
    state.find::<ServerCertificate, str>(arn_or_id)
}

pub(crate) fn find<'a>(state: &'a State, name: &str) -> Result<&'a ServerCertificate, Error> {
    state.rows_where::<ServerCertificate>("name", name).next().ok_or_else(|| Error::NoServerCertificate(name.into()))
}

/// Takes a certificate in that is valid now and fits its key and chain.
pub(crate) fn upload(tx: &mut Tx, cx: &Cx, upload: Upload) -> Result<ServerCertificate, Error> {
    check_name("serverCertificateName", &upload.name)?;
    let path = validate::path(upload.path)?;
    check_length("certificateBody", &upload.body, BODY_MAX)?;
    check_length("privateKey", &upload.key, KEY_MAX)?;
    upload.chain.as_ref().map_or(Ok(()), |chain| check_length("certificateChain", chain, CHAIN_MAX))?;
    check_free(tx, None, &upload.name)?;
    let pair =
        ServerPair::read(upload.body.as_bytes(), upload.key.as_bytes(), upload.chain.as_deref().map(str::as_bytes), cx.now);
    let pair = pair.map_err(refusal)?;
    if tx.count::<ServerCertificate>() >= SERVER_CERTIFICATES_MAX {
        return Err(Error::Quota("ServerCertificatesPerAccount", SERVER_CERTIFICATES_MAX));
    }
    let certificate = ServerCertificate {
        id: format!("ASCA{}", cx.rng().base32(17)),
        arn: arn(cx, &path, &upload.name),
        name: upload.name,
        path,
        uploaded_at: cx.now,
        expires_at: pair.certificate.not_after,
        body: upload.body.trim().into(),
        chain: upload.chain.map(|chain| chain.trim().into()),
        served: pair.certificate.to_pem() + &pair.chain_pem().unwrap_or_default(),
        key: PrivateKey(pair.key.to_pem()),
        tags: upload.tags,
    };
    tx.put(certificate.clone());
    Ok(certificate)
}

/// Gives a certificate another name, another path or both, and so another ARN (UpdateServerCertificate). Whoever serves
/// with it goes on.
pub(crate) fn rename(tx: &mut Tx, cx: &Cx, name: &str, new: Option<String>, path: Option<String>) -> Result<(), Error> {
    let old = find(tx, name)?.clone();
    if let Some(new) = &new {
        check_name("newServerCertificateName", new)?;
        check_free(tx, Some(&old.id), new)?;
    }
    let path = if path.is_some() { validate::path(path)? } else { old.path.clone() };
    let name = new.unwrap_or_else(|| old.name.clone());
    tx.put(ServerCertificate { arn: arn(cx, &path, &name), name, path, ..old });
    Ok(())
}

/// Removes a certificate that nobody uses.
pub(crate) fn delete(tx: &mut Tx, name: &str) -> Result<(), Error> {
    let certificate = find(tx, name)?;
    if let Some(user) = tx.registry().users(tx, &certificate.arn).into_iter().next() {
        return Err(Error::ServerCertificateInUse { id: certificate.id.clone(), user });
    }
    let id = certificate.id.clone();
    tx.remove::<ServerCertificate>(&id);
    Ok(())
}

/// Changes the tags; the change may refuse.
pub(crate) fn change_tags(tx: &mut Tx, name: &str, change: impl FnOnce(&mut Tags) -> Result<(), Error>) -> Result<(), Error> {
    let mut certificate = find(tx, name)?.clone();
    change(&mut certificate.tags)?;
    tx.put(certificate);
    Ok(())
}

fn arn(cx: &Cx, path: &str, name: &str) -> String {
    cx.scope.global_arn("iam", format_args!("server-certificate{path}{name}"))
}

fn check_name(field: &str, name: &str) -> Result<(), Error> {
    validate::name(field, name, NAME_MAX)
}

/// Names are unique without regard to case.
fn check_free(state: &State, own: Option<&str>, name: &str) -> Result<(), Error> {
    let lower = name.to_lowercase();
    let mut others = state.rows_where::<ServerCertificate>("lower-name", &lower);
    if others.any(|other| Some(other.id.as_str()) != own) {
        return Err(Error::ServerCertificateExists(name.into()));
    }
    Ok(())
}

/// The refusal has nothing of the text in it: it may be a key.
fn check_length(field: &str, text: &str, most: usize) -> Result<(), Error> {
    let bound = match text.chars().count() {
        0 => "greater than or equal to 1".into(),
        count if count > most => format!("less than or equal to {most}"),
        _ => return Ok(()),
    };
    Err(Error::Invalid(format!(
        "1 validation error detected: Value at '{field}' failed to satisfy constraint: Member must have length {bound}"
    )))
}

fn refusal(error: PairError) -> Error {
    let certificate = |text: &str| Error::MalformedCertificate(text.into());
    match error {
        PairError::Certificate(_) | PairError::NoCertificate => {
            certificate("Unable to parse certificate. Please ensure the certificate is in PEM format.")
        }
        PairError::ManyCertificates => {
            certificate("The certificate body holds more than one certificate: those above it belong into the certificate chain.")
        }
        PairError::Algorithm => certificate("The algorithm of the certificate's key is not supported in this region."),
        PairError::Expired => certificate("The certificate has expired."),
        PairError::NotYetValid => certificate("The certificate is not valid yet."),
        PairError::Key(KeyError::Encrypted) => certificate("The private key is encrypted. Upload it without a password."),
        PairError::Key(KeyError::NotAKey) => {
            certificate("Unable to parse private key. Please ensure the private key is in PEM format.")
        }
        PairError::Key(KeyError::Unsupported) => certificate("Keys of the private key's kind are not supported in this region."),
        PairError::Mismatch => Error::KeyPairMismatch,
        PairError::NotSelfSigned => certificate("The certificate names itself as its issuer, but has not signed itself."),
        PairError::Chain(_) | PairError::EmptyChain => {
            certificate("Unable to parse certificate chain. Please ensure the certificate chain is in PEM format.")
        }
        PairError::ChainOrder(at) => Error::MalformedCertificate(format!(
            "Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate, followed by any intermediaries in order. The index within the chain of the invalid certificate is: {at}"
        )),
    }
}
