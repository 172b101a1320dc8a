//! Discrete-event simulation in virtual time: a workload and its faults, drawn from a seed, drive the scheduler over a
//! cluster, and an observer is told what happens.
//!
//! Owns the order of events and the random streams. Must not know TOML, files, plots, or the wall clock: a stopwatch
//! is handed in by whoever wants decisions measured, and what it reads changes nothing.
//!
//! Events are ordered by (time, sequence). The same plan, strategy and seed give the same observations on every machine.

mod arrivals;
mod generated;
mod images;
mod input;
mod life;
mod node_events;
mod observation;
mod plan;
mod queue;
mod run;
mod sampler;
mod streams;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod world;

pub use generated::{Generated, one_more};
pub use images::{LayerStore, Pull};
pub use input::{Input, Inputs, NodeAction, NodeInput, Submission};
pub use life::{Exit, Fate, Fates, Life, Phase, RestartDelay};
pub use node_events::NodeEvents;
pub use observation::{NodeEvent, Observation, Observer, Observers, Subject, Verdict};
pub use plan::*;
pub use run::{Finished, Run, preparer, simulate, simulate_inputs};
pub use sampler::{Distribution, Sampler};
pub use streams::PlacementRng;
