use base::{Fault, Tags};
use serde_json::Value as Json;

use crate::cx::Cx;
use crate::state::State;
use crate::tx::Tx;

/// How far something that takes time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is as it was asked to be.
    Ready,
    /// Not yet. It is asked again after each commit that changes any row.
    Pending,
    /// It will not become so, for this reason.
    Failed(String),
}

/// What a stack asks of one of its resources.
pub struct ResourceRequest<'a> {
    pub stack_id: &'a str,
    pub stack_name: &'a str,
    pub logical_id: &'a str,
    /// Resolved properties, coerced to the types of the resource's schema.
    pub properties: &'a Json,
    /// The stack's own tags and `aws:cloudformation:*`; a resource adds them to its own where AWS does.
    pub tags: &'a Tags,
    /// The stack's own tags as `create` or the last `update` had them; for `update` only.
    pub old_tags: Option<&'a Tags>,
    pub creation_policy: Option<&'a Json>,
    pub update_policy: Option<&'a Json>,
}

impl ResourceRequest<'_> {
    /// Whether the resource may have this tag from its stack, which had it until now.
    pub fn had_of_stack(&self, key: &str) -> bool {
        self.old_tags.is_some_and(|tags| tags.contains_key(key))
    }

    /// What a resource keeps of its tags at an update: those that neither its own properties nor its stack gave it before, which
    /// a user may have added meanwhile.
    pub fn kept_tags(&self, present: &Tags, was_own: impl Fn(&str) -> bool) -> Tags {
        let kept = present.iter().filter(|(key, _)| !was_own(key) && !self.had_of_stack(key));
        kept.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// A name for a resource that the template does not name: `STACK-LOGICAL-RANDOM`, cut to `max` characters as
    /// CloudFormation does, the random end kept.
    pub fn physical_name(&self, cx: &Cx, max: usize) -> String {
        let random = cx.rng().base32(12);
        let room = max.saturating_sub(random.len() + 1);
        let stem = format!("{}-{}", self.stack_name, self.logical_id);
        let mut stem: String = stem.chars().take(room).collect();
        stem.truncate(stem.trim_end_matches('-').len());
        format!("{stem}-{random}")
    }
}

/// A CloudFormation resource type of a service. All calls run in the stack engine's transaction; each may come
/// again after a crash only if its transaction did not commit.
pub trait StackResource: Send + Sync {
    /// `AWS::SERVICE::Type`.
    fn type_name(&self) -> &'static str;

    /// Properties, their types and what changing them means, in the language of the `template` crate's `schema`.
    fn schema(&self) -> &'static str;

    /// Names of properties that are secret: stacks keep them, and never tell them.
    fn secrets(&self) -> &'static [&'static str] {
        &[]
    }

    /// Makes the resource and returns its physical id, which `Ref` gives.
    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault>;

    /// Whether the resource works, after `create` or `update`. `CREATE_COMPLETE` waits for `Ready`.
    fn progress(&self, state: &State, cx: &Cx, physical_id: &str, request: &ResourceRequest) -> Progress {
        let _ = (state, cx, physical_id, request);
        Progress::Ready
    }

    /// Whether what `progress` calls a failure may be that of another resource, because the world takes several as a whole
    /// or not at all. On the way back of an update it then does not hold a resource back that is as it was before: the other
    /// one goes only when the way back is done.
    fn shares_fate(&self) -> bool {
        false
    }

    /// Changes the resource in place; called only for properties whose schema allows that. `old` holds the
    /// properties as they were. Called with old and new swapped when an update is rolled back.
    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault>;

    /// Whether this change makes a new resource that takes the old one's place, though its schema allows it in place: as
    /// the update policy says. Called before `update`.
    fn replaces(&self, state: &State, old: &Json, request: &ResourceRequest) -> bool {
        let _ = (state, old, request);
        false
    }

    /// What there is to tell of an update under way since it was last asked; each becomes an event of the stack.
    fn take_notes(&self, tx: &mut Tx, cx: &Cx, physical_id: &str) -> Vec<String> {
        let _ = (tx, cx, physical_id);
        Vec::new()
    }

    /// Takes a signal from outside (`cfn-signal`) to an update under way; false when it waits for none.
    fn signal(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, unique_id: &str, success: bool) -> Result<bool, Fault> {
        let _ = (tx, cx, physical_id, unique_id, success);
        Ok(false)
    }

    /// Asks for the end of the resource and tells how far that is. It is called again until it answers `Ready`;
    /// a resource that does not exist is `Ready`.
    fn delete(&self, tx: &mut Tx, cx: &Cx, physical_id: &str) -> Result<Progress, Fault>;

    /// A value for `Fn::GetAtt`. The name is one that the schema lists.
    fn attribute(&self, state: &State, cx: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault>;
}
