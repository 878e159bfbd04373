//! Globs of conditions: their wildcards are counted. What a text means is decided where the edge compiles it, in `world`.

/// Wildcards of a glob; a backslash takes a character's meaning away.
pub(crate) fn wildcards(glob: &str) -> usize {
    let mut characters = glob.chars();
    let mut count = 0;
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                characters.next();
            }
            '*' | '?' => count += 1,
            _ => {}
        }
    }
    count
}
