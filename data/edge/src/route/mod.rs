//! Decides where a request goes: rules in order of priority, their conditions, transforms and actions, and the cookies that
//! bring a client back to its group and target. It knows no socket and waits for nothing.

pub(crate) mod action;
pub(crate) mod condition;
pub(crate) mod cookie;
mod index;
mod pattern;
pub(crate) mod session;
mod source;
pub(crate) mod transform;

use std::sync::Arc;

use action::{Action, Forwarding, Redirect};
use condition::{Condition, Subject};
use cookie::Sealer;
use index::Index;
use transform::Transforms;

use crate::target::Group;

/// Most rules of a listener ("ELB User Guide, Quotas": 100 a load balancer by default; more on request).
pub const RULES_MAX: usize = 2_000;

/// Where a listener's requests go.
#[derive(Debug)]
pub struct Route {
    rules: Vec<Rule>,
    index: Index,
    default: Rule,
}

#[derive(Debug)]
pub struct Rule {
    /// 1 to 50,000; zero for the default action.
    pub priority: u32,
    conditions: Vec<Condition>,
    pub transforms: Transforms,
    pub action: Action,
}

impl Route {
    /// `group` finds a compiled group by its ARN.
    pub fn compile(
        listener: &world::Listener,
        sealer: &Arc<Sealer>,
        group: &dyn Fn(&str) -> Option<Arc<Group>>,
    ) -> Result<Self, String> {
        if listener.rules.len() > RULES_MAX {
            return Err(format!("the listener on port {} has more than {RULES_MAX} rules", listener.port));
        }
        let rules: Vec<Rule> = listener.rules.iter().map(|rule| Rule::compile(rule, sealer, group)).collect::<Result<_, _>>()?;
        let index = Index::new(rules.iter().map(|rule| rule.conditions.as_slice()));
        let action = Action::compile(&listener.default_action, sealer, group)?;
        let default = Rule { priority: 0, conditions: Vec::new(), transforms: Transforms::default(), action };
        Ok(Self { rules, index, default })
    }

    /// The first rule whose conditions hold; without any, the default action.
    pub fn decide(&self, subject: &Subject<'_>) -> &Rule {
        if self.rules.is_empty() {
            return &self.default;
        }
        let rule = |number: u32| &self.rules[number as usize];
        self.index.first(subject, |number| rule(number).holds(subject)).map_or(&self.default, rule)
    }
}

impl Rule {
    fn compile(
        rule: &world::ListenerRule,
        sealer: &Arc<Sealer>,
        group: &dyn Fn(&str) -> Option<Arc<Group>>,
    ) -> Result<Self, String> {
        let named = |reason| format!("rule {}: {reason}", rule.priority);
        Ok(Self {
            priority: rule.priority,
            conditions: rule.conditions.iter().map(Condition::compile).collect::<Result<_, _>>().map_err(named)?,
            transforms: Transforms::compile(&rule.transforms).map_err(named)?,
            action: Action::compile(&rule.action, sealer, group).map_err(named)?,
        })
    }

    fn holds(&self, subject: &Subject<'_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(subject))
    }
}

impl Action {
    fn compile(action: &world::Action, sealer: &Arc<Sealer>, group: &dyn Fn(&str) -> Option<Arc<Group>>) -> Result<Self, String> {
        Ok(match action {
            world::Action::Forward { groups, sticky_ms } => {
                Action::Forward(Forwarding::compile(groups, *sticky_ms, sealer, group))
            }
            world::Action::FixedResponse { status, content_type, body } => {
                if !(200..=599).contains(status) {
                    return Err(format!("a fixed response cannot have status {status}"));
                }
                let content_type = content_type.clone().unwrap_or_else(|| "text/plain; charset=utf-8".into());
                if content_type.bytes().any(|b| !(0x20..0x7f).contains(&b)) {
                    return Err("a fixed response has an invalid content type".into());
                }
                Action::Fixed { status: *status, content_type, body: body.clone().into_bytes() }
            }
            world::Action::Redirect { protocol, host, port, path, query, status } => {
                Action::Redirect(Redirect::compile([protocol, host, port, path, query], *status)?)
            }
        })
    }
}

#[cfg(test)]
mod tests;
