//! What conditions and transforms have in common: wildcards are counted, regular expressions must be ones.

use crate::error::Error;

/// Memory that a compiled expression may take: as much as the edge gives one.
const REGEX_BYTES_MAX: usize = 1 << 20;

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

/// Whether the text is a regular expression of a bearable size.
pub(crate) fn check_regex(text: &str) -> Result<(), Error> {
    match regex::RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build() {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::Validation(format!("'{text}' is not a valid regular expression"))),
    }
}
