//! Patterns that have been compiled before: compiling one takes longer than a thousand decisions.

use regex::Regex;
use rustc_hash::FxHashMap;

use super::PatternLimit;

/// Patterns kept. Clients choose them, and each may take megabytes while it is matched.
const PATTERNS_MAX: usize = 256;

/// Bytes that the kept patterns may take.
const BYTES_MAX: usize = 1 << 26;

/// What came of a pattern: `None` for a text that is no regular expression.
pub(super) type Outcome = Result<Option<Compiled>, PatternLimit>;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub regex: Regex,
    /// The size granted to it, which is no less than what it takes.
    pub bytes: usize,
}

/// Compiled patterns by the text they were made from. Forgetting one changes no decision.
#[derive(Clone, Debug, Default)]
pub(in crate::scheduler) struct CompiledPatterns {
    by_text: FxHashMap<Box<str>, Outcome>,
    bytes: usize,
}

impl CompiledPatterns {
    /// The remembered pattern, which shares its memory, or the one that `compile` makes.
    pub(super) fn of(&mut self, text: &str, compile: impl FnOnce() -> Outcome) -> Result<Option<Regex>, PatternLimit> {
        if let Some(known) = self.by_text.get(text) {
            return known.clone().map(|known| known.map(|compiled| compiled.regex));
        }
        let outcome = compile();
        let bytes = text.len()
            + outcome
                .as_ref()
                .ok()
                .and_then(Option::as_ref)
                .map_or(0, |made| made.bytes);
        if self.by_text.len() >= PATTERNS_MAX || self.bytes + bytes > BYTES_MAX {
            self.by_text.clear();
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.by_text.insert(text.into(), outcome.clone());
        outcome.map(|made| made.map(|compiled| compiled.regex))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str, bytes: usize) -> Outcome {
        Ok(Regex::new(text).ok().map(|regex| Compiled { regex, bytes }))
    }

    #[test]
    fn a_pattern_is_compiled_once_and_at_most_so_many_are_kept() {
        let mut patterns = CompiledPatterns::default();
        let mut count = 0;
        for round in 0..3 {
            for text in ["^a$", "^b$", "("] {
                let compiled = patterns.of(text, || {
                    count += 1;
                    made(text, 1)
                });
                assert_eq!(
                    compiled.map(|regex| regex.is_some()),
                    Ok(text != "("),
                    "{text} in round {round}"
                );
            }
        }
        assert_eq!(count, 3);
        for number in 0..10 * PATTERNS_MAX {
            let refused = patterns.of(&number.to_string(), || Err(PatternLimit::Size));
            assert!(refused.is_err() && patterns.by_text.len() <= PATTERNS_MAX);
        }
        let mut patterns = CompiledPatterns::default();
        for number in 0..100 {
            let kept = patterns.of(&format!("large {number}"), || made("a", BYTES_MAX / 10));
            assert!(kept.is_ok_and(|regex| regex.is_some()));
            assert!(patterns.by_text.len() < 10, "{}", patterns.by_text.len());
        }
    }
}
