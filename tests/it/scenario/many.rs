//! Very many classes, sound ones and faulty ones. What took the square of their number took minutes for these.

use std::fmt::Write;

use swarmlab::cluster::Cluster;
use swarmlab::model::Time;
use swarmlab::scheduler::Strategy;
use swarmlab::sim::{Observation, Observer, Run, simulate};

use super::{NODES, read};

/// So many classes, each with a line of its own.
fn classes(count: usize, line: impl Fn(usize) -> String) -> String {
    let mut text = NODES.to_owned();
    for number in 0..count {
        let line = line(number);
        writeln!(text, "[workload.c{number:05}]\n{line}").expect("memory does not fill up");
    }
    text
}

fn at_start(more: &str) -> String {
    format!("arrivals = {{ process = \"at-start\", count = 1 }}\n{more}")
}

/// The classes whose containers are submitted, in order.
struct Order(Vec<usize>);

impl Observer for Order {
    fn observe(&mut self, _: Time, _: &Cluster, observation: &Observation<'_>) {
        if let Observation::Submitted { subject, .. } = observation {
            self.0.push(subject.class);
        }
    }
}

#[test]
fn each_of_many_classes_is_asked_for_in_turn() {
    const CLASSES: usize = 20_000;
    let text = classes(CLASSES, |number| {
        // Half of them come at the same instant, the others before that, the last first.
        let start = if number % 2 == 0 { CLASSES } else { CLASSES - number };
        at_start(&format!(
            "start = \"{start}ms\"\nlifetime = \"1ms\"\nlinks = [\"c{:05}-1\"]\nimage = \"web:{number}\"\nconstraints = [\"zone!=z{number}\"]",
            (number + 1) % CLASSES
        ))
    });
    let scenario = read(&text).unwrap_or_else(|faults| panic!("{faults}"));
    let mut order = Order(Vec::new());
    let run = Run {
        strategy: Strategy::Spread,
        seed: 1,
        stopwatch: None,
        interrupted: None,
    };
    simulate(&scenario.plan, run, Time::MAX, &mut order);
    let odd = (0..CLASSES).rev().filter(|number| number % 2 == 1);
    let even = (0..CLASSES).filter(|number| number % 2 == 0);
    assert_eq!(order.0, odd.chain(even).collect::<Vec<_>>());
}

#[test]
fn many_faults_are_counted_and_the_first_of_them_told() {
    const CLASSES: usize = 3_000;
    let more = format!("… and {} more", CLASSES - 100);
    for (line, help) in [
        (
            at_start("links = [\"c0000-1\"]"),
            "the containers of class `c00000` are named `c00000-1`",
        ),
        (
            at_start("network = \"container:nobody-7\""),
            "and the classes are `c00000`, `c00001`",
        ),
        (at_start("imagee = \"web\""), "did you mean `image`?"),
        (
            "arrivals = { process = \"at-once\" }".to_owned(),
            "unknown name \"at-once\"",
        ),
        (String::new(), "the key `arrivals` is missing in `workload.c00000`"),
        (at_start("cpus = true"), "expected"),
    ] {
        let faults = read(&classes(CLASSES, |_| line.clone())).expect_err("every class is faulty");
        let shown = faults.render(false);
        assert!(
            faults.len() == CLASSES && shown.trim_end().ends_with(&more),
            "{line}: {}",
            faults.len()
        );
        let first = &shown[..shown.len().min(600)];
        assert!(first.contains(help) && first.contains("test.toml:"), "{line}: {first}");
    }
}

#[test]
fn many_doubts_are_counted_and_the_first_of_them_told() {
    const CLASSES: usize = 3_000;
    let images = "[images.\"web:1.27\"]\nsize = \"1MiB\"\n";
    for (line, help) in [
        ("image = \"web:1.72\"", "did you mean \"web:1.27\"?"),
        ("constraints = [\"zoen!=a\"]", "did you mean `zone`?"),
        ("resources = { gpu = 1 }", "no filter looks at the resource `gpu`"),
        ("cpus = 100", "no node offers more than 8 CPUs"),
    ] {
        let text = images.to_owned() + &classes(CLASSES, |_| at_start(line));
        let scenario = read(&text).unwrap_or_else(|faults| panic!("{faults}"));
        let shown = scenario.warnings.render(false);
        assert_eq!(scenario.warnings.len(), CLASSES, "{line}");
        assert!(shown[..600].contains(help), "{line}: {}", &shown[..600]);
    }
}
