//! `AWS::CDK::Metadata`, a record without effects that the CDK adds to the stacks it makes.

use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde_json::Value as Json;

use crate::error::Error;

pub(crate) struct Metadata;

impl StackResource for Metadata {
    fn type_name(&self) -> &'static str {
        "AWS::CDK::Metadata"
    }

    fn schema(&self) -> &'static str {
        include_str!("cdk_metadata.schema")
    }

    fn create(&self, _: &mut Tx, cx: &Cx, _: &ResourceRequest) -> Result<String, Fault> {
        Ok(cx.rng().uuid())
    }

    fn update(&self, _: &mut Tx, _: &Cx, _: &str, _: &Json, _: &ResourceRequest) -> Result<(), Fault> {
        Ok(())
    }

    fn delete(&self, _: &mut Tx, _: &Cx, _: &str) -> Result<Progress, Fault> {
        Ok(Progress::Ready)
    }

    fn attribute(&self, _: &State, _: &Cx, _: &str, name: &str) -> Result<Json, Fault> {
        Err(Error::Invalid(format!("AWS::CDK::Metadata has no attribute {name}")).into())
    }
}
