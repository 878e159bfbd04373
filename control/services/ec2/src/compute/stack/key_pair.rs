//! `AWS::EC2::KeyPair`. `Ref` gives the key pair's name.

use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::compute::ComputeError;
use crate::compute::key_pair::{KeyPair, delete_key_pair, import_key_pair};
use crate::compute::launch_data::Tag;
use crate::error::Error;
use crate::stack::{all_tags, no_attribute, read};

pub(super) struct KeyPairResource;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Properties {
    key_name: String,
    public_key_material: Option<String>,
    tags: Vec<Tag>,
}

impl StackResource for KeyPairResource {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::KeyPair"
    }

    fn schema(&self) -> &'static str {
        include_str!("key_pair.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties: Properties = read(request.properties)?;
        let Some(material) = &properties.public_key_material else {
            let text =
                "This region makes no private keys. Make one with ssh-keygen and give its public key as PublicKeyMaterial.";
            return Err(Error::Unsupported(text.into()).into());
        };
        let tags = all_tags(request, &properties.tags)?;
        Ok(import_key_pair(tx, cx, &properties.key_name, material, tags)?.name)
    }

    /// Every property makes a new key pair, so there is nothing to do.
    fn update(&self, _: &mut Tx, _: &Cx, _: &str, _: &Json, _: &ResourceRequest) -> Result<(), Fault> {
        Ok(())
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        // One that does not exist is as good as deleted.
        delete_key_pair(tx, physical_id);
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        let pair = state.get::<KeyPair>(&physical_id.to_string());
        let pair = pair.ok_or_else(|| Error::from(ComputeError::NoKeyPair(physical_id.into())))?;
        match name {
            "KeyFingerprint" => Ok(pair.fingerprint.clone().into()),
            "KeyPairId" => Ok(pair.id.clone().into()),
            other => Err(no_attribute(self.type_name(), other)),
        }
    }
}
