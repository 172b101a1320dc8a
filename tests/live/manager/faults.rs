//! Crowds, and engines that die, hang, restart, come and go: nothing is given twice, nobody waits without end, and in the
//! end the manager says what the daemons say.

mod books;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use books::{agree, at_the_daemons, nothing_is_booked_twice, status};

use super::{Manager, SOON, eventually, within, words};
use crate::daemons::{self, Daemons, Node, Setup};
use crate::guardian;
use crate::runner::{Case, cases};

pub const CASES: [Case; 6] = cases!(faults:
    nothing_is_given_twice_to_sixteen_clients_at_once,
    a_daemon_killed_under_creates_costs_only_what_it_was_doing,
    a_daemon_that_stands_still_delays_only_what_needs_it,
    a_restarted_daemon_keeps_its_containers_and_what_they_hold,
    containers_of_a_dead_node_live_on_elsewhere_and_its_volumes_stay,
    an_engine_taken_out_while_healthy_keeps_its_containers,
);

/// Whoever needs a broken engine is answered by then: it is waited for ten seconds, and the rest is for a busy machine.
const BOUND: Duration = Duration::from_secs(18);

/// No request that needs nothing of a broken engine takes so long, on a busy machine either. Less than the ten seconds
/// for which an engine is waited for, so that whoever does wait for it is noticed.
const PROMPT: Duration = Duration::from_secs(8);

/// The discovery's file, which tests edit.
struct Listed(PathBuf);

impl Listed {
    fn of(nodes: &[&Node]) -> Self {
        let listed = Self(guardian::laboratory().expect("in the laboratory").join("engines"));
        listed.rewrite(nodes);
        listed
    }

    fn rewrite(&self, nodes: &[&Node]) {
        let lines: String = nodes.iter().map(|node| node.address() + "\n").collect();
        fs::write(&self.0, lines).expect("the list of engines");
    }

    fn manager(&self, healthy: usize) -> Manager {
        let manager = Manager::start(&[], &format!("file://{}", self.0.display()));
        manager.wait_for_healthy(healthy);
        manager
    }
}

/// Runs something that must be over within a bound.
#[track_caller]
fn bounded<T>(bound: Duration, what: &str, work: impl FnOnce() -> T) -> T {
    let since = Instant::now();
    let outcome = work();
    assert!(since.elapsed() < bound, "{what} took {:?}", since.elapsed());
    outcome
}

fn nothing_is_given_twice_to_sixteen_clients_at_once() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    let nodes: Vec<&Node> = daemons.iter().collect();
    let total: u64 = daemons[0]
        .docker()
        .ok(words("info -f {{.MemTotal}}"))
        .parse()
        .expect("bytes");
    // Two of them fit on a node, a third does not.
    let much = (total * 2 / 5).to_string();
    let contest = |client: usize, number: usize| match number {
        0 => format!("create --name name-{} busybox", client % 4),
        1 => "run -d --init -p 80:80 busybox sleep 1000".to_owned(),
        _ => format!("create -m {much} --memory-swap -1 busybox"),
    };
    let refusals = [
        "is already assigned",
        "[port 80 (Bridge mode)]",
        "no resources available to schedule container",
    ];
    // Who has won what.
    let won = [const { AtomicUsize::new(0) }; 3];
    thread::scope(|scope| {
        for client in 0..16 {
            let (docker, won, contest) = (manager.docker().within(SOON), &won, &contest);
            scope.spawn(move || {
                // In different orders, so that all kinds are contested at the same time.
                for number in (0..3).map(|step| (step + client) % 3) {
                    let output = docker.run(words(&contest(client, number)));
                    if output.code == Some(0) {
                        won[number].fetch_add(1, Ordering::Relaxed);
                    } else {
                        assert!(output.err.contains(refusals[number]), "{output:?}");
                    }
                }
            });
        }
    });
    // Nor is anything refused that there is: four names, a port on each of two nodes, twice two times the memory.
    assert_eq!(won.map(AtomicUsize::into_inner), [4, 2, 4]);
    nothing_is_booked_twice(&nodes);
    agree(&manager, &nodes);
    for node in nodes {
        let serving = node.docker().ok(words("ps -q --filter publish=80"));
        assert_eq!(serving.lines().count(), 1, "{}", node.name());
    }
}

fn a_daemon_killed_under_creates_costs_only_what_it_was_doing() {
    let daemons = daemons::shared();
    let (manager, nodes) = (Manager::over(&daemons), [&daemons[0], &daemons[1]]);
    let stop = AtomicBool::new(false);
    let created = Mutex::new(Vec::new());
    let slowest = Mutex::new(Duration::ZERO);
    let count = || created.lock().unwrap_or_else(PoisonError::into_inner).len();
    thread::scope(|scope| {
        for client in 0..8 {
            let (manager, stop, created, slowest) = (&manager, &stop, &created, &slowest);
            scope.spawn(move || {
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    // Two clients want each name and each port.
                    let name = format!("c{}-{number}", client / 2);
                    let port = (10_000 + client / 2 * 1000 + number).to_string();
                    let body = json!({ "Image": "busybox", "HostConfig": {
                        "PortBindings": { "80/tcp": [{ "HostPort": port }] } } });
                    let since = Instant::now();
                    let target = format!("/containers/create?name={name}");
                    let answer = manager.ask("POST", &target, &body.to_string());
                    let took = since.elapsed();
                    let mut slowest = slowest.lock().unwrap_or_else(PoisonError::into_inner);
                    *slowest = took.max(*slowest);
                    drop(slowest);
                    let told: Value = serde_json::from_str(&answer.body).expect("JSON");
                    match answer.status {
                        201 => {
                            let id = told["Id"].as_str().expect("an ID").to_owned();
                            created.lock().unwrap_or_else(PoisonError::into_inner).push(id);
                            number += 1;
                        }
                        409 => number += 1,
                        // The same once more, as a client does that was told of a failure.
                        500 => assert!(!told["message"].as_str().unwrap_or_default().is_empty(), "{answer:?}"),
                        _ => panic!("{answer:?}"),
                    }
                }
            });
        }
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(count, |count| *count >= 12);
            daemons[0].crash_daemon();
            eventually(|| status(&manager, &daemons[0]), |status| status == "Unhealthy");
            let before = count();
            eventually(count, |count| *count >= before + 8);
        }));
        // The clients are let go first, or they would be waited for without end.
        stop.store(true, Ordering::Relaxed);
        if let Err(failure) = ended {
            std::panic::resume_unwind(failure);
        }
    });
    let slowest = slowest.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(slowest < BOUND, "{slowest:?}");
    daemons[0].relaunch_daemon();
    eventually(|| status(&manager, &daemons[0]), |status| status == "Healthy");
    agree(&manager, &nodes);
    nothing_is_booked_twice(&nodes);
    // Whoever was told of a success has it.
    let there = at_the_daemons(nodes);
    for id in created.into_inner().unwrap_or_else(PoisonError::into_inner) {
        assert!(there.iter().any(|line| line.starts_with(&id)), "{id}: {there:?}");
    }
}

fn a_daemon_that_stands_still_delays_only_what_needs_it() {
    let daemons = daemons::shared();
    let (manager, nodes) = (Manager::over(&daemons), [&daemons[0], &daemons[1]]);
    let docker = manager.docker().within(BOUND);
    docker.ok(words(
        "run -d --init --name far -e constraint:node==node-1 busybox sleep 1000",
    ));
    daemons[0].pause();
    // What the daemon is needed for: a look, a passed on order, a stream, a connection that is taken over, a create.
    let needing = [
        "inspect far",
        "exec far true",
        "top far",
        "restart -t 0 far",
        "logs far",
        "attach --no-stdin far",
        "create --name late -e constraint:node==node-1 busybox",
    ];
    thread::scope(|scope| {
        let asked: Vec<_> = needing
            .iter()
            .map(|line| {
                let docker = manager.docker().within(SOON);
                (line, scope.spawn(move || docker.run(words(line))))
            })
            .collect();
        let mut number = 0;
        let elsewhere = || {
            bounded(PROMPT, "ps", || docker.ok(words("ps -a")));
            bounded(PROMPT, "info", || docker.ok(["info"]));
            bounded(PROMPT, "images", || docker.ok(["images"]));
            let line = format!("run --rm --name near-{number} -e constraint:node==node-2 busybox true");
            bounded(PROMPT, "a container elsewhere", || docker.ok(words(&line)));
            number += 1;
            status(&manager, &daemons[0])
        };
        within(BOUND, elsewhere, |status| status == "Unhealthy");
        for (line, asked) in asked {
            let output = asked.join().expect("a client");
            assert!(output.code.is_some_and(|code| code != 0), "{line}: {output:?}");
            assert!(output.took < BOUND && !output.err.is_empty(), "{line}: {output:?}");
        }
    });
    let since = Instant::now();
    let refused = docker.fails(words("inspect far"));
    assert!(refused.contains("unhealthy node node-1"), "{refused}");
    docker.fails(words("create -e constraint:node==node-1 busybox"));
    assert!(
        docker
            .ok(words("ps -a -f name=far --format {{.Status}}"))
            .contains("Host Down")
    );
    assert!(since.elapsed() < PROMPT);
    // Who was told that it failed tries again, and gets it elsewhere.
    let late = docker.ok(words("create --name late busybox"));
    daemons[0].resume();
    eventually(|| status(&manager, &daemons[0]), |status| status == "Healthy");
    // It restarts first, as it was told when nobody could know that it would.
    eventually(|| docker.run(words("exec far true")).code, |code| *code == Some(0));
    // The daemon has yet to do what it was asked meanwhile. What nobody waits for any more must not stay.
    let names = || docker.ok(words("ps -a --no-trunc -f name=late --format {{.ID}}"));
    let on_its_daemon = || daemons[0].docker().ok(words("ps -aq -f name=late"));
    daemons[0].docker().ok(words("run --rm busybox true"));
    eventually(on_its_daemon, String::is_empty);
    eventually(names, |ids| *ids == late);
    agree(&manager, &nodes);
    nothing_is_booked_twice(&nodes);
}

fn a_restarted_daemon_keeps_its_containers_and_what_they_hold() {
    let daemons = daemons::shared();
    let (manager, nodes) = (Manager::over(&daemons), [&daemons[0], &daemons[1]]);
    let docker = manager.docker();
    let pinned = "run -d --init --stop-timeout 1 -e constraint:node==node-1";
    docker.ok(words(&format!(
        "{pinned} --name up --restart always -p 80:80 busybox sleep 1000"
    )));
    docker.ok(words(&format!("{pinned} --name down -p 81:80 busybox sleep 1000")));
    let events = docker.start(["events", "--format", "{{.Action}} {{.Actor.Attributes.name}}"]);
    let heard = || {
        docker.ok(words("run --rm --name early -e constraint:node==node-2 busybox true"));
        events.out()
    };
    eventually(heard, |out| out.contains("die early"));
    daemons[0].restart();
    let seen = || docker.ok(words("ps -a --format {{.Names}}:{{.Status}}"));
    let seen = eventually(seen, |seen| {
        seen.contains("node-1/up:Up") && seen.contains("node-1/down:Exited")
    });
    assert_eq!(seen.lines().count(), 2, "{seen}");
    agree(&manager, &nodes);
    // What stands still keeps its port and its name as well.
    for port in ["80:80", "81:80"] {
        let refused = docker.fails(words(&format!("create -e constraint:node==node-1 -p {port} busybox")));
        assert!(refused.contains("(Bridge mode)"), "{refused}");
    }
    docker.fails(words("create --name down busybox"));
    docker.ok(words("start down"));
    // Who has listened all the time goes on hearing.
    events.expect("start down", SOON);
    docker.ok(words("exec down true"));
    docker.ok(words("exec up true"));
    nothing_is_booked_twice(&nodes);
    docker.ok(words("rm -f up down"));
}

/// live-manager 15 to 18; history-and-wishes 3 and 5.
fn containers_of_a_dead_node_live_on_elsewhere_and_its_volumes_stay() {
    let daemons = daemons::shared();
    let third = Daemons::start([Setup::new("node-3").label("zone=c")]);
    let (dead, heir, third) = (&daemons[0], &daemons[1], &third[0]);
    let listed = Listed::of(&[dead, heir]);
    let manager = listed.manager(2);
    let docker = manager.docker();
    let durable = "run -d --init -e reschedule:on-node-failure -l colour=red";
    let moved =
        format!("{durable} --name moved -p 80:80 -v data:/data -v /scratch -e constraint:node==~node-1 busybox");
    docker.ok(words(&moved).iter().chain(&["sleep", "1000"]));
    let waits = format!("{durable} --name waits -e constraint:zone!=b -e constraint:node!=node-2 busybox sleep 1000");
    docker.ok(words(&waits));
    docker.ok(words(
        "run -d --init --name stays -e constraint:node==node-1 busybox sleep 1000",
    ));
    let form = "{{.Node.Name}} {{.State.Running}} {{.Config.Labels.colour}} \
                {{index .Config.Labels \"com.docker.swarm.id\"}}";
    let facts = |name: &str| {
        let output = docker.run(["inspect", "-f", form, name]);
        output.out.trim().to_owned()
    };
    let before = ["moved", "waits", "stays"].map(facts);
    assert!(
        before.iter().all(|facts| facts.starts_with("node-1 true")),
        "{before:?}"
    );
    docker.ok(words("exec moved touch /data/kept /scratch/kept"));
    let volumes = dead.docker().ok(words("volume ls -q"));
    assert!(volumes.lines().count() == 2 && volumes.contains("data"), "{volumes}");

    dead.kill();
    // Everything about it is as it was, but for the node.
    let expected = before[0].replacen("node-1", "node-2", 1);
    eventually(|| facts("moved"), |facts| *facts == expected);
    let ports = heir.docker().ok(words("port moved 80/tcp"));
    assert!(ports.contains(":80"), "{ports}");
    let down = || docker.ok(words("ps -a --format {{.Names}}:{{.Status}}"));
    let down = eventually(down, |seen| seen.matches("Host Down").count() == 2);
    assert!(
        down.contains("node-1/waits:Host Down") && down.contains("node-1/stays:Host Down"),
        "{down}"
    );
    assert_eq!(down.lines().count(), 3, "{down}");
    eventually(|| manager.log(), |log| log.contains("Failed to reschedule container"));

    listed.rewrite(&[dead, heir, third]);
    let expected = before[1].replacen("node-1", "node-3", 1);
    eventually(|| facts("waits"), |facts| *facts == expected);
    assert_eq!(heir.docker().ok(words("ps -a --format {{.Names}}")), "moved");

    dead.restart();
    let left = || dead.docker().ok(words("ps -a --format {{.Names}}"));
    eventually(left, |left| left == "stays");
    // What they hold may be wanted, and only its owner can tell.
    assert_eq!(dead.docker().ok(words("volume ls -q")), volumes);
    assert_eq!(
        dead.docker().ok(words("run --rm -v data:/data busybox ls /data")),
        "kept"
    );
    eventually(|| status(&manager, dead), |status| status == "Healthy");
    agree(&manager, &[dead, heir, third]);
    nothing_is_booked_twice(&[dead, heir, third]);
    assert!(facts("stays").starts_with("node-1 false"));
}

/// history-and-wishes 4.
fn an_engine_taken_out_while_healthy_keeps_its_containers() {
    let daemons = daemons::shared();
    let listed = Listed::of(&[&daemons[0], &daemons[1]]);
    let manager = listed.manager(2);
    let docker = manager.docker();
    docker.ok(words(
        "run -d --init --name web -p 80:80 -e reschedule:on-node-failure -e constraint:node==~node-1 busybox sleep 1000",
    ));
    let before = at_the_daemons(daemons.iter());
    assert!(
        before.len() == 1 && before.iter().all(|line| line.ends_with("running node-1/web")),
        "{before:?}"
    );
    listed.rewrite(&[&daemons[1]]);
    eventually(|| docker.ok(["info"]), |info| info.contains("Nodes: 1"));
    assert_eq!(docker.ok(words("ps -aq")), "");
    // The cluster works on without it, and could have given it a second life.
    docker.ok(words("run --rm -e constraint:node==node-2 busybox true"));
    listed.rewrite(&[&daemons[0], &daemons[1]]);
    manager.wait_for_healthy(2);
    agree(&manager, &[&daemons[0], &daemons[1]]);
    assert_eq!(at_the_daemons(daemons.iter()), before);
    let names = "{{.Actor.Attributes.name}}";
    let created = [
        "events",
        "--since",
        "1",
        "--until",
        "0s",
        "-f",
        "event=create",
        "-f",
        "type=container",
        "--format",
        names,
    ];
    assert!(!daemons[1].docker().ok(created).contains("web"));
}
