//! `discovery-service`: the service behind `token://`, which the original's makers ran for everybody.

use std::path::PathBuf;

use anyhow::{Context, bail};
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::net::{Allowed, tls};
use crate::tokens::{self, Limits, Options};

use super::args::ServiceArguments;
use super::join::stopped;
use super::{Fatal, checks, program_name};

pub fn service(arguments: &ServiceArguments) -> Result<(), Fatal> {
    let options = options(arguments)?;
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the discovery service")?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let told = stop.clone();
        let stopped = stopped().context("cannot listen for signals")?;
        tokio::spawn(async move {
            let signal = stopped.await;
            info!("Received {signal}, shutting down");
            told.cancel();
        });
        let running = tokens::start(options, stop).await.map_err(anyhow::Error::from)?;
        running.ended().await.map_err(|error| Fatal::Logged(error.into()))
    })
}

/// Reads and checks the arguments.
fn options(arguments: &ServiceArguments) -> anyhow::Result<Options> {
    let tls = checks::tls(&arguments.tls)?.map(|files| tls::Files {
        ca: files.ca,
        cert: files.cert,
        key: files.key,
        verify: files.verify,
    });
    if !arguments.arguments.is_empty() {
        bail!(
            "the `discovery-service` command takes no arguments. See '{} discovery-service --help'.",
            program_name()
        );
    }
    let given = |flag: &Option<String>| flag.clone().filter(|text| !text.is_empty());
    let listen = given(&arguments.listen).context("missing mandatory --listen flag")?;
    let data = given(&arguments.data).context("missing mandatory --data flag")?;
    let limits = Limits {
        clusters: checks::count("max-clusters", arguments.max_clusters)?,
        entries: checks::count("max-entries", arguments.max_entries)?,
        connections: checks::count("max-connections", arguments.max_connections)?,
        // Zero is a rate: no limit.
        rate: u32::try_from(arguments.rate).context("--rate should not be a negative number, nor above 4294967295")?,
        ..Limits::default()
    };
    Ok(Options {
        listen,
        data: PathBuf::from(data),
        tls,
        limits,
        allowed: Allowed {
            hosts: arguments.allowed_host.clone(),
            ..Allowed::default()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    use crate::cli::args::{Arguments, Command};
    use crate::cli::live::args::LiveCommand;

    fn parsed(line: &[&str]) -> anyhow::Result<Options> {
        let words = ["swarmlab", "discovery-service", "--listen=:1", "--data=f"];
        match Arguments::try_parse_from(words.iter().chain(line))?.command {
            Command::Live(LiveCommand::DiscoveryService(arguments)) => options(&arguments),
            other => bail!("{other:?} is another command"),
        }
    }

    #[test]
    fn defaults_are_those_of_the_service() {
        let expected = Options {
            listen: ":1".to_owned(),
            data: "f".into(),
            tls: None,
            limits: Limits::default(),
            allowed: Allowed::default(),
        };
        assert_eq!(parsed(&[]).expect("options"), expected);
    }

    #[test]
    fn every_flag_reaches_the_options() {
        let line = [
            "--max-clusters=1",
            "--max-entries=2",
            "--max-connections=3",
            "--rate=0",
            "--allowed-host=a",
            "--tls",
        ];
        let options = parsed(&[&line[..], &["--tlscert=c", "--tlskey=k"]].concat()).expect("options");
        let limits = Limits {
            clusters: 1,
            entries: 2,
            connections: 3,
            rate: 0,
            ..Limits::default()
        };
        assert_eq!(options.limits, limits);
        assert_eq!(options.allowed.hosts, ["a"]);
        assert_eq!(options.tls.expect("TLS").cert, PathBuf::from("c"));
    }
}
