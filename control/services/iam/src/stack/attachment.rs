//! Which roles a stack's policy was written into or attached to, so that its deletion takes away that and no more.

use std::collections::BTreeSet;

use kernel::{Row, State, Tx};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// What one `AWS::IAM::Policy` or `AWS::IAM::ManagedPolicy` of a stack has done to roles.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attachment {
    /// The resource's physical id.
    pub(super) id: String,
    /// Name of the inline policy, ARN of the managed one.
    pub(super) policy: String,
    pub(super) roles: BTreeSet<String>,
}

impl Row for Attachment {
    const TABLE: &'static str = "iam.stack-attachment";
    type Key = String;

    fn key(&self) -> String {
        self.id.clone()
    }
}

/// What was noted under a physical id; nothing when it is not known.
pub(super) fn noted(state: &State, id: &str) -> Attachment {
    let note = state.get::<Attachment>(&id.to_string()).cloned();
    note.unwrap_or_else(|| Attachment { id: id.into(), ..Attachment::default() })
}

/// A role, or its policy, that is gone already needs no taking away.
pub(super) fn unless_gone(outcome: Result<(), Error>) -> Result<(), Error> {
    match outcome {
        Err(Error::NoRole(_) | Error::NoRolePolicy(_) | Error::NoPolicy(_)) => Ok(()),
        other => other,
    }
}

pub(super) fn forget(tx: &mut Tx, id: &str) {
    tx.remove::<Attachment>(&id.to_string());
}
