//! Paths and queries of requests, with what has to be escaped escaped.

/// A path of `segments`, each escaped as a whole: `["containers", "a/b", "json"]` is `/containers/a%2Fb/json`.
pub fn path(segments: &[&str]) -> String {
    let mut out = String::new();
    for segment in segments {
        out.push('/');
        escape(segment, &mut out);
    }
    out
}

/// A query with its question mark; empty if there are no pairs.
pub fn query(pairs: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (key, value) in pairs {
        out.push(if out.is_empty() { '?' } else { '&' });
        escape(key, &mut out);
        out.push('=');
        escape(value, &mut out);
    }
    out
}

/// The pairs of a query, `+` and escapes undone, in order. What is no valid escape stays as it is; what is no UTF-8 is
/// replaced.
pub fn pairs(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(key, value)| (unescape(key), unescape(value)))
        .collect()
}

/// Undoes the escapes of a part of a query, in which `+` is a space.
pub fn unescape(text: &str) -> String {
    decode(text, true)
}

/// Undoes the escapes of a path, in which `+` is itself.
pub fn unescape_path(text: &str) -> String {
    decode(text, false)
}

fn decode(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digit = |offset: usize| bytes.get(at + offset).and_then(|byte| char::from(*byte).to_digit(16));
        match (bytes[at], digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                // Two hexadecimal digits are below 256.
                out.push((high * 16 + low) as u8);
                at += 3;
                continue;
            }
            (b'+', ..) if plus_is_space => out.push(b' '),
            (byte, ..) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// All but the characters that are unreserved in RFC 3986.
fn escape(text: &str, out: &mut String) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_misread_is_escaped() {
        assert_eq!(
            path(&["containers", "node-1/web", "json"]),
            "/containers/node-1%2Fweb/json"
        );
        assert_eq!(query(&[("name", "/web"), ("a", "é &")]), "?name=%2Fweb&a=%C3%A9%20%26");
        assert_eq!(query(&[]), "");
    }

    #[test]
    fn escapes_are_undone() {
        let expected = [("name", "/web 1"), ("a", ""), ("b", "%zz%"), ("c", "\u{fffd}")];
        let found = pairs("name=%2Fweb+1&&a&b=%zz%&c=%ff");
        let found: Vec<_> = found
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(unescape_path("/a+b%20c"), "/a+b c");
    }
}
