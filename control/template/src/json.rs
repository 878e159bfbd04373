//! Reads a JSON template. YAML covers most of JSON, but not tabs before a key, surrogate pairs, long keys or escapes
//! such as `\/`, and its errors would not speak of JSON.

use std::collections::HashMap;

use crate::error::{Position, TemplateErrors};
use crate::node::{Entry, Node, NodeKind, Scalar, Style};
use crate::read::{DEPTH_MAX, NODES_MAX, fault, note_key};

pub(crate) fn read(text: &str) -> Result<Node, TemplateErrors> {
    let mut reader = Reader { rest: text, at: Position { line: 1, column: 1 }, nodes: 0 };
    let root = reader.value(0)?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(root),
        Some(_) => Err(reader.wrong("the end of the template")),
    }
}

struct Reader<'a> {
    rest: &'a str,
    at: Position,
    nodes: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.at = Position { line: self.at.line + 1, column: 1 };
        } else {
            self.at.column += 1;
        }
        Some(c)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.next();
        }
    }

    fn wrong(&self, expected: &str) -> TemplateErrors {
        let Position { line, column } = self.at;
        let found = self.peek().map_or_else(|| "the end".to_string(), |c| format!("'{}'", c.escape_default()));
        let message = format!(
            "Template format error: JSON not well-formed. (line {line}, column {column}): expected {expected}, found {found}"
        );
        fault(self.at, message)
    }

    fn expect(&mut self, c: char) -> Result<(), TemplateErrors> {
        self.skip_space();
        if self.peek() != Some(c) {
            return Err(self.wrong(&format!("'{c}'")));
        }
        self.next();
        Ok(())
    }

    /// A value; recursion is bounded by [`DEPTH_MAX`].
    fn value(&mut self, depth: usize) -> Result<Node, TemplateErrors> {
        self.skip_space();
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(fault(self.at, format!("Template format error: more than {NODES_MAX} values.")));
        }
        if depth > DEPTH_MAX {
            return Err(fault(self.at, format!("Template format error: nested deeper than {DEPTH_MAX} levels.")));
        }
        let position = self.at;
        let kind = match self.peek() {
            Some('{') => self.map(depth)?,
            Some('[') => self.list(depth)?,
            Some('"') => NodeKind::Scalar(Scalar { text: self.string()?, style: Style::Quoted }),
            _ => NodeKind::Scalar(Scalar { text: self.word()?, style: Style::Plain }),
        };
        Ok(Node { kind, position, tag: None })
    }

    fn map(&mut self, depth: usize) -> Result<NodeKind, TemplateErrors> {
        self.expect('{')?;
        let (mut entries, mut seen) = (Vec::new(), HashMap::new());
        self.skip_space();
        if self.peek() == Some('}') {
            self.next();
            return Ok(NodeKind::Map(entries));
        }
        loop {
            self.skip_space();
            let key_position = self.at;
            if self.peek() != Some('"') {
                return Err(self.wrong("a key in double quotes"));
            }
            let key = self.string()?;
            note_key(&key, key_position, &mut seen)?;
            self.expect(':')?;
            let value = self.value(depth + 1)?;
            entries.push(Entry { key, key_position, value });
            if !self.goes_on('}')? {
                return Ok(NodeKind::Map(entries));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<NodeKind, TemplateErrors> {
        self.expect('[')?;
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(']') {
            self.next();
            return Ok(NodeKind::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if !self.goes_on(']')? {
                return Ok(NodeKind::List(items));
            }
        }
    }

    /// Whether a comma follows rather than the end.
    fn goes_on(&mut self, end: char) -> Result<bool, TemplateErrors> {
        self.skip_space();
        match self.peek() {
            Some(',') => {
                self.next();
                Ok(true)
            }
            Some(c) if c == end => {
                self.next();
                Ok(false)
            }
            _ => Err(self.wrong(&format!("',' or '{end}'"))),
        }
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<String, TemplateErrors> {
        let length = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(self.rest.len());
        let word = &self.rest[..length];
        let known = matches!(word, "true" | "false" | "null") || serde_json::from_str::<serde_json::Number>(word).is_ok();
        if !known {
            return Err(self.wrong("a value"));
        }
        let word = word.to_string();
        self.rest = &self.rest[length..];
        self.at.column += length;
        Ok(word)
    }

    fn string(&mut self) -> Result<String, TemplateErrors> {
        self.expect('"')?;
        let mut text = String::new();
        loop {
            match self.peek() {
                Some('"') => {
                    self.next();
                    return Ok(text);
                }
                Some('\\') => {
                    self.next();
                    text.push(self.escape()?);
                }
                Some(c) if c >= ' ' => {
                    self.next();
                    text.push(c);
                }
                _ => return Err(self.wrong("the end of the string, '\"'")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, TemplateErrors> {
        let known = match self.peek() {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => return self.unicode(),
            _ => return Err(self.wrong("an escape such as \\n or \\u0041")),
        };
        self.next();
        Ok(known)
    }

    fn unicode(&mut self) -> Result<char, TemplateErrors> {
        let high = self.hex4()?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high).ok_or_else(|| self.wrong("a character before this point"));
        }
        if self.peek() == Some('\\') {
            self.next();
        }
        let low = self.hex4()?;
        let whole = (0xdc00..0xe000).contains(&low).then(|| 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
        whole.and_then(char::from_u32).ok_or_else(|| self.wrong("the second half of a surrogate pair before this point"))
    }

    /// `u` and four hexadecimal digits.
    fn hex4(&mut self) -> Result<u32, TemplateErrors> {
        if self.peek() != Some('u') {
            return Err(self.wrong("\\u"));
        }
        self.next();
        let mut number = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(16)) else {
                return Err(self.wrong("four hexadecimal digits"));
            };
            self.next();
            number = number * 16 + digit;
        }
        Ok(number)
    }
}
