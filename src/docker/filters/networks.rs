//! Filters of the list of networks.

use super::{Filters, FiltersError};
use crate::model::Labels;

/// The filters that dockerd has.
const OWN: [&str; 7] = ["dangling", "driver", "id", "label", "name", "scope", "type"];

/// What a list of networks is to have.
#[derive(Clone, Debug)]
pub struct NetworkFilters {
    filters: Filters,
    dangling: Option<bool>,
}

/// What is looked at of a network.
#[derive(Clone, Copy, Debug)]
pub struct FilteredNetwork<'a> {
    /// Its name on its engine.
    pub name: &'a str,
    /// Its ID.
    pub id: &'a str,
    /// Its driver.
    pub driver: &'a str,
    /// Its scope.
    pub scope: &'a str,
    /// Its labels.
    pub labels: &'a Labels,
}

impl FilteredNetwork<'_> {
    /// Whether every engine has a network with this name from the start.
    pub fn is_built_in(&self) -> bool {
        matches!(self.name, "bridge" | "host" | "none" | "default")
    }
}

impl NetworkFilters {
    /// Checks filters as dockerd does; `further` are names of filters that the caller has beside dockerd's.
    ///
    /// # Errors
    ///
    /// A filter or a value that there is not.
    pub fn new(filters: Filters, further: &[&str]) -> Result<NetworkFilters, FiltersError> {
        filters.accept(&[&OWN, further].concat())?;
        let mut said = filters.values("dangling");
        let dangling = match (said.next(), said.next()) {
            (None, _) => None,
            (Some("true" | "1"), None) => Some(true),
            (Some("false" | "0"), None) => Some(false),
            (Some(_), None) => return Err(FiltersError::Dangling),
            (Some(_), Some(_)) => return Err(FiltersError::DanglingTwice),
        };
        let unknown = filters
            .values("type")
            .find(|kind| !matches!(*kind, "custom" | "builtin"));
        if let Some(kind) = unknown {
            return Err(FiltersError::NetworkType(kind.to_owned()));
        }
        drop(said);
        Ok(NetworkFilters { filters, dangling })
    }

    /// The values of a filter.
    pub fn values(&self, name: &str) -> impl ExactSizeIterator<Item = &str> {
        self.filters.values(name)
    }

    /// Whether a network is wanted. `has_name` tells whether it is called so beyond its name on its engine, `is_used` whether
    /// a container that runs is in it.
    ///
    /// dockerd 20.10 takes all networks for unused, since it has not looked who is in them when it chooses; what its
    /// documentation says is done here.
    pub fn wants(
        &self,
        network: &FilteredNetwork<'_>,
        has_name: impl Fn(&str) -> bool,
        is_used: impl FnOnce() -> bool,
    ) -> bool {
        let filters = &self.filters;
        let kind = if network.is_built_in() { "builtin" } else { "custom" };
        (filters.matches("name", network.name) || filters.values("name").any(has_name))
            && filters.matches("id", network.id)
            && filters.equals("driver", network.driver)
            && filters.equals("scope", network.scope)
            && filters.labels_match("label", network.labels)
            && (!filters.contains("type") || filters.values("type").any(|value| value == kind))
            && self
                .dangling
                .is_none_or(|wanted| wanted != (network.is_built_in() || is_used()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What dockerd 20.10.24 answers.
    #[test]
    fn a_network_is_wanted_as_dockerd_wants_it() {
        let labels = Labels::from([("n".to_owned(), "1".to_owned())]);
        let network = FilteredNetwork {
            name: "inner",
            id: "ce216d244788",
            driver: "bridge",
            scope: "local",
            labels: &labels,
        };
        for (text, expected) in [
            (r#"{"name":["^inner$"]}"#, true),
            (r#"{"name":["^in$"]}"#, false),
            (r#"{"name":["n1/inner"]}"#, true),
            (r#"{"id":["16d244"]}"#, true),
            (r#"{"name":["bridge"],"id":["ce216d244788"]}"#, false),
            (r#"{"driver":["bri"]}"#, false),
            (r#"{"driver":["bridge","host"]}"#, true),
            (r#"{"type":["custom"]}"#, true),
            (r#"{"type":["custom","builtin"]}"#, true),
            (r#"{"type":["builtin"]}"#, false),
            (r#"{"type":[]}"#, false),
            (r#"{"scope":["local"],"label":["n=1"]}"#, true),
            (r#"{"scope":["swarm"]}"#, false),
            (r#"{"dangling":["true"]}"#, false),
            (r#"{"dangling":["0"]}"#, true),
        ] {
            let filters = NetworkFilters::new(Filters::parse(text).expect(text), &[]).expect(text);
            let wanted = filters.wants(&network, |name| name == "n1/inner", || true);
            assert_eq!(wanted, expected, "{text}");
        }
        for text in [
            r#"{"type":["foo"]}"#,
            r#"{"dangling":["maybe"]}"#,
            r#"{"dangling":["1","0"]}"#,
            r#"{"idOrName":["inner"]}"#,
        ] {
            let error = NetworkFilters::new(Filters::parse(text).expect(text), &["node"]).expect_err(text);
            assert_eq!(error.status(), 400);
        }
    }
}
