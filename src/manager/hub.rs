//! What happens in the cluster, passed on to clients that listen (`manager/RULES.md` §14).

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::Manager;
use super::state::{Engine, EngineId};
use crate::docker::{Map, Timestamp, json};

/// Events kept for a client that is slow to read; one that falls further behind is cut off.
pub(super) const BACKLOG: usize = 10_000;

/// Everyone who listens.
#[derive(Debug)]
pub(super) struct Hub {
    sender: broadcast::Sender<Told>,
}

/// One event, as it is written to clients, and for those who choose among events.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub event: Arc<Map>,
    pub text: Bytes,
}

impl Hub {
    pub(super) fn new() -> Hub {
        Hub {
            sender: broadcast::Sender::new(BACKLOG),
        }
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<Told> {
        self.sender.subscribe()
    }

    /// How many are listening.
    pub(super) fn listeners(&self) -> usize {
        self.sender.receiver_count()
    }

    fn tell(&self, event: Map) {
        if self.listeners() == 0 {
            return;
        }
        // A map of JSON values can always be written.
        let mut text = serde_json::to_vec(&event).unwrap_or_default();
        text.push(b'\n');
        let told = Told {
            event: Arc::new(event),
            text: text.into(),
        };
        // That the last listener has just left is no error.
        let _ = self.sender.send(told);
    }
}

impl Manager {
    /// Passes a daemon's event on, with the node that it comes from.
    pub(super) fn pass_on(&self, id: EngineId, event: Map) {
        let told = self.keeper.with(|state| Some(from_node(state.engine(id)?, event)));
        if let Some(event) = told {
            self.hub.tell(event);
        }
    }

    /// Tells that something has become of an engine: `engine_connect`, `engine_disconnect` or `engine_reconnect`.
    pub(super) fn announce(&self, id: EngineId, action: &str) {
        let now = self.now();
        let told = self
            .keeper
            .with(|state| Some(from_node(state.engine(id)?, own_event(action, now))));
        if let Some(event) = told {
            self.hub.tell(event);
        }
    }

    /// The same of an engine that is already forgotten.
    pub(super) fn announce_removed(&self, engine: &Engine) {
        let now = self.now();
        self.hub.tell(from_node(engine, own_event("engine_disconnect", now)));
    }
}

/// An event of the manager's own (`manager/RULES.md` §6.1).
fn own_event(action: &str, now: Timestamp) -> Map {
    let event = json!({
        "status": action,
        "from": "swarm",
        "Type": "swarm",
        "Action": action,
        "Actor": { "ID": "", "Attributes": {} },
        "time": now.seconds(),
        "timeNano": now.0,
    });
    match event {
        Value::Object(event) => event,
        _ => Map::new(),
    }
}

/// Adds the node to an event.
fn from_node(engine: &Engine, mut event: Map) -> Map {
    let from = format!("{} node:{}", json::text(&event, "from"), engine.name());
    json::set(&mut event, "from", from);
    let attributes = json::map_mut(json::map_mut(&mut event, "Actor"), "Attributes");
    for (key, value) in [
        ("node.name", engine.name()),
        ("node.id", engine.id()),
        ("node.addr", &engine.address),
        ("node.ip", &engine.ip),
    ] {
        json::set(attributes, key, value);
    }
    event.insert(
        "node".to_owned(),
        json!({ "Name": engine.name(), "Id": engine.id(), "Addr": engine.address, "Ip": engine.ip }),
    );
    event
}
