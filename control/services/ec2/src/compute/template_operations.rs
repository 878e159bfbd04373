//! The API of launch templates.

use std::ops::RangeInclusive;

use base::{Fault, LaunchTemplateId, Scope};
use kernel::{Cx, State, Tx, page};
use shapes::ec2 as s;

use super::error::ComputeError;
use super::image::resolve_image;
use super::launch_shapes::{of_template, template_answer};
use super::launch_template::{
    LaunchTemplate, LaunchTemplateVersion, TemplateName, VersionKey, create_template, create_version, delete_template,
    delete_version, find_template, latest_version, made_template, made_version, set_default_version, version_number,
};
use crate::Kind;
use crate::describe::{Asked, Described, describe, results_within};
use crate::error::{Error, client_token, unless_dry};
use crate::filter::Filters;
use crate::tags;

/// Most versions that one call may name.
const VERSIONS_MAX: usize = 200;
/// `MaxResults` of templates and of versions ("DescribeLaunchTemplates", "DescribeLaunchTemplateVersions").
const RESULTS: RangeInclusive<i64> = 1..=200;

/// Longest client token.
const TOKEN_CHARS_MAX: usize = 128;

impl Described for LaunchTemplate {
    const KIND: Kind = Kind::LaunchTemplate;
    const FILTERS: &'static [&'static str] = &["create-time", "launch-template-name"];
    const RESULTS: RangeInclusive<i64> = RESULTS;

    fn values(&self, _: &State, _: &Scope, name: &str, add: &mut dyn FnMut(&str)) {
        match name {
            "create-time" => add(&self.created_at.iso8601_ms()),
            "launch-template-name" => add(&self.name),
            _ => {}
        }
    }
}

pub(crate) fn create(
    tx: &mut Tx,
    cx: &Cx,
    input: s::CreateLaunchTemplateRequest,
) -> Result<s::CreateLaunchTemplateResult, Fault> {
    let data = of_template(input.launch_template_data)?;
    data.validate()?;
    let (name, token) = (input.launch_template_name, client_token(input.client_token, TOKEN_CHARS_MAX)?);
    let made = token.as_deref().map(|token| made_template(tx, token, &name, &data)).transpose()?.flatten();
    let id = match made {
        Some(id) => id,
        None => {
            let tags = tags::specified(input.tag_specifications, Kind::LaunchTemplate)?;
            create_template(tx, cx, &name, input.version_description, data, tags, token)?
        }
    };
    let launch_template = Some(template_shape(tx, &id)?);
    unless_dry(input.dry_run, s::CreateLaunchTemplateResult { launch_template, ..Default::default() })
}

pub(crate) fn create_another(
    tx: &mut Tx,
    cx: &Cx,
    input: s::CreateLaunchTemplateVersionRequest,
) -> Result<s::CreateLaunchTemplateVersionResult, Fault> {
    let name = TemplateName::of(input.launch_template_id, input.launch_template_name)?;
    let data = of_template(input.launch_template_data)?;
    data.validate()?;
    let source = input.source_version.as_deref();
    let token = client_token(input.client_token, TOKEN_CHARS_MAX)?;
    let made = token.as_deref().map(|token| made_version(tx, token, &name)).transpose()?.flatten();
    let key = match made {
        Some(key) => key,
        None => create_version(tx, cx, &name, source, input.version_description, data, token)?,
    };
    let template = tx.get::<LaunchTemplate>(&key.0).ok_or(Error::Internal)?;
    let version = tx.get::<LaunchTemplateVersion>(&key).ok_or(Error::Internal)?;
    let launch_template_version = Some(version_shape(tx, &cx.scope, template, version, input.resolve_alias)?);
    unless_dry(input.dry_run, s::CreateLaunchTemplateVersionResult { launch_template_version, ..Default::default() })
}

pub(crate) fn modify(tx: &mut Tx, _: &Cx, input: s::ModifyLaunchTemplateRequest) -> Result<s::ModifyLaunchTemplateResult, Fault> {
    let name = TemplateName::of(input.launch_template_id, input.launch_template_name)?;
    let version =
        input.default_version.ok_or_else(|| Error::Missing("The request must contain the parameter SetDefaultVersion".into()))?;
    let id = set_default_version(tx, &name, &version)?;
    let launch_template = Some(template_shape(tx, &id)?);
    unless_dry(input.dry_run, s::ModifyLaunchTemplateResult { launch_template })
}

pub(crate) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteLaunchTemplateRequest) -> Result<s::DeleteLaunchTemplateResult, Fault> {
    let name = TemplateName::of(input.launch_template_id, input.launch_template_name)?;
    let id = find_template(tx, &name)?.id.clone();
    let launch_template = Some(template_shape(tx, &id)?);
    delete_template(tx, &name)?;
    unless_dry(input.dry_run, s::DeleteLaunchTemplateResult { launch_template })
}

/// Each version by itself: what cannot go stays and is listed with its reason.
pub(crate) fn delete_versions(
    tx: &mut Tx,
    _: &Cx,
    input: s::DeleteLaunchTemplateVersionsRequest,
) -> Result<s::DeleteLaunchTemplateVersionsResult, Fault> {
    let name = TemplateName::of(input.launch_template_id, input.launch_template_name)?;
    let template = find_template(tx, &name)?.clone();
    check_count(&input.versions)?;
    let mut answer = s::DeleteLaunchTemplateVersionsResult::default();
    let (id, template_name) = (Some(template.id.to_string()), Some(template.name.clone()));
    for version in &input.versions {
        let digits: u64 = version.parse().map_err(|_| ComputeError::MalformedTemplateVersion(version.clone()))?;
        let version_number = i64::try_from(digits).ok();
        match delete_version(tx, &template, digits) {
            Ok(()) => {
                answer.successfully_deleted_launch_template_versions.push(s::DeleteLaunchTemplateVersionsResponseSuccessItem {
                    launch_template_id: id.clone(),
                    launch_template_name: template_name.clone(),
                    version_number,
                })
            }
            Err(error) => {
                let code = match &error {
                    Error::Compute(ComputeError::NoTemplateVersion { .. }) => "launchTemplateVersionDoesNotExist",
                    _ => "unexpectedError",
                };
                answer.unsuccessfully_deleted_launch_template_versions.push(s::DeleteLaunchTemplateVersionsResponseErrorItem {
                    launch_template_id: id.clone(),
                    launch_template_name: template_name.clone(),
                    version_number,
                    response_error: Some(s::ResponseError { code: Some(code.into()), message: Some(Fault::from(error).message) }),
                });
            }
        }
    }
    unless_dry(input.dry_run, answer)
}

fn check_count(versions: &[String]) -> Result<(), Error> {
    if versions.len() <= VERSIONS_MAX {
        return Ok(());
    }
    Err(Error::InvalidParameter(format!("At most {VERSIONS_MAX} versions can be named in one request.")))
}

pub(crate) fn describe_templates(
    tx: &mut Tx,
    cx: &Cx,
    input: s::DescribeLaunchTemplatesRequest,
) -> Result<s::DescribeLaunchTemplatesResult, Fault> {
    let mut ids = input.launch_template_ids;
    if let Some(unknown) = ids.iter().find(|id| tx.get::<LaunchTemplate>(&id.as_str().into()).is_none()) {
        Kind::LaunchTemplate.check(unknown)?;
        return Err(ComputeError::NoTemplate(TemplateName::Id(unknown.as_str().into())).into());
    }
    for name in input.launch_template_names {
        ids.push(find_template(tx, &TemplateName::Name(name))?.id.to_string());
    }
    let asked = Asked { ids, filters: input.filters, max_results: input.max_results, next_token: input.next_token };
    let page = describe::<LaunchTemplate>(tx, cx, asked)?;
    let launch_templates = page.items.iter().map(|t| shape(tx, t)).collect();
    unless_dry(input.dry_run, s::DescribeLaunchTemplatesResult { launch_templates, next_token: page.next_token })
}

/// Versions of one template; or, without a template, the `$Latest` or `$Default` ones of all.
pub(crate) fn describe_versions(
    tx: &mut Tx,
    cx: &Cx,
    input: s::DescribeLaunchTemplateVersionsRequest,
) -> Result<s::DescribeLaunchTemplateVersionsResult, Fault> {
    check_count(&input.versions)?;
    let filters = Filters::parse(input.filters, &["create-time", "image-id", "instance-type", "is-default-version"])?;
    let keys = if input.launch_template_id.is_none() && input.launch_template_name.is_none() {
        of_all(tx, &input.versions)?
    } else {
        let name = TemplateName::of(input.launch_template_id, input.launch_template_name)?;
        of_one(tx, find_template(tx, &name)?, &input.versions, bound(input.min_version)?, bound(input.max_version)?)?
    };
    let found = keys.iter().filter_map(|key| Some((tx.get::<LaunchTemplate>(&key.0)?, tx.get::<LaunchTemplateVersion>(key)?)));
    let none = base::Tags::new();
    let passed = found.filter(|(template, version)| {
        filters.pass(&none, |name, add| match name {
            "create-time" => add(&version.created_at.iso8601_ms()),
            "image-id" => version.data.image_id.iter().for_each(|i| add(i)),
            "instance-type" => version.data.instance_type.iter().for_each(|t| add(t)),
            "is-default-version" => add(if version.number == template.default_version { "true" } else { "false" }),
            _ => {}
        })
    });
    let max = results_within(input.max_results, RESULTS)?;
    // The newest first, as AWS lists them.
    let order = |(_, v): &(&LaunchTemplate, &LaunchTemplateVersion)| format!("{}/{:020}", v.template, u64::MAX - v.number);
    let page = page(passed, order, input.next_token.as_deref(), max, || Error::BadToken.into())?;
    let shapes =
        page.items.iter().map(|(template, version)| version_shape(tx, &cx.scope, template, version, input.resolve_alias));
    let launch_template_versions = shapes.collect::<Result<_, _>>()?;
    unless_dry(input.dry_run, s::DescribeLaunchTemplateVersionsResult { launch_template_versions, next_token: page.next_token })
}

fn bound(version: Option<String>) -> Result<Option<u64>, Error> {
    let parse = |v: String| v.parse().map_err(|_| ComputeError::MalformedTemplateVersion(v).into());
    version.map(parse).transpose()
}

fn of_all(state: &State, versions: &[String]) -> Result<Vec<VersionKey>, Error> {
    if versions.is_empty() || versions.iter().any(|v| v != "$Latest" && v != "$Default") {
        let text = "Without a launch template only the versions $Latest and $Default can be described.";
        return Err(Error::InvalidCombination(text.into()));
    }
    let mut keys = Vec::new();
    for template in state.rows::<LaunchTemplate>() {
        keys.extend(of_one(state, template, versions, None, None)?);
    }
    Ok(keys)
}

/// The newest first.
fn of_one(
    state: &State,
    template: &LaunchTemplate,
    versions: &[String],
    min: Option<u64>,
    max: Option<u64>,
) -> Result<Vec<VersionKey>, Error> {
    let mut numbers: Vec<u64> = if versions.is_empty() {
        let all = state.rows_where::<LaunchTemplateVersion>("template", &template.id).map(|v| v.number);
        all.filter(|n| min.is_none_or(|min| *n >= min) && max.is_none_or(|max| *n <= max)).collect()
    } else {
        versions.iter().map(|v| version_number(state, template, Some(v))).collect::<Result<_, _>>()?
    };
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers.dedup();
    Ok(numbers.into_iter().map(|n| VersionKey(template.id.clone(), n)).collect())
}

fn template_shape(state: &State, id: &LaunchTemplateId) -> Result<s::LaunchTemplate, Error> {
    state.get::<LaunchTemplate>(id).map(|t| shape(state, t)).ok_or(Error::Internal)
}

fn shape(state: &State, template: &LaunchTemplate) -> s::LaunchTemplate {
    s::LaunchTemplate {
        launch_template_id: Some(template.id.to_string()),
        launch_template_name: Some(template.name.clone()),
        create_time: Some(template.created_at),
        created_by: Some(template.created_by.clone()),
        default_version_number: i64::try_from(template.default_version).ok(),
        latest_version_number: i64::try_from(latest_version(state, template)).ok(),
        tags: tags::shapes(state, &template.id),
        ..Default::default()
    }
}

/// With `ResolveAlias` the image that a `resolve:ssm:` stands for now.
fn version_shape(
    state: &State,
    scope: &Scope,
    template: &LaunchTemplate,
    version: &LaunchTemplateVersion,
    resolve_alias: Option<bool>,
) -> Result<s::LaunchTemplateVersion, Error> {
    let mut data = version.data.clone();
    if let Some(image) = data.image_id.as_mut().filter(|i| resolve_alias == Some(true) && i.starts_with("resolve:")) {
        *image = resolve_image(state, scope, image)?.id.to_string();
    }
    Ok(s::LaunchTemplateVersion {
        launch_template_id: Some(template.id.to_string()),
        launch_template_name: Some(template.name.clone()),
        version_number: i64::try_from(version.number).ok(),
        version_description: version.description.clone(),
        create_time: Some(version.created_at),
        created_by: Some(version.created_by.clone()),
        default_version: Some(version.number == template.default_version),
        launch_template_data: Some(template_answer(data)),
        ..Default::default()
    })
}
