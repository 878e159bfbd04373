//! Transforms of rules: from and to the API's shape ("Transforms for listener rules").

use shapes::elbv2 as s;
use world::{Rewrites, Transform};

use crate::error::Error;

fn invalid<T>(text: impl Into<String>) -> Result<T, Error> {
    Err(Error::Validation(text.into()))
}

/// At most one transform of each type, each as the edge can compile it.
pub(crate) fn of_shapes(transforms: Vec<s::RuleTransform>) -> Result<Vec<Transform>, Error> {
    let all: Vec<Transform> = transforms.into_iter().map(of_shape).collect::<Result<_, _>>()?;
    Rewrites::compile(&all)?;
    Ok(all)
}

fn of_shape(shape: s::RuleTransform) -> Result<Transform, Error> {
    let url = shape.url_rewrite_config.map(|c| c.rewrites);
    let host = shape.host_header_rewrite_config.map(|c| c.rewrites);
    match (shape.r#type.as_str(), url, host) {
        ("url-rewrite", Some(rewrites), None) => {
            let (regex, replace) = rewrite(rewrites)?;
            Ok(Transform::Url { regex, replace })
        }
        ("host-header-rewrite", None, Some(rewrites)) => {
            let (regex, replace) = rewrite(rewrites)?;
            Ok(Transform::Host { regex, replace })
        }
        ("url-rewrite" | "host-header-rewrite", _, _) => {
            invalid(format!("A transform of type '{}' needs the configuration of its type, and no other", shape.r#type))
        }
        (other, _, _) => invalid(format!("Transform type '{other}' must be one of 'host-header-rewrite, url-rewrite'")),
    }
}

fn rewrite(rewrites: Vec<s::RewriteConfig>) -> Result<(String, String), Error> {
    let mut rewrites = rewrites.into_iter();
    let (Some(rewrite), None) = (rewrites.next(), rewrites.next()) else {
        return invalid("A transform must have exactly one rewrite");
    };
    Ok((rewrite.regex, rewrite.replace))
}

/// The transform as AWS shows it.
pub(crate) fn to_shape(transform: &Transform) -> s::RuleTransform {
    let rewrites = |regex: &str, replace: &str| vec![s::RewriteConfig { regex: regex.into(), replace: replace.into() }];
    match transform {
        Transform::Url { regex, replace } => s::RuleTransform {
            r#type: "url-rewrite".into(),
            url_rewrite_config: Some(s::UrlRewriteConfig { rewrites: rewrites(regex, replace) }),
            ..Default::default()
        },
        Transform::Host { regex, replace } => s::RuleTransform {
            r#type: "host-header-rewrite".into(),
            host_header_rewrite_config: Some(s::HostHeaderRewriteConfig { rewrites: rewrites(regex, replace) }),
            ..Default::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, of_shapes, to_shape};
    use world::Transform;

    #[test]
    fn transforms_come_back_as_they_were_given() {
        let url = Transform::Url { regex: "^/v1/(.*)".into(), replace: "/v2/$1".into() };
        let host = Transform::Host { regex: "^a\\.".into(), replace: "b.".into() };
        let shapes = vec![to_shape(&url), to_shape(&host)];
        assert_eq!(of_shapes(shapes), Ok(vec![url.clone(), host]));
        assert!(of_shapes(vec![to_shape(&url), to_shape(&url)]).is_err());
        let mut broken = to_shape(&url);
        broken.r#type = "host-header-rewrite".into();
        assert!(of_shapes(vec![broken]).is_err());
        for (regex, replace) in [("(", "/"), ("", "/"), ("^/(.*)", "/$2"), (r"^/\p{L}", "/"), ("^/", "/a b")] {
            let unfit = Transform::Url { regex: regex.into(), replace: replace.into() };
            assert!(matches!(of_shapes(vec![to_shape(&unfit)]), Err(Error::Validation(_))), "{unfit:?}");
        }
    }
}
