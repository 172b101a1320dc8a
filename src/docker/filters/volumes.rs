//! Filters of the list of volumes.

use super::{Filters, FiltersError};
use crate::model::Labels;

/// The filters that dockerd has.
const OWN: [&str; 4] = ["dangling", "driver", "label", "name"];

/// What a list of volumes is to have.
#[derive(Clone, Debug)]
pub struct VolumeFilters {
    filters: Filters,
    dangling: Option<bool>,
}

/// What is looked at of a volume.
#[derive(Clone, Copy, Debug)]
pub struct FilteredVolume<'a> {
    /// Its name on its engine.
    pub name: &'a str,
    /// Its driver.
    pub driver: &'a str,
    /// Its labels.
    pub labels: &'a Labels,
}

impl VolumeFilters {
    /// Checks filters as dockerd does; `further` are names of filters that the caller has beside dockerd's.
    ///
    /// # Errors
    ///
    /// A filter or a value that there is not.
    pub fn new(filters: Filters, further: &[&str]) -> Result<VolumeFilters, FiltersError> {
        filters.accept(&[&OWN, further].concat())?;
        let says = |values: [&str; 2]| values.iter().any(|value| filters.equals("dangling", value));
        let dangling = match filters.contains("dangling") {
            false => None,
            true if says(["true", "1"]) => Some(true),
            true if says(["false", "0"]) => Some(false),
            true => return Err(filters.bad_values("dangling")),
        };
        Ok(VolumeFilters { filters, dangling })
    }

    /// The values of a filter.
    pub fn values(&self, name: &str) -> impl ExactSizeIterator<Item = &str> {
        self.filters.values(name)
    }

    /// Whether a volume is wanted. `has_name` tells whether it is called so beyond its name on its engine, `is_used` whether
    /// any container has it.
    pub fn wants(
        &self,
        volume: &FilteredVolume<'_>,
        has_name: impl Fn(&str) -> bool,
        is_used: impl FnOnce() -> bool,
    ) -> bool {
        let filters = &self.filters;
        (filters.matches("name", volume.name) || filters.values("name").any(has_name))
            && (!filters.has("driver") || filters.asks_for("driver", volume.driver))
            && filters.labels_match("label", volume.labels)
            && self.dangling.is_none_or(|wanted| wanted != is_used())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What dockerd 20.10.24 answers.
    #[test]
    fn a_volume_is_wanted_as_dockerd_wants_it() {
        let labels = Labels::from([("v".to_owned(), "1".to_owned())]);
        let volume = FilteredVolume {
            name: "data",
            driver: "local",
            labels: &labels,
        };
        for (text, expected) in [
            (r#"{"name":["a.a"]}"#, true),
            (r#"{"name":["^data2$"]}"#, false),
            (r#"{"name":["n1/data"]}"#, true),
            (r#"{"driver":["loc"]}"#, false),
            (r#"{"driver":{"local":false}}"#, true),
            (r#"{"label":["v","v=1"]}"#, true),
            (r#"{"dangling":["true"]}"#, false),
            (r#"{"dangling":["0"]}"#, true),
            (r#"{"dangling":[]}"#, false),
        ] {
            let filters = VolumeFilters::new(Filters::parse(text).expect(text), &[]).expect(text);
            let wanted = filters.wants(&volume, |name| name == "n1/data", || true);
            assert_eq!(wanted, expected, "{text}");
        }
        for text in [
            r#"{"dangling":["maybe"]}"#,
            r#"{"scope":["local"]}"#,
            r#"{"label!":["v"]}"#,
        ] {
            assert!(VolumeFilters::new(Filters::parse(text).expect(text), &["node"]).is_err());
        }
    }
}
