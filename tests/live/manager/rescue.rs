//! What moves with a container whose engine has gone, and in which state.

use super::{Manager, eventually, words};
use crate::clients::Client;
use crate::daemons;
use crate::runner::{Case, cases};

pub const CASES: [Case; 2] = cases!(rescue:
    containers_that_refer_to_one_another_move_together,
    what_ran_when_its_engine_began_to_stop_is_started_elsewhere,
);

const DURABLE: &str = "-e reschedule:on-node-failure";

fn shown(docker: &Client, form: &str, name: &str) -> String {
    docker.run(["inspect", "-f", form, name]).out.trim().to_owned()
}

/// Docker makes IDs of names in `container:NAME`, so that every such reference would lead nowhere elsewhere.
fn containers_that_refer_to_one_another_move_together() {
    let daemons = daemons::shared();
    let (dead, heir) = (&daemons[0], &daemons[1]);
    let manager = Manager::over(&daemons);
    let docker = manager.docker();
    let run = |flags: &str| {
        let line = format!("run -d --init {DURABLE} {flags} busybox sleep 1000");
        docker.ok(words(&line)).trim().to_owned()
    };
    let db = run("--name db -v /data --ipc shareable -e constraint:node==~node-1");
    // These come before it by their names.
    run(&format!("--name a-side --net container:{db}"));
    run(&format!("--name a-near -e affinity:container=={db}"));
    run("--name by-name --net container:db");
    run(&format!(
        "--name spaces --pid container:db --ipc container:{} -e constraint:node==~node-1",
        &db[..12]
    ));
    run(&format!("--name volumes --volumes-from {db}:ro"));
    run(&format!("--name linked --link {db}:store"));
    let all = ["a-near", "a-side", "by-name", "db", "linked", "spaces", "volumes"];
    let names = || {
        let names = docker.ok(words("ps --format {{.Names}}"));
        let mut names: Vec<String> = names.lines().map(str::to_owned).collect();
        names.sort_unstable();
        names
    };
    // Linked containers have the link for a second name.
    let is_on = |names: &Vec<String>, node: &str| {
        names.len() == all.len()
            && names
                .iter()
                .zip(all)
                .all(|(own, name)| own.contains(&format!("{node}/{name}")))
    };
    eventually(names, |names| is_on(names, "node-1"));
    dead.kill();
    eventually(names, |names| is_on(names, "node-2"));
    let new = shown(&docker, "{{.Id}}", "db");
    assert_ne!(new, db);
    for (name, form, expected) in [
        ("a-side", "{{.HostConfig.NetworkMode}}", format!("container:{new}")),
        ("by-name", "{{.HostConfig.NetworkMode}}", format!("container:{new}")),
        (
            "spaces",
            "{{.HostConfig.PidMode}} {{.HostConfig.IpcMode}}",
            format!("container:{new} container:{new}"),
        ),
        ("volumes", "{{.HostConfig.VolumesFrom}}", format!("[{new}:ro]")),
        ("linked", "{{.HostConfig.Links}}", "[/db:/linked/store]".to_owned()),
        (
            "a-near",
            "{{index .Config.Labels \"com.docker.swarm.affinities\"}}",
            format!("[\"container=={new}\"]"),
        ),
    ] {
        assert_eq!(shown(&docker, form, name), expected, "{name}");
    }
    docker.ok(words("exec db touch /data/written"));
    docker.ok(words("exec volumes ls /data/written"));
    assert!(docker.ok(words("exec linked cat /etc/hosts")).contains("store"));
    assert_eq!(
        docker.ok(words("exec a-side hostname")),
        docker.ok(words("exec db hostname"))
    );
    let log = manager.log();
    assert!(
        !log.contains("Failed to reschedule") && !log.contains("Failed to start rescheduled"),
        "{log}"
    );

    dead.restart();
    let left = || dead.docker().ok(words("ps -aq"));
    eventually(left, String::is_empty);
    eventually(names, |names| is_on(names, "node-2"));
    assert_eq!(heir.docker().ok(words("ps -aq")).lines().count(), all.len());
}

/// A container that must not stay paused, since a node with one cannot end.
struct Paused<'a>(&'a Client);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.0.run(["unpause", "paused"]);
    }
}

/// A daemon that is told to stop stops its containers first, so that at the time when it is missed none of them runs.
fn what_ran_when_its_engine_began_to_stop_is_started_elsewhere() {
    let daemons = daemons::shared();
    let (dead, heir) = (&daemons[0], &daemons[1]);
    let manager = Manager::over(&daemons);
    let docker = manager.docker();
    let run = |flags: &str, command: &str| {
        let line = format!("run -d {DURABLE} -e constraint:node==~node-1 {flags} busybox {command}");
        docker.ok(words(&line));
    };
    for name in ["up", "stopped", "aside", "paused", "brief"] {
        let rm = if name == "brief" { "--rm" } else { "" };
        run(&format!("--init --name {name} {rm}"), "sleep 1000");
    }
    // A first process without handlers is killed after ten seconds only.
    run("--name stubborn", "sleep 1000");
    run("--name done", "true");
    docker.ok(words("pause paused"));
    let heir_docker = heir.docker();
    let _paused = Paused(&heir_docker);
    docker.ok(words("stop -t 0 stopped"));
    dead.docker().ok(words("stop -t 0 aside"));
    let ended = || docker.ok(words("ps -a --format {{.Names}} -f status=exited"));
    eventually(ended, |ended| ended.lines().count() == 3);
    dead.stop();
    for (name, status) in [
        ("up", "running"),
        ("stubborn", "running"),
        ("brief", "running"),
        ("paused", "paused"),
        ("stopped", "created"),
        ("aside", "created"),
        ("done", "created"),
    ] {
        let seen = || shown(&docker, "{{.Node.Name}} {{.State.Status}}", name);
        eventually(seen, |seen| *seen == format!("node-2 {status}"));
    }
    let log = manager.log();
    let flagged = log.matches("Flagging engine as unhealthy").count();
    assert_eq!(flagged, 1, "it answers those who are connected until it is gone: {log}");
    dead.restart();
    eventually(|| dead.docker().ok(words("ps -aq")), String::is_empty);
    assert_eq!(heir.docker().ok(words("ps -aq")).lines().count(), 7);
    eventually(|| manager.log(), |log| log.contains("came back to life"));
}
