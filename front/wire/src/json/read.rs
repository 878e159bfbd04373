//! Reads a JSON body straight into slots by the description, without a tree of JSON between. What it refuses, it tells with the
//! place in the request.

use std::cell::RefCell;
use std::fmt;

use base::{Fault, Time, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use models::{Structure, Type};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{bad, name};
use crate::path::Path;
use crate::route::Route;

/// serde_json bounds the depth of what it reads at 128, so that recursion here is bounded too.
pub(super) fn read(route: &Route, structure: &Structure, body: &[u8]) -> Result<Value, Fault> {
    let reader = Reader { route, refusal: RefCell::new(None) };
    let shape = Shape::Structure(structure);
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = Seed { reader: &reader, shape, path: &Path::Root }.deserialize(&mut json);
    match read.and_then(|value| json.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) => Err(reader.refusal.into_inner().unwrap_or_else(|| bad(&error.to_string()))),
    }
}

struct Reader<'a> {
    route: &'a Route,
    /// What is wrong, in our words: serde's errors have no room for it.
    refusal: RefCell<Option<Fault>>,
}

/// What a value is to be, its structure looked up.
#[derive(Clone, Copy)]
enum Shape<'a> {
    Structure(&'a Structure),
    /// A structure without a description: whatever comes is passed over.
    Unknown,
    List(&'a Type),
    Map(&'a Type),
    Scalar(&'a Type),
}

impl<'a> Reader<'a> {
    fn shape(&self, shape: &'a Type) -> Shape<'a> {
        match shape {
            Type::Structure(name) => self.route.service.structure(name).map_or(Shape::Unknown, Shape::Structure),
            Type::List { item, .. } => Shape::List(item),
            Type::Map { value, .. } => Shape::Map(value),
            scalar => Shape::Scalar(scalar),
        }
    }

    fn refuse<E: Error>(&self, fault: Fault) -> E {
        *self.refusal.borrow_mut() = Some(fault);
        E::custom("refused")
    }
}

fn expected(path: &Path, what: &str) -> Fault {
    let path = path.slashed();
    bad(&format!("{} must be {what}", if path.is_empty() { "the request" } else { &path }))
}

/// A value that has to be there.
#[derive(Clone, Copy)]
struct Seed<'a> {
    reader: &'a Reader<'a>,
    shape: Shape<'a>,
    path: &'a Path<'a>,
}

impl Seed<'_> {
    fn refuse<T, E: Error>(&self, what: &str) -> Result<T, E> {
        Err(self.reader.refuse(expected(self.path, what)))
    }

    /// Refuses a value of a wrong kind.
    fn wrong_kind<T, E: Error>(&self) -> Result<T, E> {
        self.refuse(match self.shape {
            Shape::Structure(_) | Shape::Unknown | Shape::Map(_) => "an object",
            Shape::List(_) => "a list",
            Shape::Scalar(scalar) => match scalar {
                Type::Bool => "true or false",
                Type::Int | Type::Long => "an integer",
                Type::F32 | Type::F64 => "a number",
                Type::Blob => "base64 text",
                Type::Time(_) => "a moment",
                _ => "a string",
            },
        })
    }

    fn text<E: Error>(&self, text: &str) -> Result<Value, E> {
        let Shape::Scalar(scalar) = self.shape else { return self.wrong_kind() };
        Ok(match scalar {
            Type::Str | Type::Text(_) => Value::Str(text.to_string()),
            // JSON has no way to write these ("AWS JSON 1.0 protocol", Smithy).
            Type::F32 | Type::F64 => Value::Float(match text {
                "NaN" => f64::NAN,
                "Infinity" => f64::INFINITY,
                "-Infinity" => f64::NEG_INFINITY,
                _ => return self.refuse("a number"),
            }),
            Type::Blob => match STANDARD.decode(text) {
                Ok(bytes) => Value::Blob(bytes),
                Err(_) => return self.refuse("base64"),
            },
            Type::Time(_) => match Time::parse_iso8601(text) {
                Some(at) => Value::Time(at),
                None => return self.refuse("a moment in ISO 8601"),
            },
            _ => return self.wrong_kind(),
        })
    }

    /// A number, as an integer too where it is one of 64 bits.
    fn number<E: Error>(&self, integer: Option<i64>, number: f64) -> Result<Value, E> {
        let Shape::Scalar(scalar) = self.shape else { return self.wrong_kind() };
        match scalar {
            Type::Int => match integer.filter(|n| i32::try_from(*n).is_ok()) {
                Some(n) => Ok(Value::Int(n)),
                None => self.refuse("an integer of 32 bits"),
            },
            Type::Long => integer.map_or_else(|| self.refuse("an integer"), |n| Ok(Value::Int(n))),
            Type::F32 | Type::F64 => Ok(Value::Float(number)),
            Type::Time(_) => Ok(Value::Time(from_seconds(number))),
            _ => self.wrong_kind(),
        }
    }

    fn structure<'de, A: MapAccess<'de>>(&self, structure: &'_ Structure, mut map: A) -> Result<Value, A::Error> {
        let (reader, members) = (self.reader, &structure.members);
        let mut slots = Vec::new();
        slots.resize_with(members.len(), Value::default);
        let mut next = 0;
        while let Some(found) = map.next_key_seed(Place { reader, members: structure, next, path: self.path })? {
            let member = &members[found];
            let path = Path::Name(self.path, name(reader.route, member));
            slots[found] = map.next_value_seed(Optional(Seed { reader, shape: reader.shape(&member.shape), path: &path }))?;
            next = found + 1;
        }
        Ok(Value::Struct(slots))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a float casts to the nearest integer that there is")]
fn from_seconds(seconds: f64) -> Time {
    Time::from_unix_ms((seconds * 1_000.0) as i64)
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        match self.shape {
            Shape::Unknown => json.deserialize_ignored_any(IgnoredAny).map(|_| Value::Null),
            _ => json.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value of the request")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.wrong_kind()
    }

    fn visit_bool<E: Error>(self, b: bool) -> Result<Value, E> {
        if matches!(self.shape, Shape::Scalar(Type::Bool)) { Ok(Value::Bool(b)) } else { self.wrong_kind() }
    }

    #[expect(clippy::cast_precision_loss, reason = "a number where a float is due may be written as an integer")]
    fn visit_i64<E: Error>(self, n: i64) -> Result<Value, E> {
        self.number(Some(n), n as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "a number where a float is due may be written as an integer")]
    fn visit_u64<E: Error>(self, n: u64) -> Result<Value, E> {
        self.number(i64::try_from(n).ok(), n as f64)
    }

    fn visit_f64<E: Error>(self, n: f64) -> Result<Value, E> {
        self.number(None, n)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.text(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let Shape::List(item) = self.shape else { return self.wrong_kind() };
        let (reader, shape) = (self.reader, self.reader.shape(item));
        let mut items = Vec::new();
        while let Some(value) = list.next_element_seed(Seed { reader, shape, path: &Path::Item(self.path, items.len()) })? {
            items.push(value);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let value = match self.shape {
            Shape::Structure(structure) => return self.structure(structure, map),
            Shape::Map(value) => value,
            _ => return self.wrong_kind(),
        };
        let (reader, shape) = (self.reader, self.reader.shape(value));
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(Seed { reader, shape, path: &Path::Key(self.path, &key) })?;
            entries.push((key, value));
        }
        Ok(Value::Map(entries))
    }
}

/// A member's value, which may be `null`: absent.
struct Optional<'a>(Seed<'a>);

impl<'de> DeserializeSeed<'de> for Optional<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Optional<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        self.0.deserialize(json)
    }
}

/// A member's name, read as its place among the members; looked for at `next` first, for many write them in order.
struct Place<'a> {
    reader: &'a Reader<'a>,
    members: &'a Structure,
    next: usize,
    path: &'a Path<'a>,
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<usize, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<usize, E> {
        let members = &self.members.members;
        let found = (self.next..members.len()).chain(0..self.next).find(|at| name(self.reader.route, &members[*at]) == text);
        found.ok_or_else(|| self.reader.refuse(bad(&format!("{}/{text} is not recognized", self.path.slashed()))))
    }
}
