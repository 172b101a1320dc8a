//! What becomes of the processes of containers, and of commands that are executed in them.

use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use swarmlab::net;

use super::{Cluster, nodes, plan};
use crate::live::{AGES, within};

async fn with_busybox(cluster: Cluster) -> Cluster {
    let pull = "/images/create?fromImage=busybox&tag=latest";
    cluster.ask(0, Method::POST, pull, "").await;
    cluster
}

/// Creates and starts a container.
async fn run(cluster: &Cluster, name: &str, mut config: Value) {
    config["Image"] = "busybox".into();
    let target = format!("/containers/create?name={name}");
    let (status, text) = cluster.ask(0, Method::POST, &target, &config.to_string()).await;
    assert_eq!(status, 201, "{text}");
    let (status, text) = cluster
        .ask(0, Method::POST, &format!("/containers/{name}/start"), "")
        .await;
    assert_eq!(status, 204, "{text}");
}

async fn state(cluster: &Cluster, name: &str) -> Value {
    cluster
        .json(0, Method::GET, &format!("/containers/{name}/json"), "")
        .await["State"]
        .clone()
}

async fn wait(cluster: &Cluster, name: &str) -> i64 {
    let waited = within(cluster.json(0, Method::POST, &format!("/containers/{name}/wait"), "")).await;
    waited["StatusCode"].as_i64().expect("a code")
}

/// The output with `out: ` and `err: ` before its pieces.
async fn logs(cluster: &Cluster, name: &str) -> String {
    let target = format!("/containers/{name}/logs?stdout=1&stderr=1&follow=1");
    let (_, text) = within(cluster.ask(0, Method::GET, &target, "")).await;
    text.replace("\u{1}\0\0\0\0\0\0", "out: ")
        .replace("\u{2}\0\0\0\0\0\0", "err: ")
}

#[tokio::test]
async fn containers_end_as_their_commands_say() {
    let cluster = with_busybox(Cluster::fast(nodes(1), 20.0).await).await;
    for (number, (config, code, said)) in [
        (json!({ "Cmd": ["echo", "hello"] }), 0, "out: \u{6}hello\n"),
        (
            json!({ "Entrypoint": ["echo"], "Cmd": ["a", "b"] }),
            0,
            "out: \u{4}a b\n",
        ),
        (
            json!({ "Entrypoint": ["sh", "-c"], "Cmd": ["echo $A >&2; exit 3"], "Env": ["A=1"] }),
            3,
            "err: \u{2}1\n",
        ),
        (json!({ "Cmd": ["true"] }), 0, ""),
        (json!({ "Cmd": ["/bin/false"] }), 1, ""),
        (json!({ "Cmd": ["sleep", "9"] }), 0, ""),
        (
            json!({ "Cmd": ["sh", "-c", "echo a; sleep 2; echo b; exit 4"] }),
            4,
            "out: \u{2}a\nout: \u{2}b\n",
        ),
        (json!({ "Cmd": ["echo", "x"], "Tty": true }), 0, "x\r\n"),
        // Who says how long, or with which code, is believed.
        (
            json!({ "Cmd": ["echo", "x"], "Labels": { "swarmlab.exit-code": "7" } }),
            7,
            "out: \u{2}x\n",
        ),
        (
            json!({ "Cmd": ["false"], "Labels": { "swarmlab.lifetime": "1s" } }),
            1,
            "",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("c{number}");
        run(&cluster, &name, config.clone()).await;
        assert_eq!(wait(&cluster, &name).await, code, "{config}");
        assert_eq!(logs(&cluster, &name).await, said, "{config}");
        let state = state(&cluster, &name).await;
        assert_eq!(
            (&state["Status"], &state["ExitCode"]),
            (&json!("exited"), &json!(code)),
            "{config}"
        );
    }
}

#[tokio::test]
async fn containers_of_which_no_end_is_known_live_until_they_are_stopped() {
    let cluster = with_busybox(Cluster::fast(nodes(1), 1000.0).await).await;
    for (number, config) in [
        json!({}),
        json!({ "Cmd": ["nginx"] }),
        json!({ "Cmd": ["sleep", "infinity"] }),
        json!({ "Cmd": ["sh", "-c", "while true; do sleep 1; done"] }),
        json!({ "Cmd": ["sh"], "Tty": true }),
        json!({ "Cmd": ["cat"], "OpenStdin": true }),
        json!({ "Cmd": ["true"], "Labels": { "swarmlab.lifetime": "forever" } }),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("c{number}");
        run(&cluster, &name, config.clone()).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(state(&cluster, &name).await["Status"], "running", "{config}");
    }
}

#[tokio::test]
async fn policies_start_a_command_again_and_its_end_is_told_and_removes_it() {
    let cluster = with_busybox(Cluster::fast(nodes(1), 20.0).await).await;
    let policy = json!({ "Name": "on-failure", "MaximumRetryCount": 2 });
    run(
        &cluster,
        "again",
        json!({ "Cmd": ["sh", "-c", "echo x; exit 5"], "HostConfig": { "RestartPolicy": policy } }),
    )
    .await;
    assert_eq!(wait(&cluster, "again").await, 5);
    assert_eq!(logs(&cluster, "again").await, "out: \u{2}x\n".repeat(3));
    let seen = cluster.json(0, Method::GET, "/containers/again/json", "").await;
    assert_eq!(seen["RestartCount"], 2);
    let removing = json!({ "Image": "busybox", "Cmd": ["false"], "HostConfig": { "AutoRemove": true } });
    let create = "/containers/create?name=gone";
    cluster.ask(0, Method::POST, create, &removing.to_string()).await;
    let (waited, _) = tokio::join!(
        cluster.json(0, Method::POST, "/containers/gone/wait?condition=removed", ""),
        async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            cluster.ask(0, Method::POST, "/containers/gone/start", "").await
        }
    );
    assert_eq!(waited["StatusCode"], 1);
    assert_eq!(cluster.ask(0, Method::GET, "/containers/gone/json", "").await.0, 404);
    let until = swarmlab::docker::Timestamp::now().seconds() + 1;
    let (_, told) = cluster
        .ask(0, Method::GET, &format!("/events?since=1&until={until}"), "")
        .await;
    let told: Vec<String> = told
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|event| event["Actor"]["Attributes"]["name"] == "gone")
        .map(|event| format!("{} {}", event["Action"], event["Actor"]["Attributes"]["exitCode"]))
        .collect();
    assert_eq!(
        told,
        ["\"create\" null", "\"start\" null", "\"die\" \"1\"", "\"destroy\" null"]
    );
}

#[tokio::test]
async fn a_lifetime_of_the_scenario_counts_more_than_a_command() {
    let text = "[run]\nduration = \"1h\"\n[cluster.nodes.n]\ncount = 1\ncpus = 6\nmemory = \"8GiB\"\n\
                [workload.job]\nimage = \"busybox\"\narrivals = { process = \"at-start\", count = 1 }\ncpus = 1\n\
                memory = \"1MiB\"\nlifetime = \"20s\"\n";
    let cluster = with_busybox(Cluster::fast(plan(text), 100.0).await).await;
    let begun = Instant::now();
    run(&cluster, "job", json!({ "Cmd": ["sh", "-c", "echo x; exit 9"] })).await;
    assert_eq!(wait(&cluster, "job").await, 0);
    assert!(begun.elapsed() >= Duration::from_millis(195), "{:?}", begun.elapsed());
    assert_eq!(logs(&cluster, "job").await, "out: \u{2}x\n");
}

#[tokio::test]
async fn what_is_paused_neither_writes_nor_ends() {
    let cluster = with_busybox(Cluster::fast(nodes(1), 10.0).await).await;
    run(
        &cluster,
        "web",
        json!({ "Cmd": ["sh", "-c", "echo a; sleep 2; echo b; exit 4"] }),
    )
    .await;
    cluster.ask(0, Method::POST, "/containers/web/pause", "").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(state(&cluster, "web").await["Status"], "paused");
    cluster.ask(0, Method::POST, "/containers/web/unpause", "").await;
    assert_eq!(wait(&cluster, "web").await, 4);
    assert_eq!(logs(&cluster, "web").await, "out: \u{2}a\nout: \u{2}b\n");
}

#[tokio::test]
async fn commands_take_their_time_and_what_they_write_comes_after_the_head() {
    let cluster = with_busybox(Cluster::fast(nodes(1), 10.0).await).await;
    run(&cluster, "web", json!({ "Env": ["A=1"] })).await;
    for (upgrade, status) in [("", "200"), ("Connection: Upgrade\r\nUpgrade: tcp\r\n", "101")] {
        let config = json!({ "Cmd": ["sh", "-c", "echo $A$B; sleep 9; exit 3"], "Env": ["B=2"], "AttachStdout": true });
        let made = cluster
            .json(0, Method::POST, "/containers/web/exec", &config.to_string())
            .await;
        let id = made["Id"].as_str().expect("an ID").to_owned();
        let mut stream = net::dial(&cluster.addresses[0], None, AGES)
            .await
            .expect("a connection");
        let request = format!(
            "POST /v1.41/exec/{id}/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{upgrade}Content-Length: \
             2\r\n\r\n{{}}"
        );
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within(stream.read_u8()).await.expect("a head"));
        }
        assert!(String::from_utf8_lossy(&head).starts_with(&format!("HTTP/1.1 {status}")));
        let mut heard = vec![within(stream.read_u8()).await.expect("a byte")];
        // A client that reads the head through a buffer has long read it.
        assert!(begun.elapsed() >= Duration::from_millis(50), "{:?}", begun.elapsed());
        let seen = cluster.json(0, Method::GET, &format!("/exec/{id}/json"), "").await;
        assert_eq!(seen["Running"], true);
        within(stream.read_to_end(&mut heard)).await.expect("heard");
        assert_eq!(heard, b"\x01\0\0\0\0\0\0\x0312\n");
        assert!(begun.elapsed() >= Duration::from_millis(895));
        let seen = cluster.json(0, Method::GET, &format!("/exec/{id}/json"), "").await;
        assert_eq!((&seen["Running"], &seen["ExitCode"]), (&json!(false), &json!(3)));
    }
}
