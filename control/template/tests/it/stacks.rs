//! The templates that come with the project can be read.

use std::path::Path;

use template::Template;

#[test]
fn every_stack_of_the_project_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stacks");
    let mut read = 0;
    for entry in std::fs::read_dir(&folder).expect("the folder stacks is part of the project").flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a template can be read");
        if let Err(errors) = Template::parse(&text) {
            panic!("{}:{errors}", path.display());
        }
        read += 1;
    }
    assert!(read > 0, "no template in {}", folder.display());
}
