//! Tests on real daemons, one binary: each module is one subject and lists its cases.
//!
//! This binary has a `main` of its own (`harness = false`) and runs as two processes. The *guardian* installs what is
//! missing, owns the scratch directory and starts the second one, the *laboratory*, in namespaces of its own, where the
//! cases run one after the other. However the laboratory ends, the guardian cleans up behind it; and when the guardian
//! is killed, the kernel ends the laboratory, daemons and containers included, and the next guardian removes the files.

#[path = "../it/live/certificates.rs"]
#[allow(dead_code)] // Of what the tests share, this binary needs authorities in its own directory.
mod certificates;
mod clients;
mod daemons;
mod guardian;
mod harness;
mod libraries;
mod manager;
mod programs;
mod runner;
mod simulated;
#[path = "../it/skip.rs"]
#[allow(dead_code)] // Of what the tests share, this binary needs how a skipped test is reported.
mod skip;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cases = [
        harness::CASES.as_slice(),
        &manager::CASES.concat(),
        &simulated::CASES,
        &libraries::CASES,
    ]
    .concat();
    runner::main(&cases)
}
