//! Reads image archives: an OCI image layout (`index.json`) or what `docker save` writes (`manifest.json`), and puts
//! their layers on top of each other (`layer.rs`). What an archive names by a digest is believed only when it has it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use serde::Deserialize;
use tar::EntryType;

use super::Manifest;
use super::import::read_small;
use super::layer::{self, open_tar};
use super::tree::Budget;
use crate::failure::{During, Failure, Result};

/// Longest description inside an archive, in bytes.
const DESCRIPTION_MAX: u64 = 4 << 20;
/// How many indexes may lie inside each other.
const INDEXES_MAX: usize = 4;

#[derive(Deserialize)]
struct Descriptor {
    #[serde(rename = "mediaType", default)]
    media_type: String,
    digest: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct ImageManifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// An item of the `manifest.json` of `docker save`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: PathBuf,
    layers: Vec<PathBuf>,
}

#[derive(Default, Deserialize)]
struct ImageConfig {
    /// Null where an image says nothing.
    config: Option<Runtime>,
    architecture: Option<String>,
    rootfs: Option<RootFs>,
}

/// The digests of the layers without compression, lowest first.
#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Runtime {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
}

/// Unpacks the archive into `unpacked`, puts its layers into `rootfs` and writes what it runs into the manifest.
pub(super) fn unpack(source: &Path, unpacked: &Path, rootfs: &Path, manifest: &mut Manifest) -> Result<()> {
    let mut budget = Budget::default();
    fs::create_dir(unpacked).during(unpacked.display())?;
    let mut outer = open_tar(source)?;
    // Whose its files are says nothing: they go again.
    outer.set_preserve_ownerships(false);
    outer.set_preserve_permissions(false);
    for entry in outer.entries().during("reading the archive")? {
        let mut entry = entry.during("reading the archive (is it a tar file?)")?;
        budget.take(entry.size())?;
        // Anything else has no place in such an archive; a hard link could even lead out of it.
        if matches!(entry.header().entry_type(), EntryType::Regular | EntryType::Directory | EntryType::Symlink) {
            entry.unpack_in(unpacked).during("unpacking the archive")?;
        }
    }
    let (config, layers) = describe(unpacked)?;
    let config: ImageConfig = read_json(&config)?;
    if let Some(other) = config.architecture.filter(|a| !a.is_empty() && a != architecture()) {
        return Err(Failure::new(format!("the image is for {other}, this machine is {}", architecture())));
    }
    let diff_ids = config.rootfs.map(|r| r.diff_ids).unwrap_or_default();
    if !diff_ids.is_empty() && diff_ids.len() != layers.len() {
        return Err(Failure::new(format!("the image names {} layers but has {}", diff_ids.len(), layers.len())));
    }
    for (n, file) in layers.iter().enumerate() {
        let found = layer::apply(file, rootfs, &mut budget)?;
        if diff_ids.get(n).is_some_and(|wanted| *wanted != found) {
            return Err(Failure::new(format!("layer {} is damaged: it has the digest {found}, not {}", n + 1, diff_ids[n])));
        }
    }
    runtime(&config.config.unwrap_or_default(), manifest);
    Ok(())
}

/// The image's configuration and its layers, lowest first.
fn describe(unpacked: &Path) -> Result<(PathBuf, Vec<PathBuf>)> {
    let index = unpacked.join("index.json");
    if index.exists() {
        let image = image_manifest(unpacked, &index, INDEXES_MAX)?;
        let layers = image.layers.iter().map(|l| layer_blob(unpacked, l)).collect::<Result<Vec<_>>>()?;
        return Ok((blob(unpacked, &image.config.digest)?, layers));
    }
    let saved = unpacked.join("manifest.json");
    if saved.exists() {
        let mut images: Vec<Saved> = read_json(&saved)?;
        let (Some(image), true) = (images.pop(), images.is_empty()) else {
            return Err(Failure::new("the archive holds several images: save one by itself"));
        };
        let layers = image.layers.iter().map(|l| inside(unpacked, l)).collect::<Result<Vec<_>>>()?;
        return Ok((inside(unpacked, &image.config)?, layers));
    }
    Err(Failure::new("this is no OCI image archive (no index.json) and no archive of `docker save` (no manifest.json)"))
}

/// The manifest for this machine that an index leads to.
fn image_manifest(unpacked: &Path, index: &Path, depth: usize) -> Result<ImageManifest> {
    let index: Index = read_json(index)?;
    let fits = |d: &&Descriptor| d.platform.as_ref().is_none_or(|p| p.os == "linux" && p.architecture == architecture());
    let chosen = index.manifests.iter().find(fits);
    let chosen = chosen.ok_or_else(|| Failure::new(format!("the archive holds no image for linux/{}", architecture())))?;
    let file = blob(unpacked, &chosen.digest)?;
    if chosen.media_type.contains("index") || chosen.media_type.contains("manifest.list") {
        if depth == 0 {
            return Err(Failure::new("the archive's indexes lie too deep inside each other"));
        }
        return image_manifest(unpacked, &file, depth - 1);
    }
    read_json(&file)
}

/// This machine's architecture as OCI names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn layer_blob(unpacked: &Path, layer: &Descriptor) -> Result<PathBuf> {
    if layer.media_type.ends_with("zstd") {
        return Err(Failure::new(
            "a layer is compressed with zstd, which is not read here: convert it with `skopeo copy --dest-compress-format gzip`",
        ));
    }
    blob(unpacked, &layer.digest)
}

/// The file of a digest such as `sha256:0123...`, which must have it.
fn blob(unpacked: &Path, digest: &str) -> Result<PathBuf> {
    let hash = digest.strip_prefix("sha256:").filter(|hash| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
    let hash = hash.ok_or_else(|| Failure::new(format!("{digest:?} is no sha256 digest")))?;
    let file = inside(unpacked, &Path::new("blobs/sha256").join(hash))?;
    let found = digest_of(&file).during(file.display())?;
    if found == digest { Ok(file) } else { Err(Failure::new(format!("the archive is damaged: {digest} has the digest {found}"))) }
}

fn digest_of(file: &Path) -> io::Result<String> {
    let mut reader = Digesting { inner: File::open(file)?, context: Context::new(&SHA256) };
    io::copy(&mut reader, &mut io::sink())?;
    Ok(reader.digest())
}

/// Tells the digest of all that was read through it.
pub(super) struct Digesting<R> {
    pub(super) inner: R,
    pub(super) context: Context,
}

impl<R> Digesting<R> {
    /// Such as `sha256:0123...`.
    pub(super) fn digest(self) -> String {
        let digits = self.context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("sha256:{digits}")
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.context.update(&buffer[..length]);
        Ok(length)
    }
}

/// A path of the archive, which must stay in it, symbolic links followed (old archives of `docker save` have some).
fn inside(unpacked: &Path, path: &Path) -> Result<PathBuf> {
    let outside = || Failure::new(format!("the archive names {}, which is not in it", path.display()));
    let real = fs::canonicalize(unpacked.join(path)).map_err(|_| outside())?;
    let root = fs::canonicalize(unpacked).during(unpacked.display())?;
    if real.starts_with(root) { Ok(real) } else { Err(outside()) }
}

fn read_json<T: for<'de> Deserialize<'de>>(file: &Path) -> Result<T> {
    let bytes = read_small(file, DESCRIPTION_MAX).during(file.display())?;
    serde_json::from_slice(&bytes).map_err(|e| Failure::new(format!("{}: {e}", file.display())))
}

fn runtime(config: &Runtime, manifest: &mut Manifest) {
    manifest.entrypoint = config.entrypoint.clone().unwrap_or_default();
    manifest.entrypoint.extend(config.cmd.clone().unwrap_or_default());
    let pairs = config.env.iter().flatten().filter_map(|line| line.split_once('='));
    manifest.env = pairs.map(|(k, v)| (k.to_string(), v.to_string())).collect::<BTreeMap<_, _>>();
    manifest.working_dir = config.working_dir.clone().filter(|d| d.starts_with('/')).map_or_else(|| "/".into(), PathBuf::from);
    manifest.user = config.user.clone().filter(|user| !user.is_empty());
}
