//! What can go wrong with a request, each with AWS's code and words.

use std::fmt;

use base::{Fault, GroupName};

#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    NoGroup(GroupName),
    GroupExists(GroupName),
    ConfigurationExists(String),
    /// A launch configuration, and a group that uses it.
    ConfigurationInUse(String, GroupName),
    /// The group still has instances, or activities under way.
    GroupInUse,
    ActivityInProgress,
    /// A cooldown, or the scaling activity of this id, keeps a policy from acting.
    Blocked(String),
    /// Something else of this kind is there already, in full.
    Exists(String),
    /// `ValidationError`, in full.
    Invalid(String),
    LimitExceeded(String),
    /// An instance that is in no group.
    NoInstance(String),
    InvalidNextToken,
    RefreshInProgress,
    /// The group's stack replaces its instances.
    RollingUpdateInProgress(GroupName),
    NoActiveRefresh(GroupName),
    /// A refresh that cannot be rolled back, and why.
    Irreversible(String),
    /// A feature of AWS that this region does not have.
    Unsupported(String),
    /// What EC2 or ELB said.
    Refused(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        let message = error.to_string();
        match error {
            Error::NoGroup(_) | Error::Invalid(_) | Error::NoInstance(_) | Error::Unsupported(_) => Fault::validation(message),
            Error::ConfigurationInUse(..) => Fault::client("ResourceInUse", message),
            Error::GroupExists(_) | Error::ConfigurationExists(_) => Fault::client("AlreadyExists", message),
            Error::GroupInUse => Fault::client("ResourceInUse", message),
            Error::Blocked(_) => Fault::client("ScalingActivityInProgress", message),
            Error::Exists(_) => Fault::client("AlreadyExists", message),
            Error::ActivityInProgress => Fault::client("ScalingActivityInProgress", message),
            Error::LimitExceeded(_) => Fault::client("LimitExceeded", message),
            Error::RefreshInProgress => Fault::client("InstanceRefreshInProgress", message),
            Error::RollingUpdateInProgress(_) => Fault::new(500, "ResourceContention", message),
            Error::NoActiveRefresh(_) => Fault::client("ActiveInstanceRefreshNotFound", message),
            Error::Irreversible(_) => Fault::client("IrreversibleInstanceRefresh", message),
            Error::InvalidNextToken => Fault::client("InvalidNextToken", message),
            Error::Refused(_) => Fault::validation(message),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoGroup(name) => write!(f, "AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"),
            Error::GroupExists(name) => write!(f, "AutoScalingGroup by this name already exists - A group with the name {name} already exists"),
            Error::ConfigurationExists(name) => {
                write!(f, "Launch Configuration by this name already exists - A launch configuration already exists with the name {name}")
            }
            Error::ConfigurationInUse(name, group) => {
                write!(f, "Cannot delete launch configuration {name} because it is attached to AutoScalingGroup {group}")
            }
            Error::GroupInUse => f.write_str("You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group."),
            Error::ActivityInProgress => f.write_str("You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group."),
            Error::Blocked(activity) => write!(f, "Scaling activity {activity} is in progress and blocks this action"),
            Error::Exists(text) | Error::Invalid(text) | Error::Irreversible(text) | Error::LimitExceeded(text) | Error::Refused(text) => f.write_str(text),
            Error::NoInstance(id) => write!(f, "Instance Id not found - No managed instance found for instance ID: {id}"),
            Error::RefreshInProgress => {
                f.write_str("An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.")
            }
            Error::RollingUpdateInProgress(name) => {
                write!(f, "A rolling update of the stack of AutoScalingGroup {name} is in progress and blocks the execution of this Instance Refresh.")
            }
            Error::NoActiveRefresh(name) => write!(f, "No in progress or pending Instance Refresh found for Auto Scaling group {name}"),
            Error::InvalidNextToken => f.write_str("The NextToken value is not valid."),
            Error::Unsupported(what) => write!(f, "{what} is not supported in this region."),
        }
    }
}

impl std::error::Error for Error {}

impl From<ec2::Error> for Error {
    fn from(error: ec2::Error) -> Self {
        Self::Refused(Fault::from(error).message)
    }
}
