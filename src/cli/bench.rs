//! `swarmlab bench`: how long decisions take, and whether they take longer than before.

mod grid;
pub mod live;
mod measuring;
mod reference;

use std::env;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use crate::bench::{ALPHA, Baseline, Case, Figures, Judgement, Origin, Recorded, Subject, SubjectSpec, Unit, serve};
use crate::report::{self, OutputDir};

use super::Outcome;
use super::args::{BenchArguments, BenchCommand, BenchFormat};
use super::interrupt;
pub use live::guard;

use grid::{Grid, Refusal};
use measuring::{Broken, Measured};
use reference::{Doubt, Reference};

/// Bytes of all files, generously.
const OUTPUT_BYTES: u64 = 16 << 20;

/// Measures for the process at the other end of the standard input.
pub fn work() -> anyhow::Result<Outcome> {
    let find = |spec: &SubjectSpec| -> Result<Subject, String> {
        match grid::find(spec) {
            Ok(found) => Ok(found.subject),
            Err(Refusal::Faulty) => Err("the scenario is faulty".to_owned()),
            Err(Refusal::Usage(error)) => Err(super::told(&error)),
        }
    };
    serve(BufReader::new(io::stdin().lock()), io::stdout().lock(), find)?;
    Ok(Outcome::Done)
}

pub fn bench(arguments: &BenchArguments) -> anyhow::Result<Outcome> {
    if let Some(BenchCommand::Live(arguments)) = &arguments.command {
        return live::live(arguments);
    }
    let grid = match Grid::new(arguments) {
        Ok(grid) => grid,
        Err(Refusal::Faulty) => return Ok(Outcome::Invalid),
        Err(Refusal::Usage(error)) => return Ok(super::usage(&error)),
    };
    let unit = if arguments.instructions {
        Unit::Instructions
    } else {
        Unit::Nanoseconds
    };
    let origin = Origin::here();
    let reference = arguments
        .baseline
        .as_deref()
        .map(|name| Reference::read(name, &grid, unit, &origin));
    let reference = match reference.transpose()? {
        Some(Err(misfit)) => return Ok(super::usage(&misfit)),
        Some(Ok(reference)) => Some(reference),
        None => None,
    };
    // What would stop it at its end is found at its start.
    let output = OutputDir::create(&directory(arguments, &grid), OUTPUT_BYTES)?;
    let save = arguments.save_baseline.as_deref().map(Place::prepare).transpose()?;
    interrupt::listen()?;
    for doubt in reference.iter().flat_map(|reference| &reference.doubts) {
        tell!("swarmlab: {doubt}");
    }
    if origin.profile == "debug" {
        tell!("swarmlab: this is a debug build, whose decisions take several times as long");
    }
    if arguments.against.is_some() && unit == Unit::Nanoseconds && !can_find(arguments.samples, grid.cases.len()) {
        tell!(
            "swarmlab: {} samples of {} cases are too few to find any regression; ask for more --samples or fewer cases",
            arguments.samples,
            grid.cases.len()
        );
    }

    let max_regression = arguments.max_regression.unwrap_or(0.1);
    let measured = match measuring::run(arguments, &grid, &origin) {
        Ok(measured) => measured,
        Err(Broken::Usage(error)) => return Ok(super::usage(&error)),
        Err(Broken::Failure(error)) => return Err(error),
    };
    let Measured {
        cases,
        against,
        rounds: (finished, planned),
    } = measured;
    let whole = finished == planned;
    let judgement = match (&reference, against) {
        (_, Some(against)) => Some(against.judge(max_regression)),
        (Some(reference), None) => Some(reference.judge(max_regression, unit, &cases)),
        (None, None) => None,
    };
    let judgement = judgement.filter(|_| whole);
    let is_judged = reference
        .as_ref()
        .is_none_or(|reference| !reference.doubts.contains(&Doubt::OtherCompiler));
    let is_slower = is_judged
        && judgement
            .as_ref()
            .is_some_and(|judgement| !judgement.regressions().is_empty());

    if !cases.is_empty() {
        write(&output, arguments, &grid, unit, &cases, judgement.as_ref())?;
    }
    let said = Report {
        arguments,
        grid: &grid,
        unit,
        origin: &origin,
        cases: &cases,
        judgement: judgement.as_ref(),
        is_judged,
        output: output.path(),
    };
    match arguments.format {
        // Interrupted before there was anything to show.
        _ if cases.is_empty() => {}
        BenchFormat::Table => said.print_table()?,
        BenchFormat::Json => said.print_json()?,
        BenchFormat::Csv => io::stdout().write_all(&report::bench_csv(unit, &cases, judgement.as_ref())?)?,
    }
    if !whole {
        tell!(
            "swarmlab: interrupted after {finished} of {planned} rounds; what was finished is kept, and nothing was \
             compared or saved as a baseline"
        );
        return Ok(Outcome::Interrupted);
    }
    if is_slower {
        if save.is_some() {
            tell!("swarmlab: no baseline was saved, because decisions take longer than is allowed");
        }
        return Ok(Outcome::Slower);
    }
    if let Some(place) = save {
        let cases = cases.into_iter().map(|(case, figures)| Recorded { case, figures });
        let baseline = Baseline {
            unit,
            subject: grid.name.clone(),
            fingerprint: grid.fingerprint.clone(),
            origin,
            cases: cases.collect(),
        };
        place.write(&baseline)?;
    }
    Ok(Outcome::Done)
}

/// Whether so many pairs could be evidence of a regression in one of the cases, if all of them said so.
fn can_find(pairs: usize, cases: usize) -> bool {
    let all_slower = 0.5_f64.powi(i32::try_from(pairs).unwrap_or(i32::MAX));
    all_slower * (cases as f64) < ALPHA
}

fn directory(arguments: &BenchArguments, grid: &Grid) -> PathBuf {
    match (&arguments.out, &grid.spec.scenario) {
        (Some(out), _) => out.clone(),
        (None, None) => PathBuf::from("results/bench"),
        (None, Some(_)) => PathBuf::from("results").join(format!("{}-bench", grid.stem)),
    }
}

/// The file of a baseline: a path, or a name in the directory of all baselines.
fn baseline_path(name: &str) -> anyhow::Result<PathBuf> {
    anyhow::ensure!(!name.trim().is_empty(), "a baseline needs a name");
    let is_path = name.contains(std::path::is_separator) || name.ends_with(".json");
    Ok(if is_path {
        PathBuf::from(name)
    } else {
        Path::new("results/bench/baselines").join(format!("{name}.json"))
    })
}

/// Where a baseline is saved.
struct Place {
    directory: OutputDir,
    file: String,
}

impl Place {
    fn prepare(name: &str) -> anyhow::Result<Place> {
        let path = baseline_path(name)?;
        let file = path.file_name().with_context(|| format!("{name:?} names no file"))?;
        let is_directory = name.ends_with(std::path::is_separator) || path.is_dir();
        anyhow::ensure!(!is_directory, "{name:?} is a directory, and a baseline is a file");
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        Ok(Place {
            directory: OutputDir::create(directory, OUTPUT_BYTES)?,
            file: file.to_string_lossy().into_owned(),
        })
    }

    fn write(&self, baseline: &Baseline) -> anyhow::Result<()> {
        self.directory.write(&self.file, baseline.to_text()?.as_bytes())?;
        tell!(
            "swarmlab: saved the baseline {}",
            self.directory.path().join(&self.file).display()
        );
        Ok(())
    }
}

fn write(
    output: &OutputDir,
    arguments: &BenchArguments,
    grid: &Grid,
    unit: Unit,
    cases: &[(Case, Figures)],
    judgement: Option<&Judgement>,
) -> anyhow::Result<()> {
    // There is no manifest of these, and one of another command would not be true of a picture that both draw.
    let output = output.replace()?;
    output.write("bench.csv", &report::bench_csv(unit, cases, judgement)?)?;
    if arguments.no_plots {
        output.discard("latency.svg")?;
        output.discard("latency.png")?;
    } else {
        let drawing = report::bench_picture(&grid.title, unit, cases).context("cannot draw the results")?;
        output.write("latency.svg", drawing.svg.as_bytes())?;
        output.write("latency.png", &drawing.png)?;
    }
    Ok(())
}

/// What is said at the end.
struct Report<'a> {
    arguments: &'a BenchArguments,
    grid: &'a Grid,
    unit: Unit,
    origin: &'a Origin,
    cases: &'a [(Case, Figures)],
    judgement: Option<&'a Judgement>,
    is_judged: bool,
    output: &'a Path,
}

impl Report<'_> {
    fn print_table(&self) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{}\n", self.grid.title)?;
        let percentile = match (self.unit, self.judgement) {
            (Unit::Nanoseconds, None) => "; the 99th percentile includes reading the clock",
            _ => "",
        };
        writeln!(out, "one decision with its reservation and its removal{percentile}\n")?;
        match self.judgement {
            Some(judgement) => {
                writeln!(out, "{}\n", report::judgement_table(self.unit, judgement))?;
                writeln!(out, "{}\n", self.verdict(judgement))?;
            }
            None => writeln!(out, "{}\n", report::bench_table(self.unit, self.cases))?,
        }
        writeln!(out, "Figures and picture are in {}", self.output.display())?;
        Ok(())
    }

    /// What follows from a comparison, in a sentence or two.
    fn verdict(&self, judgement: &Judgement) -> String {
        let allowed = format!("{} %", (judgement.max_regression * 1000.0).round() / 10.0);
        let test = match (self.unit, &self.arguments.against) {
            (Unit::Instructions, _) => "counted".to_owned(),
            (Unit::Nanoseconds, Some(_)) => format!("Wilcoxon's signed-rank test, p < {ALPHA} after Holm"),
            (Unit::Nanoseconds, None) => format!("Mann-Whitney test, p < {ALPHA} after Holm"),
        };
        let regressions = judgement.regressions();
        let Some(worst) = regressions.first() else {
            return format!("No decision takes more than {allowed} longer than before ({test}).");
        };
        let mut text = format!(
            "{} of {} cases take more than {allowed} longer than before ({test}), most of all {}: {}.",
            regressions.len(),
            judgement.verdicts.len(),
            worst.case,
            report::change(worst.ratio)
        );
        if !self.is_judged {
            text += "\nThat is no failure, because the baseline was built by another compiler.";
        }
        text
    }

    fn print_json(&self) -> anyhow::Result<()> {
        let document = json!({
            "subject": self.grid.name,
            "fingerprint": self.grid.fingerprint,
            "unit": self.unit.name(),
            "origin": self.origin,
            "max_regression": self.judgement.map(|judgement| judgement.max_regression),
            "judged": self.judgement.is_some() && self.is_judged,
            "regressions": self.judgement.map(|judgement| judgement.regressions().len()),
            "cases": report::bench_json(self.cases, self.judgement),
            "results": self.output,
        });
        writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&document)?)?;
        Ok(())
    }
}

/// This program, to be started again.
fn this_program() -> anyhow::Result<PathBuf> {
    env::current_exe().context("cannot find this program, to start it again")
}
