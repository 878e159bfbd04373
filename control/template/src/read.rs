//! Reads a template's text, YAML or JSON, into nodes. Bounded in bytes, depth and number of nodes; it never recurses
//! over the input and never panics.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use crate::error::{Position, TemplateError, TemplateErrors};
use crate::node::{Entry, Node, NodeKind, Scalar, Style};
use crate::path::Path;

/// Largest template that is read, in bytes: what CloudFormation takes from S3.
pub const TEMPLATE_BYTES_MAX: usize = 1_048_576;
/// Largest template in a request's `TemplateBody` at AWS, in bytes.
pub const INLINE_BYTES_MAX: usize = 51_200;
/// Deepest nesting.
pub const DEPTH_MAX: usize = 64;
/// Most values in a template.
pub const NODES_MAX: usize = 200_000;

/// The template's root node.
pub fn read(text: &str) -> Result<Node, TemplateErrors> {
    if text.len() > TEMPLATE_BYTES_MAX {
        let message = format!("Template may not exceed {TEMPLATE_BYTES_MAX} bytes in size, not {}.", text.len());
        return Err(fault(Position { line: 1, column: 1 }, message));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        return crate::json::read(text);
    }
    Builder::default().run(text)
}

pub(crate) fn fault(position: Position, message: impl Into<String>) -> TemplateErrors {
    TemplateError::new(position, &Path::ROOT, message).into()
}

fn place(marker: Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

/// A list or map whose end has not come yet.
struct Open {
    position: Position,
    tag: Option<String>,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: HashMap<String, Position>, key: Option<(String, Position)> },
}

impl Content {
    fn map() -> Self {
        Content::Map { entries: Vec::new(), seen: HashMap::new(), key: None }
    }
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
}

impl Builder {
    fn run(mut self, text: &str) -> Result<Node, TemplateErrors> {
        let mut parser = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|e| {
                let at = place(*e.marker());
                let message = format!(
                    "Template format error: YAML not well-formed. (line {}, column {}): {}",
                    at.line,
                    at.column,
                    e.info()
                );
                fault(at, message)
            })?;
            self.take(event, place(span.start))?;
        }
        self.root.ok_or_else(|| fault(Position { line: 1, column: 1 }, "Template format error: the template is empty."))
    }

    fn take(&mut self, event: Event<'_>, at: Position) -> Result<(), TemplateErrors> {
        match event {
            Event::Alias(_) => Err(fault(at, "Template format error: YAML aliases are not allowed in CloudFormation templates")),
            Event::Scalar(text, style, _, tag) => {
                let mut style = if style == ScalarStyle::Plain { Style::Plain } else { Style::Quoted };
                let tag = tag.map(|tag| function_tag(&tag, &mut style, at)).transpose()?.flatten();
                let kind = NodeKind::Scalar(Scalar { text: text.into_owned(), style });
                self.add(Node { kind, position: at, tag })
            }
            Event::SequenceStart(_, tag) => self.begin(Content::List(Vec::new()), tag.as_deref(), at),
            Event::MappingStart(_, tag) => self.begin(Content::map(), tag.as_deref(), at),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(fault(at, "Template format error: a template is one YAML document; a second one begins here."))
            }
            Event::DocumentStart(_) | Event::DocumentEnd | Event::StreamStart | Event::StreamEnd | Event::Nothing => Ok(()),
        }
    }

    fn begin(&mut self, content: Content, tag: Option<&Tag>, at: Position) -> Result<(), TemplateErrors> {
        if self.open.len() >= DEPTH_MAX {
            return Err(fault(at, format!("Template format error: nested deeper than {DEPTH_MAX} levels.")));
        }
        if let Some(Open { content: Content::Map { key: None, .. }, .. }) = self.open.last() {
            return Err(fault(at, "Template format error: a key must be a string."));
        }
        let mut style = Style::Plain;
        let tag = tag.map(|tag| function_tag(tag, &mut style, at)).transpose()?.flatten();
        self.open.push(Open { position: at, tag, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), TemplateErrors> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let kind = match open.content {
            Content::List(items) => NodeKind::List(items),
            Content::Map { entries, .. } => NodeKind::Map(entries),
        };
        self.add(Node { kind, position: open.position, tag: open.tag })
    }

    /// Puts a finished node where it belongs: a key, a value, an item, or the root.
    fn add(&mut self, node: Node) -> Result<(), TemplateErrors> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(fault(node.position, format!("Template format error: more than {NODES_MAX} values.")));
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, key, .. }) if key.is_some() => {
                if let Some((key, key_position)) = key.take() {
                    entries.push(Entry { key, key_position, value: node });
                }
            }
            Some(Content::Map { seen, key, .. }) => *key = Some(new_key(node, seen)?),
        }
        Ok(())
    }
}

fn new_key(node: Node, seen: &mut HashMap<String, Position>) -> Result<(String, Position), TemplateErrors> {
    let at = node.position;
    let NodeKind::Scalar(scalar) = node.kind else {
        return Err(fault(at, "Template format error: a key must be a string."));
    };
    if node.tag.is_some() || scalar.is_null() {
        return Err(fault(at, "Template format error: a key must be a string."));
    }
    if scalar.text == "<<" && scalar.style == Style::Plain {
        return Err(fault(at, "Template format error: YAML merge keys (<<) are not allowed in CloudFormation templates."));
    }
    note_key(&scalar.text, at, seen)?;
    Ok((scalar.text, at))
}

/// Refuses a key that its map has already.
pub(crate) fn note_key(key: &str, at: Position, seen: &mut HashMap<String, Position>) -> Result<(), TemplateErrors> {
    match seen.insert(key.to_string(), at) {
        Some(first) => {
            let message = format!("Template format error: the key {key} is a duplicate; the first one is at {first}.");
            Err(fault(at, message))
        }
        None => Ok(()),
    }
}

/// The short function that a tag names. YAML's own tags mark plain values; only those that CloudFormation takes pass.
fn function_tag(tag: &Tag, style: &mut Style, at: Position) -> Result<Option<String>, TemplateErrors> {
    if tag.is_yaml_core_schema() {
        return match tag.suffix.as_str() {
            "str" => {
                *style = Style::Quoted;
                Ok(None)
            }
            "int" | "float" | "bool" | "null" | "seq" | "map" => Ok(None),
            other => Err(fault(at, format!("Template format error: the YAML tag !!{other} is not supported."))),
        };
    }
    if tag.handle == "!" && !tag.suffix.is_empty() {
        // What is tagged is not guessed at: `!GetAZs` alone has the empty string.
        *style = Style::Quoted;
        return Ok(Some(tag.suffix.clone()));
    }
    // A lone `!` says that the value is a string.
    if tag.suffix.is_empty() || tag.suffix == "!" {
        *style = Style::Quoted;
        return Ok(None);
    }
    Err(fault(at, format!("Template format error: the YAML tag {tag} is not supported.")))
}
