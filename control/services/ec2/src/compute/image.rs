//! Machine images: the row, the host's own image, registration. The bytes of an imported image live in a directory
//! on the host, which the command line fills; this module only knows that directory's name.

use base::{ImageId, Scope, Tags, Time};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

use super::catalogue::Architecture;
use super::error::ComputeError;
use crate::Kind;
use crate::error::Error;
use crate::tags;

/// The image that is this machine's own `/usr`. It always exists.
pub const HOST_IMAGE: &str = "ami-host";
/// Most images of a region.
pub const IMAGES_MAX: usize = 1_000;
/// Names under which images are published for `resolve:ssm:`; the image's name follows.
const PUBLISHED_PREFIX: &str = "/allod/images/";

/// An image that a user registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    pub id: ImageId,
    pub name: String,
    pub description: Option<String>,
    /// Its directory's name under the region's images; none for the host's own.
    pub location: Option<String>,
    pub architecture: Architecture,
    pub created_at: Time,
}

impl Row for Image {
    const TABLE: &'static str = "ec2.image";
    type Key = ImageId;

    fn key(&self) -> ImageId {
        self.id.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("name", &self.name);
    }
}

impl Image {
    /// The host's own image, which stands for AWS's Amazon Linux 2023.
    pub fn host() -> Self {
        let architecture = Architecture::of_this_machine();
        Self {
            id: HOST_IMAGE.into(),
            name: format!("al2023-ami-allod-host-{}", architecture.as_str()),
            description: Some("This machine's own system, in place of Amazon Linux 2023".into()),
            location: None,
            architecture,
            created_at: Time::from_unix_ms(1_767_225_600_000),
        }
    }

    /// What the world calls it.
    pub fn is_host(&self) -> bool {
        self.location.is_none()
    }
}

/// The image of this id.
pub fn find_image(state: &State, id: &str) -> Result<Image, Error> {
    if id == HOST_IMAGE {
        return Ok(Image::host());
    }
    Kind::Image.check(id)?;
    state.get::<Image>(&id.into()).cloned().ok_or_else(|| Error::NotFound(Kind::Image, vec![format!("[{id}]")]))
}

/// The image that a launch names: an id, or `resolve:ssm:NAME` for a parameter that holds one.
pub fn resolve_image(state: &State, scope: &Scope, name: &str) -> Result<Image, Error> {
    let Some(parameter) = name.strip_prefix("resolve:ssm:") else { return find_image(state, name) };
    let value = ssm::resolve(state, scope, parameter).ok_or_else(|| ComputeError::NoImageParameter(parameter.into()))?;
    find_image(state, &value)
}

/// Registers the directory `location` as an image and publishes it under its name.
pub fn register_image(
    tx: &mut Tx,
    cx: &Cx,
    name: &str,
    location: &str,
    description: Option<String>,
    architecture: Architecture,
    tags: Tags,
) -> Result<ImageId, Error> {
    check_name(name)?;
    check_location(location)?;
    if let Some(other) = tx.rows_where::<Image>("name", name).next() {
        return Err(ComputeError::ImageNameInUse { name: name.into(), by: other.id.clone() }.into());
    }
    if tx.count::<Image>() >= IMAGES_MAX {
        return Err(Error::LimitExceeded("AMIQuotaExceeded", format!("at most {IMAGES_MAX} images")));
    }
    let id = ImageId::generate(&mut cx.rng());
    tx.put(Image {
        id: id.clone(),
        name: name.into(),
        description,
        location: Some(location.into()),
        architecture,
        created_at: cx.now,
    });
    tags::add(tx, &id, tags)?;
    publish(tx, cx, name);
    Ok(id)
}

/// Forgets an image. Instances that run from it go on; none can be launched from it any more.
pub fn deregister_image(tx: &mut Tx, cx: &Cx, id: &str) -> Result<(), Error> {
    let image = find_image(tx, id)?;
    if image.is_host() {
        return Err(Error::NotPermitted(format!("The image '{id}' belongs to the region and may not be deregistered.")));
    }
    tx.remove::<Image>(&image.id);
    tags::forget(tx, &image.id);
    publish(tx, cx, &image.name);
    Ok(())
}

/// Makes `/allod/images/NAME` the id of the newest image of this name, or nothing.
fn publish(tx: &mut Tx, cx: &Cx, name: &str) {
    let newest = tx.rows_where::<Image>("name", name).max_by_key(|i| i.created_at).map(|i| i.id.to_string());
    let parameter = format!("{PUBLISHED_PREFIX}{name}");
    match newest {
        Some(id) => ssm::set_public_parameter(tx, cx, &parameter, &id),
        None => ssm::remove_public_parameter(tx, &parameter),
    }
}

/// AWS's rule: 3 to 128 letters, digits, blanks and some signs.
fn check_name(name: &str) -> Result<(), Error> {
    let known = |c: char| c.is_ascii_alphanumeric() || " ()[]./-'@_".contains(c);
    if (3..=128).contains(&name.len()) && name.chars().all(known) { Ok(()) } else { Err(ComputeError::MalformedImageName.into()) }
}

/// One directory's name, that leads nowhere else.
fn check_location(location: &str) -> Result<(), Error> {
    let known = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let fine = (1..=255).contains(&location.len()) && location.chars().all(known) && !location.starts_with('.');
    if fine {
        Ok(())
    } else {
        Err(Error::invalid("ImageLocation", location, "It must be the name of a directory among the region's images."))
    }
}
