//! Filters of events. dockerd refuses none.

use super::Filters;
use crate::model::{Labels, repository};

/// Filters that are called as the type of what events are about. Each of them is about events of every type, and looks at
/// IDs and names.
const KINDS: [&str; 8] = [
    "config",
    "container",
    "daemon",
    "network",
    "plugin",
    "secret",
    "service",
    "volume",
];

/// Actions after which a colon and something else follows, which need not be asked for.
const WITH_MORE: [&str; 3] = ["exec_create", "exec_start", "health_status"];

/// What is looked at of an event.
#[derive(Clone, Copy, Debug)]
pub struct FilteredEvent<'a> {
    /// What it is about, such as `container`.
    pub kind: &'a str,
    /// What happened.
    pub action: &'a str,
    /// The ID of what it happened to.
    pub id: &'a str,
    /// `local`, or what spans machines; empty in events that do not say so.
    pub scope: &'a str,
    /// More about it.
    pub attributes: &'a Labels,
}

/// Whether an event is asked for.
pub fn wants_event(filters: &Filters, event: &FilteredEvent<'_>) -> bool {
    let attribute = |name: &str| event.attributes.get(name).map_or("", String::as_str);
    let is_action = match WITH_MORE.iter().any(|action| filters.asks_for("event", action)) {
        true => filters.begins("event", event.action),
        false => filters.equals("event", event.action),
    };
    let is_image = || {
        let name = attribute(if event.kind == "image" { "name" } else { "image" });
        let forms = [event.id, name, repository(event.id), repository(name)];
        forms.iter().any(|form| filters.equals("image", form))
    };
    is_action
        && filters.equals("type", event.kind)
        && filters.equals("scope", event.scope)
        && KINDS
            .iter()
            .all(|kind| filters.begins(kind, event.id) || filters.begins(kind, attribute("name")))
        && (!filters.has("image") || is_image())
        && filters.labels_match("label", event.attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As dockerd 20.10 chooses.
    #[test]
    fn an_event_is_wanted_as_dockerd_wants_it() {
        let attributes = [("image", "localhost:5000/busy:1"), ("name", "foo"), ("a", "b")];
        let attributes: Labels = attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let event = FilteredEvent {
            kind: "container",
            action: "exec_start: sh",
            id: "a087dceb80ed",
            scope: "local",
            attributes: &attributes,
        };
        for (text, expected) in [
            (r#"{"event":["exec_start"]}"#, true),
            (r#"{"event":["exec_start: sh"]}"#, true),
            (r#"{"event":["exec"]}"#, false),
            (r#"{"type":["container","image"]}"#, true),
            (r#"{"type":["con"]}"#, false),
            (r#"{"container":["fo"]}"#, true),
            (r#"{"container":["a087"]}"#, true),
            (r#"{"container":["087d"]}"#, false),
            (r#"{"network":["foo"]}"#, true),
            (r#"{"volume":["data"]}"#, false),
            (r#"{"image":["localhost:5000/busy"]}"#, true),
            (r#"{"image":["localhost:5000/busy:1"]}"#, true),
            (r#"{"image":["busy"]}"#, false),
            (r#"{"label":["a=b","image"]}"#, true),
            (r#"{"scope":["swarm"]}"#, false),
            (r#"{"whatever":["x"]}"#, true),
        ] {
            assert_eq!(
                wants_event(&Filters::parse(text).expect(text), &event),
                expected,
                "{text}"
            );
        }
    }
}
