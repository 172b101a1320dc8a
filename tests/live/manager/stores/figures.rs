//! What the README states about stores, measured.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::{Manager, PORT, within};
use super::{Join, Kind, Server};
use crate::{daemons, guardian};

/// Polled fast enough for figures in milliseconds.
fn soon(what: &str, is_so: impl Fn() -> bool) -> Duration {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    since.elapsed()
}

fn nodes(manager: &Manager) -> usize {
    let info: Value = serde_json::from_str(&manager.ask("GET", "/info", "").body).expect("JSON");
    let lines = info["SystemStatus"].as_array().expect("lines");
    let line = lines
        .iter()
        .find(|line| line[0].as_str().is_some_and(|name| name.trim() == "Nodes"));
    line.and_then(|line| line[1].as_str()?.parse().ok())
        .expect("a number of nodes")
}

/// From `join` to an engine that is given a container, and from the death of its `join` to its removal.
pub fn of_one_engine() {
    const TTL: Duration = Duration::from_secs(3);
    let daemons = daemons::shared();
    let server = Server::start(Kind::Etcd);
    let url = server.url("figures");
    let manager = Manager::start(&[], &url);
    let (mut joins, mut removals) = (Vec::new(), Vec::new());
    for round in 0..5 {
        let create = format!("/containers/create?name=figure-{round}");
        let since = Instant::now();
        let join = Join::start(&url, &daemons[0].address(), &[]);
        soon("it is given a container", || {
            manager
                .ask("POST", &create, "{\"Image\":\"busybox\",\"Cmd\":[\"true\"]}")
                .status
                == 201
        });
        joins.push(since.elapsed());
        drop(join);
        removals.push(soon("it is removed", || nodes(&manager) == 0));
    }
    eprintln!("from join to a container: {joins:?}\nfrom its death to removal, TTL 3 s: {removals:?}");
    assert!(joins.iter().min() < Some(&Duration::from_secs(1)), "{joins:?}");
    assert!(removals.iter().min() < Some(&(TTL * 2)), "{removals:?}");
}

/// Ends with the test.
struct Engines(Child);

impl Drop for Engines {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// What a manager uses that has a thousand joined engines and nothing to do, all flags being as they are by default.
pub fn of_a_thousand_engines() {
    const COUNT: usize = 1000;
    const WATCHED: Duration = Duration::from_secs(20);
    let scenario = guardian::laboratory().expect("in the laboratory").join("thousand.toml");
    let text = format!(
        "title = \"A thousand\"\n[run]\nseed = 1\nrepetitions = 1\nduration = \"1h\"\nstrategies = [\"spread\"]\n\
         [cluster.nodes.n]\ncount = {COUNT}\ncpus = 4\nmemory = \"8GiB\"\n\
         [workload.w]\nimage = \"busybox\"\nreplicas = 1\narrivals = {{ process = \"poisson\", rate = \"1/h\" }}\n"
    );
    fs::write(&scenario, text).expect("the scenario");
    let engines = |flags: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_swarmlab"));
        command
            .arg("engines")
            .arg(&scenario)
            .args(["--network", "127.9.0.0", "--no-node-events"]);
        command.args(flags).stdin(Stdio::null());
        command
    };
    let printed = engines(&["--print-discovery"]).output().expect("the program").stdout;
    let addresses = super::list(String::from_utf8_lossy(&printed).trim(), &[]).expect("their addresses");
    assert_eq!(addresses.len(), COUNT);
    let engines = engines(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let _engines = Engines(engines.expect("the program"));

    let server = Server::start(Kind::Etcd);
    let url = server.url("figures");
    let joined = joined(&url, addresses);
    let manager = Manager::launch(PORT, &[], &url);
    let info = || manager.docker().ok(["info"]);
    within(Duration::from_secs(120), info, |info| {
        info.matches("Status: Healthy").count() == COUNT
    });
    let process = Path::new("/proc").join(manager.process.id().to_string());
    let before = cpu(&process);
    std::thread::sleep(WATCHED);
    let used = cpu(&process) - before;
    let status = fs::read_to_string(process.join("status")).expect("it runs");
    let memory = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap_or_default();
    let share = used.as_secs_f64() / WATCHED.as_secs_f64() * 100.0;
    eprintln!("{COUNT} joined engines: {share:.1} % of a core, {memory}");
    assert_eq!(info().matches("Status: Healthy").count(), COUNT);
    assert!(share < 50.0, "{share:.1} % of a core for nothing");
    drop(joined);
}

/// Keeps addresses in the store as as many `join`s would, by their defaults, until it is dropped.
fn joined(url: &str, addresses: Vec<String>) -> tokio::runtime::Runtime {
    const HEARTBEAT: Duration = Duration::from_secs(60);
    const TTL: Duration = Duration::from_secs(180);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let count = u32::try_from(addresses.len()).expect("not so many");
    for (number, address) in (0_u32..).zip(addresses) {
        let place = swarmlab::discovery::open(url, &Default::default()).expect("a store");
        let place = Arc::clone(&place);
        runtime.spawn(async move {
            // They do not all begin at the same moment.
            tokio::time::sleep(Duration::from_secs(5) * number / count).await;
            loop {
                let registered = place.register(&address, TTL).await;
                let pause = if registered.is_ok() {
                    HEARTBEAT
                } else {
                    Duration::from_secs(1)
                };
                tokio::time::sleep(pause).await;
            }
        });
    }
    runtime
}

/// The time that a process has computed.
fn cpu(process: &Path) -> Duration {
    let stat = fs::read_to_string(process.join("stat")).expect("it runs");
    // Behind the name, which may have blanks, the twelfth and thirteenth are in hundredths of a second.
    let (_, values) = stat.rsplit_once(") ").expect("a name");
    let ticks: u64 = values
        .split(' ')
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().expect("a number"))
        .sum();
    Duration::from_millis(ticks * 10)
}
