//! `join`: an address that is announced again and again, until the program is told to end.

use anyhow::{Context, bail};
use tokio::runtime::Builder;
use tracing::info;

use crate::discovery;

use super::Fatal;
use super::announcement::Announcement;
use super::args::JoinArguments;
use super::checks::{self, Environment, discovery_options, heartbeat, span, ttl};

pub fn join(arguments: &JoinArguments, environment: &Environment) -> Result<(), Fatal> {
    let announcement = announcement(arguments, environment)?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start to register")?;
    runtime.block_on(async {
        let stopped = stopped().context("cannot listen for signals")?;
        tokio::select! {
            () = announcement.announce() => {}
            signal = stopped => info!("Received {signal}, no longer registering"),
        }
        announcement.withdraw().await;
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
    let ttl = ttl(&arguments.ttl, heartbeat)?;
    let discovery = discovery::open(
        &url,
        &discovery_options(&arguments.discovery_opt, arguments.discovery_url.as_ref(), environment)?,
    )?;
    Ok(Announcement {
        discovery,
        url,
        advertise: vec![advertise],
        heartbeat,
        ttl,
        delay,
    })
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
