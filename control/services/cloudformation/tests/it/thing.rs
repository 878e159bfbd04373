//! `Test::Thing`: a resource that does what its template says, also what real ones do on bad days.

use std::time::Duration;

use base::{Fault, Time};
use kernel::{Cx, Progress, Registry, ResourceRequest, Row, StackResource, State, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

const TIMER: &str = "test.thing";
/// How long a slow thing takes to come and to go.
const SLOW: Duration = Duration::from_secs(40);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thing {
    pub id: String,
    pub logical_id: String,
    pub value: String,
    pub key: String,
    /// Ids of other things that cannot go before this one.
    pub wants: Vec<String>,
    pub mode: String,
    pub ready_at: Time,
    pub leaves_at: Option<Time>,
}

impl Row for Thing {
    const TABLE: &'static str = "test.thing";
    type Key = String;
    fn key(&self) -> String {
        self.id.clone()
    }
}

pub fn register(registry: &mut Registry) {
    registry.table::<Thing>();
    registry.resource(ThingType);
    registry.resource(PartType);
    registry.reconciler(TIMER, tick);
    registry.watch::<Thing>(TIMER, |_, thing, due| due.push(thing.id.clone()));
}

fn tick(tx: &mut Tx, cx: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let Some(thing) = tx.get::<Thing>(&key.to_string()).cloned() else { return Ok(None) };
    match thing.leaves_at {
        Some(at) if at <= cx.now => {
            tx.remove::<Thing>(&thing.id);
        }
        Some(at) => return Ok(Some(at)),
        // Whoever waits for it is woken by the changed row.
        None if thing.mode == "slow" && thing.ready_at <= cx.now => tx.put(Thing { mode: "ok".into(), ..thing }),
        None if thing.mode == "slow" => return Ok(Some(thing.ready_at)),
        None => {}
    }
    Ok(None)
}

struct ThingType;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    value: String,
    key: String,
    #[serde(default)]
    wants: Vec<String>,
    mode: String,
}

fn filled(thing: Thing, request: &ResourceRequest, cx: &Cx) -> Result<Thing, Fault> {
    let Properties { value, key, wants, mode } = serde_json::from_value(request.properties.clone()).unwrap();
    if mode == "refused" {
        return Err(Fault::client("Refused", "not today"));
    }
    Ok(Thing { value, key, wants, mode, ready_at: cx.now + SLOW, ..thing })
}

impl StackResource for ThingType {
    fn type_name(&self) -> &'static str {
        "Test::Thing"
    }

    fn schema(&self) -> &'static str {
        "properties\n  Value string required\n  Key string required replace\n  Wants list string\n  Mode string required\nattributes\n  Value\n"
    }

    fn secrets(&self) -> &'static [&'static str] {
        &["Key"]
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        // One with such a key has that name, as what a template names.
        let named = request.properties["Key"].as_str().filter(|key| key.starts_with("named-")).map(str::to_string);
        let thing = Thing {
            id: named.unwrap_or_else(|| format!("thing-{}", cx.rng().hex(12))),
            logical_id: request.logical_id.into(),
            value: String::new(),
            key: String::new(),
            wants: Vec::new(),
            mode: String::new(),
            ready_at: cx.now,
            leaves_at: None,
        };
        let thing = filled(thing, request, cx)?;
        let id = thing.id.clone();
        tx.put(thing);
        Ok(id)
    }

    fn progress(&self, state: &State, _: &Cx, physical_id: &str, _: &ResourceRequest) -> Progress {
        match state.get::<Thing>(&physical_id.to_string()).map(|t| t.mode.as_str()) {
            Some("slow") => Progress::Pending,
            Some("fails") => Progress::Failed("it broke".into()),
            Some(_) => Progress::Ready,
            None => Progress::Failed("it is gone".into()),
        }
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, _: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let thing = tx.get::<Thing>(&physical_id.to_string()).cloned();
        let thing = thing.ok_or_else(|| Fault::client("NotFound", "it is gone"))?;
        tx.put(filled(thing, request, cx)?);
        Ok(())
    }

    fn delete(&self, tx: &mut Tx, cx: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        let id = physical_id.to_string();
        let Some(thing) = tx.get::<Thing>(&id).cloned() else { return Ok(Progress::Ready) };
        if tx.rows::<Thing>().any(|t| t.wants.contains(&id)) {
            return Err(Fault::client("DependencyViolation", "something wants it"));
        }
        if thing.value.ends_with("stays") && thing.leaves_at.is_none() {
            tx.put(Thing { leaves_at: Some(cx.now + SLOW), ..thing });
            return Ok(Progress::Pending);
        }
        if thing.leaves_at.is_some() {
            return Ok(Progress::Pending);
        }
        tx.remove::<Thing>(&id);
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, physical_id: &str, _: &str) -> Result<Json, Fault> {
        Ok(json!(state.get::<Thing>(&physical_id.to_string()).map(|t| t.value.clone()).unwrap_or_default()))
    }
}

/// `Test::Part`: a thing that the world takes together with all others or not at all.
struct PartType;

impl StackResource for PartType {
    fn type_name(&self) -> &'static str {
        "Test::Part"
    }

    fn schema(&self) -> &'static str {
        "properties\n  Value string required\n  Key string required replace\n  Wants list string\n  Mode string required\n  Tags json\nattributes\n  Value\n"
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        ThingType.create(tx, cx, request)
    }

    fn progress(&self, state: &State, _: &Cx, _: &str, _: &ResourceRequest) -> Progress {
        match state.rows::<Thing>().find(|t| t.mode == "fails") {
            Some(broken) => Progress::Failed(format!("{} broke", broken.logical_id)),
            None => Progress::Ready,
        }
    }

    fn shares_fate(&self) -> bool {
        true
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        ThingType.update(tx, cx, physical_id, old, request)
    }

    fn delete(&self, tx: &mut Tx, cx: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        ThingType.delete(tx, cx, physical_id)
    }

    fn attribute(&self, state: &State, cx: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        ThingType.attribute(state, cx, physical_id, name)
    }
}
