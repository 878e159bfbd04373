//! Short names made from long ids, and the check that an id may stand in a path or a rule.

/// Longest id that the host takes.
const ID_CHARS_MAX: usize = 64;

/// Whether an id is safe as a file name and, with its dashes replaced, as a name in a rule set.
pub(crate) fn is_plain(id: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !id.is_empty() && id.len() <= ID_CHARS_MAX && id.chars().all(allowed)
}

/// FNV-1a, 64 bits: the same on every machine and in every version, which the standard hasher is not.
pub(crate) fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::{hash, is_plain};

    #[test]
    fn ids_that_could_leave_their_directory_or_rule_are_not_plain() {
        for id in ["i-0123456789abcdef0", "eni_1", "sg-A"] {
            assert!(is_plain(id), "{id}");
        }
        for id in ["", "..", "a/b", "a b", "a;b", "a\n", &"a".repeat(65)] {
            assert!(!is_plain(id), "{id}");
        }
    }

    #[test]
    fn hash_is_fnv_1a() {
        assert_eq!(hash(*b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(*b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
