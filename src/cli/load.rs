//! `swarmlab load`: the requests of a scenario over the Docker API.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

use crate::load::{self, Measured, Options, Prefix};
use crate::model::Time;
use crate::net::Address;
use crate::report::OutputDir;
use crate::sim::Plan;

use super::args::ScenarioArguments;
use super::engines::speed;
use super::input::{self, Refused};
use super::{Outcome, interrupt};

/// What the column `strategy` says of what was measured.
const MEASURED: &str = "measured";
/// Time between two turns of the spinner.
const TICK: Duration = Duration::from_millis(100);
/// Percentiles of the tables.
const PERCENTILES: [(&str, f64); 4] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9)];

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Arrivals keep the scenario's schedule, however slow the target is: latencies are counted from when a
request was due, and from when it was sent. Containers are removed at the end of their lifetime.
With one connection, requests keep their order. Results go to results/SCENARIO-load: placements.csv
as run writes it, with the strategy \"measured\", and latencies.csv.

Examples:
  swarmlab load scenarios/quickstart.toml --target tcp://127.0.0.1:3375 --speed 60
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
    /// Directory for the results
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Do not show progress
    #[arg(long, short)]
    pub quiet: bool,
    #[command(flatten)]
    pub input: ScenarioArguments,
}

pub fn load(arguments: &LoadArguments) -> anyhow::Result<Outcome> {
    let loaded = match input::load(&arguments.scenario, &arguments.input) {
        Ok(loaded) => loaded,
        Err(Refused::Faulty) => return Ok(Outcome::Invalid),
        Err(Refused::Usage(error)) => return Ok(super::usage(&error)),
    };
    let default = || PathBuf::from("results").join(format!("{}-load", input::stem(&loaded.scenario)));
    let results = OutputDir::create(&arguments.out.clone().unwrap_or_else(default), 0)?;
    let plan = loaded.scenario.plan;
    let stop = CancellationToken::new();
    let options = Options {
        seed: arguments.seed.unwrap_or(plan.run.seed),
        plan,
        target: arguments.target.clone(),
        connections: arguments.connections as usize,
        speed: arguments.speed,
        patience: Duration::from_secs(60),
        prefix: arguments.name_prefix.clone().unwrap_or_else(of_now),
        stop: stop.clone(),
    };
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
    results.write("placements.csv", &placements(&options.plan, options.seed, &measured)?)?;
    results.write("latencies.csv", &latencies(&measured)?)?;
    show(&measured, &options.prefix)?;
    writeln!(io::stdout(), "Results are in {}", results.path().display())?;
    if measured.is_partial {
        eprintln!(
            "swarmlab: interrupted; what had been answered is kept, and containers that are still there are called {}…",
            options.prefix
        );
        return Ok(Outcome::Interrupted);
    }
    Ok(Outcome::Done)
}

/// How many containers have been asked for, on the terminal only.
fn bar(arguments: &LoadArguments) -> ProgressBar {
    let target = match arguments.quiet {
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

fn placements(plan: &Plan, seed: u64, measured: &Measured) -> anyhow::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(crate::report::PLACEMENTS_HEADER)?;
    for placed in &measured.placed {
        let (outcome, node, reason) = match &placed.node {
            Ok(node) => ("placed", node.as_str(), ""),
            Err(reason) => ("rejected", "", reason.as_str()),
        };
        let Time(nanos) = placed.time;
        csv.write_record([
            MEASURED,
            &seed.to_string(),
            &crate::report::seconds(nanos),
            &placed.name,
            &plan.classes[placed.class].name,
            outcome,
            node,
            reason,
            "0",
            &placed.resources.cpus.to_string(),
            &crate::report::mebibytes(placed.resources.memory.get()),
            "false",
        ])?;
    }
    Ok(csv.into_inner()?)
}

/// Milliseconds of nanoseconds.
fn millis(nanos: u64) -> String {
    format!("{:.3}", nanos as f64 / 1e6)
}

fn latencies(measured: &Measured) -> anyhow::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let names = PERCENTILES.map(|(name, _)| format!("{name}_ms"));
    let header = ["operation", "since", "count"]
        .map(str::to_owned)
        .into_iter()
        .chain(names);
    csv.write_record(header.chain(["max_ms".to_owned()]))?;
    for (operation, due, sent) in measured.latencies.each() {
        for (since, histogram) in [("due", due), ("sent", sent)] {
            let percentiles = PERCENTILES.map(|(_, percentile)| millis(histogram.value_at_percentile(percentile)));
            let begin = [
                operation.name().to_owned(),
                since.to_owned(),
                histogram.len().to_string(),
            ];
            csv.write_record(begin.into_iter().chain(percentiles).chain([millis(histogram.max())]))?;
        }
    }
    Ok(csv.into_inner()?)
}

fn show(measured: &Measured, prefix: &Prefix) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let text = String::from_utf8(latencies(measured)?)?;
    for line in text.lines() {
        for (place, field) in line.split(',').enumerate() {
            let width = if place == 0 { 14 } else { 10 };
            write!(out, "{field:>width$}")?;
        }
        writeln!(out)?;
    }
    let seconds = measured.elapsed.as_secs_f64();
    let placed = measured.placed.iter().filter(|placed| placed.node.is_ok()).count();
    writeln!(
        out,
        "{placed} of {} containers placed in {seconds:.1} s, {:.0} a second",
        measured.placed.len(),
        placed as f64 / seconds.max(1e-9)
    )?;
    for (kind, count) in &measured.errors {
        writeln!(out, "{count} × {kind}")?;
    }
    writeln!(out, "Their names begin with {prefix:?}", prefix = prefix.to_string())?;
    Ok(())
}
