//! Reads CloudFormation templates: text to structure, structure to values, each error with its place and in AWS's words.
//!
//! It owns what a template means by itself: sections, functions, parameters, conditions. It never touches a stack, a row
//! or a resource: what a template refers to is asked of an [`Environment`].

mod check;
mod cidr;
mod coerce;
mod conditions;
mod difference;
mod error;
mod evaluate;
mod expression;
mod fit;
mod function;
mod graph;
mod json;
mod names;
mod nearest;
mod node;
mod parameter;
mod parameters;
mod path;
mod policy;
mod read;
mod resource;
mod rules;
mod schema;
mod sections;
mod template;

pub use check::check;
pub use conditions::conditions;
pub use difference::{Difference, changed};
pub use error::{ERRORS_MAX, Position, TemplateError, TemplateErrors};
pub use evaluate::{Environment, EvaluateError, RESULT_BYTES_MAX, evaluate};
pub use expression::{Expression, ExpressionKind, Function, Member, SubPart};
pub use graph::{Reference, needs, references};
pub use parameter::{PARAMETER_DESCRIPTION_BYTES_MAX, ParameterType};
pub use parameters::{PARAMETER_VALUE_BYTES_MAX, ParameterLookup, ParameterValue, resolve_parameters};
pub use read::{DEPTH_MAX, INLINE_BYTES_MAX, NODES_MAX, TEMPLATE_BYTES_MAX};
pub use rules::broken_rules;
pub use schema::Schema;
pub use template::{
    Assertion, CONDITIONS_MAX, Condition, DESCRIPTION_BYTES_MAX, DeletionPolicy, MAPPINGS_MAX, Mapping, MappingValue,
    OUTPUTS_MAX, Output, PARAMETERS_MAX, Parameter, RESOURCES_MAX, RULES_MAX, Resource, Rule, Template,
};
