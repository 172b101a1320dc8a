//! Filters of lists: the manager and simulated engines answer as a daemon does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::{Manager, SOON, encoded, words};
use crate::clients::Client;
use crate::daemons;
use crate::runner::{Case, cases};
use crate::simulated::{self, Engines};

pub const CASES: [Case; 2] = cases!(filters:
    lists_are_filtered_as_by_a_daemon,
    events_are_filtered_as_by_a_daemon,
);

/// What there is to be listed.
const SETUP: [&str; 13] = [
    "network create --label n=1 inner",
    "network create unused",
    "volume create --label v=1 data",
    "volume create data2",
    "tag busybox localhost:5000/app:1",
    "tag busybox org/busy:2",
    "run -d --init --name foo -p 8080:80 -l x=1 -l y=a=b -v data:/data -v /tmp:/host --network inner busybox sleep 1000",
    "run -d --init --name foobar -p 8181:81 --expose 90/udp child:1 sleep 1000",
    "create --name made --expose 8000 -l x=2 busybox sleep 3",
    "run -d --init --name paused busybox sleep 1000",
    "pause paused",
    "run -d --init --name last busybox sleep 1000",
    "run -d --init --name linked --link foobar:other busybox sleep 1000",
];

/// Ends with 3.
const DONE: [&str; 12] = [
    "run",
    "--name",
    "done",
    "-e",
    "swarmlab.lifetime=100ms",
    "-e",
    "swarmlab.exit-code=3",
    "-v",
    "data2:/d2",
    "busybox",
    "sh",
    "-c",
];

/// Where a list is asked for.
const PS: &str = "/v1.41/containers/json?all=1";
const UP: &str = "/v1.41/containers/json?";
const IMAGES: &str = "/v1.41/images/json?";
const NETWORKS: &str = "/v1.41/networks?";
const VOLUMES: &str = "/v1.41/volumes?";

/// Who answers otherwise than the daemon, and how: with a status and names.
#[derive(Clone, Copy, Debug)]
enum But {
    Nobody,
    /// Manager and simulated engine.
    Both(u16, &'static str),
    Manager(u16, &'static str),
    /// Images have no history there, and all are of the same age.
    NotSimulated,
    /// The daemon takes networks in use for unused; others do as its documentation says.
    Documented(&'static str),
}
use But::{Both, Documented, Nobody, NotSimulated};

/// `FOO` is the ID of `foo`, `FOO12` the beginning of it and `OO12` its middle; likewise for the network `inner` and the
/// image `child:1`.
const TABLE: &[(&str, &str, But)] = &[
    (PS, r#"{"name":["^/foo$"]}"#, Nobody),
    (PS, r#"{"name":["^foo$"]}"#, Nobody),
    (PS, r#"{"name":["foo"]}"#, Nobody),
    (PS, r#"{"name":["/foo"]}"#, Nobody),
    (PS, r#"{"name":["^/fo$"]}"#, Nobody),
    (PS, r#"{"name":["FOO"]}"#, Nobody),
    (PS, r#"{"name":["foo("]}"#, Nobody),
    (PS, r#"{"name":["f.o","last"]}"#, Nobody),
    (PS, r#"{"name":["other"]}"#, Nobody),
    (PS, r#"{"name":[""]}"#, Nobody),
    (PS, r#"{"name":{"foo":true}}"#, Nobody),
    (PS, r#"{"name":{"foo":false}}"#, Nobody),
    (PS, r#"{"name":["foo",null]}"#, Nobody),
    (PS, r#"{"name":["foo"],"id":["FOO12"]}"#, Nobody),
    (PS, r#"{"name":["last"],"id":["FOO12"]}"#, Nobody),
    (PS, r#"{"id":["FOO"]}"#, Nobody),
    (PS, r#"{"id":["FOO12"]}"#, Nobody),
    (PS, r#"{"id":["OO12"]}"#, Nobody),
    (PS, r#"{"id":["[0-9a-f]"]}"#, Nobody),
    (PS, r#"{"id":[""]}"#, Nobody),
    (PS, r#"{"label":["x"]}"#, Nobody),
    (PS, r#"{"label":["x=1","y=a=b"]}"#, Nobody),
    (PS, r#"{"label":["x=1","x=2"]}"#, Nobody),
    (PS, r#"{"label":["x="]}"#, Nobody),
    (PS, r#"{"label!":["x"]}"#, Nobody),
    (PS, r#"{"status":["running"]}"#, Nobody),
    (UP, r#"{"status":["exited"]}"#, Nobody),
    (UP, r#"{"status":["created"]}"#, Nobody),
    (UP, r#"{"status":["paused","exited"]}"#, Nobody),
    (UP, r#"{"status":["removing"]}"#, Nobody),
    (PS, r#"{"status":["foo"]}"#, Nobody),
    (PS, r#"{"status":["run"]}"#, Nobody),
    (PS, r#"{"exited":["3"]}"#, Nobody),
    (UP, r#"{"exited":["3"]}"#, Nobody),
    (PS, r#"{"exited":["0"]}"#, Nobody),
    (PS, r#"{"exited":["x"]}"#, Nobody),
    (PS, r#"{"health":["none"]}"#, Nobody),
    (PS, r#"{"health":["healthy"]}"#, Nobody),
    (PS, r#"{"health":["foo"]}"#, Nobody),
    (PS, r#"{"is-task":["true"]}"#, Nobody),
    (PS, r#"{"is-task":["false"]}"#, Nobody),
    (PS, r#"{"is-task":["1"]}"#, Nobody),
    (PS, r#"{"volume":["data"]}"#, Nobody),
    (PS, r#"{"volume":["dat"]}"#, Nobody),
    (PS, r#"{"volume":["/data","data2"]}"#, Nobody),
    (PS, r#"{"volume":["/tmp"]}"#, Nobody),
    (PS, r#"{"network":["inner"]}"#, Nobody),
    (PS, r#"{"network":["inn"]}"#, Nobody),
    (PS, r#"{"network":["bridge"]}"#, Nobody),
    (PS, r#"{"network":["NET12"]}"#, Nobody),
    (PS, r#"{"publish":["8080"]}"#, Nobody),
    (PS, r#"{"publish":["80"]}"#, Nobody),
    (PS, r#"{"publish":["8080-8181/tcp"]}"#, Nobody),
    (PS, r#"{"publish":["8080/udp"]}"#, Nobody),
    (PS, r#"{"publish":["80:80"]}"#, Nobody),
    (PS, r#"{"expose":["80"]}"#, Nobody),
    (PS, r#"{"expose":["90/udp"]}"#, Nobody),
    (PS, r#"{"expose":["90"]}"#, Nobody),
    (PS, r#"{"expose":["8000"]}"#, Nobody),
    (PS, r#"{"expose":["x"]}"#, Nobody),
    (PS, r#"{"ancestor":["busybox"]}"#, NotSimulated),
    (PS, r#"{"ancestor":["child:1"]}"#, Nobody),
    (PS, r#"{"ancestor":["child"]}"#, Nobody),
    (PS, r#"{"ancestor":["CHILD12"]}"#, Nobody),
    (PS, r#"{"ancestor":["docker.io/library/busybox:latest"]}"#, NotSimulated),
    (PS, r#"{"ancestor":["nope"]}"#, Nobody),
    (PS, r#"{"before":["made"]}"#, Nobody),
    (PS, r#"{"before":["/made"]}"#, Nobody),
    (PS, r#"{"since":["FOO"]}"#, Nobody),
    (UP, r#"{"since":["foo"],"before":["last"]}"#, Nobody),
    (PS, r#"{"before":["FOO12"]}"#, But::Manager(200, "")),
    (PS, r#"{"before":["nope"]}"#, But::Manager(404, "")),
    (PS, r#"{"isolation":["default"]}"#, Nobody),
    (PS, r#"{"foo":["x"]}"#, Nobody),
    (PS, r#"{"foo":[]}"#, Nobody),
    (PS, "garbage", Both(400, "")),
    (PS, r#"{"name":"foo"}"#, Both(400, "")),
    (PS, r#"{"name":["foo"],"label":{"x":true}}"#, Both(400, "")),
    (IMAGES, r#"{"reference":["busybox"]}"#, Nobody),
    (IMAGES, r#"{"reference":["busy*"]}"#, Nobody),
    (IMAGES, r#"{"reference":["*"]}"#, Nobody),
    (IMAGES, r#"{"reference":["*/*"]}"#, Nobody),
    (IMAGES, r#"{"reference":["localhost:5000/app"]}"#, Nobody),
    (IMAGES, r#"{"reference":["app"]}"#, Nobody),
    (IMAGES, r#"{"reference":["org/b?sy:[12]"]}"#, Nobody),
    (IMAGES, r#"{"reference":["docker.io/library/busybox"]}"#, Nobody),
    (IMAGES, r#"{"reference":["CHILD12"]}"#, Nobody),
    (IMAGES, r#"{"reference":["["]}"#, Nobody),
    (IMAGES, r#"{"dangling":["true"]}"#, NotSimulated),
    (IMAGES, r#"{"dangling":["false"]}"#, Nobody),
    (IMAGES, r#"{"dangling":["maybe"]}"#, Nobody),
    (IMAGES, r#"{"dangling":["1"]}"#, Nobody),
    (IMAGES, r#"{"label":["b=2"]}"#, Nobody),
    (IMAGES, r#"{"label":["b=3"]}"#, Nobody),
    (IMAGES, r#"{"before":["child:1"]}"#, NotSimulated),
    (IMAGES, r#"{"since":["busybox"],"reference":["*"]}"#, NotSimulated),
    (IMAGES, r#"{"before":["nope"]}"#, But::Manager(400, "")),
    (IMAGES, r#"{"until":["1h"]}"#, Nobody),
    (NETWORKS, r#"{"name":["inner"]}"#, Nobody),
    (NETWORKS, r#"{"name":["^inn$"]}"#, Nobody),
    (NETWORKS, r#"{"name":["in"]}"#, Nobody),
    (NETWORKS, r#"{"id":["NET"]}"#, Nobody),
    (NETWORKS, r#"{"id":["ET12"]}"#, Nobody),
    (NETWORKS, r#"{"name":["bridge"],"id":["NET12"]}"#, Nobody),
    (NETWORKS, r#"{"driver":["bridge","null"]}"#, Nobody),
    (NETWORKS, r#"{"driver":["bri"]}"#, Nobody),
    (NETWORKS, r#"{"label":["n=1"]}"#, Nobody),
    (NETWORKS, r#"{"scope":["local"]}"#, Nobody),
    (NETWORKS, r#"{"scope":["swarm"]}"#, Nobody),
    (NETWORKS, r#"{"type":["custom"]}"#, Nobody),
    (NETWORKS, r#"{"type":["builtin"]}"#, Nobody),
    (NETWORKS, r#"{"type":["custom","builtin"]}"#, Nobody),
    (NETWORKS, r#"{"type":["foo"]}"#, Both(400, "")),
    (NETWORKS, r#"{"dangling":["true"]}"#, Documented("unused")),
    (NETWORKS, r#"{"dangling":["0"]}"#, Documented("bridge host inner none")),
    (NETWORKS, r#"{"dangling":["maybe"]}"#, Nobody),
    (NETWORKS, r#"{"dangling":["true","false"]}"#, Nobody),
    (NETWORKS, r#"{"idOrName":["inner"]}"#, Nobody),
    (NETWORKS, "garbage", Both(400, "")),
    (VOLUMES, r#"{"name":["data"]}"#, Nobody),
    (VOLUMES, r#"{"name":["^da.a$"]}"#, Nobody),
    (VOLUMES, r#"{"driver":["local"]}"#, Nobody),
    (VOLUMES, r#"{"driver":["loc"]}"#, Nobody),
    (VOLUMES, r#"{"label":["v"]}"#, Nobody),
    (VOLUMES, r#"{"dangling":["true"]}"#, Nobody),
    (VOLUMES, r#"{"dangling":["0"],"name":["data"]}"#, Nobody),
    (VOLUMES, r#"{"dangling":["maybe"]}"#, Nobody),
    (VOLUMES, r#"{"label!":["v"]}"#, Nobody),
    (VOLUMES, "garbage", Nobody),
];

/// Somebody who answers.
struct Place {
    address: String,
    ids: Vec<(&'static str, String)>,
}

/// The answer to a request: its status and its body, JSON or lines of it.
fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(SOON)).expect("a deadline");
    write!(stream, "GET {path} HTTP/1.0\r\nHost: here\r\n\r\n").expect("it is read");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    (status.expect("a status"), body.to_owned())
}

fn json(address: &str, path: &str) -> Value {
    serde_json::from_str(&get(address, path).1).expect("JSON")
}

impl Place {
    fn new(address: &str) -> Place {
        let id = |path: &str| json(address, path)["Id"].as_str().expect("an ID").to_owned();
        let container = id("/v1.41/containers/foo/json");
        let inner = id("/v1.41/networks/inner");
        let child = id("/v1.41/images/child:1/json");
        let child = child.trim_start_matches("sha256:");
        Place {
            address: address.to_owned(),
            // What is longer is put in first.
            ids: vec![
                ("CHILD12", child[..12].to_owned()),
                ("FOO12", container[..12].to_owned()),
                ("OO12", container[5..12].to_owned()),
                ("\"FOO\"", format!("\"{container}\"")),
                ("NET12", inner[..12].to_owned()),
                ("ET12", inner[5..12].to_owned()),
                ("\"NET\"", format!("\"{inner}\"")),
            ],
        }
    }

    /// The status of a filtered list, and the names of what is on it, without the node's.
    fn list(&self, path: &str, filters: &str) -> (u16, String) {
        // One name is a word for an ID and a name that nobody has.
        let filters = match filters.contains("\"name\":[\"FOO\"]") {
            true => filters.to_owned(),
            false => self
                .ids
                .iter()
                .fold(filters.to_owned(), |text, (word, id)| text.replace(word, id)),
        };
        let (status, body) = get(&self.address, &format!("{path}&filters={}", encoded(&filters)));
        if status != 200 {
            return (status, String::new());
        }
        let body: Value = serde_json::from_str(&body).expect("JSON");
        let list = body
            .as_array()
            .or_else(|| body["Volumes"].as_array())
            .cloned()
            .unwrap_or_default();
        let bare = |name: &Value| {
            let name = name.as_str().unwrap_or_default().trim_start_matches('/');
            name.strip_prefix("node-1/").unwrap_or(name).to_owned()
        };
        let names = list.iter().flat_map(|one| match (&one["Names"], &one["RepoTags"]) {
            (Value::Array(names), _) => names.iter().map(bare).filter(|name| !name.contains('/')).collect(),
            (_, Value::Array(tags)) => tags
                .iter()
                .map(|tag| tag.as_str().unwrap_or_default().to_owned())
                .collect(),
            _ => vec![bare(&one["Name"])],
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        (status, names.join(" "))
    }
}

/// Makes everything there is to be listed.
fn set_up(docker: &Client) {
    let builder = docker.clone().environment("DOCKER_BUILDKIT", "0");
    for (recipe, tag) in [
        ("FROM busybox\nLABEL b=2\n", "child:1"),
        ("FROM busybox\nLABEL c=3\n", ""),
    ] {
        let tag: &[&str] = if tag.is_empty() { &[] } else { &["-t", tag] };
        let built = builder.fed(recipe.as_bytes(), [&["build", "-q"], tag, &["-"]].concat());
        assert_eq!(built.code, Some(0), "{built:?}");
    }
    for line in SETUP {
        docker.ok(words(line));
    }
    let done = docker.run([&DONE[..], &["exit 3"]].concat());
    assert_eq!(done.code, Some(3), "{done:?}");
}

fn lists_are_filtered_as_by_a_daemon() {
    let daemons = daemons::shared();
    let engines = Engines::start();
    set_up(&daemons[0].docker());
    let simulated = Client::docker(simulated::ENDPOINT);
    simulated.ok(words("pull busybox"));
    set_up(&simulated);
    let manager = Manager::start(&[], &daemons[0].address());
    manager.wait_for_healthy(1);
    let daemon = Place::new(&daemons[0].address());
    let ours = Place {
        address: manager.address(),
        ids: daemon.ids.clone(),
    };
    let simulated = Place::new(simulated::ENDPOINT.trim_start_matches("tcp://"));
    let mut wrong = Vec::new();
    for (path, filters, but) in TABLE {
        let real = daemon.list(path, filters);
        let owned = |status: u16, names: &str| (status, names.to_owned());
        let (manager, engine) = match but {
            Nobody => (real.clone(), Some(real.clone())),
            Both(status, names) => (owned(*status, names), Some(owned(*status, names))),
            But::Manager(status, names) => (owned(*status, names), Some(real.clone())),
            NotSimulated => (real.clone(), None),
            Documented(names) => (owned(200, names), Some(owned(200, names))),
        };
        let answered = ours.list(path, filters);
        if answered != manager {
            wrong.push(format!("manager, {path} {filters}: {answered:?}, the daemon {real:?}"));
        }
        let answered = simulated.list(path, filters);
        if engine.as_ref().is_some_and(|expected| *expected != answered) {
            wrong.push(format!(
                "simulated, {path} {filters}: {answered:?}, the daemon {real:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The manager's own filter, with names as it shows them.
    let on = |node: &str| ours.list(PS, &format!(r#"{{"node":["{node}"],"name":["foo$"]}}"#)).1;
    assert_eq!((on("node-1"), on("node-2")), ("foo".to_owned(), String::new()));
    assert_eq!(ours.list(NETWORKS, r#"{"name":["node-1/inner"]}"#).1, "inner");
    assert_eq!(ours.list(VOLUMES, r#"{"name":["node-1/data2"]}"#).1, "data2");
    drop(engines);
}

/// Filters of events, none of which is refused.
const EVENTS: [&str; 14] = [
    "{}",
    r#"{"container":["we"]}"#,
    r#"{"container":["nobody"]}"#,
    r#"{"image":["busybox"]}"#,
    r#"{"image":["bus"]}"#,
    r#"{"type":["container","network"]}"#,
    r#"{"type":["con"]}"#,
    r#"{"event":["start","destroy"]}"#,
    r#"{"event":["exec_create"]}"#,
    r#"{"event":["sta"]}"#,
    r#"{"network":["brid"],"type":["network"]}"#,
    r#"{"label":["a=b"]}"#,
    r#"{"scope":["local"],"volume":["heard"]}"#,
    r#"{"whatever":["x"],"type":["volume"]}"#,
];

fn events_are_filtered_as_by_a_daemon() {
    let daemons = daemons::shared();
    let manager = Manager::start(&[], &daemons[0].address());
    manager.wait_for_healthy(1);
    // A daemon tells what has happened before as well, if it is not told since when: the tidying up before a test.
    thread::sleep(Duration::from_secs(1));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let (since, until) = (now.as_secs(), (now + Duration::from_secs(8)).as_secs());
    let listen = |address: String, filters: &'static str| {
        thread::spawn(move || {
            let path = format!("/v1.41/events?since={since}&until={until}&filters={}", encoded(filters));
            let (status, body) = get(&address, &path);
            assert_eq!(status, 200, "{filters}: {body}");
            let events = serde_json::Deserializer::from_str(&body).into_iter::<Value>();
            let mut told: Vec<String> = events
                .map(|event| event.expect("an event"))
                .filter(|event| event["Type"] != "swarm")
                .map(|event| format!("{} {}", event["Type"], event["Action"]))
                .collect();
            told.sort();
            told.join(", ")
        })
    };
    let listening: Vec<_> = EVENTS
        .iter()
        .map(|filters| {
            (
                listen(daemons[0].address(), filters),
                listen(manager.address(), filters),
            )
        })
        .collect();
    // Who listens has two seconds to begin.
    thread::sleep(Duration::from_secs(2));
    let docker = daemons[0].docker();
    docker.ok(words("volume create heard"));
    docker.ok(words("run -d --init --name web -l a=b busybox sleep 1000"));
    docker.ok(words("exec web true"));
    docker.ok(words("rm -f web"));
    docker.ok(words("volume rm heard"));
    for (filters, (daemon, manager)) in EVENTS.iter().zip(listening) {
        let daemon = daemon.join().expect("events of the daemon");
        assert_eq!(manager.join().expect("events"), daemon, "{filters}");
    }
}
