//! A template's `Rules`: what it demands of its parameters before anything is created (CloudFormation User Guide,
//! "Template Rules section").

use std::collections::BTreeMap;

use crate::evaluate::{Environment, EvaluateError, Evaluator, Scope};
use crate::expression::Expression;
use crate::function::{Place, Reader};
use crate::node::{Entry, Node, NodeKind};
use crate::path::Path;
use crate::sections::SectionReader;
use crate::template::{Assertion, Rule, Template};

/// The assertions that do not hold, each in words for the user. Rules see parameters only.
pub fn broken_rules(template: &Template, environment: &dyn Environment) -> Result<Vec<String>, EvaluateError> {
    let none = BTreeMap::new();
    let holds = |expression: &Expression| Evaluator::new(template, &none, environment, Scope::Conditions).boolean(expression);
    let mut broken = Vec::new();
    for rule in &template.rules {
        if !rule.condition.as_ref().map(holds).transpose()?.unwrap_or(true) {
            continue;
        }
        for assertion in &rule.assertions {
            if !holds(&assertion.assert)? {
                let why = assertion.description.as_deref().unwrap_or("an assertion does not hold");
                broken.push(format!("Rule {} failed: {why}", rule.name));
            }
        }
    }
    Ok(broken)
}

impl SectionReader {
    pub(crate) fn rule(&mut self, entry: &Entry, path: &Path<'_>) -> Option<Rule> {
        let mut rule = Rule { name: entry.key.clone(), position: entry.key_position, condition: None, assertions: Vec::new() };
        for attribute in self.map(&entry.value, path)? {
            let (node, path) = (&attribute.value, path.key(&attribute.key));
            match attribute.key.as_str() {
                "RuleCondition" => rule.condition = Some(self.rule_expression(node, &path)),
                "Assertions" => rule.assertions = self.assertions(node, &path),
                other => {
                    let message = format!(
                        "Template format error: Rule {} has the invalid attribute {other}: expected RuleCondition or Assertions",
                        entry.key
                    );
                    self.wrong(attribute.key_position, &path, message);
                }
            }
        }
        if rule.assertions.is_empty() {
            self.wrong(
                entry.key_position,
                path,
                format!("Template format error: Rule {} must have a list of Assertions.", entry.key),
            );
        }
        Some(rule)
    }

    fn assertions(&mut self, node: &Node, path: &Path<'_>) -> Vec<Assertion> {
        let NodeKind::List(items) = &node.kind else {
            self.wrong(node.position, path, "Template format error: Assertions must be a list.");
            return Vec::new();
        };
        items.iter().enumerate().filter_map(|(i, item)| self.assertion(item, &path.index(i))).collect()
    }

    fn assertion(&mut self, node: &Node, path: &Path<'_>) -> Option<Assertion> {
        let (mut assert, mut description) = (None, None);
        for attribute in self.map(node, path)? {
            let path = path.key(&attribute.key);
            match attribute.key.as_str() {
                "Assert" => assert = Some(self.rule_expression(&attribute.value, &path)),
                "AssertDescription" => description = self.string(&attribute.value, &path),
                other => {
                    let message = format!(
                        "Template format error: an assertion has the invalid attribute {other}: expected Assert or AssertDescription"
                    );
                    self.wrong(attribute.key_position, &path, message);
                }
            }
        }
        if assert.is_none() {
            self.wrong(node.position, path, "Template format error: every assertion must contain an Assert member.");
        }
        Some(Assertion { assert: assert?, description })
    }

    fn rule_expression(&mut self, node: &Node, path: &Path<'_>) -> Expression {
        let expression = Reader { errors: &mut self.errors, place: Place::Rule }.read(node, path);
        if !expression.function().is_some_and(crate::Function::is_boolean) {
            self.wrong(
                node.position,
                path,
                "Template format error: a rule needs a function that is true or false, such as Fn::Equals or Fn::Contains",
            );
        }
        expression
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::evaluate::tests::World;
    use crate::template::Template;

    /// The rules broken by a template with one rule, or the error.
    fn check(rule: &str, expected: &str) {
        let text = format!(
            "Parameters: {{Size: {{Type: String}}, Subnets: {{Type: CommaDelimitedList}}}}\nRules:\n  R: {rule}\nResources: {{Web: {{Type: T}}}}\n"
        );
        let told = match Template::parse(&text) {
            Ok(template) => super::broken_rules(&template, &World).map_or_else(|e| e.to_string(), |broken| broken.join("; ")),
            Err(errors) => errors.to_string(),
        };
        assert_eq!(told, expected, "{rule}");
    }

    #[test]
    fn tell_what_does_not_hold() {
        check("{Assertions: [{Assert: !Contains [[small, big], !Ref Size]}]}", "");
        check("{Assertions: [{Assert: !Not [!Contains [[small], !Ref Size]], AssertDescription: No.}]}", "Rule R failed: No.");
        check("{Assertions: [{Assert: !EachMemberIn [!Ref Subnets, [s-1, s-2, s-3]]}]}", "");
        check("{Assertions: [{Assert: !EachMemberIn [!Ref Subnets, [s-1]]}]}", "Rule R failed: an assertion does not hold");
        check("{Assertions: [{Assert: !EachMemberEquals [[small, small], !Ref Size]}]}", "");
        check("{Assertions: [{Assert: !Equals [!Ref Size, big]}], RuleCondition: !Equals [!Ref Size, big]}", "");
        check(
            "{Assertions: [{Assert: !And [!Equals [a, a], {'Fn::Contains': [[a], b]}], AssertDescription: b}]}",
            "Rule R failed: b",
        );
    }

    #[test]
    fn refuse_what_is_no_rule() {
        check("{}", "3:3: Rules.R: Template format error: Rule R must have a list of Assertions.");
        check(
            "{Assertions: [{Assert: !Ref Size}]}",
            "3:29: Rules.R.Assertions[0].Assert: Template format error: a rule needs a function that is true or false, such as Fn::Equals or Fn::Contains",
        );
        check(
            "{Assertions: [{AssertDescription: a}]}",
            "3:3: Rules.R: Template format error: Rule R must have a list of Assertions.\n3:20: Rules.R.Assertions[0]: Template format error: every assertion must contain an Assert member.",
        );
        check(
            "{Assertions: [{Assert: !Contains [a]}]}",
            "3:29: Rules.R.Assertions[0].Assert.Fn::Contains: Template error: every Fn::Contains object requires two parameters\n3:29: Rules.R.Assertions[0].Assert: Template format error: a rule needs a function that is true or false, such as Fn::Equals or Fn::Contains",
        );
    }
}
