//! `swarmlab explain`: why each node would take or refuse one more container.

use std::io::{self, Write};
use std::sync::Arc;

use crate::cluster::Cluster;
use crate::model::Time;
use crate::report::ShownExplanation;
use crate::scenario::units;
use crate::sim::{Observation, Observer, Run, one_more, simulate};

use super::Outcome;
use super::args::{ExplainArguments, Format};
use super::input::{self, Refused};

struct Nobody;

impl Observer for Nobody {
    fn observe(&mut self, _: Time, _: &Cluster, _: &Observation<'_>) {}
}

pub fn explain(arguments: &ExplainArguments) -> anyhow::Result<Outcome> {
    let loaded = match input::load(&arguments.scenario, &arguments.input) {
        Ok(loaded) => loaded,
        Err(Refused::Faulty) => return Ok(Outcome::Invalid),
        Err(Refused::Usage(error)) => return Ok(super::usage(&error)),
    };
    let plan = &loaded.scenario.plan;
    let at = arguments.at.as_deref().map(units::duration).transpose();
    let at = match at {
        Ok(at) => at.map_or(Time::MAX, Time::from),
        Err(complaint) => return Ok(super::usage(&anyhow::anyhow!("in --at: {complaint}"))),
    };
    let Some(class) = plan.classes.iter().position(|class| class.name == arguments.class) else {
        let names: Vec<&str> = plan.classes.iter().map(|class| class.name.as_str()).collect();
        let error = anyhow::anyhow!(
            "there is no class {:?}; there are: {}",
            arguments.class,
            names.join(", ")
        );
        return Ok(super::usage(&error));
    };
    let (strategy, seed) = arguments.choice.of(&plan.run);
    let run = Run {
        strategy,
        seed,
        stopwatch: None,
        interrupted: None,
    };
    let mut finished = simulate(plan, run, at, &mut Nobody);
    let request = one_more(plan, class, run.seed, finished.time);
    let prepared = finished.scheduler.prepare(Arc::new(request));
    let explanation = finished
        .scheduler
        .explain(&finished.cluster, &prepared, &finished.placement_rng);
    let shown = ShownExplanation {
        time: finished.time,
        class: &arguments.class,
        request: &prepared,
        settings: finished.scheduler.settings(),
        cluster: &finished.cluster,
        explanation: &explanation,
    };
    let text = match arguments.format {
        Format::Table => shown.to_table(),
        Format::Json => serde_json::to_string_pretty(&shown.to_json())? + "\n",
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(Outcome::Done)
}
