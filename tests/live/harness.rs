//! The harness itself: daemons are separate machines, die and come back as asked, and leave nothing behind.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::clients::Client;
use crate::daemons::{self, Daemons, Node, Registry, Setup};
use crate::guardian;
use crate::runner::{Case, cases};

pub const CASES: [Case; 13] = cases!(harness:
    daemons_have_their_names_labels_and_image,
    a_port_is_published_on_every_node_at_once,
    nodes_have_networks_volumes_and_limits_of_their_own,
    a_killed_node_comes_back_with_its_containers,
    a_paused_daemon_is_silent_until_resumed,
    an_unplugged_node_is_silent_until_plugged,
    a_crashed_daemon_is_launched_again,
    commands_run_on_a_terminal_and_end_at_their_deadline,
    compose_brings_up_a_project needs Compose,
    podman_serves_the_same_clients needs Podman,
    images_travel_through_a_registry needs Registry,
    nothing_is_left_of_dropped_daemons,
    nothing_is_left_of_a_killed_run,
);

/// Long enough on a machine that is busy with other things, too.
const SOON: Duration = Duration::from_secs(20);

/// A web server that says who it is.
const SERVE: &str = "echo here is $NAME >/index.html; exec httpd -f -p 80";

fn serve(node: &Node, options: &[&str]) -> String {
    let name = format!("NAME={}", node.name());
    // Told to end, it does not, so that without this every orderly end takes ten seconds.
    let mut words = vec!["run", "--detach", "--stop-timeout", "1", "--env", &name];
    words.extend(options);
    words.extend(["busybox", "sh", "-c", SERVE]);
    node.docker().ok(words)
}

fn fetch(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address.parse().expect("an address"), SOON)?;
    stream.set_read_timeout(Some(SOON))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Asks again until the answer is right, for things that take a moment.
#[track_caller]
fn eventually<T: std::fmt::Debug>(mut ask: impl FnMut() -> T, right: impl Fn(&T) -> bool) -> T {
    let until = Instant::now() + SOON;
    loop {
        let answer = ask();
        if right(&answer) {
            return answer;
        }
        assert!(Instant::now() < until, "still {answer:?}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn daemons_have_their_names_labels_and_image() {
    let daemons = daemons::shared();
    let facts = "{{.Name}} {{.Labels}} {{.Driver}}";
    let driver = daemons[0].docker().ok(["info", "--format", "{{.Driver}}"]);
    for (node, zone) in daemons.iter().zip(["a", "b"]) {
        let expected = format!("{} [zone={zone}] {driver}", node.name());
        assert_eq!(node.docker().ok(["info", "--format", facts]), expected);
        // By the network as by the socket, and by every version of the client.
        for docker in Client::every_docker(&node.endpoint()) {
            assert_eq!(docker.ok(["info", "--format", facts]), expected);
        }
    }
    assert_eq!([daemons[0].name(), daemons[1].name()], ["node-1", "node-2"]);
    assert_eq!(
        daemons.addresses(),
        format!("{},{}", daemons[0].address(), daemons[1].address())
    );
    let identity = |node: &Node| node.docker().ok(["info", "--format", "{{.ID}}"]);
    assert_ne!(identity(&daemons[0]), identity(&daemons[1]));
    let image = |node: &Node| {
        node.docker()
            .ok(["image", "inspect", "--format", "{{.Id}}", "busybox:latest"])
    };
    assert_eq!(image(&daemons[0]), image(&daemons[1]));
}

fn a_port_is_published_on_every_node_at_once() {
    let daemons = daemons::shared();
    for node in daemons.iter() {
        serve(node, &["--publish", "80:80"]);
    }
    for node in daemons.iter() {
        let page = || fetch(&format!("{}:80", node.ip())).unwrap_or_default();
        eventually(page, |page| page.contains(&format!("here is {}", node.name())));
    }
    let refused = daemons[0]
        .docker()
        .fails(["run", "--publish", "80:80", "busybox", "true"]);
    assert!(refused.contains("port is already allocated"), "{refused}");
}

fn nodes_have_networks_volumes_and_limits_of_their_own() {
    let daemons = daemons::shared();
    let docker = daemons[0].docker();
    docker.ok(["network", "create", "inner"]);
    docker.ok(["volume", "create", "kept"]);
    serve(
        &daemons[0],
        &[
            "--network",
            "inner",
            "--name",
            "server",
            "--memory",
            "64m",
            "--cpu-shares",
            "2",
        ],
    );
    let asked = ["run", "--rm", "--network", "inner", "--volume", "kept:/kept", "busybox"];
    let fetched = asked
        .iter()
        .chain(&["sh", "-c", "wget -q -O /kept/page http://server/; cat /kept/page"]);
    assert_eq!(docker.ok(fetched), "here is node-1");
    assert_eq!(
        docker.ok(["run", "--rm", "--volume", "kept:/kept", "busybox", "cat", "/kept/page"]),
        "here is node-1"
    );
    let other = daemons[1].docker();
    assert!(!other.ok(["network", "ls", "--format", "{{.Name}}"]).contains("inner"));
    assert_eq!(other.ok(["volume", "ls", "--quiet"]), "");
}

fn a_killed_node_comes_back_with_its_containers() {
    let daemons = daemons::shared();
    let node = &daemons[0];
    let left = serve(node, &["--publish", "80:80"]);
    let restarted = serve(node, &["--restart", "always"]);
    node.kill();
    assert_eq!(node.processes(), Vec::<u32>::new());
    assert_eq!(
        node.ping(SOON).expect_err("nobody is there").kind(),
        std::io::ErrorKind::ConnectionRefused
    );
    daemons[1].ping(SOON).expect("the other node is well");
    node.restart();
    let state = |id: &str| node.docker().ok(["inspect", "--format", "{{.State.Running}}", id]);
    eventually(|| state(&restarted), |running| running == "true");
    assert_eq!(state(&left), "false");
    node.docker().ok(["start", &left]);
    let page = || fetch(&format!("{}:80", node.ip())).unwrap_or_default();
    eventually(page, |page| page.contains("here is node-1"));
}

fn a_paused_daemon_is_silent_until_resumed() {
    let daemons = daemons::shared();
    let node = &daemons[0];
    serve(node, &["--publish", "80:80"]);
    node.pause();
    let silence = Duration::from_millis(300);
    assert_eq!(
        node.ping(silence).expect_err("nobody answers").kind(),
        std::io::ErrorKind::WouldBlock
    );
    let output = node.docker().within(silence).run(["ps"]);
    assert_eq!(output.code, None);
    let page = || fetch(&format!("{}:80", node.ip())).unwrap_or_default();
    assert!(eventually(page, |page| !page.is_empty()).contains("here is node-1"));
    node.resume();
    assert!(node.ping(SOON).expect("it answers").contains("200 OK"));
}

fn an_unplugged_node_is_silent_until_plugged() {
    let daemons = daemons::shared();
    let node = &daemons[1];
    let over_network = Client::docker(&node.endpoint());
    node.docker().ok(["volume", "create", "first"]);
    let format = "{{.Action}} {{.Type}} {{.Actor.ID}}";
    let events = over_network.start(["events", "--since", "1", "--filter", "event=create", "--format", format]);
    events.expect("create volume first", SOON);
    node.unplug();
    node.ping(Duration::from_millis(300)).expect_err("nothing arrives");
    // What does not take the network still works, so that a test can act behind the manager's back.
    node.docker().ok(["volume", "create", "unseen"]);
    node.plug();
    // The connection has outlived the silence.
    node.docker().ok(["network", "create", "seen"]);
    events.expect("create network", Duration::from_secs(30));
    events.signal(Signal::TERM);
    assert!(node.ping(SOON).expect("it answers").contains("200 OK"));
}

fn a_crashed_daemon_is_launched_again() {
    let daemons = daemons::shared();
    let node = &daemons[1];
    let id = serve(node, &[]);
    node.crash_daemon();
    node.ping(SOON).expect_err("nobody is there");
    node.relaunch_daemon();
    assert_eq!(node.docker().ok(["ps", "--all", "--quiet", "--no-trunc"]), id);
}

fn commands_run_on_a_terminal_and_end_at_their_deadline() {
    let daemons = daemons::shared();
    for docker in Client::every_docker(&daemons[0].endpoint()) {
        let mut shell = docker.terminal(["run", "--interactive", "--tty", "--rm", "busybox", "sh"]);
        shell.expect("# ", SOON);
        // The client tells the size only once it has attached, and does not hear of changes before that: on a busy
        // machine the shell is there first.
        let mut size = |wanted: (u16, u16)| {
            let ask = || {
                shell.resize(wanted.0, wanted.1 - 1);
                shell.resize(wanted.0, wanted.1);
                std::thread::sleep(Duration::from_millis(100));
                shell.send("stty size\n");
                std::thread::sleep(Duration::from_millis(100));
                shell.out()
            };
            eventually(ask, |out| out.contains(&format!("{} {}", wanted.1, wanted.0)));
        };
        size((80, 24));
        size((100, 50));
        shell.send("exit 7\n");
        assert_eq!(shell.finish().code, Some(7));

        let output = docker.fed(b"one\ntwo\n", ["run", "--interactive", "--rm", "busybox", "wc", "-l"]);
        assert_eq!((output.code, output.out.trim()), (Some(0), "2"), "{output:?}");
        let mut counting = docker.start([
            "run",
            "--interactive",
            "--rm",
            "busybox",
            "sh",
            "-c",
            "cat; echo end >&2",
        ]);
        counting.send("first\n");
        counting.expect("first", SOON);
        counting.end_input();
        assert_eq!(counting.finish().err, "end\n");

        let output = docker
            .within(Duration::from_secs(1))
            .run(["run", "--rm", "busybox", "sleep", "60"]);
        assert_eq!(output.code, None);
        assert!(output.took < SOON, "{output:?}");
    }
    assert!(
        daemons[0]
            .docker()
            .fails(["inspect", "nobody"])
            .contains("No such object: nobody")
    );
}

fn compose_brings_up_a_project() {
    let daemons = daemons::shared();
    let project = daemons[0].directory().join("project");
    fs::create_dir_all(&project).expect("a directory");
    let text = "version: '2.4'\nservices:\n  web:\n    image: busybox:latest\n    command: sleep 1000\n    \
                stop_grace_period: 0s\n";
    fs::write(project.join("docker-compose.yml"), text).expect("a project");
    let compose = Client::compose(&daemons[0].endpoint(), &project);
    compose.ok(["up", "--detach", "--scale", "web=2"]);
    assert_eq!(compose.ok(["ps", "--quiet"]).lines().count(), 2);
    compose
        .environment("COMPOSE_PROJECT_NAME", "other")
        .ok(["up", "--detach"]);
    assert_eq!(daemons[0].docker().ok(["ps", "--quiet"]).lines().count(), 3);
}

fn podman_serves_the_same_clients() {
    let daemons = Daemons::start([Setup::podman("node-3"), Setup::podman("node-4").without_image()]);
    let docker = daemons[0].docker();
    assert_eq!(docker.ok(["info", "--format", "{{.Name}}"]), "node-3");
    assert_eq!(docker.ok(["run", "--rm", "busybox", "echo", "here"]), "here");
    let id = serve(&daemons[0], &["--publish", "80:80"]);
    let page = || fetch(&format!("{}:80", daemons[0].ip())).unwrap_or_default();
    eventually(page, |page| page.contains("here is node-3"));
    assert!(control_groups(&format!("libpod_parent/libpod-{id}")) > 0);
    assert_eq!(daemons[1].docker().ok(["images", "--quiet"]), "");
    daemons[0].restart();
    assert_eq!(docker.ok(["ps", "--all", "--quiet", "--no-trunc"]), id);
    docker.ok(["start", &id]);
    drop(daemons);
    assert_eq!(control_groups(&format!("libpod_parent/libpod-{id}")), 0);
}

fn images_travel_through_a_registry() {
    let daemons = daemons::shared();
    let registry = Registry::start();
    let name = registry.image("app:1");
    daemons[0].docker().ok(["tag", "busybox", &name]);
    daemons[0].docker().ok(["push", &name]);
    assert_eq!(daemons[1].docker().ok(["run", "--rm", &name, "echo", "here"]), "here");
    let missing = daemons[1].docker().fails(["pull", &registry.image("nothing:1")]);
    assert!(missing.contains("not found"), "{missing}");
}

fn nothing_is_left_of_dropped_daemons() {
    let daemons = Daemons::start([
        Setup::new("node-7"),
        Setup::new("node-8")
            .without_image()
            .arguments(&["--log-level", "debug"]),
    ]);
    assert!(daemons[1].log().contains("level=debug"));
    assert_eq!(daemons[1].docker().ok(["images", "--quiet"]), "");
    serve(&daemons[0], &["--publish", "80:80", "--restart", "always"]);
    let before: Vec<u32> = daemons.iter().flat_map(Node::processes).collect();
    // First process, shell, daemon and its containerd on each; shim, server and port proxy.
    assert!(before.len() >= 10, "{before:?}");
    let directories: Vec<_> = daemons.iter().map(|node| node.directory().to_owned()).collect();
    let names: Vec<String> = directories
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    daemons[1].stop();
    assert!(!daemons[1].is_up());
    drop(daemons);

    let alive: Vec<&u32> = before
        .iter()
        .filter(|pid| Path::new(&format!("/proc/{pid}")).exists())
        .collect();
    assert!(alive.is_empty(), "{alive:?}");
    let mounts = fs::read_to_string("/proc/self/mounts").expect("the mounts");
    let links = Command::new("ip").args(["-o", "link"]).output().expect("ip starts");
    let links = String::from_utf8_lossy(&links.stdout).into_owned();
    for (directory, name) in directories.iter().zip(&names) {
        assert!(!directory.exists(), "{}", directory.display());
        assert!(!mounts.contains(&directory.display().to_string()), "{mounts}");
        assert!(!Path::new("/run/netns").join(name).exists());
        assert!(!links.contains(&name.replace('n', "v")), "{links}");
        assert_eq!(control_groups(&format!("{}/{name}", cgroup())), 0);
    }
}

fn cgroup() -> String {
    guardian::cgroup_of(guardian::laboratory().expect("in the laboratory"))
}

fn control_groups(name: &str) -> usize {
    let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
    hierarchies.filter(|entry| entry.path().join(name).exists()).count()
}

/// A run inside this run, killed while its daemons start.
fn nothing_is_left_of_a_killed_run() {
    let parent = guardian::laboratory().expect("in the laboratory").join("runs");
    fs::create_dir(&parent).expect("a directory");
    let start = || {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "harness::a_port_is_published_on_every_node_at_once"]);
        command.env("TMPDIR", &parent).env_remove(guardian::LABORATORY);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts")
    };
    let mut killed = start();
    let scratch = parent.join("swarmlab-live").join(killed.id().to_string());
    eventually(|| scratch.join("n11/docker.sock").exists(), |there| *there);
    killed.kill().expect("it runs");
    killed.wait().expect("it ends");
    eventually(|| processes_with(&scratch), Vec::is_empty);
    assert!(scratch.exists());

    // The next one finishes, and what the first has left is gone with its own.
    let next = start().wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&next.stdout).into_owned();
    assert!(next.status.success() && said.contains("1 passed"), "{said}");
    let left: Vec<_> = fs::read_dir(parent.join("swarmlab-live"))
        .expect("its directory")
        .flatten()
        .collect();
    let left: Vec<_> = left
        .iter()
        .map(fs::DirEntry::file_name)
        .filter(|name| name != "runs.lock")
        .collect();
    assert!(left.iter().all(|name| name == "install.lock"), "{left:?}");
    assert_eq!(control_groups(&guardian::cgroup_of(&scratch)), 0);
}

/// The command lines that speak of a directory.
fn processes_with(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("the processes").flatten();
    let lines = entries.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    let directory = directory.display().to_string();
    lines
        .filter(|line| line.contains(&directory))
        .map(|line| line.replace('\0', " "))
        .collect()
}
