//! Dense, typed identifiers. Text identifiers exist only at the borders.

/// A node's place in its cluster: the order in which nodes were added,
/// never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIdx(pub(crate) u32);

impl NodeIdx {
    /// The index as a number, for columns kept beside the cluster.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A container's place in its cluster. Reused after the container is
/// removed: hold one only while the container is known to exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerIdx(pub(crate) u32);

impl ContainerIdx {
    /// The index as a number, for columns kept beside the cluster.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}
