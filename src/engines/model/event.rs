//! What an engine tells those who follow its events.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::docker::{FilteredEvent, Filters, Timestamp, wants_event};
use crate::model::{Labels, Time};

use super::Model;

/// Events that are kept for those who come later, as daemons do.
const KEPT: usize = 256;

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub time: Time,
    /// `container`, `image`, `network` or `volume`.
    pub kind: &'static str,
    /// What happened.
    pub action: String,
    /// The ID of what it happened to.
    pub id: String,
    /// More about it.
    pub attributes: Labels,
}

/// The latest events, numbered from zero.
#[derive(Debug, Default)]
pub struct Events {
    kept: VecDeque<Event>,
    /// The number of the first that is kept.
    first: u64,
}

impl Events {
    /// The number that the next event will have.
    pub fn next_number(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    /// The number of the first event that is kept.
    pub fn first_number(&self) -> u64 {
        self.first
    }

    /// The event with this number, if it is kept.
    pub fn get(&self, number: u64) -> Option<&Event> {
        self.kept.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    fn push(&mut self, event: Event) {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
            self.first += 1;
        }
        self.kept.push_back(event);
    }
}

impl Event {
    /// As clients see it.
    pub fn told(&self, date: Timestamp) -> Value {
        let mut event = json!({});
        if let Some(map) = event.as_object_mut() {
            if matches!(self.kind, "container" | "image") {
                map.insert("status".to_owned(), json!(self.action));
                map.insert("id".to_owned(), json!(self.id));
            }
            if let Some(image) = self.attributes.get("image").filter(|_| self.kind == "container") {
                map.insert("from".to_owned(), json!(image));
            }
            map.insert("Type".to_owned(), json!(self.kind));
            map.insert("Action".to_owned(), json!(self.action));
            map.insert(
                "Actor".to_owned(),
                json!({ "ID": self.id, "Attributes": self.attributes }),
            );
            map.insert("scope".to_owned(), json!("local"));
            map.insert("time".to_owned(), json!(date.seconds()));
            map.insert("timeNano".to_owned(), json!(date.0));
        }
        event
    }

    /// Whether a client asked for it.
    pub fn wanted(&self, filters: &Filters) -> bool {
        let event = FilteredEvent {
            kind: self.kind,
            action: &self.action,
            id: &self.id,
            scope: "local",
            attributes: &self.attributes,
        };
        wants_event(filters, &event)
    }
}

impl Model {
    pub(in crate::engines) fn tell(&mut self, kind: &'static str, action: &str, id: &str, attributes: Labels) {
        self.touch();
        self.events.push(Event {
            time: self.now,
            kind,
            action: action.to_owned(),
            id: id.to_owned(),
            attributes,
        });
    }

    /// An event of a container, with its image, name and labels, and what else there is to say.
    pub(in crate::engines) fn tell_of(&mut self, id: &str, action: &str, more: &[(&str, String)]) {
        let Some(container) = self.containers.get(id) else {
            return;
        };
        let mut attributes = container.labels.clone();
        attributes.insert("image".to_owned(), container.image.clone());
        attributes.insert("name".to_owned(), container.name.clone());
        for (key, value) in more {
            attributes.insert((*key).to_owned(), value.clone());
        }
        self.tell("container", action, id, attributes);
    }
}
