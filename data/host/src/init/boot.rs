//! What a boot finds and writes on the instance's disk.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use world::Instance;

use crate::failure::{During, Result};
use crate::naming;

pub(super) const RC_LOCAL: &str = "/etc/rc.local";

const CLOUD: &str = "/var/lib/cloud/instance";
/// Where cloud-init keeps it too.
const USER_DATA: &str = "/var/lib/cloud/instance/user-data.txt";
/// Written before user data runs: it runs once, even when the instance is killed meanwhile.
const USER_DATA_DONE: &str = "/var/lib/cloud/instance/sem/config_scripts_user";

pub(super) enum UserData {
    Nothing,
    NotAScript(&'static str),
    Script(&'static str),
}

/// Writes the files that make the instance itself, at its first boot; tells whether this is it.
pub(super) fn furnish(instance: &Instance) -> Result<bool> {
    if Path::new(CLOUD).exists() {
        return Ok(false);
    }
    let name = &instance.hostname;
    let hosts = format!("127.0.0.1 localhost\n::1 localhost ip6-localhost\n{} {name}\n", instance.interface.address);
    let machine = format!("{:016x}{:016x}", naming::hash(instance.id.bytes()), naming::hash(instance.id.bytes().rev()));
    write("/etc/hostname", format!("{name}\n").as_bytes(), 0o644)?;
    write("/etc/hosts", hosts.as_bytes(), 0o644)?;
    write("/etc/machine-id", format!("{machine}\n").as_bytes(), 0o444)?;
    if !Path::new("/etc/resolv.conf").exists() {
        write("/etc/resolv.conf", b"nameserver 169.254.169.253\noptions timeout:2 attempts:2\n", 0o644)?;
    }
    fs::create_dir_all(format!("{CLOUD}/sem")).during(format_args!("making {CLOUD}"))?;
    if let Some(data) = &instance.user_data {
        write(USER_DATA, data, 0o700)?;
    }
    Ok(true)
}

fn write(path: &str, bytes: &[u8], mode: u32) -> Result<()> {
    let make = || {
        if let Some(parent) = Path::new(path).parent() {
            fs::create_dir_all(parent)?;
        }
        // An image may bring a link here (to a resolver's file in /run, say): the file takes its place.
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        fs::write(path, bytes)?;
        fs::set_permissions(path, Permissions::from_mode(mode))
    };
    make().during(format_args!("writing {path}"))
}

/// Decides what to do with user data, and marks it as done.
pub(super) fn user_data(instance: &Instance, first: bool) -> UserData {
    let Some(data) = instance.user_data.as_deref().filter(|data| first && !data.is_empty()) else {
        return UserData::Nothing;
    };
    if fs::write(USER_DATA_DONE, "").is_err() {
        return UserData::NotAScript("user data is not run: the disk cannot be written");
    }
    match data {
        [b'#', b'!', ..] => UserData::Script(USER_DATA),
        [0x1f, 0x8b, ..] => UserData::NotAScript("user data is compressed, which is not supported: it is not run"),
        _ => UserData::NotAScript("user data is no script (it does not start with #!): it is not run"),
    }
}

pub(super) fn is_executable(path: &str) -> bool {
    fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}
