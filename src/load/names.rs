//! What the names of containers begin with, so that those of several runs do not collide.

use regex::Regex;

use crate::model::Request;

/// The operators of expressions; that of a soft expression has a `~` behind it.
const OPERATORS: [&str; 2] = ["==", "!="];

/// What the names of all containers of a run begin with; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefix(String);

/// A name of a container cannot begin so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot begin the name of a container: begin with a letter or digit, and go on with those and with _ . -"
)]
pub struct PrefixError(String);

impl std::str::FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Prefix, PrefixError> {
        let begins = text.chars().next().is_none_or(|first| first.is_ascii_alphanumeric());
        let goes_on = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        match begins && text.chars().all(goes_on) {
            true => Ok(Prefix(text.to_owned())),
            false => Err(PrefixError(text.to_owned())),
        }
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Prefix {
    /// The name with the prefix.
    pub fn of(&self, name: &str) -> String {
        format!("{}{name}", self.0)
    }

    /// A text without the prefix where it stands in front of names.
    pub(super) fn without(&self, text: &str) -> String {
        match self.0.is_empty() {
            true => text.to_owned(),
            false => text.replace(&self.0, ""),
        }
    }

    /// The request with the prefix before every name of another container in it: in affinities, links, volumes and the
    /// network mode. A regular expression gets it behind its `^`; one without matches in the middle anyway.
    pub fn request(&self, request: &Request) -> Request {
        let mut request = request.clone();
        if self.0.is_empty() {
            return request;
        }
        for expression in &mut request.affinities {
            *expression = self.expression(expression);
        }
        for name in request.links.iter_mut().chain(&mut request.volumes_from) {
            *name = self.of(name);
        }
        if let Some(name) = request.network_mode.strip_prefix("container:") {
            request.network_mode = format!("container:{}", self.of(name));
        }
        request
    }

    fn expression(&self, text: &str) -> String {
        let place = OPERATORS.iter().filter_map(|operator| text.find(operator)).min();
        let Some((key, rest)) = place.map(|place| text.split_at(place)) else {
            return text.to_owned();
        };
        let (operator, value) = rest.split_at(rest[2..].find(|c| c != '~').map_or(rest.len(), |place| place + 2));
        let inner = value.strip_prefix('/').and_then(|inner| inner.strip_suffix('/'));
        let value = match inner {
            _ if key != "container" => return text.to_owned(),
            // A pattern of the whole name.
            None if !value.starts_with('*') => self.of(value),
            Some(pattern) if pattern.starts_with('^') && Regex::new(pattern).is_ok() => {
                format!("/^{}(?:{})/", regex::escape(&self.0), &pattern[1..])
            }
            _ => return text.to_owned(),
        };
        format!("{key}{operator}{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_containers_get_the_prefix_and_nothing_else_does() {
        let prefix: Prefix = "r1-".parse().expect("a prefix");
        for (given, expected) in [
            ("container==cache-1", "container==r1-cache-1"),
            ("container!=web-*", "container!=r1-web-*"),
            ("container==~web-*", "container==~r1-web-*"),
            ("container!=*web*", "container!=*web*"),
            ("container==/web/", "container==/web/"),
            ("container==/^web|db$/", r"container==/^r1\-(?:web|db$)/"),
            ("image==web", "image==web"),
            ("tier!=~/^a/", "tier!=~/^a/"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(prefix.expression(given), expected);
        }
        let request = Request {
            links: vec!["db:store".to_owned()],
            volumes_from: vec!["data:ro".to_owned()],
            network_mode: "container:db".to_owned(),
            ..Request::default()
        };
        let named = prefix.request(&request);
        assert_eq!(
            (named.links, named.volumes_from, named.network_mode),
            (
                vec!["r1-db:store".to_owned()],
                vec!["r1-data:ro".to_owned()],
                "container:r1-db".to_owned()
            )
        );
        assert_eq!(Prefix::default().request(&request), request);
    }

    #[test]
    fn a_prefix_begins_a_name() {
        assert!("".parse::<Prefix>().is_ok() && "a.b_c-".parse::<Prefix>().is_ok());
        for wrong in ["-a", "a b", "ä", "/"] {
            let error = wrong.parse::<Prefix>().expect_err("wrong").to_string();
            assert!(error.contains("cannot begin the name"), "{error}");
        }
    }
}
