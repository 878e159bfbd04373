//! What a resource type takes and gives: its properties with their types and AWS's update behaviour, and its attributes.
//!
//! Owns the schema language and its reader. It never looks at a template and knows no resource type itself: each
//! service brings the schemas of its own types as text.
//!
//! ```text
//! properties
//!   VpcId     string   required replace     # changing it replaces the resource
//!   Port      integer  range 1..65535
//!   Protocol  string   values HTTP|HTTPS
//!   Tags      list Tag
//! structure Tag
//!   Key       string   required length 1..128
//! attributes
//!   Arn
//!   Outputs.*
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value as Json;

use crate::path::Path;

/// What a resource type takes and gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    pub(crate) properties: Structure,
    pub(crate) structures: BTreeMap<String, Structure>,
    attributes: Vec<String>,
}

/// Named properties, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Structure(pub(crate) Vec<Property>);

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) presence: Presence,
    pub(crate) update: Update,
    pub(crate) support: Support,
    pub(crate) rules: Rules,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Optional,
    Required,
}

/// What changing a property does to the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    InPlace,
    Replace,
}

/// What this region makes of a property that AWS documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Support {
    Full,
    /// Accepted without an effect.
    Ignored,
    /// Refused.
    Unsupported,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    String,
    Integer,
    Number,
    Boolean,
    Json,
    List(Box<Kind>),
    Map(Box<Kind>),
    /// Names a structure that the schema has.
    Structure(String),
}

/// What a value must keep to besides its type. In lists and maps, `values` and `range` hold for each member.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rules {
    pub(crate) values: Vec<String>,
    pub(crate) range: Option<Bounds>,
    /// In characters of a string, or in members of a list or map.
    pub(crate) length: Option<Bounds>,
}

/// Both ends are included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Schema {
    /// Reads a schema's text.
    ///
    /// # Errors
    /// What is wrong and in which line, as `line 3: unknown type strin`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            if !line.trim().is_empty() {
                reader.line(line, at + 1).map_err(|wrong| format!("line {}: {wrong}", at + 1))?;
            }
        }
        reader.finish()
    }

    /// Whether `Fn::GetAtt` may ask for the attribute.
    pub fn has_attribute(&self, name: &str) -> bool {
        self.attributes.iter().any(|known| match known.strip_suffix('*') {
            Some(start) => name.len() > start.len() && name.starts_with(start),
            None => known == name,
        })
    }

    /// Whether the type has a property of this name, at the top level.
    pub fn has_property(&self, name: &str) -> bool {
        self.properties.property(name).is_some()
    }

    /// The attributes as the text has them.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(String::as_str)
    }

    /// The properties among `props` that are accepted but have no effect in this region, as `Monitoring` or
    /// `Groups[0].Device`, in the schema's order.
    pub fn ignored(&self, props: &Json) -> Vec<String> {
        let mut found = Vec::new();
        self.note_ignored(&self.properties, props, &Path::ROOT, &mut found);
        found
    }

    fn note_ignored(&self, structure: &Structure, props: &Json, path: &Path<'_>, found: &mut Vec<String>) {
        for property in &structure.0 {
            let Some(value) = props.get(&property.name) else { continue };
            let path = path.key(&property.name);
            if property.support == Support::Ignored {
                found.push(path.to_string());
            } else {
                self.note_ignored_in(&property.kind, value, &path, found);
            }
        }
    }

    fn note_ignored_in(&self, kind: &Kind, value: &Json, path: &Path<'_>, found: &mut Vec<String>) {
        match (kind, value) {
            (Kind::Structure(name), _) => {
                if let Some(structure) = self.structures.get(name) {
                    self.note_ignored(structure, value, path, found);
                }
            }
            (Kind::List(kind), Json::Array(items)) => {
                items.iter().enumerate().for_each(|(i, item)| self.note_ignored_in(kind, item, &path.index(i), found));
            }
            (Kind::Map(kind), Json::Object(members)) => {
                members.iter().for_each(|(key, member)| self.note_ignored_in(kind, member, &path.key(key), found));
            }
            _ => {}
        }
    }
}

impl Structure {
    pub(crate) fn property(&self, name: &str) -> Option<&Property> {
        self.0.iter().find(|p| p.name == name)
    }

    pub(crate) fn required(&self) -> impl Iterator<Item = &Property> {
        self.0.iter().filter(|p| p.presence == Presence::Required)
    }
}

impl Property {
    /// The rules for a value, or for each member of a list or map: those have no rule about length.
    pub(crate) fn value_rules(&self) -> Cow<'_, Rules> {
        match self.kind {
            Kind::List(_) | Kind::Map(_) if self.rules.length.is_some() => {
                Cow::Owned(Rules { length: None, ..self.rules.clone() })
            }
            _ => Cow::Borrowed(&self.rules),
        }
    }
}

impl Bounds {
    pub(crate) fn has(&self, number: f64) -> bool {
        (self.low..=self.high).contains(&number)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.low.is_finite(), self.high.is_finite()) {
            (true, true) => write!(f, "between {} and {}", self.low, self.high),
            (true, false) => write!(f, "at least {}", self.low),
            (false, _) => write!(f, "at most {}", self.high),
        }
    }
}

impl Kind {
    /// The type in the words of CloudFormation's errors.
    pub(crate) fn name(&self) -> String {
        match self {
            Kind::String => "String".into(),
            Kind::Integer => "Integer".into(),
            Kind::Number => "Number".into(),
            Kind::Boolean => "Boolean".into(),
            Kind::Json | Kind::Structure(_) => "Object".into(),
            Kind::List(_) => "List".into(),
            Kind::Map(_) => "Map".into(),
        }
    }

    /// The type of the members that rules speak of.
    fn innermost(&self) -> &Kind {
        match self {
            Kind::List(inner) | Kind::Map(inner) => inner.innermost(),
            other => other,
        }
    }
}

#[derive(Default)]
struct Reader {
    schema: Schema,
    section: Section,
    /// Structures that are used, each with the line.
    used: Vec<(String, usize)>,
}

#[derive(Default)]
enum Section {
    #[default]
    None,
    Properties,
    Structure(String),
    Attributes,
}

impl Reader {
    fn line(&mut self, line: &str, number: usize) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        if !line.starts_with(char::is_whitespace) {
            return self.head(&words);
        }
        let structure = match &self.section {
            Section::None => return Err("expected properties, structure NAME or attributes before this".into()),
            Section::Attributes => return self.attribute(&words),
            Section::Properties => &mut self.schema.properties,
            Section::Structure(name) => self.schema.structures.entry(name.clone()).or_default(),
        };
        let property = property(&words)?;
        if structure.property(&property.name).is_some() {
            return Err(format!("{} is here twice", property.name));
        }
        if let Kind::Structure(name) = property.kind.innermost() {
            self.used.push((name.clone(), number));
        }
        structure.0.push(property);
        Ok(())
    }

    fn head(&mut self, words: &[&str]) -> Result<(), String> {
        self.section = match words {
            ["properties"] => Section::Properties,
            ["attributes"] => Section::Attributes,
            ["structure", name] => {
                if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
                    return Err(format!("{name} is no name of a structure"));
                }
                if self.schema.structures.insert((*name).into(), Structure::default()).is_some() {
                    return Err(format!("structure {name} is here twice"));
                }
                Section::Structure((*name).into())
            }
            _ => return Err(format!("expected properties, structure NAME or attributes, not {}", words.join(" "))),
        };
        Ok(())
    }

    fn attribute(&mut self, words: &[&str]) -> Result<(), String> {
        let [name] = words else { return Err(format!("expected one attribute, not {}", words.join(" "))) };
        let plain = name.strip_suffix(".*").unwrap_or(name);
        if plain.is_empty() || plain.contains('*') {
            return Err(format!("{name} is no name of an attribute"));
        }
        if self.schema.attributes.iter().any(|known| known == name) {
            return Err(format!("{name} is here twice"));
        }
        self.schema.attributes.push((*name).into());
        Ok(())
    }

    fn finish(self) -> Result<Schema, String> {
        let unknown = self.used.iter().find(|(name, _)| !self.schema.structures.contains_key(name));
        match unknown {
            Some((name, line)) => Err(format!("line {line}: there is no structure {name}")),
            None => Ok(self.schema),
        }
    }
}

fn property(words: &[&str]) -> Result<Property, String> {
    let (name, rest) = words.split_first().ok_or("expected a property")?;
    let (kind, mut flags) = kind(rest)?;
    let mut property = Property {
        name: (*name).into(),
        kind,
        presence: Presence::Optional,
        update: Update::InPlace,
        support: Support::Full,
        rules: Rules::default(),
    };
    while let Some((flag, rest)) = flags.split_first() {
        flags = rest;
        match *flag {
            "required" => property.presence = Presence::Required,
            "replace" => property.update = Update::Replace,
            "unsupported" => property.support = Support::Unsupported,
            "ignored" => property.support = Support::Ignored,
            "values" | "range" | "length" => {
                let (argument, rest) = flags.split_first().ok_or_else(|| format!("{flag} needs an argument"))?;
                flags = rest;
                rule(&mut property, flag, argument)?;
            }
            other => return Err(format!("unknown flag {other}")),
        }
    }
    Ok(property)
}

fn rule(property: &mut Property, flag: &str, argument: &str) -> Result<(), String> {
    let innermost = property.kind.innermost();
    let fits = match flag {
        "values" => matches!(innermost, Kind::String | Kind::Integer | Kind::Number),
        "range" => matches!(innermost, Kind::Integer | Kind::Number),
        _ => matches!(property.kind, Kind::String | Kind::List(_) | Kind::Map(_)),
    };
    if !fits {
        return Err(format!("{flag} does not fit the type of {}", property.name));
    }
    match flag {
        "values" => {
            property.rules.values = argument.split('|').map(str::to_string).collect();
            if property.rules.values.iter().any(String::is_empty) {
                return Err(format!("{argument} has an empty value"));
            }
        }
        "range" => property.rules.range = Some(bounds(argument)?),
        _ => property.rules.length = Some(bounds(argument)?),
    }
    Ok(())
}

/// `LO..HI`; an end that is left out is open.
fn bounds(text: &str) -> Result<Bounds, String> {
    let wrong = || format!("expected LO..HI, not {text}");
    let (low, high) = text.split_once("..").ok_or_else(wrong)?;
    let end = |text: &str, open: f64| if text.is_empty() { Ok(open) } else { text.parse().map_err(|_| wrong()) };
    let bounds = Bounds { low: end(low, f64::NEG_INFINITY)?, high: end(high, f64::INFINITY)? };
    // Written so that it is also false of what is no number.
    if bounds.low <= bounds.high { Ok(bounds) } else { Err(wrong()) }
}

/// A type and the words after it.
fn kind<'w, 's>(words: &'w [&'s str]) -> Result<(Kind, &'w [&'s str]), String> {
    let (word, rest) = words.split_first().ok_or("expected a type")?;
    let plain = match *word {
        "string" => Kind::String,
        "integer" => Kind::Integer,
        "number" => Kind::Number,
        "boolean" => Kind::Boolean,
        "json" => Kind::Json,
        "list" => return kind(rest).map(|(inner, rest)| (Kind::List(Box::new(inner)), rest)),
        "map" => return kind(rest).map(|(inner, rest)| (Kind::Map(Box::new(inner)), rest)),
        name if name.starts_with(|c: char| c.is_ascii_uppercase()) => Kind::Structure(name.into()),
        other => return Err(format!("unknown type {other}")),
    };
    Ok((plain, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Bounds, Kind, Presence, Schema, Support, Update};
    use serde_json::json;

    const TEXT: &str = "
# A type that uses all of the language.
properties
  VpcId       string       required replace
  Port        integer      range 1..65535
  Weight      number       range 0.5..
  Name        string       replace length 1..32
  Protocol    string       values HTTP|HTTPS
  Tags        list Tag
  Labels      map string
  Policy      json         required   # a comment
  Old         string       unsupported
  Monitoring  boolean      ignored
structure Tag
  Key    string required
  Colour string ignored
attributes
  Arn
  Outputs.*
";

    #[test]
    fn reads_all_of_the_language() {
        let schema = Schema::parse(TEXT).unwrap();
        let property = |name: &str| schema.properties.property(name).unwrap();
        assert_eq!(property("VpcId").presence, Presence::Required);
        assert_eq!(property("VpcId").update, Update::Replace);
        assert_eq!(property("Port").rules.range, Some(Bounds { low: 1.0, high: 65_535.0 }));
        assert_eq!(property("Weight").rules.range, Some(Bounds { low: 0.5, high: f64::INFINITY }));
        assert_eq!(property("Name").rules.length, Some(Bounds { low: 1.0, high: 32.0 }));
        assert_eq!(property("Protocol").rules.values, ["HTTP", "HTTPS"]);
        assert_eq!(property("Tags").kind, Kind::List(Box::new(Kind::Structure("Tag".into()))));
        assert_eq!(property("Labels").kind, Kind::Map(Box::new(Kind::String)));
        assert_eq!(property("Old").support, Support::Unsupported);
        assert_eq!(property("Monitoring").support, Support::Ignored);
        assert_eq!(schema.structures["Tag"].required().count(), 1);
        assert_eq!(Schema::parse("").unwrap(), Schema::default());
    }

    #[test]
    fn knows_attributes() {
        let schema = Schema::parse(TEXT).unwrap();
        for (name, expected) in
            [("Arn", true), ("arn", false), ("Outputs.Url", true), ("Outputs.", false), ("Outputs", false), ("", false)]
        {
            assert_eq!(schema.has_attribute(name), expected, "{name}");
        }
    }

    #[test]
    fn names_what_has_no_effect() {
        let schema = Schema::parse(TEXT).unwrap();
        let props = json!({"Tags": [{"Key": "a"}, {"Key": "b", "Colour": "red"}], "Monitoring": true, "Port": 1});
        assert_eq!(schema.ignored(&props), ["Tags[1].Colour", "Monitoring"]);
        assert!(schema.ignored(&json!({})).is_empty());
    }

    #[test]
    fn refuses_with_the_line() {
        let cases = [
            ("properties\n  A strin", "line 2: unknown type strin"),
            ("properties\n  A", "line 2: expected a type"),
            ("properties\n  A list", "line 2: expected a type"),
            ("  A string", "line 1: expected properties, structure NAME or attributes before this"),
            ("things", "line 1: expected properties, structure NAME or attributes, not things"),
            ("properties\n  A string wanted", "line 2: unknown flag wanted"),
            ("properties\n  A string values", "line 2: values needs an argument"),
            ("properties\n  A string values a||b", "line 2: a||b has an empty value"),
            ("properties\n  A integer range 5", "line 2: expected LO..HI, not 5"),
            ("properties\n  A integer range 5..1", "line 2: expected LO..HI, not 5..1"),
            ("properties\n  A integer range nan..1", "line 2: expected LO..HI, not nan..1"),
            ("properties\n  A string range 1..5", "line 2: range does not fit the type of A"),
            ("properties\n  A boolean length 1..5", "line 2: length does not fit the type of A"),
            ("properties\n  A string\n\n  A string", "line 4: A is here twice"),
            ("properties\n  A list Tag", "line 2: there is no structure Tag"),
            ("structure Tag\nstructure Tag", "line 2: structure Tag is here twice"),
            ("structure tag", "line 1: tag is no name of a structure"),
            ("attributes\n  A B", "line 2: expected one attribute, not A B"),
            ("attributes\n  .*", "line 2: .* is no name of an attribute"),
        ];
        for (text, expected) in cases {
            assert_eq!(Schema::parse(text).unwrap_err(), expected, "{text}");
        }
    }
}
