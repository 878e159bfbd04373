use std::fmt;

use base::Fault;

/// What a caller can do wrong with stacks, each with AWS's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    NoStack(String),
    /// The same, as some operations word it.
    NoStackNamed(String),
    AlreadyExists(String),
    ChangeSetExists(String),
    NoResource {
        resource: String,
        stack: String,
    },
    NoChangeSet(String),
    NoUpdates,
    /// The stack is in a status that does not allow what was asked.
    WrongStatus {
        stack: String,
        status: &'static str,
        verb: &'static str,
    },
    TerminationProtected(String),
    MissingCapabilities(Vec<&'static str>),
    ExportInUse {
        export: String,
        stack: String,
        /// `deleted` or `updated`.
        verb: &'static str,
    },
    Invalid(String),
    /// A template that is wrong; every line of the text names a place.
    Template(String),
    BadToken,
    LimitExceeded(String),
    Unsupported(String),
}

impl Error {
    pub(crate) fn both_templates() -> Self {
        Self::Invalid("Specify either UsePreviousTemplate or a template, but not both".into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoStack(name) => write!(f, "Stack with id {name} does not exist"),
            Error::NoStackNamed(name) => write!(f, "Stack [{name}] does not exist"),
            Error::AlreadyExists(name) => write!(f, "Stack [{name}] already exists"),
            Error::ChangeSetExists(name) => write!(f, "ChangeSet {name} already exists"),
            Error::NoResource { resource, stack } => write!(f, "Resource {resource} does not exist for stack {stack}"),
            Error::NoChangeSet(name) => write!(f, "ChangeSet [{name}] does not exist"),
            Error::NoUpdates => f.write_str("No updates are to be performed."),
            Error::WrongStatus { stack, status, verb } => {
                write!(f, "Stack:{stack} is in {status} state and can not be {verb}.")
            }
            Error::TerminationProtected(stack) => {
                write!(f, "Stack [{stack}] cannot be deleted while TerminationProtection is enabled")
            }
            Error::MissingCapabilities(needed) => write!(f, "Requires capabilities : [{}]", needed.join(", ")),
            Error::ExportInUse { export, stack, verb } => {
                write!(f, "Export {export} cannot be {verb} as it is in use by {stack}")
            }
            Error::BadToken => f.write_str("The token in NextToken is not valid"),
            Error::Invalid(text) | Error::Template(text) | Error::LimitExceeded(text) | Error::Unsupported(text) => {
                f.write_str(text)
            }
        }
    }
}

impl From<Error> for Fault {
    fn from(e: Error) -> Self {
        let code = match &e {
            Error::AlreadyExists(_) | Error::ChangeSetExists(_) => "AlreadyExistsException",
            Error::MissingCapabilities(_) => "InsufficientCapabilitiesException",
            Error::NoChangeSet(_) => return Fault::new(404, "ChangeSetNotFound", e.to_string()),
            Error::LimitExceeded(_) => "LimitExceededException",
            _ => "ValidationError",
        };
        Fault::client(code, e.to_string())
    }
}
