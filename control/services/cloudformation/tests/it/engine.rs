//! Whatever happens on the way, a stack that rests has exactly the things that its template says.

use std::collections::BTreeMap;

use base::{Rng, StackId};
use cloudformation::Member;
use serde_json::{Value as Json, json};
use shapes::cloudformation as s;
use shapes::cloudformation::ops;

use crate::region::Region;

/// A thing of a template: what it is and which others it needs.
#[derive(Clone, Debug)]
struct Declared {
    value: String,
    key: String,
    wants: Vec<String>,
    mode: &'static str,
}

type Wish = BTreeMap<String, Declared>;

fn template(wish: &Wish) -> Json {
    let resource = |d: &Declared| {
        let wants: Vec<Json> = d.wants.iter().map(|w| json!({"Ref": w})).collect();
        json!({"Type": "Test::Thing", "Properties": {"Value": d.value, "Key": d.key, "Wants": wants, "Mode": d.mode}})
    };
    let resources: BTreeMap<&String, Json> = wish.iter().map(|(name, d)| (name, resource(d))).collect();
    json!({"Resources": resources})
}

/// Up to six things; each may need those before it.
fn any_wish(rng: &mut Rng, may_fail: Option<()>) -> Wish {
    let mut wish = Wish::new();
    for i in 0..6 {
        if i > 0 && rng.below(4) == 0 {
            continue;
        }
        let wants = wish.keys().filter(|_| rng.below(3) == 0).cloned().collect();
        let mode = match rng.below(12) {
            0 | 1 => "slow",
            2 if may_fail.is_some() => "fails",
            3 if may_fail.is_some() => "refused",
            _ => "ok",
        };
        let stays = if rng.below(5) == 0 { "-stays" } else { "" };
        let value = format!("v{}{stays}", rng.below(3));
        wish.insert(format!("T{i}"), Declared { value, key: format!("k{}", rng.below(3)), wants, mode });
    }
    wish
}

/// The things are exactly those of the wish, each wanting the present ones that it names.
fn check(region: &Region, id: &StackId, wish: &Wish, why: &str) {
    let state = region.kernel.state();
    let members = state.rows_where::<Member>("stack", id);
    let physical: BTreeMap<String, String> =
        members.filter_map(|m| Some((m.logical_id.clone(), m.physical.clone()?.id))).collect();
    let things = region.things();
    let names: Vec<&String> = things.iter().map(|t| &t.logical_id).collect();
    assert_eq!(things.len(), wish.len(), "{why}: {names:?} for {:?}", wish.keys());
    for (name, declared) in wish {
        let thing = things.iter().find(|t| t.id == physical[name]).unwrap_or_else(|| panic!("{why}: {name} is not there"));
        let wants: Vec<&String> = declared.wants.iter().map(|w| &physical[w]).collect();
        assert_eq!(thing.wants.iter().collect::<Vec<_>>(), wants, "{why}: {name}");
        assert_eq!((&thing.value, &thing.key, &thing.logical_id), (&declared.value, &declared.key, name), "{why}");
        assert!(thing.mode == "ok" && thing.leaves_at.is_none(), "{why}: {thing:?}");
    }
}

/// One stack through several updates, with crashes and changes of mind.
fn live(seed: u64) {
    let mut rng = Rng::new(seed);
    let mut region = Region::new();
    let mut crashes = Rng::new(seed + 1);
    let mut crash = |region: &mut Region| {
        if crashes.below(6) == 0 {
            region.crash();
        }
    };
    let mut now = any_wish(&mut rng, None);
    let id = region.create(&template(&now));
    assert_eq!(region.rest(&id, &mut crash), "CREATE_COMPLETE", "seed {seed}");
    check(&region, &id, &now, &format!("seed {seed}, created"));
    for round in 0..6 {
        let wanted = any_wish(&mut rng, Some(()));
        let keeps_failures = (rng.below(3) == 0).then_some(true);
        if region.update(&template(&wanted), keeps_failures).is_none() {
            continue;
        }
        let cancels = rng.below(5) == 0;
        if cancels {
            region.turn();
            let input = s::CancelUpdateStackInput { stack_name: "web".into(), ..Default::default() };
            // It may have ended already.
            let _ = region.call::<ops::CancelUpdateStack>(input);
        }
        let status = region.rest(&id, &mut crash);
        let why = format!("seed {seed}, round {round}, {status}");
        match status {
            "UPDATE_COMPLETE" => now = wanted,
            "UPDATE_ROLLBACK_COMPLETE" => {}
            "UPDATE_FAILED" if rng.below(2) == 0 => {
                let input = s::RollbackStackInput { stack_name: "web".into(), ..Default::default() };
                region.call::<ops::RollbackStack>(input).unwrap();
                assert_eq!(region.rest(&id, &mut crash), "UPDATE_ROLLBACK_COMPLETE", "{why}");
            }
            "UPDATE_FAILED" => continue,
            other => panic!("{other}: {why}: {:?}", region.stack(&id).reason),
        }
        check(&region, &id, &now, &why);
    }
    let input = s::DeleteStackInput { stack_name: "web".into(), ..Default::default() };
    region.call::<ops::DeleteStack>(input).unwrap();
    assert_eq!(region.rest(&id, &mut crash), "DELETE_COMPLETE", "seed {seed}");
    assert!(region.things().is_empty(), "seed {seed}: {:?}", region.things());
}

#[test]
fn a_stack_at_rest_has_what_its_template_says() {
    (0..80).for_each(live);
}

#[test]
fn a_creation_that_fails_leaves_nothing() {
    for seed in 0..100 {
        let mut rng = Rng::new(seed);
        let mut region = Region::new();
        let wish = any_wish(&mut rng, Some(()));
        let id = region.create(&template(&wish));
        let status = region.rest(&id, &mut |region| region.crash());
        let fails = wish.values().any(|d| ["fails", "refused"].contains(&d.mode));
        assert_eq!(status, if fails { "ROLLBACK_COMPLETE" } else { "CREATE_COMPLETE" }, "seed {seed}");
        check(&region, &id, &if fails { Wish::new() } else { wish }, &format!("seed {seed}"));
    }
}

#[test]
fn what_a_type_calls_secret_is_in_no_event() {
    let mut region = Region::new();
    let template =
        json!({"Resources": {"T": {"Type": "Test::Thing", "Properties": {"Value": "seen", "Key": "hidden", "Mode": "ok"}}}});
    let id = region.create(&template);
    assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
    assert_eq!(region.things()[0].key, "hidden");
    let input = s::DescribeStackEventsInput { stack_name: "web".into(), ..Default::default() };
    let events = region.call::<ops::DescribeStackEvents>(input).unwrap().stack_events;
    let told: Vec<String> = events.into_iter().filter_map(|e| e.resource_properties).collect();
    assert!(told.iter().any(|t| t.contains("seen") && t.contains("****")), "{told:?}");
    assert!(!told.concat().contains("hidden"), "{told:?}");
}

/// What is new in a failed update goes after the old has come back: until then the world refuses both.
#[test]
fn what_shares_the_fate_of_a_broken_part_finds_its_way_back() {
    let mut region = Region::new();
    let part = |value: &str, mode: &str, wants: Json| json!({"Type": "Test::Part", "Properties": {"Value": value, "Key": "k", "Mode": mode, "Wants": wants}});
    let id = region.create(&json!({"Resources": {"A": part("old", "ok", json!([]))}}));
    assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
    let broken = part("new", "fails", json!([{"Ref": "A"}]));
    region.update(&json!({"Resources": {"A": part("new", "ok", json!([])), "B": broken}}), None).unwrap();
    assert_eq!(region.rest(&id, &mut |_| {}), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(region.things().iter().map(|t| t.value.as_str()).collect::<Vec<_>>(), ["old"]);
    let input = s::DescribeStackEventsInput { stack_name: "web".into(), ..Default::default() };
    let events = region.call::<ops::DescribeStackEvents>(input).unwrap().stack_events;
    assert!(events.iter().any(|e| e.resource_status_reason.as_deref() == Some("B broke")), "{events:?}");
}

#[test]
fn other_tags_of_a_stack_reach_all_that_it_hands_them_to() {
    let mut region = Region::new();
    let one = |kind: &str| json!({"Type": kind, "Properties": {"Value": "v", "Key": "k", "Mode": "ok"}});
    let template = json!({"Resources": {"Part": one("Test::Part"), "Thing": one("Test::Thing")}});
    let id = region.create(&template);
    assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
    let input = s::UpdateStackInput {
        stack_name: "web".into(),
        template_body: Some(template.to_string()),
        tags: vec![s::Tag { key: "team".into(), value: "blue".into() }],
        ..Default::default()
    };
    region.call::<ops::UpdateStack>(input).unwrap();
    assert_eq!(region.rest(&id, &mut |_| {}), "UPDATE_COMPLETE");
    let input = s::DescribeStackEventsInput { stack_name: "web".into(), ..Default::default() };
    let events = region.call::<ops::DescribeStackEvents>(input).unwrap().stack_events;
    let updated = |e: &s::StackEvent| e.resource_status.as_deref() == Some("UPDATE_COMPLETE");
    let names: Vec<_> = events.into_iter().filter(updated).filter_map(|e| e.logical_resource_id).collect();
    assert_eq!(names, ["web", "Part"]);
}
