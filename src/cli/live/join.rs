//! `join`: an address that is announced again and again, until the program is told to end.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use tokio::runtime::Builder;
use tokio::time;
use tracing::{error, info};

use crate::discovery::{self, Discovery};

use super::Fatal;
use super::args::JoinArguments;
use super::checks::{self, Environment, discovery_options, heartbeat, span};
use super::duration::GoDuration;

/// How long the end of the program waits until the address is off the list.
const FAREWELL: Duration = Duration::from_secs(5);

/// What is announced where, and how often.
struct Announcement {
    discovery: Arc<dyn Discovery>,
    url: String,
    advertise: String,
    heartbeat: Duration,
    ttl: Duration,
    /// How long to wait before the first one.
    delay: Duration,
}

pub fn join(arguments: &JoinArguments, environment: &Environment) -> Result<(), Fatal> {
    let announcement = announcement(arguments, environment)?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start to register")?;
    runtime.block_on(async {
        let stopped = stopped().context("cannot listen for signals")?;
        let discovery = Arc::clone(&announcement.discovery);
        tokio::select! {
            () = announce(announcement) => {}
            signal = stopped => info!("Received {signal}, no longer registering"),
        }
        // What cannot be taken off the list runs out by itself.
        match time::timeout(FAREWELL, discovery.withdraw()).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => error!("{fault}"),
            Err(_) => error!("the discovery service has not answered within {}", in_go(FAREWELL)),
        }
        Ok(())
    })
}

/// Checks the arguments in the original's order.
fn announcement(arguments: &JoinArguments, environment: &Environment) -> anyhow::Result<Announcement> {
    let url = checks::discovery(&arguments.discovery, environment, "join")?;
    let advertise = checks::advertise(
        arguments.advertise.as_ref(),
        environment,
        "missing mandatory --advertise flag",
    )?;
    let Some(delay) = span("delay", &arguments.delay)?.get() else {
        bail!("--delay should not be a negative number");
    };
    let heartbeat = heartbeat(&arguments.heartbeat)?;
    let ttl = match span("ttl", &arguments.ttl)?.get() {
        Some(ttl) if ttl > heartbeat => ttl,
        _ => bail!("--ttl must be strictly superior to the heartbeat value"),
    };
    let discovery = discovery::open(
        &url,
        &discovery_options(&arguments.discovery_opt, arguments.discovery_url.as_ref(), environment)?,
    )?;
    Ok(Announcement {
        discovery,
        url,
        advertise,
        heartbeat,
        ttl,
        delay,
    })
}

/// Registers for ever.
async fn announce(announcement: Announcement) {
    let Announcement {
        discovery,
        url,
        advertise,
        heartbeat,
        ttl,
        delay,
    } = announcement;
    if !delay.is_zero() {
        let delay = random_below(delay);
        info!("Add a random delay {} to avoid synchronized registration", in_go(delay));
        time::sleep(delay).await;
    }
    loop {
        info!(
            addr = advertise.as_str(),
            discovery = url.as_str(),
            "Registering on the discovery service every {}...",
            in_go(heartbeat)
        );
        // A registration that takes longer than it lasts is no use.
        match time::timeout(ttl, discovery.register(&advertise, ttl)).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => error!("{fault}"),
            Err(_) => error!("the discovery service has not answered within {}", in_go(ttl)),
        }
        time::sleep(heartbeat).await;
    }
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

/// Waits for the signals that end a service, and gives the name of the one that came. The original is killed by them,
/// too, but with an exit code that looks like a failure.
#[cfg(unix)]
pub(in crate::cli) fn stopped() -> std::io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// The same where there is only Ctrl-C.
#[cfg(not(unix))]
pub(in crate::cli) fn stopped() -> std::io::Result<impl Future<Output = &'static str>> {
    Ok(async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            // Without it, the process ends as the system sees fit.
            Err(_) => std::future::pending().await,
        }
    })
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
