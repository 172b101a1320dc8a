//! Ctrl-C: the first ends running simulations at their next event, the second ends the program.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;

use super::INTERRUPTED;

/// Time between two looks at whether the user wants to stop.
const GLANCE: Duration = Duration::from_millis(20);

static INTERRUPT: AtomicBool = AtomicBool::new(false);

/// Begins to listen for Ctrl-C and termination.
pub fn listen() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        if INTERRUPT.swap(true, Ordering::Relaxed) {
            process::exit(i32::from(INTERRUPTED));
        }
    })
    .context("cannot listen for Ctrl-C")
}

/// Comes back when the user wants to stop.
pub async fn wait() {
    while !requested() {
        tokio::time::sleep(GLANCE).await;
    }
}

/// Whether the user wants to stop.
pub fn requested() -> bool {
    INTERRUPT.load(Ordering::Relaxed)
}
