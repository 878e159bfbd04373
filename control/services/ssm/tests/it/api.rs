//! The operations, as a client sees them.

use kernel::Trial;
use shapes::ssm as s;
use shapes::ssm::ops;

use crate::region::{get, plain, put, region};

fn code<T: std::fmt::Debug>(result: Result<T, base::Fault>) -> String {
    result.unwrap_err().code.into_owned()
}

fn tag(key: &str, value: &str) -> s::Tag {
    s::Tag { key: key.into(), value: value.into() }
}

#[test]
fn a_parameter_is_put_read_overwritten_and_deleted() {
    let mut region = region();
    put(&mut region, "/web/db", "one");
    let shown = get(&mut region, "/web/db").unwrap();
    assert_eq!(shown.value.as_deref(), Some("one"));
    assert_eq!(shown.arn.as_deref(), Some("arn:aws:ssm:eu-central-1:000000000000:parameter/web/db"));
    assert_eq!(shown.data_type.as_deref(), Some("text"));
    assert_eq!(code(region.call::<ops::PutParameter>(plain("/web/db", "two"))), "ParameterAlreadyExists");

    let two = s::PutParameterRequest { overwrite: Some(true), r#type: None, ..plain("/web/db", "two") };
    assert_eq!(region.call::<ops::PutParameter>(two).unwrap().version, Some(2));
    assert_eq!(get(&mut region, "/web/db:2").unwrap().selector.as_deref(), Some(":2"));
    assert_eq!(code(get(&mut region, "/web/db:1")), "ParameterVersionNotFound");
    let arn = shown.arn.unwrap();
    assert_eq!(get(&mut region, &arn).unwrap().value.as_deref(), Some("two"));
    assert_eq!(get(&mut region, &format!("{arn}:2")).unwrap().value.as_deref(), Some("two"));
    for (own, foreign) in [("000000000000", "111111111111"), ("eu-central-1", "us-east-1"), ("aws", "aws-cn")] {
        assert_eq!(code(get(&mut region, &arn.replacen(own, foreign, 1))), "ParameterNotFound", "{foreign}");
    }
    assert_eq!(ssm::resolve(region.state(), region.kernel.scope(), "/web/db:2").as_deref(), Some("two"));

    region.reopen();
    assert_eq!(get(&mut region, "/web/db").unwrap().version, Some(2));
    region.call::<ops::DeleteParameter>(s::DeleteParameterRequest { name: "/web/db".into() }).unwrap();
    assert_eq!(code(get(&mut region, "/web/db")), "ParameterNotFound");
    assert_eq!(
        code(region.call::<ops::DeleteParameter>(s::DeleteParameterRequest { name: "/web/db".into() })),
        "ParameterNotFound"
    );
    assert_eq!(ssm::resolve(region.state(), region.kernel.scope(), "/web/db"), None);
}

#[test]
fn bad_writes_are_refused() {
    let mut region = region();
    let long = "x".repeat(4_097);
    let secret = |key: &str| s::PutParameterRequest {
        r#type: Some("SecureString".into()),
        key_id: Some(key.into()),
        ..plain("secret", "v")
    };
    for (input, expected) in [
        (plain("/aws/service/x", "v"), "AccessDeniedException"),
        (plain("/allod/images/web", "v"), "AccessDeniedException"),
        (plain("ssmKey", "v"), "ValidationException"),
        (plain("a", ""), "ValidationException"),
        (plain("a", &long), "ValidationException"),
        (plain("a", "{{ssm:b}}"), "ValidationException"),
        (s::PutParameterRequest { r#type: None, ..plain("a", "v") }, "ValidationException"),
        (s::PutParameterRequest { r#type: Some("Text".into()), ..plain("a", "v") }, "ValidationException"),
        (
            s::PutParameterRequest { allowed_pattern: Some(r"^\d+$".into()), ..plain("a", "v") },
            "ParameterPatternMismatchException",
        ),
        (s::PutParameterRequest { allowed_pattern: Some("(".into()), ..plain("a", "v") }, "InvalidAllowedPatternException"),
        (s::PutParameterRequest { data_type: Some("aws:ec2:image".into()), ..plain("a", "v") }, "ValidationException"),
        (s::PutParameterRequest { data_type: Some("json".into()), ..plain("a", "v") }, "ValidationException"),
        (s::PutParameterRequest { policies: Some("[{}]".into()), ..plain("a", "v") }, "UnsupportedOperationException"),
        (s::PutParameterRequest { overwrite: Some(true), tags: vec![tag("a", "b")], ..plain("a", "v") }, "ValidationException"),
        (s::PutParameterRequest { tags: vec![tag("aws:x", "b")], ..plain("a", "v") }, "ValidationException"),
        (secret("alias/mine"), "InvalidKeyId"),
    ] {
        assert_eq!(code(region.call::<ops::PutParameter>(input.clone())), expected, "{input:?}");
    }
    let advanced = s::PutParameterRequest { tier: Some("Intelligent-Tiering".into()), ..plain("a", &long) };
    assert_eq!(region.call::<ops::PutParameter>(advanced).unwrap().tier.as_deref(), Some("Advanced"));
    let back = s::PutParameterRequest { tier: Some("Standard".into()), overwrite: Some(true), ..plain("a", "v") };
    assert_eq!(code(region.call::<ops::PutParameter>(back)), "ValidationException");
}

#[test]
fn the_pattern_stays_when_a_value_is_written_anew() {
    let mut region = region();
    let numbers = s::PutParameterRequest { allowed_pattern: Some(r"^\d+$".into()), ..plain("n", "1") };
    region.call::<ops::PutParameter>(numbers).unwrap();
    let text = s::PutParameterRequest { overwrite: Some(true), ..plain("n", "x") };
    assert_eq!(code(region.call::<ops::PutParameter>(text)), "ParameterPatternMismatchException");
    assert_eq!(get(&mut region, "n").unwrap().value.as_deref(), Some("1"));
}

#[test]
fn a_secret_shows_itself_only_when_asked_to() {
    let mut region = region();
    let secret = s::PutParameterRequest { r#type: Some("SecureString".into()), ..plain("/db/password", "hunter2") };
    region.call::<ops::PutParameter>(secret).unwrap();
    let hidden = get(&mut region, "/db/password").unwrap().value.unwrap();
    assert!(!hidden.contains("hunter2"), "{hidden}");
    let open = s::GetParameterRequest { name: "/db/password".into(), with_decryption: Some(true) };
    assert_eq!(region.call::<ops::GetParameter>(open).unwrap().parameter.unwrap().value.as_deref(), Some("hunter2"));
    assert_eq!(ssm::resolve(region.state(), region.kernel.scope(), "/db/password"), None);
    let plainly = s::PutParameterRequest { overwrite: Some(true), ..plain("/db/password", "x") };
    assert_eq!(code(region.call::<ops::PutParameter>(plainly)), "HierarchyTypeMismatchException");
}

#[test]
fn several_names_at_once_with_those_that_lead_nowhere() {
    let mut region = region();
    put(&mut region, "a", "1");
    let input = s::GetParametersRequest { names: vec!["a".into(), "b".into(), "a:9".into()], ..Default::default() };
    let answer = region.call::<ops::GetParameters>(input).unwrap();
    assert_eq!(answer.parameters.len(), 1);
    assert_eq!(answer.invalid_parameters, ["b", "a:9"]);
    assert_eq!(code(region.call::<ops::GetParameters>(s::GetParametersRequest::default())), "ValidationException");
}

fn by_path(region: &mut Trial, path: &str, recursive: bool) -> Vec<String> {
    let (mut names, mut token) = (Vec::new(), None);
    loop {
        let input = s::GetParametersByPathRequest {
            path: path.into(),
            recursive: Some(recursive),
            max_results: Some(2),
            next_token: token,
            ..Default::default()
        };
        let answer = region.call::<ops::GetParametersByPath>(input).unwrap();
        assert!(answer.parameters.len() <= 2);
        names.extend(answer.parameters.into_iter().map(|p| p.name.unwrap()));
        token = answer.next_token;
        if token.is_none() {
            return names;
        }
    }
}

#[test]
fn paths_are_walked_by_level_or_to_the_ground() {
    let mut region = region();
    for name in ["/a/1", "/a/2", "/a/b/3", "/ab/4", "/a-b/5", "plain"] {
        put(&mut region, name, "v");
    }
    assert_eq!(by_path(&mut region, "/a", false), ["/a/1", "/a/2"]);
    assert_eq!(by_path(&mut region, "/a/", true), ["/a/1", "/a/2", "/a/b/3"]);
    assert_eq!(by_path(&mut region, "/", false), ["plain"]);
    assert_eq!(by_path(&mut region, "/", true).len(), 6);
    assert!(by_path(&mut region, "/nowhere", true).is_empty());
    let bad = s::GetParametersByPathRequest { path: "a".into(), ..Default::default() };
    assert_eq!(code(region.call::<ops::GetParametersByPath>(bad)), "ValidationException");
}

/// Key, option and values.
type Filter<'a> = (&'a str, Option<&'a str>, &'a [&'a str]);

fn described(region: &mut Trial, filters: &[Filter]) -> Result<Vec<String>, base::Fault> {
    let parameter_filters = filters.iter().map(|(key, option, values)| s::ParameterStringFilter {
        key: key.to_string(),
        option: option.map(Into::into),
        values: values.iter().map(|v| v.to_string()).collect(),
    });
    let input = s::DescribeParametersRequest { parameter_filters: parameter_filters.collect(), ..Default::default() };
    let answer = region.call::<ops::DescribeParameters>(input)?;
    Ok(answer.parameters.into_iter().map(|p| p.name.unwrap()).collect())
}

#[test]
fn parameters_are_described_by_filters() {
    let mut region = region();
    for name in ["/a/1", "/a/b/2", "web"] {
        put(&mut region, name, "v");
    }
    let list =
        s::PutParameterRequest { r#type: Some("StringList".into()), tags: vec![tag("team", "blue")], ..plain("list", "a,b") };
    region.call::<ops::PutParameter>(list).unwrap();
    let one: &[(&[Filter], &[&str])] = &[
        (&[], &["/a/1", "/a/b/2", "list", "web"]),
        (&[("Name", None, &["web", "nothing"])], &["web"]),
        (&[("Name", Some("BeginsWith"), &["/a"])], &["/a/1", "/a/b/2"]),
        (&[("Name", Some("Contains"), &["b"])], &["/a/b/2", "web"]),
        (&[("Path", None, &["/a"])], &["/a/1"]),
        (&[("Path", Some("Recursive"), &["/a"])], &["/a/1", "/a/b/2"]),
        (&[("Type", None, &["StringList"])], &["list"]),
        (&[("tag:team", None, &["blue"])], &["list"]),
        (&[("tag:team", None, &["blue"]), ("Type", None, &["String"])], &[]),
        (&[("Tier", None, &["Standard"])], &["/a/1", "/a/b/2", "list", "web"]),
    ];
    for (filters, expected) in one {
        assert_eq!(described(&mut region, filters).unwrap(), *expected, "{filters:?}");
    }
    let bad: &[(&[Filter], &str)] = &[
        (&[("Color", None, &["x"])], "InvalidFilterKey"),
        (&[("Name", Some("Recursive"), &["x"])], "InvalidFilterOption"),
        (&[("Type", None, &["Text"])], "InvalidFilterValue"),
        (&[("Name", None, &[])], "InvalidFilterValue"),
        (&[("Name", None, &["a"]), ("Name", None, &["b"])], "InvalidFilterKey"),
    ];
    for (filters, expected) in bad {
        assert_eq!(code(described(&mut region, filters)), *expected, "{filters:?}");
    }
    let token = s::DescribeParametersRequest { next_token: Some("x".into()), ..Default::default() };
    assert_eq!(code(region.call::<ops::DescribeParameters>(token)), "InvalidNextToken");
}

#[test]
fn tags_come_and_go() {
    let mut region = region();
    put(&mut region, "a", "1");
    let add = |kind: &str, id: &str, tags: Vec<s::Tag>| s::AddTagsToResourceRequest {
        resource_type: kind.into(),
        resource_id: id.into(),
        tags,
    };
    region.call::<ops::AddTagsToResource>(add("Parameter", "a", vec![tag("x", "1"), tag("y", "2")])).unwrap();
    let list = s::ListTagsForResourceRequest { resource_type: "Parameter".into(), resource_id: "a".into() };
    assert_eq!(region.call::<ops::ListTagsForResource>(list.clone()).unwrap().tag_list.len(), 2);
    let remove = s::RemoveTagsFromResourceRequest {
        resource_type: "Parameter".into(),
        resource_id: "a".into(),
        tag_keys: vec!["x".into()],
    };
    region.call::<ops::RemoveTagsFromResource>(remove).unwrap();
    assert_eq!(region.call::<ops::ListTagsForResource>(list).unwrap().tag_list, [tag("y", "2")]);
    assert_eq!(code(region.call::<ops::AddTagsToResource>(add("Parameter", "b", vec![]))), "InvalidResourceId");
    assert_eq!(code(region.call::<ops::AddTagsToResource>(add("Document", "a", vec![]))), "InvalidResourceType");
    let many = (0..51).map(|i| tag(&format!("k{i}"), "v")).collect();
    assert_eq!(code(region.call::<ops::AddTagsToResource>(add("Parameter", "a", many))), "TooManyTagsError");
}

#[test]
fn the_region_names_images_for_all_to_read() {
    let mut region = region();
    let name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
    let shown = get(&mut region, name).unwrap();
    assert_eq!(shown.value.as_deref(), Some("ami-host"));
    assert_eq!(shown.arn, Some(format!("arn:aws:ssm:eu-central-1::parameter{name}")));
    assert_eq!(ssm::resolve(region.state(), region.kernel.scope(), name).as_deref(), Some("ami-host"));
    assert!(by_path(&mut region, "/aws/service/ami-amazon-linux-latest", false).len() > 20);
    assert!(by_path(&mut region, "/", true).is_empty());
    assert!(described(&mut region, &[]).unwrap().is_empty());
    let delete = s::DeleteParameterRequest { name: name.into() };
    assert_eq!(code(region.call::<ops::DeleteParameter>(delete)), "AccessDeniedException");

    let image = "/allod/images/web server";
    for (id, version) in [("ami-1", 1), ("ami-1", 1), ("ami-2", 2)] {
        let set = region.run(|tx, cx| {
            ssm::set_public_parameter(tx, cx, image, id);
            Ok(())
        });
        set.unwrap();
        let shown = get(&mut region, image).unwrap();
        assert_eq!((shown.value.as_deref(), shown.version), (Some(id), Some(version)));
    }
    let removed = region.run(|tx, _| {
        ssm::remove_public_parameter(tx, image);
        Ok(())
    });
    removed.unwrap();
    assert_eq!(ssm::resolve(region.state(), region.kernel.scope(), image), None);
}
