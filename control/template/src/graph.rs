//! Which resources need which others, and cycles among them. It follows references and never evaluates anything.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::error::{Collector, ERRORS_MAX};
use crate::expression::{Expression, ExpressionKind, Function, SubPart};
use crate::path::Path;
use crate::template::{Condition, Resource, Template};

/// The resources that must be there before `resource`: those it names in `DependsOn`, `Ref`, `Fn::GetAtt` and `Fn::Sub`,
/// in its properties, metadata and policies.
///
/// With `conditions` (all of the template's, evaluated) only the branch of `Fn::If` counts that is taken, and resources
/// whose own condition is false are left out: CloudFormation ignores a `DependsOn` for one of them, and a reference to
/// it fails when it is evaluated. Without them, every branch counts.
pub fn needs(template: &Template, resource: &Resource, conditions: Option<&BTreeMap<String, bool>>) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    each_need(resource, conditions, &mut |name| {
        named.insert(name);
    });
    let is_there = |condition: &str| conditions.and_then(|known| known.get(condition)) != Some(&false);
    let exists = |other: &Resource| other.condition.as_deref().is_none_or(is_there);
    let needed = named.into_iter().filter(|name| template.resource(name).is_some_and(exists));
    needed.map(str::to_string).collect()
}

/// Calls `each` with every name that may be a resource's.
fn each_need<'a>(resource: &'a Resource, conditions: Option<&BTreeMap<String, bool>>, each: &mut dyn FnMut(&'a str)) {
    resource.depends_on.iter().for_each(|name| each(name));
    let all = [&resource.properties, &resource.creation_policy, &resource.update_policy, &resource.metadata];
    for expression in all.into_iter().flatten() {
        follow(expression, conditions, each);
    }
}

fn follow<'a>(expression: &'a Expression, conditions: Option<&BTreeMap<String, bool>>, each: &mut dyn FnMut(&'a str)) {
    references(expression, conditions, &mut |reference| match reference {
        Reference::Name(name) | Reference::Attribute { resource: name, .. } => each(name),
    });
}

/// What an expression refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference<'a> {
    /// A parameter, pseudo parameter or resource.
    Name(&'a str),
    /// `Fn::GetAtt`; no attribute when a function works it out.
    Attribute { resource: &'a str, attribute: Option<&'a str> },
}

/// Calls `each` with everything that an expression refers to. With `conditions` (all of the template's, evaluated) only the
/// branch of `Fn::If` counts that is taken.
pub fn references<'a>(
    expression: &'a Expression,
    conditions: Option<&BTreeMap<String, bool>>,
    each: &mut dyn FnMut(Reference<'a>),
) {
    let function = match &expression.kind {
        ExpressionKind::Literal(_) => return,
        ExpressionKind::List(items) => return items.iter().for_each(|item| references(item, conditions, each)),
        ExpressionKind::Map(members) => return members.iter().for_each(|member| references(&member.value, conditions, each)),
        ExpressionKind::Function(function) => function.as_ref(),
    };
    match function {
        Function::Ref(name) => each(Reference::Name(name)),
        Function::GetAtt { resource, attribute } => {
            let attribute = if let ExpressionKind::Literal(json) = &attribute.kind { json.as_str() } else { None };
            each(Reference::Attribute { resource, attribute });
        }
        Function::Sub { parts, .. } => parts.iter().filter_map(SubPart::reference).for_each(&mut *each),
        Function::If { condition, then, otherwise } => {
            if let Some(holds) = conditions.and_then(|known| known.get(condition)) {
                return references(if *holds { then } else { otherwise }, conditions, each);
            }
        }
        _ => {}
    }
    function.arguments().into_iter().for_each(|argument| references(argument, conditions, each));
}

/// Notes each cycle among resources, with its members in the order in which one needs the next.
pub(crate) fn note_resource_cycles(template: &Template, errors: &mut Collector) {
    let resources = &template.resources;
    let index: HashMap<&str, usize> = resources.iter().enumerate().map(|(i, r)| (r.logical_id.as_str(), i)).collect();
    let edges = |resource| {
        let mut to = Vec::new();
        each_need(resource, None, &mut |name| to.extend(index.get(name)));
        once_each(to)
    };
    for cycle in cycles(&resources.iter().map(edges).collect::<Vec<_>>()) {
        let names: Vec<&str> = cycle.iter().map(|i| resources[*i].logical_id.as_str()).collect();
        let message = format!("Circular dependency between resources: [{}]", names.join(", "));
        errors.add(resources[cycle[0]].position, &Path::ROOT.key("Resources").key(names[0]), message);
    }
}

/// Notes each cycle among conditions.
pub(crate) fn note_condition_cycles(template: &Template, errors: &mut Collector) {
    let conditions = &template.conditions;
    let index: HashMap<&str, usize> = conditions.iter().enumerate().map(|(i, c)| (c.name.as_str(), i)).collect();
    let edges = |condition: &Condition| {
        let mut to = Vec::new();
        condition.expression.visit(&mut |function, _| match function {
            Function::Condition(name) | Function::If { condition: name, .. } => to.extend(index.get(name.as_str())),
            _ => {}
        });
        once_each(to)
    };
    for cycle in cycles(&conditions.iter().map(edges).collect::<Vec<_>>()) {
        let names: Vec<&str> = cycle.iter().map(|i| conditions[*i].name.as_str()).collect();
        let message = format!("Template error: Found circular condition dependency between {}", names.join(" and "));
        errors.add(conditions[cycle[0]].position, &Path::ROOT.key("Conditions").key(names[0]), message);
    }
}

fn once_each(mut all: Vec<usize>) -> Vec<usize> {
    let mut seen = HashSet::new();
    all.retain(|one| seen.insert(*one));
    all
}

/// At least one cycle if there is any, at most [`ERRORS_MAX`], each beginning with its lowest member. It does not
/// recurse: a chain may be as long as a template has resources.
fn cycles(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut found = Vec::new();
    let mut done = vec![false; edges.len()];
    // Where a node stands in the way from the start to where the walk is.
    let mut place: Vec<Option<usize>> = vec![None; edges.len()];
    for start in 0..edges.len() {
        // Each stop of the way with the next edge to take from it.
        let mut way: Vec<(usize, usize)> = Vec::new();
        if !done[start] {
            place[start] = Some(0);
            way.push((start, 0));
        }
        while let Some((at, next)) = way.last_mut() {
            let Some(&to) = edges[*at].get(*next) else {
                done[*at] = true;
                place[*at] = None;
                way.pop();
                continue;
            };
            *next += 1;
            match place[to] {
                Some(begin) => {
                    found.push(from_lowest(way[begin..].iter().map(|(stop, _)| *stop).collect()));
                    if found.len() == ERRORS_MAX {
                        return found;
                    }
                }
                None if done[to] => {}
                None => {
                    place[to] = Some(way.len());
                    way.push((to, 0));
                }
            }
        }
    }
    found
}

/// The cycle told from its lowest member on.
fn from_lowest(mut cycle: Vec<usize>) -> Vec<usize> {
    let lowest = (0..cycle.len()).min_by_key(|i| cycle[*i]).unwrap_or_default();
    cycle.rotate_left(lowest);
    cycle
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::{cycles, needs, note_condition_cycles, note_resource_cycles};
    use crate::error::Collector;
    use crate::template::Template;

    const TEXT: &str = r"
Parameters: {P: {Type: String}}
Conditions: {C: !Equals [!Ref P, a], Never: !Equals [a, b]}
Resources:
  Own:
    Type: T
    DependsOn: [A, Gone]
    Metadata: {Init: !Ref B}
    CreationPolicy: {ResourceSignal: {Count: !Ref C1}}
    Properties:
      Ref: [!Ref D, !Ref P, !Ref 'AWS::Region']
      Att: {Inside: !GetAtt E.Arn}
      Sub: !Sub ['${F}${G.Arn}${V}', {V: !Join ['', [!Ref H]]}]
      If: !If [C, !Ref I, !Ref J]
  Gone: {Type: T, Condition: Never}
  A: {Type: T}
  B: {Type: T}
  C1: {Type: T}
  D: {Type: T}
  E: {Type: T}
  F: {Type: T}
  G: {Type: T}
  H: {Type: T}
  I: {Type: T}
  J: {Type: T}
";

    #[test]
    fn finds_every_kind_of_need() {
        let template = Template::parse(TEXT).unwrap();
        let own = template.resource("Own").unwrap();
        let all = |conditions: Option<&BTreeMap<String, bool>>| {
            needs(&template, own, conditions).into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(all(None), "A B C1 D E F G Gone H I J");
        let known = |c: bool| BTreeMap::from([("C".to_string(), c), ("Never".to_string(), false)]);
        assert_eq!(all(Some(&known(true))), "A B C1 D E F G H I");
        assert_eq!(all(Some(&known(false))), "A B C1 D E F G H J");
    }

    fn errors_of(text: &str) -> Vec<String> {
        let template = Template::parse(text).unwrap();
        let mut errors = Collector::default();
        note_resource_cycles(&template, &mut errors);
        note_condition_cycles(&template, &mut errors);
        errors.finish(()).err().map_or_else(Vec::new, |all| all.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn names_cycles_in_order() {
        let text = "
Resources:
  Last: {Type: T, DependsOn: One}
  One: {Type: T, DependsOn: Two}
  Two: {Type: T, Properties: {P: !Ref Three}}
  Three: {Type: T, Properties: {P: !Sub '${One.Arn}'}}
  Self: {Type: T, Properties: {P: !Ref Self}}
  Fine: {Type: T, DependsOn: [Last, Self]}
";
        let expected = [
            "4:3: Resources.One: Circular dependency between resources: [One, Two, Three]",
            "7:3: Resources.Self: Circular dependency between resources: [Self]",
        ];
        assert_eq!(errors_of(text), expected);
    }

    #[test]
    fn names_cycles_of_conditions() {
        let text = "
Conditions:
  A: !Not [!Condition B]
  B: !And [!Condition A, !Equals [a, b]]
  C: !Not [!Condition A]
Resources: {R: {Type: T}}
";
        assert_eq!(errors_of(text), ["3:3: Conditions.A: Template error: Found circular condition dependency between A and B"]);
    }

    #[test]
    fn long_chains_and_dense_graphs_end() {
        let mut chain: Vec<Vec<usize>> = (0..5_000).map(|i| vec![i + 1]).collect();
        chain.push(vec![]);
        assert!(cycles(&chain).is_empty());
        chain[5_000].push(0);
        assert_eq!(cycles(&chain), [(0..=5_000).collect::<Vec<_>>()]);
        let dense: Vec<Vec<usize>> = (0..200).map(|i| (i + 1..200).collect()).collect();
        assert!(cycles(&dense).is_empty());
    }

    /// Whether the nodes can be put into an order, by taking away those that need nothing again and again.
    fn can_be_ordered(edges: &[Vec<usize>]) -> bool {
        let mut left: Vec<usize> = (0..edges.len()).collect();
        loop {
            let (stay, go): (Vec<usize>, Vec<usize>) = left.iter().partition(|i| edges[**i].iter().any(|to| left.contains(to)));
            match (stay.is_empty(), go.is_empty()) {
                (true, _) => return true,
                (false, true) => return false,
                _ => left = stay,
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn cycles_are_real_and_none_is_missed(pairs in proptest::collection::vec((0_usize..12, 0_usize..12), 0..24)) {
            let mut edges = vec![Vec::new(); 12];
            pairs.iter().for_each(|(from, to)| edges[*from].push(*to));
            let found = cycles(&edges);
            proptest::prop_assert_eq!(found.is_empty(), can_be_ordered(&edges));
            for cycle in found {
                for (i, member) in cycle.iter().enumerate() {
                    proptest::prop_assert!(edges[*member].contains(&cycle[(i + 1) % cycle.len()]));
                }
            }
        }
    }
}
