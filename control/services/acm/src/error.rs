//! What can be wrong with a request to ACM, each with AWS's code.

use base::Fault;

use crate::certificate::CERTIFICATES_MAX;
use crate::tags::TAGS_MAX;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    NotFound(String),
    MalformedArn(String),
    InUse {
        arn: String,
        account: String,
    },
    /// It is not issued yet.
    InProgress(String),
    InvalidState(String),
    TooManyCertificates,
    /// More names than the quota.
    TooManyDomains,
    TooManyTags,
    InvalidTag(String),
    InvalidParameter(String),
    InvalidArgs(String),
    ValidationOptions(String),
    /// `ValidationException` with this sentence.
    Invalid(String),
}

impl Error {
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        use Error as E;
        let of = |code: &'static str, message: String| Fault::client(code, message);
        match error {
            E::NotFound(arn) => of("ResourceNotFoundException", format!("Could not find certificate {arn}.")),
            E::MalformedArn(arn) => of(
                "ValidationException",
                format!(
                    "1 validation error detected: Value '{arn}' at 'certificateArn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:[\\w+=/,.@-]+:acm:[\\w+=/,.@-]*:[0-9]+:[\\w+=,.@-]+(/[\\w+=,.@-]+)*"
                ),
            ),
            E::InUse { arn, account } => {
                of("ResourceInUseException", format!("Certificate {arn} in account {account} is in use."))
            }
            E::InProgress(arn) => {
                of("RequestInProgressException", format!("The certificate {arn} has not been issued yet. Try again later."))
            }
            E::InvalidState(text) => of("InvalidStateException", text),
            E::TooManyCertificates => of(
                "LimitExceededException",
                format!("Error: you have reached your limit of {CERTIFICATES_MAX} certificates in this region."),
            ),
            E::TooManyDomains => of("LimitExceededException", "Certificate has too many domains.".into()),
            E::TooManyTags => of("TooManyTagsException", format!("A certificate can have at most {TAGS_MAX} tags.")),
            E::InvalidTag(text) => of("InvalidTagException", text),
            E::InvalidParameter(text) => of("InvalidParameterException", text),
            E::InvalidArgs(text) => of("InvalidArgsException", text),
            E::ValidationOptions(text) => of("InvalidDomainValidationOptionsException", text),
            E::Invalid(text) => of("ValidationException", text),
        }
    }
}
