//! Several managers, one of which decides.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::super::{Manager, SOON, eventually, within, words};
use super::proxy::Line;
use super::server::{Kind, Server};
use super::{Join, nodes};
use crate::clients::Client;
use crate::daemons::{self, Daemons};

/// How long a silent primary stays one.
const TTL: Duration = Duration::from_secs(3);

/// In which a new primary decides, TTL and all.
const FAILOVER: Duration = Duration::from_secs(12);

const PORTS: [u16; 3] = [3375, 3376, 3377];

fn candidate(port: u16, url: &str) -> Manager {
    candidate_for(TTL, port, url)
}

fn candidate_for(ttl: Duration, port: u16, url: &str) -> Manager {
    let advertise = format!("{}:{port}", daemons::OWN_ADDRESS);
    let ttl = format!("{}s", ttl.as_secs());
    Manager::start_at(
        port,
        &["--replication", "--advertise", &advertise, "--replication-ttl", &ttl],
        url,
    )
}

pub fn role(manager: &Manager) -> String {
    let info = manager.docker().ok(["info"]);
    let value = |key: &str| {
        info.lines()
            .find_map(|line| line.trim().strip_prefix(key))
            .unwrap_or_default()
            .to_owned()
    };
    match value("Role: ").as_str() {
        "replica" => format!("replica of {}", value("Primary: ")),
        other => other.to_owned(),
    }
}

/// A command that is to succeed at last, and how long that took from the first try on.
fn at_last(docker: &Client, line: &str) -> Duration {
    let since = Instant::now();
    within(FAILOVER, || docker.run(words(line)), |output| output.code == Some(0));
    since.elapsed()
}

fn joined(daemons: &Daemons, url: &str) -> Vec<Join> {
    daemons
        .iter()
        .map(|node| Join::start(url, &node.address(), &[]))
        .collect()
}

/// live-manager 21 and 22; history-and-wishes 13, 18.
pub fn one_primary(kind: Kind) {
    let daemons = daemons::shared();
    let server = Server::start(kind);
    let url = server.url("lead");
    let _joined = joined(&daemons, &url);
    let first = candidate(PORTS[0], &url);
    eventually(|| role(&first), |role| role == "primary");
    assert_eq!(server.stored("lead/docker/swarm/leader"), (first.address(), true));
    let second = candidate(PORTS[1], &url);
    let of_first = format!("replica of {}", first.address());
    eventually(|| role(&second), |role| *role == of_first);
    for manager in [&first, &second] {
        eventually(
            || manager.docker().ok(["info"]),
            |info| info.matches("Status: Healthy").count() == 2,
        );
    }

    // Everything works through the replica, connections that are taken over and streams included.
    let docker = second.docker();
    docker.ok(words("run -d --init --name web -p 80:80 busybox sleep 1000"));
    assert_eq!(docker.ok(words("exec web echo inside")), "inside");
    let echoed = docker.fed(b"to and fro", words("run -i --rm busybox cat"));
    assert_eq!(echoed.out, "to and fro", "{echoed:?}");
    assert!(second.docker().ok(["version"]).contains("swarm/1.2.9"));

    // Who is asked to go says so, and the other one need not wait for the end of the lease.
    first.signal(Signal::TERM);
    let since = Instant::now();
    eventually(|| role(&second), |role| role == "primary");
    let handed_over = since.elapsed();
    assert!(handed_over < TTL / 2, "{handed_over:?}");
    drop(first);
    docker.ok(words("run --rm busybox true"));

    // Who is killed is followed when its lease has run out.
    let third = candidate(PORTS[2], &url);
    let of_second = format!("replica of {}", second.address());
    eventually(|| role(&third), |role| *role == of_second);
    eventually(|| nodes(&third), |count| *count == 2);
    second.signal(Signal::KILL);
    let lost = third.docker().fails(words("version"));
    assert!(lost.contains("Unable to reach primary cluster manager"), "{lost}");
    assert_eq!(third.ask("GET", "/_ping", "").body, "OK");
    let took = at_last(&third.docker(), "create --name heir busybox true");
    eprintln!("{kind:?}: handed over in {handed_over:?}, taken over in {took:?}");
    drop(second);

    stopped_primary(third, &url);
    primary_without_store(&server);
    let there = daemons
        .iter()
        .map(|node| node.docker().ok(words("ps -a --format {{.Names}}")));
    let mut there: Vec<String> = there
        .flat_map(|names| names.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    there.sort_unstable();
    assert_eq!(there, ["alone", "contested", "heir", "web"], "nothing twice");
}

/// A primary that the store cannot hear stops deciding before another one begins, and is let back in as a replica.
fn primary_without_store(server: &Server) {
    let line = Line::to(&server.address());
    let cut_off = server.url_by(&format!("{}:{}", daemons::OWN_ADDRESS, line.port), "lead");
    let primary = candidate(PORTS[1], &cut_off);
    within(FAILOVER, || role(&primary), |role| role == "primary");
    eventually(|| nodes(&primary), |count| *count == 2);
    let other = candidate(PORTS[2], &server.url("lead"));
    eventually(|| nodes(&other), |count| *count == 2);
    line.cut();
    // Both are asked for the same name all the time. Whoever decides gives it once.
    let ask = |manager: &Manager| {
        let asked = manager
            .docker()
            .within(SOON + FAILOVER)
            .run(words("create --name alone busybox true"));
        asked.code == Some(0)
    };
    within(FAILOVER, || role(&other), |role| role == "primary");
    assert_ne!(role(&primary), "primary", "two at a time");
    assert!(ask(&other));
    assert!(!primary.log().contains("name=alone"), "{}", primary.log());
    line.mend();
    let of_other = format!("replica of {}", other.address());
    within(FAILOVER, || role(&primary), |role| *role == of_other);
    assert!(!ask(&primary), "the name is taken");
}

/// The agent of Consul through which a primary asks dies, which the cluster finds out long before the primary's lease is
/// over.
pub fn primary_without_agent() {
    const TTL: Duration = Duration::from_secs(6);
    let server = Server::start(Kind::Consul);
    let mut agent = server.agent();
    let primary = candidate_for(TTL, PORTS[0], &agent.url("lead"));
    eventually(|| role(&primary), |role| role == "primary");
    let other = candidate_for(TTL, PORTS[1], &server.url("lead"));
    let of_primary = format!("replica of {}", primary.address());
    eventually(|| role(&other), |role| *role == of_primary);
    agent.kill();
    within(FAILOVER, || role(&other), |role| role == "primary");
    assert_ne!(role(&primary), "primary", "two at a time");
    agent.resume();
    let of_other = format!("replica of {}", other.address());
    within(FAILOVER, || role(&primary), |role| *role == of_other);
}

/// A primary that was stopped and wakes up late does not decide any more, not even what it was asked before.
fn stopped_primary(primary: Manager, url: &str) {
    let other = candidate(PORTS[0], url);
    eventually(|| role(&other), |role| role.starts_with("replica of"));
    eventually(|| nodes(&other), |count| *count == 2);
    primary.signal(Signal::STOP);
    // It lies in the stopped manager's socket until that wakes up.
    let late = primary
        .docker()
        .within(SOON + FAILOVER)
        .start(words("create --name contested busybox true"));
    within(FAILOVER, || role(&other), |role| role == "primary");
    other.docker().ok(words("create --name contested busybox true"));
    primary.signal(Signal::CONT);
    let late = late.finish();
    assert!(late.code != Some(0) && !late.err.is_empty(), "{late:?}");
    let of_other = format!("replica of {}", other.address());
    within(FAILOVER, || role(&primary), |role| *role == of_other);
    primary.docker().ok(words("ps -a"));
}
