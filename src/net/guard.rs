//! Requests that web pages make a browser send.
//!
//! A page of any origin can make the browser of whoever looks at it send requests to a server that only this machine can
//! reach. The browser says so: in `Sec-Fetch-Site`, or in `Origin`. A page whose name its owner lets point to the
//! loopback (DNS rebinding) counts as of the same origin, but then the name stands in `Host`.

use std::net::IpAddr;

use hyper::Method;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, UPGRADE};

use super::Address;

/// What browsers say about the page that a request is from.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What else than the usual is let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Names of this machine that requests may be addressed to.
    pub hosts: Vec<String>,
    /// Origins of web pages, such as `https://panel.example:8443`.
    pub origins: Vec<String>,
    /// Whether pages of every origin are let in.
    pub any_origin: bool,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is addressed to a name that is not known to be this machine's.
    #[error(
        "request refused: it is addressed to host {0:?}, and on the loopback without TLS only requests to 127.0.0.1, \
         localhost or [::1] are answered, because web pages can send others"
    )]
    Host(String),
    /// There is more than one `Host`, or one that cannot be read.
    #[error("request refused: its Host header is not a single host name")]
    Hosts,
    /// It would alter something, and is from a web page that is not this server's.
    #[error("request refused: it comes from a web page of another origin, {0}")]
    Origin(String),
}

impl Refused {
    /// What whoever runs the server can do about it, with the flags that name hosts and origins.
    pub fn advice(&self, host_flag: &str, origin_flag: &str) -> String {
        match self {
            Refused::Host(host) if !host_flag.is_empty() => {
                format!("; to allow this name, start the server with {host_flag} {host}")
            }
            Refused::Origin(origin) if !origin_flag.is_empty() && origin.contains("://") => {
                format!("; to allow it, start the server with {origin_flag} {origin}")
            }
            _ => String::new(),
        }
    }
}

/// Looks at every request to one socket.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Names that requests may be addressed to, in small letters; `None` if any will do.
    hosts: Option<Vec<String>>,
    origins: Vec<String>,
    any_origin: bool,
}

impl Guard {
    /// For a socket that was asked for as `asked` and listens at `bound`.
    pub fn new(asked: &Address, bound: &Address, with_tls: bool, allowed: &Allowed) -> Guard {
        let is_loopback = match bound {
            Address::Tcp(_) => is_loopback(bound.host()),
            Address::Unix(_) => false,
        };
        let hosts = (is_loopback && !with_tls).then(|| {
            let own = [asked.host(), bound.host()];
            let given = allowed.hosts.iter().map(String::as_str);
            own.into_iter()
                .chain(given)
                .map(|host| bare(host).to_lowercase())
                .collect()
        });
        Guard {
            hosts,
            origins: allowed
                .origins
                .iter()
                .map(|origin| origin.trim_end_matches('/').to_lowercase())
                .collect(),
            any_origin: allowed.any_origin,
        }
    }

    /// Whether a request is let in. `authority` is what its target names, if it is a whole URL.
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    pub fn check(&self, method: &Method, authority: Option<&str>, headers: &HeaderMap) -> Result<(), Refused> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts
            .next()
            .map(HeaderValue::to_str)
            .transpose()
            .map_err(|_| Refused::Hosts)?;
        if hosts.next().is_some() {
            return Err(Refused::Hosts);
        }
        for addressed in [host, authority].into_iter().flatten() {
            if !self.knows(addressed) {
                return Err(Refused::Host(addressed.to_owned()));
            }
        }
        // A web socket is opened by GET, and what goes through it is for the page to say.
        let alters = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) || headers.contains_key(UPGRADE);
        if alters {
            self.check_origin(authority.or(host), headers)
        } else {
            Ok(())
        }
    }

    fn knows(&self, addressed: &str) -> bool {
        let Some(known) = &self.hosts else { return true };
        let host = bare(without_port(addressed)).to_lowercase();
        // Browsers always name a host.
        host.is_empty() || is_loopback(&host) || known.contains(&host)
    }

    fn check_origin(&self, host: Option<&str>, headers: &HeaderMap) -> Result<(), Refused> {
        let told = |name: &HeaderName| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let (origin, site) = (told(&ORIGIN), told(&SEC_FETCH_SITE));
        if self.any_origin
            || origin
                .as_deref()
                .is_some_and(|origin| self.origins.contains(&origin.to_lowercase()))
        {
            return Ok(());
        }
        // Only browsers set it, and pages cannot; a panel that passes on what it is sent says so of itself.
        match site.as_deref() {
            Some("same-origin" | "none") => return Ok(()),
            Some(site) => return Err(Refused::Origin(origin.map_or(site.to_owned(), Into::into))),
            None => {}
        }
        let is_own = |origin: &str| {
            let (_, authority) = origin.split_once("://")?;
            Some(host.is_some_and(|host| host.eq_ignore_ascii_case(authority)))
        };
        match origin {
            Some(origin) if !is_own(&origin).unwrap_or(false) => Err(Refused::Origin(origin.into_owned())),
            _ => Ok(()),
        }
    }
}

/// Takes away what is about the way to this server, before a request that was let in is passed on to another one that
/// looks at it in the same way.
pub fn vouch(headers: &mut HeaderMap, host: &Address) {
    headers.remove(ORIGIN);
    headers.remove(SEC_FETCH_SITE);
    headers.remove(HOST);
    if let Ok(host) = HeaderValue::from_str(host.authority()) {
        headers.insert(HOST, host);
    }
}

/// The host of an authority.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        // Of an IPv6 address without brackets, the last colon is part.
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.contains(':') => host,
        Some((host, port)) if host.ends_with(']') && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// A host without brackets and the dot at its end.
fn bare(host: &str) -> &str {
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    host.strip_suffix('.').unwrap_or(host)
}

/// Whether a host, in small letters, can be nothing but this machine.
fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(text: &str) -> Address {
        Address::Tcp(text.to_owned())
    }

    fn asked(guard: &Guard, method: Method, lines: &[(&'static str, &str)]) -> Result<(), Refused> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a header's value"));
        }
        guard.check(&method, None, &headers)
    }

    #[test]
    fn on_the_loopback_only_names_of_this_machine_are_answered() {
        let allowed = Allowed {
            hosts: vec!["Panel".to_owned()],
            ..Allowed::default()
        };
        let guard = Guard::new(&tcp("myhost:2375"), &tcp("127.0.1.1:2375"), false, &allowed);
        for host in [
            "127.0.0.1:2375",
            "127.9.9.9",
            "localhost",
            "LOCALHOST:1",
            "localhost.:80",
            "a.localhost",
            "[::1]:2375",
            "[::1]",
            "::1",
            "[::ffff:127.0.0.1]:9",
            "myhost:2375",
            "MyHost",
            "panel:80",
            "",
        ] {
            assert_eq!(asked(&guard, Method::GET, &[("host", host)]), Ok(()), "{host}");
        }
        assert_eq!(asked(&guard, Method::GET, &[]), Ok(()), "HTTP/1.0");
        for host in [
            "evil.example",
            "evil.example:2375",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "docker",
            "notlocalhost",
            "0.0.0.0:2375",
            "[::]:2375",
            "localhost:80:evil",
            "user@localhost",
        ] {
            let refused = asked(&guard, Method::GET, &[("host", host)]).expect_err(host);
            assert_eq!(refused, Refused::Host(host.to_owned()));
        }
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(asked(&guard, Method::GET, &two), Err(Refused::Hosts));
        let headers = HeaderMap::new();
        assert!(guard.check(&Method::GET, Some("evil.example:80"), &headers).is_err());
        let elsewhere = [
            Guard::new(&tcp(":2375"), &tcp("[::]:2375"), false, &Allowed::default()),
            Guard::new(
                &tcp("127.0.0.1:2375"),
                &tcp("127.0.0.1:2375"),
                true,
                &Allowed::default(),
            ),
            Guard::new(
                &Address::Unix("/s".into()),
                &Address::Unix("/s".into()),
                false,
                &Allowed::default(),
            ),
        ];
        for guard in elsewhere {
            assert_eq!(asked(&guard, Method::GET, &[("host", "any.example")]), Ok(()));
        }
    }

    #[test]
    fn pages_of_other_origins_alter_nothing() {
        let allowed = Allowed {
            origins: vec!["https://Panel.example:8443/".to_owned()],
            ..Allowed::default()
        };
        let guard = Guard::new(&tcp("10.0.0.1:2375"), &tcp("10.0.0.1:2375"), false, &allowed);
        let own = ("host", "10.0.0.1:2375");
        for (lines, is_let_in) in [
            (&[][..], true),
            (&[("origin", "http://10.0.0.1:2375")], true),
            (&[("origin", "http://10.0.0.1:9")], false),
            (&[("origin", "http://evil.example")], false),
            (&[("origin", "null")], false),
            (&[("origin", "https://panel.example:8443")], true),
            (
                &[("sec-fetch-site", "same-origin"), ("origin", "http://panel.example")],
                true,
            ),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
        ] {
            let lines = [&[own], lines].concat();
            for method in [Method::POST, Method::DELETE, Method::PUT] {
                assert_eq!(asked(&guard, method, &lines).is_ok(), is_let_in, "{lines:?}");
            }
            assert_eq!(
                asked(&guard, Method::GET, &lines),
                Ok(()),
                "pages cannot read what they get: {lines:?}"
            );
            let socket = [&lines[..], &[("upgrade", "websocket")]].concat();
            assert_eq!(asked(&guard, Method::GET, &socket).is_ok(), is_let_in, "{lines:?}");
        }
        let any = Allowed {
            any_origin: true,
            ..Allowed::default()
        };
        let open = Guard::new(&tcp("127.0.0.1:1"), &tcp("127.0.0.1:1"), false, &any);
        assert_eq!(
            asked(
                &open,
                Method::POST,
                &[("host", "localhost"), ("origin", "http://a.example")]
            ),
            Ok(())
        );
        assert!(
            asked(&open, Method::POST, &[("host", "a.example")]).is_err(),
            "that is no matter of origin"
        );
    }
}
