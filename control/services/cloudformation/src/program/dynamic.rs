//! Dynamic references in the texts of properties: `{{resolve:ssm:NAME}}` or `{{resolve:ssm:NAME:VERSION}}` ("Get values
//! stored in other services using dynamic references"). It never resolves a secret: those are refused by name.

use serde_json::Value as Json;

const OPENING: &str = "{{resolve:";
const CLOSING: &str = "}}";
/// References of one resource. AWS allows as many in a whole template.
const REFERENCES_MAX: usize = 60;

/// Puts values in the place of references; `ssm` gives a parameter's.
pub(super) fn resolve(json: Json, ssm: &dyn Fn(&str) -> Option<String>) -> Result<Json, String> {
    Resolver { ssm, count: 0 }.json(json)
}

struct Resolver<'a> {
    ssm: &'a dyn Fn(&str) -> Option<String>,
    count: usize,
}

impl Resolver<'_> {
    fn json(&mut self, json: Json) -> Result<Json, String> {
        Ok(match json {
            Json::String(text) if text.contains(OPENING) => self.text(&text)?.into(),
            Json::Array(items) => items.into_iter().map(|item| self.json(item)).collect::<Result<_, _>>()?,
            Json::Object(members) => {
                let each = members.into_iter().map(|(key, value)| Ok((key, self.json(value)?)));
                Json::Object(each.collect::<Result<_, String>>()?)
            }
            other => other,
        })
    }

    fn text(&mut self, text: &str) -> Result<String, String> {
        let (mut resolved, mut rest) = (String::new(), text);
        while let Some((before, from)) = rest.split_once(OPENING) {
            let Some((reference, after)) = from.split_once(CLOSING) else { break };
            resolved.push_str(before);
            resolved.push_str(&self.value(reference)?);
            rest = after;
        }
        resolved.push_str(rest);
        Ok(resolved)
    }

    fn value(&mut self, reference: &str) -> Result<String, String> {
        self.count += 1;
        if self.count > REFERENCES_MAX {
            return Err(format!("A resource has at most {REFERENCES_MAX} dynamic references"));
        }
        match reference.split_once(':') {
            Some(("ssm", name)) => (self.ssm)(name).ok_or_else(|| format!("Parameters: [ssm:{name}] cannot be found.")),
            _ => Err(format!(
                "The dynamic reference {OPENING}{reference}{CLOSING} is not supported in this region: only those to ssm are"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value as Json, json};

    use super::resolve;

    fn resolved(json: Json) -> Result<Json, String> {
        resolve(json, &|name| (name == "/a" || name == "/a:1").then(|| "{{resolve:ssm:/a}}".into()))
    }

    #[test]
    fn references_are_resolved_once_wherever_they_stand() {
        for (text, expected) in [
            ("{{resolve:ssm:/a}}", "{{resolve:ssm:/a}}"),
            ("x{{resolve:ssm:/a:1}}-{{resolve:ssm:/a}}y", "x{{resolve:ssm:/a}}-{{resolve:ssm:/a}}y"),
            ("{{resolve:ssm:/a", "{{resolve:ssm:/a"),
            ("{{other}}", "{{other}}"),
        ] {
            assert_eq!(resolved(json!({"List": [text], "Number": 1})).unwrap(), json!({"List": [expected], "Number": 1}));
        }
    }

    #[test]
    fn what_cannot_be_resolved_is_told() {
        let missing = resolved(json!("{{resolve:ssm:/b:2}}")).unwrap_err();
        assert_eq!(missing, "Parameters: [ssm:/b:2] cannot be found.");
        for reference in ["ssm-secure:/a:1", "secretsmanager:s", "x", ""] {
            let told = resolved(json!([format!("{{{{resolve:{reference}}}}}")])).unwrap_err();
            assert!(told.contains(&format!("{{{{resolve:{reference}}}}} is not supported")), "{told}");
        }
        assert!(resolved(json!("{{resolve:ssm:/a}}".repeat(60))).is_ok());
        assert!(resolved(json!("{{resolve:ssm:/a}}".repeat(61))).is_err());
    }
}
