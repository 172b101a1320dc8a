//! Writing the results of an experiment into its directory.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::Path;
use std::sync::Mutex;

use anyhow::Context;
use serde_json::{Value, json};

use crate::experiment::{Cell, StrategyRuns};
use crate::metrics::Comparison;
use crate::report::{self, OutputDir, Placements, ROW_BYTES, ResultSet};
use crate::scenario::Scenario;
use crate::scheduler::Strategy;
use crate::sim::{Arrivals, Discipline, Plan, Source};

use super::args::OutputArguments;

/// Bytes of everything but placements, generously.
const OTHER_BYTES: u64 = 64 << 20;

/// Results on their way to a directory.
pub struct Results {
    output: OutputDir,
    /// `placements.csv` of the first seed, a part for each strategy, so that strategies can run at the same time.
    placements: Option<Vec<Mutex<Option<File>>>>,
    strategies: Vec<Strategy>,
    first_seed: u64,
    plots: bool,
}

/// What `manifest.json` says besides the scenario.
pub struct Manifest<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// `key=value` settings that replaced its values.
    pub overrides: Vec<String>,
    /// The seeds that were to be run.
    pub seeds: Vec<u64>,
    /// Runs that were finished and those that were planned; fewer if the user stopped them.
    pub runs: (usize, usize),
}

impl Results {
    /// Makes sure, before anything runs, that results can be written.
    pub fn prepare(
        directory: &Path,
        arguments: &OutputArguments,
        plan: &Plan,
        strategies: &[Strategy],
        first_seed: u64,
    ) -> anyhow::Result<Results> {
        let rows = if arguments.no_placements {
            0
        } else {
            expected_containers(plan).saturating_mul(strategies.len() as u64)
        };
        let output = OutputDir::create(directory, OTHER_BYTES.saturating_add(rows.saturating_mul(ROW_BYTES)))?;
        let placements = if arguments.no_placements {
            None
        } else {
            Some(strategies.iter().map(|_| Mutex::new(None)).collect())
        };
        Ok(Results {
            output,
            placements,
            strategies: strategies.to_vec(),
            first_seed,
            plots: !arguments.no_plots,
        })
    }

    /// Where they go.
    pub fn path(&self) -> &Path {
        self.output.path()
    }

    /// A writer of the placements of this run, if they are wanted.
    pub fn placements(&self, cell: Cell, plan: &Plan) -> anyhow::Result<Option<Placements<BufWriter<File>>>> {
        if self.placements.is_none() || cell.seed != self.first_seed {
            return Ok(None);
        }
        let file = tempfile::tempfile_in(self.path()).context("cannot write into the output directory")?;
        let classes = plan.classes.iter().map(|class| class.name.clone()).collect();
        let first = self.strategies.first() == Some(&cell.strategy);
        let mut placements = Placements::new(BufWriter::new(file), classes, first);
        placements.begin_run(cell.strategy.name(), cell.seed);
        Ok(Some(placements))
    }

    /// Takes the placements of a finished run.
    pub fn keep(&self, cell: Cell, placements: Placements<BufWriter<File>>) -> anyhow::Result<()> {
        let finished = placements
            .finish()
            .and_then(|buffer| buffer.into_inner().map_err(io::IntoInnerError::into_error));
        let file = finished.context("cannot write the placements")?;
        let place = self.strategies.iter().position(|strategy| *strategy == cell.strategy);
        let part = place
            .zip(self.placements.as_ref())
            .and_then(|(place, parts)| parts.get(place));
        if let Some(part) = part {
            // A thread that panicked ends the program, so nobody meets its lock.
            *part.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(file);
        }
        Ok(())
    }

    /// Writes everything.
    pub fn write(
        &self,
        strategies: &[StrategyRuns],
        comparison: Option<&Comparison>,
        manifest: &Manifest<'_>,
    ) -> anyhow::Result<()> {
        let output = self.output.replace()?;
        output.write("summary.csv", &report::summary(strategies)?)?;
        output.write("timeseries.csv", &report::timeseries(strategies)?)?;
        output.write("decisions.csv", &report::decisions(strategies)?)?;
        match comparison {
            Some(comparison) => output.write("comparison.csv", &report::comparison(comparison)?)?,
            None => output.discard("comparison.csv")?,
        }
        self.write_placements(&output)?;
        write_pictures(&output, self.plots, strategies, comparison, &manifest.scenario.title)?;
        let mut text = serde_json::to_string_pretty(&self.describe(manifest))?;
        text.push('\n');
        Ok(output.finish(text.as_bytes())?)
    }

    fn write_placements(&self, output: &ResultSet<'_>) -> anyhow::Result<()> {
        let Some(parts) = &self.placements else {
            return Ok(output.discard("placements.csv")?);
        };
        let mut whole = output.begin("placements.csv")?;
        for part in parts {
            let taken = part.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
            if let Some(mut file) = taken {
                file.rewind()
                    .and_then(|()| io::copy(&mut file, &mut whole))
                    .context("cannot write placements.csv")?;
            }
        }
        whole.flush().context("cannot write placements.csv")?;
        Ok(whole.finish()?)
    }

    fn describe(&self, manifest: &Manifest<'_>) -> Value {
        let run = &manifest.scenario.plan.run;
        let (finished, planned) = manifest.runs;
        json!({
            "program": "swarmlab",
            "version": env!("CARGO_PKG_VERSION"),
            "command_line": std::env::args().collect::<Vec<_>>(),
            "scenario": {
                "name": manifest.scenario.name,
                "title": manifest.scenario.title,
                "hash": manifest.scenario.hash,
                "overrides": manifest.overrides,
                "text": manifest.scenario.text,
            },
            "strategies": self.strategies.iter().map(|strategy| strategy.name()).collect::<Vec<_>>(),
            "filters": run.filters.iter().map(|filter| filter.name()).collect::<Vec<_>>(),
            "strict": run.strict.enabled(),
            "queue": queue_names(&manifest.scenario.plan),
            "seeds": manifest.seeds,
            "runs_finished": finished,
            "runs_planned": planned,
            "platform": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        })
    }
}

/// Draws the pictures, and removes those of an earlier run that are not drawn again.
pub fn write_pictures(
    output: &ResultSet<'_>,
    plots: bool,
    strategies: &[StrategyRuns],
    comparison: Option<&Comparison>,
    title: &str,
) -> anyhow::Result<()> {
    let drawn = if plots {
        report::pictures(title, strategies, comparison).context("cannot draw the results")?
    } else {
        Vec::new()
    };
    for stem in report::STEMS {
        let picture = drawn.iter().find(|picture| picture.stem == stem);
        for (ending, bytes) in [
            ("svg", picture.map(|picture| picture.drawing.svg.as_bytes())),
            ("png", picture.map(|picture| picture.drawing.png.as_slice())),
        ] {
            let name = format!("{stem}.{ending}");
            match bytes {
                Some(bytes) => output.write(&name, bytes)?,
                None => output.discard(&name)?,
            }
        }
    }
    Ok(())
}

/// The disciplines of the queue; none if nobody queues.
pub fn queue_names(plan: &Plan) -> Vec<&'static str> {
    plan.disciplines().map(Discipline::name).collect()
}

/// About how many containers a run of the plan submits, to know how large its files get.
fn expected_containers(plan: &Plan) -> u64 {
    let end = match plan.run.end {
        crate::sim::End::At(time) => time,
        crate::sim::End::Drained { at_most } => at_most,
    };
    let of_class = |class: &crate::sim::ClassPlan| {
        let arrivals = match &class.source {
            Source::Trace(trace) => trace.rows.len() as u64,
            Source::Synthetic {
                arrivals,
                start,
                stop,
                limit,
                ..
            } => {
                let seconds = (*stop).min(end).since(*start).as_secs_f64();
                let expected = match arrivals {
                    Arrivals::Poisson { rate } | Arrivals::Diurnal { rate, .. } => seconds * rate,
                    Arrivals::Fixed { interval } => seconds / interval.as_secs_f64(),
                    Arrivals::Burst { size, interval } => seconds / interval.as_secs_f64() * f64::from(*size),
                    Arrivals::AtStart { count } => *count as f64,
                };
                // The cast saturates.
                limit.unwrap_or(u64::MAX).min(expected as u64)
            }
        };
        arrivals.saturating_mul(u64::from(class.replicas))
    };
    plan.classes.iter().map(of_class).fold(0, u64::saturating_add)
}
