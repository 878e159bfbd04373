//! Finds the name that a misspelt one was meant to be.

/// The known name with the fewest changed characters, when they are few. Case counts as no difference.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower: Vec<char> = name.to_lowercase().chars().collect();
    let most = (lower.len() / 3).clamp(1, 4);
    let scored = known.filter(|k| k.len().abs_diff(name.len()) <= most).map(|k| (distance(&lower, k), k));
    scored.filter(|(changes, _)| *changes <= most).min().map(|(_, known)| known)
}

/// How many characters must be put in, taken out or changed to get from one name to the other (Levenshtein).
fn distance(from: &[char], to: &str) -> usize {
    let mut row: Vec<usize> = (0..=from.len()).collect();
    for (i, c) in to.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, d) in from.iter().enumerate() {
            let changed = diagonal + usize::from(*d != c);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[from.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_what_was_meant() {
        let known = ["VpcId", "CidrBlock", "AvailabilityZone", "Tags", "Port"];
        let cases = [
            ("VpcID", Some("VpcId")),
            ("CIDRBlock", Some("CidrBlock")),
            ("AvailabiltyZone", Some("AvailabilityZone")),
            ("AvailabilityZones", Some("AvailabilityZone")),
            ("Tag", Some("Tags")),
            ("Ports", Some("Port")),
            ("Name", None),
            ("SomethingElse", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(nearest(name, known.into_iter()), expected, "{name}");
        }
    }
}
