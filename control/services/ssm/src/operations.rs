//! The API of Parameter Store.

use base::{Fault, Scope};
use kernel::{Cx, Tx, page};
use shapes::ssm as s;

use crate::error::Error;
use crate::filter::{Asker, Filters, below, trimmed};
use crate::name::{self, parent};
use crate::parameter::{self, DEFAULT_KEY, NewValue, Parameter, ParameterType, WantedTier, find_asked};
use crate::tags;

const DESCRIBED_MAX: usize = 50;
const BY_PATH_MAX: usize = 10;
const NAMES_MAX: usize = 10;

pub(crate) fn put(tx: &mut Tx, cx: &Cx, input: s::PutParameterRequest) -> Result<s::PutParameterResult, Fault> {
    let kind = input.r#type.as_deref().map(kind).transpose()?;
    if input.policies.as_deref().is_some_and(|p| !p.is_empty() && p != "[]") {
        return Err(Error::Unsupported("Parameter policies are not supported in this region.".into()).into());
    }
    check_key(input.key_id.as_deref(), kind)?;
    let new = NewValue {
        kind,
        value: input.value,
        description: input.description,
        tier: input.tier.as_deref().map(tier).transpose()?,
        data_type: input.data_type,
        allowed_pattern: input.allowed_pattern.filter(|p| !p.is_empty()),
    };
    let overwrites = input.overwrite == Some(true);
    if overwrites && !input.tags.is_empty() {
        return Err(Error::Invalid(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource."
                .into(),
        )
        .into());
    }
    let exists = tx.get::<Parameter>(&input.name).is_some();
    let parameter = if overwrites && exists {
        parameter::overwrite(tx, cx, &input.name, new)?
    } else {
        parameter::create(tx, cx, &input.name, new, tags::from_user(input.tags)?)?
    };
    Ok(s::PutParameterResult { version: shown(parameter.version), tier: Some(parameter.tier.as_str().into()) })
}

pub(crate) fn kind(text: &str) -> Result<ParameterType, Error> {
    ParameterType::parse(text).ok_or_else(|| Error::Invalid(format!("There is no parameter type {text}.")))
}

pub(crate) fn tier(text: &str) -> Result<WantedTier, Error> {
    WantedTier::parse(text).ok_or_else(|| Error::Invalid(format!("There is no parameter tier {text}.")))
}

fn check_key(key: Option<&str>, kind: Option<ParameterType>) -> Result<(), Error> {
    match (key, kind) {
        (None, _) => Ok(()),
        (Some(_), Some(ParameterType::String | ParameterType::StringList)) => {
            Err(Error::Invalid("KeyId is required for SecureString type parameter only.".into()))
        }
        (Some(DEFAULT_KEY), _) => Ok(()),
        (Some(other), _) => Err(Error::InvalidKey(other.into())),
    }
}

pub(crate) fn get(tx: &mut Tx, cx: &Cx, input: s::GetParameterRequest) -> Result<s::GetParameterResult, Fault> {
    let parameter = find_asked(tx, &cx.scope, &input.name)?;
    Ok(s::GetParameterResult { parameter: Some(answer(&cx.scope, parameter, &input.name, Secrets::of(input.with_decryption))) })
}

/// Names that lead to nothing are listed, and are no error.
pub(crate) fn get_several(tx: &mut Tx, cx: &Cx, input: s::GetParametersRequest) -> Result<s::GetParametersResult, Fault> {
    if !(1..=NAMES_MAX).contains(&input.names.len()) {
        return Err(Error::Invalid(format!("One request can name 1 to {NAMES_MAX} parameters.")).into());
    }
    let secrets = Secrets::of(input.with_decryption);
    let mut result = s::GetParametersResult::default();
    for (index, name) in input.names.iter().enumerate() {
        if input.names[..index].contains(name) {
            return Err(Error::Invalid(format!("The request names {name} twice.")).into());
        }
        match find_asked(tx, &cx.scope, name) {
            Ok(parameter) => result.parameters.push(answer(&cx.scope, parameter, name, secrets)),
            Err(_) => result.invalid_parameters.push(name.clone()),
        }
    }
    Ok(result)
}

pub(crate) fn get_by_path(
    tx: &mut Tx,
    cx: &Cx,
    input: s::GetParametersByPathRequest,
) -> Result<s::GetParametersByPathResult, Fault> {
    if !input.path.starts_with('/') {
        return Err(Error::Invalid(format!("The parameter path {} must begin with a slash.", input.path)).into());
    }
    let path = trimmed(&input.path);
    let filters = Filters::parse(input.parameter_filters, Asker::ByPath)?;
    let secrets = Secrets::of(input.with_decryption);
    // The root lists the user's own; the region's parameters are found by their path.
    let (from, of_region) = if path == "/" { (String::new(), false) } else { (format!("{path}/"), true) };
    let found = tx
        .rows_from::<Parameter>(&from)
        .take_while(|p| p.name.starts_with(&from))
        .filter(|p| (of_region || !p.public) && below(&p.name, path))
        .filter(|p| input.recursive == Some(true) || parent(&p.name) == path)
        .filter(|p| filters.pass(p));
    let max = results_max(input.max_results, BY_PATH_MAX)?;
    let page = page(found, |p| p.name.clone(), input.next_token.as_deref(), max, || Error::BadToken.into())?;
    let parameters = page.items.into_iter().map(|p| answer(&cx.scope, p, &p.name, secrets)).collect();
    Ok(s::GetParametersByPathResult { parameters, next_token: page.next_token })
}

pub(crate) fn describe(tx: &mut Tx, cx: &Cx, input: s::DescribeParametersRequest) -> Result<s::DescribeParametersResult, Fault> {
    if !input.filters.is_empty() && !input.parameter_filters.is_empty() {
        return Err(Error::Invalid("You can use either Filters or ParameterFilters in a single request.".into()).into());
    }
    let filters = match input.filters.is_empty() {
        true => Filters::parse(input.parameter_filters, Asker::Describe)?,
        false => Filters::parse_old(input.filters)?,
    };
    // No other account shares parameters with this one.
    let shared = input.shared == Some(true);
    let found = tx.rows_where::<Parameter>("owner", "user").filter(|p| !shared && filters.pass(p));
    let max = results_max(input.max_results, DESCRIBED_MAX)?;
    let page = page(found, |p| p.name.clone(), input.next_token.as_deref(), max, || Error::BadToken.into())?;
    let parameters = page.items.into_iter().map(|p| metadata(&cx.scope, p)).collect();
    Ok(s::DescribeParametersResult { parameters, next_token: page.next_token })
}

pub(crate) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteParameterRequest) -> Result<s::DeleteParameterResult, Fault> {
    parameter::delete(tx, &input.name)?;
    Ok(s::DeleteParameterResult {})
}

fn results_max(asked: Option<i64>, max: usize) -> Result<usize, Error> {
    match asked.map(usize::try_from) {
        None => Ok(max),
        Some(Ok(asked)) if (1..=max).contains(&asked) => Ok(asked),
        Some(_) => Err(Error::Invalid(format!("MaxResults must be 1 to {max}."))),
    }
}

/// Whether secrets are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secrets {
    Shown,
    Hidden,
}

impl Secrets {
    fn of(with_decryption: Option<bool>) -> Self {
        if with_decryption == Some(true) { Self::Shown } else { Self::Hidden }
    }
}

fn answer(scope: &Scope, parameter: &Parameter, asked: &str, secrets: Secrets) -> s::Parameter {
    let hidden = parameter.kind == ParameterType::SecureString && secrets == Secrets::Hidden;
    s::Parameter {
        name: Some(parameter.name.clone()),
        r#type: Some(parameter.kind.as_str().into()),
        value: Some(if hidden { parameter.ciphertext() } else { parameter.value.clone() }),
        version: shown(parameter.version),
        selector: name::split_selector(asked).1.map(|selector| format!(":{selector}")),
        source_result: None,
        last_modified_date: Some(parameter.modified_at),
        arn: Some(parameter.arn(scope)),
        data_type: Some(parameter.data_type.clone()),
    }
}

fn metadata(scope: &Scope, parameter: &Parameter) -> s::ParameterMetadata {
    s::ParameterMetadata {
        name: Some(parameter.name.clone()),
        arn: Some(parameter.arn(scope)),
        r#type: Some(parameter.kind.as_str().into()),
        key_id: (parameter.kind == ParameterType::SecureString).then(|| DEFAULT_KEY.into()),
        last_modified_date: Some(parameter.modified_at),
        last_modified_user: Some(parameter.modified_by.clone()),
        description: parameter.description.clone(),
        allowed_pattern: parameter.allowed_pattern.clone(),
        version: shown(parameter.version),
        tier: Some(parameter.tier.as_str().into()),
        policies: Vec::new(),
        data_type: Some(parameter.data_type.clone()),
    }
}

fn shown(version: u64) -> Option<i64> {
    i64::try_from(version).ok()
}
