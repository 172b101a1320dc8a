//! The measuring itself, with a progress bar and an eye on Ctrl-C.

use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use rayon::prelude::*;

use crate::bench::{
    Callgrind, Case, CountError, Figures, Judgement, Origin, Worker, WorkerError, sample, sample_in_turn,
};
use crate::cli::args::BenchArguments;
use crate::cli::interrupt;
use crate::cli::progress::Progress;
use crate::metrics::stats::quantile;

use super::grid::Grid;
use super::this_program;

/// What was measured.
pub struct Measured {
    /// The finished cases.
    pub cases: Vec<(Case, Figures)>,
    /// What the other program made of them.
    pub against: Option<Against>,
    /// Rounds that were finished, and that were to be.
    pub rounds: (usize, usize),
}

/// This program and another one.
pub enum Against {
    /// Samples of the other and of this one, taken in turn.
    Pairs(Vec<(Case, Vec<(f64, f64)>)>),
    /// The count of the other, and of this one.
    Counts(Vec<(Case, f64, f64)>),
}

impl Against {
    pub fn judge(&self, max_regression: f64) -> Judgement {
        match self {
            Against::Pairs(pairs) => Judgement::of_pairs(max_regression, pairs),
            Against::Counts(counts) => Judgement::of_counts(max_regression, counts),
        }
    }
}

/// Why nothing was measured.
pub enum Broken {
    /// What was asked for makes no sense.
    Usage(anyhow::Error),
    /// Something went wrong.
    Failure(anyhow::Error),
}

impl From<WorkerError> for Broken {
    fn from(error: WorkerError) -> Broken {
        match error {
            // Nobody's fault but that of who named the program.
            WorkerError::Start { .. } | WorkerError::NotOurs { .. } | WorkerError::Protocol { .. } => {
                Broken::Usage(error.into())
            }
            WorkerError::Refused { .. } | WorkerError::Lost { .. } | WorkerError::Interrupted => {
                Broken::Failure(error.into())
            }
        }
    }
}

impl From<CountError> for Broken {
    fn from(error: CountError) -> Broken {
        match error {
            CountError::Worker(error) => error.into(),
            other => Broken::Failure(other.into()),
        }
    }
}

/// Single decisions that each process times, for the 99th percentile.
const SINGLES: u64 = 300;

pub fn run(arguments: &BenchArguments, grid: &Grid, origin: &Origin) -> Result<Measured, Broken> {
    let rounds = if arguments.instructions { 1 } else { arguments.samples };
    let progress = Progress::new(grid.cases.len() * rounds, arguments.quiet, &grid.title);
    let span = arguments.time_per_case / u32::try_from(rounds).unwrap_or(u32::MAX).max(1);
    let measured = match (&arguments.against, arguments.instructions) {
        (other, true) => count(grid, other.as_deref(), origin, &progress),
        (Some(other), false) => in_turn(grid, other, origin, rounds, span, &progress),
        (None, false) => alone(grid, rounds, span, &progress),
    };
    progress.finish();
    measured
}

/// Each case with its samples.
type Samples<T> = Vec<(Case, Vec<T>)>;

/// Measures every case in so many rounds, each with new processes, until the user has had enough. Rounds that are not
/// finished are left out; the number of those that are is handed back too.
fn in_rounds<T>(
    grid: &Grid,
    rounds: usize,
    progress: &Progress,
    mut round: impl FnMut(usize, &mut dyn FnMut(&Case, T)) -> Result<(), Broken>,
) -> Result<(Samples<T>, usize), Broken> {
    let mut found: Samples<T> = grid.cases.iter().map(|case| (case.clone(), Vec::new())).collect();
    let mut finished = 0;
    while finished < rounds && !interrupt::requested() {
        let outcome = round(finished, &mut |case, sample| {
            if let Some((_, samples)) = found.iter_mut().find(|(known, _)| known == case) {
                samples.push(sample);
            }
            progress.step();
        });
        match outcome {
            Ok(()) => finished += 1,
            Err(broken) => ends(broken)?,
        }
    }
    found.iter_mut().for_each(|(_, samples)| samples.truncate(finished));
    if finished == 0 {
        found.clear();
    }
    Ok((found, finished))
}

/// This program alone.
fn alone(grid: &Grid, rounds: usize, span: Duration, progress: &Progress) -> Result<Measured, Broken> {
    let program = this_program().map_err(Broken::Failure)?;
    let (found, finished) = in_rounds(grid, rounds, progress, |_, keep| {
        let mut worker = Worker::start(&program, &grid.spec, &interrupt::requested)?;
        for case in by_cluster(&grid.cases) {
            worker.prepare(case)?;
            let sample = sample(&mut worker, span)?;
            keep(case, (sample, worker.time_singly(SINGLES, span / 4)?));
        }
        Ok(())
    })?;
    let figures = |(case, measured): (Case, Vec<(f64, Vec<u64>)>)| {
        let (samples, singles): (Vec<f64>, Vec<Vec<u64>>) = measured.into_iter().unzip();
        let singles: Vec<f64> = singles.into_iter().flatten().map(|nanos| nanos as f64).collect();
        let p99 = quantile(&singles, 0.99);
        (case, Figures { samples, p99 })
    };
    Ok(Measured {
        cases: found.into_iter().map(figures).collect(),
        against: None,
        rounds: (finished, rounds),
    })
}

/// Another program and this one, in turn. Who starts first changes from round to round.
fn in_turn(
    grid: &Grid,
    other: &Path,
    origin: &Origin,
    rounds: usize,
    span: Duration,
    progress: &Progress,
) -> Result<Measured, Broken> {
    let program = this_program().map_err(Broken::Failure)?;
    let (found, finished) = in_rounds(grid, rounds, progress, |round, keep| {
        let start = |program| Worker::start(program, &grid.spec, &interrupt::requested);
        let (mut theirs, mut ours) = if round % 2 == 0 {
            let theirs = start(other)?;
            (theirs, start(&program)?)
        } else {
            let ours = start(&program)?;
            (start(other)?, ours)
        };
        alike(theirs.origin(), origin)?;
        for case in by_cluster(&grid.cases) {
            theirs.prepare(case)?;
            ours.prepare(case)?;
            let pair = if round % 2 == 0 {
                sample_in_turn(&mut theirs, &mut ours, 2 * span)?
            } else {
                let (now, before) = sample_in_turn(&mut ours, &mut theirs, 2 * span)?;
                (before, now)
            };
            keep(case, pair);
        }
        Ok(())
    })?;
    let own = |(case, pairs): &(Case, Vec<(f64, f64)>)| {
        let samples = pairs.iter().map(|(_, now)| *now).collect();
        (case.clone(), Figures { samples, p99: None })
    };
    Ok(Measured {
        cases: found.iter().map(own).collect(),
        against: Some(Against::Pairs(found)),
        rounds: (finished, rounds),
    })
}

/// The instructions of this program, and of another one if there is one. Cases are counted at the same time, since
/// that changes no count.
fn count(grid: &Grid, other: Option<&Path>, origin: &Origin, progress: &Progress) -> Result<Measured, Broken> {
    let callgrind = Callgrind::find()?;
    let this = this_program().map_err(Broken::Failure)?;
    let one = |case: &Case| -> Result<Option<(Case, f64, Option<f64>)>, Broken> {
        if interrupt::requested() {
            return Ok(None);
        }
        let mut before = None;
        if let Some(other) = other {
            let (count, theirs) = callgrind.count(other, &grid.spec, case, &interrupt::requested)?;
            alike(&theirs, origin)?;
            before = Some(count);
        }
        let (now, _) = callgrind.count(&this, &grid.spec, case, &interrupt::requested)?;
        progress.step();
        Ok(Some((case.clone(), now, before)))
    };
    let counted: Vec<Result<_, Broken>> = grid.cases.par_iter().with_max_len(1).map(one).collect();
    let mut found = Vec::new();
    for case in counted {
        match case {
            Ok(case) => found.extend(case),
            Err(broken) => ends(broken)?,
        }
    }
    let pairs = found
        .iter()
        .filter_map(|(case, now, before)| Some((case.clone(), (*before)?, *now)));
    let against = other.map(|_| Against::Counts(pairs.collect()));
    let figures = |(case, now, _): (Case, f64, Option<f64>)| {
        let samples = vec![now];
        (case, Figures { samples, p99: None })
    };
    let whole = found.len() == grid.cases.len();
    Ok(Measured {
        cases: found.into_iter().map(figures).collect(),
        against,
        rounds: (usize::from(whole), 1),
    })
}

/// A build with optimisation and one without have nothing to say to each other.
fn alike(other: &Origin, this: &Origin) -> Result<(), Broken> {
    if other.profile == this.profile {
        return Ok(());
    }
    let error = anyhow!(
        "the other program was built with the profile {}, and this one with {}",
        other.profile,
        this.profile
    );
    Err(Broken::Usage(error))
}

/// Whatever goes wrong once the user has had enough is no fault.
fn ends(broken: Broken) -> Result<(), Broken> {
    if interrupt::requested() { Ok(()) } else { Err(broken) }
}

/// The cases in an order in which neighbours share a cluster.
fn by_cluster(cases: &[Case]) -> Vec<&Case> {
    let mut ordered: Vec<&Case> = cases.iter().collect();
    // Stable: kinds stay in their order.
    ordered.sort_by_key(|case| (case.nodes, case.strategy));
    ordered
}
