//! Discrete-event simulation in virtual time.

mod plan;
mod sampler;

pub use plan::*;
pub use sampler::{Distribution, Sampler};
