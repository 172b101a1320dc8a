//! `swarmlab replay`: repeat a logged run.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;

use crate::eventlog::{Header, Integrity, Line, Recorded, Sink, Writer};
use crate::experiment::{Cell, by_strategy};
use crate::metrics::{Recorder, Setup};
use crate::model::Time;
use crate::scenario::{self, Options, Override, Scenario};
use crate::scheduler::Strategy;
use crate::sim::{Observer, Observers, Run, preparer, simulate_inputs};

use super::Outcome;
use super::args::{Format, ReplayArguments};
use super::input::{self, Loaded};
use super::interrupt;
use super::session::{Finished, Session};

/// What is said of a log that has another checksum than its last line says.
const ALTERED: &str = "is not as it was written: lines were changed or removed, since they do not give the checksum in \
                       the last line; take the log as the run wrote it, or write it again with `run --log`";

pub fn replay(arguments: &ReplayArguments) -> anyhow::Result<Outcome> {
    let path = arguments.log.display();
    let text = fs::read_to_string(&arguments.log).with_context(|| format!("cannot read {path}"))?;
    let header = Recorded::header(&text).with_context(|| format!("in {path}"))?;
    let Some(loaded) = load(&header)? else {
        return Ok(Outcome::Invalid);
    };
    if loaded.scenario.hash != header.hash {
        anyhow::bail!(
            "the traces that the logged scenario reads have changed since {path} was written; \
             nothing can be said about its run"
        );
    }
    let plan = &loaded.scenario.plan;
    let logged: Strategy = header.strategy.parse().with_context(|| format!("in {path}"))?;
    let strategy = arguments.strategy.unwrap_or(logged);
    let mut prepare = preparer(plan, strategy);
    let mut inputs = Recorded::read(&text, plan, &mut prepare).with_context(|| format!("in {path}"))?;

    let integrity = inputs.integrity();
    let repeats = strategy == logged;
    // Where every line is compared, the first that differs says more.
    if integrity == Integrity::Altered && !repeats {
        anyhow::bail!("{path} {ALTERED}");
    }

    let default = || PathBuf::from("results").join(format!("{}-replay", input::stem(&loaded.scenario)));
    let directory = arguments.output.out.clone().unwrap_or_else(default);
    let cell = Cell {
        strategy,
        seed: header.seed,
    };
    let session = Session::prepare(
        &loaded,
        vec![strategy],
        vec![header.seed],
        None,
        &directory,
        &arguments.output,
    )?;
    interrupt::listen()?;

    let setup = Setup::from_plan(plan);
    let mut recorder = Recorder::new(&setup);
    let mut placements = session.results.placements(cell, plan)?;
    // Only the same strategy must give the same lines.
    let first = text.lines().next().unwrap_or_default();
    let mut check = repeats.then(|| Writer::repeating(Check::new(&text), first, &header, plan));
    let clock = Instant::now();
    let stopwatch = || clock.elapsed().as_nanos() as u64;
    let mut observers: Vec<&mut dyn Observer> = vec![&mut recorder];
    observers.extend(placements.as_mut().map(|own| own as &mut dyn Observer));
    observers.extend(check.as_mut().map(|own| own as &mut dyn Observer));
    let run = Run {
        strategy,
        seed: header.seed,
        stopwatch: Some(&stopwatch),
        interrupted: Some(&interrupt::requested),
    };
    let ended = simulate_inputs(plan, run, Time::MAX, &mut inputs, &mut Observers(observers));
    if ended.interrupted {
        tell!("swarmlab: interrupted before the run was repeated; nothing was written");
        return Ok(Outcome::Interrupted);
    }
    let record = recorder.finish();
    if let Some(placements) = placements {
        session.results.keep(cell, placements)?;
    }
    let finished = Finished {
        strategies: by_strategy(&[strategy], vec![(cell, record)]),
        runs: (1, 1),
    };
    session.write(&finished, None)?;
    if arguments.output.format == Format::Table {
        super::run::print_table(&loaded, &finished.strategies, session.results.path())?;
    } else {
        super::run::print_json(&finished.strategies)?;
    }
    Ok(match check.map(|writer| writer.into_sink().difference()) {
        Some(Some(difference)) => {
            tell!("swarmlab: the run came out differently\n{difference}");
            Outcome::Differs
        }
        Some(None) if integrity == Integrity::Altered => {
            tell!("swarmlab: every line came out as logged, but {path} {ALTERED}");
            Outcome::Differs
        }
        Some(None) => {
            tell!("every line came out as logged");
            if integrity == Integrity::Unknown {
                tell!(
                    "swarmlab: {path} was written by a version of the program that wrote no checksum: whether lines \
                     were removed from it cannot be told"
                );
            }
            Outcome::Done
        }
        None => Outcome::Done,
    })
}

/// Reads the logged scenario again. `None` if it is faulty; its faults have been shown.
fn load(header: &Header) -> anyhow::Result<Option<Loaded>> {
    let parsed: Result<Vec<Override>, String> = header.overrides.iter().map(|text| text.parse()).collect();
    let options = Options {
        overrides: parsed.map_err(anyhow::Error::msg).context("in the log's overrides")?,
        lenient: header.lenient,
        traces: header.traces.as_ref().map(PathBuf::from),
    };
    let directory = PathBuf::from(&header.directory);
    let read: Result<Scenario, _> = scenario::parse(&header.scenario, &header.text, &directory, &options);
    Ok(match read {
        Ok(scenario) => Some(Loaded {
            scenario,
            directory,
            options,
        }),
        Err(faults) => {
            input::show(&faults);
            None
        }
    })
}

/// Compares the lines of the repeated run with the logged ones.
struct Check<'a> {
    logged: std::str::Lines<'a>,
    line: usize,
    difference: Option<String>,
}

impl<'a> Check<'a> {
    fn new(text: &'a str) -> Check<'a> {
        Check {
            logged: text.lines(),
            line: 0,
            difference: None,
        }
    }

    /// The first difference, if there is one.
    fn difference(mut self) -> Option<String> {
        if self.difference.is_none() {
            let missing = self.logged.next();
            let line = self.line + 1;
            self.difference = missing.map(|logged| format!("  line {line}\n  logged:   {logged}\n  repeated: nothing"));
        }
        self.difference
    }
}

impl Sink for Check<'_> {
    fn line(&mut self, text: &str) {
        if self.difference.is_some() {
            return;
        }
        self.line += 1;
        let logged = self.logged.next();
        if logged.is_some_and(|logged| are_ends(logged, text)) {
            return;
        }
        if logged != Some(text) {
            let (line, logged) = (self.line, logged.unwrap_or("nothing"));
            self.difference = Some(format!("  line {line}\n  logged:   {logged}\n  repeated: {text}"));
        }
    }
}

/// Whether both lines are the end of a run at the same time. Their checksums are looked at where the log is read.
fn are_ends(logged: &str, repeated: &str) -> bool {
    let end = |text| match serde_json::from_str(text) {
        Ok(Line::End { t, .. }) => Some(t),
        _ => None,
    };
    // Only the last line is worth parsing.
    repeated.starts_with(r#"{"event":"end""#) && end(logged).is_some_and(|t| end(repeated) == Some(t))
}
