//! The live driver: one Docker endpoint in front of many daemons, with the scheduler deciding where containers go.
//!
//! Owns concurrency, retries and the health of daemons. Must not hold a scheduling rule.
