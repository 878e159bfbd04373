//! The catalogue as a whole.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use base::{Caller, FromValue, IntoValue, Operation, Scope, Time};
use kernel::{Kernel, MemoryJournal, NoRandomness, Randomness, Registry, Secrets, Settings};
use shapes::{cloudformation as c, ec2 as e, sns as s};

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

/// A source of one byte.
struct Only(u8);

impl Secrets for Only {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        bytes.fill(self.0);
        Ok(())
    }
}

fn open(journal: &Arc<Mutex<MemoryJournal>>, secrets: Only) -> Kernel {
    let randomness = Randomness::with_secrets(7, Arc::new(secrets));
    let scope = Scope::new("eu-central-1", "000000000000");
    Kernel::open(region::services, Box::new(journal.clone()), scope, Settings::default(), randomness).unwrap()
}

fn call<O: Operation>(kernel: &mut Kernel, input: O::Input) -> O::Output {
    let caller = Caller::root(kernel.scope(), "AK");
    let now = Time::from_unix_ms(1_800_000_000_000);
    let answer = kernel.call(now, caller, "r-1", O::SERVICE, O::NAME, input.into_value()).unwrap();
    kernel.run_due(now);
    kernel.commit().unwrap();
    O::Output::from_value(answer)
}

/// The secrets of instances and subscriptions.
fn secrets(kernel: &Kernel) -> (Vec<String>, Vec<(String, String)>) {
    let instances = kernel.state().rows::<region::ec2::Instance>().map(|i| i.identity_secret.clone());
    let subscriptions = kernel.state().rows::<region::sns::Subscription>();
    let last = |arn: &str| arn.rsplit(':').next().unwrap_or_default().to_string();
    (instances.collect(), subscriptions.map(|s| (s.token.clone(), last(&s.arn))).collect())
}

fn one_instance() -> e::RunInstancesRequest {
    e::RunInstancesRequest {
        image_id: Some("ami-host".into()),
        instance_type: Some("t3.micro".into()),
        min_count: 1,
        max_count: 1,
        ..Default::default()
    }
}

#[test]
fn what_services_keep_secret_comes_from_the_port_and_outlives_a_restart() {
    let journal = Arc::default();
    let mut kernel = open(&journal, Only(0xab));
    kernel.run_due(Time::from_unix_ms(1_800_000_000_000));
    call::<e::ops::RunInstances>(&mut kernel, one_instance());
    let topic = s::CreateTopicInput { name: "alerts".into(), ..Default::default() };
    let topic_arn = call::<s::ops::CreateTopic>(&mut kernel, topic).topic_arn.unwrap();
    let endpoint = Some("http://127.0.0.1:9/".into());
    let input = s::SubscribeInput { topic_arn, protocol: "http".into(), endpoint, ..Default::default() };
    call::<s::ops::Subscribe>(&mut kernel, input);
    let uuid = "abababab-abab-4bab-abab-abababababab".to_string();
    assert_eq!(secrets(&kernel), (vec!["ab".repeat(24)], vec![("ab".repeat(64), uuid)]));
    let before = secrets(&kernel);
    drop(kernel);
    let mut kernel = open(&journal, Only(0xcd));
    kernel.run_due(Time::from_unix_ms(1_800_000_001_000));
    assert_eq!(secrets(&kernel), before);
}

#[test]
fn an_instance_signals_the_stack_that_made_it_and_none_that_has_its_name_since() {
    let mut kernel = open(&Arc::default(), Only(0xab));
    let now = Time::from_unix_ms(1_800_000_000_000);
    kernel.run_due(now);
    call::<e::ops::RunInstances>(&mut kernel, one_instance());
    let instance = kernel.state().rows::<region::ec2::Instance>().next().unwrap().clone();
    let template = r#"{"Resources": {
        "H": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
        "C": {"Type": "AWS::CloudFormation::WaitCondition", "Properties": {"Handle": {"Ref": "H"}, "Timeout": 600}}
    }}"#;
    let input = c::CreateStackInput { stack_name: "web".into(), template_body: Some(template.into()), ..Default::default() };
    let stack = call::<c::ops::CreateStack>(&mut kernel, input).stack_id.unwrap();
    let mut signal = |of: &str, stack_name: &str| {
        let tags = [("aws:cloudformation:stack-name", "web"), ("aws:cloudformation:stack-id", of)];
        let tags = tags.into_iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let (stack_name, logical_resource_id) = (stack_name.to_string(), "C".into());
        let input = c::SignalResourceInput { stack_name, logical_resource_id, unique_id: "i".into(), status: "SUCCESS".into() };
        let answer = kernel.run(now, |tx, cx| {
            region::ec2::tags::replace(tx, instance.id.as_str(), tags)?;
            region::cloudformation::signal_from_instance(tx, cx, &instance.id, &instance.identity_secret, input)
        });
        answer.map_err(|fault| fault.http)
    };
    for name in ["web", stack.as_str()] {
        assert_eq!(signal("arn:aws:cloudformation:eu-central-1:000000000000:stack/web/old", name), Err(403), "{name}");
        assert_eq!(signal(&stack, name), Ok(()), "{name}");
    }
}
