//! `swarmlab bench live`: a manager in front of simulated engines, filled and measured as in Docker's scale test.

mod shown;

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

use crate::cli::args::{Format, ScenarioArguments};
use crate::cli::input::{self, Refused};
use crate::cli::{Outcome, interrupt, usage};
use crate::engines::AddressPlan;
use crate::net;
use crate::report::OutputDir;
use crate::scaletest::{self, Findings, Plan, Stage, Template};
use crate::scenario::{self, Scenario};
use crate::scheduler::Strategy;

use super::this_program;
use shown::Shown;

/// Bytes of all files, generously: the logs are the largest.
const OUTPUT_BYTES: u64 = 256 << 20;
/// Sockets that an engine with a manager in front of it needs.
const SOCKETS_EACH: u64 = 3;
/// What one container reserves in a cluster that is made for the test.
const MEMORY_MIB: u64 = 32;

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Without a scenario, the cluster has --nodes nodes alike. Its engines run in a process of their own, the
manager in another; both end with this one, whatever happens to it. Measured are: the time until the
manager takes all engines for healthy; the filling with --containers-per-node; then, on the full cluster,
create and start by one client, each beside the same at the engine itself, whose difference is the
manager's own share; the same by --clients clients; GET /info and GET /containers/json?all=1 up to the
last byte; memory and processor time of the manager (on Linux). The published figures beside them are
those of Docker's own test of 2015: `docker run -dit ubuntu bash` and `docker info`, 1,000 nodes and
30,000 containers on a real cloud. Here containers do not run, and clients speak HTTP without `docker`.

--manager-cmd is taken apart as a shell would, and nothing else that a shell does. In it stand for
  {listen}          tcp://127.0.0.1:PORT, where it is to listen
  {port}            the port alone
  {discovery}       nodes://127.64.0.[1:254]:PORT,..., the engines
  {discovery-file}  file:///..., the same as the file of a list
  {strategy}        the value of --strategy
A manager that starts others in its turn should replace itself (exec), so that it is the one measured.

Examples:
  swarmlab bench live
  swarmlab bench live --nodes 5000 --strategy binpack
  swarmlab bench live scenarios/zones.toml --containers-per-node 10
  swarmlab bench live --manager-cmd 'swarm manage --strategy {strategy} -H {listen} {discovery}'")]
pub struct LiveArguments {
    /// Scenario file whose nodes and requests are taken; a cluster of nodes alike if none is given
    pub scenario: Option<PathBuf>,
    /// Number of engines
    #[arg(long, value_name = "N", default_value_t = 1000, conflicts_with = "scenario", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub nodes: u32,
    /// Containers on each node of the full cluster
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub containers_per_node: u32,
    /// Strategy of the manager
    #[arg(long, default_value = "spread")]
    pub strategy: Strategy,
    /// Command line of the manager, with places such as {listen} and {discovery}; our own if none is given
    #[arg(long, value_name = "TEMPLATE")]
    pub manager_cmd: Option<String>,
    /// Containers that are created to measure the full cluster, by one client and by many
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub count: u64,
    /// How many clients are many
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub clients: u32,
    /// How often each answer is read
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub reads: u64,
    /// How long the manager is watched while nobody asks for anything
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = crate::cli::args::span)]
    pub idle: Duration,
    /// How long the engines, and then the manager, may take to be ready
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = crate::cli::args::span)]
    pub patience: Duration,
    /// Network below 127.0.0.0/8 in which each engine gets an address
    #[arg(long, value_name = "ADDRESS", default_value = "127.64.0.0")]
    pub network: Ipv4Addr,
    /// Seed of everything random; the scenario's if none is given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Directory for the results
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What to print: a table for people, or JSON for programs
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Do not show progress
    #[arg(long, short)]
    pub quiet: bool,
    #[command(flatten)]
    pub input: ScenarioArguments,
}

pub fn live(arguments: &LiveArguments) -> anyhow::Result<Outcome> {
    let program = this_program()?;
    let manager = match &arguments.manager_cmd {
        None => Template::ours(&program.display().to_string()),
        Some(text) => match Template::parse(text) {
            Ok(template) => template,
            Err(error) => return Ok(usage(&anyhow::Error::from(error).context("in --manager-cmd"))),
        },
    };
    let (scenario, words) = match &arguments.scenario {
        None => (generated(arguments)?, Vec::new()),
        Some(path) => match input::load(path, &arguments.input) {
            Ok(loaded) => (loaded.scenario, words(path, &arguments.input)),
            Err(Refused::Faulty) => return Ok(Outcome::Invalid),
            Err(Refused::Usage(error)) => return Ok(usage(&error)),
        },
    };
    let nodes = scenario.plan.nodes.len();
    let addresses = AddressPlan::Addresses {
        network: arguments.network,
        port: free_port(arguments.network)?,
    };
    if let Err(error) = addresses.addresses(nodes) {
        return Ok(usage(&error.into()));
    }
    // The processes inherit it.
    net::raise_open_files(nodes as u64 * SOCKETS_EACH)?;
    let output = OutputDir::create(&directory(arguments, &scenario), OUTPUT_BYTES)?;
    // From here on: the scenario and what the processes say go there as well.
    let results = output.replace()?;
    let words = match arguments.scenario {
        Some(_) => words,
        None => {
            results.write("scenario.toml", scenario.text.as_bytes())?;
            vec![output.path().join("scenario.toml").display().to_string()]
        }
    };
    let plan = Plan {
        program,
        scenario: words,
        seed: arguments.seed.unwrap_or(scenario.plan.run.seed),
        simulated: scenario.plan.clone(),
        addresses,
        manager,
        strategy: arguments.strategy.name().to_owned(),
        directory: output.path().to_owned(),
        containers_per_node: arguments.containers_per_node.into(),
        count: arguments.count,
        clients: arguments.clients as usize,
        reads: arguments.reads,
        idle: arguments.idle,
        patience: arguments.patience,
    };
    interrupt::listen()?;
    let mut findings = Findings::default();
    let outcome = run(&plan, arguments.quiet, &mut findings)?;
    let shown = Shown {
        plan: &plan,
        scenario: &scenario,
        findings: &findings,
    };
    shown.write(results)?;
    if let Err(error) = outcome {
        // What was found before is kept in the files.
        return Err(error.into());
    }
    match arguments.format {
        // Interrupted before there was anything to show.
        _ if findings.fill.is_none() => {}
        Format::Table => shown.print_table(output.path())?,
        Format::Json => writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&shown.json())?)?,
    }
    if interrupt::requested() {
        tell!("swarmlab: interrupted; manager and engines have been ended, and what was measured is kept");
        return Ok(Outcome::Interrupted);
    }
    Ok(Outcome::Done)
}

/// Replaces this process by another program that ends with the one that started it.
pub fn guard(words: &[OsString]) -> anyhow::Result<Outcome> {
    Err(scaletest::guard(words)).context("cannot start")
}

type Tested = Result<(), scaletest::ChildError>;

fn run(plan: &Plan, quiet: bool, findings: &mut Findings) -> anyhow::Result<Tested> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let bar = Bar::new(quiet);
    let outcome = runtime.block_on(async {
        let stop = CancellationToken::new();
        let stopped = interrupt::wait();
        let ends = stop.clone();
        tokio::spawn(async move {
            stopped.await;
            ends.cancel();
        });
        scaletest::measure(plan, &stop, &|stage, done, of| bar.show(stage, done, of), findings).await
    });
    bar.bar.finish_and_clear();
    Ok(outcome)
}

/// A bar on a terminal; elsewhere a line for every stage.
struct Bar {
    bar: ProgressBar,
    lines: bool,
    stage: RefCell<Option<Stage>>,
}

impl Bar {
    fn new(quiet: bool) -> Bar {
        let target = match quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        let bar = ProgressBar::with_draw_target(Some(1), target);
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos} of {len}  {elapsed_precise}");
        bar.set_style(style.expect("the template is a constant and valid"));
        Bar {
            lines: !quiet && bar.is_hidden(),
            bar,
            stage: RefCell::new(None),
        }
    }

    fn show(&self, stage: Stage, done: u64, of: u64) {
        if self.stage.replace(Some(stage)) != Some(stage) {
            self.bar.set_message(stage.name());
            if self.lines {
                tell!("swarmlab: {}", stage.name());
            }
        }
        self.bar.set_length(of);
        self.bar.set_position(done);
    }
}

fn directory(arguments: &LiveArguments, scenario: &Scenario) -> PathBuf {
    match (&arguments.out, &arguments.scenario) {
        (Some(out), _) => out.clone(),
        (None, Some(_)) => Path::new("results").join(format!("{}-live", input::stem(scenario))),
        (None, None) => {
            let (nodes, each) = (arguments.nodes, arguments.containers_per_node);
            Path::new("results").join(format!("live-{nodes}x{each}"))
        }
    }
}

/// A port that no engine of somebody else listens on, as far as the first of the addresses tells.
fn free_port(network: Ipv4Addr) -> anyhow::Result<u16> {
    let [a, b, c, _] = network.octets();
    let first = Ipv4Addr::new(a, b, c, 1);
    let listener = TcpListener::bind((first, 0)).with_context(|| format!("cannot listen on {first}"))?;
    Ok(listener.local_addr().context("cannot find a free port")?.port())
}

/// The scenario's words on the command line of `engines`.
fn words(path: &Path, arguments: &ScenarioArguments) -> Vec<String> {
    let mut words = vec![path.display().to_string()];
    words.extend(arguments.set.iter().map(|set| format!("--set={set}")));
    words.extend(
        arguments
            .traces
            .iter()
            .map(|traces| format!("--traces={}", traces.display())),
    );
    words.extend(arguments.lenient.then(|| "--lenient".to_owned()));
    words
}

/// The cluster of the test: nodes alike, a third larger than the containers on them.
fn generated(arguments: &LiveArguments) -> anyhow::Result<Scenario> {
    let (nodes, each) = (u64::from(arguments.nodes), u64::from(arguments.containers_per_node));
    let memory = (each + each.div_ceil(3) + 8) * MEMORY_MIB;
    let containers = nodes * each + arguments.count;
    let text = format!(
        "# The cluster of `swarmlab bench live`: nodes alike, a third larger than the containers that fill them.\n\
         [run]\nduration = \"24h\"\n\n[cluster.nodes.node]\ncount = {nodes}\ncpus = 4\nmemory = \"{memory}MiB\"\n\n\
         [workload.app]\narrivals = {{ process = \"at-start\", count = {containers} }}\nimage = \"busybox\"\n
         memory = \"{MEMORY_MIB}MiB\"\n"
    );
    let parsed = scenario::parse("live.toml", &text, Path::new(""), &scenario::Options::default());
    parsed.map_err(|faults| anyhow::anyhow!("the scenario that was made for the test is faulty: {faults}"))
}
