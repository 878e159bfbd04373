//! The form of a dashboard's body ("Dashboard body structure and syntax").

use base::Fault;
use serde_json::{Map, Value as Json};
use shapes::cloudwatch::DashboardValidationMessage;

const BYTES_MAX: usize = 1 << 20;
/// "CloudWatch quotas", widgets of a dashboard.
const WIDGETS_MAX: usize = 500;
/// Most errors and doubts told at once.
const TOLD_MAX: usize = 50;
const TYPES: [&str; 6] = ["metric", "text", "log", "alarm", "explorer", "custom"];

fn refused(message: impl Into<String>) -> Fault {
    Fault::client("InvalidParameterInput", message)
}

#[derive(Default)]
struct Findings {
    errors: Vec<(String, String)>,
    doubts: Vec<(String, String)>,
}

/// Refuses a body that is none; gives what is doubtful about one that is accepted.
pub(super) fn check(text: &str) -> Result<Vec<DashboardValidationMessage>, Fault> {
    if text.len() > BYTES_MAX {
        return Err(refused(format!("The field DashboardBody must have at most {BYTES_MAX} bytes")));
    }
    let Ok(Json::Object(body)) = serde_json::from_str(text) else {
        return Err(refused("The field DashboardBody must be a valid JSON object"));
    };
    let mut findings = Findings::default();
    findings.body(&body);
    if !findings.errors.is_empty() {
        let count = findings.errors.len();
        let all = findings.errors.into_iter().take(TOLD_MAX);
        let told: Vec<Json> = all.map(|(path, message)| serde_json::json!({"dataPath": path, "message": message})).collect();
        let told = Json::from(told);
        return Err(refused(format!("The dashboard body is invalid, there are {count} validation errors: {told}")));
    }
    let message = |(path, message)| DashboardValidationMessage { data_path: Some(path), message: Some(message) };
    Ok(findings.doubts.into_iter().take(TOLD_MAX).map(message).collect())
}

impl Findings {
    fn error(&mut self, path: &str, message: impl Into<String>) {
        self.errors.push((path.into(), message.into()));
    }

    fn doubt(&mut self, path: &str, message: impl Into<String>) {
        self.doubts.push((path.into(), message.into()));
    }

    fn body(&mut self, body: &Map<String, Json>) {
        const KNOWN: [&str; 5] = ["widgets", "start", "end", "periodOverride", "variables"];
        self.known("", body, &KNOWN);
        match body.get("widgets") {
            None => self.error("", "Should have required property 'widgets'"),
            Some(Json::Array(widgets)) if widgets.len() > WIDGETS_MAX => {
                self.error("/widgets", format!("Should NOT have more than {WIDGETS_MAX} items"));
            }
            Some(Json::Array(widgets)) => {
                for (n, widget) in widgets.iter().enumerate() {
                    self.widget(&format!("/widgets/{n}"), widget);
                }
            }
            Some(_) => self.error("/widgets", "Should be array"),
        }
        let over = body.get("periodOverride");
        if over.is_some_and(|o| !matches!(o.as_str(), Some("auto" | "inherit"))) {
            self.error("/periodOverride", "Should be equal to one of the allowed values");
        }
    }

    fn known(&mut self, path: &str, object: &Map<String, Json>, known: &[&str]) {
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            self.doubt(path, format!("Should NOT have additional property '{name}'"));
        }
    }

    fn widget(&mut self, path: &str, widget: &Json) {
        let Json::Object(widget) = widget else { return self.error(path, "Should be object") };
        self.known(path, widget, &["type", "x", "y", "width", "height", "properties"]);
        let kind = widget.get("type").and_then(Json::as_str);
        match kind {
            None => self.error(path, "Should have required property 'type'"),
            Some(kind) if !TYPES.contains(&kind) => {
                self.error(&format!("{path}/type"), "Should be equal to one of the allowed values")
            }
            Some(_) => {}
        }
        // Columns from 0 to 23, sizes from 1.
        for (name, least, most) in [("x", 0, 23), ("y", 0, i64::MAX), ("width", 1, 24), ("height", 1, 1_000)] {
            let Some(number) = widget.get(name) else { continue };
            if !number.as_i64().is_some_and(|n| (least..=most).contains(&n)) {
                self.error(&format!("{path}/{name}"), format!("Should be integer from {least} to {most}"));
            }
        }
        match widget.get("properties") {
            None => self.error(path, "Should have required property 'properties'"),
            Some(Json::Object(properties)) => {
                self.properties(&format!("{path}/properties"), kind.unwrap_or_default(), properties)
            }
            Some(_) => self.error(&format!("{path}/properties"), "Should be object"),
        }
    }

    fn properties(&mut self, path: &str, kind: &str, properties: &Map<String, Json>) {
        let required: &[&str] = match kind {
            "text" => &["markdown"],
            "alarm" => &["alarms"],
            "custom" => &["endpoint"],
            "log" => &["query", "region"],
            _ => &[],
        };
        for name in required.iter().filter(|name| !properties.contains_key(**name)) {
            self.error(path, format!("Should have required property '{name}'"));
        }
        if kind == "metric" {
            let shows = ["metrics", "annotations"].iter().any(|name| properties.contains_key(*name));
            if !shows {
                self.error(path, "Should have required property 'metrics'");
            }
            if properties.get("metrics").is_some_and(|m| !m.is_array()) {
                self.error(&format!("{path}/metrics"), "Should be array");
            }
            if !properties.contains_key("region") {
                self.doubt(path, "Should have property 'region'");
            }
        }
    }
}
