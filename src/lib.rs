//! swarmlab: Docker Swarm's scheduler, simulated and measured.

pub mod model;
pub mod report;
pub mod scheduler;
pub mod sim;
