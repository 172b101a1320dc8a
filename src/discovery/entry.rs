//! Entries of a list: host and port, as Go's `net` package splits and joins them, or the path of a Unix socket.

use std::fmt;
use std::str::FromStr;

use super::error::DiscoveryError;
use super::range;

/// What the path of a Unix socket is introduced by. The original knew hosts and ports only; a daemon beside the manager
/// needs neither.
pub const UNIX: &str = "unix://";

/// An address in a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entry {
    /// Neither part is checked further: names are allowed, and a part may be empty.
    Tcp {
        /// The host, an IPv6 address without its brackets.
        host: String,
        /// The port.
        port: String,
    },
    /// A socket on this machine: `unix://` and a path that is not empty.
    Unix {
        /// The path.
        path: String,
    },
}

/// Text that is no `host:port`. Displays as Go's `net.AddrError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("address {address}: {fault}")]
pub struct EntryError {
    address: String,
    fault: &'static str,
}

const MISSING_PORT: &str = "missing port in address";
const TOO_MANY_COLONS: &str = "too many colons in address";

/// Splits `host:port`, `[host]:port` or `[ipv6]:port`; the brackets are dropped.
pub fn split_host_port(address: &str) -> Result<(&str, &str), EntryError> {
    let fault = |fault| EntryError {
        address: address.to_owned(),
        fault,
    };
    let (before, port) = address.rsplit_once(':').ok_or_else(|| fault(MISSING_PORT))?;
    let Some(inside) = address.strip_prefix('[') else {
        return if before.contains(':') {
            Err(fault(TOO_MANY_COLONS))
        } else if address.contains('[') {
            Err(fault("unexpected '[' in address"))
        } else if address.contains(']') {
            Err(fault("unexpected ']' in address"))
        } else {
            Ok((before, port))
        };
    };
    let (host, after) = inside.split_once(']').ok_or_else(|| fault("missing ']' in address"))?;
    match after.strip_prefix(':') {
        // The last colon stands right behind the bracket.
        Some(rest) if rest == port => {}
        Some(_) => return Err(fault(TOO_MANY_COLONS)),
        None => return Err(fault(MISSING_PORT)),
    }
    if inside.contains('[') {
        return Err(fault("unexpected '[' in address"));
    }
    if after.contains(']') {
        return Err(fault("unexpected ']' in address"));
    }
    Ok((host, port))
}

/// Whether others can be told this address: `host:port` with a decimal port from 1 to 65535. The host may be empty.
pub fn is_advertisable(address: &str) -> bool {
    let Ok((_, port)) = split_host_port(address) else {
        return false;
    };
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    digits && port.parse::<u16>().is_ok_and(|port| port > 0)
}

impl Entry {
    /// Reads `host:port` or `unix://path`.
    pub fn parse(text: &str) -> Result<Entry, EntryError> {
        if let Some(path) = text.strip_prefix(UNIX) {
            return match path {
                "" => Err(EntryError {
                    address: text.to_owned(),
                    fault: "missing path of a socket",
                }),
                path => Ok(Entry::Unix { path: path.to_owned() }),
            };
        }
        let (host, port) = split_host_port(text)?;
        Ok(Entry::Tcp {
            host: host.to_owned(),
            port: port.to_owned(),
        })
    }
}

impl FromStr for Entry {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Entry, EntryError> {
        Entry::parse(text)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Entry::Tcp { host, port } => write!(f, "{host}:{port}"),
            Entry::Unix { path } => write!(f, "{UNIX}{path}"),
        }
    }
}

/// Reads a list whose parts may hold a range each. Empty parts are skipped; one that is malformed makes the whole list
/// void.
pub fn parse_list<T: AsRef<str>>(parts: &[T]) -> Result<Vec<Entry>, DiscoveryError> {
    let mut entries = Vec::new();
    for part in parts.iter().map(AsRef::as_ref).filter(|part| !part.is_empty()) {
        for text in range::expand(part, range::ENTRIES_MAX - entries.len())? {
            entries.push(Entry::parse(&text)?);
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fault(text: &str) -> String {
        Entry::parse(text)
            .err()
            .map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn addresses_are_split_as_go_does() {
        for (text, host, port) in [
            ("h:1", "h", "1"),
            (":1", "", "1"),
            ("h:", "h", ""),
            (":", "", ""),
            ("[2001:db8::3]:2375", "2001:db8::3", "2375"),
            ("[h]:x", "h", "x"),
            ("1.1.1.1: 4000", "1.1.1.1", " 4000"),
        ] {
            assert_eq!(split_host_port(text), Ok((host, port)), "{text}");
        }
        for (text, expected) in [
            ("nohost", "missing port in address"),
            ("[::1]", "missing port in address"),
            ("[::1]x:1", "missing port in address"),
            ("[::1]:1:2", "too many colons in address"),
            ("::1:2375", "too many colons in address"),
            ("[::1:2375", "missing ']' in address"),
            ("a[:1", "unexpected '[' in address"),
            ("[[::1]:1", "unexpected '[' in address"),
            ("a]:1", "unexpected ']' in address"),
            ("[::1]:]", "unexpected ']' in address"),
            ("[1:2].[3:4]:1", "missing port in address"),
        ] {
            assert_eq!(fault(text), format!("address {text}: {expected}"));
        }
    }

    #[test]
    fn addresses_that_can_be_advertised() {
        for valid in [
            "1.1.1.1:1111",
            "host-name_42:1111",
            "1.1.1.1:65535",
            "[2001:db8:0:f101::3]:2375",
            ":1",
            ":2375",
        ] {
            assert!(is_advertisable(valid), "{valid}");
        }
        for invalid in [
            "1.1.1.1",
            "hostname:",
            "1.1.1.1:0",
            "1.1.1.1:65536",
            "1.1.1.1:-1",
            "1.1.1.1:+1",
            "1.1.1.1: 4000",
            "1.1.1.1:m2",
            "http://1.1.1.1:1",
            "2001:db8:0:f101::3:2375",
            ":1.1.1.1:1",
            "",
        ] {
            assert!(!is_advertisable(invalid), "{invalid}");
        }
    }

    #[test]
    fn a_socket_is_a_path_and_comes_back_from_its_text() {
        for text in ["unix:///run/docker.sock", "unix://relative:1", "unix:///a b[1]"] {
            assert_eq!(Entry::parse(text).expect("an entry").to_string(), text);
        }
        assert_eq!(fault("unix://"), "address unix://: missing path of a socket");
        let sockets = parse_list(&["unix:///run/d[1:2].sock"]).expect("entries");
        assert_eq!(
            sockets,
            ["unix:///run/d1.sock", "unix:///run/d2.sock"].map(|text| Entry::parse(text).expect("an entry"))
        );
    }

    #[test]
    fn one_bad_part_voids_the_list() {
        let texts =
            |list: &[&str]| parse_list(list).map(|entries| entries.iter().map(Entry::to_string).collect::<Vec<_>>());
        assert_eq!(texts(&["a:1", "", "b:[1:2]"]).expect("entries"), ["a:1", "b:1", "b:2"]);
        assert_eq!(texts(&["a:1", "a:1"]).expect("entries"), ["a:1", "a:1"]);
        assert!(texts(&["a:1", "b"]).is_err());
        let twice = ["h:[1:60000]", "i:[1:60000]"];
        assert!(matches!(parse_list(&twice), Err(DiscoveryError::TooManyEntries)));
    }

    proptest! {
        #[test]
        fn any_text_is_an_entry_or_an_error(text in any::<String>()) {
            if let Ok(entry) = Entry::parse(&text) {
                prop_assert_eq!(Entry::parse(&entry.to_string()), Ok(entry));
            }
        }

        #[test]
        fn what_looks_like_an_address_comes_back_from_its_text(text in "[a:.\\[\\]0-9%-]{0,12}") {
            if let Ok(entry) = Entry::parse(&text) {
                prop_assert_eq!(Entry::parse(&entry.to_string()), Ok(entry));
            }
        }

        #[test]
        fn any_list_is_read_or_refused(parts in proptest::collection::vec("[a:\\[\\]0-9]{0,12}", 0..4)) {
            if let Ok(entries) = parse_list(&parts) {
                prop_assert!(entries.len() <= range::ENTRIES_MAX);
            }
        }
    }
}
