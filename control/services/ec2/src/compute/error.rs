//! What can be wrong with images, templates and instances, each with AWS's code and words. What any operation can
//! meet stands in the crate's own `Error`.

use base::{Fault, ImageId, InstanceId, LaunchTemplateId};

use super::launch_template::TemplateName;
use crate::error::Error;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComputeError {
    ImageNameInUse {
        name: String,
        by: ImageId,
    },
    MalformedImageName,
    /// `resolve:ssm:` names a parameter that is not there.
    NoImageParameter(String),
    NoInstanceType(String),
    NoInstanceTypes(Vec<String>),
    ArchitectureMismatch {
        instance_type: &'static str,
        image: &'static str,
    },
    NoKeyPair(String),
    KeyPairInUse,
    MalformedKey,
    MalformedUserData,
    LongUserData,
    /// `verb`: `started`, `stopped`, `rebooted`, `monitored` or `unmonitored`.
    WrongState {
        id: InstanceId,
        verb: &'static str,
    },
    NotStopped(InstanceId),
    IdempotentMismatch,
    NoTemplate(TemplateName),
    TemplateNameInUse,
    MalformedTemplateName(String),
    MalformedTemplateVersion(String),
    NoTemplateVersion {
        template: LaunchTemplateId,
        version: String,
    },
    DefaultTemplateVersion,
}

impl From<ComputeError> for Error {
    fn from(error: ComputeError) -> Error {
        Error::Compute(error)
    }
}

impl From<ComputeError> for Fault {
    fn from(error: ComputeError) -> Fault {
        use ComputeError as E;
        let of = |code: &'static str, message: String| Fault::client(code, message);
        match error {
            E::ImageNameInUse { name, by } => of("InvalidAMIName.Duplicate", format!("AMI name {name} is already in use by AMI {by}")),
            E::MalformedImageName => of(
                "InvalidAMIName.Malformed",
                "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'".into(),
            ),
            E::NoImageParameter(name) => of("InvalidParameterValue", format!("The SSM parameter '{name}' does not exist or holds no image id")),
            E::NoInstanceType(name) => of("InvalidParameterValue", format!("Invalid value '{name}' for InstanceType.")),
            E::NoInstanceTypes(names) => {
                of("InvalidInstanceType", format!("The following supplied instance types do not exist: [{}]", names.join(", ")))
            }
            E::ArchitectureMismatch { instance_type, image } => of(
                "InvalidParameterValue",
                format!(
                    "The architecture '{instance_type}' of the specified instance type does not match the architecture '{image}' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to discover the architecture of the instance type or AMI."
                ),
            ),
            E::NoKeyPair(name) => of("InvalidKeyPair.NotFound", format!("The key pair '{name}' does not exist")),
            E::KeyPairInUse => of("InvalidKeyPair.Duplicate", "The keypair already exists".into()),
            E::MalformedKey => of("InvalidKey.Format", "Key is not in valid OpenSSH public key format".into()),
            E::MalformedUserData => of("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.".into()),
            E::LongUserData => of("InvalidParameterValue", "User data is limited to 16384 bytes".into()),
            E::WrongState { id, verb } => {
                of("IncorrectInstanceState", format!("The instance '{id}' is not in a state from which it can be {verb}."))
            }
            E::NotStopped(id) => of("IncorrectInstanceState", format!("The instance '{id}' is not in the 'stopped' state.")),
            E::IdempotentMismatch => of(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).".into(),
            ),
            template => templates(template),
        }
    }
}

/// Errors of launch templates.
fn templates(error: ComputeError) -> Fault {
    use ComputeError as E;
    let of = |code: &'static str, message: String| Fault::client(code, message);
    match error {
        E::NoTemplate(TemplateName::Id(id)) => of(
            "InvalidLaunchTemplateId.NotFound",
            format!("The specified launch template, with template ID {id}, does not exist."),
        ),
        E::NoTemplate(TemplateName::Name(name)) => of(
            "InvalidLaunchTemplateName.NotFoundException",
            format!("The specified launch template, with template name {name}, does not exist."),
        ),
        E::TemplateNameInUse => {
            of("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.".into())
        }
        E::MalformedTemplateName(name) => of(
            "InvalidLaunchTemplateName.MalformedException",
            format!("The launch template name '{name}' must have 3 to 128 letters, digits or the signs ( ) . - / _"),
        ),
        E::MalformedTemplateVersion(version) => {
            of("InvalidLaunchTemplateVersion", format!("'{version}' is neither a version number nor $Latest nor $Default."))
        }
        E::NoTemplateVersion { template, version } => of(
            "InvalidLaunchTemplateId.VersionNotFound",
            format!("Could not find the specified version {version} for the launch template with ID {template}."),
        ),
        E::DefaultTemplateVersion => {
            of("InvalidLaunchTemplateVersion", "The default version of a launch template cannot be deleted.".into())
        }
        // Every other variant is answered before this.
        other => unreachable!("{other:?} has no fault"),
    }
}
