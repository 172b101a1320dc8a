//! "Did you mean …?"

/// Longer words than this are no slips of the finger, and comparing them would take long.
const LONGEST: usize = 64;

/// The name that was probably meant by `word`, if one is close enough.
pub(crate) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('_', "-");
    let wanted = plain(word);
    let length = wanted.chars().count();
    if length > LONGEST {
        return None;
    }
    let near = names
        .into_iter()
        .filter(|name| name.len() <= LONGEST)
        .filter_map(|name| {
            let candidate = plain(name);
            let distance = strsim::damerau_levenshtein(&wanted, &candidate);
            // One slip is allowed, but not in a name so short that it could then be any other.
            let slips = (length / 3).max(usize::from(length > 2));
            // Somebody who writes only the beginning means the whole.
            let is_start = length >= 3 && candidate.starts_with(&wanted);
            (distance <= slips || is_start).then_some((distance, name))
        });
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// The names in a sentence: `a`, `b` and `c`; of very many only the first.
pub(super) fn enumerate<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 12;
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        [single] => (*single).to_owned(),
        [first @ .., last] if names.len() <= SHOWN => format!("{} and {last}", first.join(", ")),
        more => format!("{} and {} more", more[..SHOWN].join(", "), more.len() - SHOWN),
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
