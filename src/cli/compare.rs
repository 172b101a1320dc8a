//! `swarmlab compare`: strategies on the same arrivals, over many seeds.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use crate::cluster::Cluster;
use crate::experiment::compare as compare_runs;
use crate::metrics::{Comparison, Metric};
use crate::model::Time;
use crate::report;
use crate::scheduler::Strategy;
use crate::sim::{Observation, Observer};

use super::Outcome;
use super::args::{CompareArguments, Format};
use super::input::{self, Loaded, Refused};
use super::interrupt;
use super::session::{Finished, Session};
use super::write::queue_names;

/// Nobody watches a comparison but the recorder.
struct Nobody(Infallible);

impl Observer for Nobody {
    fn observe(&mut self, _: Time, _: &Cluster, _: &Observation<'_>) {
        match self.0 {}
    }
}

pub fn compare(arguments: &CompareArguments) -> anyhow::Result<Outcome> {
    // All scenarios are read before the first is run: a fault in the last one costs nothing then.
    let mut all = Vec::new();
    let mut faulty = false;
    for path in &arguments.scenarios {
        match input::load(path, &arguments.input) {
            Ok(loaded) => all.push(loaded),
            Err(Refused::Faulty) => faulty = true,
            Err(Refused::Usage(error)) => return Ok(super::usage(&error)),
        }
    }
    if faulty {
        return Ok(Outcome::Invalid);
    }
    let sessions = prepare(arguments, &all)?;
    interrupt::listen()?;
    let mut json = Vec::new();
    for session in &sessions {
        let begin = Instant::now();
        let finished = session.run(|_| Ok(None::<Nobody>), |_, nobody| match nobody.0 {})?;
        let compared = finished.strategies.iter().map(|own| own.runs.len()).min().unwrap_or(0);
        if compared == 0 {
            tell!("swarmlab: interrupted before every strategy had run once; nothing was written");
            return Ok(Outcome::Interrupted);
        }
        let mut comparison = compare_runs(&finished.strategies);
        if let Some(random) = blind_to_capacity(session, &comparison) {
            comparison.set_aside(random);
        }
        session.write(&finished, Some(&comparison))?;
        match arguments.output.format {
            Format::Table => print_table(session, &finished, &comparison, begin)?,
            Format::Json => json.push(serde_json::json!({
                "scenario": session.loaded.scenario.title,
                "hash": session.loaded.scenario.hash,
                "seeds": compared,
                "queue": queue_names(&session.loaded.scenario.plan),
                "results": session.results.path(),
                "comparison": report::comparison_json(&comparison),
            })),
        }
        if finished.runs.0 < finished.runs.1 {
            tell!(
                "swarmlab: interrupted after {} of {} runs; the finished ones are kept",
                finished.runs.0,
                finished.runs.1
            );
            return Ok(Outcome::Interrupted);
        }
    }
    if arguments.output.format == Format::Json {
        writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&json)?)?;
    }
    Ok(Outcome::Done)
}

fn prepare<'a>(arguments: &CompareArguments, all: &'a [Loaded]) -> anyhow::Result<Vec<Session<'a>>> {
    let mut names: BTreeMap<String, u32> = BTreeMap::new();
    let mut sessions = Vec::new();
    for loaded in all {
        let run = &loaded.scenario.plan.run;
        let mut strategies = if arguments.strategies.is_empty() {
            run.strategies.clone()
        } else {
            arguments.strategies.clone()
        };
        let mut seen: Vec<Strategy> = Vec::new();
        strategies.retain(|strategy| {
            let new = !seen.contains(strategy);
            seen.push(*strategy);
            new
        });
        let first = arguments.seed.unwrap_or(run.seed);
        let seeds = (0..u64::from(arguments.seeds))
            .map(|number| first.wrapping_add(number))
            .collect();
        // Scenarios of the same name, from different directories, get directories of their own.
        let stem = input::stem(&loaded.scenario);
        let count = names.entry(stem.clone()).or_default();
        *count += 1;
        let name = if *count == 1 { stem } else { format!("{stem}-{count}") };
        let directory = match &arguments.output.out {
            Some(out) if all.len() == 1 => out.clone(),
            Some(out) => out.join(name),
            None => PathBuf::from("results").join(name),
        };
        sessions.push(Session::prepare(
            loaded,
            strategies,
            seeds,
            arguments.jobs,
            &directory,
            &arguments.output,
        )?);
    }
    Ok(sessions)
}

fn print_table(
    session: &Session<'_>,
    finished: &Finished,
    comparison: &Comparison,
    begin: Instant,
) -> anyhow::Result<()> {
    let scenario = &session.loaded.scenario;
    let seeds = finished.strategies.iter().map(|own| own.runs.len()).min().unwrap_or(0);
    let mut out = io::stdout().lock();
    writeln!(out, "{}\n", scenario.title)?;
    if !scenario.description.is_empty() {
        writeln!(out, "{}\n", scenario.description)?;
    }
    if let Some(queue) = report::queue_note(&scenario.plan) {
        writeln!(out, "{queue}\n")?;
    }
    let seeds = if seeds == 1 {
        "one seed".to_owned()
    } else {
        format!("mean ± 95 % interval over {seeds} seeds")
    };
    writeln!(
        out,
        "{seeds}; * = better than every other, paired t-test with Holm's correction, p < 0.05\n"
    )?;
    writeln!(out, "{}\n", report::comparison_table(comparison))?;
    let further = [
        report::rejections_table(&finished.strategies),
        report::latency_table(&finished.strategies),
    ];
    for table in further.into_iter().flatten() {
        writeln!(out, "{table}\n")?;
    }
    writeln!(out, "{}", report::verdicts(comparison))?;
    if let Some(note) = note_on_random(session, comparison) {
        writeln!(out, "{note}\n")?;
    }
    writeln!(
        out,
        "{} runs in {:.1} s. Results and pictures are in {}",
        finished.runs.0,
        begin.elapsed().as_secs_f64(),
        session.results.path().display()
    )?;
    Ok(())
}

/// The strategy that does not look at capacity, if it is among those compared.
fn blind_to_capacity(session: &Session<'_>, comparison: &Comparison) -> Option<usize> {
    if session.loaded.scenario.plan.run.strict.random_capacity {
        return None;
    }
    let mut names = comparison.strategies.iter();
    names.position(|name| name == Strategy::Random.name())
}

/// Random places where there is no room, which looks like success in most metrics.
fn note_on_random(session: &Session<'_>, comparison: &Comparison) -> Option<String> {
    let random = blind_to_capacity(session, comparison)?;
    let twice = |metric: Metric| {
        let estimate = comparison.metric(metric).estimates[random];
        let mean = estimate.map_or(0.0, |estimate| estimate.mean);
        (mean > 0.0).then(|| metric.unit().format(mean))
    };
    let (cpu, memory) = (twice(Metric::CpuOvercommitted), twice(Metric::MemoryOvercommitted));
    let parts: Vec<String> = [
        cpu.map(|cpu| cpu + " of CPU"),
        memory.map(|memory| memory + " of memory"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| {
        format!(
            "Mind that random does not look at capacity, as in the original: it promised {} that nodes do not have.\n\
             --set 'run.strict=[\"random-capacity\"]' makes it look.",
            parts.join(" and ")
        )
    })
}
