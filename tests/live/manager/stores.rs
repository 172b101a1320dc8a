//! Engines found, and primaries elected, through real stores (`manager/DISCOVERY.md` §6, `manager/RULES.md` §18).

mod credentials;
mod election;
mod figures;
mod proxy;
mod secured;
mod server;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::{Manager, SOON, eventually, within};
use crate::runner::{Case, cases};

pub use server::{Kind, Server};

pub const CASES: [Case; 21] = cases!(stores:
    etcd_lists_who_is_there needs Etcd,
    etcd_may_come_late_go_and_come_back_empty needs Etcd,
    etcd_goes_on_with_two_of_three_members needs Etcd,
    etcd_elects_one_primary needs Etcd,
    etcd_bears_engines_that_come_and_go needs Etcd,
    etcd_is_only_believed_with_a_good_certificate needs Etcd,
    etcd_asks_for_credentials needs Etcd,
    consul_lists_who_is_there needs Consul,
    consul_may_come_late_go_and_come_back_empty needs Consul,
    consul_elects_one_primary needs Consul,
    consul_ends_a_lease_by_time_alone needs Consul,
    consul_is_only_believed_with_a_good_certificate needs Consul,
    consul_asks_for_credentials needs Consul,
    zookeeper_lists_who_is_there needs ZooKeeper,
    zookeeper_may_come_late_go_and_come_back_empty needs ZooKeeper,
    zookeeper_elects_one_primary needs ZooKeeper,
    zookeeper_lists_a_thousand_over_a_slow_line needs ZooKeeper,
    zookeeper_is_only_believed_with_a_good_certificate needs ZooKeeper,
    zookeeper_asks_for_credentials needs ZooKeeper,
    figures_of_one_engine needs Etcd,
    figures_of_a_thousand_engines needs Etcd,
);

/// A `join` that runs. Dropping it kills it, so that it cannot say good-bye.
pub struct Join(Child);

impl Join {
    pub fn start(url: &str, advertise: &str, flags: &[&str]) -> Join {
        let process = Command::new(env!("CARGO_BIN_EXE_swarmlab"))
            .args(["join", "--heartbeat", "1s", "--ttl", "3s", "--advertise", advertise])
            .args(flags)
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Join(process.expect("it starts"))
    }

    /// Asks it to end, and waits for that.
    fn end(mut self) {
        rustix::process::kill_process(Pid::from_child(&self.0), Signal::TERM).expect("it runs");
        self.0.wait().expect("its end");
    }
}

impl Drop for Join {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// What `swarmlab list` says: the addresses, or the fault.
pub fn list(url: &str, flags: &[&str]) -> Result<Vec<String>, String> {
    outcome(listing(url, flags))
}

fn listing(url: &str, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarmlab"));
    command.arg("list").args(flags).arg(url).stdin(Stdio::null());
    command
}

fn outcome(mut listing: Command) -> Result<Vec<String>, String> {
    let output = listing.output().expect("it runs");
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(str::to_owned)
            .filter(|line| !line.starts_with("time="))
            .collect()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[track_caller]
fn until_listed(url: &str, flags: &[&str], expected: &[&str]) {
    let found = eventually(
        || list(url, flags),
        |found| found.as_ref().is_ok_and(|found| found == expected),
    );
    assert!(found.is_ok());
}

/// How many nodes the manager has.
fn nodes(manager: &Manager) -> usize {
    let info = manager.docker().ok(["info"]);
    let line = info.lines().find_map(|line| line.trim().strip_prefix("Nodes: "));
    line.and_then(|count| count.parse().ok()).expect("a number of nodes")
}

/// cli-and-discovery 14 and 15.
fn lists_who_is_there(kind: Kind) {
    let server = Server::start(kind);
    let url = server.url("pre/fix");
    assert_eq!(list(&url, &[]), Ok(Vec::new()));
    // Longer than anything here is waited for: what the manager knows it has been told, and has not looked for.
    let manager = Manager::start(&["--heartbeat", "60s"], &url);
    let (one, other) = (
        Join::start(&url, "10.231.0.99:1", &[]),
        Join::start(&url, "10.231.0.99:2", &[]),
    );
    let both = ["10.231.0.99:1", "10.231.0.99:2"];
    until_listed(&url, &[], &both);
    eventually(|| nodes(&manager), |count| *count == 2);
    let key = |directory: &str, address: &str| format!("pre/fix/{directory}/{address}");
    for address in both {
        let stored = server.stored(&key("docker/swarm/nodes", address));
        assert_eq!(stored, (address.to_owned(), true), "for a time only");
    }
    let elsewhere = ["--discovery-opt", "kv.path=foo/bar"];
    let third = Join::start(&url, "10.231.0.99:3", &elsewhere);
    until_listed(&url, &elsewhere, &["10.231.0.99:3"]);
    assert_eq!(server.stored(&key("foo/bar", "10.231.0.99:3")).0, "10.231.0.99:3");
    assert_eq!(list(&url, &[]), Ok(both.map(str::to_owned).to_vec()));
    drop(third);
    // Who comes back before its time is over was never gone, whatever becomes of what it left behind.
    drop(other);
    let other = Join::start(&url, "10.231.0.99:2", &[]);
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(4) {
        assert_eq!(list(&url, &[]), Ok(both.map(str::to_owned).to_vec()));
        // Consul takes a limited number of connections at a time, and counts those that are gone for a while.
        std::thread::sleep(Duration::from_millis(100));
    }
    // Who says good-bye is gone at once; who does not, when the time is over.
    one.end();
    assert_eq!(list(&url, &[]), Ok(vec![both[1].to_owned()]));
    let killed = Instant::now();
    drop(other);
    until_listed(&url, &[], &[]);
    let gone = killed.elapsed();
    assert!(gone > Duration::from_secs(1), "{gone:?}");
    eventually(|| nodes(&manager), |count| *count == 0);
}

/// cli-and-discovery 16 and 27; history-and-wishes 5.
fn may_come_late_go_and_come_back_empty(kind: Kind) {
    let mut server = Server::not_yet(kind);
    let url = server.url("");
    let guard = ["--discovery-opt", "kv.keep-when-empty=true"];
    let (trusting, wary) = (Manager::start(&[], &url), Manager::start_at(3376, &guard, &url));
    let failures = |manager: &Manager| manager.log().matches("Discovery error").count();
    for manager in [&trusting, &wary] {
        eventually(|| failures(manager), |count| *count > 0);
    }
    let fault = list(&url, &[]).expect_err("nobody is there");
    assert!(fault.contains("store"), "{fault}");
    server.resume();
    let joined = Join::start(&url, "10.231.0.99:1", &[]);
    for manager in [&trusting, &wary] {
        eventually(|| nodes(manager), |count| *count == 1);
    }

    // Away for some time: what is known stays, and that is told once, not each time that somebody looks.
    let before = failures(&trusting);
    server.kill();
    eventually(|| failures(&trusting), |count| *count > before);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(nodes(&trusting), 1);
    assert!(failures(&trusting) <= before + 2, "{}", trusting.log());
    server.resume();
    until_listed(&url, &[], &["10.231.0.99:1"]);

    // Nobody renews, so that the list becomes empty: who was told to be wary keeps what it has.
    drop(joined);
    server.kill();
    server.wipe();
    server.resume();
    eventually(|| nodes(&trusting), |count| *count == 0);
    eventually(|| wary.log(), |log| log.contains("kv.keep-when-empty"));
    assert_eq!(nodes(&wary), 1);
    let _joined = Join::start(&url, "10.231.0.99:2", &[]);
    for manager in [&trusting, &wary] {
        let info = || manager.docker().ok(["info"]);
        let info = eventually(info, |info| info.contains("10.231.0.99:2"));
        assert!(!info.contains("10.231.0.99:1"), "{info}");
    }
}

fn etcd_lists_who_is_there() {
    lists_who_is_there(Kind::Etcd);
}

fn consul_lists_who_is_there() {
    lists_who_is_there(Kind::Consul);
}

fn zookeeper_lists_who_is_there() {
    lists_who_is_there(Kind::ZooKeeper);
}

fn etcd_may_come_late_go_and_come_back_empty() {
    may_come_late_go_and_come_back_empty(Kind::Etcd);
}

fn consul_may_come_late_go_and_come_back_empty() {
    may_come_late_go_and_come_back_empty(Kind::Consul);
}

fn zookeeper_may_come_late_go_and_come_back_empty() {
    may_come_late_go_and_come_back_empty(Kind::ZooKeeper);
}

fn etcd_elects_one_primary() {
    election::one_primary(Kind::Etcd);
}

fn consul_elects_one_primary() {
    election::one_primary(Kind::Consul);
}

fn consul_ends_a_lease_by_time_alone() {
    election::primary_without_agent();
}

fn zookeeper_elects_one_primary() {
    election::one_primary(Kind::ZooKeeper);
}

/// Engines come and go all the time, some with a good-bye and some without, through a line that is cut now and then.
fn etcd_bears_engines_that_come_and_go() {
    // Ten minutes of a cluster in one: half of them come or go each few seconds.
    const FLAPS: usize = 390;
    let server = Server::start(Kind::Etcd);
    let line = proxy::Line::to(&server.address());
    let through = server.url_by(&format!("{}:{}", crate::daemons::OWN_ADDRESS, line.port), "soak");
    let url = server.url("soak");
    let manager = Manager::start(&[], &through);
    let mut there: Vec<Option<Join>> = (0..20).map(|_| None).collect();
    for flap in 0..FLAPS {
        // A fixed walk over all of them that is not in order.
        let number = flap * 7 % there.len();
        there[number] = match there[number].take() {
            Some(join) if flap % 3 == 0 => {
                join.end();
                None
            }
            Some(_) => None,
            None => Some(Join::start(&url, &format!("10.231.0.99:{}", number + 1), &[])),
        };
        match flap % 20 {
            9 => line.cut(),
            14 => line.mend(),
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(150));
        assert_eq!(manager.ask("GET", "/_ping", "").status, 200);
    }
    line.mend();
    let left = there.iter().flatten().count();
    assert!(left > 0 && left < there.len());
    within(SOON, || nodes(&manager), |count| *count == left);
    let listed = list(&url, &[]).expect("a list");
    assert_eq!(listed.len(), left);
}

fn etcd_goes_on_with_two_of_three_members() {
    let mut members = Server::three_members();
    let url = format!(
        "etcd://{}/x",
        members.iter().map(Server::address).collect::<Vec<_>>().join(",")
    );
    let joined = Join::start(&url, "10.231.0.99:1", &[]);
    let manager = Manager::start(&[], &url);
    eventually(|| nodes(&manager), |count| *count == 1);
    // The first one is the one that has been asked so far.
    members[0].kill();
    let other = Join::start(&url, "10.231.0.99:2", &[]);
    within(SOON, || nodes(&manager), |count| *count == 2);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(nodes(&manager), 2, "the first one is renewed elsewhere");
    drop(joined);
    within(SOON, || nodes(&manager), |count| *count == 1);
    other.end();
    within(SOON, || nodes(&manager), |count| *count == 0);
}

/// Each address is a question of its own. One after the other, they would take twenty seconds here, and be given up.
fn zookeeper_lists_a_thousand_over_a_slow_line() {
    let server = Server::start(Kind::ZooKeeper);
    let directories = ["/far", "/far/docker", "/far/docker/swarm", "/far/docker/swarm/nodes"];
    let mut commands: String = directories.iter().map(|path| format!("create {path}\n")).collect();
    for port in 1000..2000 {
        commands += &format!("create /far/docker/swarm/nodes/10.231.0.99:{port} 10.231.0.99:{port}\n");
    }
    server.command(&commands);
    let line = proxy::Line::slow(&server.address(), Duration::from_millis(10));
    let url = server.url_by(&format!("{}:{}", crate::daemons::OWN_ADDRESS, line.port), "far");
    let since = Instant::now();
    let listed = list(&url, &[]).expect("a list");
    let took = since.elapsed();
    assert_eq!(listed.len(), 1000);
    assert_eq!(listed[999], "10.231.0.99:1999");
    eprintln!("a thousand addresses at 20 ms a question: {took:?}");
}

fn etcd_is_only_believed_with_a_good_certificate() {
    secured::is_only_believed_with_a_good_certificate(Kind::Etcd);
}

fn consul_is_only_believed_with_a_good_certificate() {
    secured::is_only_believed_with_a_good_certificate(Kind::Consul);
}

fn zookeeper_is_only_believed_with_a_good_certificate() {
    secured::is_only_believed_with_a_good_certificate(Kind::ZooKeeper);
}

fn etcd_asks_for_credentials() {
    credentials::are_asked_for(Kind::Etcd);
}

fn consul_asks_for_credentials() {
    credentials::are_asked_for(Kind::Consul);
}

fn zookeeper_asks_for_credentials() {
    credentials::are_asked_for(Kind::ZooKeeper);
}

fn figures_of_one_engine() {
    figures::of_one_engine();
}

fn figures_of_a_thousand_engines() {
    figures::of_a_thousand_engines();
}
