//! One experiment from the command line: its runs, watched and written down.

use std::path::Path;
use std::time::Instant;

use crate::experiment::{Cell, StrategyRuns, by_strategy, cells, in_parallel, run_cell, threads};
use crate::metrics::{Comparison, RunRecord, Setup};
use crate::model::Time;
use crate::scheduler::Strategy;
use crate::sim::{End, Observer, Observers, Plan};

use super::args::OutputArguments;
use super::input::Loaded;
use super::interrupt;
use super::progress::Progress;
use super::write::{Manifest, Results};

/// The runs of an experiment, ready to start.
pub struct Session<'a> {
    pub loaded: &'a Loaded,
    pub strategies: Vec<Strategy>,
    pub seeds: Vec<u64>,
    pub jobs: Option<usize>,
    pub results: Results,
    pub quiet: bool,
}

/// The runs that were finished.
pub struct Finished {
    pub strategies: Vec<StrategyRuns>,
    pub runs: (usize, usize),
}

impl<'a> Session<'a> {
    /// Makes sure that the results can be written.
    pub fn prepare(
        loaded: &'a Loaded,
        strategies: Vec<Strategy>,
        seeds: Vec<u64>,
        jobs: Option<usize>,
        directory: &Path,
        output: &OutputArguments,
    ) -> anyhow::Result<Session<'a>> {
        let first_seed = seeds.first().copied().unwrap_or_default();
        let runs = strategies.len().saturating_mul(seeds.len());
        if let Some(asked) = jobs.filter(|jobs| threads(Some(*jobs), runs) < (*jobs).min(runs)) {
            tell!(
                "swarmlab: --jobs {asked} is more than this machine makes use of: {} of {runs} runs are made at the same time",
                threads(Some(asked), runs)
            );
        }
        let results = Results::prepare(directory, output, &loaded.scenario.plan, &strategies, first_seed)?;
        Ok(Session {
            loaded,
            strategies,
            seeds,
            jobs,
            results,
            quiet: output.quiet,
        })
    }

    /// Runs every strategy with every seed. `watch` makes a further observer for a run, if it wants one, and is handed
    /// it back when the run is finished.
    pub fn run<O: Observer + Send>(
        &self,
        watch: impl Fn(Cell) -> anyhow::Result<Option<O>> + Sync + Send,
        keep: impl Fn(Cell, O) -> anyhow::Result<()> + Sync + Send,
    ) -> anyhow::Result<Finished> {
        let plan = &self.loaded.scenario.plan;
        let setup = Setup::from_plan(plan);
        let cells = cells(&self.strategies, &self.seeds);
        let progress = Progress::new(cells.len(), self.quiet, &self.loaded.scenario.title);
        let end = expected_end(plan);
        let clock = Instant::now();
        let stopwatch = || clock.elapsed().as_nanos() as u64;
        let one = |cell: Cell| -> anyhow::Result<Option<RunRecord>> {
            if interrupt::requested() {
                return Ok(None);
            }
            let mut placements = self.results.placements(cell, plan)?;
            let mut watcher = watch(cell)?;
            let mut bar = progress.run(end);
            let mut observers: Vec<&mut dyn Observer> = vec![&mut bar];
            observers.extend(placements.as_mut().map(|own| own as &mut dyn Observer));
            observers.extend(watcher.as_mut().map(|own| own as &mut dyn Observer));
            let record = run_cell(
                plan,
                &setup,
                cell,
                &mut Observers(observers),
                &stopwatch,
                &interrupt::requested,
            );
            if record.is_some() {
                if let Some(placements) = placements {
                    self.results.keep(cell, placements)?;
                }
                if let Some(watcher) = watcher {
                    keep(cell, watcher)?;
                }
            }
            Ok(record)
        };
        let outcomes = in_parallel(&cells, self.jobs, one)?;
        progress.finish();
        let mut finished = Vec::new();
        for (cell, outcome) in cells.iter().zip(outcomes) {
            finished.extend(outcome?.map(|record| (*cell, record)));
        }
        Ok(Finished {
            runs: (finished.len(), cells.len()),
            strategies: by_strategy(&self.strategies, finished),
        })
    }

    /// Writes the results.
    pub fn write(&self, finished: &Finished, comparison: Option<&Comparison>) -> anyhow::Result<()> {
        let overrides = self.loaded.options.overrides.iter().map(ToString::to_string).collect();
        let manifest = Manifest {
            scenario: &self.loaded.scenario,
            overrides,
            seeds: self.seeds.clone(),
            runs: finished.runs,
        };
        self.results.write(&finished.strategies, comparison, &manifest)
    }
}

/// When a run of the plan ends, as far as can be told beforehand.
fn expected_end(plan: &Plan) -> Time {
    match plan.run.end {
        End::At(time) => time,
        End::Drained { at_most } => at_most,
    }
}
