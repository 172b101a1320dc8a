//! swarmlab: Docker Swarm's scheduler, simulated and measured.

#![warn(missing_docs)]

pub mod cli;
pub mod cluster;
pub mod eventlog;
pub mod experiment;
pub mod metrics;
pub mod model;
pub mod report;
pub mod scenario;
pub mod scheduler;
pub mod sim;
