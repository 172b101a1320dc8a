//! What engines answer, over their sockets.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use swarmlab::net;

use super::{Cluster, nodes, plan};
use crate::live::{AGES, within};

const PULL: &str = "/images/create?fromImage=busybox&tag=latest";

#[tokio::test]
async fn an_engine_says_what_the_scenario_says_of_its_node() {
    let plan = plan(
        "[run]\nduration = \"1h\"\n[cluster.nodes.n]\ncount = 2\ncpus = 6\nmemory = \"8GiB\"\nlabels = { zone = \"a\" }\n\
         [workload.none]\narrivals = { process = \"at-start\", count = 1 }\ncpus = 1\nmemory = \"1MiB\"\n",
    );
    let cluster = Cluster::start(plan).await;
    let info = cluster.json(1, Method::GET, "/v1.41/info", "").await;
    assert_eq!(
        (&info["NCPU"], &info["MemTotal"], &info["Labels"]),
        (&json!(6), &json!(8_u64 << 30), &json!(["zone=a"]))
    );
    assert_ne!(info["ID"], cluster.json(0, Method::GET, "/info", "").await["ID"]);
    assert_eq!(cluster.ask(0, Method::GET, "/_ping", "").await, (200, "OK".to_owned()));
    let (status, text) = cluster.ask(0, Method::GET, "/v1.99/info", "").await;
    assert!(
        status == 400 && text.contains("client version 1.99 is too new"),
        "{text}"
    );
}

#[tokio::test]
async fn the_life_of_a_container_has_the_statuses_of_daemons() {
    let cluster = Cluster::start(nodes(1)).await;
    let body = r#"{"Image":"busybox","Cmd":["sleep","999"]}"#;
    for (method, target, body, expected) in [
        (
            "POST",
            "/containers/create?name=web",
            body,
            (404, "No such image: busybox:latest"),
        ),
        (
            "POST",
            PULL,
            "",
            (200, "Status: Downloaded newer image for busybox:latest"),
        ),
        ("POST", "/containers/create?name=web", body, (201, "\"Id\"")),
        (
            "POST",
            "/containers/create?name=web",
            body,
            (409, "Conflict. The container name \\\"/web\\\" is already in use"),
        ),
        (
            "POST",
            "/containers/create?name=!",
            body,
            (400, "Invalid container name"),
        ),
        ("POST", "/containers/create", "{", (400, "invalid JSON")),
        ("POST", "/containers/web/pause", "", (409, "is not running")),
        ("POST", "/containers/web/start", "", (204, "")),
        ("POST", "/containers/web/start", "", (304, "")),
        ("GET", "/containers/web/top", "", (200, "sleep 9")),
        ("POST", "/containers/web/pause", "", (204, "")),
        ("GET", "/containers/web/json", "", (200, "\"Status\":\"paused\"")),
        ("POST", "/containers/web/unpause", "", (204, "")),
        (
            "DELETE",
            "/containers/web",
            "",
            (409, "You cannot remove a running container"),
        ),
        ("DELETE", "/images/busybox", "", (409, "conflict")),
        ("POST", "/containers/web/rename?name=db", "", (204, "")),
        ("POST", "/containers/web/stop", "", (404, "No such container: web")),
        ("POST", "/containers/db/stop", "", (204, "")),
        ("POST", "/containers/db/stop", "", (304, "")),
        ("POST", "/containers/db/kill", "", (409, "is not running")),
        ("POST", "/containers/db/wait", "", (200, "\"StatusCode\":143")),
        ("POST", "/containers/db/restart", "", (204, "")),
        (
            "POST",
            "/containers/db/exec",
            r#"{"Cmd":[]}"#,
            (400, "No exec command specified"),
        ),
        ("DELETE", "/containers/db?force=1", "", (204, "")),
        ("GET", "/containers/db/json", "", (404, "No such container: db")),
        ("DELETE", "/images/busybox", "", (200, "Deleted")),
        (
            "POST",
            "/images/create?fromImage=nowhere/x&tag=1",
            "",
            (404, "pull access denied for nowhere/x"),
        ),
        ("GET", "/networks/x", "", (404, "network x not found")),
        ("DELETE", "/networks/bridge", "", (403, "pre-defined")),
        ("DELETE", "/volumes/x", "", (404, "no such volume")),
        ("GET", "/services", "", (503, "not a swarm manager")),
        ("GET", "/nothing", "", (404, "page not found")),
    ] {
        let method: Method = method.parse().expect("a method");
        let (status, text) = cluster.ask(0, method, target, body).await;
        assert!(
            status == expected.0 && text.contains(expected.1),
            "{target}: {status} {text}"
        );
    }
}

#[tokio::test]
async fn what_has_happened_is_told_in_order() {
    let cluster = Cluster::start(nodes(1)).await;
    cluster.ask(0, Method::POST, PULL, "").await;
    let body = r#"{"Image":"busybox","Labels":{"a":"b"}}"#;
    cluster.ask(0, Method::POST, "/containers/create?name=web", body).await;
    cluster.ask(0, Method::POST, "/containers/web/start", "").await;
    cluster.ask(0, Method::POST, "/containers/web/stop", "").await;
    let until = swarmlab::docker::Timestamp::now().seconds() + 1;
    let filters = "%7B%22type%22%3A%5B%22container%22%5D%7D";
    let target = format!("/events?since=1&until={until}&filters={filters}");
    let (_, text) = cluster.ask(0, Method::GET, &target, "").await;
    let actions: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["Action"].to_string())
        .collect();
    assert_eq!(actions, ["\"create\"", "\"start\"", "\"kill\"", "\"die\"", "\"stop\""]);
}

#[tokio::test]
async fn lifetimes_restarts_and_pulls_are_the_scenarios() {
    let plan = plan(
        "[run]\nduration = \"1h\"\nstart-latency = \"2s\"\n[cluster.nodes.n]\ncount = 1\ncpus = 6\nmemory = \"8GiB\"\n\
         bandwidth = \"8Mbit/s\"\n[images.app]\nlayers = { a = \"10MB\", b = \"20MB\" }\n\
         [workload.job]\nimage = \"app\"\narrivals = { process = \"at-start\", count = 1 }\ncpus = 1\nmemory = \"1MiB\"\n\
         lifetime = \"20s\"\nrestart = \"always\"\nrestart-delay = \"5s\"\n",
    );
    let cluster = Cluster::fast(plan, 100.0).await;
    let begun = std::time::Instant::now();
    let (status, progress) = cluster
        .ask(0, Method::POST, "/images/create?fromImage=app&tag=latest", "")
        .await;
    // Thirty megabytes at one a second, a hundred times faster.
    assert!(
        status == 200 && begun.elapsed() >= Duration::from_millis(295),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        progress.contains("\"Downloading\"") && progress.matches("Pull complete").count() == 2,
        "{progress}"
    );
    cluster
        .ask(0, Method::POST, "/containers/create?name=job", r#"{"Image":"app"}"#)
        .await;
    let begun = std::time::Instant::now();
    cluster.ask(0, Method::POST, "/containers/job/start", "").await;
    assert!(begun.elapsed() >= Duration::from_millis(19), "the start latency");
    let (_, code) = cluster
        .ask(0, Method::POST, "/containers/job/wait?condition=next-exit", "")
        .await;
    assert!(begun.elapsed() >= Duration::from_millis(215), "its lifetime");
    assert!(code.contains("\"StatusCode\":0"), "{code}");
    let restarted = async {
        loop {
            let seen = cluster.json(0, Method::GET, "/containers/job/json", "").await;
            if seen["RestartCount"] == 1 && seen["State"]["Running"] == true && seen["State"]["Restarting"] == false {
                return;
            }
        }
    };
    within(restarted).await;
}

#[tokio::test]
async fn commands_echo_with_and_without_an_upgrade() {
    let cluster = Cluster::start(nodes(1)).await;
    cluster.ask(0, Method::POST, PULL, "").await;
    cluster
        .ask(0, Method::POST, "/containers/create?name=web", r#"{"Image":"busybox"}"#)
        .await;
    cluster.ask(0, Method::POST, "/containers/web/start", "").await;
    for upgrade in ["", "Connection: Upgrade\r\nUpgrade: tcp\r\n"] {
        let config = r#"{"Cmd":["cat"],"AttachStdin":true,"AttachStdout":true}"#;
        let exec = cluster.json(0, Method::POST, "/containers/web/exec", config).await;
        let id = exec["Id"].as_str().expect("an ID").to_owned();
        let mut stream = net::dial(&cluster.addresses[0], None, AGES)
            .await
            .expect("a connection");
        let body = "{}";
        let request = format!(
            "POST /v1.41/exec/{id}/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{upgrade}Content-Length: \
             {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        stream.write_all(b"hello").await.expect("sent");
        stream.shutdown().await.expect("ended");
        let mut heard = Vec::new();
        within(stream.read_to_end(&mut heard)).await.expect("heard");
        let status: &[u8] = if upgrade.is_empty() {
            b"HTTP/1.1 200"
        } else {
            b"HTTP/1.1 101"
        };
        assert!(heard.starts_with(status), "{}", String::from_utf8_lossy(&heard));
        assert!(
            heard.ends_with(b"\x01\0\0\0\0\0\0\x05hello"),
            "{}",
            String::from_utf8_lossy(&heard)
        );
        let seen = cluster.json(0, Method::GET, &format!("/exec/{id}/json"), "").await;
        assert_eq!((&seen["Running"], &seen["ExitCode"]), (&json!(false), &json!(0)));
    }
}

/// As daemons do: only a command that takes the connection over ends it for requests.
#[tokio::test]
async fn a_command_that_is_started_detached_leaves_the_connection() {
    let cluster = Cluster::start(nodes(1)).await;
    cluster.ask(0, Method::POST, PULL, "").await;
    cluster
        .ask(0, Method::POST, "/containers/create?name=web", r#"{"Image":"busybox"}"#)
        .await;
    cluster.ask(0, Method::POST, "/containers/web/start", "").await;
    let exec = cluster
        .json(0, Method::POST, "/containers/web/exec", r#"{"Cmd":["true"]}"#)
        .await;
    let id = exec["Id"].as_str().expect("an ID").to_owned();
    let mut stream = net::dial(&cluster.addresses[0], None, AGES)
        .await
        .expect("a connection");
    let body = r#"{"Detach":true}"#;
    let length = body.len();
    for kind in ["text/plain", "application/json"] {
        let request = format!(
            "POST /exec/{id}/start HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nContent-Type: {kind}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
    }
    let next = "GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(next.as_bytes()).await.expect("sent");
    let mut heard = String::new();
    within(stream.read_to_string(&mut heard)).await.expect("heard");
    let statuses: Vec<&str> = heard.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["400", "200", "200"], "{heard}");
    assert!(
        heard.contains("Content-Type specified (text/plain) must be 'application/json'"),
        "{heard}"
    );
}

#[tokio::test]
async fn ports_addresses_and_volumes_belong_to_one_container() {
    let cluster = Cluster::start(nodes(1)).await;
    cluster.ask(0, Method::POST, PULL, "").await;
    let body =
        r#"{"Image":"busybox","HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"8080"}]},"Binds":["data:/data"]}}"#;
    for (name, status) in [("a", 204), ("b", 500)] {
        cluster
            .ask(0, Method::POST, &format!("/containers/create?name={name}{name}"), body)
            .await;
        let (answered, text) = cluster
            .ask(0, Method::POST, &format!("/containers/{name}{name}/start"), "")
            .await;
        assert_eq!(answered, status, "{text}");
    }
    let seen = cluster.json(0, Method::GET, "/containers/aa/json", "").await;
    assert_eq!(seen["NetworkSettings"]["Networks"]["bridge"]["IPAddress"], "172.17.0.2");
    assert_eq!(seen["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"], "8080");
    assert_eq!(seen["Mounts"][0]["Name"], "data");
    assert_eq!(cluster.ask(0, Method::DELETE, "/volumes/data", "").await.0, 409);
    let listed = cluster.json(0, Method::GET, "/containers/json?all=1", "").await;
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    let network = cluster.json(0, Method::GET, "/networks/bridge", "").await;
    assert_eq!(network["Containers"].as_object().map(serde_json::Map::len), Some(1));
}

#[tokio::test]
async fn what_a_container_reads_before_and_after_its_start_is_echoed_though_it_is_removed_at_its_end() {
    let cluster = Cluster::start(nodes(1)).await;
    cluster.ask(0, Method::POST, PULL, "").await;
    let config =
        r#"{"Image":"busybox","OpenStdin":true,"StdinOnce":true,"AttachStdin":true,"HostConfig":{"AutoRemove":true}}"#;
    cluster
        .ask(0, Method::POST, "/containers/create?name=web", config)
        .await;
    let mut stream = net::dial(&cluster.addresses[0], None, AGES)
        .await
        .expect("a connection");
    let request = "POST /containers/web/attach?stdin=1&stdout=1&stream=1 HTTP/1.1\r\nHost: x\r\n\r\nhello";
    stream.write_all(request.as_bytes()).await.expect("sent");
    stream.shutdown().await.expect("ended");
    let mut heard = vec![0; 12];
    within(stream.read_exact(&mut heard)).await.expect("agreed");
    cluster.ask(0, Method::POST, "/containers/web/start", "").await;
    within(stream.read_to_end(&mut heard)).await.expect("heard");
    assert!(
        heard.ends_with(b"\x01\0\0\0\0\0\0\x05hello"),
        "{}",
        String::from_utf8_lossy(&heard)
    );
    let (status, _) = cluster.ask(0, Method::GET, "/containers/web/json", "").await;
    assert_eq!(status, 404);
}

/// What the standalone Swarm of Docker asks an engine before it takes it in, in its order (`manager/RULES.md` §4), and
/// how it places a container: in version 1.40 of the API, and 1.30 in its last release.
#[tokio::test]
async fn every_call_of_the_originals_manager_is_answered() {
    let cluster = Cluster::start(nodes(1)).await;
    let info = cluster.json(0, Method::GET, "/info", "").await;
    for field in [
        "ID",
        "Name",
        "NCPU",
        "MemTotal",
        "Labels",
        "SystemTime",
        "ServerVersion",
        "OperatingSystem",
    ] {
        assert!(!info[field].is_null(), "{field} is missing in {info}");
    }
    assert!(cluster.json(0, Method::GET, "/version", "").await["ApiVersion"].is_string());
    let client = net::Client::new(cluster.addresses[0].clone(), None, AGES);
    let ping = hyper::Request::head("/_ping").body(net::empty()).expect("a request");
    let ping = within(client.send(ping)).await.expect("an answer");
    assert!(ping.status() == 200 && ping.headers().contains_key("api-version"));
    for version in ["v1.40", "v1.30"] {
        let events = hyper::Request::get(format!("/{version}/events")).body(net::empty());
        let events = within(client.send(events.expect("a request")))
            .await
            .expect("an answer");
        assert_eq!(events.status(), 200);
        let name = format!("by-{}", version.replace('.', "-"));
        let body = json!({
            "Hostname": "", "Image": "busybox", "Cmd": ["sh"], "Env": [], "Labels": {"com.docker.swarm.id": name},
            "HostConfig": { "CpuShares": 0, "Memory": 1 << 20, "NetworkMode": "default", "RestartPolicy": { "Name": "" } },
            "NetworkingConfig": { "EndpointsConfig": {} },
        });
        let filters = format!("filters=%7B%22name%22%3A%7B%22{name}%22%3Atrue%7D%7D");
        for (method, target, body, expected) in [
            (
                "POST",
                "images/create?fromImage=busybox&tag=latest".to_owned(),
                String::new(),
                200,
            ),
            ("POST", format!("containers/create?name={name}"), body.to_string(), 201),
            ("GET", "containers/json?all=1&limit=0".to_owned(), String::new(), 200),
            (
                "GET",
                format!("containers/json?all=1&{filters}&limit=0"),
                String::new(),
                200,
            ),
            ("GET", format!("containers/{name}/json"), String::new(), 200),
            ("GET", "images/json?all=1".to_owned(), String::new(), 200),
            ("GET", "volumes".to_owned(), String::new(), 200),
            ("GET", "networks".to_owned(), String::new(), 200),
            ("GET", "networks/bridge".to_owned(), String::new(), 200),
            ("POST", format!("containers/{name}/start"), String::new(), 204),
            ("DELETE", format!("containers/{name}?force=1&v=1"), String::new(), 204),
        ] {
            let method: Method = method.parse().expect("a method");
            let (status, text) = cluster.ask(0, method, &format!("/{version}/{target}"), &body).await;
            assert_eq!(status, expected, "{version} {target}: {text}");
        }
        let heard = within(events.into_body().frame())
            .await
            .expect("an event")
            .expect("whole");
        let heard = heard.into_data().expect("data");
        assert!(heard.windows(4).any(|bytes| bytes == b"pull"), "{heard:?}");
    }
}
