//! Addresses that are announced again and again, until they are withdrawn.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use tokio::time;
use tracing::{error, info};

use crate::discovery::Discovery;

use super::duration::GoDuration;

/// How long the end of the program waits until the addresses are off the list.
const FAREWELL: Duration = Duration::from_secs(5);

/// What is announced where, and how often.
pub(in crate::cli) struct Announcement {
    pub discovery: Arc<dyn Discovery>,
    pub url: String,
    /// Addresses that come and go together.
    pub advertise: Vec<String>,
    pub heartbeat: Duration,
    pub ttl: Duration,
    /// How long to wait before the first one, at most.
    pub delay: Duration,
}

impl Announcement {
    /// Registers for ever. What goes wrong is logged, and tried again.
    pub(in crate::cli) async fn announce(&self) {
        if !self.delay.is_zero() {
            let delay = random_below(self.delay);
            info!("Add a random delay {} to avoid synchronized registration", in_go(delay));
            time::sleep(delay).await;
        }
        loop {
            info!(
                addr = self.advertised(),
                discovery = self.url.as_str(),
                "Registering on the discovery service every {}...",
                in_go(self.heartbeat)
            );
            if let Err(fault) = self.once().await {
                error!("{fault}");
            }
            time::sleep(self.heartbeat).await;
        }
    }

    /// Registers once.
    ///
    /// # Errors
    ///
    /// What is wrong, in a line.
    pub(in crate::cli) async fn once(&self) -> Result<(), String> {
        let advertise: Vec<&str> = self.advertise.iter().map(String::as_str).collect();
        // A registration that takes longer than it lasts is no use.
        match time::timeout(self.ttl, self.discovery.register_all(&advertise, self.ttl)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(fault)) => Err(fault.to_string()),
            Err(_) => Err(silent(self.ttl)),
        }
    }

    /// Takes the addresses off the list. What cannot be taken off runs out by itself.
    pub(in crate::cli) async fn withdraw(&self) {
        match time::timeout(FAREWELL, self.discovery.withdraw()).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => error!("{fault}"),
            Err(_) => error!("{}", silent(FAREWELL)),
        }
    }

    fn advertised(&self) -> String {
        match self.advertise.as_slice() {
            [first, .., last] => format!("{first} to {last}"),
            few => few.join(","),
        }
    }
}

fn silent(span: Duration) -> String {
    format!("the discovery service has not answered within {}", in_go(span))
}

fn in_go(span: Duration) -> GoDuration {
    GoDuration(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
}

/// A span from zero up to, but without, the given one, another one in every process: daemons that are started together
/// do not register together.
fn random_below(most: Duration) -> Duration {
    let most = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX).max(1);
    // The keys of a hash map are the randomness that the standard library offers.
    let mut generator = ChaCha8Rng::seed_from_u64(RandomState::new().build_hasher().finish());
    Duration::from_nanos(generator.random_range(0..most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_below_their_bound() {
        assert_eq!(random_below(Duration::ZERO), Duration::ZERO);
        for _ in 0..100 {
            assert!(random_below(Duration::from_nanos(3)) < Duration::from_nanos(3));
        }
        assert!(random_below(Duration::MAX) < Duration::MAX);
    }
}
