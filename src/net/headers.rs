//! Headers that are about one connection only (RFC 9110, section 7.6.1), which a proxy must not pass on.

use bytes::BytesMut;
use hyper::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};

/// Names that are about the connection whether or not `Connection` lists them.
const ALWAYS: [HeaderName; 6] = [
    CONNECTION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Whether the message asks for, or agrees to, another protocol on its connection.
pub fn wants_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE) && has_option(headers, "upgrade")
}

/// Whether a `Connection` header has this option.
pub fn has_option(headers: &HeaderMap, name: &str) -> bool {
    options(headers).any(|option| option.eq_ignore_ascii_case(name))
}

/// Removes the headers that are about one connection. A wish for another protocol is kept: it is the proxy's too.
pub fn strip(headers: &mut HeaderMap) {
    let upgrade: Vec<HeaderValue> = match wants_upgrade(headers) {
        true => headers.get_all(UPGRADE).iter().cloned().collect(),
        false => Vec::new(),
    };
    let listed: Vec<HeaderName> = options(headers).filter_map(|option| option.parse().ok()).collect();
    for name in listed.iter().chain(&ALWAYS) {
        headers.remove(name);
    }
    if !upgrade.is_empty() {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        for protocol in upgrade {
            headers.append(UPGRADE, protocol);
        }
    }
}

/// Writes headers, and the empty line after them.
pub fn write(headers: &HeaderMap, to: &mut BytesMut) {
    for (name, value) in headers {
        to.extend_from_slice(name.as_str().as_bytes());
        to.extend_from_slice(b": ");
        to.extend_from_slice(value.as_bytes());
        to.extend_from_slice(b"\r\n");
    }
    to.extend_from_slice(b"\r\n");
}

/// The options of all `Connection` headers.
fn options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|option| !option.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a header's value"));
        }
        headers
    }

    #[test]
    fn what_is_about_the_connection_stays_there() {
        let mut all = headers(&[
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("upgrade", "tcp"),
            ("x-registry-auth", "e30="),
            ("host", "docker"),
        ]);
        strip(&mut all);
        assert_eq!(all, headers(&[("x-registry-auth", "e30="), ("host", "docker")]));
    }

    #[test]
    fn a_wish_for_another_protocol_is_kept() {
        let mut all = headers(&[
            ("connection", "keep-alive, upgrade"),
            ("upgrade", "tcp"),
            ("keep-alive", "1"),
        ]);
        assert!(wants_upgrade(&all));
        strip(&mut all);
        assert_eq!(all, headers(&[("connection", "Upgrade"), ("upgrade", "tcp")]));
    }
}
