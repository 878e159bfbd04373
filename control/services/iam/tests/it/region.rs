//! A region of IAM alone.

use kernel::Trial;

pub const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
pub const READ_BUCKET: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::assets/*"}]}"#;
pub const AWS_POLICY: &str = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";

/// Its stack has a tag of its own.
pub fn region() -> Trial {
    let mut region = Trial::new(iam::register);
    region.stack_tags.insert("team".into(), "shop".into());
    region
}

pub fn tag(key: &str, value: &str) -> shapes::iam::Tag {
    shapes::iam::Tag { key: key.into(), value: value.into() }
}
