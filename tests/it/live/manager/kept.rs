//! Connections that clients keep: they are the manager's until an engine takes one over.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::engine::Engine;
use super::hostile::{exchange, exchange_at};
use super::{Swarm, nodes, options, plain, with_env};
use crate::live::fake::{Fake, Reply, Routes};
use crate::live::{AGES, within};
use swarmlab::net;

/// What a client asks next.
const LIST: &str = "GET /containers/json?all=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// The statuses of everything that was answered.
fn statuses(text: &str) -> Vec<&str> {
    let lines = text.split("HTTP/1.").skip(1);
    lines.filter_map(|line| line.split(' ').nth(1)).collect()
}

/// Whatever a client says about the connection, and whatever the engine answers.
#[tokio::test]
async fn an_answer_with_an_end_leaves_the_connection_to_the_manager() {
    let (one, other) = (Engine::start("node-0").await, Engine::start("node-1").await);
    let swarm = Swarm::of(&[&one, &other]).await;
    let id = swarm.run("near", &with_env(&["constraint:node==node-0"])).await;
    swarm.run("far", &with_env(&["constraint:node==node-1"])).await;
    let exec = swarm.post("/containers/near/exec", &json!({ "Cmd": ["true"] })).await;
    let exec = exec.expect(201).json()["Id"].as_str().expect("an ID").to_owned();
    for (path, status) in [
        (format!("/v1.40/exec/{exec}/start"), "200"),
        (format!("/exec/{exec}/start"), "200"),
        ("/exec/none/start".to_owned(), "404"),
        (format!("/containers/{id}/attach?stream=1&stdin=1"), "404"),
        ("/containers/none/attach".to_owned(), "404"),
    ] {
        for (version, about) in [
            ("1.1", ""),
            ("1.1", "Connection: keep-alive\r\n"),
            ("1.1", "Connection: Upgrade\r\n"),
            ("1.1", "Connection: Upgrade\r\nUpgrade: tcp\r\n"),
            ("1.0", "Connection: keep-alive\r\n"),
        ] {
            let body = r#"{"Detach":true}"#;
            let length = body.len();
            let request = format!(
                "POST {path} HTTP/{version}\r\nHost: localhost\r\n{about}Content-Type: application/json\r\n\
                 Content-Length: {length}\r\n\r\n{body}"
            );
            // Sent together and one after the other, three times over one connection.
            let text = exchange_at(&swarm.address, format!("{request}{request}{request}{LIST}").as_bytes()).await;
            assert_eq!(statuses(&text), [status, status, status, "200"], "{request}\n{text}");
            assert!(
                text.contains("/node-0/near") && text.contains("/node-1/far"),
                "the list is one engine's: {request}\n{text}"
            );
        }
        let closing =
            format!("POST {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}");
        let text = exchange_at(&swarm.address, format!("{closing}{LIST}").as_bytes()).await;
        assert_eq!(statuses(&text), [status], "{text}");
        assert!(text.to_lowercase().contains("connection: close"), "{text}");
    }
}

/// A daemon with a container, on which attaching goes as `raw` says.
async fn attached_by(raw: &'static str) -> (Fake, Swarm) {
    let described = |listed: bool| {
        json!({
            "Id": "0".repeat(64), "Image": "busybox", "Created": if listed { json!(1) } else { json!("2026-01-01T00:00:00Z") },
            "Names": ["/web"], "Name": "/web", "Labels": {}, "Config": {}, "HostConfig": {},
            "State": if listed { json!("running") } else { json!({ "Running": true, "Status": "running" }) },
            "Status": "Up", "NetworkSettings": {},
        })
    };
    let id = "0".repeat(64);
    let fake = Routes::daemon("node-0")
        .on("GET", "/containers/json", move |_| {
            Reply::Json(200, Value::from(vec![described(true)]))
        })
        .on("GET", &format!("/containers/{id}/json"), move |_| {
            Reply::Json(200, described(false))
        })
        .raw(
            "POST",
            &format!("/containers/{id}/attach"),
            move |head, mut stream| async move {
                let mut heard = head.raw[head.length..].to_vec();
                stream.write_all(raw.as_bytes()).await.expect("a client");
                if raw.contains(" 200 ") && raw.ends_with("\r\n\r\n") {
                    stream.read_to_end(&mut heard).await.expect("input and its end");
                    stream.write_all(b"heard: ").await.expect("a client");
                    stream.write_all(&heard).await.expect("a client");
                }
                let _ = stream.shutdown().await;
            },
        )
        .start()
        .await;
    let net::Address::Tcp(authority) = &fake.address else {
        unreachable!("it is on TCP")
    };
    let swarm = Swarm::with(options(&format!("nodes://{authority}"))).await;
    swarm.until_status(authority, "Healthy").await;
    (fake, swarm)
}

/// Daemons answer a client that has not asked for an upgrade with success and no end, and refuse with no end either.
#[tokio::test]
async fn only_success_without_an_end_takes_a_connection_over() {
    let request = "POST /containers/web/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let kind = "Content-Type: application/vnd.docker.raw-stream\r\n\r\n";
    let agrees: &'static str = format!("HTTP/1.1 200 OK\r\n{kind}").leak();
    let (_fake, swarm) = attached_by(agrees).await;
    let text = exchange(&swarm, format!("{request}{LIST}").as_bytes()).await;
    assert_eq!(text, format!("{agrees}heard: {LIST}"), "everything after it is input");
    for refusal in [
        format!("HTTP/1.1 409 Conflict\r\n{kind}cannot attach\r\n"),
        "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone".to_owned(),
        "HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngone\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n".to_owned(),
    ] {
        let (_fake, swarm) = attached_by(refusal.leak()).await;
        let text = exchange_at(&swarm.address, format!("{request}{LIST}").as_bytes()).await;
        assert_eq!(statuses(&text).last(), Some(&"200"), "{text}");
        assert!(text.contains("/node-0/web"), "the list is the manager's: {text}");
    }
}

/// What could be the beginning of another request stays a body.
#[tokio::test]
async fn a_refused_body_is_no_request() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    let hidden = "POST /containers/create?name=hidden HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                  Content-Length: 19\r\n\r\n{\"Image\":\"busybox\"}";
    let length = hidden.len();
    for head in [
        "POST /containers/create HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain",
        "POST /containers/create HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json",
        "POST /containers/create HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example",
        "POST /exec/none/start HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain",
        "POST /exec/none/start HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json",
        "POST /containers/none/attach HTTP/1.1\r\nHost: localhost",
        "POST /nowhere HTTP/1.1\r\nHost: localhost",
    ] {
        exchange_at(
            &swarm.address,
            format!("{head}\r\nContent-Length: {length}\r\n\r\n{hidden}{LIST}").as_bytes(),
        )
        .await;
        assert!(engine.world().containers.is_empty(), "{head}");
    }
    swarm.create("web", &plain()).await;
}

/// A client that does not read its list is not waited for.
#[tokio::test]
async fn an_answer_that_nobody_reads_is_given_up() {
    let many = |world: &mut super::engine::World| {
        let label = "x".repeat(40_000);
        for number in 0..500 {
            let body = json!({ "Image": "busybox", "Labels": { "long": label } });
            world.create(&format!("c{number}"), &body);
        }
    };
    let engine = Engine::start_with("node-0", many).await;
    let mut options = options(&nodes([&engine]));
    options.unread_max = std::time::Duration::from_millis(200);
    options.refresh_min = AGES;
    options.refresh_max = AGES;
    let swarm = Swarm::with(options).await;
    swarm.until_status(&engine.authority(), "Healthy").await;
    // However slow the machine is, some pause is longer than the manager waits.
    let mut pause = std::time::Duration::from_secs(1);
    loop {
        let mut stream = net::dial(&swarm.address, None, AGES).await.expect("a connection");
        stream.write_all(LIST.as_bytes()).await.expect("sent");
        let mut text = vec![0];
        within(stream.read_exact(&mut text)).await.expect("it begins");
        tokio::time::sleep(pause).await;
        let ended = within(stream.read_to_end(&mut text)).await;
        if ended.is_err() || !text.ends_with(b"0\r\n\r\n") {
            break;
        }
        pause *= 2;
        assert!(pause < AGES, "the manager waits for who does not read");
    }
}
