//! Smithy's RPC v2 over CBOR (RFC 8949): the name of the operation in the path, maps with the members' names in the body.

use std::borrow::Cow;

use base::{Fault, Time, Value};
use minicbor::data::{Tag, Type as Kind};
use minicbor::{Decoder, Encoder};
use models::{Structure, Type};

use crate::DEPTH_MAX;
use crate::path::Path;
use crate::route::Route;

/// Tag of a moment in seconds since 1970.
const EPOCH: Tag = Tag::new(1);
/// First bytes of values (RFC 8949, appendix B): a text of known length, of open length, and nothing in two kinds.
const TEXT: u8 = 0x60;
const TEXT_OPEN: u8 = 0x7f;
const NULL: u8 = 0xf6;
const UNDEFINED: u8 = 0xf7;
/// Most items that a list gets room for before they are seen.
const ITEMS_AT_ONCE: usize = 1_024;

pub(crate) fn decode(route: &Route, body: &[u8]) -> Result<Value, Fault> {
    let Some(structure) = route.operation.input.as_ref().and_then(|name| route.service.structure(name)) else {
        return Ok(Value::Null);
    };
    if body.is_empty() {
        return Ok(Value::Struct(vec![Value::Null; structure.members.len()]));
    }
    let mut reader = Reader { route, decoder: Decoder::new(body) };
    let value = reader.structure(structure, &Path::Root, DEPTH_MAX)?;
    if reader.decoder.position() != body.len() {
        return Err(bad("more bytes than a request"));
    }
    Ok(value)
}

fn bad(message: impl std::fmt::Display) -> Fault {
    Fault::client("SerializationException", message.to_string())
}

fn too_deep() -> Fault {
    bad("the request is nested too deeply")
}

struct Reader<'a> {
    route: &'a Route,
    decoder: Decoder<'a>,
}

impl<'a> Reader<'a> {
    /// The first byte of what comes next: kind, and length or value. It tells the usual cases apart sooner than `kind` does.
    fn first_byte(&self) -> u8 {
        self.decoder.input().get(self.decoder.position()).copied().unwrap_or_default()
    }

    fn kind(&self) -> Result<Kind, Fault> {
        self.decoder.datatype().map_err(bad)
    }

    fn expected(path: &Path, what: &str) -> Fault {
        let path = path.slashed();
        bad(format!("{} must be {what}", if path.is_empty() { "the request" } else { &path }))
    }

    /// Calls `item` for each entry of a list or map of known or open length.
    fn each(&mut self, length: Option<u64>, mut item: impl FnMut(&mut Self, usize) -> Result<(), Fault>) -> Result<(), Fault> {
        // Each entry takes a byte at least, so that a length that lies ends with the body.
        for n in 0.. {
            match length {
                Some(length) if n as u64 == length => return Ok(()),
                None if self.kind()? == Kind::Break => return self.decoder.skip().map_err(bad),
                _ => item(self, n)?,
            }
        }
        Ok(())
    }

    fn structure(&mut self, structure: &Structure, path: &Path, depth: usize) -> Result<Value, Fault> {
        if !matches!(self.kind()?, Kind::Map | Kind::MapIndef) {
            return Err(Self::expected(path, "a map"));
        }
        let length = self.decoder.map().map_err(bad)?;
        let members = &structure.members;
        let mut slots = Vec::new();
        slots.resize_with(members.len(), Value::default);
        // Looked for after the last one first, for many write them in order.
        let mut next = 0;
        self.each(length, |reader, _| {
            let name = reader.text(path)?;
            let Some(at) = (next..members.len()).chain(0..next).find(|at| members[*at].name == name) else {
                return Err(bad(format!("{}/{name} is not recognized", path.slashed())));
            };
            slots[at] = reader.value(&members[at].shape, &Path::Name(path, &name), depth)?;
            next = at + 1;
            Ok(())
        })?;
        Ok(Value::Struct(slots))
    }

    fn list(&mut self, length: Option<u64>, item: &Type, path: &Path, depth: usize) -> Result<Value, Fault> {
        // As many as it says, but a length that lies takes little room.
        let room = length.and_then(|n| usize::try_from(n).ok()).unwrap_or(0).min(ITEMS_AT_ONCE);
        let mut items = Vec::with_capacity(room);
        let structure = if let Type::Structure(name) = item { self.route.service.structure(name) } else { None };
        self.each(length, |reader, n| {
            let path = Path::Item(path, n);
            items.push(match structure {
                Some(structure) if matches!(reader.kind()?, Kind::Map | Kind::MapIndef) => {
                    let deeper = depth.checked_sub(1).ok_or_else(too_deep)?;
                    reader.structure(structure, &path, deeper)?
                }
                _ => reader.present(item, &path, depth)?,
            });
            Ok(())
        })?;
        Ok(Value::List(items))
    }

    fn text(&mut self, path: &Path) -> Result<Cow<'a, str>, Fault> {
        if matches!(self.first_byte(), TEXT..TEXT_OPEN) {
            return self.decoder.str().map(Cow::Borrowed).map_err(bad);
        }
        match self.kind()? {
            Kind::StringIndef => {
                let parts = self.decoder.str_iter().map_err(bad)?;
                parts.collect::<Result<String, _>>().map(Cow::Owned).map_err(bad)
            }
            _ => Err(Self::expected(path, "a string")),
        }
    }

    fn bytes(&mut self, path: &Path) -> Result<Vec<u8>, Fault> {
        match self.kind()? {
            Kind::Bytes => self.decoder.bytes().map(<[u8]>::to_vec).map_err(bad),
            Kind::BytesIndef => {
                let mut all = Vec::new();
                for part in self.decoder.bytes_iter().map_err(bad)? {
                    all.extend_from_slice(part.map_err(bad)?);
                }
                Ok(all)
            }
            _ => Err(Self::expected(path, "a byte string")),
        }
    }

    fn integer(&mut self, path: &Path) -> Result<i64, Fault> {
        match self.kind()? {
            Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 | Kind::I8 | Kind::I16 | Kind::I32 | Kind::I64 | Kind::Int => {
                self.decoder.i64().map_err(|_| Self::expected(path, "an integer of 64 bits"))
            }
            _ => Err(Self::expected(path, "an integer")),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a number where a float is due may be written as an integer")]
    fn float(&mut self, path: &Path) -> Result<f64, Fault> {
        match self.kind()? {
            Kind::F16 => self.decoder.f16().map(f64::from).map_err(bad),
            Kind::F32 => self.decoder.f32().map(f64::from).map_err(bad),
            Kind::F64 => self.decoder.f64().map_err(bad),
            _ => self.integer(path).map(|n| n as f64).map_err(|_| Self::expected(path, "a number")),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a float casts to the nearest integer that there is")]
    fn time(&mut self, path: &Path) -> Result<Time, Fault> {
        if self.kind()? != Kind::Tag || self.decoder.tag().map_err(bad)? != EPOCH {
            return Err(Self::expected(path, "a moment: tag 1 and seconds since 1970"));
        }
        self.float(path).map(|seconds| Time::from_unix_ms((seconds * 1_000.0).round() as i64))
    }

    /// A value of a list or map, which cannot be absent as a member can.
    fn present(&mut self, shape: &Type, path: &Path, depth: usize) -> Result<Value, Fault> {
        if self.is_null() {
            return Err(Self::expected(path, "present"));
        }
        self.value(shape, path, depth)
    }

    fn is_null(&self) -> bool {
        matches!(self.first_byte(), NULL | UNDEFINED)
    }

    fn value(&mut self, shape: &Type, path: &Path, depth: usize) -> Result<Value, Fault> {
        if self.is_null() {
            return self.decoder.skip().map(|()| Value::Null).map_err(bad);
        }
        let deeper = depth.checked_sub(1).ok_or_else(too_deep)?;
        Ok(match shape {
            Type::Structure(name) => match self.route.service.structure(name) {
                Some(structure) => self.structure(structure, path, deeper)?,
                None => return Err(Self::expected(path, "absent")),
            },
            Type::List { item, .. } => {
                if !matches!(self.kind()?, Kind::Array | Kind::ArrayIndef) {
                    return Err(Self::expected(path, "a list"));
                }
                let length = self.decoder.array().map_err(bad)?;
                self.list(length, item, path, deeper)?
            }
            Type::Map { value, .. } => {
                if !matches!(self.kind()?, Kind::Map | Kind::MapIndef) {
                    return Err(Self::expected(path, "a map"));
                }
                let length = self.decoder.map().map_err(bad)?;
                let mut entries = Vec::new();
                self.each(length, |reader, _| {
                    let key = reader.text(path)?;
                    let item = reader.present(value, &Path::Key(path, &key), deeper)?;
                    entries.push((key.into_owned(), item));
                    Ok(())
                })?;
                Value::Map(entries)
            }
            Type::Str | Type::Text(_) => Value::Str(self.text(path)?.into_owned()),
            Type::Bool if self.kind()? == Kind::Bool => Value::Bool(self.decoder.bool().map_err(bad)?),
            Type::Bool => return Err(Self::expected(path, "true or false")),
            Type::Int => {
                let fits = self.integer(path).ok().filter(|n| i32::try_from(*n).is_ok());
                Value::Int(fits.ok_or_else(|| Self::expected(path, "an integer of 32 bits"))?)
            }
            Type::Long => Value::Int(self.integer(path)?),
            Type::F32 | Type::F64 => Value::Float(self.float(path)?),
            Type::Blob => Value::Blob(self.bytes(path)?),
            Type::Time(_) => Value::Time(self.time(path)?),
        })
    }
}

pub(crate) fn answer(route: &Route, value: &Value) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    match route.operation.output.as_ref().and_then(|name| route.service.structure(name)) {
        Some(structure) => write_structure(&mut encoder, route, structure, value),
        None => written(encoder.map(0)),
    }
    encoder.into_writer()
}

pub(crate) fn fault(code: &str, message: &str) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    written(encoder.map(2));
    for text in ["__type", code, "message", message] {
        written(encoder.str(text));
    }
    encoder.into_writer()
}

/// Bytes in memory take everything.
fn written<T>(outcome: Result<T, minicbor::encode::Error<std::convert::Infallible>>) {
    assert!(outcome.is_ok(), "CBOR could not be written to memory");
}

fn write_structure(encoder: &mut Encoder<Vec<u8>>, route: &Route, structure: &Structure, value: &Value) {
    let slots = if let Value::Struct(slots) = value { slots.as_slice() } else { &[] };
    let present = || structure.members.iter().zip(slots).filter(|(_, slot)| **slot != Value::Null);
    written(encoder.map(present().count() as u64));
    for (member, slot) in present() {
        written(encoder.str(&member.name));
        write(encoder, route, &member.shape, slot);
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a double for ages")]
fn write(encoder: &mut Encoder<Vec<u8>>, route: &Route, shape: &Type, value: &Value) {
    match (shape, value) {
        (Type::Structure(name), value) => match route.service.structure(name) {
            Some(structure) => write_structure(encoder, route, structure, value),
            None => written(encoder.null()),
        },
        (Type::List { item, .. }, Value::List(items)) => {
            written(encoder.array(items.len() as u64));
            items.iter().for_each(|one| write(encoder, route, item, one));
        }
        (Type::Map { value: item, .. }, Value::Map(entries)) => {
            written(encoder.map(entries.len() as u64));
            for (key, one) in entries {
                written(encoder.str(key));
                write(encoder, route, item, one);
            }
        }
        (_, Value::Bool(b)) => written(encoder.bool(*b)),
        (_, Value::Int(n)) => written(encoder.i64(*n)),
        (_, Value::Float(n)) => written(encoder.f64(*n)),
        (_, Value::Str(s)) => written(encoder.str(s)),
        (_, Value::Blob(bytes)) => written(encoder.bytes(bytes)),
        (_, Value::Time(t)) => {
            written(encoder.tag(EPOCH));
            written(encoder.f64(t.unix_ms() as f64 / 1_000.0));
        }
        _ => written(encoder.null()),
    }
}
