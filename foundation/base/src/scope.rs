use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a region stands: its partition, name, account and zones. Fixed for the life of a data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// `aws`.
    pub partition: String,
    /// Region code such as `eu-central-1`.
    pub region: String,
    /// Twelve digits.
    pub account: String,
    /// Zone names such as `eu-central-1a`, in order.
    pub zones: Vec<String>,
}

impl Scope {
    /// A region with zones `a` to `c`.
    pub fn new(region: &str, account: &str) -> Self {
        Self {
            partition: "aws".into(),
            region: region.into(),
            account: account.into(),
            zones: ["a", "b", "c"].iter().map(|z| format!("{region}{z}")).collect(),
        }
    }

    /// `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`.
    pub fn arn(&self, service: &str, resource: impl fmt::Display) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition, self.region, self.account)
    }

    /// An ARN of a service without regions, such as IAM: `arn:aws:SERVICE::ACCOUNT:RESOURCE`.
    pub fn global_arn(&self, service: &str, resource: impl fmt::Display) -> String {
        format!("arn:{}:{service}::{}:{resource}", self.partition, self.account)
    }
}

/// Who makes a request, as the signature proved it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    pub account: String,
    /// `arn:aws:iam::ACCOUNT:root` for the root user.
    pub arn: String,
    /// The account number for the root user.
    pub user_id: String,
    pub access_key: String,
}

impl Caller {
    /// The root user of the region's account, who may do all.
    pub fn root(scope: &Scope, access_key: &str) -> Self {
        Self {
            account: scope.account.clone(),
            arn: scope.global_arn("iam", "root"),
            user_id: scope.account.clone(),
            access_key: access_key.into(),
        }
    }

    /// Whoever follows a link that needs no signature.
    pub fn anonymous() -> Self {
        Self { account: "anonymous".into(), arn: "anonymous".into(), user_id: "anonymous".into(), access_key: String::new() }
    }

    pub fn is_anonymous(&self) -> bool {
        self.user_id == "anonymous"
    }
}
