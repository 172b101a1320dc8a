//! A log of a run gives the same run again, and no other log does.

use std::path::Path;

use proptest::prelude::*;
use swarmlab::eventlog::{FORMAT, Header, Integrity, Recorded, Sink, Writer};
use swarmlab::model::Time;
use swarmlab::scenario::{Options, parse};
use swarmlab::scheduler::Strategy as Placement;
use swarmlab::sim::{Plan, Run, preparer, simulate, simulate_inputs};

#[derive(Default)]
struct Lines(Vec<String>);

impl Sink for Lines {
    fn line(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }
}

fn plan(text: &str) -> Plan {
    match parse("s.toml", text, Path::new(""), &Options::default()) {
        Ok(scenario) => scenario.plan,
        Err(faults) => panic!("{faults}\n{text}"),
    }
}

fn header(strategy: Placement) -> Header {
    Header {
        format: FORMAT.to_owned(),
        version: "0".to_owned(),
        scenario: "s.toml".to_owned(),
        text: String::new(),
        directory: String::new(),
        traces: None,
        lenient: false,
        overrides: Vec::new(),
        hash: String::new(),
        strategy: strategy.name().to_owned(),
        seed: 1,
    }
}

fn run(strategy: Placement) -> Run<'static> {
    Run {
        strategy,
        seed: 1,
        stopwatch: None,
        interrupted: None,
    }
}

fn logged(plan: &Plan, strategy: Placement) -> Vec<String> {
    let mut writer = Writer::new(Lines::default(), &header(strategy), plan);
    simulate(plan, run(strategy), Time::MAX, &mut writer);
    writer.into_sink().0
}

fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The lines of the repeated run, and whether the log is as it was written.
fn repeated(log: &[String], plan: &Plan, strategy: Placement) -> Option<(Vec<String>, Integrity)> {
    let text = text(log);
    let header = Recorded::header(&text).ok()?;
    let mut inputs = Recorded::read(&text, plan, &mut preparer(plan, strategy)).ok()?;
    let integrity = inputs.integrity();
    let mut writer = Writer::repeating(Lines::default(), &log[0], &header, plan);
    simulate_inputs(plan, run(strategy), Time::MAX, &mut inputs, &mut writer);
    Some((writer.into_sink().0, integrity))
}

fn survives(scenario: &str, strategy: Placement) {
    let plan = plan(scenario);
    let log = logged(&plan, strategy);
    let (again, integrity) = repeated(&log, &plan, strategy).expect("an untouched log can be read");
    let differs = log.iter().zip(&again).find(|(one, other)| one != other);
    assert!(
        log == again,
        "{differs:?}, {} and {} lines\n{scenario}",
        log.len(),
        again.len()
    );
    assert_eq!(integrity, Integrity::Whole);
}

/// One class of containers.
fn class() -> impl Strategy<Value = String> {
    let arrivals = prop_oneof![
        (1..20_u32).prop_map(|seconds| format!("{{ process = \"fixed\", interval = \"{seconds}s\" }}")),
        (1..60_u32).prop_map(|rate| format!("{{ process = \"poisson\", rate = \"{rate}/min\" }}")),
        (1..5_u32, 1..20_u32)
            .prop_map(|(size, seconds)| format!("{{ process = \"burst\", size = {size}, interval = \"{seconds}s\" }}")),
        (1..9_u32).prop_map(|count| format!("{{ process = \"at-start\", count = {count} }}")),
    ];
    let lifetime = proptest::sample::select(vec!["\"forever\"", "\"1s\"", "\"7s\"", "\"100s\""]);
    let rejection = proptest::sample::select(vec![
        "{ action = \"drop\" }",
        "{ action = \"retry\" }",
        "{ action = \"queue\" }",
        "{ action = \"queue\", limit = 2 }",
        "{ action = \"queue\", discipline = \"backfill\" }",
    ]);
    let extra = proptest::sample::select(vec![
        "",
        "start = \"5s\"\n",
        "stop = \"8s\"\n",
        "limit = 3\n",
        "restart = \"on-failure:2\"\nfailure = 0.5\n",
        "reschedule = \"on-node-failure\"\n",
        "remove-on-exit = false\n",
        "replicas = 3\n",
        "constraints = [\"node==n-1\"]\n",
        "constraints = [\"zone==b\"]\n",
    ]);
    (arrivals, lifetime, rejection, extra, 1..6_u32).prop_map(|(arrivals, lifetime, rejection, extra, cpus)| {
        format!("arrivals = {arrivals}\nlifetime = {lifetime}\non-rejection = {rejection}\n{extra}cpus = {cpus}\n")
    })
}

/// One thing that happens to nodes, often without any effect.
fn event() -> impl Strategy<Value = String> {
    let action = proptest::sample::select(vec![
        "action = \"fail\"\nrepair = \"3s\"",
        "action = \"fail\"",
        "action = \"recover\"",
        "action = \"drain\"",
        "action = \"undrain\"",
        "action = \"leave\"",
        "action = \"join\"",
        "action = \"health\"\nvalue = 0",
        "action = \"health\"\nvalue = 70",
        "action = \"relabel\"\nlabels = { zone = \"b\" }",
        "action = \"flap\"\ndown = \"2s\"\nup = \"3s\"\ntimes = 2",
    ]);
    let when = prop_oneof![(0..30_u32).prop_map(|seconds| format!("at = \"{seconds}s\"")),];
    (action, when).prop_map(|(action, when)| format!("[[events]]\nnodes = \"n-1\"\n{when}\n{action}\n"))
}

fn scenario() -> impl Strategy<Value = String> {
    (
        5..40_u32,
        any::<bool>(),
        proptest::collection::vec(class(), 1..4),
        proptest::collection::vec(event(), 0..4),
    )
        .prop_map(|(duration, drained, classes, events)| {
            let until = if drained { "until = \"drained\"\n" } else { "" };
            let mut text = format!(
                "[run]\nduration = \"{duration}s\"\n{until}[cluster.nodes.n]\ncount = 3\ncpus = 4\nmemory = \"8GiB\"\n"
            );
            for (number, class) in classes.iter().enumerate() {
                text.push_str(&format!("[workload.c{number}]\n{class}"));
            }
            events.iter().for_each(|event| text.push_str(event));
            text
        })
}

proptest! {
    #[test]
    fn an_untouched_log_gives_the_same_run(
        scenario in scenario(),
        strategy in proptest::sample::select(vec![Placement::Spread, Placement::Binpack, Placement::Random]),
    ) {
        survives(&scenario, strategy);
    }
}

/// The third arrival is due after the end, which the run waits for in vain.
const WAITS_IN_VAIN: &str = r#"
[run]
duration = "10s"
until = "drained"
[cluster.nodes.n]
cpus = 4
memory = "8GiB"
[workload.w]
arrivals = { process = "fixed", interval = "7s" }
lifetime = "1s"
"#;

#[test]
fn a_run_that_waited_for_more_until_its_end_ends_there_again() {
    survives(WAITS_IN_VAIN, Placement::Spread);
}

#[test]
fn a_run_whose_last_input_had_no_effect_ends_there_again() {
    let events = "[[events]]\nnodes = \"n-1\"\nat = \"9s\"\naction = \"recover\"\n";
    survives(&format!("{WAITS_IN_VAIN}limit = 1\n{events}"), Placement::Spread);
}

#[test]
fn no_line_can_be_removed_changed_or_doubled_unnoticed() {
    // Nothing else in the log follows from the drain of an empty node.
    let events = "[[events]]\nnodes = \"n-1\"\nat = \"9s\"\naction = \"drain\"\n";
    let plan = plan(&format!("{WAITS_IN_VAIN}limit = 1\n{events}"));
    let log = logged(&plan, Placement::Spread);
    assert!(log.iter().any(|line| line.contains("drain")));
    let is_taken = |forged: &[String]| {
        let again = repeated(forged, &plan, Placement::Spread);
        again.is_some_and(|(again, integrity)| again == forged && integrity != Integrity::Altered)
    };
    assert!(is_taken(&log));
    for place in 0..log.len() {
        let mut removed = log.clone();
        removed.remove(place);
        let mut doubled = log.clone();
        doubled.insert(place, log[place].clone());
        let mut changed = log.clone();
        changed[place] = changed[place]
            .replace("w-1", "w-9")
            .replace("\"seed\":1", "\"seed\":2")
            .replace("9000", "8999");
        for forged in [removed, doubled, changed].iter().filter(|forged| **forged != log) {
            assert!(!is_taken(forged), "line {place} of\n{}", text(&log));
        }
    }
}

#[test]
fn a_log_without_checksum_of_the_format_before_is_still_repeated() {
    let plan = plan(WAITS_IN_VAIN);
    let mut log = logged(&plan, Placement::Spread);
    log[0] = log[0].replace(FORMAT, "swarmlab-events/1");
    let last = log.len() - 1;
    log[last] = r#"{"event":"end","t":10000000000}"#.to_owned();
    let again = repeated(&log, &plan, Placement::Spread);
    assert_eq!(again, Some((log.clone(), Integrity::Unknown)));
    // A newer one cannot be passed off as an older one by taking the checksum away alone.
    log[0] = log[0].replace("swarmlab-events/1", FORMAT);
    let integrity = repeated(&log, &plan, Placement::Spread).map(|(_, integrity)| integrity);
    assert_eq!(integrity, Some(Integrity::Altered));
}
