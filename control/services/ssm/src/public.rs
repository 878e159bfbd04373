//! Parameters that the region sets for all to read: AWS's names of Amazon Linux images, which here stand for the
//! machine's own image, and the names of imported images.

use base::Tags;
use kernel::{Cx, Registry, Row, Tx};
use serde::{Deserialize, Serialize};

use crate::parameter::{Parameter, ParameterType, Tier};

const AMAZON_LINUX: &str = "/aws/service/ami-amazon-linux-latest/";
/// The image that stands for Amazon Linux; `ec2` owns it.
const HOST_IMAGE: &str = "ami-host";
const RECONCILER: &str = "ssm.public";
/// Counts changes of `NAMES`, so that a newer build adds its names to an older region.
const EDITION: u32 = 1;

/// AWS's names ("Amazon Linux 2023 User Guide, Launching AL2023 using SSM parameter"; "Amazon Linux 2 User Guide").
/// Those of the other architecture are here too: a launch from them says what does not match.
const NAMES: &[&str] = &[
    "al2023-ami-kernel-default-arm64",
    "al2023-ami-kernel-default-x86_64",
    "al2023-ami-kernel-6.1-arm64",
    "al2023-ami-kernel-6.1-x86_64",
    "al2023-ami-kernel-6.12-arm64",
    "al2023-ami-kernel-6.12-x86_64",
    "al2023-ami-minimal-kernel-default-arm64",
    "al2023-ami-minimal-kernel-default-x86_64",
    "al2023-ami-minimal-kernel-6.1-arm64",
    "al2023-ami-minimal-kernel-6.1-x86_64",
    "al2023-ami-minimal-kernel-6.12-arm64",
    "al2023-ami-minimal-kernel-6.12-x86_64",
    "amzn2-ami-hvm-arm64-gp2",
    "amzn2-ami-hvm-x86_64-ebs",
    "amzn2-ami-hvm-x86_64-gp2",
    "amzn2-ami-kernel-5.10-hvm-arm64-gp2",
    "amzn2-ami-kernel-5.10-hvm-x86_64-ebs",
    "amzn2-ami-kernel-5.10-hvm-x86_64-gp2",
    "amzn2-ami-minimal-hvm-arm64-ebs",
    "amzn2-ami-minimal-hvm-x86_64-ebs",
    "amzn2-ami-minimal-kernel-5.10-hvm-arm64-ebs",
    "amzn2-ami-minimal-kernel-5.10-hvm-x86_64-ebs",
];

/// Says which edition of the names a region has. There is one row, with key 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PublicMade {
    edition: u32,
}

impl Row for PublicMade {
    const TABLE: &'static str = "ssm.public-made";
    type Key = u8;

    fn key(&self) -> u8 {
        0
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.table::<PublicMade>();
    registry.reconciler(RECONCILER, |tx, cx, _| {
        ensure_public_parameters(tx, cx);
        Ok(None)
    });
    registry.watch_all(RECONCILER, |state, due| {
        if state.get::<PublicMade>(&0).is_none_or(|made| made.edition != EDITION) {
            due.push("region".into());
        }
    });
}

/// Sets the names of Amazon Linux images, once in a region's life and again when a newer build knows others.
pub fn ensure_public_parameters(tx: &mut Tx, cx: &Cx) {
    if tx.get::<PublicMade>(&0).is_some_and(|made| made.edition == EDITION) {
        return;
    }
    for name in NAMES {
        set_public_parameter(tx, cx, &format!("{AMAZON_LINUX}{name}"), HOST_IMAGE);
    }
    tx.put(PublicMade { edition: EDITION });
}

/// Gives a public parameter this value. The name may be one that users cannot write, such as `/allod/images/NAME`;
/// setting the value that it has already changes nothing.
pub fn set_public_parameter(tx: &mut Tx, cx: &Cx, name: &str, value: &str) {
    let old = tx.get::<Parameter>(&name.to_string());
    if old.is_some_and(|old| old.value == value) {
        return;
    }
    let version = old.map_or(0, |old| old.version) + 1;
    tx.put(Parameter {
        name: name.into(),
        kind: ParameterType::String,
        value: value.into(),
        version,
        description: None,
        tier: Tier::Standard,
        data_type: "text".into(),
        allowed_pattern: None,
        tags: Tags::new(),
        modified_at: cx.now,
        modified_by: cx.scope.global_arn("iam", "root"),
        public: true,
    });
}

/// Takes a public parameter away; a user's one stays.
pub fn remove_public_parameter(tx: &mut Tx, name: &str) {
    if tx.get::<Parameter>(&name.to_string()).is_some_and(|p| p.public) {
        tx.remove::<Parameter>(&name.to_string());
    }
}
