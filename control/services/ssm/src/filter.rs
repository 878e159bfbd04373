//! Filters of `DescribeParameters` and `GetParametersByPath` (ParameterStringFilter in the API reference). Which keys
//! and options each of the two knows differs.

use shapes::ssm as s;

use crate::error::Error;
use crate::name::parent;
use crate::parameter::{DEFAULT_KEY, Parameter, ParameterType};

/// Most filters and most values of one filter.
const FILTERS_MAX: usize = 50;
const VALUES_MAX: usize = 50;

/// The operation that filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    Describe,
    ByPath,
}

#[derive(Clone, Debug, PartialEq)]
enum Key {
    Name,
    Type,
    Encryption,
    Path,
    Tier,
    DataType,
    /// No parameter of this region has labels.
    Label,
    Tag(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Equals,
    BeginsWith,
    Contains,
    OneLevel,
    Recursive,
}

#[derive(Debug)]
struct Filter {
    key: Key,
    how: How,
    values: Vec<String>,
}

/// Filters that all must be met, each by any of its values.
#[derive(Debug, Default)]
pub(crate) struct Filters(Vec<Filter>);

impl Filters {
    pub(crate) fn parse(sent: Vec<s::ParameterStringFilter>, asker: Asker) -> Result<Self, Error> {
        if sent.len() > FILTERS_MAX {
            return Err(Error::FilterValue(format!("At most {FILTERS_MAX} filters can be used in one request.")));
        }
        let mut filters: Vec<Filter> = Vec::with_capacity(sent.len());
        for filter in sent {
            let key = Key::parse(&filter.key, asker)?;
            if filters.iter().any(|f| f.key == key) {
                return Err(Error::FilterKey(format!(
                    "The following filter is duplicated in the request: {}. A request can contain only one occurrence of a specific filter.",
                    filter.key
                )));
            }
            let how = key.how(filter.option.as_deref())?;
            if filter.values.is_empty() && !matches!(key, Key::Tag(_)) {
                return Err(Error::FilterValue(format!(
                    "The following filter values are missing for filter key {}.",
                    filter.key
                )));
            }
            check_values(&key, &filter.values)?;
            filters.push(Filter { key, how, values: filter.values });
        }
        Ok(Self(filters))
    }

    /// The older form, which `DescribeParameters` takes too.
    pub(crate) fn parse_old(sent: Vec<s::ParametersFilter>) -> Result<Self, Error> {
        let renamed = sent.into_iter().map(|f| s::ParameterStringFilter {
            option: (f.key != "Type").then(|| "BeginsWith".into()),
            key: f.key,
            values: f.values,
        });
        Self::parse(renamed.collect(), Asker::Describe)
    }

    pub(crate) fn pass(&self, parameter: &Parameter) -> bool {
        self.0.iter().all(|filter| filter.pass(parameter))
    }
}

fn check_values(key: &Key, values: &[String]) -> Result<(), Error> {
    if values.len() > VALUES_MAX {
        return Err(Error::FilterValue(format!("A filter can have at most {VALUES_MAX} values.")));
    }
    for value in values {
        match key {
            Key::Path if !value.starts_with('/') => {
                return Err(Error::Invalid(format!("The parameter path {value} must begin with a slash.")));
            }
            Key::Type if ParameterType::parse(value).is_none() => {
                return Err(Error::FilterValue(format!(
                    "The following filter value is not valid: {value}. Valid values include: [String, StringList, SecureString]."
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

impl Key {
    fn parse(text: &str, asker: Asker) -> Result<Self, Error> {
        let key = match text {
            "Name" => Key::Name,
            "Type" => Key::Type,
            "KeyId" => Key::Encryption,
            "Path" => Key::Path,
            "Tier" => Key::Tier,
            "DataType" => Key::DataType,
            "Label" => Key::Label,
            other => match other.strip_prefix("tag:").filter(|key| !key.is_empty()) {
                Some(tag) => Key::Tag(tag.into()),
                None => return Err(unknown_key(text)),
            },
        };
        let known = match asker {
            Asker::Describe => key != Key::Label,
            Asker::ByPath => matches!(key, Key::Type | Key::Encryption | Key::Label),
        };
        if known { Ok(key) } else { Err(unknown_key(text)) }
    }

    fn how(&self, option: Option<&str>) -> Result<How, Error> {
        let (default, options, valid): (How, &[How], &'static str) = match self {
            Key::Path => (How::OneLevel, &[How::OneLevel, How::Recursive], "OneLevel, Recursive"),
            Key::Name => (How::Equals, &[How::Equals, How::BeginsWith, How::Contains], "BeginsWith, Contains, Equals"),
            Key::Encryption => (How::Equals, &[How::Equals, How::BeginsWith], "BeginsWith, Equals"),
            _ => (How::Equals, &[How::Equals], "Equals"),
        };
        let Some(text) = option else { return Ok(default) };
        let how = match text {
            "Equals" => Some(How::Equals),
            "BeginsWith" => Some(How::BeginsWith),
            "Contains" => Some(How::Contains),
            "OneLevel" => Some(How::OneLevel),
            "Recursive" => Some(How::Recursive),
            _ => None,
        };
        how.filter(|how| options.contains(how)).ok_or_else(|| Error::FilterOption { option: text.into(), valid })
    }
}

fn unknown_key(text: &str) -> Error {
    Error::FilterKey(format!("The following filter key is not valid: {text}."))
}

impl Filter {
    fn pass(&self, parameter: &Parameter) -> bool {
        let any = |value: &str| self.values.iter().any(|wanted| self.how.meets(wanted, value));
        match &self.key {
            // A name may be told with or without its first slash.
            Key::Name => any(&parameter.name) || parameter.name.strip_prefix('/').is_some_and(any),
            Key::Type => any(parameter.kind.as_str()),
            Key::Encryption => parameter.kind == ParameterType::SecureString && any(DEFAULT_KEY),
            Key::Path => any(&parameter.name),
            Key::Tier => any(parameter.tier.as_str()),
            Key::DataType => any(&parameter.data_type),
            Key::Label => false,
            Key::Tag(key) => parameter.tags.get(key).is_some_and(|value| self.values.is_empty() || any(value)),
        }
    }
}

impl How {
    fn meets(self, wanted: &str, value: &str) -> bool {
        match self {
            How::Equals => value == wanted,
            How::BeginsWith => value.starts_with(wanted),
            How::Contains => value.contains(wanted),
            How::OneLevel => parent(value) == trimmed(wanted),
            How::Recursive => below(value, wanted),
        }
    }
}

/// A path without the slash at its end; the root is `/`.
pub(crate) fn trimmed(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        rest => rest,
    }
}

/// Whether a parameter lies anywhere below a path.
pub(crate) fn below(name: &str, path: &str) -> bool {
    match trimmed(path) {
        "/" => true,
        path => name.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')),
    }
}
