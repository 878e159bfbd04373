//! Names of parameters: their syntax, hierarchy, reserved prefixes and selectors ("About requirements and
//! constraints for parameter names", PutParameter).

use crate::error::Error;

/// Longest name with the ARN's own part, in characters.
const NAME_CHARS_MAX: usize = 1_011;
/// Levels of a hierarchy, the parameter's own name included.
pub(crate) const LEVELS_MAX: usize = 15;
/// What only the region sets; besides, no name may begin with `aws` or `ssm`.
const REGION_PREFIX: &str = "/allod/";

/// Refuses a name that a user may not give to a parameter.
pub(crate) fn check(name: &str) -> Result<(), Error> {
    let bare = name.strip_prefix('/').unwrap_or(name).to_ascii_lowercase();
    if name.starts_with(REGION_PREFIX) || (name.starts_with('/') && (bare == "aws" || bare.starts_with("aws/"))) {
        return Err(Error::Reserved(name.into()));
    }
    if bare.starts_with("aws") || bare.starts_with("ssm") {
        return Err(Error::Invalid("Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).".into()));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(Error::Invalid("Parameter name must be a fully qualified name: it must begin with a slash.".into()));
    }
    let known = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let levels = name.strip_prefix('/').unwrap_or(name).split('/');
    if !name.chars().all(known) || levels.clone().any(str::is_empty) {
        return Err(Error::Invalid(
            "Parameter name: if formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_"
                .into(),
        ));
    }
    if name.len() > NAME_CHARS_MAX {
        return Err(Error::Invalid(format!("Parameter name: at most {NAME_CHARS_MAX} characters are allowed.")));
    }
    if levels.count() > LEVELS_MAX {
        return Err(Error::HierarchyTooDeep);
    }
    Ok(())
}

/// A name that is asked for, and the version or label after its colon.
pub(crate) fn split_selector(asked: &str) -> (&str, Option<&str>) {
    // An ARN has five colons before the name.
    let start = if asked.starts_with("arn:") { asked.find(":parameter/").map_or(0, |at| at + 1) } else { 0 };
    match asked[start..].find(':') {
        Some(at) => (&asked[..start + at], Some(&asked[start + at + 1..])),
        None => (asked, None),
    }
}

/// The name in an ARN, without its first slash, which an ARN does not tell.
pub(crate) fn of_arn(arn: &str) -> Option<&str> {
    arn.starts_with("arn:").then(|| arn.split_once(":parameter/").map(|(_, name)| name))?
}

/// Where in the hierarchy a parameter lies: `/a/b` for `/a/b/c`; the root for a plain name.
pub(crate) fn parent(name: &str) -> &str {
    match name.rfind('/') {
        None | Some(0) => "/",
        Some(at) => &name[..at],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{check, of_arn, parent, split_selector};
    use base::Fault;

    #[test]
    fn names_follow_awss_rules() {
        let deep = "/l".repeat(15);
        for good in ["a", "Db.url_1-x", "/web/prod/db", deep.as_str(), "laws", "/web/aws/key"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let deeper = "/l".repeat(16);
        let long = "x".repeat(1_012);
        for (bad, code) in [
            ("", "ValidationException"),
            ("/", "ValidationException"),
            ("a b", "ValidationException"),
            ("/a//b", "ValidationException"),
            ("/a/", "ValidationException"),
            ("a/b", "ValidationException"),
            ("a:1", "ValidationException"),
            ("awsKey", "ValidationException"),
            ("SSM-key", "ValidationException"),
            ("/ssm/x", "ValidationException"),
            ("/aws/service/x", "AccessDeniedException"),
            ("/AWS/x", "AccessDeniedException"),
            ("/allod/images/web", "AccessDeniedException"),
            (long.as_str(), "ValidationException"),
            (deeper.as_str(), "HierarchyLevelLimitExceededException"),
        ] {
            assert_eq!(Fault::from(check(bad).unwrap_err()).code, code, "{bad}");
        }
    }

    #[test]
    fn selectors_arns_and_parents() {
        assert_eq!(split_selector("/a/b"), ("/a/b", None));
        assert_eq!(split_selector("/a/b:3"), ("/a/b", Some("3")));
        let arn = "arn:aws:ssm:eu-central-1:000000000000:parameter/a/b";
        assert_eq!(split_selector(arn), (arn, None));
        assert_eq!(split_selector(&format!("{arn}:prod")), (arn, Some("prod")));
        assert_eq!(of_arn(arn), Some("a/b"));
        assert_eq!(of_arn("/a"), None);
        assert_eq!((parent("/a/b/c"), parent("/a"), parent("a")), ("/a/b", "/", "/"));
    }
}
