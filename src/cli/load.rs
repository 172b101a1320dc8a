//! `swarmlab load`: the requests of a scenario over the Docker API.

mod written;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

use crate::load::{self, Options, Prefix};
use crate::net::{self, Address};
use crate::report::OutputDir;
use crate::scheduler::Strategy;

use super::args::{Format, OutputArguments, ScenarioArguments};
use super::engines::speed;
use super::input::{self, Refused};
use super::{Outcome, interrupt};
use written::Written;

/// Bytes of all files, generously.
const OUTPUT_BYTES: u64 = 64 << 20;
/// Time between two turns of the spinner.
const TICK: Duration = Duration::from_millis(100);

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Arrivals keep the scenario's schedule, however slow the target is: latencies are counted from when a
request was due, and from when it was sent. Containers are removed at the end of their lifetime.
With one connection, requests keep their order. Results go to results/SCENARIO-load: latencies.csv, and
what run writes, with the strategy \"live\" (or --label). --compare simulates the same beside it; times
are the scenario's in both, so that at --speed 60 an answer after 10 ms is a wait of 0.6 s.

Examples:
  swarmlab load scenarios/quickstart.toml --target tcp://127.0.0.1:3375 --speed 60
  swarmlab load scenarios/quickstart.toml --target tcp://127.0.0.1:3375 --speed 60 --compare spread,binpack
  swarmlab load scenarios/quickstart.toml --target tcp://127.0.0.1:3375 --closed 16 --count 10000")]
pub struct LoadArguments {
    /// Scenario file
    pub scenario: PathBuf,
    /// Endpoint that speaks the Docker API
    #[arg(long, value_name = "URL", value_parser = Address::parse)]
    pub target: Address,
    /// Connections at the same time
    #[arg(long, value_name = "K", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// Let the scenario's time run so many times faster
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed)]
    pub speed: f64,
    /// Instead of keeping the schedule, let so many clients create one container after the other
    #[arg(long, value_name = "K", requires = "count", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub closed: Option<u32>,
    /// Containers that those clients create
    #[arg(long, value_name = "N", requires = "closed")]
    pub count: Option<u64>,
    /// Seed of everything random; the scenario's if none is given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// What the names of containers begin with; different in every run if nothing is given
    #[arg(long, value_name = "TEXT")]
    pub name_prefix: Option<Prefix>,
    /// What tables and pictures call what was measured
    #[arg(long, value_name = "NAME", default_value = "live")]
    pub label: String,
    /// Simulate the same with these strategies, and show them beside it
    #[arg(long, value_name = "STRATEGY", value_delimiter = ',', conflicts_with = "closed")]
    pub compare: Vec<Strategy>,
    #[command(flatten)]
    pub input: ScenarioArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

pub fn load(arguments: &LoadArguments) -> anyhow::Result<Outcome> {
    let loaded = match input::load(&arguments.scenario, &arguments.input) {
        Ok(loaded) => loaded,
        Err(Refused::Faulty) => return Ok(Outcome::Invalid),
        Err(Refused::Usage(error)) => return Ok(super::usage(&error)),
    };
    let default = || PathBuf::from("results").join(format!("{}-load", input::stem(&loaded.scenario)));
    let directory = arguments.output.out.clone().unwrap_or_else(default);
    let results = OutputDir::create(&directory, OUTPUT_BYTES)?;
    let stop = CancellationToken::new();
    let plan = &loaded.scenario.plan;
    let options = Options {
        seed: arguments.seed.unwrap_or(plan.run.seed),
        plan: plan.clone(),
        target: arguments.target.clone(),
        connections: arguments.connections as usize,
        speed: arguments.speed,
        patience: Duration::from_secs(60),
        prefix: arguments.name_prefix.clone().unwrap_or_else(of_now),
        stop: stop.clone(),
    };
    net::raise_open_files_at_most();
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let bar = bar(arguments);
    let progress = |asked: u64| bar.set_position(asked);
    interrupt::listen()?;
    let measured = runtime.block_on(async {
        tokio::spawn(async move {
            interrupt::wait().await;
            stop.cancel();
        });
        match (arguments.closed, arguments.count) {
            (Some(clients), Some(count)) => load::closed(&options, clients as usize, count, progress).await,
            _ => load::open(&options, progress).await,
        }
    });
    bar.finish_and_clear();
    let written = Written {
        loaded: &loaded,
        arguments,
        seed: options.seed,
        prefix: &options.prefix,
        measured: &measured,
    };
    let beside = written.write(&results)?;
    match arguments.output.format {
        Format::Table => written.print_table(beside.as_ref(), results.path())?,
        Format::Json => written.print_json(beside.as_ref(), results.path())?,
    }
    if measured.is_partial {
        tell!(
            "swarmlab: interrupted; what had been answered is kept, and containers that are still there are called {}…",
            options.prefix
        );
        return Ok(Outcome::Interrupted);
    }
    Ok(Outcome::Done)
}

/// How many containers have been asked for, on the terminal only.
fn bar(arguments: &LoadArguments) -> ProgressBar {
    let target = match arguments.output.quiet {
        true => ProgressDrawTarget::hidden(),
        false => ProgressDrawTarget::stderr(),
    };
    let (bar, template) = match arguments.count {
        Some(count) => (
            ProgressBar::with_draw_target(Some(count), target),
            "{pos} of {len} containers asked for {wide_bar} {elapsed_precise}",
        ),
        // How many there will be is not known.
        None => (
            ProgressBar::with_draw_target(None, target),
            "{spinner} {pos} containers asked for  {elapsed_precise}",
        ),
    };
    bar.set_style(ProgressStyle::with_template(template).expect("the templates are constants and valid"));
    bar.enable_steady_tick(TICK);
    bar
}

/// A prefix that another run, at another time, does not have: the milliseconds since 1970 in base 36.
fn of_now() -> Prefix {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut rest = since.as_millis();
    let mut digits = Vec::new();
    while rest > 0 {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize]);
        rest /= 36;
    }
    digits.reverse();
    let text = String::from_utf8_lossy(&digits) + "-";
    text.parse().expect("digits and a dash")
}
