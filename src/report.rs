//! Renders results for people: pictures of numbers that were computed elsewhere.
//!
//! Owns the looks. Must not know how a number was made: it computes no metric, and has never heard of a cluster, a
//! scheduler or a simulation.

pub mod chart;
