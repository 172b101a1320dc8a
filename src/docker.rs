//! The language of one Docker daemon: its API from the client's side, and what its answers mean.
//!
//! Owns how daemons write and what of it is a fact. Bodies stay maps in which what is not understood survives. Must not
//! know that there are many daemons.

mod create_types;
mod daemon;
mod error;
pub mod events;
pub mod facts;
mod filters;
pub mod json;
pub mod media;
pub mod path;
mod podman;
pub mod reference;
mod time;
mod version;
pub mod words;

pub use create_types::check_create;
pub use daemon::{Answer, Daemon, Timeouts};
pub use error::CallError;
pub use events::Events;
pub use facts::{ContainerFacts, ContainerState, DaemonFacts, FactsError, ImageFacts};
pub use filters::{
    ContainerFilters, FilteredContainer, FilteredEvent, FilteredImage, FilteredNetwork, FilteredVolume, Filters,
    FiltersError, ImageFilters, NetworkFilters, PruneFilters, ShownNames, VolumeFilters, wants_event,
};
pub use json::Map;
pub use time::Timestamp;
pub use version::ApiVersion;
