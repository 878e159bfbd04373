//! Answers of the query protocols.

use std::fmt::Write;

use base::{Fault, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use models::{Service, Structure, Type};

use crate::route::{Protocol, Route};

/// Structures that hold what was given and no more: a list that was not is left out, there and in what they hold. Anywhere else
/// it is an empty element.
const SPARSE: [&str; 1] = ["ResponseLaunchTemplateData"];

pub(crate) fn answer(route: &Route, value: &Value, request_id: &str) -> Vec<u8> {
    let mut xml = Xml { text: String::with_capacity(1_024), service: route.service, is_sparse: false };
    let name = &route.operation.name;
    let namespace = route.service.xml_namespace.as_deref().unwrap_or_default();
    let output = route.operation.output.as_ref().and_then(|o| route.service.structure(o));
    if route.protocol == Protocol::Ec2 {
        let _ = write!(xml.text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{name}Response xmlns=\"{namespace}/\">");
        xml.element("requestId", request_id);
        if let Some(output) = output {
            xml.members(output, value);
        }
    } else {
        let _ = write!(xml.text, "<{name}Response xmlns=\"{namespace}\">");
        if let Some(output) = output {
            let wrapper = route.operation.wrapper.as_deref();
            xml.open(wrapper);
            xml.members(output, value);
            xml.close(wrapper);
        }
        xml.open(Some("ResponseMetadata"));
        xml.element("RequestId", request_id);
        xml.close(Some("ResponseMetadata"));
    }
    let _ = write!(xml.text, "</{name}Response>");
    xml.text.into_bytes()
}

pub(crate) fn query_fault(fault: &Fault, namespace: Option<&str>, request_id: &str) -> Vec<u8> {
    let kind = if fault.http < 500 { "Sender" } else { "Receiver" };
    let namespace = namespace.map(|n| format!(" xmlns=\"{n}\"")).unwrap_or_default();
    let text = format!(
        "<ErrorResponse{namespace}><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
        escaped(&fault.code),
        escaped(&fault.message),
        escaped(request_id)
    );
    text.into_bytes()
}

pub(crate) fn ec2_fault(fault: &Fault, request_id: &str) -> Vec<u8> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors><RequestID>{}</RequestID></Response>",
        escaped(&fault.code),
        escaped(&fault.message),
        escaped(request_id)
    );
    text.into_bytes()
}

struct Xml {
    text: String,
    service: &'static Service,
    is_sparse: bool,
}

impl Xml {
    fn open(&mut self, name: Option<&str>) {
        if let Some(name) = name {
            let _ = write!(self.text, "<{name}>");
        }
    }

    fn close(&mut self, name: Option<&str>) {
        if let Some(name) = name {
            let _ = write!(self.text, "</{name}>");
        }
    }

    fn element(&mut self, name: &str, text: &str) {
        self.open(Some(name));
        escape(text, &mut self.text);
        self.close(Some(name));
    }

    fn members(&mut self, structure: &Structure, value: &Value) {
        let Value::Struct(slots) = value else { return };
        for (member, slot) in structure.members.iter().zip(slots).filter(|(_, slot)| **slot != Value::Null) {
            self.member(member.wire_name.as_deref().unwrap_or(&member.name), &member.shape, slot);
        }
    }

    fn member(&mut self, name: &str, shape: &Type, value: &Value) {
        match (shape, value) {
            (Type::List { flat: true, item, .. }, Value::List(items)) => items.iter().for_each(|i| self.member(name, item, i)),
            (Type::List { .. }, Value::List(items)) if items.is_empty() && self.is_sparse => {}
            (Type::List { item_name, item, .. }, Value::List(items)) => {
                let item_name = item_name.as_deref().unwrap_or("member");
                self.open(Some(name));
                items.iter().for_each(|i| self.member(item_name, item, i));
                self.close(Some(name));
            }
            (Type::Map { flat, key_name, value_name, value: item, .. }, Value::Map(entries)) => {
                let (key, inner) = (key_name.as_deref().unwrap_or("key"), value_name.as_deref().unwrap_or("value"));
                let entry = Some(if *flat { name } else { "entry" });
                self.open(Some(name).filter(|_| !flat));
                for (k, v) in entries {
                    self.open(entry);
                    self.element(key, k);
                    self.member(inner, item, v);
                    self.close(entry);
                }
                self.close(Some(name).filter(|_| !flat));
            }
            (Type::Structure(structure), value) => {
                let around = self.is_sparse;
                self.is_sparse |= SPARSE.contains(&structure.as_str());
                self.open(Some(name));
                if let Some(structure) = self.service.structure(structure) {
                    self.members(structure, value);
                }
                self.close(Some(name));
                self.is_sparse = around;
            }
            (_, value) => self.element(name, &scalar(value)),
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Float(n) => n.to_string(),
        Value::Str(s) => s.clone(),
        Value::Blob(bytes) => STANDARD.encode(bytes),
        Value::Time(t) => t.iso8601_ms(),
        Value::Null | Value::List(_) | Value::Map(_) | Value::Struct(_) => String::new(),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape(text, &mut out);
    out
}

/// Text as XML 1.0 can hold it; characters that it cannot hold become U+FFFD.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\n' | '\t' => out.push(c),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}
