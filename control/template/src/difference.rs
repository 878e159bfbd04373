//! Tells what an update does to a resource from its properties before and after.

use serde_json::{Map, Value as Json};

use crate::schema::{Kind, Property, Schema, Structure, Update};

/// What changing a resource's properties takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    None,
    /// The resource stays and is changed.
    InPlace,
    /// A new resource takes the old one's place.
    Replace,
}

impl Schema {
    /// What it takes to get from the `old` properties to the `new` ones, both as [`Schema::coerce`] gives them. A
    /// property further inside replaces the resource when it is marked so; members of two lists are compared in pairs
    /// when the lists are of one length.
    pub fn difference(&self, old: &Json, new: &Json) -> Difference {
        self.structures_differ(&self.properties, old, new)
    }

    fn structures_differ(&self, structure: &Structure, old: &Json, new: &Json) -> Difference {
        let one = |name: &String| {
            let (old, new) = (old.get(name), new.get(name));
            match structure.property(name) {
                _ if old == new => Difference::None,
                Some(property) => self.property_differs(property, old, new),
                None => Difference::InPlace,
            }
        };
        names(old, new).into_iter().map(one).max().unwrap_or(Difference::None)
    }

    fn property_differs(&self, property: &Property, old: Option<&Json>, new: Option<&Json>) -> Difference {
        match (property.update, old, new) {
            (Update::Replace, ..) => Difference::Replace,
            (Update::InPlace, Some(old), Some(new)) => self.values_differ(&property.kind, old, new),
            (Update::InPlace, ..) => Difference::InPlace,
        }
    }

    /// Of two values that are not equal, at least [`Difference::InPlace`].
    fn values_differ(&self, kind: &Kind, old: &Json, new: &Json) -> Difference {
        let inside = match (kind, old, new) {
            (Kind::Structure(name), ..) => self.structures.get(name).map(|s| self.structures_differ(s, old, new)),
            (Kind::List(inner), Json::Array(old), Json::Array(new)) if old.len() == new.len() => {
                let pairs = old.iter().zip(new).filter(|(old, new)| old != new);
                pairs.map(|(old, new)| self.values_differ(inner, old, new)).max()
            }
            (Kind::Map(inner), Json::Object(old), Json::Object(new)) => {
                let pairs = old.iter().filter_map(|(key, old)| Some((old, new.get(key)?)));
                pairs.filter(|(old, new)| old != new).map(|(old, new)| self.values_differ(inner, old, new)).max()
            }
            _ => None,
        };
        inside.unwrap_or(Difference::InPlace).max(Difference::InPlace)
    }
}

/// The names of the top-level properties that are not equal, those of `old` first.
pub fn changed(old: &Json, new: &Json) -> Vec<String> {
    names(old, new).into_iter().filter(|name| old.get(name) != new.get(name)).cloned().collect()
}

/// The members of both, each once.
fn names<'a>(old: &'a Json, new: &'a Json) -> Vec<&'a String> {
    let keys = |json: &'a Json| json.as_object().into_iter().flat_map(Map::keys);
    keys(old).chain(keys(new).filter(|name| old.get(name).is_none())).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Difference, changed};
    use crate::schema::Schema;
    use serde_json::{Value as Json, json};

    const TEXT: &str = "
properties
  VpcId    string  replace
  Name     string
  Disks    list Disk
  Named    map Disk
  Launch   Launch
structure Launch
  Disk     Disk
structure Disk
  Size     integer
  Key      string  replace
";

    fn check(old: Json, new: Json, expected: Difference) {
        let schema = Schema::parse(TEXT).unwrap();
        assert_eq!(schema.difference(&old, &new), expected, "{old} {new}");
        assert_eq!(schema.difference(&new, &old), expected, "{new} {old}");
    }

    #[test]
    fn the_strongest_difference_counts() {
        use Difference::{InPlace, None, Replace};
        check(json!({}), json!({}), None);
        check(json!(null), json!({}), None);
        check(json!({"VpcId": "a", "Name": "n"}), json!({"Name": "n", "VpcId": "a"}), None);
        check(json!({"Name": "a"}), json!({"Name": "b"}), InPlace);
        check(json!({"Name": "a"}), json!({}), InPlace);
        check(json!({"VpcId": "a", "Name": "a"}), json!({"VpcId": "b", "Name": "b"}), Replace);
        check(json!({"VpcId": "a"}), json!({}), Replace);
        check(json!({"Unknown": 1}), json!({"Unknown": 2}), InPlace);
    }

    #[test]
    fn looks_inside() {
        use Difference::{InPlace, Replace};
        let (a, b, c) = (json!({"Size": 1, "Key": "k"}), json!({"Size": 2, "Key": "k"}), json!({"Size": 1, "Key": "l"}));
        check(json!({"Disks": [a, b]}), json!({"Disks": [a, a]}), InPlace);
        check(json!({"Disks": [a, b]}), json!({"Disks": [a, c]}), Replace);
        check(json!({"Disks": [a]}), json!({"Disks": [c, b]}), InPlace);
        check(json!({"Named": {"x": a}}), json!({"Named": {"x": c}}), Replace);
        check(json!({"Named": {"x": a}}), json!({"Named": {"y": c}}), InPlace);
        check(json!({"Launch": {"Disk": a}}), json!({"Launch": {"Disk": b}}), InPlace);
        check(json!({"Launch": {"Disk": a}}), json!({"Launch": {"Disk": c}}), Replace);
        check(json!({"Launch": {"Disk": a}}), json!({"Launch": {}}), InPlace);
    }

    #[test]
    fn names_what_changed() {
        let (old, new) = (json!({"A": 1, "B": [2], "C": 3}), json!({"D": 4, "C": 3, "B": [3]}));
        assert_eq!(changed(&old, &new), ["A", "B", "D"]);
        assert!(changed(&old, &old).is_empty());
    }
}
