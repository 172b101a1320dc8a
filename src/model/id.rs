//! Dense, typed identifiers. Text identifiers exist only at the borders.

use std::num::NonZeroU32;

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

/// A handle of one container of a cluster: its place there, and which of the containers that have had this place it is.
/// Places are reused, handles are not: that of a container which has been removed names nothing any more, so that it may
/// be held for as long as one likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerIdx {
    index: u32,
    /// Never zero, so that an optional handle takes no more than a handle.
    generation: NonZeroU32,
}

impl ContainerIdx {
    /// The place as a number, for columns kept beside the cluster. Another container may have it later.
    pub fn index(self) -> usize {
        self.index as usize
    }

    /// The handle of the first container at a place.
    pub(crate) const fn first(index: u32) -> ContainerIdx {
        ContainerIdx::at(index, NonZeroU32::MIN)
    }

    /// The handle of the next container at the same place; `None` if four billion have been there, after which the place
    /// is given up.
    pub(crate) fn next(self) -> Option<ContainerIdx> {
        Some(ContainerIdx {
            generation: self.generation.checked_add(1)?,
            ..self
        })
    }

    /// The handle at a place of the container of a generation.
    pub(crate) const fn at(index: u32, generation: NonZeroU32) -> ContainerIdx {
        ContainerIdx { index, generation }
    }

    pub(crate) fn place(self) -> u32 {
        self.index
    }

    /// Which of the containers that have had its place it is.
    pub(crate) fn generation(self) -> NonZeroU32 {
        self.generation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_up_before_a_handle_repeats() {
        let first = ContainerIdx::first(7);
        let second = first.next().expect("there are more");
        assert!(first != second && first < second && first.index() == second.index());
        assert_eq!(ContainerIdx::at(7, NonZeroU32::MAX).next(), None);
        assert_eq!(
            size_of::<Option<ContainerIdx>>(),
            8,
            "jobs and containers keep them by the million"
        );
    }
}
