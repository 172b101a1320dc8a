//! `swarmlab run`: one scenario with one strategy.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::eventlog::{FORMAT, Header, Sink, Writer};
use crate::report;
use crate::scheduler::Strategy;

use super::Outcome;
use super::args::{Format, RunArguments};
use super::input::{self, Loaded, Refused};
use super::interrupt;
use super::session::Session;

pub fn run(arguments: &RunArguments) -> anyhow::Result<Outcome> {
    let loaded = match input::load(&arguments.scenario, &arguments.input) {
        Ok(loaded) => loaded,
        Err(Refused::Faulty) => return Ok(Outcome::Invalid),
        Err(Refused::Usage(error)) => return Ok(super::usage(&error)),
    };
    let plan = &loaded.scenario.plan;
    let (strategy, first) = arguments.choice.of(&plan.run);
    let seeds: Vec<u64> = (0..u64::from(plan.run.repetitions))
        .map(|number| first.wrapping_add(number))
        .collect();
    let default = || PathBuf::from("results").join(format!("{}-{strategy}", input::stem(&loaded.scenario)));
    let directory = arguments.output.out.clone().unwrap_or_else(default);
    let session = Session::prepare(
        &loaded,
        vec![strategy],
        seeds,
        arguments.jobs,
        &directory,
        &arguments.output,
    )?;
    // Made before the run: a log that cannot be written is found out now.
    let log = arguments.log.as_deref().map(LogFile::create).transpose()?;
    let log = std::sync::Mutex::new(log);
    interrupt::listen()?;

    let finished = session.run(
        |cell| {
            let file = if cell.seed == first { take(&log) } else { None };
            Ok(file.map(|file| Writer::new(file, &header(&loaded, strategy, cell.seed), plan)))
        },
        |_, writer| writer.into_sink().finish(),
    )?;
    if finished.runs.0 == 0 {
        tell!("swarmlab: interrupted before a run was finished; nothing was written");
        return Ok(Outcome::Interrupted);
    }
    session.write(&finished, None)?;
    match arguments.output.format {
        Format::Table => print_table(&loaded, &finished.strategies, session.results.path())?,
        Format::Json => print_json(&finished.strategies)?,
    }
    Ok(if finished.runs.0 < finished.runs.1 {
        Outcome::Interrupted
    } else {
        Outcome::Done
    })
}

fn take(log: &std::sync::Mutex<Option<LogFile>>) -> Option<LogFile> {
    // A thread that panicked ends the program, so nobody meets its lock.
    log.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take()
}

/// The header of a run's event log.
fn header(loaded: &Loaded, strategy: Strategy, seed: u64) -> Header {
    let absolute = |path: &Path| {
        std::path::absolute(path)
            .unwrap_or_else(|_| path.to_owned())
            .display()
            .to_string()
    };
    Header {
        format: FORMAT.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: loaded.scenario.name.clone(),
        text: loaded.scenario.text.clone(),
        directory: absolute(&loaded.directory),
        traces: loaded.options.traces.as_deref().map(absolute),
        lenient: loaded.options.lenient,
        overrides: loaded.options.overrides.iter().map(ToString::to_string).collect(),
        hash: loaded.scenario.hash.clone(),
        strategy: strategy.name().to_owned(),
        seed,
    }
}

/// An event log on its way to a file, under a temporary name until it is whole.
struct LogFile {
    out: BufWriter<tempfile::NamedTempFile>,
    path: PathBuf,
    error: Option<io::Error>,
}

impl LogFile {
    fn create(path: &Path) -> anyhow::Result<LogFile> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let file = tempfile::Builder::new().prefix(".swarmlab-").tempfile_in(directory);
        let file = file.with_context(|| format!("cannot write the event log {}", path.display()))?;
        Ok(LogFile {
            out: BufWriter::with_capacity(1 << 18, file),
            path: path.to_owned(),
            error: None,
        })
    }

    fn finish(self) -> anyhow::Result<()> {
        let what = || format!("cannot write the event log {}", self.path.display());
        if let Some(error) = self.error {
            return Err(error).with_context(what);
        }
        let file = self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .with_context(what)?;
        let file: File = file.persist(&self.path).with_context(what)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            file.set_permissions(std::fs::Permissions::from_mode(0o644))
                .with_context(what)?;
        }
        Ok(())
    }
}

impl Sink for LogFile {
    fn line(&mut self, text: &str) {
        if self.error.is_none() {
            let written = self
                .out
                .write_all(text.as_bytes())
                .and_then(|()| self.out.write_all(b"\n"));
            self.error = written.err();
        }
    }
}

/// What was measured, for people.
pub(super) fn print_table(
    loaded: &Loaded,
    strategies: &[crate::experiment::StrategyRuns],
    path: &Path,
) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for own in strategies {
        let seeds: Vec<u64> = own.runs.iter().map(|(seed, _)| *seed).collect();
        let seeds = match seeds[..] {
            [only] => format!("seed {only}"),
            _ => format!("{} seeds, mean ± 95 % interval", seeds.len()),
        };
        writeln!(out, "{}: {}, {seeds}\n", loaded.scenario.title, own.label)?;
        if let Some(queue) = report::queue_note(&loaded.scenario.plan) {
            writeln!(out, "{queue}\n")?;
        }
        writeln!(out, "{}\n", report::runs_table(own))?;
    }
    let further = [report::rejections_table(strategies), report::latency_table(strategies)];
    for table in further.into_iter().flatten() {
        writeln!(out, "{table}\n")?;
    }
    writeln!(out, "Results and pictures are in {}", path.display())?;
    Ok(())
}

pub(super) fn print_json(strategies: &[crate::experiment::StrategyRuns]) -> anyhow::Result<()> {
    let runs = strategies.iter().flat_map(|own| {
        own.runs.iter().map(|(seed, run)| {
            serde_json::json!({
                "strategy": own.label.as_str(),
                "seed": seed,
                "metrics": report::run_json(run),
            })
        })
    });
    let text = serde_json::to_string_pretty(&runs.collect::<Vec<_>>())?;
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}
