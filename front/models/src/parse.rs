use std::collections::BTreeMap;

use crate::{Kind, Location, Member, Operation, Range, Service, Structure, Text, TimeFormat, Type};

/// Reads a description. The format is explained at the head of `idl.py`, which writes it. An error names the line.
pub fn parse(text: &str) -> Result<Service, String> {
    let mut lines = text.lines().enumerate().peekable();
    let (_, first) = lines.next().ok_or("the description is empty")?;
    let mut service = head(first)?;
    for line in text.lines().filter(|l| l.starts_with("string ")) {
        let shape = string(line)?;
        service.strings.insert(shape.name.clone(), shape);
    }
    while let Some((number, line)) = lines.next() {
        let outcome = match line.split(' ').next() {
            Some("op") => operation(line).map(|o| service.operations.push(o)),
            Some("string") => Ok(()),
            Some("struct" | "union" | "error") => structure(line).and_then(|mut s| {
                while let Some((_, member_line)) = lines.next_if(|(_, l)| l.starts_with(' ')) {
                    s.members.push(member(member_line.trim_start(), &service.strings)?);
                }
                service.structures.insert(s.name.clone(), s);
                Ok(())
            }),
            _ => Err("not understood".into()),
        };
        outcome.map_err(|e: String| format!("line {}: {e}: {line}", number + 1))?;
    }
    Ok(service)
}

fn head(line: &str) -> Result<Service, String> {
    let words: Vec<&str> = line.split(' ').collect();
    let ["service", name, protocols, version, signing_name, target, json, namespace] = words[..] else {
        return Err(format!("line 1: a service line is expected: {line}"));
    };
    Ok(Service {
        name: name.into(),
        protocols: protocols.split(',').map(str::to_string).collect(),
        version: version.into(),
        signing_name: signing_name.into(),
        target_prefix: some(target),
        json_version: some(json),
        xml_namespace: some(namespace),
        operations: Vec::new(),
        structures: BTreeMap::new(),
        strings: BTreeMap::new(),
    })
}

fn some(word: &str) -> Option<String> {
    (word != "-").then(|| word.into())
}

fn operation(line: &str) -> Result<Operation, String> {
    let mut words = line.split(' ').skip(1);
    let mut word = || words.next().ok_or_else(|| "a word is missing".to_string());
    let (name, input, output) = (word()?.to_string(), some(word()?), some(word()?));
    let mut operation = Operation {
        wrapper: None,
        name,
        input,
        output,
        method: "POST".into(),
        status: 200,
        uri: "/".into(),
        root: None,
        anonymous: false,
        errors: Vec::new(),
    };
    for word in words {
        match word.split_once('=') {
            Some(("http", http)) => {
                let mut parts = http.splitn(3, ':');
                let mut part = || parts.next().ok_or("http=METHOD:STATUS:URI is expected");
                operation.method = part()?.into();
                operation.status = part()?.parse().map_err(|_| "a status is expected")?;
                operation.uri = part()?.into();
            }
            Some(("wrap", wrapper)) => operation.wrapper = Some(wrapper.into()),
            Some(("root", root)) => operation.root = Some(root.into()),
            Some(("err", errors)) => operation.errors = errors.split(',').map(str::to_string).collect(),
            None if word == "wrap" => operation.wrapper = Some(format!("{}Result", operation.name)),
            None if word == "noauth" => operation.anonymous = true,
            _ => return Err(format!("{word} is unknown")),
        }
    }
    Ok(operation)
}

fn structure(line: &str) -> Result<Structure, String> {
    let words: Vec<&str> = line.split(' ').collect();
    let (kind, name, mode) = match words[..] {
        ["struct", name, mode] => (Kind::Struct, name, mode),
        ["union", name, mode] => (Kind::Union, name, mode),
        ["error", name, mode, _, _] => (Kind::Error, name, mode),
        _ => return Err("KIND NAME MODE is expected".into()),
    };
    let error = match words.get(3..5) {
        Some([code, status]) => Some(((*code).into(), status.parse().map_err(|_| "a status is expected")?)),
        _ => None,
    };
    let (in_requests, in_answers) = (mode.contains('i'), mode.contains('o'));
    Ok(Structure { name: name.into(), kind, in_requests, in_answers, error, members: Vec::new() })
}

fn member(line: &str, strings: &BTreeMap<String, Text>) -> Result<Member, String> {
    let mut words = line.split(' ');
    let name = words.next().ok_or("a name is expected")?;
    let shape = shape(words.next().ok_or("a type is expected")?, strings)?;
    let mut member = Member {
        name: name.trim_end_matches('*').into(),
        required: name.ends_with('*'),
        shape,
        query_name: None,
        wire_name: None,
        location: Location::Body,
        payload: false,
        stream: false,
        xml_attribute: false,
        xml_namespace: None,
        idempotency_token: false,
        range: Range::default(),
    };
    for word in words {
        match (word, word.split_once('=')) {
            (_, Some(("q", name))) => member.query_name = Some(name.into()),
            (_, Some(("w", name))) => member.wire_name = Some(name.into()),
            (_, Some(("ns", uri))) => member.xml_namespace = Some(uri.into()),
            (_, Some(("range", bounds))) => member.range = range(bounds)?,
            ("@header", _) => member.location = Location::Header,
            ("@headers", _) => member.location = Location::Headers,
            ("@uri", _) => member.location = Location::Uri,
            ("@querystring", _) => member.location = Location::QueryString,
            ("@statusCode", _) => member.location = Location::StatusCode,
            ("@payload", _) => member.payload = true,
            ("stream", _) => member.stream = true,
            ("attr", _) => member.xml_attribute = true,
            ("idem", _) => member.idempotency_token = true,
            _ => return Err(format!("{word} is unknown")),
        }
    }
    Ok(member)
}

fn string(line: &str) -> Result<Text, String> {
    let mut words = line.split(' ').skip(1);
    let name = words.next().ok_or("a name is expected")?.to_string();
    let mut text = Text { name, values: Vec::new(), range: Range::default() };
    for word in words {
        match word.split_once('=') {
            Some(("enum", values)) => text.values = values.split('|').map(str::to_string).collect(),
            Some(("range", bounds)) => text.range = range(bounds)?,
            _ => return Err(format!("{word} is unknown")),
        }
    }
    Ok(text)
}

fn range(bounds: &str) -> Result<Range, String> {
    let (least, most) = bounds.split_once("..").ok_or("LEAST..MOST is expected")?;
    let bound = |text: &str| match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| format!("{text} is not a number")),
    };
    Ok(Range { least: bound(least)?, most: bound(most)? })
}

fn shape(text: &str, strings: &BTreeMap<String, Text>) -> Result<Type, String> {
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        let (flat, inner) = flattened(inner);
        let (item_name, inner) = named(inner);
        return Ok(Type::List { flat, item_name, item: Box::new(shape(inner, strings)?) });
    }
    if let Some(inner) = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
        let (flat, inner) = flattened(inner);
        let (names, inner) = named(inner);
        let (key, value) = inner.split_once(':').ok_or("KEY:VALUE is expected")?;
        let (key_name, value_name) = names.as_deref().and_then(|n| n.split_once(',')).unwrap_or_default();
        let name = |n: &str| (!n.is_empty()).then(|| n.to_string());
        let (key_name, value_name) = (name(key_name), name(value_name));
        let (key, value) = (Box::new(shape(key, strings)?), Box::new(shape(value, strings)?));
        return Ok(Type::Map { flat, key_name, value_name, key, value });
    }
    Ok(match text {
        "str" => Type::Str,
        "bool" => Type::Bool,
        "int" => Type::Int,
        "long" => Type::Long,
        "f32" => Type::F32,
        "f64" => Type::F64,
        "blob" => Type::Blob,
        "time" => Type::Time(TimeFormat::Default),
        "time:iso8601" => Type::Time(TimeFormat::Iso8601),
        "time:rfc822" => Type::Time(TimeFormat::Rfc822),
        "time:unixTimestamp" => Type::Time(TimeFormat::UnixTimestamp),
        name if strings.contains_key(name) => Type::Text(name.into()),
        name => Type::Structure(name.into()),
    })
}

fn flattened(inner: &str) -> (bool, &str) {
    match inner.strip_prefix('~') {
        Some(rest) => (true, rest),
        None => (false, inner),
    }
}

/// Splits `NAME=TYPE`; a `=` inside a nested list or map belongs to that one.
fn named(inner: &str) -> (Option<String>, &str) {
    match inner.split_once('=') {
        Some((name, rest)) if !name.contains(['[', '{', ':']) => (Some(name.into()), rest),
        _ => (None, inner),
    }
}
