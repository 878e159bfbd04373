//! Evaluates a template's `Conditions`, in the order in which they need each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::evaluate::{Environment, EvaluateError, Evaluator, Scope};
use crate::expression::Function;
use crate::template::{Condition, Template};

/// Which conditions hold. They see parameters and mappings, never resources.
pub fn conditions(template: &Template, environment: &dyn Environment) -> Result<BTreeMap<String, bool>, EvaluateError> {
    let mut known = BTreeMap::new();
    for condition in in_order(template)? {
        let holds = Evaluator::new(template, &known, environment, Scope::Conditions).boolean(&condition.expression)?;
        known.insert(condition.name.clone(), holds);
    }
    Ok(known)
}

/// The conditions, each after those that it refers to. Works in rounds rather than by descent, so that a long chain
/// needs no deep stack.
fn in_order(template: &Template) -> Result<Vec<&Condition>, EvaluateError> {
    let declared: BTreeSet<&str> = template.conditions.iter().map(|condition| condition.name.as_str()).collect();
    // What is not declared has no place in the order; the evaluation refuses it.
    let needs = |condition| needs(condition).intersection(&declared).copied().collect();
    let mut waiting: Vec<(&Condition, BTreeSet<&str>)> = template.conditions.iter().map(|c| (c, needs(c))).collect();
    let mut done = BTreeSet::new();
    let mut ordered = Vec::new();
    while !waiting.is_empty() {
        let is_ready =
            |needs: &BTreeSet<&str>| needs.iter().all(|name| done.contains(name) || template.condition(name).is_none());
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(_, needs)| is_ready(needs));
        if ready.is_empty() {
            let names: Vec<&str> = rest.iter().map(|(condition, _)| condition.name.as_str()).collect();
            let message = format!("Template error: Found circular condition dependency between {}", names.join(" and "));
            return Err(EvaluateError { position: rest[0].0.position, message });
        }
        done.extend(ready.iter().map(|(condition, _)| condition.name.as_str()));
        ordered.extend(ready.into_iter().map(|(condition, _)| condition));
        waiting = rest;
    }
    Ok(ordered)
}

/// The names of the conditions that one refers to.
fn needs(condition: &Condition) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    condition.expression.visit(&mut |function, _| {
        if let Function::Condition(name) | Function::If { condition: name, .. } = function {
            names.insert(name.as_str());
        }
    });
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::conditions;
    use crate::evaluate::tests::World;
    use crate::template::Template;

    /// These conditions, one a line as `Name: Expression`: those that hold, or the error.
    fn check(section: &[&str], expected: Result<&[&str], &str>) {
        let lines: String = section.iter().map(|line| format!("  {line}\n")).collect();
        let text = format!("Mappings: {{M: {{a: {{b: c}}}}}}\nConditions:\n{lines}Resources: {{Web: {{Type: T}}}}\n");
        let template = Template::parse(&text).unwrap();
        let holding = conditions(&template, &World)
            .map(|all| all.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name).collect::<Vec<_>>());
        match (holding, expected) {
            (Ok(holding), Ok(expected)) => assert_eq!(holding, expected, "{section:?}"),
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected, "{section:?}"),
            (result, _) => panic!("{section:?}: {result:?}"),
        }
    }

    #[test]
    fn compare_and_combine() {
        let t = "T: !Equals [a, a]";
        let f = "F: !Equals [a, b]";
        check(&[t, f], Ok(&["T"]));
        check(&["N: !Equals [80, '80']", "B: !Equals [!Ref Size, small]"], Ok(&["B", "N"]));
        check(&["L: !Equals [!Ref Subnets, [s-1, s-2]]", "K: !Equals [[a], a]"], Ok(&["L"]));
        check(&["M: !Equals [!FindInMap [M, a, b], c]", "S: !Equals [!Sub '${Size}-x', small-x]"], Ok(&["M", "S"]));
        check(&["R: !Equals [!Ref 'AWS::Region', eu-central-1]"], Ok(&["R"]));
        check(&["N: !Not [!Equals [a, b]]", "A: !And [!Equals [a, a], !Not [!Equals [a, a]]]"], Ok(&["N"]));
        check(&["O: !Or [!Equals [a, b], !Equals [c, c]]", "P: !Or [!Equals [a, b], !Equals [c, d]]"], Ok(&["O"]));
        check(&["B: !And [{Condition: T}, !Condition N]", "N: !Not [!Condition F]", t, f], Ok(&["B", "N", "T"]));
        check(&["I: !Equals [!If [T, x, y], x]", t], Ok(&["I", "T"]));
    }

    #[test]
    fn refuse_what_they_cannot_know() {
        let block = "Cannot reference resources in the Conditions block of the template";
        check(
            &["A: !Equals [!Ref Web, a]"],
            Err(&format!("3:15: Template format error: Unresolved dependencies [Web]. {block}")),
        );
        check(
            &["A: !Equals ['', !Sub '${Web.Id}']"],
            Err(&format!("3:19: Template format error: Unresolved dependencies [Web]. {block}")),
        );
        let import = "3:15: Template format error: Cannot use Fn::ImportValue in Conditions.";
        check(&["A: !Equals [!ImportValue x, a]"], Err(import));
        check(&["A: !Not [!Condition X]"], Err("3:12: Template format error: Unresolved condition dependency X in the template"));
        let circle = "3:3: Template error: Found circular condition dependency between A and B";
        check(&["A: !Not [!Condition B]", "B: !Not [!Condition A]", "C: !Equals [a, a]"], Err(circle));
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let chain = |i: usize| format!("C{i}: !Not [!Condition C{}]", i + 1);
        let mut lines: Vec<String> = (0..499).map(chain).collect();
        lines.push("C499: !Equals [a, a]".into());
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let mut expected: Vec<String> = (1..500).step_by(2).map(|i| format!("C{i}")).collect();
        expected.sort();
        check(&lines, Ok(&expected.iter().map(String::as_str).collect::<Vec<_>>()));
    }
}
