//! Simulated engines, driven by the real `docker` and `docker-compose` as a daemon is.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::clients::Client;
use crate::daemons;
use crate::guardian;
use crate::manager::stores::{Kind, Server, list};
use crate::manager::{Manager, eventually};
use crate::runner::{Case, cases};

pub const CASES: [Case; 6] = cases!(simulated:
    every_docker_takes_an_engine_for_a_daemon,
    files_and_images_go_in_and_come_out,
    compose_takes_an_engine_for_a_daemon needs Compose,
    a_project_with_its_own_network_comes_up_on_two_nodes needs Compose,
    what_nobody_uses_is_removed_everywhere,
    engines_are_in_a_store_for_as_long_as_they_run needs Etcd,
);

pub const ENDPOINT: &str = "tcp://127.9.0.1:2375";

/// The program, until it is dropped.
pub struct Engines(Child);

impl Engines {
    pub fn start() -> Engines {
        Engines::with(&[])
    }

    fn with(flags: &[&str]) -> Engines {
        // The loopback, which is down in a laboratory without daemons.
        daemons::open_network();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let child = Command::new(env!("CARGO_BIN_EXE_swarmlab"))
            .args([
                "engines",
                "scenarios/quickstart.toml",
                "--network",
                "127.9.0.0",
                "--no-node-events",
            ])
            .args(flags)
            .current_dir(root)
            .stdout(Stdio::null())
            .spawn()
            .expect("the program");
        let engines = Engines(child);
        let begun = Instant::now();
        while Client::docker(ENDPOINT).run(["version"]).code != Some(0) {
            assert!(begun.elapsed() < Duration::from_secs(20), "nobody answers");
            thread::sleep(Duration::from_millis(50));
        }
        engines
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Commands in their order, the code that each ends with, and what it says.
const TABLE: [(&[&str], i32, &str); 36] = [
    (&["version", "--format", "{{.Server.APIVersion}}"], 0, "1.41"),
    (&["info", "--format", "{{.NCPU}} {{.OSType}}"], 0, "4 linux"),
    (&["pull", "busybox"], 0, "docker.io/library/busybox:latest"),
    (&["pull", "nowhere/x"], 1, "pull access denied"),
    (
        &[
            "run", "-d", "--name", "web", "-p", "8080:80", "-l", "a=b", "busybox", "sleep", "999",
        ],
        0,
        "",
    ),
    (
        &["run", "-d", "--name", "web", "busybox"],
        125,
        "is already in use by container",
    ),
    (
        &["ps", "--filter", "label=a=b", "--format", "{{.Names}} {{.Ports}}"],
        0,
        "web 0.0.0.0:8080->80/tcp",
    ),
    (&["port", "web"], 0, "80/tcp -> 0.0.0.0:8080"),
    (&["exec", "web", "echo", "hi", "there"], 0, "hi there"),
    (&["exec", "web", "sh", "-c", "exit 3"], 3, ""),
    (&["top", "web"], 0, "sleep 9"),
    (&["stats", "--no-stream", "--format", "{{.Name}}"], 0, "web"),
    (&["pause", "web"], 0, "web"),
    (&["inspect", "-f", "{{.State.Status}}", "web"], 0, "paused"),
    (&["unpause", "web"], 0, "web"),
    (&["update", "-m", "100m", "--memory-swap", "200m", "web"], 0, "web"),
    (&["inspect", "-f", "{{.HostConfig.Memory}}", "web"], 0, "104857600"),
    (&["rename", "web", "db"], 0, ""),
    (&["restart", "db"], 0, "db"),
    (&["network", "create", "inner"], 0, ""),
    (&["network", "connect", "inner", "db"], 0, ""),
    (&["network", "inspect", "-f", "{{len .Containers}}", "inner"], 0, "1"),
    (&["network", "rm", "inner"], 1, "has active endpoints"),
    (&["volume", "create", "data"], 0, "data"),
    (&["volume", "ls", "-q"], 0, "data"),
    (&["stop", "db"], 0, "db"),
    (&["wait", "db"], 0, "143"),
    (
        &[
            "run",
            "--name",
            "job",
            "-e",
            "swarmlab.lifetime=100ms",
            "-e",
            "swarmlab.exit-code=7",
            "busybox",
            "echo",
            "x",
        ],
        7,
        "x",
    ),
    (&["logs", "job"], 0, "x"),
    (
        &["ps", "-a", "--filter", "exited=7", "--format", "{{.Names}}"],
        0,
        "job",
    ),
    (&["tag", "busybox", "other:1"], 0, ""),
    (&["rmi", "other:1"], 0, "Untagged: other:1"),
    (&["history", "-q", "busybox"], 0, ""),
    (
        &["system", "df", "--format", "{{.Type}} {{.TotalCount}}"],
        0,
        "Containers 2",
    ),
    (&["system", "prune", "-f", "--volumes"], 0, "Total reclaimed space"),
    (&["ps", "-aq"], 0, ""),
];

fn every_docker_takes_an_engine_for_a_daemon() {
    // Each has engines of its own, which so begin empty.
    let count = Client::every_docker(ENDPOINT).len();
    for number in 0..count {
        let _engines = Engines::start();
        let docker = Client::every_docker(ENDPOINT).swap_remove(number);
        for (words, code, told) in TABLE {
            let output = docker.run(words);
            let said = format!("{}{}", output.out, output.err);
            assert!(
                output.code == Some(code) && said.contains(told),
                "{words:?}: {output:?}"
            );
        }
        assert_eq!(docker.ok(["ps", "-aq"]), "");
    }
}

/// Commands in their order, the code that each ends with, and what it says. `DIR` is a directory with a file `page`, an
/// archive `snap.tar` once it was saved, and a Dockerfile.
const FILES: [(&[&str], i32, &str); 17] = [
    (&["pull", "busybox"], 0, ""),
    (&["run", "-d", "--name", "web", "busybox"], 0, ""),
    (&["cp", "DIR/page", "web:/tmp/"], 0, ""),
    (&["cp", "web:/tmp/page", "DIR/back"], 0, ""),
    (&["cp", "web:/tmp/page", "-"], 0, "hello from a file"),
    (&["cp", "web:/nowhere", "-"], 1, "/nowhere"),
    (&["diff", "web"], 0, "A /tmp/page"),
    (&["export", "-o", "DIR/web.tar", "web"], 0, ""),
    (&["commit", "web", "snap:1"], 0, "sha256:"),
    (&["save", "-o", "DIR/snap.tar", "snap:1"], 0, ""),
    (&["rmi", "snap:1"], 0, "Untagged: snap:1"),
    (&["load", "-i", "DIR/snap.tar"], 0, "Loaded image: snap:1"),
    (&["build", "-t", "built:1", "DIR"], 0, "built:1"),
    (&["image", "inspect", "-f", "{{.Config.Labels.a}}", "built:1"], 0, "b"),
    (&["create", "--name", "made", "built:1"], 0, ""),
    (&["cp", "made:/www/page", "-"], 0, "hello from a file"),
    (&["push", "built:1"], 1, "push images nowhere"),
];

fn files_and_images_go_in_and_come_out() {
    let count = Client::every_docker(ENDPOINT).len();
    for number in 0..count {
        let _engines = Engines::start();
        let directory = guardian::laboratory()
            .expect("in the laboratory")
            .join(format!("files-{number}"));
        fs::create_dir_all(&directory).expect("a directory");
        fs::write(directory.join("page"), "hello from a file\n").expect("a file");
        let dockerfile = "FROM busybox\nCOPY page /www/\nLABEL a=b\n";
        fs::write(directory.join("Dockerfile"), dockerfile).expect("a file");
        let docker = Client::every_docker(ENDPOINT).swap_remove(number);
        for (words, code, told) in FILES {
            let words: Vec<String> = words
                .iter()
                .map(|word| word.replace("DIR", &directory.display().to_string()))
                .collect();
            let output = docker.run(&words);
            let said = format!("{}{}", output.out, output.err);
            assert!(
                output.code == Some(code) && said.contains(told),
                "{words:?}: {output:?}"
            );
        }
        let back = fs::read_to_string(directory.join("back")).expect("it was copied out");
        assert_eq!(back, "hello from a file\n");
    }
}

fn engines_are_in_a_store_for_as_long_as_they_run() {
    let server = Server::start(Kind::Etcd);
    let url = server.url("simulated");
    let start = || Engines::with(&["--register", &url, "--heartbeat", "1s", "--ttl", "3s"]);
    let mut engines = start();
    let manager = Manager::start(&[], &url);
    let healthy = |manager: &Manager| manager.docker().ok(["info"]).matches("Status: Healthy").count();
    let count = eventually(
        || healthy(&manager),
        |count| *count > 0 && list(&url, &[]).is_ok_and(|all| all.len() == *count),
    );
    assert_eq!(list(&url, &[]).map(|all| all.len()), Ok(count));
    // Who says good-bye is off the list at once, who does not, when its time is over.
    let pid = rustix::process::Pid::from_child(&engines.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    engines.0.wait().expect("its end");
    assert_eq!(list(&url, &[]), Ok(Vec::new()));
    let engines = start();
    let again = eventually(
        || list(&url, &[]),
        |all| all.as_ref().is_ok_and(|all| all.len() == count),
    );
    assert!(again.is_ok());
    drop(engines);
    let gone = eventually(|| list(&url, &[]), |all| *all == Ok(Vec::new()));
    assert_eq!(gone, Ok(Vec::new()));
}

fn compose_takes_an_engine_for_a_daemon() {
    let _engines = Engines::start();
    let project = guardian::laboratory().expect("in the laboratory").join("simulated");
    fs::create_dir_all(&project).expect("a directory");
    let file = "version: '2.4'\nservices:\n  web:\n    image: busybox\n    command: sleep 999\n    ports: ['8081:80']\n    \
                volumes: ['data:/data']\n  db:\n    image: busybox\n    command: top\nvolumes:\n  data: {}\n";
    fs::write(project.join("docker-compose.yml"), file).expect("a file");
    let compose = Client::compose(ENDPOINT, &project);
    compose.ok(["up", "-d"]);
    let listed = compose.ok(["ps"]);
    assert!(
        listed.matches(" Up ").count() == 2 && listed.contains("8081->80/tcp"),
        "{listed}"
    );
    assert_eq!(compose.ok(["exec", "-T", "web", "echo", "hi"]), "hi");
    compose.ok(["down", "-v"]);
    let docker = Client::docker(ENDPOINT);
    assert_eq!(docker.ok(["ps", "-aq"]) + &docker.ok(["volume", "ls", "-q"]), "");
}

/// The first two engines.
const TWO: &str = "127.9.0.1:2375,127.9.0.2:2375";

/// A manager in front of two simulated engines, and what `docker` says through it.
fn over_two() -> (Manager, Client) {
    let manager = Manager::start(&[], TWO);
    let docker = manager.docker();
    let healthy = || docker.ok(["info"]).matches("Status: Healthy").count();
    eventually(healthy, |count| *count == 2);
    (manager, docker)
}

fn a_project_with_its_own_network_comes_up_on_two_nodes() {
    let _engines = Engines::start();
    let (manager, docker) = over_two();
    let project = guardian::laboratory().expect("in the laboratory").join("plain");
    fs::create_dir_all(&project).expect("a directory");
    let file = "version: '2.4'\nservices:\n  web:\n    image: busybox\n    command: sleep 9\n  db:\n    image: busybox\n    \
                command: top\n";
    fs::write(project.join("docker-compose.yml"), file).expect("a file");
    let compose = Client::compose(&manager.endpoint(), &project);
    compose.ok(["up", "-d"]);
    let listed = docker.ok(["ps", "--format", "{{.Names}}"]);
    let nodes: std::collections::BTreeSet<&str> = listed.lines().filter_map(|name| name.split('/').next()).collect();
    assert!(
        listed.contains("plain_web_1") && listed.contains("plain_db_1"),
        "{listed}"
    );
    assert_eq!(nodes.len(), 2, "{listed}");
    let form = "{{.Driver}} {{.Scope}} {{len .Containers}}";
    assert_eq!(
        docker.ok(["network", "inspect", "-f", form, "plain_default"]),
        "overlay global 2"
    );
    let networks = docker.ok(["network", "ls", "--filter", "driver=overlay", "--format", "{{.Name}}"]);
    assert_eq!(networks, "plain_default", "once, by its bare name");
    let addresses = "{{range .Containers}}{{.IPv4Address}} {{end}}";
    let addresses = docker.ok(["network", "inspect", "-f", addresses, "plain_default"]);
    let different: std::collections::BTreeSet<&str> = addresses.split_whitespace().collect();
    assert_eq!(different.len(), 2, "{addresses}");
    assert!(
        docker
            .fails(["network", "rm", "plain_default"])
            .contains("active endpoints")
    );
    compose.ok(["down", "-t", "0"]);
    assert_eq!(docker.ok(["ps", "-aq"]), "");
    assert_eq!(docker.ok(["network", "ls", "--filter", "type=custom", "-q"]), "");
}

fn what_nobody_uses_is_removed_everywhere() {
    let _engines = Engines::start();
    let (_manager, docker) = over_two();
    for name in ["one", "two"] {
        docker.ok([
            "run",
            "-d",
            "--name",
            name,
            "-v",
            &format!("{name}:/v"),
            "busybox",
            "sleep",
            "9",
        ]);
    }
    docker.ok(["create", "--name", "three", "-l", "keep=1", "busybox"]);
    docker.ok(["network", "create", "idle"]);
    docker.ok(["volume", "create", "spare"]);
    let rows = docker.ok(["system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}}"]);
    assert!(
        rows.contains("Containers 3 2") && rows.contains("Local Volumes 4 2"),
        "{rows}"
    );
    let detailed = docker.ok(["system", "df", "-v"]);
    assert!(detailed.contains("/one") && detailed.contains("/spare"), "{detailed}");
    let stopped = docker.ok(["stop", "one", "two"]);
    assert_eq!(stopped.lines().count(), 2);
    docker.ok(["container", "prune", "-f", "--filter", "label!=keep"]);
    let left = docker.ok(["ps", "-a", "--format", "{{.Names}}"]);
    assert!(left.ends_with("/three") && left.lines().count() == 1, "{left}");
    let removed = docker.ok(["network", "prune", "-f"]);
    assert!(removed.contains("idle"), "{removed}");
    let removed = docker.ok(["volume", "prune", "-f"]);
    assert!(
        removed.matches("/spare").count() == 2 && removed.contains("/one"),
        "{removed}"
    );
    assert_eq!(docker.ok(["volume", "ls", "-q"]), "");
    docker.ok(["image", "prune", "-f"]);
    docker.ok(["builder", "prune", "-f"]);
    let removed = docker.ok(["system", "prune", "-f", "--volumes"]);
    assert!(removed.contains("Total reclaimed space"), "{removed}");
    assert_eq!(docker.ok(["ps", "-aq"]), "");
    let refused = docker.fails(["container", "prune", "-f", "--filter", "nonsense=1"]);
    assert!(refused.contains("Invalid filter 'nonsense'"), "{refused}");
}
