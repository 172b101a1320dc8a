//! Ranges in entries: `10.0.0.[1:3]:2375` is three of them.

use super::error::DiscoveryError;

/// Most entries of one list, ranges expanded. Two orders of magnitude above the largest clusters, and small enough that
/// a mistyped range costs neither memory nor a storm of connections.
pub const ENTRIES_MAX: usize = 100_000;

/// Most bytes of an entry before its range is expanded: twice the longest host name. Without it, a long line with a
/// range would be multiplied by [`ENTRIES_MAX`].
pub const ENTRY_BYTES_MAX: usize = 512;

/// The one range of a pattern, and what stands around it.
struct Range<'a> {
    before: &'a str,
    from: i64,
    to: i64,
    after: &'a str,
}

impl Range<'_> {
    /// Reads a pattern as the original's greedy `\[(.+):(.+)\]` does: from the first `[` to the last `]`, so that two
    /// groups, or bounds that are no numbers, are no range and the text is taken as it stands.
    fn of(pattern: &str) -> Option<Range<'_>> {
        let (before, rest) = pattern.split_once('[')?;
        let (bounds, after) = rest.rsplit_once(']')?;
        let (from, to) = bounds.rsplit_once(':')?;
        Some(Range {
            before,
            from: from.parse().ok()?,
            to: to.parse().ok()?,
            after,
        })
    }
}

/// The entries that a pattern stands for, at most `most` of them. A pattern without a range is one entry; a range that
/// ends before it begins is none.
///
/// Unlike in the original, a `%` beside a range survives: there the pattern became a format of `Sprintf`.
pub fn expand(pattern: &str, most: usize) -> Result<Vec<String>, DiscoveryError> {
    if pattern.len() > ENTRY_BYTES_MAX {
        return Err(DiscoveryError::EntryTooLong);
    }
    let Some(Range {
        before,
        from,
        to,
        after,
    }) = Range::of(pattern)
    else {
        return match most {
            0 => Err(DiscoveryError::TooManyEntries),
            _ => Ok(vec![pattern.to_owned()]),
        };
    };
    let count = (i128::from(to) - i128::from(from) + 1).max(0);
    if usize::try_from(count).map_or(true, |count| count > most) {
        return Err(DiscoveryError::TooManyEntries);
    }
    Ok((from..=to).map(|number| format!("{before}{number}{after}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(pattern: &str) -> Vec<String> {
        expand(pattern, ENTRIES_MAX).expect("not too many")
    }

    #[test]
    fn ranges_are_inclusive_and_may_stand_anywhere() {
        assert_eq!(
            all("10.0.0.[1:3]:2375"),
            ["10.0.0.1:2375", "10.0.0.2:2375", "10.0.0.3:2375"]
        );
        assert_eq!(all("host:[2:4]375"), ["host:2375", "host:3375", "host:4375"]);
        assert_eq!(all("h-[08:10]:1"), ["h-8:1", "h-9:1", "h-10:1"]);
        assert_eq!(all("h[2:1]:5"), [""; 0]);
        assert_eq!(all("h[3:3]:5"), ["h3:5"]);
    }

    #[test]
    fn what_is_no_range_is_taken_as_it_stands() {
        for text in [
            "plain:1",
            "",
            "[1:2].[3:4]:1",
            "[2001:db8::3]:2375",
            "h[a:b]:1",
            "h[:2]:1",
            "h[1:]:1",
            "h[12]:1",
            "h]1:2[:1",
            "h[1:99999999999999999999]:1",
        ] {
            assert_eq!(all(text), [text]);
        }
    }

    #[test]
    fn a_percent_sign_survives() {
        assert_eq!(all("fe80%d-[1:2]%s:1"), ["fe80%d-1%s:1", "fe80%d-2%s:1"]);
    }

    #[test]
    fn the_number_of_entries_is_bounded_before_they_are_made() {
        for pattern in [
            "h[0:4000000000]:1",
            "h[-9223372036854775808:9223372036854775807]:1",
            "h[0:100000]:1",
        ] {
            let error = expand(pattern, ENTRIES_MAX).expect_err("too many").to_string();
            assert!(error.contains("more than 100000 entries"), "{error}");
        }
        assert_eq!(all("h[1:100000]:1").len(), ENTRIES_MAX);
        assert!(expand("plain:1", 0).is_err());
        let long = format!("{}[1:100000]:1", "h".repeat(ENTRY_BYTES_MAX));
        let error = expand(&long, ENTRIES_MAX).expect_err("too long").to_string();
        assert!(error.contains("more than 512 bytes"), "{error}");
    }

    proptest! {
        #[test]
        fn any_pattern_is_expanded_or_refused(pattern in "[a:\\[\\]0-9%é-]{0,16}") {
            if let Ok(entries) = expand(&pattern, 1000) {
                prop_assert!(entries.len() <= 1000);
            }
        }

        #[test]
        fn a_range_has_as_many_entries_as_it_says(from in -50_i64..50, count in 0_i64..50) {
            let entries = all(&format!("h[{from}:{}]:1", from + count - 1));
            prop_assert_eq!(entries.len() as i64, count);
            for (index, entry) in entries.iter().enumerate() {
                prop_assert_eq!(entry, &format!("h{}:1", from + index as i64));
            }
        }
    }
}
