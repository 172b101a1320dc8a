//! Many runs of one plan: every strategy with every seed, in parallel, with results in a fixed order.
//!
//! Owns which runs there are, and what their records say together. Must not know how results are shown or stored.

mod bands;

pub use bands::{BandPoint, band, latency, mean_occupancy, mean_rejections};

use std::num::NonZero;

use rayon::prelude::*;

use crate::metrics::{Comparison, Recorder, RunRecord, Setup, Summary};
use crate::model::Time;
use crate::scheduler::Strategy;
use crate::sim::{Observer, Observers, Plan, Run, simulate};

/// One run of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Which strategy.
    pub strategy: Strategy,
    /// Which seed. Equal seeds give every strategy the same arrivals and failures.
    pub seed: u64,
}

/// Every strategy with every seed: all strategies of the first seed come first, so that an experiment that is stopped
/// early has compared them over some seeds.
pub fn cells(strategies: &[Strategy], seeds: &[u64]) -> Vec<Cell> {
    let of = |seed: &u64| {
        let seed = *seed;
        strategies.iter().map(move |strategy| Cell {
            strategy: *strategy,
            seed,
        })
    };
    seeds.iter().flat_map(of).collect()
}

/// Runs one cell and measures it, watched by a further observer. `None` if it was interrupted.
pub fn run_cell(
    plan: &Plan,
    setup: &Setup,
    cell: Cell,
    observer: &mut dyn Observer,
    stopwatch: &dyn Fn() -> u64,
    interrupted: &dyn Fn() -> bool,
) -> Option<RunRecord> {
    let mut recorder = Recorder::new(setup);
    let run = Run {
        strategy: cell.strategy,
        seed: cell.seed,
        stopwatch: Some(stopwatch),
        interrupted: Some(interrupted),
    };
    let finished = simulate(plan, run, Time::MAX, &mut Observers(vec![observer, &mut recorder]));
    (!finished.interrupted).then(|| recorder.finish())
}

/// Threads for each processor at most: more would only wait for one another.
const THREADS_A_PROCESSOR: usize = 4;

/// How many of so many runs are made at the same time when `jobs` are asked for, or as many as there are processors: each
/// takes a thread, and memory for a whole cluster.
pub fn threads(jobs: Option<usize>, runs: usize) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let most = processors.saturating_mul(THREADS_A_PROCESSOR).min(runs.max(1));
    jobs.unwrap_or(processors).clamp(1, most)
}

/// Applies a function to every cell, as many at the same time as [`threads`] says. Results are in the order of the cells,
/// whichever finishes first.
pub fn in_parallel<T: Send>(
    cells: &[Cell],
    jobs: Option<usize>,
    apply: impl Fn(Cell) -> T + Sync + Send,
) -> Result<Vec<T>, rayon::ThreadPoolBuildError> {
    let threads = threads(jobs, cells.len());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    // One cell at a time: they take long, and neighbours take equally long.
    Ok(pool.install(|| cells.par_iter().with_max_len(1).map(|cell| apply(*cell)).collect()))
}

/// The runs of one strategy, or of something else that places containers.
#[derive(Clone, Debug)]
pub struct StrategyRuns {
    /// Its name.
    pub label: String,
    /// Its finished runs, in the order of the seeds.
    pub runs: Vec<(u64, RunRecord)>,
}

/// Sorts finished runs by strategy.
pub fn by_strategy(strategies: &[Strategy], finished: Vec<(Cell, RunRecord)>) -> Vec<StrategyRuns> {
    let mut sorted: Vec<StrategyRuns> = strategies
        .iter()
        .map(|strategy| StrategyRuns {
            label: strategy.name().to_owned(),
            runs: Vec::new(),
        })
        .collect();
    for (cell, record) in finished {
        if let Some(own) = sorted.iter_mut().find(|own| own.label == cell.strategy.name()) {
            own.runs.push((cell.seed, record));
        }
    }
    sorted
}

/// Compares strategies over the seeds that every one of them has finished.
pub fn compare(strategies: &[StrategyRuns]) -> Comparison {
    let has = |own: &StrategyRuns, seed: u64| own.runs.iter().any(|(other, _)| *other == seed);
    let common = |seed: u64| strategies.iter().all(|own| has(own, seed));
    let summaries: Vec<(&str, Vec<Summary>)> = strategies
        .iter()
        .map(|own| {
            let runs = own.runs.iter().filter(|(seed, _)| common(*seed));
            (
                own.label.as_str(),
                runs.map(|(_, record)| record.summary.clone()).collect(),
            )
        })
        .collect();
    let borrowed: Vec<(&str, &[Summary])> = summaries.iter().map(|(name, runs)| (*name, runs.as_slice())).collect();
    Comparison::new(&borrowed)
}
