//! Libraries of other languages that speak to Docker. Each runs a script of its usual calls, which prints what came of them:
//! the same at a manager in front of real daemons, at a simulated engine, and at a manager in front of simulated ones.

use std::time::Duration;

use crate::clients::Client;
use crate::daemons;
use crate::manager::{Manager, eventually};
use crate::programs::Language;
use crate::runner::{Case, cases};
use crate::simulated::{ENDPOINT, Engines};

pub const CASES: [Case; 4] = cases!(libraries:
    docker_py_finds_the_same_everywhere needs Python,
    testcontainers_for_python_find_the_same_everywhere needs Python,
    dockerode_finds_the_same_everywhere needs Node,
    testcontainers_for_node_find_the_same_everywhere needs Node,
);

/// How long a script may take.
const SCRIPT_MAX: Duration = Duration::from_secs(120);

/// The discovery of the simulated engines.
const SIMULATED: &str = "127.9.0.1:2375,127.9.0.2:2375";

fn transcript(language: Language, script: &str, endpoint: &str) -> Vec<String> {
    let path = format!("{}/tests/live/clients/{script}", env!("CARGO_MANIFEST_DIR"));
    let out = Client::script(language, endpoint).within(SCRIPT_MAX).ok([path]);
    out.lines().map(str::to_owned).collect()
}

fn same_everywhere(language: Language, script: &str) {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    let expected = transcript(language, script, &manager.endpoint());
    drop((manager, daemons));
    assert!(expected.len() > 5, "{expected:?}");
    let _engines = Engines::start();
    Client::docker(ENDPOINT).ok(["pull", "busybox"]);
    let found = transcript(language, script, ENDPOINT);
    compare(&expected, &found, "at a simulated engine");
    let manager = Manager::start(&[], SIMULATED);
    let info = || manager.docker().ok(["info"]);
    eventually(info, |info| info.matches("Status: Healthy").count() == 2);
    manager.docker().ok(["pull", "busybox"]);
    let found = transcript(language, script, &manager.endpoint());
    compare(&expected, &found, "at a manager in front of simulated engines");
}

/// Says which lines are not the same.
#[track_caller]
fn compare(expected: &[String], found: &[String], place: &str) {
    let lines = expected.len().max(found.len());
    let pairs = (0..lines).map(|line| (expected.get(line), found.get(line)));
    let others: Vec<_> = pairs.filter(|(expected, found)| expected != found).collect();
    assert!(others.is_empty(), "{place}: {others:#?}");
}

fn docker_py_finds_the_same_everywhere() {
    same_everywhere(Language::Python, "docker_py.py");
}

fn testcontainers_for_python_find_the_same_everywhere() {
    same_everywhere(Language::Python, "testcontainers_py.py");
}

fn dockerode_finds_the_same_everywhere() {
    same_everywhere(Language::Node, "dockerode.js");
}

fn testcontainers_for_node_find_the_same_everywhere() {
    same_everywhere(Language::Node, "testcontainers.js");
}
