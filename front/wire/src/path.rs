//! Where in a request a value stands. It is put into words only when something is wrong with the value.

/// A step into a request, and the steps before it.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Root,
    Name(&'a Path<'a>, &'a str),
    /// Of a map.
    Key(&'a Path<'a>, &'a str),
    /// From 0.
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    /// `/Filters/0/Name`, as the codecs tell it.
    pub(crate) fn slashed(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Name(before, name) | Self::Key(before, name) => format!("{}/{name}", before.slashed()),
            Self::Item(before, n) => format!("{}/{n}", before.slashed()),
        }
    }

    /// `filters.1.member.name`, as AWS's validator tells it.
    pub(crate) fn dotted(&self) -> String {
        let (before, step) = match self {
            Self::Root => return String::new(),
            Self::Name(before, name) => (before.dotted(), lower_first(name)),
            Self::Key(before, key) => (before.dotted(), key.to_string()),
            Self::Item(before, n) => (before.dotted(), format!("{}.member", n + 1)),
        };
        if before.is_empty() { step } else { format!("{before}.{step}") }
    }
}

/// The member's name as AWS's validator prints it: `AutoScalingGroupName` as `autoScalingGroupName`.
fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(letters).collect()
}
