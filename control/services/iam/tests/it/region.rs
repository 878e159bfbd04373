//! A region of IAM alone.

use base::{Fault, Operation, Tags};
use kernel::{Progress, ResourceRequest, StackResource, Trial};
use serde_json::{Value as Json, json};

pub const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
pub const READ_BUCKET: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::assets/*"}]}"#;
pub const AWS_POLICY: &str = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";

pub struct Region {
    trial: Trial,
}

impl std::ops::Deref for Region {
    type Target = Trial;
    fn deref(&self) -> &Trial {
        &self.trial
    }
}

impl std::ops::DerefMut for Region {
    fn deref_mut(&mut self) -> &mut Trial {
        &mut self.trial
    }
}

impl Region {
    pub fn new() -> Self {
        Self { trial: Trial::new(iam::register) }
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
        self.run(|tx, cx| work(tx.registry().stack_resource(kind).unwrap(), tx, cx, &request))
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
