//! Where something listens.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// An address that can be listened on or dialled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// `host:port`; the host is a name or an IP address, IPv6 in brackets.
    Tcp(String),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A scheme other than `tcp` and `unix`.
    #[error("unsupported protocol: \"{0}\"")]
    Protocol(String),
    /// Nothing where the address should be.
    #[error("no address in \"{0}\"")]
    Empty(String),
    /// A TCP address without a usable port.
    #[error("address {0}: missing port in address")]
    Port(String),
}

impl Address {
    /// Reads `tcp://host:port`, `unix://path`, or a bare `host:port`.
    ///
    /// # Errors
    ///
    /// Another protocol, no address, or no port between 0 and 65535.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        let (protocol, rest) = text.split_once("://").unwrap_or(("tcp", text));
        match protocol {
            "tcp" if rest.is_empty() => Err(AddressError::Empty(text.to_owned())),
            "tcp" => match rest.rsplit_once(':') {
                Some((_, port)) if port.parse::<u16>().is_ok() => Ok(Address::Tcp(rest.to_owned())),
                _ => Err(AddressError::Port(rest.to_owned())),
            },
            "unix" if rest.is_empty() => Err(AddressError::Empty(text.to_owned())),
            "unix" => Ok(Address::Unix(PathBuf::from(rest))),
            other => Err(AddressError::Protocol(other.to_owned())),
        }
    }

    /// The host without port and brackets, as certificates name it; `localhost` for a Unix socket.
    pub fn host(&self) -> &str {
        match self {
            Address::Tcp(address) => {
                let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
                host.strip_prefix('[')
                    .and_then(|host| host.strip_suffix(']'))
                    .unwrap_or(host)
            }
            Address::Unix(_) => "localhost",
        }
    }

    /// What a request to this address says in its `Host` header if nobody else has an opinion.
    pub(crate) fn authority(&self) -> &str {
        match self {
            Address::Tcp(address) => address,
            Address::Unix(_) => "localhost",
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        Address::parse(text)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => write!(f, "tcp://{address}"),
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown() {
        for (text, shown, host) in [
            ("tcp://0.0.0.0:2375", "tcp://0.0.0.0:2375", "0.0.0.0"),
            ("node-1:2375", "tcp://node-1:2375", "node-1"),
            ("[::1]:80", "tcp://[::1]:80", "::1"),
            (":4000", "tcp://:4000", ""),
            ("unix:///run/docker.sock", "unix:///run/docker.sock", "localhost"),
        ] {
            let address = Address::parse(text).expect(text);
            assert_eq!((address.to_string().as_str(), address.host()), (shown, host));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (text, error) in [
            ("fd://3", "unsupported protocol: \"fd\""),
            ("unix://", "no address in \"unix://\""),
            ("tcp://", "no address in \"tcp://\""),
            ("", "no address in \"\""),
            ("host", "address host: missing port in address"),
            ("host:http", "address host:http: missing port in address"),
            ("host:99999", "address host:99999: missing port in address"),
        ] {
            assert_eq!(Address::parse(text).expect_err(text).to_string(), error);
        }
    }
}
