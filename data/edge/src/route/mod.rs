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

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use action::{Action, Forwarding, Redirect};
use condition::{Condition, Subject};
use cookie::Sealer;
use index::Index;
use transform::Transforms;
use world::{Listener, ListenerRule, UnfitRule};

use crate::target::Group;

/// Most rules of a listener ("ELB User Guide, Quotas": 100 a load balancer by default; more on request).
pub const RULES_MAX: usize = 2_000;

/// Where a listener's requests go.
#[derive(Debug)]
pub struct Route {
    rules: Arc<Rules>,
    /// Of each rule.
    actions: Vec<Action>,
    default: Action,
}

/// What rules ask and change: all of them but their actions.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    index: Index,
}

#[derive(Debug)]
struct Rule {
    /// 1 to 50,000.
    priority: u32,
    conditions: Vec<Condition>,
    transforms: Transforms,
}

/// The rules of listeners as they were compiled last, so that other changes do not compile them again.
#[derive(Debug, Default)]
pub struct RulesCache(HashMap<String, (Vec<ListenerRule>, Arc<Rules>)>);

impl RulesCache {
    /// The compiled rules of a listener.
    pub fn rules(&mut self, listener: &Listener) -> Result<Arc<Rules>, String> {
        match self.0.get(listener.id.as_str()) {
            Some((of, rules)) if *of == listener.rules => Ok(rules.clone()),
            _ => {
                let rules = Arc::new(Rules::compile(listener)?);
                self.0.insert(listener.id.to_string(), (listener.rules.clone(), rules.clone()));
                Ok(rules)
            }
        }
    }

    /// Forgets the rules of other listeners.
    pub fn keep<'a>(&mut self, listeners: impl Iterator<Item = &'a Listener>) {
        let there: HashSet<&str> = listeners.map(|l| l.id.as_str()).collect();
        self.0.retain(|listener, _| there.contains(listener.as_str()));
    }
}

/// What is to be done with a request.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// Of the rule that was taken; zero is the default action.
    pub priority: u32,
    /// Rules that a look through all in their order would have evaluated, but for the default one.
    pub evaluated: usize,
    pub action: &'a Action,
    /// The default action has none.
    pub transforms: Option<&'a Transforms>,
}

impl Route {
    /// `group` finds a compiled group by its ARN.
    pub fn compile(
        listener: &Listener,
        rules: Arc<Rules>,
        sealer: &Arc<Sealer>,
        group: &dyn Fn(&str) -> Option<Arc<Group>>,
    ) -> Result<Self, String> {
        let action = |rule: &ListenerRule| Action::compile(&rule.action, sealer, group).map_err(|e| named(rule, &e));
        let actions = listener.rules.iter().map(action).collect::<Result<_, _>>()?;
        Ok(Self { rules, actions, default: Action::compile(&listener.default_action, sealer, group)? })
    }

    /// The first rule whose conditions hold; without any, the default action.
    pub fn decide(&self, subject: &Subject<'_>) -> Decision<'_> {
        let first = self.rules.first(subject);
        let evaluated = first.map_or(self.rules.rules.len(), |at| at + 1);
        match first.and_then(|at| Some((self.rules.rules.get(at)?, self.actions.get(at)?))) {
            Some((rule, action)) => Decision { priority: rule.priority, evaluated, action, transforms: Some(&rule.transforms) },
            None => Decision { priority: 0, evaluated, action: &self.default, transforms: None },
        }
    }
}

impl Rules {
    pub fn compile(listener: &Listener) -> Result<Self, String> {
        if listener.rules.len() > RULES_MAX {
            return Err(format!("the listener on port {} has more than {RULES_MAX} rules", listener.port));
        }
        let rules: Vec<Rule> = listener.rules.iter().map(Rule::compile).collect::<Result<_, _>>()?;
        let index = Index::new(rules.iter().map(|rule| rule.conditions.as_slice()));
        Ok(Self { rules, index })
    }

    /// Number of the first rule whose conditions hold.
    pub(crate) fn first(&self, subject: &Subject<'_>) -> Option<usize> {
        if self.rules.is_empty() {
            return None;
        }
        self.index.first(subject, |number| self.rules[number as usize].holds(subject)).map(|number| number as usize)
    }
}

impl Rule {
    fn compile(rule: &ListenerRule) -> Result<Self, String> {
        let conditions = rule.conditions.iter().map(Condition::compile).collect::<Result<_, _>>();
        Ok(Self {
            priority: rule.priority,
            conditions: conditions.map_err(|e| named(rule, &e))?,
            transforms: Transforms::compile(&rule.transforms).map_err(|e| named(rule, &e))?,
        })
    }

    fn holds(&self, subject: &Subject<'_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(subject))
    }
}

fn named(rule: &ListenerRule, reason: &UnfitRule) -> String {
    format!("rule {}: {reason}", rule.priority)
}

impl Action {
    fn compile(
        action: &world::Action,
        sealer: &Arc<Sealer>,
        group: &dyn Fn(&str) -> Option<Arc<Group>>,
    ) -> Result<Self, UnfitRule> {
        action.check()?;
        Ok(match action {
            world::Action::Forward { groups, sticky_ms } => {
                Action::Forward(Forwarding::compile(groups, *sticky_ms, sealer, group))
            }
            world::Action::FixedResponse { status, content_type, body } => {
                let content_type = content_type.clone().unwrap_or_else(|| "text/plain; charset=utf-8".into());
                Action::Fixed { status: *status, content_type, body: body.clone().into_bytes() }
            }
            world::Action::Redirect { protocol, host, port, path, query, status } => {
                Action::Redirect(Redirect::of([protocol, host, port, path, query], *status))
            }
        })
    }
}

#[cfg(test)]
mod tests;
