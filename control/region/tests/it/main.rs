//! The catalogue as a whole.

use kernel::Registry;

#[test]
fn every_resource_type_has_a_schema_that_can_be_read() {
    let mut registry = Registry::default();
    region::services(&mut registry);
    let wrong: Vec<String> = registry
        .stack_resources()
        .filter_map(|r| template::Schema::parse(r.schema()).err().map(|e| format!("{}: {e}", r.type_name())))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(registry.stack_resources().count() > 20);
}
