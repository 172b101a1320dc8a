//! "Did you mean …?"

use std::collections::HashMap;

/// Longer words than this are no slips of the finger, and comparing them would take long.
const LONGEST: usize = 64;
/// Names in a sentence.
const SHOWN: usize = 12;

/// The name that was probably meant by `word`, if one is close enough.
pub(crate) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('_', "-");
    let wanted = plain(word);
    let length = wanted.chars().count();
    if length > LONGEST {
        return None;
    }
    // One slip is allowed, but not in a name so short that it could then be any other.
    let slips = (length / 3).max(usize::from(length > 2));
    let near = names
        .into_iter()
        .filter(|name| name.len() <= LONGEST)
        .filter_map(|name| {
            let candidate = plain(name);
            // Somebody who writes only the beginning means the whole.
            let is_start = length >= 3 && candidate.starts_with(&wanted);
            if !is_start && candidate.chars().count().abs_diff(length) > slips {
                return None;
            }
            let distance = strsim::damerau_levenshtein(&wanted, &candidate);
            (distance <= slips || is_start).then_some((distance, name))
        });
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// The names in a sentence: `a`, `b` and `c`; of very many only the first.
pub(super) fn enumerate<S: AsRef<str>>(names: &[S]) -> String {
    enumerate_some(names, names.len())
}

/// The first of so many names.
fn enumerate_some<S: AsRef<str>>(names: &[S], count: usize) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    match shown.as_slice() {
        _ if count > SHOWN => format!("{} and {} more", shown.join(", "), count - SHOWN),
        [] => "none".to_owned(),
        [single] => (*single).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// As [`enumerate`], each name in the quotes of code.
pub(super) fn enumerate_ticked(names: &[&str]) -> String {
    let shown = names.iter().take(SHOWN).map(|name| ticked(name));
    enumerate_some(&shown.collect::<Vec<_>>(), names.len())
}

/// What is looked for in names of the user's choice, of which there may be as many as there are mistakes: each word once,
/// and only so often that the whole stays within a second.
#[derive(Debug, Default)]
pub(super) struct Suggestions {
    found: HashMap<(&'static str, String), Option<String>>,
    compared: usize,
}

impl Suggestions {
    /// Names that are looked at for one word.
    const NAMES: usize = 2_000;
    /// Names that are looked at for all words.
    const COMPARISONS: usize = 400_000;

    /// The name that was probably meant by `word`, as [`nearest`] finds it. All names of one `kind` are the same ones.
    pub fn nearest<'a>(
        &mut self,
        kind: &'static str,
        word: &str,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        if let Some(known) = self.found.get(&(kind, word.to_owned())) {
            return known.clone();
        }
        if self.compared >= Suggestions::COMPARISONS {
            return None;
        }
        let compared = &mut self.compared;
        let names = names.into_iter().take(Suggestions::NAMES).inspect(|_| *compared += 1);
        let found = nearest(word, names).map(str::to_owned);
        self.found.insert((kind, word.to_owned()), found.clone());
        found
    }
}

/// What there is, as the end of a complaint about what there is not.
pub(crate) fn there_are<S: AsRef<str>>(names: &[S]) -> String {
    let verb = if names.len() == 1 { "there is only" } else { "there are" };
    format!("{verb} {}", enumerate(names))
}

/// The name in the quotes of code.
pub(super) fn ticked(name: &str) -> String {
    format!("`{name}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_looked_for_once_and_all_words_not_for_ever() {
        let names: Vec<String> = (0..3000).map(|number| format!("name-{number:04}")).collect();
        let list = || names.iter().map(String::as_str);
        let mut suggestions = Suggestions::default();
        for _ in 0..3 {
            assert_eq!(
                suggestions.nearest("class", "nam-0007", list()).as_deref(),
                Some("name-0007")
            );
            assert_eq!(suggestions.nearest("image", "nam-0007", std::iter::empty()), None);
            assert_eq!(suggestions.compared, Suggestions::NAMES);
        }
        for number in 0..10_000 {
            suggestions.nearest("class", &format!("word {number}"), list());
        }
        assert!(suggestions.compared < Suggestions::COMPARISONS + Suggestions::NAMES);
        assert_eq!(
            suggestions.nearest("class", "nam-0008", list()),
            None,
            "enough has been looked for"
        );
        assert_eq!(
            suggestions.nearest("class", "nam-0007", list()).as_deref(),
            Some("name-0007")
        );
    }

    #[test]
    fn names_far_longer_or_shorter_are_not_meant() {
        assert_eq!(nearest("cpu", ["cpus", "c", "memory"]), Some("cpus"));
        assert_eq!(nearest("Memroy", ["memory"]), Some("memory"));
        assert_eq!(nearest("repl", ["replicas-of-a-class"]), Some("replicas-of-a-class"));
        assert_eq!(
            nearest("replicas", ["rep", "replicas-of-a-class-and-more"]),
            Some("replicas-of-a-class-and-more")
        );
        assert_eq!(nearest("zone", ["a", "zones-and-more", ""]), Some("zones-and-more"));
        assert_eq!(nearest("xone", ["zones-and-more"]), None);
    }
}
