//! Filters of the list of images.

use regex::Regex;

use super::{Filters, FiltersError};
use crate::model::{Labels, repository};

/// The filters that dockerd has.
const OWN: [&str; 5] = ["before", "dangling", "label", "reference", "since"];

/// What an image without names is called.
const NO_TAG: &str = "<none>:<none>";
const NO_DIGEST: &str = "<none>@<none>";

/// What a list of images is to have. What `before` and `since` mean is left to who knows all images.
#[derive(Clone, Debug)]
pub struct ImageFilters {
    filters: Filters,
    dangling: Option<bool>,
    references: Option<Vec<Regex>>,
}

/// What is looked at of an image.
#[derive(Clone, Copy, Debug)]
pub struct FilteredImage<'a> {
    /// Its names with tags.
    pub tags: &'a [String],
    /// Its names by content.
    pub digests: &'a [String],
    /// Its labels.
    pub labels: &'a Labels,
    /// Whether another image was built on it.
    pub is_parent: bool,
}

/// The names with which an image is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownNames<'a> {
    /// With tags.
    pub tags: Vec<&'a str>,
    /// By content.
    pub digests: Vec<&'a str>,
}

impl ShownNames<'_> {
    /// Whether it is listed as one without names.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.digests.is_empty()
    }
}

impl ImageFilters {
    /// Checks filters as dockerd does; `further` are names of filters that the caller has beside dockerd's. `deprecated` is
    /// what clients of long ago said instead of the filter `reference`; it may be empty.
    ///
    /// # Errors
    ///
    /// A filter or a value that there is not.
    pub fn new(filters: Filters, further: &[&str], deprecated: &str) -> Result<ImageFilters, FiltersError> {
        filters.accept(&[&OWN, further].concat())?;
        let dangling = match filters.contains("dangling") {
            false => None,
            true if filters.equals("dangling", "true") => Some(true),
            true if filters.equals("dangling", "false") => Some(false),
            true => return Err(filters.bad_values("dangling")),
        };
        let deprecated = Some(deprecated).filter(|pattern| !pattern.is_empty());
        let references = match filters.contains("reference") || deprecated.is_some() {
            false => None,
            true => Some(
                filters
                    .values("reference")
                    .chain(deprecated)
                    .map(|pattern| shell_pattern(pattern).ok_or_else(|| FiltersError::Pattern(pattern.to_owned())))
                    .collect::<Result<_, _>>()?,
            ),
        };
        Ok(ImageFilters {
            filters,
            dangling,
            references,
        })
    }

    /// The values of a filter.
    pub fn values(&self, name: &str) -> impl ExactSizeIterator<Item = &str> {
        self.filters.values(name)
    }

    /// Whether a filter has a value.
    pub fn has(&self, name: &str) -> bool {
        self.filters.has(name)
    }

    /// Whether images are chosen by whether they have names.
    pub fn minds_names(&self) -> bool {
        self.dangling.is_some()
    }

    /// The names with which an image is listed; `None` if it is not. `all` is whether those are listed that others were
    /// built on and that have no names.
    pub fn names<'a>(&self, image: &FilteredImage<'a>, all: bool) -> Option<ShownNames<'a>> {
        if self.dangling == Some(true) && image.is_parent || !self.filters.labels_match("label", image.labels) {
            return None;
        }
        let wanted = |name: &&str| match &self.references {
            None => true,
            Some(references) => {
                let bare = repository(name);
                references
                    .iter()
                    .any(|reference| reference.is_match(name) || reference.is_match(bare))
            }
        };
        let names = |own: &'a [String], none: &str| -> Vec<&'a str> {
            let own = own.iter().filter(|name| *name != none).map(|name| familiar(name));
            own.filter(wanted).collect()
        };
        let names = ShownNames {
            tags: names(image.tags, NO_TAG),
            digests: names(image.digests, NO_DIGEST),
        };
        let is_listed = match names.is_empty() {
            true => (all || !image.is_parent) && self.dangling != Some(false) && self.references.is_none(),
            false => self.dangling != Some(true) || names.tags.is_empty(),
        };
        is_listed.then_some(names)
    }
}

/// A name as people write it.
fn familiar(name: &str) -> &str {
    name.strip_prefix("docker.io/library/").unwrap_or(name)
}

/// A pattern as shells match names: `*` and `?` stay within a path's segment. `None` if it is none.
fn shell_pattern(pattern: &str) -> Option<Regex> {
    let mut regex = String::from("^");
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '[' => {
                let (class, after) = rest.as_str().split_once(']')?;
                rest = after.chars();
                let (negated, class) = match class.strip_prefix('^') {
                    Some(class) => ("^", class),
                    None => ("", class),
                };
                let class = class.replace('\\', r"\\").replace('[', r"\[").replace('&', r"\&");
                regex.push_str(&format!("[{negated}{}]", class.replace('~', r"\~")));
            }
            '\\' => regex.push_str(&regex::escape(&rest.next()?.to_string())),
            c => regex.push_str(&regex::escape(&c.to_string())),
        }
    }
    regex.push('$');
    Regex::new(&regex).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stay_within_a_segment() {
        let matches = |pattern: &str, name: &str| shell_pattern(pattern).is_some_and(|regex| regex.is_match(name));
        assert!(matches("busy*", "busybox") && matches("busybox:1.?", "busybox:1.0"));
        assert!(!matches("*", "a/b") && matches("*/b", "a/b") && !matches("busy", "busybox"));
        assert!(matches("[ab]c", "bc") && matches("[^ab]c", "cc") && !matches("[^ab]c", "ac"));
        assert!(matches(r"a\*", "a*") && !matches(r"a\*", "ab"));
        for nonsense in ["[", "[a", "[]", r"\", "[z-a]"] {
            assert!(shell_pattern(nonsense).is_none(), "{nonsense}");
        }
    }

    /// What dockerd 20.10.24 answers for an image with three names, one that another was built on, and one without names.
    #[test]
    fn an_image_is_listed_with_the_names_that_are_wanted() {
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let named = texts(&["busybox:latest", "org/busy:2", "localhost:5000/app:1"]);
        let labels = Labels::from([("a".to_owned(), "1".to_owned())]);
        let image = |tags, is_parent| FilteredImage {
            tags,
            digests: &[],
            labels: &labels,
            is_parent,
        };
        let nameless = texts(&[NO_TAG]);
        let whole = "busybox:latest org/busy:2 localhost:5000/app:1";
        for (text, busybox, between, last) in [
            ("", Some(whole), None, Some("")),
            (r#"{"dangling":["true"]}"#, None, None, Some("")),
            (r#"{"dangling":["false"]}"#, Some(whole), None, None),
            (r#"{"dangling":[]}"#, None, None, Some("")),
            (r#"{"label":["a"]}"#, Some(whole), None, Some("")),
            (r#"{"label":["a=2"]}"#, None, None, None),
            (r#"{"reference":["busy*"]}"#, Some("busybox:latest"), None, None),
            (
                r#"{"reference":["*/*"]}"#,
                Some("org/busy:2 localhost:5000/app:1"),
                None,
                None,
            ),
            (
                r#"{"reference":["localhost:5000/app"]}"#,
                Some("localhost:5000/app:1"),
                None,
                None,
            ),
            (r#"{"reference":["docker.io/library/busybox"]}"#, None, None, None),
            (r#"{"reference":["*:2"]}"#, None, None, None),
        ] {
            let filters = ImageFilters::new(Filters::parse(text).expect(text), &[], "").expect(text);
            let names = |image| filters.names(&image, false).map(|names| names.tags.join(" "));
            assert_eq!(names(image(&named, true)).as_deref(), busybox, "{text}");
            assert_eq!(names(image(&nameless, true)).as_deref(), between, "{text}");
            assert_eq!(names(image(&nameless, false)).as_deref(), last, "{text}");
        }
        for text in [r#"{"dangling":["1"]}"#, r#"{"until":["1h"]}"#, r#"{"reference":["["]}"#] {
            assert!(ImageFilters::new(Filters::parse(text).expect(text), &[], "").is_err());
        }
    }
}
