//! swarmlab: Docker Swarm's scheduler, simulated and measured.

pub mod cluster;
pub mod metrics;
pub mod model;
pub mod scheduler;
pub mod sim;
