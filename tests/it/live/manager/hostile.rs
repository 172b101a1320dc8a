//! Clients and engines that mean no good: the manager lives on, and so do all others.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::engine::{Engine, World};
use super::{Swarm, plain, until, with_env};
use crate::live::{AGES, within};
use swarmlab::net;

/// Everything that comes back for these bytes, if nothing follows them.
pub async fn exchange(swarm: &Swarm, bytes: &[u8]) -> String {
    talk(&swarm.address, bytes, true).await
}

/// The same for bytes after which the other side closes the connection, since they ask for that: a client that has ended
/// its side may have gone, and need not be answered.
pub async fn exchange_at(address: &net::Address, bytes: &[u8]) -> String {
    talk(address, bytes, false).await
}

async fn talk(address: &net::Address, bytes: &[u8], ends: bool) -> String {
    let mut stream = net::dial(address, None, AGES).await.expect("a connection");
    // It may be closed before everything is sent.
    let _ = stream.write_all(bytes).await;
    if ends {
        let _ = stream.shutdown().await;
    }
    let mut text = Vec::new();
    let _ = within(stream.read_to_end(&mut text)).await;
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn clients_that_send_a_byte_now_and_then_keep_nobody_waiting() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    let mut slow = Vec::new();
    for beginning in [
        &b"G"[..],
        b"GET /info HTTP/1.1\r\nHos",
        b"POST /containers/create HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
    ] {
        for _ in 0..100 {
            let mut stream = net::dial(&swarm.address, None, AGES).await.expect("a connection");
            stream.write_all(beginning).await.expect("bytes are taken");
            slow.push(stream);
        }
    }
    for number in 0..20 {
        swarm.run(&format!("c{number}"), &plain()).await;
    }
    assert_eq!(swarm.names("").await.len(), 20);
    // The slow ones are served as soon as they say what they want.
    let stream = &mut slow[100];
    stream
        .write_all(b"t: localhost\r\nConnection: close\r\n\r\n")
        .await
        .expect("bytes are taken");
    let mut text = String::new();
    within(stream.read_to_string(&mut text)).await.expect("an answer");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(5_000));
    for (bytes, statuses) in [
        (
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
            &["400"][..],
        ),
        (b"GET\r\n\r\n", &["400"]),
        (b"GET /info HTTP/9.9\r\n\r\n", &["400"]),
        (b"GET /info HTTP/1.1\r\nno colon\r\n\r\n", &["400"]),
        (
            b"POST /containers/create HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
            &["400"],
        ),
        (
            b"POST /containers/create HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            &["400"],
        ),
        (long.as_bytes(), &["431", "400", "414"]),
        (many.as_bytes(), &["431", "400"]),
    ] {
        let text = exchange(&swarm, bytes).await;
        let status = text.split(' ').nth(1).unwrap_or("none").to_owned();
        assert!(
            statuses.contains(&status.as_str()),
            "{:?}: {text}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(80)])
        );
    }
    // A body that stops in the middle is no body.
    exchange(
        &swarm,
        b"POST /containers/create HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"Image\":",
    )
    .await;
    assert!(engine.world().containers.is_empty());
    assert_eq!(swarm.get("/_ping").await.expect(200).text(), "OK");
}

#[tokio::test]
async fn bodies_have_a_bound() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    swarm.run("c", &plain()).await;
    let huge = json!({ "Image": "busybox", "Env": ["x".repeat(9 << 20)], "Cmd": ["x"] });
    for path in [
        "/containers/create",
        "/networks/create",
        "/volumes/create",
        "/containers/c/exec",
    ] {
        assert_eq!(swarm.post(path, &huge).await.failure().0, 413, "{path}");
    }
    // Archives have none.
    swarm.post("/images/load", &huge).await.expect(200);
    assert!(engine.last("/images/load").expect("a request").body.len() > 9 << 20);
    swarm.create("web", &plain()).await;
}

/// Bodies of the right form with values of the wrong kind.
#[tokio::test]
async fn odd_configurations_do_no_harm() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        json!({ "Image": 1, "Env": "x", "Labels": [], "HostConfig": "no" }),
        json!({ "Image": "busybox", "Env": [1, null, {}], "HostConfig": { "PortBindings": { "80/tcp": "x", "": [1] } } }),
        json!({ "Image": "busybox", "HostConfig": { "Memory": -1, "CpuShares": 1e300, "NanoCpus": "many" } }),
        json!({ "Image": "busybox", "Labels": { "com.docker.swarm.constraints": "[[[", "com.docker.swarm.id": "" } }),
        json!({ "Image": "busybox", "NetworkingConfig": { "EndpointsConfig": [] }, "ExposedPorts": [1] }),
        json!({ "Image": "busybox", "HostConfig": { "NetworkMode": "/", "Links": [":"], "VolumesFrom": [":::"] } }),
    ] {
        let answer = swarm.post("/containers/create", &body).await;
        assert!(answer.status == 201 || answer.failure().0 >= 400, "{body}");
    }
    let deep = hyper::Request::post("/containers/create")
        .header("content-type", "application/json")
        .body(net::full(deep))
        .expect("a request");
    assert_eq!(swarm.send(deep).await.status(), 400);
    swarm.create("web", &plain()).await;
}

/// A daemon that floods with events, sends nonsense among them, and one that has no end.
#[tokio::test]
async fn floods_of_events_drown_nobody() {
    let (loud, well) = (Engine::start("node-0").await, Engine::start("node-1").await);
    let swarm = Swarm::of(&[&loud, &well]).await;
    let mut listening = swarm
        .listen("?filters=%7B%22node%22%3A%7B%22node-1%22%3Atrue%7D%7D")
        .await;
    let follow = async || {
        until("its events are followed", async || {
            (loud.world().listeners() > 0).then_some(())
        })
        .await;
    };
    for number in 0..20_000 {
        let id = format!("{:064x}", number % 500);
        loud.world()
            .tell(&json!({ "Type": "container", "Action": "die", "Actor": { "ID": id }, "id": id }));
    }
    swarm.run("near", &with_env(&["constraint:node==node-1"])).await;
    listening.until("start").await;
    for nonsense in [
        "}{",
        "[1]",
        "{\"Type\": 1, \"Action\": [], \"Actor\": \"x\"}\n",
        "\u{0}",
        "{\"Actor\":{\"Attributes\":7}}\n",
    ] {
        follow().await;
        loud.world().say(nonsense);
        swarm.get("/info").await.expect(200);
    }
    follow().await;
    loud.world().say("{\"endless\":\"");
    let piece = "x".repeat(1 << 20);
    until("the manager has hung up", async || {
        let mut world = loud.world();
        world.say(&piece);
        (world.listeners() == 0).then_some(())
    })
    .await;
    follow().await;
    swarm.run("after", &with_env(&["constraint:node==node-0"])).await;
    assert_eq!(swarm.line(&loud.authority(), "Status").await, "Healthy");
}

/// Entries of the wrong kind in a list cost themselves at most.
#[tokio::test]
async fn huge_and_odd_lists_are_taken_in() {
    let many = |world: &mut World| {
        for number in 0..3_000 {
            let id = world.create(
                &format!("c{number}"),
                &json!({ "Image": "busybox", "Env": "odd", "Labels": 7 }),
            );
            if number % 2 == 0 {
                world.start(&id);
            }
        }
        world
            .images
            .extend((0..2_000).map(|number| (format!("sha256:{number:064x}"), vec![format!("i{number}:1")])));
        world.networks.push(serde_json::Map::new());
        world
            .volumes
            .push(serde_json::Map::from_iter([("Name".to_owned(), json!(7))]));
    };
    let (odd, well) = (Engine::start_with("node-0", many).await, Engine::start("node-1").await);
    let swarm = Swarm::of(&[&odd, &well]).await;
    let info: Value = swarm.get("/info").await.expect(200).json();
    assert_eq!(
        (&info["Containers"], &info["ContainersRunning"]),
        (&json!(3_000), &json!(1_500))
    );
    assert_eq!(swarm.names("?all=1").await.len(), 3_000);
    assert_eq!(
        swarm
            .get("/images/json")
            .await
            .expect(200)
            .json()
            .as_array()
            .expect("a list")
            .len(),
        2_001
    );
    swarm.get("/networks").await.expect(200);
    swarm.get("/volumes").await.expect(200);
    swarm.create("near", &with_env(&["constraint:node==node-1"])).await;
}

/// What the scheduler would take long for is refused with the limit and what was asked, in few words.
#[tokio::test]
async fn a_create_that_asks_for_too_much_is_refused_before_anybody_waits_for_it() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    let patterns: Vec<String> = (0..50_000)
        .map(|number| format!("affinity:container==/(a|aa)+{number}$/"))
        .collect();
    let ports: serde_json::Map<String, Value> = (0..100_000)
        .map(|port| (format!("{port}/tcp"), json!([{ "HostPort": port.to_string() }])))
        .collect();
    let labels: serde_json::Map<String, Value> = (0..100_000).map(|label| (label.to_string(), json!(""))).collect();
    let networks: serde_json::Map<String, Value> = (0..10_000).map(|name| (format!("a/{name}"), json!({}))).collect();
    for (body, told) in [
        (
            json!({ "Image": "busybox", "Env": patterns }),
            "50000 scheduling expressions",
        ),
        (
            json!({ "Image": "busybox", "HostConfig": { "PortBindings": ports } }),
            "100000 published and exposed ports",
        ),
        (json!({ "Image": "busybox", "Labels": labels }), "100000 labels"),
        (
            json!({ "Image": "busybox", "HostConfig": { "NetworkMode": "/".repeat(1 << 20) } }),
            "1048576 bytes in the name of a network",
        ),
        (
            json!({ "Image": "busybox", "NetworkingConfig": { "EndpointsConfig": networks } }),
            "10000 networks",
        ),
    ] {
        let (status, message) = swarm.post("/containers/create?name=web", &body).await.failure();
        assert!(
            status == 400 && message.contains(told) && message.contains("at most"),
            "{message}"
        );
        assert!(message.len() < 300, "{message}");
    }
    assert!(engine.world().named("web").is_none());
    swarm.create("web", &plain()).await;
}

/// Why each node refuses a container is told in few words, however many there were in the request.
#[tokio::test]
async fn the_reasons_of_a_refusal_are_short() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    let long = format!("constraint:zone=={}", "a".repeat(20_000));
    let refused = swarm.post("/containers/create?name=web", &with_env(&[&long])).await;
    let reasons = refused.json()["nodes"].clone();
    assert_eq!(reasons[0]["node"], "node-0", "{reasons}");
    assert!(reasons.to_string().len() < 1000, "{reasons}");
}
