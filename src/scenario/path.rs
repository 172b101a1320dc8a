//! Paths of keys and indices, by which everything in a scenario is addressed.

use std::fmt;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    /// Into a table.
    Key(String),
    /// Into an array, from 0.
    Index(usize),
}

/// Where something is in a scenario: `workload.web.image`, `events.0.at`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Path(Vec<Segment>);

impl Path {
    /// The scenario itself.
    pub fn root() -> Path {
        Path::default()
    }

    /// One step into a table.
    pub fn key(&self, key: &str) -> Path {
        self.then(Segment::Key(key.to_owned()))
    }

    /// One step into an array.
    pub fn index(&self, index: usize) -> Path {
        self.then(Segment::Index(index))
    }

    /// One step further.
    pub fn then(&self, segment: Segment) -> Path {
        let mut segments = self.0.clone();
        segments.push(segment);
        Path(segments)
    }

    /// The steps.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether this is the scenario itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        match self {
            Segment::Index(index) => write!(f, "{index}"),
            Segment::Key(key) if !key.is_empty() && key.chars().all(is_bare) => f.write_str(key),
            Segment::Key(key) => write!(f, "{key:?}"),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            let dot = if position == 0 { "" } else { "." };
            write!(f, "{dot}{segment}")?;
        }
        Ok(())
    }
}
