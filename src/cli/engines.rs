//! `swarmlab engines`: the nodes of a scenario as Docker engines on the wire.

use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

use crate::engines::{self, AddressPlan, Options};
use crate::net::{self, Address};

use super::Outcome;
use super::args::ScenarioArguments;
use super::input::{self, Loaded, Refused};
use super::live::{self, Announcement, stopped};

/// Sockets that an engine with a manager in front of it needs: one on which it listens, its events, and one for requests.
const SOCKETS_EACH: u64 = 3;

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Every node of the scenario's cluster is served as a Docker engine, on a loopback address of its own
or on a port of its own. Image pulls, the latency of starts, restarts, lifetimes and the failures of
nodes are those of the scenario. A container belongs to the class with its image, or to the one named
by its label swarmlab.class, and runs as long as that says; the label or variable
swarmlab.lifetime=30s (or forever) says otherwise, swarmlab.exit-code=3 with which code it then ends.
Where neither says how long, commands of which the end is known end as they would, in the scenario's
time: echo, printf, true, false, sleep, cat, and scripts of these such as sh -c 'sleep 1; exit 3'.
Other containers run until they are stopped; their processes write their words and echo what they read.

At published TCP ports, at the engine's own address whatever HostIp says, a request of HTTP is answered
with the names of container and node, on as many ports at a time as --published-ports allows. Ports below
1024 may need rights. With --ports-from all engines have one address, and a port of it goes to the first
container that publishes it; nobody accepts connections on UDP ports, or on those of others.

With --admin, engines misbehave on command. NAME is a node or *:
  GET    /engines                    each with its address, state and faults
  POST   /engines/NAME/faults        {\"refuse\":true} no new connections; {\"hang\":true} no answers;
                                     {\"garbage\":true}; {\"status\":500}; {\"delay\":\"200ms\"}, or drawn:
                                     {\"exponential\":\"200ms\"}, {\"uniform\":[\"1ms\",\"50ms\"]},
                                     {\"lognormal\":{\"median\":\"20ms\",\"sigma\":1.0}}; replaces what was
  DELETE /engines/NAME/faults        it behaves
  POST   /engines/NAME/drop-events   the streams of its events break off
  POST   /engines/NAME/crash         {\"containers\":\"kept\"} or \"lost\"; {\"for\":\"10s\"} and it returns
  POST   /engines/NAME/return        it is back

Examples:
  swarmlab engines scenarios/zones.toml --print-discovery
  swarmlab engines scenarios/zones.toml --speed 60 --discovery-file nodes &
  swarmlab manage -H tcp://127.0.0.1:3375 file://nodes
  swarmlab engines scenarios/zones.toml --register etcd://127.0.0.1:2379/swarm --heartbeat 5s --ttl 15s
  docker -H tcp://127.1.0.1:2375 run --rm -it busybox cat")]
pub struct EnginesArguments {
    /// Scenario file
    pub scenario: PathBuf,
    /// Network below 127.0.0.0/8 in which each engine gets an address
    #[arg(long, value_name = "ADDRESS", default_value = "127.1.0.0")]
    pub network: Ipv4Addr,
    /// Port of all engines
    #[arg(long, value_name = "PORT", default_value_t = 2375, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// Give all engines the address 127.0.0.1, and each a port from this one on
    #[arg(long, value_name = "FIRST", conflicts_with_all = ["network", "port"], value_parser = clap::value_parser!(u16).range(1..))]
    pub ports_from: Option<u16>,
    /// Let the scenario's time run so many times faster
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed)]
    pub speed: f64,
    /// Seed of everything random; the scenario's if none is given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Do not let nodes fail, flap, join or leave as the scenario says
    #[arg(long)]
    pub no_node_events: bool,
    /// Published TCP ports on which connections are accepted at the same time, over all engines (0: none)
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub published_ports: usize,
    /// Take orders about faults here, in HTTP and JSON
    #[arg(long, value_name = "127.0.0.1:PORT")]
    pub admin: Option<SocketAddr>,
    /// Print the nodes:// string for managers and end
    #[arg(long)]
    pub print_discovery: bool,
    /// Write the addresses to a file, for file:// discovery
    #[arg(long, value_name = "FILE")]
    pub discovery_file: Option<PathBuf>,
    /// Register all engines where managers look for them, such as etcd://HOST/PREFIX, for as long as this runs
    #[arg(long, value_name = "URL")]
    pub register: Option<String>,
    /// Time between two registrations
    #[arg(long, value_name = "TIME", default_value = "60s", requires = "register")]
    pub heartbeat: String,
    /// Time after which a registration that is not renewed expires
    #[arg(long, value_name = "TIME", default_value = "180s", requires = "register")]
    pub ttl: String,
    /// Option of the discovery, as for `join`
    #[arg(long, value_name = "KEY=VALUE", requires = "register")]
    pub discovery_opt: Vec<String>,
    /// Where the discovery service of token:// is, http(s)://host:port [$SWARM_DISCOVERY_URL]
    #[arg(long, value_name = "URL", requires = "register")]
    pub discovery_url: Option<String>,
    #[command(flatten)]
    pub input: ScenarioArguments,
}

/// How many times faster.
pub(super) fn speed(text: &str) -> Result<f64, String> {
    match text.trim_end_matches(['x', '×']).parse::<f64>() {
        Ok(speed) if (1e-3..=1e6).contains(&speed) => Ok(speed),
        _ => Err("write a number between 0.001 and 1000000".to_owned()),
    }
}

pub fn engines(arguments: &EnginesArguments) -> anyhow::Result<Outcome> {
    let loaded: Loaded = match input::load(&arguments.scenario, &arguments.input) {
        Ok(loaded) => loaded,
        Err(Refused::Faulty) => return Ok(Outcome::Invalid),
        Err(Refused::Usage(error)) => return Ok(super::usage(&error)),
    };
    let plan = loaded.scenario.plan;
    let count = plan.nodes.len();
    let addresses = match arguments.ports_from {
        Some(first) => AddressPlan::Ports {
            host: Ipv4Addr::LOCALHOST,
            first,
        },
        None => AddressPlan::Addresses {
            network: arguments.network,
            port: arguments.port,
        },
    };
    let listening = match addresses.addresses(count) {
        Ok(listening) => listening,
        Err(error) => return Ok(super::usage(&error.into())),
    };
    let entries = addresses.entries(count);
    if arguments.print_discovery {
        writeln!(io::stdout(), "nodes://{}", entries.join(","))?;
        return Ok(Outcome::Done);
    }
    net::raise_open_files(count as u64 * SOCKETS_EACH)?;
    live::log_warnings();
    let options = Options {
        seed: arguments.seed.unwrap_or(plan.run.seed),
        plan,
        addresses: listening,
        speed: arguments.speed,
        node_events: !arguments.no_node_events,
        published_ports: arguments.published_ports,
    };
    let announcement = match arguments
        .register
        .as_deref()
        .map(|url| announcement(url, &options, arguments))
    {
        Some(Err(error)) => return Ok(super::usage(&error.context("in --register"))),
        other => other.transpose()?,
    };
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the engines")?;
    runtime.block_on(serve(options, arguments, &entries, announcement))
}

/// What is registered where.
fn announcement(url: &str, options: &Options, arguments: &EnginesArguments) -> anyhow::Result<Announcement> {
    let addresses = options.addresses.iter().map(|address| address.authority().to_owned());
    live::announcement(
        url,
        addresses.collect(),
        [&arguments.heartbeat, &arguments.ttl],
        &arguments.discovery_opt,
        arguments.discovery_url.as_ref(),
    )
}

async fn serve(
    options: Options,
    arguments: &EnginesArguments,
    entries: &[String],
    announcement: Option<Announcement>,
) -> anyhow::Result<Outcome> {
    let stopped = stopped().context("cannot listen for signals")?;
    let stop = CancellationToken::new();
    let count = options.addresses.len();
    let running = engines::start(options, stop.clone()).await?;
    if let Some(address) = arguments.admin {
        let address = running.admit(address).await?;
        writeln!(
            io::stdout(),
            "Orders about faults are taken at http://{address}/engines"
        )?;
    }
    if let Some(path) = &arguments.discovery_file {
        // Only now: who reads it finds engines that answer.
        let text: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let addresses = running.addresses();
    let shown = |address: Option<&Address>| address.map(ToString::to_string).unwrap_or_default();
    writeln!(
        io::stdout(),
        "{count} engines listen on {} to {}",
        shown(addresses.first()),
        shown(addresses.last())
    )?;
    match announcement {
        None => {
            stopped.await;
        }
        Some(announcement) => announce(announcement, stopped).await,
    }
    stop.cancel();
    running.ended().await;
    Ok(Outcome::Done)
}

/// Keeps the engines registered until the program is told to end, and takes them off the list then.
async fn announce(announcement: Announcement, stopped: impl Future<Output = &'static str>) {
    let keeping = async {
        // If it fails, the next attempt follows at once, and says what is wrong.
        if announcement.once().await.is_ok() {
            // Whoever has closed the output does not want to know.
            let _ = writeln!(io::stdout(), "They are registered in {}", announcement.url);
            tokio::time::sleep(announcement.heartbeat).await;
        }
        announcement.announce().await;
    };
    tokio::select! {
        () = keeping => {}
        _ = stopped => {}
    }
    announcement.withdraw().await;
}
