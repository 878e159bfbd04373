//! What the page of everything tells.

use crate::rig::Rig;

const TEMPLATE: &str =
    "%7B%22Resources%22%3A%7B%22A%22%3A%7B%22Type%22%3A%22AWS%3A%3ACloudFormation%3A%3AWaitConditionHandle%22%7D%7D%7D";
/// One more than `DescribeStacks` tells at once.
const STACKS: usize = 101;

#[test]
fn every_stack_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::start(directory.path());
    for n in 0..STACKS {
        let body = format!("Action=CreateStack&Version=2010-05-15&StackName=s{n}&TemplateBody={TEMPLATE}");
        let answer = rig.query("cloudformation", &body);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let answer = rig.exchange(&rig.signed("allod", "/_allod/status", &[], b"{}"));
    let status: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(status["stacks"].as_array().unwrap().len(), STACKS);
}
