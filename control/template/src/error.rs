use std::fmt;

use crate::path::Path;

/// Most errors reported of one template; what comes after adds nothing that a reader could use.
pub const ERRORS_MAX: usize = 50;

/// A place in a template's text. Line and column count from 1; columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Something wrong with a template: where in the text, where in its structure, and what, in CloudFormation's words
/// where they are known. Prints as one line, `line:column: path: message`; whoever knows the file puts its name before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    pub position: Position,
    /// Such as `Resources.Web.Properties.Port`; empty for the template as a whole.
    pub path: String,
    /// What is wrong, without the place.
    pub message: String,
}

impl TemplateError {
    pub(crate) fn new(position: Position, path: &Path<'_>, message: impl Into<String>) -> Self {
        Self { position, path: path.to_string(), message: message.into() }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.position)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for TemplateError {}

/// At least one error, in the order of the text, at most [`ERRORS_MAX`]. Prints one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateErrors(Vec<TemplateError>);

impl TemplateErrors {
    pub fn iter(&self) -> impl Iterator<Item = &TemplateError> {
        self.0.iter()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never true: there is no such thing as a failure without an error.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first error of the text.
    pub fn first(&self) -> &TemplateError {
        &self.0[0]
    }
}

impl From<TemplateError> for TemplateErrors {
    fn from(error: TemplateError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for TemplateErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for TemplateErrors {}

/// Collects errors up to the limit.
#[derive(Default)]
pub(crate) struct Collector {
    errors: Vec<TemplateError>,
}

impl Collector {
    pub(crate) fn add(&mut self, position: Position, path: &Path<'_>, message: impl Into<String>) {
        self.push(TemplateError::new(position, path, message));
    }

    pub(crate) fn push(&mut self, error: TemplateError) {
        if self.errors.len() < ERRORS_MAX && !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// The value when nothing went wrong.
    pub(crate) fn finish<T>(mut self, value: T) -> Result<T, TemplateErrors> {
        if self.errors.is_empty() {
            return Ok(value);
        }
        self.errors.sort_by_key(|error| error.position);
        Err(TemplateErrors(self.errors))
    }
}
