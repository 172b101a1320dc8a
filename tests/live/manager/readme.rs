//! The README's chapter on live mode, executed as written.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::stores::{Kind, Server};
use super::{SOON, within};
use crate::clients::Client;
use crate::daemons;
use crate::guardian;
use crate::programs;
use crate::runner::{Case, cases};

pub const CASES: [Case; 4] = cases!(readme:
    five_commands_lead_to_a_container,
    five_commands_lead_to_two_managers needs Etcd,
    nine_commands_lead_to_a_cluster_by_token,
    every_kind_of_discovery_is_listed needs Consul needs ZooKeeper,
);

/// The commands that stand first below a heading.
fn commands(heading: &str) -> Vec<String> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README");
    let (_, chapter) = readme.split_once(heading).expect("the chapter");
    let commands = chapter
        .lines()
        .skip_while(|line| !line.starts_with("    "))
        .take_while(|line| line.starts_with("    "));
    commands.map(|line| line.trim().to_owned()).collect()
}

/// Runs a script with our program on its path, and gives what it printed.
#[track_caller]
fn run(script: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_swarmlab"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.parent().expect("a directory").display());
    let run = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .env("PATH", path)
        .env("HOME", std::env::temp_dir())
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let out = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{out}{}", String::from_utf8_lossy(&run.stderr));
    out
}

/// Only the addresses of the engines are others: a reader has others, too.
fn five_commands_lead_to_a_container() {
    let daemons = daemons::shared();
    let commands = commands("## Live mode");
    assert_eq!(commands.len(), 5, "{commands:?}");
    assert!(
        commands[0].starts_with("ENGINES=") && commands[1].ends_with('&'),
        "{commands:?}"
    );
    // A reader types slower than a script runs: the manager has found its engines by then.
    let script = format!(
        "ENGINES={}\n{}\nmanager=$!\ntrap 'kill $manager' EXIT\nuntil {} | grep -c Healthy | grep -q 2; do sleep 0.1; done\n{}\n",
        daemons.addresses(),
        commands[1],
        commands[2],
        commands[2..].join("\n"),
    );
    let endpoint = "tcp://127.0.0.1:3375";
    let out = run(&script);
    assert!(out.contains("Status: Healthy"), "{out}");
    let listed = out
        .lines()
        .find(|line| line.contains("node-1/web"))
        .expect("the container");
    assert!(listed.contains("->80/tcp"), "{out}");
    // The manager is told to stop, and does.
    within(
        SOON,
        || Client::docker(endpoint).run(["info"]).out.contains("Nodes:"),
        |up| !up,
    );
}

/// As written, in a directory of its own.
fn nine_commands_lead_to_a_cluster_by_token() {
    let commands = commands("### Clusters by token");
    assert_eq!(commands.len(), 9, "{commands:?}");
    let place = guardian::laboratory().expect("in the laboratory").join("readme-token");
    fs::create_dir(&place).expect("a directory");
    let script = format!(
        "cd {}\ntrap 'kill $(jobs -p)' EXIT\n{}\n\
         until docker -H tcp://127.0.0.1:3375 info 2>/dev/null | grep 'Nodes: 2'; do sleep 0.1; done\n",
        place.display(),
        commands.join("\n"),
    );
    let out = run(&script);
    let listed: Vec<&str> = out
        .lines()
        .filter(|line| !line.contains("level="))
        .map(str::trim)
        .collect();
    assert_eq!(listed, ["192.168.0.11:2375", "192.168.0.12:2375", "Nodes: 2"], "{out}");
}

/// The chapter says how what is listed is started; here it is. ZooKeeper's own script is the distribution's matter.
fn every_kind_of_discovery_is_listed() {
    let commands = commands("The same with the others");
    assert_eq!(commands.len(), 6, "{commands:?}");
    let mut zookeeper = Server::not_yet(Kind::ZooKeeper).at("127.0.0.1", 2181);
    zookeeper.resume();
    // A reader types slower than a script runs.
    let typed = commands.join("\n").replace("&\n", "&\nsleep 3\n");
    let script = format!(
        "trap 'kill $(jobs -p)' EXIT\n{} agent -dev >/dev/null 2>&1 &\n\
         until : 2>/dev/null </dev/tcp/127.0.0.1/8500; do sleep 0.1; done\nsleep 5\n\
         echo 10.0.0.1:2375 > /tmp/engines\n{typed}\nrm /tmp/engines\n",
        programs::consul().display(),
    );
    let out = run(&script);
    let listed: Vec<&str> = out.lines().filter(|line| !line.contains("level=")).collect();
    let engine = "192.168.0.11:2375";
    assert_eq!(
        listed,
        [engine, engine, "10.0.0.1:2375", engine, "192.168.0.12:2375"],
        "{out}"
    );
}

/// The chapter says that etcd runs; here it is started. Only the address of the engine is another one.
fn five_commands_lead_to_two_managers() {
    let daemons = daemons::shared();
    let place = guardian::laboratory().expect("in the laboratory").join("readme-etcd");
    let commands = commands("### Stores, and several managers");
    assert_eq!(commands.len(), 5, "{commands:?}");
    let join = commands[0].replace("192.168.0.11:2375", &daemons[0].address());
    assert_ne!(join, commands[0]);
    // A reader types slower than a script runs: managers know one another, and their engine, by then.
    let script = format!(
        "trap 'kill $(jobs -p)' EXIT\netcd --data-dir {} >/dev/null 2>&1 &\n\
         until : 2>/dev/null </dev/tcp/127.0.0.1/2379; do sleep 0.1; done\n{join}\n{}\n\
         until docker -H tcp://127.0.0.1:3375 info 2>/dev/null | grep -q primary; do sleep 0.1; done\n{}\n\
         until docker -H tcp://127.0.0.1:3376 info 2>/dev/null | grep -q Healthy; do sleep 0.1; done\n{}\n{}\n",
        place.display(),
        commands[1],
        commands[2],
        commands[3],
        commands[4],
    );
    let out = run(&script);
    for line in [
        &daemons[0].address(),
        "Role: replica",
        "Primary: 127.0.0.1:3375",
        "Status: Healthy",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }
}
