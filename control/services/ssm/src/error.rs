//! What can be wrong with a request to Parameter Store, each with AWS's code and words.

use base::Fault;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    AlreadyExists,
    NotFound(String),
    /// A version or label of an existing parameter.
    VersionNotFound {
        name: String,
        selector: String,
    },
    /// A name that only the region itself sets.
    Reserved(String),
    HierarchyTooDeep,
    /// The parameter cannot change between plain text and a secret.
    TypeMismatch {
        from: &'static str,
        to: &'static str,
    },
    InvalidPattern(String),
    PatternMismatch(String),
    InvalidKey(String),
    TooManyParameters,
    TooManyTags,
    /// Tags of what is not a parameter.
    ResourceType(String),
    ResourceId(String),
    FilterKey(String),
    FilterOption {
        option: String,
        valid: &'static str,
    },
    FilterValue(String),
    BadToken,
    /// `ValidationException` with this sentence.
    Invalid(String),
    /// A feature of AWS that this region does not have.
    Unsupported(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        use Error as E;
        let of = |code: &'static str, message: String| Fault::client(code, message);
        match error {
            E::AlreadyExists => of(
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.".into(),
            ),
            E::NotFound(name) => of("ParameterNotFound", format!("Parameter {name} not found.")),
            E::VersionNotFound { name, selector } => of(
                "ParameterVersionNotFound",
                format!("Systems Manager could not find version {selector} of {name}. Verify the version and try again."),
            ),
            E::Reserved(name) => of("AccessDeniedException", format!("No access to reserved parameter name: {name}.")),
            E::HierarchyTooDeep => of(
                "HierarchyLevelLimitExceededException",
                format!("A parameter name can have at most {} levels.", crate::name::LEVELS_MAX),
            ),
            E::TypeMismatch { from, to } => of(
                "HierarchyTypeMismatchException",
                format!("A parameter of type {from} cannot become one of type {to}. Create another parameter."),
            ),
            E::InvalidPattern(why) => of("InvalidAllowedPatternException", why),
            E::PatternMismatch(pattern) => of(
                "ParameterPatternMismatchException",
                format!("Parameter value, cannot be validated against allowedPattern: {pattern}"),
            ),
            E::InvalidKey(key) => {
                of("InvalidKeyId", format!("Invalid keyId {key}. This region has no KMS keys but alias/aws/ssm."))
            }
            E::TooManyParameters => of(
                "ParameterLimitExceeded",
                format!("This region keeps at most {} parameters. Delete some and try again.", crate::parameter::PARAMETERS_MAX),
            ),
            E::TooManyTags => of("TooManyTagsError", format!("A parameter can have at most {} tags.", crate::tags::TAGS_MAX)),
            E::ResourceType(kind) => {
                of("InvalidResourceType", format!("{kind} is not a resource type that this region can tag."))
            }
            E::ResourceId(id) => of("InvalidResourceId", format!("There is no parameter {id}.")),
            E::FilterKey(text) => of("InvalidFilterKey", text),
            E::FilterOption { option, valid } => of(
                "InvalidFilterOption",
                format!("The following filter option is not valid: {option}. Valid options include: [{valid}]."),
            ),
            E::FilterValue(text) => of("InvalidFilterValue", text),
            E::BadToken => of("InvalidNextToken", "The specified token isn't valid.".into()),
            E::Invalid(text) => of("ValidationException", text),
            E::Unsupported(text) => of("UnsupportedOperationException", text),
        }
    }
}
