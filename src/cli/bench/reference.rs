//! The baseline that is compared with, and how far it can be trusted.

use std::fmt;

use anyhow::anyhow;

use crate::bench::{Baseline, Case, Figures, Judgement, Origin, Unit};

use super::baseline_path;
use super::grid::Grid;

/// Cases that are named when they are not compared.
const NAMED_MAX: usize = 3;

/// A baseline that has cases in common with what is measured.
pub struct Reference {
    baseline: Baseline,
    pub doubts: Vec<Doubt>,
}

/// What makes a comparison doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The baseline is of another scenario, or of another time of it.
    OtherSubject(String),
    /// Time on one machine says little of another.
    OtherMachine(String),
    /// Another compiler makes other instructions of the same source.
    OtherCompiler,
    /// Some cases are on one side only.
    NotCompared(Vec<Case>),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::OtherSubject(name) => {
                write!(
                    f,
                    "mind that the baseline is of another scenario, time or seed ({name})"
                )
            }
            Doubt::OtherMachine(machine) => write!(
                f,
                "mind that the baseline was timed on another machine ({machine}); compare two programs with --against, \
                 or count with --instructions"
            ),
            Doubt::OtherCompiler => write!(
                f,
                "the baseline was built by another compiler, so a difference is shown but is no failure; make it anew \
                 with --save-baseline"
            ),
            Doubt::NotCompared(cases) => {
                let names: Vec<String> = cases.iter().take(NAMED_MAX).map(Case::to_string).collect();
                let count = match cases.len() {
                    1 => "one case is".to_owned(),
                    many => format!("{many} cases are"),
                };
                let more = if cases.len() > NAMED_MAX { " …" } else { "" };
                write!(
                    f,
                    "{count} not compared: {}{more} (measured now or in the baseline, but not both)",
                    names.join(", ")
                )
            }
        }
    }
}

impl Reference {
    /// Reads a baseline. The inner error is a baseline that cannot be compared with at all.
    pub fn read(
        name: &str,
        grid: &Grid,
        unit: Unit,
        origin: &Origin,
    ) -> anyhow::Result<Result<Reference, anyhow::Error>> {
        let baseline = Baseline::read(&baseline_path(name)?)?;
        Ok(Reference::new(baseline, grid, unit, origin))
    }

    fn new(baseline: Baseline, grid: &Grid, unit: Unit, origin: &Origin) -> anyhow::Result<Reference> {
        if baseline.unit != unit {
            return Err(match baseline.unit {
                Unit::Instructions => anyhow!("the baseline counts instructions; add --instructions"),
                Unit::Nanoseconds => anyhow!("the baseline was timed; leave out --instructions"),
            });
        }
        let built = &baseline.origin;
        anyhow::ensure!(
            built.profile == origin.profile,
            "the program of the baseline was built with the profile {}, and this one with {}",
            built.profile,
            origin.profile
        );
        let (common, mut others): (Vec<Case>, Vec<Case>) = grid
            .cases
            .iter()
            .cloned()
            .partition(|case| baseline.figures(case).is_some());
        let in_baseline = baseline.cases.iter().map(|recorded| &recorded.case);
        others.extend(in_baseline.filter(|case| !grid.cases.contains(case)).cloned());
        anyhow::ensure!(
            !common.is_empty(),
            "the baseline has none of these cases: it is of {}, with {}",
            baseline.subject,
            baseline.cases.first().map_or("no cases".to_owned(), |recorded| format!(
                "{} and the like",
                recorded.case
            ))
        );
        let mut doubts = Vec::new();
        if baseline.fingerprint != grid.fingerprint {
            doubts.push(Doubt::OtherSubject(baseline.subject.clone()));
        }
        match unit {
            Unit::Nanoseconds if !built.is_same_machine(origin) => {
                doubts.push(Doubt::OtherMachine(format!(
                    "{} × {}",
                    built.processors, built.processor
                )));
            }
            Unit::Instructions if !built.is_built_alike(origin) => doubts.push(Doubt::OtherCompiler),
            _ => {}
        }
        if !others.is_empty() {
            doubts.push(Doubt::NotCompared(others));
        }
        Ok(Reference { baseline, doubts })
    }

    /// Compares what was measured with it, where it can.
    pub fn judge(&self, max_regression: f64, unit: Unit, cases: &[(Case, Figures)]) -> Judgement {
        let pairs = cases.iter().filter_map(|(case, now)| {
            let before = self.baseline.figures(case)?;
            Some((case.clone(), before.clone(), now.clone()))
        });
        match unit {
            Unit::Nanoseconds => Judgement::of_samples(max_regression, &pairs.collect::<Vec<_>>()),
            Unit::Instructions => {
                let counts = pairs.map(|(case, before, now)| (case, before.median(), now.median()));
                Judgement::of_counts(max_regression, &counts.collect::<Vec<_>>())
            }
        }
    }
}
