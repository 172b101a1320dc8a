//! Which nodes satisfy an expression that has been asked before.

use rustc_hash::FxHashMap;

use super::node_set::NodeSet;

/// Answers kept: requests choose the expressions.
const ANSWERS_MAX: usize = 32;

/// The answers to some expressions, by the text of the expression, until something changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    sets: FxHashMap<Box<str>, NodeSet>,
}

impl Answers {
    /// The remembered answer, or the one that `find` finds.
    pub(super) fn of(&mut self, expression: &str, find: impl FnOnce() -> NodeSet) -> &NodeSet {
        if !self.sets.contains_key(expression) {
            if self.sets.len() >= ANSWERS_MAX {
                self.sets.clear();
            }
            self.sets.insert(expression.into(), find());
        }
        &self.sets[expression]
    }

    /// Something has changed.
    pub(super) fn forget(&mut self) {
        self.sets.clear();
    }
}
