//! AWS's interfaces as data: services, operations and shapes, read from the `.idl` files beside this crate. It
//! knows what AWS's wire looks like, and nothing of how a protocol writes it or what a service does.

mod parse;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use parse::parse;

/// One service's interface.
#[derive(Debug)]
pub struct Service {
    /// Name of the description, such as `elbv2`.
    pub name: String,
    /// Protocols, the preferred one first: `query`, `ec2`, `json`, `rest-json`, `rest-xml`, `smithy-rpc-v2-cbor`.
    pub protocols: Vec<String>,
    pub version: String,
    /// The service's name in the credential scope of a signature.
    pub signing_name: String,
    /// Prefix of `X-Amz-Target`, for JSON.
    pub target_prefix: Option<String>,
    /// `1.0` or `1.1`, for JSON.
    pub json_version: Option<String>,
    pub xml_namespace: Option<String>,
    /// In the order of the description.
    pub operations: Vec<Operation>,
    pub structures: BTreeMap<String, Structure>,
    /// Strings with constraints.
    pub strings: BTreeMap<String, Text>,
}

#[derive(Debug)]
pub struct Operation {
    pub name: String,
    pub input: Option<String>,
    pub output: Option<String>,
    pub method: String,
    /// HTTP status of a success.
    pub status: u16,
    /// Path template with its query, such as `/{Bucket}/{Key+}?tagging`.
    pub uri: String,
    /// Element that wraps the answer, for query protocols.
    pub wrapper: Option<String>,
    /// Root element of the request, for REST-XML.
    pub root: Option<String>,
    /// Callable without a signature.
    pub anonymous: bool,
    /// Names of the error structures.
    pub errors: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Struct,
    /// At most one member is set.
    Union,
    Error,
}

#[derive(Debug)]
pub struct Structure {
    pub name: String,
    pub kind: Kind,
    /// Reached from a request.
    pub in_requests: bool,
    /// Reached from an answer.
    pub in_answers: bool,
    /// Code on the wire and HTTP status, for an error.
    pub error: Option<(String, u16)>,
    pub members: Vec<Member>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    Body,
    Header,
    /// A map spread over headers with a common prefix.
    Headers,
    Uri,
    QueryString,
    StatusCode,
}

#[derive(Debug)]
pub struct Member {
    pub name: String,
    pub required: bool,
    pub shape: Type,
    /// Name in an EC2 query, where it differs from `name`.
    pub query_name: Option<String>,
    /// Name on the wire, where it differs from `name`.
    pub wire_name: Option<String>,
    pub location: Location,
    /// The member is the whole body.
    pub payload: bool,
    pub stream: bool,
    pub xml_attribute: bool,
    pub xml_namespace: Option<String>,
    /// A client makes this token up when the user gives none.
    pub idempotency_token: bool,
    /// Least and most: of a number, or of a list's length.
    pub range: Range,
}

/// Inclusive bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Range {
    pub least: Option<f64>,
    pub most: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// The protocol's own.
    Default,
    Iso8601,
    Rfc822,
    UnixTimestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    Str,
    Bool,
    Int,
    Long,
    F32,
    F64,
    Blob,
    Time(TimeFormat),
    List {
        flat: bool,
        item_name: Option<String>,
        item: Box<Type>,
    },
    Map {
        flat: bool,
        key_name: Option<String>,
        value_name: Option<String>,
        key: Box<Type>,
        value: Box<Type>,
    },
    Structure(String),
    /// A string with constraints, by name.
    Text(String),
}

/// Constraints of a string.
#[derive(Debug)]
pub struct Text {
    pub name: String,
    /// Allowed values; empty when all are.
    pub values: Vec<String>,
    /// Bounds of its length in characters.
    pub range: Range,
}

impl Service {
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|o| o.name == name)
    }

    pub fn structure(&self, name: &str) -> Option<&Structure> {
        self.structures.get(name)
    }
}

macro_rules! embedded {
    ($($name:literal)*) => {
        [$((
            $name,
            LazyLock::new(|| {
                // The text is part of the program, and the crate's test reads it.
                parse(include_str!(concat!("../", $name, ".idl"))).unwrap_or_else(|e| panic!("{}.idl: {e}", $name))
            }),
        )),*]
    };
}

type Embedded = (&'static str, LazyLock<Service>);

static SERVICES: [Embedded; 22] = embedded!(
    "acm" "application-autoscaling" "autoscaling" "cloudformation" "cloudfront" "cloudwatch" "ec2" "ecr" "efs"
    "elasticache" "elbv2" "iam" "kms" "logs" "rds" "route53" "s3" "secretsmanager" "sns" "ssm" "sts" "wafv2"
);

/// The interface of a service by the name of its description. It is read at the first use.
pub fn service(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|(n, _)| *n == name).map(|(_, service)| &**service)
}

/// The names of all descriptions, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    SERVICES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::{Type, names, service};

    #[test]
    fn every_description_is_read_and_closed() {
        let mut operations = 0;
        for name in names() {
            let service = service(name).expect("listed");
            assert_eq!(service.name, name);
            operations += service.operations.len();
            for operation in &service.operations {
                for shape in operation.input.iter().chain(&operation.output).chain(&operation.errors) {
                    assert!(service.structure(shape).is_some(), "{name}: {shape} of {}", operation.name);
                }
            }
            for structure in service.structures.values() {
                for member in &structure.members {
                    closed(service, &member.shape);
                }
            }
        }
        assert!(operations > 600, "{operations}");
    }

    fn closed(service: &super::Service, shape: &Type) {
        match shape {
            Type::List { item, .. } => closed(service, item),
            Type::Map { key, value, .. } => {
                closed(service, key);
                closed(service, value);
            }
            Type::Structure(name) => assert!(service.structure(name).is_some(), "{name}"),
            Type::Text(name) => assert!(service.strings.contains_key(name), "{name}"),
            _ => {}
        }
    }
}
