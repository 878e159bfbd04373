//! The form of policy documents ("Grammar of the IAM JSON policy language"). What a policy allows is not decided here.

use serde_json::{Map, Value as Json};

use crate::error::Error;

/// What a document is for: each has its own required and prohibited elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Attached to a role: names resources, never a principal.
    Identity,
    /// The trust policy of a role: names principals, never a resource.
    Trust,
}

const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];
const TOP: [&str; 3] = ["Version", "Id", "Statement"];
const ELEMENTS: [&str; 9] =
    ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"];

/// Checks a document's form. Sizes count without white space, as at AWS.
pub(crate) fn check(text: &str, kind: Kind) -> Result<(), Error> {
    let invalid = || malformed("This policy contains invalid Json");
    let Json::Object(document) = serde_json::from_str(text).map_err(|_| invalid())? else { return Err(invalid()) };
    if document.keys().any(|key| !TOP.contains(&key.as_str())) {
        return Err(syntax());
    }
    match document.get("Version") {
        None => {}
        Some(Json::String(version)) if VERSIONS.contains(&version.as_str()) => {}
        Some(_) => return Err(malformed("The policy must contain a valid version string")),
    }
    let statements = match document.get("Statement") {
        Some(Json::Array(statements)) if !statements.is_empty() => statements.iter().collect(),
        Some(one @ Json::Object(_)) => vec![one],
        Some(_) => return Err(syntax()),
        None => return Err(malformed("Missing required field Statement")),
    };
    let mut sids: Vec<&str> = Vec::new();
    for statement in statements {
        let Json::Object(statement) = statement else { return Err(syntax()) };
        check_statement(statement, kind)?;
        if let Some(Json::String(sid)) = statement.get("Sid").filter(|sid| **sid != "") {
            if sids.contains(&sid.as_str()) {
                return Err(malformed("Statement IDs (SID) in a single policy must be unique."));
            }
            sids.push(sid);
        }
    }
    Ok(())
}

/// Length without white space, which AWS does not count.
pub(crate) fn size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

/// The document as IAM's answers carry it: percent-encoded (RFC 3986).
pub(crate) fn encoded(text: &str) -> String {
    const PLAIN: percent_encoding::AsciiSet =
        percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(text, &PLAIN).to_string()
}

fn check_statement(statement: &Map<String, Json>, kind: Kind) -> Result<(), Error> {
    if let Some(unknown) = statement.keys().find(|key| !ELEMENTS.contains(&key.as_str())) {
        return Err(malformed(format!("Syntax errors in policy: unknown element {unknown}.")));
    }
    match statement.get("Effect") {
        Some(Json::String(effect)) if effect == "Allow" || effect == "Deny" => {}
        Some(_) => return Err(malformed("Invalid effect: it must be Allow or Deny.")),
        None => return Err(malformed("Missing required field Effect")),
    }
    let has = |name: &str| statement.contains_key(name);
    for pair in [["Action", "NotAction"], ["Resource", "NotResource"], ["Principal", "NotPrincipal"]] {
        if has(pair[0]) && has(pair[1]) {
            return Err(syntax());
        }
    }
    for name in ["Action", "NotAction", "Resource", "NotResource"] {
        statement.get(name).map_or(Ok(()), texts)?;
    }
    if named(statement, ["Action", "NotAction"]).is_empty() {
        return Err(malformed(if kind == Kind::Trust {
            "Missing required field Action"
        } else {
            "Policy statement must contain actions."
        }));
    }
    if !matches!(statement.get("Sid"), None | Some(Json::String(_)))
        || !matches!(statement.get("Condition"), None | Some(Json::Object(_)))
    {
        return Err(syntax());
    }
    check_actions(statement)?;
    match kind {
        Kind::Identity => check_identity(statement),
        Kind::Trust => check_trust(statement),
    }
}

fn check_identity(statement: &Map<String, Json>) -> Result<(), Error> {
    if statement.contains_key("Principal") || statement.contains_key("NotPrincipal") {
        return Err(malformed("Policy document should not specify a principal."));
    }
    let resources = named(statement, ["Resource", "NotResource"]);
    if resources.is_empty() {
        return Err(malformed("Policy statement must contain resources."));
    }
    for resource in resources {
        if resource != "*"
            && (!resource.starts_with("arn:") && !resource.starts_with('*')
                || resource.starts_with("arn:") && resource.split(':').count() < 6)
        {
            return Err(malformed(format!("Resource {resource} must be in ARN format or \"*\".")));
        }
    }
    Ok(())
}

fn check_trust(statement: &Map<String, Json>) -> Result<(), Error> {
    if statement.contains_key("Resource") || statement.contains_key("NotResource") {
        return Err(malformed("Has prohibited field Resource"));
    }
    match statement.get("Principal").or_else(|| statement.get("NotPrincipal")) {
        Some(Json::String(all)) if all == "*" => Ok(()),
        Some(Json::Object(principals)) if !principals.is_empty() => principals.iter().try_for_each(|(kind, names)| {
            if !matches!(kind.as_str(), "AWS" | "Service" | "Federated" | "CanonicalUser") {
                return Err(malformed(format!("Invalid principal in policy: \"{kind}\"")));
            }
            texts(names)
        }),
        Some(_) => Err(malformed("Invalid principal in policy")),
        None => Err(malformed("Missing required field Principal")),
    }
}

/// Actions are `*` or `vendor:name`.
fn check_actions(statement: &Map<String, Json>) -> Result<(), Error> {
    for action in named(statement, ["Action", "NotAction"]) {
        let vendor = action.split_once(':').map(|(vendor, _)| vendor);
        let plain = |v: &str| !v.is_empty() && v.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if action != "*" && !vendor.is_some_and(plain) {
            let text = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
            return Err(malformed(text));
        }
    }
    Ok(())
}

/// A text or a list of texts.
fn texts(value: &Json) -> Result<(), Error> {
    match value {
        Json::String(_) => Ok(()),
        Json::Array(items) if items.iter().all(Json::is_string) => Ok(()),
        _ => Err(syntax()),
    }
}

/// What a statement names by either of two elements.
fn named<'a>(statement: &'a Map<String, Json>, elements: [&str; 2]) -> Vec<&'a str> {
    elements.into_iter().filter_map(|name| statement.get(name)).flat_map(each).collect()
}

fn each(value: &Json) -> Vec<&str> {
    match value {
        Json::String(one) => vec![one],
        Json::Array(many) => many.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn syntax() -> Error {
    malformed("Syntax errors in policy.")
}

fn malformed(text: impl Into<String>) -> Error {
    Error::Malformed(text.into())
}

#[cfg(test)]
mod tests {
    use super::{Error, Kind, check};

    fn outcome(text: &str, kind: Kind) -> String {
        match check(text, kind) {
            Ok(()) => "fine".into(),
            Err(Error::Malformed(text)) => text,
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn documents_are_checked_as_aws_does() {
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        let identity =
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:Get*"],"Resource":"arn:aws:s3:::b/*"}}"#;
        for (text, kind, expected) in [
            (trust, Kind::Trust, "fine"),
            (identity, Kind::Identity, "fine"),
            (trust, Kind::Identity, "Policy document should not specify a principal."),
            (identity, Kind::Trust, "Has prohibited field Resource"),
            ("{", Kind::Trust, "This policy contains invalid Json"),
            ("[]", Kind::Trust, "This policy contains invalid Json"),
            ("{}", Kind::Trust, "Missing required field Statement"),
            (r#"{"Version":"2020-01-01","Statement":[]}"#, Kind::Trust, "The policy must contain a valid version string"),
            (r#"{"Statement":[{"Effect":"Allow","Resource":"*"}]}"#, Kind::Identity, "Policy statement must contain actions."),
            (r#"{"Statement":[{"Effect":"Allow","Action":"s3:*"}]}"#, Kind::Identity, "Policy statement must contain resources."),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":[],"Resource":"*"}]}"#,
                Kind::Identity,
                "Policy statement must contain actions.",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"s3:*","NotResource":[]}]}"#,
                Kind::Identity,
                "Policy statement must contain resources.",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":[]}]}"#,
                Kind::Trust,
                "Missing required field Action",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"get","Resource":"*"}]}"#,
                Kind::Identity,
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"bucket"}]}"#,
                Kind::Identity,
                "Resource bucket must be in ARN format or \"*\".",
            ),
        ] {
            assert_eq!(outcome(text, kind), expected, "{text}");
        }
    }
}
