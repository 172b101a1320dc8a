//! The integration tests, one binary: each module is one subject.

mod acceptance;
mod bench;
mod charts;
mod cli;
mod differential;
mod engines;
mod go_expressions;
mod golden;
mod handles;
mod journal;
mod live;
mod live_cli;
mod metrics;
mod openb;
mod reference;
mod regressions;
mod replay;
mod rules;
mod scenario;
mod skip;
mod tidy;
