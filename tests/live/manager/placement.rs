//! Where containers go, and what is said when they cannot go anywhere.

use super::{Manager, words};
use crate::daemons;
use crate::runner::{Case, cases};

pub const CASES: [Case; 3] = cases!(placement:
    ports_and_names_are_given_once,
    expressions_choose_the_node,
    resources_are_counted,
);

/// scheduling 13, 14 and 23.
fn ports_and_names_are_given_once() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    let docker = manager.docker();
    docker.ok(words("run -d --init --name one -p 80:80 busybox sleep 1000"));
    docker.ok(words("run -d --init --name two -p 80:80 busybox sleep 1000"));
    let nodes = docker.ok(words("inspect -f {{.Node.Name}} one two"));
    let mut nodes = words(&nodes);
    nodes.sort_unstable();
    assert_eq!(nodes, ["node-1", "node-2"]);
    let refused = docker.fails(words("run -d -p 80:80 busybox true"));
    assert!(refused.contains("[port 80 (Bridge mode)]"), "{refused}");
    docker.ok(words("kill one two"));
    let refused = docker.fails(words("run -d -p 80:80 busybox true"));
    assert!(refused.contains("[port 80 (Bridge mode)]"), "{refused}");
    for _ in 0..2 {
        docker.ok(words("create --net host --expose 81 busybox true"));
    }
    let refused = docker.fails(words("create --net host --expose 81 busybox true"));
    assert!(refused.contains("[port 81/tcp (Host mode)]"), "{refused}");

    let taken = docker.fails(words("create --name one busybox"));
    assert!(taken.contains("Conflict: The name one is already assigned."), "{taken}");
    let id = docker.ok(words("inspect -f {{.Id}} one"));
    docker.ok(["create", "--name", &id[..12], "busybox"]);
    docker.ok(words("rm -f one"));
    docker.ok(words("run -d --init --name one -p 80:80 busybox sleep 1000"));
    docker.ok(words("kill one"));

    // Started on its own daemon, and known within one event: live-manager 10. The same name on both: 11.
    for node in daemons.iter() {
        node.docker().ok(words("run -d --init --name twin busybox sleep 1000"));
    }
    let listed = || docker.ok(words("ps --format {{.Names}}"));
    super::eventually(listed, |names| {
        names.contains("node-1/twin") && names.contains("node-2/twin")
    });
    assert!(docker.fails(words("inspect twin")).contains("No such"));
    assert_eq!(docker.ok(words("inspect -f {{.Node.Name}} node-1/twin")), "node-1");
    docker.ok(words("kill node-1/twin node-2/twin"));
}

/// scheduling 1, 3, 4, 5, 7, 8, 10, 24 and 25.
fn expressions_choose_the_node() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    let docker = manager.docker();
    let node_of = |options: &str| {
        let id = docker.ok(words(&format!("create {options} busybox true")));
        docker.ok(["inspect", "-f", "{{.Node.Name}}", &id])
    };
    let refused = |options: &str| docker.fails(words(&format!("create {options} busybox true")));
    assert_eq!(node_of("--name c1 -e A=b -e constraint:zone==b"), "node-2");
    let seen = daemons[1]
        .docker()
        .ok(["inspect", "-f", "{{.Config.Env}} {{json .Config.Labels}}", "c1"]);
    assert!(seen.contains("A=b") && !seen.contains("constraint:"), "{seen}");
    assert!(
        seen.contains(r#""com.docker.swarm.constraints":"[\"zone==b\"]""#),
        "{seen}"
    );
    assert!(seen.contains(r#""com.docker.swarm.id":""#), "{seen}");
    assert_eq!(node_of("-e affinity:container==c1"), "node-2");
    assert_eq!(node_of("-e affinity:container!=c1"), "node-1");
    assert_eq!(node_of("-e constraint:zone!=b*"), "node-1");
    assert_eq!(node_of("-l com.docker.swarm.constraints=[\"node==node-2\"]"), "node-2");
    assert_eq!(node_of("-e whitelist:node==node-1|node-9"), "node-1");
    assert!(node_of("-e constraint:zone==~asia").starts_with("node-"));
    let text = refused("-e constraint:node==nope");
    let expected = "Unable to find a node that satisfies the following conditions \n[available container slots]\n\
                    [node==nope]";
    assert!(text.contains(expected), "{text}");
    for (options, line) in [
        (
            "-e constraint:no",
            "error from constraint filter: One of operator ==, != is expected",
        ),
        (
            "-e constraint:1a==x",
            "error from constraint filter: Key '1a' is invalid",
        ),
        ("-e constraint:node==a,b", "Value 'a,b' is invalid"),
        (
            "-e constraint:node==n9 -l com.docker.swarm.constraints=[\"zone==~x\"]",
            "[zone==x node==n9]",
        ),
        ("-e whitelist:node==n9", "[node==n9 (soft=false)]"),
        ("-e reschedule:foo", "invalid reschedule policy: foo"),
    ] {
        let text = refused(options);
        assert!(text.contains(line), "{options}: {text}");
    }
}

/// scheduling 17; live-manager 8.
fn resources_are_counted() {
    let daemons = daemons::shared();
    let manager = Manager::with(&daemons, &["--cluster-opt", "swarm.overcommit=0.05"]);
    let docker = manager.docker();
    let refused = docker.fails(words("create -m 100000g busybox"));
    assert!(
        refused.contains("no resources available to schedule container"),
        "{refused}"
    );
    let refused = docker.fails(words("create --cpu-shares 5000 busybox"));
    assert!(
        refused.contains("no resources available to schedule container"),
        "{refused}"
    );
    let cpus: u64 = docker.ok(words("info -f {{.NCPU}}")).parse().expect("a number");
    docker.ok(words("create --name one --cpu-shares 1 -m 64m busybox"));
    let here = docker.ok(words("inspect -f {{.Node.Name}} one"));
    let info = docker.ok(["info"]);
    assert!(info.contains(&format!("Reserved CPUs: 1 / {}", cpus / 2)), "{info}");
    assert!(info.contains("Reserved Memory: 64 MiB /"), "{info}");
    let node = daemons.iter().find(|node| node.name() == here).expect("it is there");
    let shares = node.docker().ok(words("inspect -f {{.HostConfig.CpuShares}} one"));
    assert_eq!(shares, (1024 / (cpus / 2)).to_string());
}
