//! The nouns: quantities, time, identifiers, labels, ports and requests, as plain data.
//!
//! Owns the meaning and the arithmetic of these values. Must not know how a scheduler decides, where
//! requests come from, or how anything is written to a file.

mod id;
mod name;
mod quantity;
mod reference;
mod request;
mod time;

pub use id::{ContainerIdx, NodeIdx};
pub use name::Name;
pub(crate) use quantity::units;
pub use quantity::{Bytes, Cpus, Overcommit, Resources};
pub use reference::{repository, split_reference};
pub use request::{Labels, PortBinding, Request, ReschedulePolicy, is_unspecified};
pub use time::Time;
