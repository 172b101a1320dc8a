//! Filters of the list of containers.

use std::borrow::Cow;

use super::ports::PortRange;
use super::{Filters, FiltersError};
use crate::docker::{ContainerState, words};
use crate::model::Labels;

/// The filters that dockerd has.
const OWN: [&str; 15] = [
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
];

/// The states that a container can be in.
const STATES: [&str; 7] = [
    "created",
    "dead",
    "exited",
    "paused",
    "removing",
    "restarting",
    "running",
];

/// Those that containers are in that do not run.
const STOPPED: [&str; 4] = ["created", "dead", "exited", "removing"];

const HEALTH: [&str; 4] = ["starting", "healthy", "unhealthy", "none"];

/// What a list of containers is to have. Those filters that say which other object is meant (`id`, `before`, `since` and
/// `ancestor`) are left to who knows the others; [`ContainerFilters::values`] tells what they say.
#[derive(Clone, Debug)]
pub struct ContainerFilters {
    filters: Filters,
    exited: Vec<i64>,
    is_task: Option<bool>,
    published: Vec<PortRange>,
    exposed: Vec<PortRange>,
}

/// What is looked at of a container. Each is asked for only if there is a filter for it.
pub trait FilteredContainer {
    /// Its own name, without a slash; empty if it has none.
    fn name(&self) -> &str;
    /// Its labels.
    fn labels(&self) -> &Labels;
    /// Its state.
    fn state(&self) -> Cow<'_, ContainerState>;
    /// Whether it is part of a service.
    fn is_task(&self) -> bool;
    /// Whether it has a mount of this volume, of this directory of its host, or at this path.
    fn has_mount(&self, value: &str) -> bool;
    /// Whether it is in a network with this name, or whose ID begins so.
    fn is_in_network(&self, value: &str) -> bool;
    /// Whether a port of its host that leads to it, given with its protocol, is wanted.
    fn has_published(&self, wanted: &dyn Fn(u16, &str) -> bool) -> bool;
    /// Whether one of its own ports that are open is.
    fn has_exposed(&self, wanted: &dyn Fn(u16, &str) -> bool) -> bool;
}

impl ContainerFilters {
    /// Checks filters as dockerd does; `further` are names of filters that the caller has beside dockerd's.
    ///
    /// # Errors
    ///
    /// A filter or a value that there is not.
    pub fn new(filters: Filters, further: &[&str]) -> Result<ContainerFilters, FiltersError> {
        filters.accept(&[&OWN, further].concat())?;
        let exited = filters.numbers("exited")?;
        if let Some(value) = filters.values("status").find(|value| !STATES.contains(value)) {
            return Err(FiltersError::Value {
                name: "status",
                value: value.to_owned(),
            });
        }
        let is_task = match filters.contains("is-task") {
            false => None,
            true if filters.equals("is-task", "true") => Some(true),
            true if filters.equals("is-task", "false") => Some(false),
            true => return Err(filters.bad_values("is-task")),
        };
        if let Some(value) = filters.values("health").find(|value| !HEALTH.contains(value)) {
            return Err(FiltersError::Health(value.to_owned()));
        }
        Ok(ContainerFilters {
            exited,
            is_task,
            published: PortRange::of(&filters, "publish")?,
            exposed: PortRange::of(&filters, "expose")?,
            filters,
        })
    }

    /// The values of a filter.
    pub fn values(&self, name: &str) -> impl ExactSizeIterator<Item = &str> {
        self.filters.values(name)
    }

    /// Whether a filter has a value.
    pub fn has(&self, name: &str) -> bool {
        self.filters.has(name)
    }

    /// See [`Filters::matches`].
    pub fn matches(&self, name: &str, text: &str) -> bool {
        self.filters.matches(name, text)
    }

    /// Whether a status is asked for, so that containers that do not run are listed without being asked for by `all`.
    pub fn asks_for_status(&self) -> bool {
        self.filters.has("status")
    }

    /// Whether a status is asked for that only containers have that do not run.
    pub fn asks_for_stopped(&self) -> bool {
        self.filters.values("status").any(|value| STOPPED.contains(&value))
    }

    /// Whether a container is wanted by the filters that are about itself.
    pub fn wants(&self, container: &impl FilteredContainer) -> bool {
        let filters = &self.filters;
        let port =
            |ranges: &[PortRange], port: u16, protocol: &str| ranges.iter().any(|range| range.holds(port, protocol));
        self.wants_name(container.name())
            && (!filters.has("label") || filters.labels_match("label", container.labels()))
            && (self.is_task.is_none_or(|wanted| wanted == container.is_task()))
            && self.wants_state(container)
            && (!filters.has("volume") || filters.values("volume").any(|value| container.has_mount(value)))
            && (!filters.has("network") || filters.values("network").any(|value| container.is_in_network(value)))
            && (self.published.is_empty()
                || container.has_published(&|own, protocol| port(&self.published, own, protocol)))
            && (self.exposed.is_empty() || container.has_exposed(&|own, protocol| port(&self.exposed, own, protocol)))
    }

    /// The name may be written with the slash that the daemon has before it, or without.
    fn wants_name(&self, name: &str) -> bool {
        !self.filters.has("name")
            || (!name.is_empty()
                && (self.filters.matches("name", name) || self.filters.matches("name", &format!("/{name}"))))
    }

    fn wants_state(&self, container: &impl FilteredContainer) -> bool {
        let filters = &self.filters;
        if self.exited.is_empty() && !filters.has("status") && !filters.has("health") {
            return true;
        }
        let state = container.state();
        let has_ended = !state.running && state.started_at.is_some();
        (self.exited.is_empty() || (has_ended && self.exited.contains(&state.exit_code)))
            && (!filters.has("status") || filters.values("status").any(|value| value == words::state(&state)))
            && filters.equals("health", words::health(&state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Seen(ContainerState);

    impl FilteredContainer for Seen {
        fn name(&self) -> &str {
            "foo"
        }
        fn labels(&self) -> &Labels {
            const { &Labels::new() }
        }
        fn state(&self) -> Cow<'_, ContainerState> {
            Cow::Borrowed(&self.0)
        }
        fn is_task(&self) -> bool {
            false
        }
        fn has_mount(&self, value: &str) -> bool {
            value == "data"
        }
        fn is_in_network(&self, value: &str) -> bool {
            value == "inner"
        }
        fn has_published(&self, wanted: &dyn Fn(u16, &str) -> bool) -> bool {
            wanted(8080, "tcp")
        }
        fn has_exposed(&self, wanted: &dyn Fn(u16, &str) -> bool) -> bool {
            wanted(80, "tcp") || wanted(90, "udp")
        }
    }

    fn read(text: &str) -> Result<ContainerFilters, FiltersError> {
        ContainerFilters::new(Filters::parse(text)?, &["node"])
    }

    /// What dockerd 20.10.24 answers for a container called `foo` that was created and never started.
    #[test]
    fn a_container_is_wanted_as_dockerd_wants_it() {
        for (text, expected) in [
            (r#"{"name":["^/foo$"]}"#, true),
            (r#"{"name":["^foo$"]}"#, true),
            (r#"{"name":["/fo"]}"#, true),
            (r#"{"name":[""]}"#, true),
            (r#"{"name":["^/fo$"]}"#, false),
            (r#"{"name":["FOO"]}"#, false),
            (r#"{"name":["foo("]}"#, false),
            (r#"{"status":["created"]}"#, true),
            (r#"{"status":["exited","running"]}"#, false),
            (r#"{"exited":["0"]}"#, false),
            (r#"{"health":["none"]}"#, true),
            (r#"{"health":{"none":false}}"#, false),
            (r#"{"is-task":["false"]}"#, true),
            (r#"{"is-task":["true"]}"#, false),
            (r#"{"is-task":[]}"#, false),
            (r#"{"publish":["8080"]}"#, true),
            (r#"{"publish":["80"]}"#, false),
            (r#"{"expose":["80-89/udp","90/udp"]}"#, true),
            (r#"{"volume":["x","data"],"network":["inner"]}"#, true),
            (r#"{"node":["anywhere"],"isolation":["x"]}"#, true),
        ] {
            let filters = read(text).expect(text);
            assert_eq!(filters.wants(&Seen(ContainerState::default())), expected, "{text}");
        }
    }

    #[test]
    fn what_dockerd_does_not_know_is_refused_as_dockerd_does() {
        for (text, status, told) in [
            (r#"{"foo":["x"]}"#, 400, "Invalid filter 'foo'"),
            (r#"{"foo":null}"#, 400, "Invalid filter 'foo'"),
            (r#"{"label!":["x"]}"#, 400, "Invalid filter 'label!'"),
            (r#"{"status":["run"]}"#, 400, "Invalid filter 'status=run'"),
            (r#"{"is-task":["1"]}"#, 400, "Invalid filter 'is-task=[1]'"),
            (r#"{"health":["x"]}"#, 400, "Unrecognised filter value for health: x"),
            (r#"{"exited":["x"]}"#, 500, "invalid filter 'exited=x'"),
            (r#"{"publish":["80:80"]}"#, 500, "invalid filter 'publish=80:80'"),
            ("garbage", 400, "invalid filters"),
        ] {
            let error = read(text).expect_err(text);
            assert_eq!(error.status(), status, "{text}");
            assert!(error.to_string().contains(told), "{text}: {error}");
        }
    }
}
