//! Which cases are measured: what was typed, held against what there is.

use std::path::Path;

use anyhow::{Context, anyhow};

use crate::bench::{Case, ScenarioSpec, Subject, SubjectSpec};
use crate::cli::args::{BenchArguments, ScenarioArguments};
use crate::cli::input::{self, Refused};
use crate::model::Time;
use crate::scenario::suggest::{nearest, there_are};
use crate::scenario::units;

/// Why nothing is measured.
pub enum Refusal {
    /// The scenario is faulty; its faults have been shown.
    Faulty,
    /// The arguments are wrong.
    Usage(anyhow::Error),
}

/// The cases, in the order in which they are shown.
pub struct Grid {
    pub spec: SubjectSpec,
    pub title: String,
    /// What baselines call the subject.
    pub name: String,
    /// The scenario's name without directory and ending.
    pub stem: String,
    /// What identifies the subject.
    pub fingerprint: String,
    pub cases: Vec<Case>,
}

/// A subject and its names.
pub struct Found {
    pub subject: Subject,
    title: String,
    name: String,
    stem: String,
    fingerprint: String,
}

/// The subject of a description.
pub fn find(spec: &SubjectSpec) -> Result<Found, Refusal> {
    let Some(scenario) = &spec.scenario else {
        return Ok(Found {
            subject: Subject::builtin(),
            title: "Built-in cluster".to_owned(),
            name: "built-in".to_owned(),
            stem: "bench".to_owned(),
            fingerprint: "built-in".to_owned(),
        });
    };
    let arguments = ScenarioArguments {
        set: scenario.set.clone(),
        traces: scenario.traces.clone(),
        lenient: scenario.lenient,
    };
    let loaded = match input::load(&scenario.path, &arguments) {
        Ok(loaded) => loaded,
        Err(Refused::Faulty) => return Err(Refusal::Faulty),
        Err(Refused::Usage(error)) => return Err(Refusal::Usage(error)),
    };
    let stem = input::stem(&loaded.scenario);
    let scenario = loaded.scenario;
    let seed = spec.seed.unwrap_or(scenario.plan.run.seed);
    let fingerprint = match spec.at_ns {
        // Before anything has been drawn, the seed decides only how large a request of a class is.
        0 => format!("{} empty, seed {seed}", scenario.hash),
        at => format!("{} at {at} ns, seed {seed}", scenario.hash),
    };
    let subject = Subject::scenario(scenario.plan, seed, Time(spec.at_ns));
    let name = Path::new(&scenario.name).file_name();
    Ok(Found {
        subject: subject.map_err(|error| Refusal::Usage(error.into()))?,
        title: scenario.title,
        name: name.map_or_else(|| scenario.name.clone(), |name| name.to_string_lossy().into_owned()),
        stem,
        fingerprint,
    })
}

impl Grid {
    /// The cases that the arguments ask for.
    pub fn new(arguments: &BenchArguments) -> Result<Grid, Refusal> {
        let spec = spec(arguments).map_err(Refusal::Usage)?;
        let found = find(&spec)?;
        let cases = cases(arguments, &found.subject).map_err(Refusal::Usage)?;
        Ok(Grid {
            spec,
            title: found.title,
            name: found.name,
            stem: found.stem,
            fingerprint: found.fingerprint,
            cases,
        })
    }
}

fn spec(arguments: &BenchArguments) -> anyhow::Result<SubjectSpec> {
    let at = arguments.at.as_deref().map(units::duration).transpose();
    let at = at.map_err(|complaint| anyhow!("{complaint}")).context("in --at")?;
    let input = &arguments.input;
    if arguments.scenario.is_none() {
        let unused = [
            ("--set", !input.set.is_empty()),
            ("--traces", input.traces.is_some()),
            ("--lenient", input.lenient),
        ];
        if let Some((option, _)) = unused.iter().find(|(_, given)| *given) {
            anyhow::bail!("{option} is about a scenario, and none is given");
        }
    }
    Ok(SubjectSpec {
        scenario: arguments.scenario.as_ref().map(|path| ScenarioSpec {
            path: path.clone(),
            set: input.set.clone(),
            traces: input.traces.clone(),
            lenient: input.lenient,
        }),
        at_ns: at.map_or(0, |at| Time::from(at).0),
        seed: arguments.seed,
    })
}

fn cases(arguments: &BenchArguments, subject: &Subject) -> anyhow::Result<Vec<Case>> {
    let known: Vec<&str> = subject.kinds().iter().map(|kind| kind.name.as_str()).collect();
    let mut kinds: Vec<&str> = Vec::new();
    for wanted in &arguments.kind {
        match known.iter().find(|name| *name == wanted) {
            Some(name) => kinds.push(name),
            None => {
                let hint = nearest(wanted, known.iter().copied()).map(|near| format!("did you mean {near:?}? "));
                anyhow::bail!(
                    "there is no kind of request {wanted:?}; {}{}",
                    hint.unwrap_or_default(),
                    there_are(&known)
                );
            }
        }
    }
    if kinds.is_empty() {
        kinds = known;
    }
    let mut strategies = arguments.strategy.clone();
    if strategies.is_empty() {
        strategies = subject.strategies();
    }
    let mut nodes: Vec<usize> = arguments.nodes.iter().map(|nodes| *nodes as usize).collect();
    if nodes.is_empty() {
        nodes = subject.node_counts();
    }
    nodes.sort_unstable();
    let mut cases: Vec<Case> = Vec::new();
    for strategy in strategies {
        for kind in &kinds {
            for nodes in &nodes {
                let case = Case {
                    strategy,
                    kind: (*kind).to_owned(),
                    nodes: *nodes,
                };
                if !cases.contains(&case) {
                    cases.push(case);
                }
            }
        }
    }
    Ok(cases)
}
