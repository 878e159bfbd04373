//! Requests of the query protocols: `Filter.1.Value.2=x` to a tree, and the tree to a value.

use std::collections::BTreeMap;

use base::{Fault, Time, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use models::{Member, Structure, Type};

use crate::route::{Protocol, Route};
use crate::{DEPTH_MAX, validate};

/// Most nodes of a request's tree: a small body of deep names could make a very large one.
const NODES_MAX: usize = 65_536;

#[derive(Debug, Default)]
struct Node {
    text: Option<String>,
    children: BTreeMap<String, Node>,
}

/// Parameters that every request may carry beside its operation's members.
const COMMON: [&str; 9] = [
    "Action",
    "Version",
    "AWSAccessKeyId",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
];

pub(crate) fn decode(route: &Route, parameters: &[(String, String)]) -> Result<Value, Fault> {
    let decoder = Decoder { route };
    let (mut root, mut nodes) = (Node::default(), 0);
    for (key, text) in parameters.iter().filter(|(key, _)| !COMMON.contains(&key.as_str()) && key != "X-Amz-Security-Token") {
        let mut node = &mut root;
        for (depth, part) in key.split('.').enumerate() {
            if depth == DEPTH_MAX {
                return Err(decoder.unknown(key));
            }
            if !node.children.contains_key(part) {
                nodes += 1;
                if nodes > NODES_MAX {
                    return Err(Fault::new(400, "MalformedQueryString", "The request has too many parameters"));
                }
            }
            node = node.children.entry(part.to_string()).or_default();
        }
        node.text = Some(text.clone());
    }
    match route.operation.input.as_ref().and_then(|name| route.service.structure(name)) {
        Some(structure) => decoder.structure(structure, root, ""),
        None => match root.children.keys().next() {
            Some(key) => Err(decoder.unknown(key)),
            None => Ok(Value::Null),
        },
    }
}

struct Decoder<'a> {
    route: &'a Route,
}

impl Decoder<'_> {
    fn is_ec2(&self) -> bool {
        self.route.protocol == Protocol::Ec2
    }

    fn name<'m>(&self, member: &'m Member) -> &'m str {
        let own = if self.is_ec2() { member.query_name.as_ref() } else { member.wire_name.as_ref() };
        own.unwrap_or(&member.name)
    }

    fn structure(&self, structure: &Structure, mut node: Node, path: &str) -> Result<Value, Fault> {
        self.textless(&node, path, "complex")?;
        let mut slots = Vec::with_capacity(structure.members.len());
        for member in &structure.members {
            let name = self.name(member);
            slots.push(match node.children.remove(name) {
                Some(child) => self.value(&member.shape, child, &join(path, name))?,
                None => Value::Null,
            });
        }
        match node.children.into_keys().next() {
            Some(unknown) => Err(self.unknown(&join(path, &unknown))),
            None => Ok(Value::Struct(slots)),
        }
    }

    fn value(&self, shape: &Type, node: Node, path: &str) -> Result<Value, Fault> {
        match shape {
            Type::Structure(name) => match self.route.service.structure(name) {
                Some(structure) => self.structure(structure, node, path),
                None => Ok(Value::Null),
            },
            Type::List { flat, item_name, item } => {
                let items =
                    if *flat || self.is_ec2() { node } else { self.only(node, item_name.as_deref().unwrap_or("member"), path)? };
                let each = self.numbered(items, path)?;
                each.into_iter()
                    .map(|(n, child)| self.value(item, child, &join(path, &n.to_string())))
                    .collect::<Result<_, _>>()
                    .map(Value::List)
            }
            Type::Map { flat, key_name, value_name, value, .. } => {
                let entries = if *flat { node } else { self.only(node, "entry", path)? };
                let (key_name, value_name) = (key_name.as_deref().unwrap_or("key"), value_name.as_deref().unwrap_or("value"));
                let mut map = Vec::new();
                for (n, mut entry) in self.numbered(entries, path)? {
                    let path = join(path, &n.to_string());
                    self.textless(&entry, &path, "map entry")?;
                    let key = entry
                        .children
                        .remove(key_name)
                        .and_then(|k| k.text)
                        .ok_or_else(|| self.bad(&path, "a key is missing"))?;
                    let item = entry.children.remove(value_name).unwrap_or_default();
                    if let Some(unknown) = entry.children.into_keys().next() {
                        return Err(self.unknown(&join(&path, &unknown)));
                    }
                    map.push((key, self.value(value, item, &path)?));
                }
                Ok(Value::Map(map))
            }
            scalar => {
                if let Some(unknown) = node.children.into_keys().next() {
                    return Err(self.unknown(&join(path, &unknown)));
                }
                scalar_value(scalar, node.text.unwrap_or_default()).map_err(|expected| self.bad(path, expected))
            }
        }
    }

    /// The one child that holds a list's items; none for an empty list, which clients write as `Name=`.
    fn only(&self, mut node: Node, name: &str, path: &str) -> Result<Node, Fault> {
        self.textless(&node, path, "list")?;
        let inner = node.children.remove(name).unwrap_or_default();
        match node.children.into_keys().next() {
            Some(unknown) => Err(self.unknown(&join(path, &unknown))),
            None => Ok(inner),
        }
    }

    /// The items of a list in the order of their numbers, which may have gaps.
    fn numbered(&self, node: Node, path: &str) -> Result<BTreeMap<u32, Node>, Fault> {
        self.textless(&node, path, "list")?;
        let each = node.children.into_iter();
        each.map(|(key, child)| key.parse::<u32>().map(|n| (n, child)).map_err(|_| self.unknown(&join(path, &key)))).collect()
    }

    /// Refuses a text where there are parts to name. An empty one stands for none of them.
    fn textless(&self, node: &Node, path: &str, kind: &str) -> Result<(), Fault> {
        if node.text.as_ref().is_none_or(String::is_empty) {
            return Ok(());
        }
        Err(match self.is_ec2() {
            true => self.bad(path, "numbered or named parts are expected"),
            false => Fault::client("MalformedInput", format!("Unexpected {kind} element termination at '{path}'")),
        })
    }

    fn unknown(&self, name: &str) -> Fault {
        if self.is_ec2() {
            Fault::client("UnknownParameter", format!("The parameter {name} is not recognized"))
        } else {
            Fault::validation(format!("The parameter {name} is not recognized"))
        }
    }

    fn bad(&self, path: &str, expected: &str) -> Fault {
        if self.is_ec2() {
            Fault::client("InvalidParameterValue", format!("Invalid value for {path}: {expected}"))
        } else {
            Fault::client(validate::code(self.route), format!("Invalid value at '{path}': {expected}"))
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.into() } else { format!("{path}.{name}") }
}

/// A scalar from its text; the error says what was expected.
fn scalar_value(shape: &Type, text: String) -> Result<Value, &'static str> {
    Ok(match shape {
        Type::Bool => match text.to_ascii_lowercase().as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return Err("true or false is expected"),
        },
        Type::Int => Value::Int(text.parse::<i32>().map_err(|_| "an integer is expected")?.into()),
        Type::Long => Value::Int(text.parse().map_err(|_| "an integer is expected")?),
        Type::F32 | Type::F64 => {
            let number: f64 = text.parse().map_err(|_| "a number is expected")?;
            if !number.is_finite() {
                return Err("a finite number is expected");
            }
            Value::Float(number)
        }
        Type::Blob => Value::Blob(STANDARD.decode(text).map_err(|_| "base64 is expected")?),
        Type::Time(_) => Value::Time(Time::parse_iso8601(&text).ok_or("a moment in ISO 8601 is expected")?),
        _ => Value::Str(text),
    })
}
