//! What `load` has measured, as tables and files, beside simulations of the same.

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::cli::input::Loaded;
use crate::cli::interrupt;
use crate::cli::write::write_pictures;
use crate::experiment::{Cell, StrategyRuns, compare, run_cell};
use crate::load::{self, Measured, Prefix};
use crate::metrics::{Comparison, Setup};
use crate::model::Time;
use crate::report::{self, Align, OutputDir, Placements, ResultSet};

use super::LoadArguments;

/// Percentiles of the tables.
const PERCENTILES: [(&str, f64); 4] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9)];
/// Files that are made of metrics.
const OF_METRICS: [&str; 3] = ["summary.csv", "timeseries.csv", "comparison.csv"];

/// What was measured.
pub struct Written<'a> {
    pub loaded: &'a Loaded,
    pub arguments: &'a LoadArguments,
    pub seed: u64,
    pub prefix: &'a Prefix,
    pub measured: &'a Measured,
}

/// The metrics of what was measured, and of simulations.
pub struct Beside {
    all: Vec<StrategyRuns>,
    comparison: Option<Comparison>,
}

impl Written<'_> {
    /// Simulates what is wanted, and writes the files. What was measured in a closed loop has no metrics, as its times are
    /// not the scenario's; nor has what went to nodes that the scenario does not have.
    pub fn write(&self, directory: &OutputDir) -> anyhow::Result<Option<Beside>> {
        let setup = Setup::from_plan(&self.loaded.scenario.plan);
        let mut placements = self.placements()?;
        let output = directory.replace()?;
        output.write("latencies.csv", &self.latencies()?)?;
        let own = match self.arguments.closed {
            Some(_) => None,
            None => match load::record(&self.loaded.scenario.plan, &setup, self.measured) {
                Ok(record) => Some(record),
                Err(error) => {
                    tell!("swarmlab: there are no metrics and pictures: {error}");
                    None
                }
            },
        };
        let beside = own.map(|record| {
            let label = self.arguments.label.clone();
            let runs = vec![(self.seed, record)];
            let mut all = vec![StrategyRuns { label, runs }];
            for strategy in &self.arguments.compare {
                let cell = Cell {
                    strategy: *strategy,
                    seed: self.seed,
                };
                all.extend(self.simulate(cell, &setup, &mut placements));
            }
            let comparison = (all.len() > 1).then(|| compare(&all));
            Beside { all, comparison }
        });
        match self.arguments.output.no_placements {
            true => output.discard("placements.csv")?,
            false => output.write("placements.csv", &placements)?,
        }
        match &beside {
            Some(beside) => self.write_metrics(&output, beside)?,
            None => {
                OF_METRICS.iter().try_for_each(|name| output.discard(name))?;
                write_pictures(&output, false, &[], None, "")?;
            }
        }
        let mut text = serde_json::to_string_pretty(&self.manifest(beside.as_ref()))?;
        text.push('\n');
        output.finish(text.as_bytes())?;
        Ok(beside)
    }

    /// One simulated run, its placements added to the others.
    fn simulate(&self, cell: Cell, setup: &Setup, placements: &mut Vec<u8>) -> Option<StrategyRuns> {
        let plan = &self.loaded.scenario.plan;
        let classes = plan.classes.iter().map(|class| class.name.clone()).collect();
        let mut own = Placements::new(Vec::new(), classes, false);
        own.begin_run(cell.strategy.name(), cell.seed);
        let clock = Instant::now();
        let stopwatch = || clock.elapsed().as_nanos() as u64;
        // What was measured is kept even if nobody waits for what is simulated.
        let record = run_cell(plan, setup, cell, &mut own, &stopwatch, &interrupt::requested)?;
        // Writing to memory does not fail.
        placements.extend(own.finish().unwrap_or_default());
        Some(StrategyRuns {
            label: cell.strategy.name().to_owned(),
            runs: vec![(cell.seed, record)],
        })
    }

    fn write_metrics(&self, output: &ResultSet<'_>, beside: &Beside) -> anyhow::Result<()> {
        output.write("summary.csv", &report::summary(&beside.all)?)?;
        output.write("timeseries.csv", &report::timeseries(&beside.all)?)?;
        match &beside.comparison {
            Some(comparison) => output.write("comparison.csv", &report::comparison(comparison)?)?,
            None => output.discard("comparison.csv")?,
        }
        let title = &self.loaded.scenario.title;
        let plots = !self.arguments.output.no_plots;
        write_pictures(output, plots, &beside.all, beside.comparison.as_ref(), title)
    }

    fn manifest(&self, beside: Option<&Beside>) -> Value {
        let scenario = &self.loaded.scenario;
        let labels = beside.map(|beside| beside.all.iter().map(|own| own.label.clone()).collect::<Vec<_>>());
        json!({
            "program": "swarmlab",
            "version": env!("CARGO_PKG_VERSION"),
            "command_line": std::env::args().collect::<Vec<_>>(),
            "scenario": {
                "name": scenario.name, "title": scenario.title, "hash": scenario.hash, "text": scenario.text,
                "overrides": self.loaded.options.overrides.iter().map(ToString::to_string).collect::<Vec<_>>(),
            },
            "strategies": labels.unwrap_or_else(|| vec![self.arguments.label.clone()]),
            "seeds": [self.seed],
            "target": self.arguments.target.to_string(),
            "name_prefix": self.prefix.to_string(),
            "interrupted": self.measured.is_partial,
            "platform": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        })
    }

    fn placements(&self) -> anyhow::Result<Vec<u8>> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(report::PLACEMENTS_HEADER)?;
        for placed in &self.measured.placed {
            let (outcome, node, reason) = match (&placed.node, placed.rejection) {
                (Ok(node), _) => ("placed", node.as_str(), ""),
                (Err(_), Some(rejection)) => ("rejected", "", rejection.name()),
                (Err(reason), None) => ("rejected", "", reason.as_str()),
            };
            let Time(nanos) = placed.time;
            let waited = placed.answered.since(placed.time).as_nanos();
            let resources = placed.request.resources;
            csv.write_record([
                &self.arguments.label,
                &self.seed.to_string(),
                &report::seconds(nanos),
                &placed.name,
                &self.loaded.scenario.plan.classes[placed.class].name,
                outcome,
                node,
                reason,
                &report::seconds(u64::try_from(waited).unwrap_or(u64::MAX)),
                &resources.cpus.to_string(),
                &report::mebibytes(resources.memory.get()),
                "false",
            ])?;
        }
        Ok(csv.into_inner()?)
    }

    /// Every operation with its two histograms: what since, and latencies in nanoseconds.
    fn each(&self) -> impl Iterator<Item = (&'static str, &'static str, &Histogram<u64>)> {
        let both = self.measured.latencies.each();
        both.flat_map(|(operation, due, sent)| [(operation.name(), "due", due), (operation.name(), "sent", sent)])
    }

    fn latencies(&self) -> anyhow::Result<Vec<u8>> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        let names = PERCENTILES.map(|(name, _)| format!("{name}_ms"));
        let header = ["operation", "since", "count"].map(str::to_owned).into_iter();
        csv.write_record(header.chain(names).chain(["max_ms".to_owned()]))?;
        for (operation, since, histogram) in self.each() {
            let begin = [operation.to_owned(), since.to_owned(), histogram.len().to_string()];
            csv.write_record(begin.into_iter().chain(spans(histogram)))?;
        }
        Ok(csv.into_inner()?)
    }

    /// What people want to know.
    pub fn print_table(&self, beside: Option<&Beside>, path: &Path) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        let mut header = vec![
            ("milliseconds", Align::Left),
            ("since it was", Align::Left),
            ("count", Align::Right),
        ];
        header.extend(PERCENTILES.map(|(name, _)| (name, Align::Right)));
        header.push(("max", Align::Right));
        let row = |(operation, since, histogram): (&str, &str, &Histogram<u64>)| {
            let begin = [operation.to_owned(), since.to_owned(), histogram.len().to_string()];
            begin.into_iter().chain(spans(histogram)).collect()
        };
        writeln!(out, "{}\n", report::table(&header, self.each().map(row)))?;
        let seconds = self.measured.elapsed.as_secs_f64();
        let placed = self.measured.placements();
        writeln!(
            out,
            "{placed} of {} containers placed in {seconds:.1} s, {:.0} a second; their names begin with {:?}",
            self.measured.placed.len(),
            placed as f64 / seconds.max(1e-9),
            self.prefix.to_string(),
        )?;
        for (kind, count) in &self.measured.errors {
            writeln!(out, "{count} × {kind}")?;
        }
        if let Some(comparison) = beside.and_then(|beside| beside.comparison.as_ref()) {
            writeln!(out, "\n{}", report::comparison_table(comparison))?;
        }
        writeln!(out, "\nResults are in {}", path.display())?;
        Ok(())
    }

    /// The same for programs.
    pub fn print_json(&self, beside: Option<&Beside>, path: &Path) -> anyhow::Result<()> {
        let latencies = self.each().map(|(operation, since, histogram)| {
            let at = |percentile: f64| histogram.value_at_percentile(percentile) as f64 / 1e6;
            json!({
                "operation": operation, "since": since, "count": histogram.len(), "p50_ms": at(50.0), "p90_ms": at(90.0),
                "p99_ms": at(99.0), "p99.9_ms": at(99.9), "max_ms": histogram.max() as f64 / 1e6,
            })
        });
        let runs = beside.into_iter().flat_map(|beside| &beside.all);
        let metrics = runs.flat_map(|own| {
            let run = |(seed, run): &(u64, crate::metrics::RunRecord)| json!({ "strategy": own.label, "seed": seed, "metrics": report::run_json(run) });
            own.runs.iter().map(run).collect::<Vec<_>>()
        });
        let document = json!({
            "placed": self.measured.placements(),
            "asked": self.measured.placed.len(),
            "seconds": self.measured.elapsed.as_secs_f64(),
            "interrupted": self.measured.is_partial,
            "name_prefix": self.prefix.to_string(),
            "errors": self.measured.errors,
            "latencies": latencies.collect::<Vec<_>>(),
            "runs": metrics.collect::<Vec<_>>(),
            "results": path,
        });
        writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&document)?)?;
        Ok(())
    }
}

/// The percentiles and the largest, in milliseconds.
fn spans(histogram: &Histogram<u64>) -> impl Iterator<Item = String> {
    let millis = |nanos: u64| format!("{:.3}", nanos as f64 / 1e6);
    let percentiles = PERCENTILES.map(|(_, percentile)| millis(histogram.value_at_percentile(percentile)));
    percentiles.into_iter().chain([millis(histogram.max())])
}
