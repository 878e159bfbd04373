//! What an operation that failed leaves behind, for the one after it.

use serde_json::{Value as Json, json};
use shapes::cloudformation as s;
use shapes::cloudformation::ops;

use crate::region::Region;

fn thing(value: &str, mode: &str) -> Json {
    json!({"Type": "Test::Thing", "Properties": {"Value": value, "Key": "k", "Mode": mode}})
}

fn delete(region: &mut Region) {
    let input = s::DeleteStackInput { stack_name: "web".into(), ..Default::default() };
    region.call::<ops::DeleteStack>(input).unwrap();
}

#[test]
fn what_a_failed_update_says_of_deletion_is_forgotten() {
    for (before, after, left) in [("Retain", "Delete", 1), ("Delete", "Retain", 0)] {
        let mut region = Region::new();
        let kept = |policy: &str| {
            let mut kept = thing("kept", "ok");
            kept["DeletionPolicy"] = policy.into();
            kept
        };
        let id = region.create(&json!({"Resources": {"A": kept(before)}}));
        assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
        region.update(&json!({"Resources": {"A": kept(after), "B": thing("b", "fails")}}), None).unwrap();
        assert_eq!(region.rest(&id, &mut |_| {}), "UPDATE_ROLLBACK_COMPLETE");
        delete(&mut region);
        assert_eq!(region.rest(&id, &mut |_| {}), "DELETE_COMPLETE");
        assert_eq!(region.things().len(), left, "{before}");
    }
}
