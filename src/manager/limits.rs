//! How much one request may ask the scheduler for. Everybody else waits while it decides, so that what takes it long is
//! refused, and said so, before it is asked.

use std::borrow::Cow;

use crate::model::Request;

/// Constraints, affinities and whitelists of one request together.
const EXPRESSIONS_MAX: usize = 256;

/// Those of them that are patterns: each may have to be compared with the name of every container there is.
const PATTERNS_MAX: usize = 64;

/// Bytes of one expression: one that names a thousand nodes fits.
const EXPRESSION_BYTES_MAX: usize = 32 << 10;

/// Bytes of all expressions of one request.
const EXPRESSIONS_BYTES_MAX: usize = 64 << 10;

/// Ports that are published, and exposed, each counted for itself.
const PORTS_MAX: usize = 4096;

/// Containers that one refers to: by links, by `--volumes-from` and by its network.
const REFERENCES_MAX: usize = 1024;

/// Bytes of the name of one of them.
const REFERENCE_BYTES_MAX: usize = 4096;

/// Labels of a container, those that carry its expressions included.
const LABELS_MAX: usize = 10_000;

/// Bytes of keys and values of all labels.
const LABELS_BYTES_MAX: usize = 1 << 20;

/// More is asked for than one request may ask for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request has {asked} {what}; at most {most} can be scheduled")]
pub(super) struct TooMuch {
    what: &'static str,
    asked: usize,
    most: usize,
}

impl TooMuch {
    /// Nothing, unless there is more of something than there may be.
    pub(super) fn unless(what: &'static str, asked: usize, most: usize) -> Result<(), TooMuch> {
        if asked <= most {
            return Ok(());
        }
        Err(TooMuch { what, asked, most })
    }
}

/// # Errors
///
/// The request asks for more than one may.
pub(super) fn check(request: &Request) -> Result<(), TooMuch> {
    let expressions = || {
        let kinds = [&request.constraints, &request.affinities, &request.whitelists];
        kinds.into_iter().flatten().map(String::as_str)
    };
    TooMuch::unless(
        "scheduling expressions (constraints, affinities and whitelists)",
        expressions().count(),
        EXPRESSIONS_MAX,
    )?;
    TooMuch::unless(
        "scheduling expressions that are patterns",
        expressions().filter(|text| is_pattern(text)).count(),
        PATTERNS_MAX,
    )?;
    let longest = expressions().map(str::len).max().unwrap_or(0);
    TooMuch::unless("bytes in one scheduling expression", longest, EXPRESSION_BYTES_MAX)?;
    let bytes = expressions().map(str::len).sum();
    TooMuch::unless("bytes in scheduling expressions", bytes, EXPRESSIONS_BYTES_MAX)?;
    let ports = request.port_bindings.len() + request.exposed_ports.len();
    TooMuch::unless("published and exposed ports", ports, PORTS_MAX)?;
    let references = || request.links.iter().chain(&request.volumes_from);
    TooMuch::unless(
        "links and containers to take volumes from",
        references().count(),
        REFERENCES_MAX,
    )?;
    let longest = references().map(String::len).max().unwrap_or(0);
    TooMuch::unless(
        "bytes in the name of a network or of another container",
        longest.max(request.network_mode.len()),
        REFERENCE_BYTES_MAX,
    )?;
    TooMuch::unless("labels", request.labels.len(), LABELS_MAX)?;
    let bytes = request.labels.iter().map(|(key, value)| key.len() + value.len()).sum();
    TooMuch::unless("bytes in labels", bytes, LABELS_BYTES_MAX)
}

/// How much a node is compared with.
pub(super) fn parts(request: &Request) -> usize {
    let lists = [
        &request.constraints,
        &request.affinities,
        &request.whitelists,
        &request.exposed_ports,
        &request.links,
        &request.volumes_from,
    ];
    lists.into_iter().map(Vec::len).sum::<usize>() + request.port_bindings.len()
}

/// Whether an expression may be a regular expression or a pattern with wildcards.
pub(super) fn is_pattern(expression: &str) -> bool {
    expression.contains(['/', '*', '?', '['])
}

/// A text of which no more than so many characters are left.
pub(super) fn shortened(text: &str, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => Cow::Owned(format!("{}… ({} bytes)", &text[..end], text.len())),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(alter: impl FnOnce(&mut Request)) -> String {
        let mut request = Request::default();
        alter(&mut request);
        check(&request).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn what_is_too_much_is_told_with_what_may_be() {
        let texts = |count: usize, text: &str| vec![text.to_owned(); count];
        assert_eq!(refused(|request| request.constraints = texts(256, "a==b")), "");
        assert_eq!(
            refused(|request| {
                request.constraints = texts(200, "a==b");
                request.affinities = texts(57, "a==b");
            }),
            "the request has 257 scheduling expressions (constraints, affinities and whitelists); at most 256 can be \
             scheduled"
        );
        assert_eq!(
            refused(|request| request.affinities = texts(65, "container==/(a|aa)+$/")),
            "the request has 65 scheduling expressions that are patterns; at most 64 can be scheduled"
        );
        for (told, refused) in [
            (
                "40000 bytes in one scheduling expression",
                refused(|request| request.whitelists = texts(1, &"a".repeat(40_000))),
            ),
            (
                "90000 bytes in scheduling expressions",
                refused(|request| request.whitelists = texts(9, &"a".repeat(10_000))),
            ),
            (
                "5000 published and exposed ports",
                refused(|request| request.exposed_ports = texts(5000, "80/tcp")),
            ),
            ("1025 links", refused(|request| request.links = texts(1025, "a:b"))),
            (
                "8000000 bytes in the name of a network",
                refused(|request| request.network_mode = "/".repeat(8_000_000)),
            ),
            (
                "10001 labels",
                refused(|request| {
                    request.labels = (0..10_001).map(|label| (label.to_string(), String::new())).collect()
                }),
            ),
            (
                "2000001 bytes in labels",
                refused(|request| request.labels = [("a".to_owned(), "b".repeat(2_000_000))].into()),
            ),
        ] {
            assert!(refused.contains(told), "{refused}");
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöü", 2), "äö… (6 bytes)");
    }
}
