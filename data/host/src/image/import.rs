//! Makes images of what a user has: a directory, an OCI image layout in a tar archive, or the archive of `docker save`.
//!
//! An image's directory is named by a digest of its content, so that the same files give the same image, and appears as
//! a whole: it is put together beside the others and renamed.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use world::RunPaths;

use super::tree::{self, Digest};
use super::{Base, Manifest, archive};
use crate::failure::{During, Failure, Result};
use crate::naming;

/// Longest digest part of a location, in hexadecimal digits.
const DIGEST_DIGITS: usize = 32;

/// An image that lies with the others now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The name of its directory.
    pub location: String,
}

/// Why a source cannot become an image; a sentence for the user.
#[derive(Debug)]
pub struct ImportError(Failure);

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ImportError {}

/// Makes an image of a directory or an archive. With `over_host` its files are a layer over this machine's own `/usr`.
pub fn import(paths: &RunPaths, name: &str, source: &Path, over_host: bool) -> std::result::Result<Imported, ImportError> {
    import_inner(paths, name, source, over_host).map_err(ImportError)
}

fn import_inner(paths: &RunPaths, name: &str, source: &Path, over_host: bool) -> Result<Imported> {
    let stage = Stage::new(paths)?;
    let rootfs = stage.0.join("rootfs");
    fs::create_dir(&rootfs).during(rootfs.display())?;
    let base = if over_host { Base::Host } else { Base::None };
    let mut manifest = Manifest {
        name: name.into(),
        base,
        entrypoint: Vec::new(),
        env: std::collections::BTreeMap::new(),
        working_dir: "/".into(),
        user: None,
    };
    if fs::metadata(source).during("opening it")?.is_dir() {
        let [whole, part] = [source, stage.0.as_path()].map(fs::canonicalize);
        if part.during(stage.0.display())?.starts_with(whole.during("opening it")?) {
            // It would be copied into itself, again and again.
            return Err(Failure::new("it holds the images of this region: import a directory beside them"));
        }
        tree::copy(source, &rootfs)?;
    } else {
        let unpacked = stage.0.join("archive");
        archive::unpack(source, &unpacked, &rootfs, &mut manifest)?;
        fs::remove_dir_all(&unpacked).during(unpacked.display())?;
    }
    if !over_host && !rootfs.join("usr").is_dir() && !rootfs.join("bin").is_dir() {
        return Err(Failure::new(
            "this is no complete root file system (it has neither /usr nor /bin); import it as a layer with `--base host`",
        ));
    }
    let mut digest = Digest::new();
    digest.add(&serde_json::to_vec(&manifest).map_err(|e| Failure::new(e.to_string()))?);
    tree::digest(&rootfs, &mut digest)?;
    let location = digest.text()[..DIGEST_DIGITS].to_string();
    let place = paths.images().join(&location);
    if place.join("image.json").exists() {
        return Ok(Imported { location });
    }
    let text = serde_json::to_vec_pretty(&manifest).map_err(|e| Failure::new(e.to_string()))?;
    fs::write(stage.0.join("image.json"), text).during("writing image.json")?;
    sync(&stage.0)?;
    fs::rename(&stage.0, &place).during(place.display())?;
    Ok(Imported { location })
}

/// Makes what was written durable before its name is: an image that is registered must be whole after a power cut.
fn sync(directory: &Path) -> Result<()> {
    use std::os::fd::AsRawFd;
    let directory = File::open(directory).during(directory.display())?;
    // SAFETY: no pointers; the descriptor is open.
    crate::sys::check(unsafe { libc::syncfs(directory.as_raw_fd()) }).during("writing the image to the disk")?;
    Ok(())
}

/// What the name of an import's directory begins with; the number of its process follows.
const STAGE: &str = "new-";

/// A directory beside the images, which goes away unless it was renamed.
struct Stage(PathBuf);

impl Stage {
    fn new(paths: &RunPaths) -> Result<Self> {
        let images = paths.images();
        fs::create_dir_all(&images).during(images.display())?;
        remove_abandoned(&images).during(images.display())?;
        let name = format!("{STAGE}{}", std::process::id());
        debug_assert!(naming::is_plain(&name));
        let place = images.join(name);
        if place.exists() {
            fs::remove_dir_all(&place).during(place.display())?;
        }
        // Closed to others: an image's set-user-id programs are none of this machine's.
        fs::DirBuilder::new().mode(0o700).create(&place).during(place.display())?;
        Ok(Self(place))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes what imports left whose process was killed: as much as a whole image.
fn remove_abandoned(images: &Path) -> io::Result<()> {
    for entry in fs::read_dir(images)?.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(STAGE)?.parse::<u32>().ok());
        if process.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            match fs::remove_dir_all(entry.path()) {
                // Another import was faster.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
    }
    Ok(())
}

/// Reads at most `max` bytes of a file that says what another is.
pub(super) fn read_small(file: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::other(format!("{} is over the limit of {max} bytes", file.display())));
    }
    Ok(bytes)
}
