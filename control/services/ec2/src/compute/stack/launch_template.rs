//! `AWS::EC2::LaunchTemplate`. `Ref` gives the template's id. An update makes a new version and leaves the default
//! version where it is, as at AWS.

use base::{Fault, LaunchTemplateId};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::Value as Json;

use super::launch_data::of_template;
use crate::compute::ComputeError;
use crate::compute::launch_data::{Tag, TagSpecification};
use crate::compute::launch_template::{
    LaunchTemplateVersion, TemplateName, VersionKey, create_template, create_version, delete_template, find_template,
    latest_version,
};
use crate::error::Error;
use crate::stack::{all_tags, no_attribute, read, retag};

/// Longest name that AWS takes.
const NAME_CHARS_MAX: usize = 128;

pub(super) struct LaunchTemplateResource;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Properties {
    launch_template_data: Json,
    launch_template_name: Option<String>,
    tag_specifications: Vec<TagSpecification>,
    version_description: Option<String>,
}

impl Properties {
    /// The tags of the template itself; the schema takes no other resource type.
    fn tags(&self) -> Vec<Tag> {
        self.tag_specifications.iter().flat_map(|s| s.tags.iter().cloned()).collect()
    }
}

fn name_of(physical_id: &str) -> TemplateName {
    TemplateName::Id(LaunchTemplateId::from(physical_id))
}

impl StackResource for LaunchTemplateResource {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::LaunchTemplate"
    }

    fn schema(&self) -> &'static str {
        include_str!("launch_template.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties: Properties = read(request.properties)?;
        let name = properties.launch_template_name.clone().unwrap_or_else(|| request.physical_name(cx, NAME_CHARS_MAX));
        let data = of_template(&properties.launch_template_data)?;
        let tags = all_tags(request, &properties.tags())?;
        let id = create_template(tx, cx, &name, properties.version_description, data, tags, None)?;
        Ok(id.into())
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let (old, new): (Properties, Properties) = (read(old)?, read(request.properties)?);
        let template = find_template(tx, &name_of(physical_id))?.clone();
        let data = of_template(&new.launch_template_data)?;
        let latest = VersionKey(template.id.clone(), latest_version(tx, &template));
        let latest = tx.get::<LaunchTemplateVersion>(&latest).ok_or(Error::Internal)?;
        // The way back from an update that changed nothing yet needs no version either.
        if latest.data != data || latest.description != new.version_description {
            create_version(tx, cx, &name_of(physical_id), None, new.version_description.clone(), data, None)?;
        }
        retag(tx, request, physical_id, &old.tags(), &new.tags())?;
        Ok(())
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        match delete_template(tx, &name_of(physical_id)) {
            Ok(_) | Err(Error::Compute(ComputeError::NoTemplate(_))) => Ok(Progress::Ready),
            Err(error) => Err(error.into()),
        }
    }

    /// Numbers are texts here, as at AWS.
    fn attribute(&self, state: &State, _: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        let template = find_template(state, &name_of(physical_id))?;
        match name {
            "DefaultVersionNumber" => Ok(template.default_version.to_string().into()),
            "LatestVersionNumber" => Ok(latest_version(state, template).to_string().into()),
            "LaunchTemplateId" => Ok(template.id.to_string().into()),
            other => Err(no_attribute(self.type_name(), other)),
        }
    }
}
