use std::collections::{BTreeMap, BTreeSet};

use base::{StackId, Tags, Time};
use kernel::Row;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// AWS's stack statuses that can occur here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StackStatus {
    ReviewInProgress,
    CreateInProgress,
    CreateFailed,
    CreateComplete,
    RollbackInProgress,
    RollbackFailed,
    RollbackComplete,
    DeleteInProgress,
    DeleteFailed,
    DeleteComplete,
    UpdateInProgress,
    UpdateCompleteCleanupInProgress,
    UpdateComplete,
    UpdateFailed,
    UpdateRollbackInProgress,
    UpdateRollbackFailed,
    UpdateRollbackCompleteCleanupInProgress,
    UpdateRollbackComplete,
}

impl StackStatus {
    /// AWS's name, such as `CREATE_COMPLETE`.
    pub fn name(self) -> &'static str {
        match self {
            StackStatus::ReviewInProgress => "REVIEW_IN_PROGRESS",
            StackStatus::CreateInProgress => "CREATE_IN_PROGRESS",
            StackStatus::CreateFailed => "CREATE_FAILED",
            StackStatus::CreateComplete => "CREATE_COMPLETE",
            StackStatus::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            StackStatus::RollbackFailed => "ROLLBACK_FAILED",
            StackStatus::RollbackComplete => "ROLLBACK_COMPLETE",
            StackStatus::DeleteInProgress => "DELETE_IN_PROGRESS",
            StackStatus::DeleteFailed => "DELETE_FAILED",
            StackStatus::DeleteComplete => "DELETE_COMPLETE",
            StackStatus::UpdateInProgress => "UPDATE_IN_PROGRESS",
            StackStatus::UpdateCompleteCleanupInProgress => "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            StackStatus::UpdateComplete => "UPDATE_COMPLETE",
            StackStatus::UpdateFailed => "UPDATE_FAILED",
            StackStatus::UpdateRollbackInProgress => "UPDATE_ROLLBACK_IN_PROGRESS",
            StackStatus::UpdateRollbackFailed => "UPDATE_ROLLBACK_FAILED",
            StackStatus::UpdateRollbackCompleteCleanupInProgress => "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            StackStatus::UpdateRollbackComplete => "UPDATE_ROLLBACK_COMPLETE",
        }
    }

    /// The engine has work to do. A stack under review waits for its user.
    pub fn is_in_progress(self) -> bool {
        self != StackStatus::ReviewInProgress && self.name().ends_with("_IN_PROGRESS")
    }

    /// `UpdateStack` is allowed.
    pub fn can_update(self) -> bool {
        use StackStatus::{CreateComplete, UpdateComplete, UpdateFailed, UpdateRollbackComplete};
        matches!(self, CreateComplete | UpdateComplete | UpdateRollbackComplete | UpdateFailed)
    }
}

/// A parameter's value as given, and as it was resolved when it names an SSM parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterValue {
    pub given: String,
    #[serde(default)]
    pub resolved: Option<String>,
}

/// What a stack is to be: a template with its parameters and tags.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    pub template: String,
    pub parameters: BTreeMap<String, ParameterValue>,
    pub tags: Tags,
}

/// What happens when a creation fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    #[default]
    Rollback,
    Delete,
    DoNothing,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    pub key: String,
    pub value: String,
    pub description: Option<String>,
    pub export: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stack {
    pub id: StackId,
    pub name: String,
    pub status: StackStatus,
    pub reason: Option<String>,
    pub wish: Wish,
    /// What the stack was before the update that is under way.
    pub previous: Option<Wish>,
    pub description: Option<String>,
    pub outputs: Vec<Output>,
    pub capabilities: Vec<String>,
    pub on_failure: OnFailure,
    pub created: Time,
    pub updated: Option<Time>,
    pub deleted: Option<Time>,
    /// The creation fails at this moment.
    pub deadline: Option<Time>,
    pub timeout_minutes: Option<i64>,
    pub termination_protection: bool,
    pub client_token: Option<String>,
    /// Resources that a deletion shall leave alone, by the user's wish.
    #[serde(default)]
    pub retained: BTreeSet<String>,
    /// What the present operation makes goes with its rollback, even what is declared to be retained.
    #[serde(default)]
    pub retain_except_on_create: bool,
    /// The present operation has failed; nothing new is begun.
    #[serde(default)]
    pub failed: bool,
    /// When it came into its present status.
    #[serde(default)]
    pub turned: Option<Time>,
}

impl Stack {
    /// Whether its name is taken: a deleted stack's is not.
    pub fn is_alive(&self) -> bool {
        self.status != StackStatus::DeleteComplete
    }

    /// Whether a rollback leaves what the operation has made of a resource.
    pub fn keeps_on_rollback(&self, member: &Member) -> bool {
        member.retain_on_rollback && !self.retain_except_on_create
    }
}

impl Row for Stack {
    const TABLE: &'static str = "cloudformation.stack";
    type Key = StackId;
    fn key(&self) -> StackId {
        self.id.clone()
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        if self.is_alive() {
            add("name", &self.name);
        }
        if self.status.is_in_progress() {
            add("busy", "");
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MemberStatus {
    CreateInProgress,
    CreateFailed,
    CreateComplete,
    UpdateInProgress,
    UpdateFailed,
    UpdateComplete,
    DeleteInProgress,
    DeleteFailed,
    DeleteSkipped,
    DeleteComplete,
}

impl MemberStatus {
    pub fn name(self) -> &'static str {
        match self {
            MemberStatus::CreateInProgress => "CREATE_IN_PROGRESS",
            MemberStatus::CreateFailed => "CREATE_FAILED",
            MemberStatus::CreateComplete => "CREATE_COMPLETE",
            MemberStatus::UpdateInProgress => "UPDATE_IN_PROGRESS",
            MemberStatus::UpdateFailed => "UPDATE_FAILED",
            MemberStatus::UpdateComplete => "UPDATE_COMPLETE",
            MemberStatus::DeleteInProgress => "DELETE_IN_PROGRESS",
            MemberStatus::DeleteFailed => "DELETE_FAILED",
            MemberStatus::DeleteSkipped => "DELETE_SKIPPED",
            MemberStatus::DeleteComplete => "DELETE_COMPLETE",
        }
    }
}

/// A real thing that a resource of the stack is or was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Physical {
    pub id: String,
    /// Resolved properties, as the resource was last asked to be.
    pub properties: Json,
    /// The stack's own tags, as they were handed down to it.
    #[serde(default)]
    pub tags: Tags,
}

/// A resource of a stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    pub stack: StackId,
    pub logical_id: String,
    pub type_name: String,
    pub status: MemberStatus,
    pub reason: Option<String>,
    pub changed: Time,
    /// What it is now; none before it was made.
    pub physical: Option<Physical>,
    /// What it was before the present operation, when that replaces it. It goes away in the cleanup, or comes back.
    #[serde(default)]
    pub replaced: Option<Physical>,
    /// What attempts in between have left, when an update was tried again after a failure. It goes away in the cleanup.
    #[serde(default)]
    pub abandoned: Vec<Physical>,
    /// Reached in the present operation: as the wish wants it.
    #[serde(default)]
    pub settled: bool,
    /// Touched by the present operation, so that a rollback must look at it.
    #[serde(default)]
    pub touched: bool,
    /// The change under way is made to what is there, whatever has replaced what before.
    #[serde(default)]
    pub in_place: bool,
    /// Logical ids that it needs; they are deleted after it.
    pub needs: BTreeSet<String>,
    pub retain_on_delete: bool,
    #[serde(default)]
    pub retain_on_rollback: bool,
    #[serde(default)]
    pub retain_on_replace: bool,
}

impl Member {
    pub fn key_of(stack: &StackId, logical_id: &str) -> String {
        format!("{stack}/{logical_id}")
    }
}

impl Row for Member {
    const TABLE: &'static str = "cloudformation.resource";
    type Key = String;
    fn key(&self) -> String {
        Self::key_of(&self.stack, &self.logical_id)
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("stack", &self.stack);
        if let Some(physical) = &self.physical {
            add("physical", &physical.id);
            if self.type_name == "AWS::CloudFormation::WaitConditionHandle" {
                add("wait-handle", physical.id.rsplit('/').next().unwrap_or_default());
            }
        }
    }
}
