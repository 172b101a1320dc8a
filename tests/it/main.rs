//! The integration tests, one binary: each module is one subject.

mod acceptance;
mod charts;
mod differential;
mod go_expressions;
mod metrics;
mod reference;
mod regressions;
mod scenario;
