//! A project of docker-compose over several engines.

use std::fs;

use super::{Manager, words};
use crate::clients::Client;
use crate::daemons;
use crate::guardian;
use crate::runner::{Case, cases};

pub const CASES: [Case; 1] = cases!(compose: a_project_comes_up_scales_and_goes needs Compose);

/// Two services. Without a network of its own: an overlay network, which it would get, needs more than these engines.
const PROJECT: &str = r#"
version: "2.4"
services:
  web:
    image: busybox
    command: ["sh", "-c", "echo serving; exec sleep 1000"]
    network_mode: bridge
    stop_grace_period: 0s
  database:
    image: busybox
    command: sleep 1000
    network_mode: bridge
    stop_grace_period: 0s
    environment:
      - "constraint:zone==b"
"#;

fn a_project_comes_up_scales_and_goes() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    let directory = guardian::laboratory().expect("in the laboratory").join("shop");
    fs::create_dir_all(&directory).expect("a directory");
    fs::write(directory.join("docker-compose.yml"), PROJECT).expect("the project");
    let compose = Client::compose(&manager.endpoint(), &directory);
    compose.ok(words("up -d"));
    let docker = manager.docker();
    let running = || {
        let mut names: Vec<String> = docker
            .ok(words("ps --format {{.Names}}"))
            .lines()
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    };
    assert!(
        running().contains(&"node-2/shop_database_1".to_owned()),
        "{:?}",
        running()
    );
    assert!(compose.ok(words("ps")).contains("shop_web_1"), "compose finds its own");
    compose.ok(words("up -d --scale web=4"));
    let names = running();
    let on = |node: &str| names.iter().filter(|name| name.starts_with(node)).count();
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(on("node-1/") >= 2 && on("node-2/") >= 2, "spread: {names:?}");
    assert_eq!(compose.ok(words("logs web")).matches("serving").count(), 4);
    compose.ok(words("up -d --scale web=1"));
    assert_eq!(running().len(), 2);
    compose.ok(words("down"));
    assert_eq!(docker.ok(words("ps -aq")), "");
}
