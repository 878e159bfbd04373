use std::fmt;

use base::{Fault, LoadBalancerArn};

/// What a caller can do wrong, each with AWS's code ("Elastic Load Balancing API Reference").
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    NoLoadBalancer(String),
    NoTargetGroup(String),
    NoListener(String),
    NoRule(String),
    NoCertificate(String),
    PriorityInUse(u32),
    DuplicateLoadBalancer(String),
    DuplicateTargetGroup(String),
    /// By the load balancer that has the port already.
    DuplicateListener(LoadBalancerArn),
    /// The target group is used by a listener.
    GroupInUse(String),
    /// The group belongs to another load balancer already.
    GroupOfAnother(String),
    InvalidTarget(String),
    NoSubnet(String),
    NoSecurityGroup(String),
    InvalidSubnet(String),
    Validation(String),
    Unsupported(String),
    TooMany(&'static str, String),
    /// Whatever else AWS has a code for.
    Coded(&'static str, String),
    DuplicateTagKeys(String),
    DeletionProtected(String),
    Ec2(ec2::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoLoadBalancer(name) => write!(f, "Load balancer '{name}' not found"),
            Error::NoTargetGroup(_) => f.write_str("One or more target groups not found"),
            Error::NoListener(_) => f.write_str("One or more listeners not found"),
            Error::NoRule(_) => f.write_str("One or more rules not found"),
            Error::NoCertificate(arn) => write!(f, "Certificate '{arn}' not found"),
            Error::PriorityInUse(priority) => write!(f, "Priority '{priority}' is currently in use"),
            Error::DuplicateLoadBalancer(name) => {
                write!(f, "A load balancer with the same name '{name}' exists, but with different settings")
            }
            Error::DuplicateTargetGroup(name) => {
                write!(f, "A target group with the same name '{name}' exists, but with different settings")
            }
            // AWS's words (hashicorp/terraform#26407).
            Error::DuplicateListener(arn) => {
                write!(f, "A listener already exists on this port for this load balancer '{arn}'")
            }
            Error::GroupInUse(arn) => write!(f, "Target group '{arn}' is currently in use by a listener or a rule"),
            Error::GroupOfAnother(arn) => {
                write!(f, "The following target groups cannot be associated with more than one load balancer: {arn}")
            }
            Error::NoSubnet(id) => write!(f, "The subnet ID '{id}' does not exist"),
            Error::NoSecurityGroup(id) => write!(f, "The security group ID '{id}' does not exist"),
            Error::DeletionProtected(arn) => {
                write!(f, "Load balancer '{arn}' cannot be deleted because deletion protection is enabled")
            }
            Error::DuplicateTagKeys(key) => write!(f, "Tag key '{key}' is given more than once"),
            Error::InvalidTarget(text)
            | Error::InvalidSubnet(text)
            | Error::Validation(text)
            | Error::Unsupported(text)
            | Error::TooMany(_, text)
            | Error::Coded(_, text) => f.write_str(text),
            Error::Ec2(e) => write!(f, "{}", Fault::from(e.clone()).message),
        }
    }
}

impl std::error::Error for Error {}

impl From<ec2::Error> for Error {
    fn from(e: ec2::Error) -> Self {
        Error::Ec2(e)
    }
}

impl From<world::UnfitRule> for Error {
    fn from(unfit: world::UnfitRule) -> Self {
        Error::Validation(unfit.to_string())
    }
}

impl From<Error> for Fault {
    fn from(e: Error) -> Self {
        let code = match &e {
            Error::NoLoadBalancer(_) => "LoadBalancerNotFound",
            Error::NoTargetGroup(_) => "TargetGroupNotFound",
            Error::NoListener(_) => "ListenerNotFound",
            Error::NoRule(_) => "RuleNotFound",
            Error::NoCertificate(_) => "CertificateNotFound",
            Error::PriorityInUse(_) => "PriorityInUse",
            Error::DuplicateLoadBalancer(_) => "DuplicateLoadBalancerName",
            Error::DuplicateTargetGroup(_) => "DuplicateTargetGroupName",
            Error::DuplicateListener(_) => "DuplicateListener",
            Error::GroupInUse(_) => "ResourceInUse",
            Error::GroupOfAnother(_) => "TargetGroupAssociationLimit",
            Error::InvalidTarget(_) => "InvalidTarget",
            Error::NoSubnet(_) => "SubnetNotFound",
            Error::NoSecurityGroup(_) => "InvalidSecurityGroup",
            Error::InvalidSubnet(_) => "InvalidSubnet",
            Error::Validation(_) => "ValidationError",
            Error::Unsupported(_) => "InvalidConfigurationRequest",
            Error::TooMany(code, _) | Error::Coded(code, _) => code,
            Error::DuplicateTagKeys(_) => "DuplicateTagKeys",
            Error::DeletionProtected(_) => "OperationNotPermitted",
            Error::Ec2(inner) => return inner.clone().into(),
        };
        Fault::client(code, e.to_string())
    }
}

/// A parameter that asks for what this region does not do is refused, never swallowed.
pub(crate) fn refuse(parameters: &[(&str, bool)]) -> Result<(), Error> {
    match parameters.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Error::Unsupported(format!("{name} is not supported in this region"))),
        None => Ok(()),
    }
}
