//! `[[events]]`.

use std::borrow::Cow;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use crate::scenario::schema;

use super::{Amount, Text};

/// Something that happens to nodes. In the text, the action and what all actions share are keys of one table.
// About flattening, see `Drawn`.
#[derive(Debug, Deserialize)]
pub(in crate::scenario) struct EventTable {
    #[serde(flatten)]
    pub action: EventAction,
    #[serde(flatten)]
    pub common: EventCommon,
}

impl JsonSchema for EventTable {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Event")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        schema::with_common_keys::<EventAction, EventCommon>(generator)
    }
}

/// What all events share.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::scenario) struct EventCommon {
    /// When it happens.
    pub at: Option<Text<Duration>>,
    /// Added to `at` for each node after the first. Default: 0s, so that it happens to all nodes at once.
    pub stagger: Option<Text<Duration>>,
    /// The nodes it happens to.
    pub nodes: NodeSelector,
}

/// What happens to a node.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(in crate::scenario) enum EventAction {
    /// It fails and loses its containers: once, `at` a time, or again and again, with a `mtbf`.
    Fail {
        /// Time until it recovers. Default: it stays down until an event recovers it.
        repair: Option<Amount<Text<Duration>>>,
        /// Instead of `at`: time from the start or a recovery to the next failure, for each node by itself.
        mtbf: Option<Amount<Text<Duration>>>,
        /// With `mtbf`: time until it recovers.
        mttr: Option<Amount<Text<Duration>>>,
    },
    /// It comes back, empty, with its images.
    Recover,
    /// It fails and recovers several times.
    Flap {
        /// How long it is down.
        down: Text<Duration>,
        /// How long it is up in between.
        up: Text<Duration>,
        /// How many failures.
        #[schemars(range(min = 1))]
        times: u32,
    },
    /// It takes no new containers.
    Drain,
    /// It takes containers again.
    Undrain,
    /// It enters the cluster, empty.
    Join,
    /// It leaves the cluster, and its containers are lost.
    Leave,
    /// Its labels change.
    Relabel {
        /// The new values; `false` removes a label.
        #[schemars(example = serde_json::json!({ "zone": "b", "old": false }))]
        labels: IndexMap<String, NewLabel>,
    },
    /// Its daemon misbehaves. This is for engines that are served (`swarmlab engines`); simulated runs, which ask no daemon,
    /// take no notice.
    Misbehave {
        /// How long, before it behaves again. Default: until the next such event.
        lasts: Option<Text<Duration>>,
        /// Nobody can connect; who is connected stays so.
        #[serde(default)]
        refuse: bool,
        /// Requests are taken and never answered.
        #[serde(default)]
        hang: bool,
        /// Answers are no JSON, nor anything else.
        #[serde(default)]
        garbage: bool,
        /// Every request is answered with this status.
        #[schemars(range(min = 400, max = 599))]
        status: Option<u16>,
        /// Answers take so much longer, by the clock of the world.
        delay: Option<Amount<Text<Duration>>>,
        /// The streams of its events break off, once.
        #[serde(default)]
        drop_events: bool,
        /// It ends at once and is back afterwards, with its containers, which have exited. (Those of one that fails are
        /// lost.)
        #[serde(default)]
        crash: bool,
    },
    /// Its health indicator changes.
    Health {
        /// The new value: 100 is healthy, 0 takes no containers.
        #[schemars(range(max = 100))]
        value: u8,
    },
}

/// A changed label.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::scenario) enum NewLabel {
    /// A new value.
    Value(String),
    /// No longer there.
    Removed(False),
}

/// The word `false`.
#[derive(Debug)]
pub(in crate::scenario) struct False;

impl<'de> Deserialize<'de> for False {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<False, D::Error> {
        match bool::deserialize(deserializer)? {
            false => Ok(False),
            true => Err(serde::de::Error::custom(
                "true is neither a value nor the absence of one",
            )),
        }
    }
}

impl JsonSchema for False {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Removed")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "description": "Removes the label.", "type": "boolean", "const": false })
    }
}

/// Which nodes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::scenario) enum NodeSelector {
    /// Those whose names match a pattern, in which `*` stands for anything.
    Pattern(#[schemars(example = &"web-*")] String),
    /// Those whose names match one of several patterns.
    Patterns(#[schemars(length(min = 1), example = ["web-1", "db-*"])] Vec<String>),
    /// Those with a label.
    Label(LabelSelector),
    /// Those of a group.
    Group(GroupSelector),
}

/// The nodes with a label.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct LabelSelector {
    /// The label.
    #[schemars(example = &"zone")]
    pub label: String,
    /// Its value; `*` stands for anything. Default: any value.
    #[schemars(example = &"a")]
    pub value: Option<String>,
}

/// The nodes of a group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct GroupSelector {
    /// The group.
    #[schemars(example = &"web")]
    pub group: String,
}
