//! The arguments of every command. Help texts, completions and manual pages are made from these types.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

use crate::bench::SAMPLES_MIN;
use crate::scenario::units;
use crate::scheduler::Strategy;
use crate::sim::RunPlan;

use super::bench::live::LiveArguments;
use super::engines::EnginesArguments;
use super::live::args::{GlobalArguments, LiveCommand};
use super::load::LoadArguments;

const EXAMPLES: &str = "\
Examples:
  swarmlab compare scenarios/quickstart.toml      Which strategy serves this workload best?
  swarmlab compare scenarios/openb.toml --traces DIR
                                                  The same on a real cluster's trace
  swarmlab run scenarios/zones.toml --strategy binpack --set workload.front.replicas=2
  swarmlab explain scenarios/zones.toml --class database --at 3h
  swarmlab bench --nodes 10,1000 --kind plain     How long does a decision take?
  swarmlab validate scenarios/quickstart.toml
  swarmlab engines scenarios/zones.toml           Its nodes as Docker engines on the loopback
  swarmlab list 10.0.0.[1:3]:2375

Exit codes:
  0    done
  1    a file cannot be read or written, a replay came out differently, or decisions take
       longer than allowed
  2    wrong usage, or a faulty scenario (the live commands: 1)
  130  interrupted; what was finished is kept";

/// Compare and measure how Docker Swarm's scheduler places containers, on simulated clusters; or manage a real one.
#[derive(Debug, Parser)]
#[command(name = "swarmlab", version, disable_version_flag = true, after_help = EXAMPLES, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    pub global: GlobalArguments,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(flatten)]
    Lab(LabCommand),
    #[command(flatten)]
    Live(LiveCommand),
}

/// Commands that deal with simulated clusters.
#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Simulate a scenario with one strategy
    Run(RunArguments),
    /// Compare strategies on the same arrivals, over many seeds
    Compare(CompareArguments),
    /// Measure how long decisions take, and whether they take longer than before
    Bench(BenchArguments),
    /// Say why each node would take or refuse one more container
    Explain(ExplainArguments),
    /// Repeat a logged run and make sure that it comes out the same
    Replay(ReplayArguments),
    /// Check scenarios without running them
    Validate(ValidateArguments),
    /// Serve the nodes of a scenario as Docker engines, for any client or manager
    Engines(EnginesArguments),
    /// Send the requests of a scenario to a Docker endpoint and measure the answers
    Load(LoadArguments),
    /// Print the JSON Schema of scenario files, for editors
    Schema,
    /// Print shell completions
    #[command(after_help = "Example:\n  swarmlab completions bash > /etc/bash_completion.d/swarmlab")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a manual page
    #[command(after_help = "Example:\n  swarmlab man | man -l -\n  swarmlab man compare | man -l -")]
    Man {
        /// Command that the page is about; the program itself if none
        command: Option<String>,
    },
}

/// How a scenario is read.
#[derive(Clone, Debug, Args)]
pub struct ScenarioArguments {
    /// Override a value of the scenario, such as run.duration=2h or workload.web.replicas=3
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Directory of the traces that the scenario reads
    #[arg(long, value_name = "DIR")]
    pub traces: Option<PathBuf>,
    /// Skip and count rows of traces that cannot be read, instead of refusing the trace
    #[arg(long)]
    pub lenient: bool,
}

/// Which of the runs of a scenario.
#[derive(Clone, Debug, Args)]
pub struct ChoiceArguments {
    /// Strategy; the first one of the scenario if none is given
    #[arg(long)]
    pub strategy: Option<Strategy>,
    /// Seed, of the first repetition if there are several; the scenario's if none is given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

impl ChoiceArguments {
    /// Strategy and seed for a scenario that is run in this way.
    pub fn of(&self, run: &RunPlan) -> (Strategy, u64) {
        let first = run.strategies.first().copied();
        (
            self.strategy.or(first).unwrap_or(Strategy::Spread),
            self.seed.unwrap_or(run.seed),
        )
    }
}

/// What is written, and how.
#[derive(Clone, Debug, Args)]
pub struct OutputArguments {
    /// Directory for the results
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Do not write placements.csv, which has a row for every container
    #[arg(long)]
    pub no_placements: bool,
    /// Do not draw pictures
    #[arg(long)]
    pub no_plots: bool,
    /// What to print: a table for people, or JSON for programs
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Do not show progress
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  swarmlab run scenarios/quickstart.toml
  swarmlab run scenarios/rolling-failures.toml --strategy binpack --seed 7 --out /tmp/binpack
  swarmlab run scenarios/quickstart.toml --log run.jsonl && swarmlab replay run.jsonl")]
pub struct RunArguments {
    /// Scenario file, or a directory with an openb trace
    pub scenario: PathBuf,
    #[command(flatten)]
    pub choice: ChoiceArguments,
    /// Write an event log that `replay` can repeat (of the first repetition)
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Runs at the same time, at most four for each processor; one for each if none is given
    #[arg(long, value_name = "N", value_parser = jobs)]
    pub jobs: Option<usize>,
    #[command(flatten)]
    pub input: ScenarioArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Every strategy sees the same arrivals and failures for the same seed. A strategy wins a metric
where the paired t-test over the seeds, corrected by Holm's method, finds it better than every
other one at the 5 % level.

Examples:
  swarmlab compare scenarios/quickstart.toml
  swarmlab compare scenarios/zones.toml scenarios/web-fleet.toml --seeds 10 --out /tmp/both
  swarmlab compare scenarios/openb.toml --traces ~/traces/openb --strategies spread,binpack")]
pub struct CompareArguments {
    /// Scenario files, or directories with an openb trace
    #[arg(required = true)]
    pub scenarios: Vec<PathBuf>,
    /// Strategies to compare; those of the scenario if none are given
    #[arg(long, value_delimiter = ',')]
    pub strategies: Vec<Strategy>,
    /// Number of seeds
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub seeds: u32,
    /// First seed; the scenario's if none is given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Runs at the same time, at most four for each processor; one for each if none is given
    #[arg(long, value_name = "N", value_parser = jobs)]
    pub jobs: Option<usize>,
    #[command(flatten)]
    pub input: ScenarioArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What `bench` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchFormat {
    Table,
    Json,
    Csv,
}

/// What `bench` measures besides decisions.
#[derive(Clone, Debug, Subcommand)]
pub enum BenchCommand {
    /// Measure a manager, ours or another, in front of simulated engines
    Live(Box<LiveArguments>),
}

/// Most nodes of a cluster that is measured: more do not fit in the memory of most machines.
const BENCH_NODES_MAX: u64 = 1_000_000;

#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true, group(ArgGroup::new("reference").args(["baseline", "against"])), after_help = "\
Without a scenario a built-in cluster is measured: 30 containers on every node, and a kind of
request for every filter that costs something. With a scenario, its nodes are repeated until
there are as many as wanted, and its classes are the kinds of request; --at fills the cluster as
a run has filled it by then. The kind first-sight asks for another size every time, so that the
scheduler can remember nothing.

A regression is a decision that takes more than --max-regression longer, beyond reasonable doubt:
the exit code is then 1. Clocks on shared machines are noisy. --against measures two programs in
turn, which cancels most of the noise; --instructions counts instead, which has none.

Examples:
  swarmlab bench --nodes 10,1000 --kind plain,port
  swarmlab bench scenarios/zones.toml --at 3h --strategy spread --save-baseline zones
  swarmlab bench scenarios/zones.toml --at 3h --strategy spread --baseline FILE.json --max-regression 50%
  swarmlab bench --against FILE --max-regression 10%
  swarmlab bench --instructions --nodes 10,1000 --baseline FILE.json
  swarmlab bench live --help")]
pub struct BenchArguments {
    #[command(subcommand)]
    pub command: Option<BenchCommand>,
    /// Scenario file, or a directory with an openb trace; a built-in cluster if none is given
    pub scenario: Option<PathBuf>,
    /// Cluster sizes; a scenario's own size, and tenfold up to 10,000, if none are given
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=BENCH_NODES_MAX))]
    pub nodes: Vec<u64>,
    /// Strategies; those of the scenario if none are given
    #[arg(long, alias = "strategies", value_delimiter = ',')]
    pub strategy: Vec<Strategy>,
    /// Kinds of request; all if none are given
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub kind: Vec<String>,
    /// Virtual time of the scenario at which to measure, such as 90s or 2h; its empty cluster if none is given
    #[arg(long, value_name = "TIME", requires = "scenario")]
    pub at: Option<String>,
    /// Seed of the scenario's run; the scenario's if none is given
    #[arg(long, value_name = "N", requires = "scenario")]
    pub seed: Option<u64>,
    /// Time for the samples of each case
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = span, conflicts_with = "instructions")]
    pub time_per_case: Duration,
    /// Samples of each case, each from a process of its own
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = samples, conflicts_with = "instructions")]
    pub samples: usize,
    /// Count instructions instead of time; needs valgrind
    #[arg(long)]
    pub instructions: bool,
    /// Compare with the figures that were saved under this name, or in this .json file
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,
    /// Compare with another build of this program, measured in turn with this one
    #[arg(long, value_name = "PROGRAM")]
    pub against: Option<PathBuf>,
    /// How much longer a decision may take, such as 10% or 0.1; 10% if nothing is given
    #[arg(long, value_name = "SHARE", value_parser = share, requires = "reference")]
    pub max_regression: Option<f64>,
    /// Save the figures under this name, or in this .json file, unless there is a regression
    #[arg(long, value_name = "NAME", conflicts_with = "against")]
    pub save_baseline: Option<String>,
    /// Directory for the results
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Do not draw pictures
    #[arg(long)]
    pub no_plots: bool,
    /// What to print: a table for people, JSON or CSV for programs
    #[arg(long, value_enum, default_value_t = BenchFormat::Table)]
    pub format: BenchFormat,
    /// Do not show progress
    #[arg(long, short)]
    pub quiet: bool,
    #[command(flatten)]
    pub input: ScenarioArguments,
}

/// A span of time that is not zero.
pub fn span(text: &str) -> Result<Duration, String> {
    match units::duration(text) {
        Ok(span) if span.is_zero() => Err("no time at all".to_owned()),
        Ok(span) => Ok(span),
        Err(complaint) => Err(complaint.to_string()),
    }
}

fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("not a number from 1 on".to_owned()),
        Ok(jobs) => Ok(jobs),
    }
}

fn samples(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(samples @ SAMPLES_MIN..=SAMPLES_MAX) => Ok(samples),
        _ => Err(format!("not a number from {SAMPLES_MIN} to {SAMPLES_MAX}")),
    }
}

/// Most samples of a case: beyond, the figures tell no more.
const SAMPLES_MAX: usize = 1000;

/// A share: per cent with their sign, or a number up to one.
fn share(text: &str) -> Result<f64, String> {
    let number = |text: &str| {
        text.trim()
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite() && *number >= 0.0)
    };
    let found = match text.trim().strip_suffix('%') {
        Some(percent) => number(percent).map(|percent| percent / 100.0),
        None => number(text).filter(|share| *share <= 1.0),
    };
    found.ok_or_else(|| "write per cent, as in 10%, or a share up to 1, as in 0.1".to_owned())
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  swarmlab explain scenarios/zones.toml --class database
  swarmlab explain scenarios/port-contention.toml --class proxy --at 5m --strategy binpack --format json")]
pub struct ExplainArguments {
    /// Scenario file, or a directory with an openb trace
    pub scenario: PathBuf,
    /// Class of the container
    #[arg(long, value_name = "NAME")]
    pub class: String,
    /// Virtual time at which to ask, such as 90s or 2h; the end of the run if none is given
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    #[command(flatten)]
    pub choice: ChoiceArguments,
    /// What to print: a table for people, or JSON for programs
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    #[command(flatten)]
    pub input: ScenarioArguments,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Without --strategy every line must come out as logged; the first that does not is shown and the
exit code is 1. With --strategy the logged requests and failures are given to another strategy.

Examples:
  swarmlab replay run.jsonl
  swarmlab replay run.jsonl --strategy binpack --out /tmp/what-if")]
pub struct ReplayArguments {
    /// Event log
    pub log: PathBuf,
    /// Decide with this strategy instead
    #[arg(long)]
    pub strategy: Option<Strategy>,
    #[command(flatten)]
    pub output: OutputArguments,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  swarmlab validate scenarios/*.toml --traces ~/traces/openb
  swarmlab validate my.toml --set run.duration=2h")]
pub struct ValidateArguments {
    /// Scenario files
    #[arg(required = true)]
    pub scenarios: Vec<PathBuf>,
    #[command(flatten)]
    pub input: ScenarioArguments,
}
