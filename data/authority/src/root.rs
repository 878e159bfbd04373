//! The root: a key and a certificate in the data directory, made once. Whoever has the key can speak for every name to those
//! who trust the certificate, so it lies there with mode 0600, in a directory of mode 0700.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use time::{Duration, OffsetDateTime};
use world::RunPaths;
use x509_parser::pem::parse_x509_pem;

/// How long a root lasts, in days of ten years.
const VALID_DAYS: i64 = 3_652;
/// Clocks of clients may be behind.
const BACKDATED_HOURS: i64 = 1;
/// Largest file that is read as a key or a certificate.
const FILE_BYTES_MAX: u64 = 64 * 1024;

pub(crate) struct Root {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    pub(crate) name: String,
    /// PEM.
    pub(crate) certificate: String,
}

/// The root's certificate in PEM; the root is made when there is none yet.
///
/// # Errors
/// When the directory cannot be read or written.
pub fn open_root_certificate(paths: &RunPaths) -> io::Result<String> {
    Root::open(paths).map(|root| root.certificate)
}

impl Root {
    /// Reads the root, or makes it. Several processes may do so at once: one makes it, the others wait and read.
    pub(crate) fn open(paths: &RunPaths) -> io::Result<Self> {
        let _lock = lock(paths).map_err(|e| of(&paths.authority(), &e))?;
        let (key_file, certificate_file) = (paths.root_key(), paths.root_certificate());
        let key = match read(&key_file) {
            // A key without its certificate is of a root that was never whole.
            Ok(key) if certificate_file.exists() => key,
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(of(&key_file, &e)),
            _ => make(paths).map_err(|e| of(&paths.authority(), &e))?,
        };
        let certificate = read(&certificate_file).map_err(|e| of(&certificate_file, &e))?;
        let key = KeyPair::from_pem(&key).map_err(|_| of(&key_file, &unreadable()))?;
        let name = common_name(&certificate, &key).ok_or_else(|| of(&certificate_file, &unreadable()))?;
        Ok(Self { issuer: Issuer::new(parameters(&name), key), name, certificate })
    }
}

/// Keeps others from making a root for as long as the file is held; it goes with its process, however that ends.
fn lock(paths: &RunPaths) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(paths.authority())?;
    let file = paths.authority().join("lock");
    let file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(file)?;
    file.lock()?;
    Ok(file)
}

fn of(file: &Path, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", file.display()))
}

fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it cannot be read as what it should be")
}

fn read(file: &Path) -> io::Result<String> {
    if fs::metadata(file)?.len() > FILE_BYTES_MAX {
        return Err(unreadable());
    }
    fs::read_to_string(file)
}

/// The name in the certificate; none when it cannot be read, or is of another key.
fn common_name(certificate: &str, key: &KeyPair) -> Option<String> {
    let (_, pem) = parse_x509_pem(certificate.as_bytes()).ok()?;
    let certificate = pem.parse_x509().ok()?;
    let is_ours = certificate.public_key().subject_public_key.data.as_ref() == key.public_key_raw();
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
    is_ours.then(|| name.to_string())
}

/// What a root of this name says of itself, but for its time.
fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.distinguished_name.push(DnType::OrganizationName, "Allod");
    // It signs servers' certificates, and no other authority's.
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}

/// Makes a root and returns its key. The certificate is written last: a root is whole when that is there.
fn make(paths: &RunPaths) -> io::Result<String> {
    fs::set_permissions(paths.authority(), fs::Permissions::from_mode(0o700))?;
    let mut mark = [0; 4];
    SystemRandom::new().fill(&mut mark).map_err(|_| io::Error::other("the machine has no randomness for a key"))?;
    let mark: String = mark.iter().map(|byte| format!("{byte:02x}")).collect();
    // Several regions' roots can stand in one list of trusted ones: they are told apart by their names.
    let mut parameters = parameters(&format!("Allod region root {mark}"));
    let now = OffsetDateTime::now_utc();
    parameters.not_before = now - Duration::hours(BACKDATED_HOURS);
    parameters.not_after = now + Duration::days(VALID_DAYS);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(io::Error::other)?;
    let certificate = parameters.self_signed(&key).map_err(io::Error::other)?;
    let pem = key.serialize_pem();
    write(&paths.root_key(), &pem, 0o600)?;
    write(&paths.root_certificate(), &certificate.pem(), 0o600)?;
    Ok(pem)
}

/// Writes a file whole or not at all.
fn write(file: &Path, text: &str, mode: u32) -> io::Result<()> {
    let new = file.with_extension("new");
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut out = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(new, file)
}
