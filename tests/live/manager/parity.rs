//! The same requests to the simulator and to the manager over real daemons go to the same nodes.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::Manager;
use crate::daemons::Daemons;
use crate::guardian;
use crate::runner::{Case, cases};

pub const CASES: [Case; 1] = cases!(parity: simulated_and_live_placements_are_the_same);

const REQUESTS: usize = 60;

/// A request as both are asked it.
#[derive(Debug)]
struct Wanted {
    name: String,
    millicpus: u64,
    memory_mib: u64,
    constraint: &'static str,
    affinity: String,
    port: &'static str,
}

fn requests(seed: u64) -> Vec<Wanted> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut pick = |texts: &[&'static str]| texts[rng.random_range(0..texts.len())];
    let mut wanted: Vec<Wanted> = (0..REQUESTS)
        .map(|number| Wanted {
            name: format!("c{number}"),
            millicpus: 0,
            memory_mib: 0,
            constraint: pick(&[
                "",
                "",
                "",
                "zone==a",
                "zone!=b",
                "zone==~c",
                "zone==/[bc]/",
                "node==node-2",
            ]),
            affinity: String::new(),
            port: pick(&["", "", "", "", "", "80", "81"]),
        })
        .collect();
    for (number, wanted) in wanted.iter_mut().enumerate() {
        wanted.millicpus = [0, 50, 100, 250][rng.random_range(0..4)];
        wanted.memory_mib = [0, 64, 300, 1024][rng.random_range(0..4)];
        if rng.random_range(0..6) == 0 && number > 0 {
            let other = rng.random_range(0..number);
            wanted.affinity = format!("container{}c{other}", ["==~", "!=~", "!="][rng.random_range(0..3)]);
        }
    }
    wanted
}

/// Node or empty text, by name, as the simulator decides.
fn simulated(daemons: &Daemons, requests: &[Wanted], strategy: &str) -> Vec<(String, String)> {
    let directory = guardian::laboratory()
        .expect("in the laboratory")
        .join(format!("parity-{strategy}"));
    fs::create_dir_all(&directory).expect("a directory");
    let mut scenario = "title = \"Parity\"\n[run]\nduration = \"1h\"\n".to_owned();
    for (node, zone) in daemons.iter().zip(["a", "b", "c"]) {
        let described = node
            .docker()
            .ok(["info", "--format", "{{.Name}} {{.NCPU}} {{.MemTotal}}"]);
        let [name, cpus, memory] = super::words(&described)[..] else {
            panic!("{described}")
        };
        let _ = write!(
            scenario,
            "[cluster.nodes.{name}]\nname = \"{name}\"\ncpus = {cpus}\nmemory = \"{memory}B\"\nlabels = {{ zone = \"{zone}\" }}\n"
        );
    }
    scenario += "[workload.traced]\ntrace = { format = \"csv\", file = \"requests.csv\" }\n";
    let mut rows = "arrival_s,name,cpus,memory_mib,constraints,affinities,ports\n".to_owned();
    for (second, wanted) in requests.iter().enumerate() {
        let Wanted {
            name,
            millicpus,
            memory_mib,
            constraint,
            affinity,
            port,
        } = wanted;
        let cpus = format!("{}.{:03}", millicpus / 1000, millicpus % 1000);
        let ports = if port.is_empty() {
            String::new()
        } else {
            format!("{port}:{port}")
        };
        let _ = writeln!(
            rows,
            "{second},{name},{cpus},{memory_mib},{constraint},{affinity},{ports}"
        );
    }
    let file = directory.join("scenario.toml");
    fs::write(&file, scenario).expect("the scenario");
    fs::write(directory.join("requests.csv"), rows).expect("the requests");
    let out = directory.join("out");
    let run = Command::new(env!("CARGO_BIN_EXE_swarmlab"))
        .arg("run")
        .arg(&file)
        .args(["--strategy", strategy, "--no-plots", "--quiet", "--traces"])
        .arg(&directory)
        .arg("--out")
        .arg(&out)
        .output()
        .expect("the simulator runs");
    assert!(run.status.success(), "{run:?}");
    let mut placements = csv::Reader::from_path(out.join("placements.csv")).expect("the placements");
    let mut decided: Vec<(String, String)> = placements
        .records()
        .map(|record| record.expect("a row"))
        .map(|record| (record[3].to_owned(), record[6].to_owned()))
        .collect();
    decided.sort();
    decided
}

/// Asks the manager the same, one after the other.
fn compare(daemons: &Daemons, requests: &[Wanted], strategy: &str, expected: &[(String, String)]) {
    let manager = Manager::with(daemons, &["--strategy", strategy]);
    for wanted in requests {
        let expressions = [
            ("constraint", wanted.constraint),
            ("affinity", wanted.affinity.as_str()),
        ];
        let env: Vec<String> = expressions
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(kind, text)| format!("{kind}:{text}"))
            .collect();
        let ports = match wanted.port {
            "" => json!({}),
            port => json!({ format!("{port}/tcp"): [{ "HostPort": port }] }),
        };
        let body = json!({
            "Image": "busybox",
            "Env": env,
            "HostConfig": {
                "NanoCpus": wanted.millicpus * 1_000_000,
                "Memory": wanted.memory_mib << 20,
                "PortBindings": ports,
            },
        });
        let path = format!("/v1.40/containers/create?name={}", wanted.name);
        let answer = manager.ask("POST", &path, &body.to_string());
        let node = match answer.status {
            201 => {
                let inspected = manager.ask("GET", &format!("/v1.40/containers/{}/json", wanted.name), "");
                let inspected: serde_json::Value = serde_json::from_str(&inspected.body).expect("an object");
                inspected["Node"]["Name"].as_str().expect("its node").to_owned()
            }
            _ => {
                assert!(answer.body.contains("\"nodes\""), "{wanted:?}: {answer:?}");
                String::new()
            }
        };
        let simulated = expected.iter().find(|(name, _)| *name == wanted.name);
        let simulated = simulated.map(|(_, node)| node.as_str());
        assert_eq!(Some(node.as_str()), simulated, "{strategy}: {wanted:?}: {answer:?}");
    }
    let docker = manager.docker();
    let all = docker.ok(["ps", "-aq"]);
    docker.ok([&["rm", "-f"][..], &super::words(&all)].concat());
}

fn simulated_and_live_placements_are_the_same() {
    let daemons = Daemons::several(3);
    for (seed, strategy) in [(1, "spread"), (2, "binpack")] {
        let requests = requests(seed);
        let expected = simulated(&daemons, &requests, strategy);
        let placed = expected.iter().filter(|(_, node)| !node.is_empty()).count();
        assert!(
            (REQUESTS / 2..REQUESTS).contains(&placed),
            "{placed} are placed: nothing to compare"
        );
        compare(&daemons, &requests, strategy, &expected);
    }
}
