//! `manage`: the command line of a manager, checked in the original's order.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::discovery::{self, Discovery};
use crate::manager::{self, Options, Replication};
use crate::model::Overcommit;
use crate::net::{self, Allowed};
use crate::scheduler::{Filter, Strict};

use super::args::ManageArguments;
use super::checks::{self, Environment, discovery_options, heartbeat, positive_span};
use super::duration::GoDuration;
use super::join::stopped;
use super::{Fatal, go};

/// The driver's option for [`Options::name_retention`].
const NAME_RETENTION: &str = "swarm.nameretention";

pub fn manage(
    arguments: &ManageArguments,
    experimental: bool,
    debug: bool,
    environment: &Environment,
) -> Result<(), Fatal> {
    let options = Options {
        experimental,
        debug,
        ..options(arguments, environment)?
    };
    // Every engine takes two sockets and more, and every client one.
    net::raise_open_files_at_most();
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the manager")?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let told = stop.clone();
        let stopped = stopped().context("cannot listen for signals")?;
        tokio::spawn(async move {
            let signal = stopped.await;
            info!("Received {signal}, shutting down");
            told.cancel();
        });
        let run = manager::run(options, random_seed(), stop).await;
        run.map_err(|error| Fatal::Logged(error.into()))
    })
}

/// Reads and checks the arguments of a manager.
fn options(arguments: &ManageArguments, environment: &Environment) -> anyhow::Result<Options> {
    let tls = checks::tls(&arguments.tls)?;
    let (refresh_min, refresh_max) = refresh_intervals(arguments)?;
    if arguments.engine_refresh_retry != 3 {
        bail!("--engine-refresh-retry is deprecated. Use --engine-failure-retry");
    }
    let failure_retry = match u32::try_from(arguments.engine_failure_retry) {
        Ok(count) if count > 0 => count,
        _ => bail!("invalid failure retry count"),
    };
    let start_interrupted = match arguments.reschedule_start.as_str() {
        "interrupted" => true,
        "running" => false,
        other => bail!("invalid --reschedule-start '{other}': it is interrupted or running"),
    };
    let discovery = checks::discovery(&arguments.discovery, environment, "manage")?;
    let heartbeat = heartbeat(&arguments.heartbeat)?;
    let discovery_options = discovery_options(&arguments.discovery_opt, arguments.discovery_url.as_ref(), environment)?;
    // The manager opens it again; here is where its faults are told.
    let opened = discovery::open(&discovery, &discovery_options)?;
    let strategy = arguments.strategy.parse()?;
    let filters = filters(&arguments.filter)?;
    let mut strict = Strict::default();
    for name in &arguments.strict {
        strict.enable(name)?;
    }
    let (overcommit, create_retry) = driver(arguments)?;
    let name_retention = name_retention(&arguments.cluster_opt)?;
    let replication = match arguments.replication {
        true => Some(replication(arguments, environment, opened.as_ref())?),
        false => None,
    };
    let hosts = hosts(&arguments.host, environment.host.as_deref())?;
    Ok(Options {
        strategy,
        filters,
        strict,
        hosts,
        tls,
        refresh_min,
        refresh_max,
        failure_retry,
        start_interrupted,
        heartbeat,
        cors: arguments.api_enable_cors,
        allowed: Allowed {
            hosts: arguments.allowed_host.clone(),
            origins: arguments.allowed_origin.clone(),
            any_origin: false,
        },
        overcommit,
        create_retry,
        name_retention,
        discovery_options,
        refresh_on_node_filter: arguments.refresh_on_node_filter,
        container_name_refresh_filter: arguments.container_name_refresh_filter.clone(),
        replication,
        ..Options::new(&discovery)
    })
}

fn refresh_intervals(arguments: &ManageArguments) -> anyhow::Result<(Duration, Duration)> {
    // What is no span counts as zero.
    let span = |text: &str| {
        let span = text.parse::<GoDuration>().ok().and_then(GoDuration::get);
        span.unwrap_or_default()
    };
    let shortest = span(&arguments.engine_refresh_min_interval);
    let longest = span(&arguments.engine_refresh_max_interval);
    if shortest.is_zero() {
        bail!("min refresh interval should be a positive number");
    }
    if longest < shortest {
        bail!("max refresh interval cannot be less than min refresh interval");
    }
    Ok((shortest, longest))
}

fn filters(names: &[String]) -> anyhow::Result<Vec<Filter>> {
    if names.is_empty() {
        return Ok(Filter::DEFAULT.to_vec());
    }
    let filters: Result<_, _> = names.iter().map(|name| name.parse()).collect();
    Ok(filters?)
}

/// Overcommit and retries of a create, from the options of the only driver there is.
fn driver(arguments: &ManageArguments) -> anyhow::Result<(Overcommit, u32)> {
    if arguments.cluster_driver != "swarm" {
        bail!("unsupported cluster {:?}", arguments.cluster_driver);
    }
    let options = &arguments.cluster_opt;
    let overcommit = match option(options, "swarm.overcommit", "number")? {
        Some(text) => overcommit(text.parse().unwrap_or(0.0))?,
        None => Overcommit::DEFAULT,
    };
    let retry = match option(options, "swarm.createretry", "number")? {
        Some(text) => go::parse_int(text).unwrap_or(0),
        None => 0,
    };
    if retry < 0 {
        bail!("swarm.createretry can not be negative, {retry} is invalid");
    }
    Ok((overcommit, u32::try_from(retry).unwrap_or(u32::MAX)))
}

/// How long names stay taken whose containers cannot be seen any more; nothing, as in the original, if it is zero.
fn name_retention(options: &[String]) -> anyhow::Result<Duration> {
    let Some(text) = option(options, NAME_RETENTION, "duration")? else {
        return Ok(Options::new("").name_retention);
    };
    let span = text.parse::<GoDuration>().ok().and_then(GoDuration::get);
    span.ok_or_else(|| anyhow!("--cluster-opt {NAME_RETENTION}={text} is no duration; write for example 2m or 0s"))
}

fn overcommit(fraction: f64) -> anyhow::Result<Overcommit> {
    if fraction <= -1.0 {
        bail!("swarm.overcommit should be larger than -1, {fraction:.6} is invalid");
    }
    let Some(overcommit) = Overcommit::from_fraction(fraction) else {
        bail!("swarm.overcommit should be at most 1000, {fraction} is invalid");
    };
    if fraction < 0.0 {
        warn!("-1 < swarm.overcommit < 0, swarm will take less resource than docker engine offers");
    }
    Ok(overcommit)
}

/// The first value that is given for a key. The original crashes on the key alone.
fn option<'a>(options: &'a [String], key: &str, kind: &str) -> anyhow::Result<Option<&'a str>> {
    for option in options {
        match option.split_once('=') {
            Some((found, value)) if found == key => return Ok(Some(value)),
            None if option == key => bail!("--cluster-opt {key} has no value; write {key}=<{kind}>"),
            _ => {}
        }
    }
    Ok(None)
}

fn replication(
    arguments: &ManageArguments,
    environment: &Environment,
    discovery: &dyn Discovery,
) -> anyhow::Result<Replication> {
    let advertise = checks::advertise(
        arguments.advertise.as_ref(),
        environment,
        "--advertise address must be provided when using --leader-election",
    )?;
    let ttl = positive_span("replication-ttl", &arguments.replication_ttl)?;
    if discovery.election().is_none() {
        bail!("Leader election is only supported with consul, etcd and zookeeper discovery.");
    }
    Ok(Replication { ttl, advertise })
}

/// The addresses to listen on. With both the flag and the environment, the flag replaces only the first address of the
/// environment, as in the original.
fn hosts(given: &[String], environment: Option<&str>) -> anyhow::Result<Vec<String>> {
    let from_environment: Vec<&str> =
        environment.map_or_else(Vec::new, |text| text.split(',').map(str::trim).collect());
    let hosts: Vec<String> = match (given, from_environment.as_slice()) {
        ([], []) => return Ok(Options::new("").hosts),
        ([], all) => all.iter().map(|host| (*host).to_owned()).collect(),
        (given, rest) => {
            let kept = rest.get(1..).unwrap_or_default();
            if !kept.is_empty() {
                warn!("--host replaces only the first address of SWARM_HOST; the others are listened on as well");
            }
            given
                .iter()
                .cloned()
                .chain(kept.iter().map(|host| (*host).to_owned()))
                .collect()
        }
    };
    for host in &hosts {
        match host.split_once("://") {
            None | Some(("tcp" | "unix", _)) => {}
            Some((protocol, _)) => return Err(anyhow!("unsupported protocol: {protocol:?}")),
        }
    }
    Ok(hosts)
}

/// A seed that nobody can guess: with it, the IDs of containers are drawn.
fn random_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    for part in seed.chunks_exact_mut(8) {
        // The only source of the standard library that the system feeds.
        let number = RandomState::new().hash_one(std::process::id());
        part.copy_from_slice(&number.to_le_bytes());
    }
    seed
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use proptest::prelude::*;

    use crate::cli::args::{Arguments, Command};
    use crate::cli::live::args::LiveCommand;
    use crate::manager::TlsFiles;
    use crate::scheduler::Strategy;

    fn parsed(line: &[&str], environment: &Environment) -> anyhow::Result<Options> {
        let words = ["swarmlab", "manage"].iter().chain(line);
        match Arguments::try_parse_from(words)?.command {
            Command::Live(LiveCommand::Manage(arguments)) => options(&arguments, environment),
            other => bail!("{other:?} is another command"),
        }
    }

    #[test]
    fn defaults_are_those_of_the_options() {
        let options = parsed(&["a:1"], &Environment::default()).expect("options");
        assert_eq!(options, Options::new("a:1"));
    }

    #[test]
    fn every_flag_reaches_the_options() {
        let line = [
            "--strategy=binpack",
            "--filter=port",
            "--filter=health",
            "--host=:1",
            "--host=unix:///s",
            "--tls",
            "--tlsverify",
            "--tlscacert=ca",
            "--tlscert=cert",
            "--tlskey=key",
            "--engine-refresh-min-interval=1s",
            "--engine-refresh-max-interval=1m",
            "--engine-failure-retry=5",
            "--heartbeat=2s",
            "--api-enable-cors",
            "--allowed-host=a",
            "--allowed-host=b",
            "--allowed-origin=http://c",
            "--cluster-opt=swarm.overcommit=0.5",
            "--cluster-opt=swarm.overcommit=0.7",
            "--cluster-opt=swarm.createretry=0x2",
            "--discovery-opt=k=1",
            "--discovery-opt=k=v=w",
            "--discovery-opt=token.url=u",
            "--discovery-url=http://h:1",
            "--refresh-on-node-filter",
            "--container-name-refresh-filter=x",
            "a:1",
        ];
        let options = parsed(&line, &Environment::default()).expect("options");
        let expected = Options {
            strategy: Strategy::Binpack,
            filters: vec![Filter::Port, Filter::Health],
            hosts: vec![":1".to_owned(), "unix:///s".to_owned()],
            tls: Some(TlsFiles {
                ca: Some("ca".into()),
                cert: "cert".into(),
                key: "key".into(),
                verify: true,
            }),
            refresh_min: Duration::from_secs(1),
            refresh_max: Duration::from_secs(60),
            failure_retry: 5,
            heartbeat: Duration::from_secs(2),
            cors: true,
            allowed: Allowed {
                hosts: vec!["a".to_owned(), "b".to_owned()],
                origins: vec!["http://c".to_owned()],
                any_origin: false,
            },
            overcommit: Overcommit::from_fraction(0.5).expect("within bounds"),
            create_retry: 2,
            discovery_options: [("k", "v=w"), ("token.url", "http://h:1")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            refresh_on_node_filter: true,
            container_name_refresh_filter: "x".to_owned(),
            ..Options::new("a:1")
        };
        assert_eq!(options, expected);
    }

    #[test]
    fn the_environment_names_hosts_and_the_flag_replaces_the_first() {
        let hosts = |given: &[&str], environment| {
            let given: Vec<String> = given.iter().map(|host| (*host).to_owned()).collect();
            hosts(&given, environment).expect("hosts")
        };
        assert_eq!(hosts(&[], None), ["tcp://127.0.0.1:2375"]);
        assert_eq!(hosts(&[], Some("tcp://a:1, b:2")), ["tcp://a:1", "b:2"]);
        assert_eq!(hosts(&["c:3", "unix:///s"], None), ["c:3", "unix:///s"]);
        assert_eq!(hosts(&["c:3"], Some("a:1")), ["c:3"]);
        assert_eq!(hosts(&["c:3"], Some("a:1,b:2")), ["c:3", "b:2"]);
    }

    proptest! {
        #[test]
        fn any_values_are_taken_or_refused(
            values in proptest::collection::vec(any::<String>(), 7),
            overcommit in any::<f64>(),
        ) {
            let flags =
                ["heartbeat", "cluster-opt", "host", "strategy", "filter", "engine-failure-retry", "discovery-opt"];
            for (flag, value) in flags.iter().zip(&values) {
                let _ = parsed(&[&format!("--{flag}={value}"), "a:1"], &Environment::default());
            }
            let flag = format!("--cluster-opt=swarm.overcommit={overcommit}");
            if let Ok(options) = parsed(&[&flag, "a:1"], &Environment::default()) {
                prop_assert!(options.overcommit.percent() > -100);
            }
        }
    }
}
