use base::Fault;

/// What can be wrong with a request to IAM, each with AWS's code and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    NoRole(String),
    NoInstanceProfile(String),
    /// By ARN.
    NoPolicy(String),
    /// By ARN; on attaching.
    NotAttachable(String),
    NoPolicyVersion {
        arn: String,
        version: String,
    },
    NoRolePolicy(String),
    NoServerCertificate(String),
    RolePolicyExists {
        policy: String,
        role: String,
    },
    /// The role is not in the instance profile.
    NoRoleInProfile(String),
    RoleExists(String),
    InstanceProfileExists(String),
    PolicyExists(String),
    ServerCertificateExists(String),
    ServerCertificateInUse {
        id: String,
        /// ARN of who uses it.
        user: String,
    },
    MalformedCertificate(String),
    KeyPairMismatch,
    /// What must be done before the deletion, such as `must detach all policies first`.
    DeleteConflict(&'static str),
    PolicyHasVersions,
    PolicyAttached,
    DefaultVersion,
    /// The name of the quota and its value.
    Quota(&'static str, usize),
    VersionLimit,
    InlineSize {
        max: usize,
        role: String,
    },
    Tags(String),
    Malformed(String),
    Invalid(String),
    /// A name for `Fn::GetAtt` that a stack resource does not have.
    NoAttribute(String),
    /// A feature of AWS that this region does not have.
    Unsupported(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        use Error as E;
        let missing = |message: String| Fault::new(404, "NoSuchEntity", message);
        let exists = |message: String| Fault::new(409, "EntityAlreadyExists", message);
        let conflict = |message: String| Fault::new(409, "DeleteConflict", message);
        let limit = |message: String| Fault::new(409, "LimitExceeded", message);
        match error {
            E::NoRole(name) => missing(format!("The role with name {name} cannot be found.")),
            E::NoInstanceProfile(name) => missing(format!("Instance Profile {name} cannot be found.")),
            E::NoPolicy(arn) => missing(format!("Policy {arn} was not found.")),
            E::NotAttachable(arn) => missing(format!("Policy {arn} does not exist or is not attachable.")),
            E::NoPolicyVersion { arn, version } => missing(format!("Policy {arn} version {version} does not exist or is not attachable.")),
            E::NoRolePolicy(name) => missing(format!("The role policy with name {name} cannot be found.")),
            E::NoServerCertificate(name) => missing(format!("The Server Certificate with name {name} cannot be found.")),
            E::NoRoleInProfile(name) => missing(format!("The role with name {name} cannot be found in the instance profile.")),
            E::RolePolicyExists { policy, role } => exists(format!("Policy {policy} already exists in role {role}.")),
            E::RoleExists(name) => exists(format!("Role with name {name} already exists.")),
            E::InstanceProfileExists(name) => exists(format!("Instance Profile {name} already exists.")),
            E::PolicyExists(name) => exists(format!("A policy called {name} already exists. Duplicate names are not allowed.")),
            E::ServerCertificateExists(name) => exists(format!("The Server Certificate with name {name} already exists.")),
            // Terraform waits when it reads "currently in use by arn".
            E::ServerCertificateInUse { id, user } => conflict(format!(
                "Certificate: {id} is currently in use by {user}. Please remove it first before deleting it from IAM."
            )),
            E::MalformedCertificate(message) => Fault::client("MalformedCertificate", message),
            E::KeyPairMismatch => Fault::client("KeyPairMismatch", "The private key does not belong to the certificate."),
            E::DeleteConflict(first) => conflict(format!("Cannot delete entity, {first}.")),
            E::PolicyHasVersions => conflict(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy."
                    .into(),
            ),
            E::PolicyAttached => conflict("Cannot delete a policy attached to entities.".into()),
            E::DefaultVersion => conflict("Cannot delete the default version of a policy.".into()),
            E::Quota(name, max) => limit(format!("Cannot exceed quota for {name}: {max}")),
            E::VersionLimit => limit(
                "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.".into(),
            ),
            E::InlineSize { max, role } => limit(format!("Maximum policy size of {max} bytes exceeded for role {role}")),
            E::Tags(message) => Fault::client("InvalidInput", message),
            E::Malformed(message) => Fault::client("MalformedPolicyDocument", message),
            E::Invalid(message) => Fault::validation(message),
            E::NoAttribute(name) => Fault::validation(format!("Attribute {name} does not exist.")),
            E::Unsupported(message) => Fault::client("UnsupportedOperation", message),
        }
    }
}
