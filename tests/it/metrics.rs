//! Figures of small histories against figures computed by hand, and integrals against brute force.

mod admission;
mod capacity;
mod comparison;
mod disruption;
mod history;
mod integrals;
mod pictures;
mod shapes;
