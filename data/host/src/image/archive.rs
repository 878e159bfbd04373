//! Reads image archives: an OCI image layout (`index.json`) or what `docker save` writes (`manifest.json`), and puts
//! their layers on top of each other.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use tar::{Archive, EntryType};

use super::Manifest;
use super::import::read_small;
use super::tree::Budget;
use crate::failure::{During, Failure, Result};

/// Longest description inside an archive, in bytes.
const DESCRIPTION_MAX: u64 = 4 << 20;
/// How many indexes may lie inside each other.
const INDEXES_MAX: usize = 4;
const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

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
    #[serde(default)]
    config: Runtime,
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
    for entry in outer.entries().during("reading the archive")? {
        let mut entry = entry.during("reading the archive (is it a tar file?)")?;
        budget.take(entry.size())?;
        // Anything else has no place in such an archive; a hard link could even lead out of it.
        if matches!(entry.header().entry_type(), EntryType::Regular | EntryType::Directory | EntryType::Symlink) {
            entry.unpack_in(unpacked).during("unpacking the archive")?;
        }
    }
    let (config, layers) = describe(unpacked)?;
    for layer in &layers {
        apply(layer, rootfs, &mut budget)?;
    }
    runtime(&read_json::<ImageConfig>(&config)?.config, manifest);
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

/// The file of a digest such as `sha256:0123...`.
fn blob(unpacked: &Path, digest: &str) -> Result<PathBuf> {
    let path = digest.split_once(':').map(|(algorithm, hash)| Path::new("blobs").join(algorithm).join(hash));
    inside(unpacked, &path.ok_or_else(|| Failure::new(format!("{digest:?} is no digest")))?)
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

/// A tar archive, compressed with gzip or not.
fn open_tar(path: &Path) -> Result<Archive<Box<dyn Read>>> {
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut f| f.read(&mut magic)).during(path.display())?;
    let file = BufReader::new(File::open(path).during(path.display())?);
    let reader: Box<dyn Read> = match &magic[..read] {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            return Err(Failure::new("it is compressed with zstd, which is not read here: use gzip or none"));
        }
        _ => Box::new(file),
    };
    let mut archive = Archive::new(reader);
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(true);
    archive.set_overwrite(true);
    Ok(archive)
}

/// Puts a layer on what is there: first what it takes away, then what it brings.
fn apply(layer: &Path, rootfs: &Path, budget: &mut Budget) -> Result<()> {
    let what = "reading a layer";
    for entry in open_tar(layer)?.entries().during(what)? {
        let entry = entry.during(what)?;
        let path = entry.path().during(what)?.into_owned();
        take_away(&path, rootfs)?;
    }
    for entry in open_tar(layer)?.entries().during(what)? {
        let mut entry = entry.during(what)?;
        budget.take(entry.size())?;
        let path = entry.path().during(what)?.into_owned();
        let is_whiteout = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(WHITEOUT));
        let kind = entry.header().entry_type();
        if is_whiteout || matches!(kind, EntryType::Block | EntryType::Char | EntryType::Fifo) {
            continue;
        }
        // A directory may come where a link or file was, and the other way round.
        let target = rootfs.join(&path);
        let there = fs::symlink_metadata(&target).ok().filter(|_| is_below(&path));
        if there.is_some_and(|m| m.is_dir() != (kind == EntryType::Directory)) {
            remove(rootfs, &path)?;
        }
        entry.unpack_in(rootfs).during(format_args!("unpacking {}", path.display()))?;
    }
    Ok(())
}

fn take_away(path: &Path, rootfs: &Path) -> Result<()> {
    let Some(name) = path.file_name().map(|n| n.to_string_lossy().into_owned()) else { return Ok(()) };
    let Some(hidden) = name.strip_prefix(WHITEOUT) else { return Ok(()) };
    let parent = path.parent().unwrap_or(Path::new(""));
    if name == OPAQUE {
        let Ok(entries) = fs::read_dir(rootfs.join(parent)) else { return Ok(()) };
        for entry in entries.flatten() {
            remove(rootfs, &parent.join(entry.file_name()))?;
        }
        return Ok(());
    }
    remove(rootfs, &parent.join(hidden))
}

/// Whether a path only goes down.
fn is_below(path: &Path) -> bool {
    path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir))
}

/// Removes a file or tree of the root file system; nothing outside it, whatever its links say.
fn remove(rootfs: &Path, path: &Path) -> Result<()> {
    let target = rootfs.join(path);
    let parent = target.parent().and_then(|p| fs::canonicalize(p).ok());
    let root = fs::canonicalize(rootfs).during(rootfs.display())?;
    if !is_below(path) || path.file_name().is_none() || !parent.is_some_and(|p| p.starts_with(root)) {
        return Ok(());
    }
    let Ok(metadata) = fs::symlink_metadata(&target) else { return Ok(()) };
    let removed = if metadata.is_dir() { fs::remove_dir_all(&target) } else { fs::remove_file(&target) };
    removed.during(target.display())
}

fn runtime(config: &Runtime, manifest: &mut Manifest) {
    manifest.entrypoint = config.entrypoint.clone().unwrap_or_default();
    manifest.entrypoint.extend(config.cmd.clone().unwrap_or_default());
    let pairs = config.env.iter().flatten().filter_map(|line| line.split_once('='));
    manifest.env = pairs.map(|(k, v)| (k.to_string(), v.to_string())).collect::<BTreeMap<_, _>>();
    manifest.working_dir = config.working_dir.clone().filter(|d| d.starts_with('/')).map_or_else(|| "/".into(), PathBuf::from);
    manifest.user = config.user.clone().filter(|user| !user.is_empty());
}
