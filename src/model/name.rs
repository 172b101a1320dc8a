//! Names of containers: a million are made, copied and thrown away in a run.

use std::borrow::Borrow;
use std::fmt::{self, Write};
use std::ops::Deref;

use smol_str::{SmolStr, SmolStrBuilder};

/// A name. Up to 23 bytes are kept in place, so that making and copying one needs no heap; copies of longer ones share
/// their text. It behaves as its text does: order, equality and hash are those of the `str`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(SmolStr);

impl Name {
    /// The name `PREFIX`, separator, `NUMBER`, such as `web-7`.
    pub fn numbered(prefix: &str, separator: char, number: u64) -> Name {
        let mut text = SmolStrBuilder::default();
        text.push_str(prefix);
        text.push(separator);
        // The builder takes everything it is given.
        let _ = write!(text, "{number}");
        Name(text.finish())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Name {
        Name(SmolStr::new(text))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Name {
        Name(SmolStr::from(text))
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0.into()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_names_are_those_that_are_written_out() {
        for prefix in ["web", "", "a-class-with-quite-a-long-name", "ä"] {
            for number in [0, 7, 10, 999_999, u64::MAX] {
                assert_eq!(*Name::numbered(prefix, '-', number), format!("{prefix}-{number}"));
            }
        }
    }

    #[test]
    fn a_name_takes_no_more_than_three_words() {
        assert_eq!(size_of::<Option<Name>>(), 24);
    }
}
