//! What a daemon's answers say about it, its containers and its images.
//!
//! Daemons differ: fields are missing, `null` or empty between versions and makes. Whatever can do without is read
//! without; only an object that cannot be told from others is an error.

mod container;
mod daemon;
mod image;

pub use container::{ContainerFacts, ContainerState, Limits, Mount, NetworkEndpoint};
pub use daemon::DaemonFacts;
pub use image::ImageFacts;

/// Why an answer says too little, or what cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// A daemon without CPUs or memory.
    #[error("cannot get resources for this engine, make sure {0} is a Docker Engine, not a Swarm manager")]
    NoResources(String),
    /// A label of a daemon that has no value.
    #[error("Engine (ID: {id}, Addr: {address}) contains an invalid label ({label}) not formatted as \"key=value\".")]
    InvalidLabel {
        /// The daemon's ID with its address.
        id: String,
        /// Its address.
        address: String,
        /// The label as it is written.
        label: String,
    },
    /// An object without ID.
    #[error("the daemon tells of {0} without ID")]
    NoId(&'static str),
}
