//! Signatures of messages ("Verifying the signatures of Amazon SNS messages", SNS Developer Guide): an RSA key of the
//! region's own, made when the first message is signed and kept in the data directory with mode 0600, and its certificate.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256};
use world::RunPaths;

/// Name in the certificate.
const COMMON_NAME: &str = "sns.allod.localhost";

pub(crate) struct Signer {
    key_file: PathBuf,
    certificate_file: PathBuf,
    /// None until the first message is signed.
    key: Mutex<Option<RsaKeyPair>>,
}

impl Signer {
    pub(crate) fn new(paths: &RunPaths) -> Self {
        Self { key_file: paths.signing_key(), certificate_file: paths.signing_certificate(), key: Mutex::new(None) }
    }

    /// The signature of a text: RSA with SHA256 (`SignatureVersion` 2), in base64.
    pub(crate) fn sign(&self, text: &str) -> io::Result<String> {
        let mut held = self.key.lock().map_err(|_| io::Error::other("the signing key is not usable"))?;
        let key = match held.take() {
            Some(key) => key,
            None => self.open()?,
        };
        let key = held.insert(key);
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| io::Error::other("the message could not be signed"))?;
        Ok(STANDARD.encode(signature))
    }

    /// Reads the key, or makes it and its certificate.
    fn open(&self) -> io::Result<RsaKeyPair> {
        let pem = match (fs::read_to_string(&self.key_file), self.certificate_file.exists()) {
            (Ok(pem), true) => pem,
            (Err(e), _) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => self.make()?,
        };
        let pair = KeyPair::from_pem(&pem).map_err(io::Error::other)?;
        RsaKeyPair::from_pkcs8(&pair.serialize_der()).map_err(io::Error::other)
    }

    fn make(&self) -> io::Result<String> {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(io::Error::other)?;
        let mut parameters = CertificateParams::new(vec![COMMON_NAME.to_string()]).map_err(io::Error::other)?;
        parameters.distinguished_name.push(DnType::CommonName, COMMON_NAME);
        let certificate = parameters.self_signed(&pair).map_err(io::Error::other)?;
        let pem = pair.serialize_pem();
        write(&self.key_file, &pem, 0o600)?;
        write(&self.certificate_file, &certificate.pem(), 0o644)?;
        Ok(pem)
    }
}

/// Writes a file whole or not at all.
fn write(file: &Path, text: &str, mode: u32) -> io::Result<()> {
    let new = file.with_extension("new");
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(new, file)
}
