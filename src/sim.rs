//! Discrete-event simulation in virtual time.

mod observation;
mod plan;
mod sampler;

pub use observation::{NodeEvent, Observation, Observer, Subject, Verdict};
pub use plan::*;
pub use sampler::{Distribution, Sampler};
