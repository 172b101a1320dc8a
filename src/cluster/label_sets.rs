//! Equal labels of nodes, kept once.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::Labels;

/// Sets kept at least, before those that no node has any more are looked for.
const KEPT_MIN: usize = 64;

/// The labels that nodes have. Thousands of nodes have a handful of different ones; shared, they fit into a processor's
/// cache, and every constraint looks at them.
#[derive(Clone, Debug, Default)]
pub(super) struct LabelSets {
    sets: FxHashMap<Arc<Labels>, ()>,
    /// Sets kept before the next clean-up.
    limit: usize,
}

impl LabelSets {
    /// The same labels, shared with whoever has them already.
    pub(super) fn share(&mut self, labels: Labels) -> Arc<Labels> {
        if let Some((shared, ())) = self.sets.get_key_value(&labels) {
            return Arc::clone(shared);
        }
        if self.sets.len() >= self.limit {
            self.sets.retain(|shared, ()| Arc::strong_count(shared) > 1);
            // So that cleaning up costs little on the average.
            self.limit = 2 * self.sets.len().max(KEPT_MIN);
        }
        let shared = Arc::new(labels);
        self.sets.insert(Arc::clone(&shared), ());
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(number: usize) -> Labels {
        Labels::from([("rack".to_owned(), number.to_string())])
    }

    #[test]
    fn equal_labels_are_the_same() {
        let mut sets = LabelSets::default();
        let [first, other, again] = [1, 2, 1].map(|number| sets.share(labels(number)));
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!((&*first, &*other), (&labels(1), &labels(2)));
    }

    #[test]
    fn labels_that_nobody_has_any_more_are_forgotten() {
        let mut sets = LabelSets::default();
        let kept: Vec<_> = (0..10).map(|number| sets.share(labels(number))).collect();
        for number in 10..10_000 {
            sets.share(labels(number));
        }
        assert!(sets.sets.len() <= 2 * KEPT_MIN, "{}", sets.sets.len());
        let found = (0..10).map(|number| sets.share(labels(number)));
        assert!(found.zip(&kept).all(|(found, kept)| Arc::ptr_eq(&found, kept)));
    }
}
