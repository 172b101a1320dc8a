//! Live mode: sockets, daemons and what comes from them. Everything runs on the loopback with ports that the system
//! chooses, and nothing depends on how fast the machine is.

mod calls;
pub mod certificates;
pub mod fake;
mod forwarding;
mod heads;
mod hostile;
mod listeners;
mod manager;
mod tls;
mod tunnels;

use std::future::Future;
use std::time::Duration;

/// Far longer than anything takes, so that a test that hangs fails.
pub const AGES: Duration = Duration::from_secs(60);

/// Short, for tests in which time has to run out.
pub const SOON: Duration = Duration::from_millis(100);

/// The outcome of `future`, which has to come.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(AGES, future).await.expect("it does not take ages")
}
