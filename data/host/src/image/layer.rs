//! Puts the layers of an image on top of each other. Paths are followed as they will be inside an instance: whatever
//! links a layer brings, nothing outside the root file system is read, written or removed.

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};

use super::archive::Digesting;
use super::tree::Budget;
use crate::failure::{During, Failure, Result};

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";
/// Most links on one path, as in the kernel.
const LINKS_MAX: usize = 40;
/// Most bytes behind the end of a layer's archive.
const PADDING_MAX: u64 = 64 << 20;
const WHAT: &str = "reading a layer";

/// A reader of a file, with gzip taken off where it is on.
fn open_plain(path: &Path) -> Result<Box<dyn Read>> {
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut f| f.read(&mut magic)).during(path.display())?;
    let file = BufReader::new(File::open(path).during(path.display())?);
    match &magic[..read] {
        [0x1f, 0x8b, ..] => Ok(Box::new(MultiGzDecoder::new(file))),
        [0x28, 0xb5, 0x2f, 0xfd] => Err(Failure::new("it is compressed with zstd, which is not read here: use gzip or none")),
        _ => Ok(Box::new(file)),
    }
}

fn archive<R: Read>(reader: R) -> Archive<R> {
    let mut archive = Archive::new(reader);
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(true);
    archive.set_overwrite(true);
    archive
}

/// A tar archive, compressed with gzip or not.
pub(super) fn open_tar(path: &Path) -> Result<Archive<Box<dyn Read>>> {
    Ok(archive(open_plain(path)?))
}

/// Puts a layer on what is there: first what it takes away, then what it brings. Gives the digest of the layer without
/// compression.
pub(super) fn apply(layer: &Path, rootfs: &Path, budget: &mut Budget) -> Result<String> {
    for entry in open_tar(layer)?.entries().during(WHAT)? {
        let entry = entry.during(WHAT)?;
        take_away(&entry.path().during(WHAT)?, rootfs)?;
    }
    let mut reader = Digesting { inner: open_plain(layer)?, context: Context::new(&SHA256) };
    for entry in archive(&mut reader).entries().during(WHAT)? {
        let mut entry = entry.during(WHAT)?;
        budget.take(entry.size())?;
        let path = entry.path().during(WHAT)?.into_owned();
        bring(&mut entry, &path, rootfs).during(format_args!("unpacking {}", path.display()))?;
    }
    // Behind the end of an archive there may be padding, which its digest covers.
    let rest = io::copy(&mut (&mut reader).take(PADDING_MAX), &mut io::sink()).during(WHAT)?;
    if rest == PADDING_MAX {
        return Err(Failure::new("a layer has too much behind its end"));
    }
    Ok(reader.digest())
}

/// Unpacks one entry. Devices, pipes and markers are left out: an image has no use for them.
fn bring<R: Read>(entry: &mut Entry<R>, path: &Path, rootfs: &Path) -> io::Result<()> {
    let kind = entry.header().entry_type();
    let wanted = kind.is_file()
        || kind.is_contiguous()
        || kind.is_gnu_sparse()
        || kind.is_dir()
        || kind.is_symlink()
        || kind.is_hard_link();
    let is_whiteout = path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(WHITEOUT.as_bytes()));
    if !wanted || is_whiteout {
        return Ok(());
    }
    let Some(name) = path.file_name() else {
        // The root itself: its owner and mode.
        return if path.components().any(|c| c == Component::ParentDir) {
            Err(outside())
        } else {
            entry.unpack(rootfs).map(drop)
        };
    };
    let target = locate(rootfs, path.parent().unwrap_or(Path::new("")), Missing::Make)?.join(name);
    match fs::symlink_metadata(&target) {
        Ok(there) if there.is_dir() && kind == EntryType::Directory => {}
        Ok(there) if there.is_dir() => fs::remove_dir_all(&target)?,
        Ok(_) if kind == EntryType::Link && same_place(entry, rootfs, &target)? => return Ok(()),
        Ok(_) => fs::remove_file(&target)?,
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    if kind == EntryType::Link {
        return fs::hard_link(link_source(entry, rootfs)?, &target);
    }
    entry.unpack(&target).map(drop)
}

/// The file that a hard link is another name of.
fn link_source<R: Read>(entry: &Entry<R>, rootfs: &Path) -> io::Result<PathBuf> {
    let name = entry.link_name()?.ok_or_else(|| io::Error::other("a hard link without a target"))?;
    let last = name.file_name().ok_or_else(outside)?;
    Ok(locate(rootfs, name.parent().unwrap_or(Path::new("")), Missing::Refuse)?.join(last))
}

fn same_place<R: Read>(entry: &Entry<R>, rootfs: &Path, target: &Path) -> io::Result<bool> {
    Ok(link_source(entry, rootfs)? == target)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Make,
    Refuse,
}

/// The directory that `path` leads to with `rootfs` as root, links followed as if it were `/`.
fn locate(rootfs: &Path, path: &Path, missing: Missing) -> io::Result<PathBuf> {
    let mut rest: Vec<PathBuf> = parts(path)?;
    let (mut place, mut followed) = (PathBuf::new(), 0);
    while let Some(part) = rest.pop() {
        if part == Path::new("..") {
            place.pop();
            continue;
        }
        let next = rootfs.join(&place).join(&part);
        match fs::symlink_metadata(&next) {
            Ok(there) if there.is_symlink() => {
                followed += 1;
                if followed > LINKS_MAX {
                    return Err(io::Error::other("its links lead in a circle"));
                }
                let to = fs::read_link(&next)?;
                if to.is_absolute() {
                    place = PathBuf::new();
                }
                rest.extend(link_parts(&to));
            }
            Ok(there) if there.is_dir() => place.push(part),
            Ok(_) => return Err(io::Error::new(ErrorKind::NotADirectory, format!("{} is no directory", part.display()))),
            Err(e) if e.kind() == ErrorKind::NotFound && missing == Missing::Make => {
                fs::create_dir(&next)?;
                place.push(part);
            }
            Err(e) => return Err(e),
        }
    }
    Ok(rootfs.join(place))
}

/// The parts of an entry's path, last first; it only goes down.
fn parts(path: &Path) -> io::Result<Vec<PathBuf>> {
    if path.components().any(|c| c == Component::ParentDir) {
        return Err(outside());
    }
    Ok(link_parts(path))
}

/// The parts of a link's target, last first.
fn link_parts(path: &Path) -> Vec<PathBuf> {
    let parts = path.components().filter_map(|c| match c {
        Component::Normal(part) => Some(PathBuf::from(part)),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let mut parts: Vec<PathBuf> = parts.collect();
    parts.reverse();
    parts
}

fn outside() -> io::Error {
    io::Error::other("it leads out of the image")
}

/// Removes what a marker hides.
fn take_away(path: &Path, rootfs: &Path) -> Result<()> {
    let Some(name) = path.file_name() else { return Ok(()) };
    let Some(hidden) = name.to_str().and_then(|name| name.strip_prefix(WHITEOUT)) else { return Ok(()) };
    if name != OPAQUE && ["", ".", ".."].contains(&hidden) {
        return Ok(());
    }
    let during = format_args!("removing {}", path.display()).to_string();
    let directory = match locate(rootfs, path.parent().unwrap_or(Path::new("")), Missing::Refuse) {
        Ok(directory) => directory,
        // What is not there needs no removal.
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        Err(e) => return Err(e).during(during),
    };
    if name != OPAQUE {
        return remove(&directory.join(hidden)).during(during);
    }
    for entry in fs::read_dir(&directory).during(&during)? {
        entry.and_then(|entry| remove(&entry.path())).during(&during)?;
    }
    Ok(())
}

fn remove(target: &Path) -> io::Result<()> {
    match fs::symlink_metadata(target) {
        Ok(there) if there.is_dir() => fs::remove_dir_all(target),
        Ok(_) => fs::remove_file(target),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}
