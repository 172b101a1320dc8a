//! swarmlab: Docker Swarm's scheduler, simulated and measured.

pub mod model;
pub mod scenario;
pub mod scheduler;
pub mod sim;
