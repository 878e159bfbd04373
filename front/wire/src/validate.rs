//! The checks that AWS's front end makes before a service sees a request: required members, allowed values, lengths
//! and ranges, in AWS's words.

use base::{Fault, Value};
use models::{Range, Structure, Type};

use crate::path::Path;
use crate::route::{Protocol, Route};

/// Most errors told at once.
const ERRORS_MAX: usize = 10;
/// Longer texts are not said again: documents, and keys, which no answer shows.
const ECHOED_MAX: usize = 2_048;

/// The code of a failed check.
pub(crate) fn code(route: &Route) -> &'static str {
    if matches!(route.protocol, Protocol::Query | Protocol::Ec2) || route.service.protocols.iter().any(|p| p == "query") {
        "ValidationError"
    } else {
        "ValidationException"
    }
}

pub(crate) fn validate(route: &Route, input: &str, value: &Value) -> Result<(), Fault> {
    let Some(structure) = route.service.structure(input) else { return Ok(()) };
    let mut check = Check { route, errors: Vec::new() };
    check.structure(structure, value, &Path::Root);
    if check.errors.is_empty() {
        return Ok(());
    }
    if route.service.name == "ec2" {
        let missing = check.errors.iter().find_map(|e| e.missing.as_deref());
        return Err(match missing {
            Some(name) => Fault::client("MissingParameter", format!("The request must contain the parameter {name}")),
            None => Fault::client("InvalidParameterValue", check.errors.remove(0).text),
        });
    }
    let count = check.errors.len();
    let plural = if count == 1 { "" } else { "s" };
    let texts: Vec<String> = check.errors.into_iter().map(|e| e.text).collect();
    Err(Fault::client(code(route), format!("{count} validation error{plural} detected: {}", texts.join("; "))))
}

struct Breach {
    text: String,
    /// The member that is missing, if that is what is wrong.
    missing: Option<String>,
}

struct Check<'a> {
    route: &'a Route,
    errors: Vec<Breach>,
}

impl Check<'_> {
    fn breach(&mut self, path: &Path, value: &str, constraint: &str) {
        if self.errors.len() < ERRORS_MAX {
            let space = if value.is_empty() { "" } else { " " };
            let text = format!("Value{space}{value} at '{}' failed to satisfy constraint: {constraint}", path.dotted());
            self.errors.push(Breach { text, missing: None });
        }
    }

    fn structure(&mut self, structure: &Structure, value: &Value, path: &Path) {
        let Value::Struct(slots) = value else { return };
        for (member, slot) in structure.members.iter().zip(slots) {
            let path = Path::Name(path, &member.name);
            if matches!(slot, Value::Null) {
                if member.required {
                    self.breach(&path, "null", "Member must not be null");
                    if let Some(last) = self.errors.last_mut() {
                        last.missing = Some(member.name.clone());
                    }
                }
                continue;
            }
            self.range(member.range, slot, &path);
            self.value(&member.shape, slot, &path);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "bounds and lengths are small")]
    fn range(&mut self, range: Range, value: &Value, path: &Path) {
        let number = match value {
            _ if range == Range::default() => return,
            Value::Int(n) => *n as f64,
            Value::List(items) => items.len() as f64,
            Value::Str(s) => s.chars().count() as f64,
            _ => return,
        };
        if range.least.is_none_or(|least| number >= least) && range.most.is_none_or(|most| number <= most) {
            return;
        }
        let (text, noun) = match value {
            Value::List(items) => (format!("'[{} items]'", items.len()), "length"),
            Value::Str(s) if s.len() > ECHOED_MAX => (String::new(), "length"),
            Value::Str(s) => (format!("'{s}'"), "length"),
            Value::Int(n) => (format!("'{n}'"), "value"),
            _ => return,
        };
        if let Some(least) = range.least.filter(|least| number < *least) {
            self.breach(path, &text, &format!("Member must have {noun} greater than or equal to {least}"));
        }
        if let Some(most) = range.most.filter(|most| number > *most) {
            self.breach(path, &text, &format!("Member must have {noun} less than or equal to {most}"));
        }
    }

    fn value(&mut self, shape: &Type, value: &Value, path: &Path) {
        match (shape, value) {
            (Type::Structure(name), value) => {
                if let Some(structure) = self.route.service.structure(name) {
                    self.structure(structure, value, path);
                }
            }
            (Type::List { item, .. }, Value::List(items)) => {
                let structure = if let Type::Structure(name) = &**item { self.route.service.structure(name) } else { None };
                for (n, each) in items.iter().enumerate() {
                    let path = Path::Item(path, n);
                    match structure {
                        Some(structure) => self.structure(structure, each, &path),
                        None => self.value(item, each, &path),
                    }
                }
            }
            (Type::Map { value: item, .. }, Value::Map(entries)) => {
                for (key, each) in entries {
                    self.value(item, each, &Path::Key(path, key));
                }
            }
            (Type::Text(name), Value::Str(text)) => {
                let Some(constraint) = self.route.service.strings.get(name) else { return };
                // EC2 tells unknown values by errors of its own.
                let closed = !constraint.values.is_empty() && self.route.service.name != "ec2";
                if closed && !constraint.values.contains(text) {
                    let allowed = constraint.values.join(", ");
                    self.breach(path, &format!("'{text}'"), &format!("Member must satisfy enum value set: [{allowed}]"));
                }
                self.range(constraint.range, value, path);
            }
            _ => {}
        }
    }
}
