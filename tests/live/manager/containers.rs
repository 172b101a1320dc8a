//! One container at a time: everything that can be done with it works as on its own daemon.

use std::fs;
use std::io::Read;

use serde_json::Value;

use super::{Manager, SOON, encoded, eventually, read_head, words};
use crate::daemons;
use crate::guardian;
use crate::runner::{Case, cases};

pub const CASES: [Case; 9] = cases!(containers:
    a_container_lives_its_life,
    terminals_are_connected_through,
    input_ends_when_the_client_says_so,
    logs_are_followed_until_the_client_goes_away,
    files_are_copied_both_ways,
    waiting_is_answered_before_the_end,
    faults_are_told_as_ever,
    lists_are_filtered,
    execs_run_once,
);

const SLEEPER: &str = "run -d --init --stop-timeout 1 --name";

/// Kill and then `ps -a` shows it as exited: api 15. Ports and names: api 8. The node: api 14.
fn a_container_lives_its_life() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    for docker in manager.every_docker() {
        assert_eq!(docker.ok(words("run --rm busybox echo here")), "here");
        let line = format!("{SLEEPER} web -p 80:80 -e constraint:node==node-2 busybox sleep 1000");
        let id = docker.ok(words(&line));
        assert_eq!(
            docker.ok(words("inspect -f {{.Node.Name}}/{{.Name}} web")),
            "node-2//web"
        );
        assert_eq!(docker.ok(words("inspect -f {{.Node.IP}} web")), daemons[1].ip());
        let listed = docker.ok(["ps", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.Ports}}"]);
        let ports = format!("{}:80->80/tcp", daemons[1].ip());
        assert!(listed.contains(&id) && listed.contains("node-2/web"), "{listed}");
        assert!(listed.contains(&ports) && !listed.contains("0.0.0.0"), "{listed}");

        docker.ok(words("rename web site"));
        docker.fails(words("inspect web"));
        docker.ok(words("pause node-2/site"));
        assert!(docker.ok(words("ps --format {{.Status}}")).contains("(Paused)"));
        docker.ok(words("unpause site"));
        assert!(docker.ok(words("top site")).contains("sleep 1000"));
        assert!(
            docker
                .ok(words("stats --no-stream --format {{.PIDs}} site"))
                .contains('2')
        );
        // The daemon binds it for both families; it leads to the node once.
        assert_eq!(
            docker.ok(words("port site")),
            format!("80/tcp -> {}:80", daemons[1].ip())
        );
        docker.ok(words("exec site touch /changed"));
        assert!(docker.ok(words("diff site")).contains("A /changed"));
        docker.ok(words("update --memory 64m --memory-swap 64m site"));
        assert_eq!(docker.ok(words("inspect -f {{.HostConfig.Memory}} site")), "67108864");
        let exported = docker.run(words("export site"));
        assert!(
            exported.code == Some(0) && exported.out.contains("changed"),
            "{:?}",
            exported.err
        );
        let image = docker.ok(words("commit -m why site committed:1"));
        assert!(image.starts_with("sha256:"), "{image}");
        assert_eq!(
            docker.ok(words("run --rm -e affinity:image==committed:1 committed:1 ls /changed")),
            "/changed"
        );

        let waiting = docker.start(words("wait site"));
        docker.ok(words("kill site"));
        let status = docker.ok(words("ps -a --format {{.Status}}"));
        assert!(status.starts_with("Exited (137)"), "{status}");
        assert_eq!(waiting.finish().out.trim(), "137");
        docker.ok(words("start site"));
        docker.ok(words("restart -t 1 site"));
        docker.ok(words("stop -t 1 site"));
        docker.ok(words("rm -v site"));
        assert_eq!(docker.ok(words("ps -aq")), "");
        docker.ok(words("rmi committed:1"));
    }
}

fn terminals_are_connected_through() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    for docker in manager.every_docker() {
        let mut shell = docker.terminal(words("run -it --rm --name shell busybox sh"));
        shell.expect("# ", SOON);
        let mut second = docker.terminal(words("exec -it shell sh"));
        second.expect("# ", SOON);
        for (terminal, columns) in [(&mut shell, 101), (&mut second, 102)] {
            // A size that is given before the client has attached is not seen, so it is given again.
            let ask = || {
                terminal.resize(columns, 39);
                terminal.resize(columns, 40);
                std::thread::sleep(std::time::Duration::from_millis(50));
                terminal.send("stty size\n");
                std::thread::sleep(std::time::Duration::from_millis(50));
                terminal.out()
            };
            eventually(ask, |out| out.contains(&format!("40 {columns}")));
        }
        second.send("exit 3\n");
        assert_eq!(second.finish().code, Some(3));
        shell.send("exit 7\n");
        assert_eq!(shell.finish().code, Some(7));
    }
}

/// Input, output and half-closing: api 18.
fn input_ends_when_the_client_says_so() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    for docker in manager.every_docker() {
        let counted = docker.fed(b"one\ntwo\n", words("run -i --rm busybox wc -l"));
        assert_eq!((counted.code, counted.out.trim()), (Some(0), "2"), "{counted:?}");
        docker.ok([
            "create",
            "-i",
            "--name",
            "cat",
            "busybox",
            "sh",
            "-c",
            "cat; echo end >&2",
        ]);
        docker.ok(words("start cat"));
        let mut attached = docker.start(words("attach cat"));
        attached.send("first\n");
        attached.expect("first", SOON);
        attached.end_input();
        let output = attached.finish();
        assert_eq!((output.code, output.err.as_str()), (Some(0), "end\n"), "{output:?}");
        docker.ok(words("rm cat"));
        // Much more than fits in any buffer on the way, there and back.
        let much = "0123456789abcde\n".repeat(1 << 18);
        let back = docker.fed(much.as_bytes(), words("run -i --rm busybox cat"));
        assert!(
            back.code == Some(0) && back.out == much,
            "{} bytes, {:?}",
            back.out.len(),
            back.err
        );
    }
}

/// The daemons' connections end with the clients': api 31.
fn logs_are_followed_until_the_client_goes_away() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    let chatter = "i=0; while true; do i=$((i+1)); echo line $i; sleep 0.2; done";
    let docker = manager.docker();
    docker.ok([
        "run", "-d", "--init", "--name", "chatter", "busybox", "sh", "-c", chatter,
    ]);
    for docker in manager.every_docker() {
        let following = docker.start(words("logs -f --tail 1 chatter"));
        let seen = following.expect("line", SOON).len();
        eventually(|| following.out().len(), |now| *now > seen + 10);
        drop(following);
    }
    let connections = || established(&daemons.addresses());
    let before = connections();
    let many: Vec<_> = (0..12)
        .map(|_| {
            let mut stream = manager.send("GET", "/containers/chatter/logs?follow=1&stdout=1", "");
            assert!(read_head(&mut stream).expect("a head").contains("200 OK"));
            stream
        })
        .collect();
    eventually(connections, |now| *now >= 12);
    drop(many);
    eventually(connections, |now| *now <= before + 4);
    docker.ok(words("kill chatter"));
}

/// How many connections lead from here to these addresses.
fn established(addresses: &str) -> usize {
    let table = fs::read_to_string("/proc/net/tcp").expect("the connections");
    let wanted: Vec<String> = addresses
        .split(',')
        .map(|address| {
            let address: std::net::SocketAddrV4 = address.parse().expect("an address");
            let number = u32::from_ne_bytes(address.ip().octets());
            format!("{number:08X}:{:04X}", address.port())
        })
        .collect();
    let leads = |line: &&str| {
        let fields = words(line);
        fields.get(3) == Some(&"01")
            && fields
                .get(2)
                .is_some_and(|remote| wanted.iter().any(|one| one == remote))
    };
    table.lines().filter(leads).count()
}

fn files_are_copied_both_ways() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    let place = guardian::laboratory().expect("in the laboratory").join("copied");
    fs::create_dir_all(&place).expect("a directory");
    let (there, back) = (place.join("there"), place.join("back"));
    let content: Vec<u8> = (0..8 << 20).map(|index: u32| index.to_le_bytes()[1]).collect();
    fs::write(&there, &content).expect("a file");
    for docker in manager.every_docker() {
        docker.ok(words("create --name box busybox true"));
        docker.ok(["cp", &there.display().to_string(), "box:/tmp/file"]);
        docker.ok(["cp", "box:/tmp/file", &back.display().to_string()]);
        assert!(fs::read(&back).expect("the copy") == content);
        let missing = docker.fails(["cp", "box:/nothing", &back.display().to_string()]);
        assert!(missing.contains("/nothing"), "{missing}");
        docker.ok(words("rm box"));
        fs::remove_file(&back).expect("the copy");
    }
}

/// The head comes before the end: api 16.
fn waiting_is_answered_before_the_end() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    let docker = manager.docker();
    docker.ok(words(&format!("{SLEEPER} web busybox sleep 1000")));
    let mut waiting = manager.send("POST", "/containers/web/wait", "");
    let head = read_head(&mut waiting).expect("an answer at once");
    assert!(head.contains("200 OK"), "{head}");
    docker.ok(words("kill -s KILL web"));
    let mut rest = String::new();
    waiting.read_to_string(&mut rest).expect("the rest");
    assert!(rest.contains(r#""StatusCode":137"#), "{rest}");
}

/// api 2, 3, 4, 6, 7, 17 and 19.
fn faults_are_told_as_ever() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    let told = |method: &str, path: &str, body: &str| manager.told(method, path, body);
    for (method, path, said) in [
        ("POST", "/info", "404 page not found"),
        ("GET", "/services", "This endpoint is a standalone cluster"),
    ] {
        let (status, text) = told(method, path, "");
        assert!(status == 404 && text.starts_with(said), "{path}: {text}");
    }
    let moved = manager.ask("GET", "/containers//json", "");
    assert_eq!(moved.status, 301);
    assert!(
        moved.head.to_lowercase().contains("location: /containers/json"),
        "{moved:?}"
    );
    assert_eq!(
        told("GET", "/images/viz", ""),
        (501, "Not supported in clustering mode.".to_owned())
    );
    for (method, path, text) in [
        ("GET", "/containers/nobody/json", "No such container nobody"),
        ("POST", "/containers/nobody/start", "No such container nobody"),
        ("POST", "/containers/nobody/exec", "No such container nobody"),
        ("GET", "/containers/nobody/logs", "No such container: nobody"),
        ("DELETE", "/containers/nobody", "Container nobody not found"),
    ] {
        assert_eq!(told(method, path, "{}"), (404, text.to_owned()), "{path}");
    }
    let body = r#"{"Image":"busybox","Cmd":["sleep","1000"]}"#;
    let created = manager.ask("POST", "/containers/create?name=web", body);
    assert_eq!(created.status, 201, "{created:?}");
    let created: Value = serde_json::from_str(&created.body).expect("an object");
    let id = created["Id"].as_str().expect("an ID").to_owned();
    assert_eq!(id.len(), 64);
    let (status, text) = told("POST", "/containers/create?name=web", body);
    assert!(
        status == 409 && text.starts_with("Conflict: The name web is already assigned."),
        "{text}"
    );
    assert_eq!(told("POST", "/containers/create?name=x", "{nonsense").0, 400);

    let (status, text) = told("POST", "/containers/web/exec", r#"{"Cmd":[]}"#);
    assert!(status == 400 && text.contains("No exec command specified"), "{text}");
    let (status, text) = told("POST", "/containers/web/exec", r#"{"Cmd":["true"]}"#);
    assert!(status == 500 && text.contains("is not running"), "{status} {text}");

    manager.docker().ok(words("create --name other busybox"));
    let (status, text) = told("POST", "/containers/other/rename?name=web", "");
    assert!(
        status == 409 && text.starts_with("Conflict: The name web"),
        "{status} {text}"
    );
    // Of twelve digits it would be the short ID, which comes before names.
    let prefix = &id[..11];
    assert_eq!(
        told("POST", &format!("/containers/other/rename?name={prefix}"), "").0,
        204
    );
    // The name wins over the ID that begins with it: live-manager 12.
    assert_eq!(
        manager.docker().ok(["inspect", "-f", "{{.Name}}", prefix]),
        format!("/{prefix}")
    );
}

/// api 9 to 13.
fn lists_are_filtered() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    let docker = manager.docker();
    docker.ok(words(&format!(
        "{SLEEPER} p3 -l a=1 -l b=2 -e constraint:node==node-1 -v v1:/v busybox sleep 1000"
    )));
    docker.ok(words("network create -d bridge node-2/test1"));
    docker.ok(words(&format!(
        "{SLEEPER} p4 -l b=3 --net node-2/test1 -v /def busybox sleep 1000"
    )));
    docker.ok(words("run --name gone busybox true"));
    docker.ok(words("create --name new -l com.docker.swarm.task= busybox true"));
    let names = |query: &str| {
        let listed = manager.listed(&format!("/containers/json?{query}"));
        let mut names: Vec<String> = listed
            .iter()
            .map(|one| {
                one["Names"][0].as_str().unwrap_or_default()[1..]
                    .split_once('/')
                    .unwrap_or_default()
                    .1
                    .to_owned()
            })
            .collect();
        names.sort();
        names.join(" ")
    };
    let filtered = |filters: &str| names(&format!("all=1&filters={}", encoded(filters)));
    assert_eq!(names(""), "p3 p4");
    assert_eq!(names("all=none"), "p3 p4");
    assert_eq!(names("all=1"), "gone new p3 p4");
    assert_eq!(names("limit=1"), "new");
    assert_eq!(
        names(&format!("filters={}", encoded(r#"{"status":["exited"]}"#))),
        "gone"
    );
    assert_eq!(filtered(r#"{"exited":["0"],"status":["exited"]}"#), "gone");
    for (filters, status) in [(r#"{"exited":["x"]}"#, 500), ("bad", 400)] {
        let path = format!("/containers/json?filters={}", encoded(filters));
        assert_eq!(manager.told("GET", &path, "").0, status, "{filters}");
    }
    assert_eq!(manager.told("GET", "/networks?filters=bad", "").0, 400);
    assert_eq!(filtered(r#"{"label":["a=1","b=2"]}"#), "p3");
    assert_eq!(filtered(r#"{"label":["a=1","b=3"]}"#), "");
    assert_eq!(filtered(r#"{"name":["^p3$"]}"#), "p3");
    assert_eq!(filtered(r#"{"name":["node-1/p3"]}"#), "");
    assert_eq!(filtered(r#"{"node":["node-2"],"status":["running"]}"#), "p4");
    assert_eq!(filtered(r#"{"volume":["v1","/def"]}"#), "p3 p4");
    assert_eq!(filtered(r#"{"network":["test1"]}"#), "p4");
    assert_eq!(filtered(r#"{"health":["none"],"is-task":["false"]}"#), "gone p3 p4");
    assert_eq!(filtered(r#"{"is-task":["true"]}"#), "new");
    assert_eq!(docker.ok(words("ps -q -f name=p3")).lines().count(), 1);
}

/// Detached, exactly once: api 17.
fn execs_run_once() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    for docker in manager.every_docker() {
        docker.ok(words(&format!("{SLEEPER} web busybox sleep 1000")));
        docker.ok(["exec", "-d", "web", "sh", "-c", "echo once >>/count; touch /done"]);
        eventually(|| docker.run(words("exec web ls /done")).code, |code| *code == Some(0));
        assert_eq!(docker.ok(words("exec web cat /count")), "once");
        let fed = docker.fed(b"a\nb\n", words("exec -i web wc -l"));
        assert_eq!((fed.code, fed.out.trim()), (Some(0), "2"), "{fed:?}");
        let failed = docker.run(words("exec web ls /nothing"));
        assert!(failed.code == Some(1) && failed.err.contains("/nothing"), "{failed:?}");
        docker.ok(words("rm -f web"));
    }
}
