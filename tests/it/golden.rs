//! The shipped scenarios give the same results, to the byte, as when they were last looked at.
//!
//! To accept a change on purpose, run with `SWARMLAB_BLESS=1` and read the difference before committing it.

use std::fs;
use std::path::Path;

use swarmlab::experiment::{Cell, by_strategy, cells, compare, run_cell};
use swarmlab::metrics::{RunRecord, Setup};
use swarmlab::report::{Placements, pictures, summary};
use swarmlab::scenario::{Options, load};
use swarmlab::sim::Plan;

fn plan(name: &str) -> Plan {
    smaller_plan(name, &[])
}

/// The plan of a shipped scenario with some values replaced.
fn smaller_plan(name: &str, overrides: &[&str]) -> Plan {
    let overrides = overrides.iter().map(|text| text.parse().expect("an override"));
    let options = Options {
        overrides: overrides.collect(),
        ..Options::default()
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scenarios")
        .join(format!("{name}.toml"));
    match load(&path, &options) {
        Ok(scenario) => scenario.plan,
        Err(faults) => panic!("{faults}"),
    }
}

fn one(plan: &Plan, cell: Cell) -> (RunRecord, Vec<u8>) {
    let classes = plan.classes.iter().map(|class| class.name.clone()).collect();
    let mut placements = Placements::new(Vec::new(), classes, true);
    placements.begin_run(cell.strategy.name(), cell.seed);
    let record = run_cell(plan, &Setup::from_plan(plan), cell, &mut placements, &|| 0, &|| false);
    let placed = placements.finish().expect("memory does not fill up");
    (record.expect("nobody interrupts"), placed)
}

fn check(name: &str, found: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("SWARMLAB_BLESS").is_some() {
        fs::write(&path, found).expect("the golden file can be written");
        return;
    }
    let expected = fs::read(&path).unwrap_or_default();
    let found = String::from_utf8_lossy(found);
    let expected = String::from_utf8_lossy(&expected);
    let differs = expected.lines().zip(found.lines()).position(|(a, b)| a != b);
    assert!(
        expected == found,
        "{name} differs, first in line {:?}; SWARMLAB_BLESS=1 accepts it",
        differs.map(|line| line + 1)
    );
}

fn golden(name: &str) {
    let plan = plan(name);
    let mut finished = Vec::new();
    let mut placed = Vec::new();
    for cell in cells(&plan.run.strategies, &[1, 2]) {
        let (record, placements) = one(&plan, cell);
        finished.push((cell, record));
        if cell.seed == 1 {
            placed.extend(placements);
        }
    }
    let strategies = by_strategy(&plan.run.strategies, finished);
    check(
        &format!("{name}.summary.csv"),
        &summary(&strategies).expect("memory does not fill up"),
    );
    check(&format!("{name}.placements.csv"), &placed);
}

#[test]
fn quickstart() {
    golden("quickstart");
}

#[test]
fn zones() {
    golden("zones");
}

/// The picture in the README is what its command gives.
#[test]
fn the_picture_of_the_readme() {
    let plan = plan("quickstart");
    let seeds: Vec<u64> = (1..=30).collect();
    let finished = cells(&plan.run.strategies, &seeds)
        .into_iter()
        .map(|cell| (cell, one(&plan, cell).0));
    let strategies = by_strategy(&plan.run.strategies, finished.collect());
    let drawn = pictures("Quickstart", &strategies, Some(&compare(&strategies))).expect("it can be drawn");
    let picture = drawn.into_iter().find(|picture| picture.stem == "comparison");
    let svg = picture.expect("strategies are compared").drawing.svg;
    check("../../scenarios/quickstart.svg", svg.as_bytes());
}

#[test]
fn every_shipped_scenario_runs_and_places_something() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut seen = 0;
    for entry in fs::read_dir(directory).expect("the scenarios") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        // These need a trace, and have tests of their own.
        if name.starts_with("openb") {
            continue;
        }
        let plan = match name.as_str() {
            // A minute and more without optimisation: fewer of the same.
            "c1m" | "c10m" => smaller_plan(
                &name,
                &[
                    "cluster.nodes.node.count=50",
                    "workload.plain.limit=8000",
                    "workload.ssd.limit=1000",
                    "workload.racked.limit=1000",
                ],
            ),
            _ => plan(&name),
        };
        let strategy = plan.run.strategies[0];
        let (record, _) = one(&plan, Cell { strategy, seed: 1 });
        let placed: u64 = record.classes.iter().map(|class| class.placed).sum();
        assert!(placed > 50, "{name} placed {placed}");
        let text = fs::read_to_string(&path).expect("the scenario");
        assert!(
            text.starts_with("# ") && text.lines().next().is_some_and(|line| line.ends_with('?')),
            "{name}"
        );
        seen += 1;
    }
    assert!(seen >= 11);
}
