//! The README's chapter on live mode, executed as written.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{SOON, within};
use crate::clients::Client;
use crate::daemons;
use crate::runner::{Case, cases};

pub const CASES: [Case; 1] = cases!(readme: five_commands_lead_to_a_container);

/// Only the addresses of the engines are others: a reader has others, too.
fn five_commands_lead_to_a_container() {
    let daemons = daemons::shared();
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README");
    let (_, chapter) = readme.split_once("## Live mode").expect("the chapter");
    let commands: Vec<&str> = chapter
        .lines()
        .skip_while(|line| !line.starts_with("    "))
        .take_while(|line| line.starts_with("    "))
        .map(str::trim)
        .collect();
    assert_eq!(commands.len(), 5, "{commands:?}");
    assert!(commands[0].starts_with("ENGINES=") && commands[1].ends_with('&'), "{commands:?}");
    let program = Path::new(env!("CARGO_BIN_EXE_swarmlab"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.parent().expect("a directory").display());
    // A reader types slower than a script runs: the manager has found its engines by then.
    let script = format!(
        "ENGINES={}\n{}\nmanager=$!\ntrap 'kill $manager' EXIT\nuntil {} | grep -c Healthy | grep -q 2; do sleep 0.1; done\n{}\n",
        daemons.addresses(),
        commands[1],
        commands[2],
        commands[2..].join("\n"),
    );
    let endpoint = "tcp://127.0.0.1:3375";
    let run = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .env("PATH", path)
        .env("HOME", std::env::temp_dir())
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let out = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{out}{}", String::from_utf8_lossy(&run.stderr));
    assert!(out.contains("Status: Healthy"), "{out}");
    let listed = out.lines().last().expect("the container");
    assert!(listed.contains("/web") && listed.contains("->80/tcp"), "{out}");
    // The manager is told to stop, and does.
    within(SOON, || Client::docker(endpoint).run(["info"]).out.contains("Nodes:"), |up| !up);
}
