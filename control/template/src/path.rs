use std::fmt;

/// The way to a place in a template's structure, as a chain on the stack of whoever walks it.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    pub(crate) const ROOT: Path<'static> = Path { parent: None, step: Step::Root };

    pub(crate) fn key(&'a self, key: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Key(key) }
    }

    pub(crate) fn index(&'a self, index: usize) -> Path<'a> {
        Path { parent: Some(self), step: Step::Index(index) }
    }

    /// `/Resources/Web`, as some of CloudFormation's messages write it.
    pub(crate) fn slashed(&self) -> String {
        let mut steps = Vec::new();
        let mut at = Some(self);
        while let Some(path) = at {
            match path.step {
                Step::Root => {}
                Step::Key(key) => steps.push(key.to_string()),
                Step::Index(index) => steps.push(index.to_string()),
            }
            at = path.parent;
        }
        steps.iter().rev().map(|step| format!("/{step}")).collect()
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else { return Ok(()) };
        parent.fmt(f)?;
        match self.step {
            Step::Root => Ok(()),
            Step::Key(key) if matches!(parent.step, Step::Root) => f.write_str(key),
            Step::Key(key) => write!(f, ".{key}"),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn prints_both_ways() {
        let root = Path::ROOT;
        let (a, b) = (root.key("Resources"), "Tags");
        let b = a.key(b);
        assert_eq!(b.index(2).to_string(), "Resources.Tags[2]");
        assert_eq!(b.index(2).slashed(), "/Resources/Tags/2");
        assert_eq!(root.to_string(), "");
    }
}
