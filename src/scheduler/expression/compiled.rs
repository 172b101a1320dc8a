//! Patterns that have been compiled before: compiling one takes longer than a thousand decisions.

use regex::Regex;
use rustc_hash::FxHashMap;

/// Patterns kept. Clients choose them, and each may take megabytes while it is matched.
const PATTERNS_MAX: usize = 256;

/// Compiled patterns by the text they were made from; `None` for one that does not compile. Forgetting one changes no
/// decision.
#[derive(Clone, Debug, Default)]
pub(in crate::scheduler) struct CompiledPatterns {
    by_text: FxHashMap<Box<str>, Option<Regex>>,
}

impl CompiledPatterns {
    /// The remembered pattern, which shares its memory, or the one that `compile` makes.
    pub(super) fn of(&mut self, text: &str, compile: impl FnOnce() -> Option<Regex>) -> Option<Regex> {
        if let Some(known) = self.by_text.get(text) {
            return known.clone();
        }
        if self.by_text.len() >= PATTERNS_MAX {
            self.by_text.clear();
        }
        let compiled = compile();
        self.by_text.insert(text.into(), compiled.clone());
        compiled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_compiled_once_and_at_most_so_many_are_kept() {
        let mut patterns = CompiledPatterns::default();
        let mut made = 0;
        for round in 0..3 {
            for text in ["^a$", "^b$", "("] {
                let compiled = patterns.of(text, || {
                    made += 1;
                    Regex::new(text).ok()
                });
                assert_eq!(compiled.is_some(), text != "(", "{text} in round {round}");
            }
        }
        assert_eq!(made, 3);
        for number in 0..10 * PATTERNS_MAX {
            patterns.of(&number.to_string(), || None);
            assert!(patterns.by_text.len() <= PATTERNS_MAX);
        }
    }
}
