//! A region of IAM alone.

use std::sync::{Arc, Mutex};

use base::{Caller, Fault, FromValue, IntoValue, Operation, Scope, Tags, Time};
use kernel::{Kernel, MemoryJournal, Progress, ResourceRequest, Settings, StackResource, State};
use serde_json::{Value as Json, json};

pub const ACCOUNT: &str = "000000000000";
pub const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
pub const READ_BUCKET: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::assets/*"}]}"#;
pub const AWS_POLICY: &str = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";

pub struct Region {
    pub kernel: Kernel,
    pub now: Time,
    journal: Arc<Mutex<MemoryJournal>>,
}

fn open(journal: &Arc<Mutex<MemoryJournal>>) -> Kernel {
    let scope = Scope::new("eu-central-1", ACCOUNT);
    Kernel::open(iam::register, Box::new(journal.clone()), scope, Settings::default(), 7).unwrap()
}

impl Region {
    pub fn new() -> Self {
        let journal = Arc::new(Mutex::new(MemoryJournal::default()));
        Self { kernel: open(&journal), now: Time::from_unix_ms(1_800_000_000_000), journal }
    }

    pub fn state(&self) -> &State {
        self.kernel.state()
    }

    /// The region as it is after a crash of the control plane.
    pub fn reopen(&mut self) {
        self.kernel = open(&self.journal);
    }

    pub fn call<O: Operation>(&mut self, input: O::Input) -> Result<O::Output, Fault> {
        let caller = Caller::root(self.kernel.scope(), "AK");
        let answer = self.kernel.call(self.now, caller, "r-1", O::SERVICE, O::NAME, input.into_value());
        self.kernel.commit().unwrap();
        answer.map(O::Output::from_value)
    }

    /// The error that an operation answers with, as `CODE HTTP: message`.
    pub fn refusal<O: Operation>(&mut self, input: O::Input) -> String {
        match self.call::<O>(input) {
            Ok(_) => panic!("{} was not refused", O::NAME),
            Err(fault) => format!("{} {}: {}", fault.code, fault.http, fault.message),
        }
    }

    /// Does something with a stack's resource type, as the stack engine does.
    fn resource<T>(
        &mut self,
        kind: &str,
        properties: &Json,
        work: impl FnOnce(&dyn StackResource, &mut kernel::Tx, &kernel::Cx, &ResourceRequest) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let tags = Tags::from([("aws:cloudformation:stack-name".into(), "web".into()), ("team".into(), "shop".into())]);
        let request = ResourceRequest {
            stack_id: "arn:aws:cloudformation:eu-central-1:000000000000:stack/web/1",
            stack_name: "web",
            logical_id: "Thing",
            properties,
            tags: &tags,
            creation_policy: None,
            update_policy: None,
        };
        let outcome = self.kernel.run(self.now, |tx, cx| {
            let resource = tx.registry().stack_resource(kind).unwrap();
            work(resource, tx, cx, &request)
        });
        self.kernel.commit().unwrap();
        outcome
    }

    pub fn make(&mut self, kind: &str, properties: &Json) -> Result<String, Fault> {
        self.resource(kind, properties, |resource, tx, cx, request| resource.create(tx, cx, request))
    }

    pub fn change(&mut self, kind: &str, id: &str, old: &Json, new: &Json) -> Result<(), Fault> {
        self.resource(kind, new, |resource, tx, cx, request| resource.update(tx, cx, id, old, request))
    }

    pub fn end(&mut self, kind: &str, id: &str) -> Result<Progress, Fault> {
        self.resource(kind, &json!({}), |resource, tx, cx, _| resource.delete(tx, cx, id))
    }

    pub fn attribute(&mut self, kind: &str, id: &str, name: &str) -> Result<Json, Fault> {
        self.resource(kind, &json!({}), |resource, tx, cx, _| resource.attribute(tx, cx, id, name))
    }
}

pub fn tag(key: &str, value: &str) -> shapes::iam::Tag {
    shapes::iam::Tag { key: key.into(), value: value.into() }
}
