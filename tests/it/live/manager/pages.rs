//! Requests that web pages make a browser send: to a server on the loopback, as text, and from another origin.

use super::engine::Engine;
use super::hostile::exchange_at;
use super::{Swarm, nodes, options};
use swarmlab::net::{Address, Allowed};

/// A request with these headers, and a body if it is not empty.
fn request(line: &str, headers: &[&str], body: &str) -> String {
    let mut text = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    for header in headers {
        text += header;
        text += "\r\n";
    }
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    format!("{text}\r\n{body}")
}

async fn status(address: &Address, request: &str) -> (u16, String) {
    let text = exchange_at(address, request.as_bytes()).await;
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_default(), text)
}

#[tokio::test]
async fn what_pages_send_is_refused_before_it_does_anything() {
    const CREATE: &str = "POST /v1.40/containers/create?name=x";
    const JSON: &str = "Content-Type: application/json";
    const HERE: &str = "Host: localhost";
    let body = r#"{"Image":"busybox","HostConfig":{"Privileged":true,"Binds":["/:/host"]}}"#;
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    let evil = "Origin: http://evil.example";
    for (line, headers, body, expected, told) in [
        (
            CREATE,
            &[HERE, "Content-Type: text/plain"][..],
            body,
            400,
            "Content-Type specified (text/plain) must be",
        ),
        (
            CREATE,
            &[HERE],
            body,
            400,
            "Content-Type specified () must be 'application/json'",
        ),
        (
            "POST /exec/x/start",
            &[HERE, "Content-Type: text/plain"],
            "{}",
            400,
            "Content-Type specified",
        ),
        (
            CREATE,
            &[HERE, JSON, evil],
            body,
            403,
            "another origin, http://evil.example; to allow it",
        ),
        (
            CREATE,
            &[HERE, JSON, "Sec-Fetch-Site: cross-site"],
            body,
            403,
            "another origin",
        ),
        (CREATE, &[HERE, JSON, "Origin: null"], body, 403, "another origin"),
        ("POST /containers/x/start", &[HERE, evil], "", 403, "another origin"),
        ("POST /containers/x/attach", &[HERE, evil], "", 403, "another origin"),
        ("DELETE /containers/x", &[HERE, evil], "", 403, "another origin"),
        (
            "GET /containers/x/attach/ws",
            &[HERE, evil, "Connection: Upgrade", "Upgrade: websocket"],
            "",
            403,
            "another origin",
        ),
        (
            CREATE,
            &["Host: evil.example:2375", JSON],
            body,
            403,
            "--allowed-host evil.example:2375",
        ),
        (
            "GET /containers/json",
            &["Host: evil.example"],
            "",
            403,
            "addressed to host \\\"evil.example\\\"",
        ),
        ("GET http://evil.example/info", &[HERE], "", 403, "addressed to host"),
        (
            "POST /containers/x/attach",
            &["Host: evil.example"],
            "",
            403,
            "addressed to host",
        ),
        (
            "GET /info",
            &[HERE, "Host: evil.example"],
            "",
            403,
            "not a single host name",
        ),
    ] {
        let (status, text) = status(&swarm.address, &request(line, headers, body)).await;
        assert!(status == expected && text.contains(told), "{line} {headers:?}: {text}");
        assert!(engine.world().containers.is_empty(), "{line} {headers:?}");
    }
    for (line, headers) in [
        ("GET /info", &[HERE, evil][..]),
        ("GET /info", &["Host: 127.0.0.1:2375"]),
        ("GET /info", &["Host: [::1]:2375"]),
        ("GET /info", &["Host:"]),
        ("GET /info", &[]),
    ] {
        let (status, text) = status(&swarm.address, &request(line, headers, "")).await;
        assert_eq!(status, 200, "{line} {headers:?}: {text}");
    }
    let (old, text) = status(&swarm.address, "GET /info HTTP/1.0\r\n\r\n").await;
    assert_eq!(old, 200, "{text}");
    let json = "Content-Type: application/json; charset=utf-8";
    let own = [HERE, json, "Origin: http://localhost"];
    let (created, text) = status(&swarm.address, &request(CREATE, &own, r#"{"Image":"busybox"}"#)).await;
    assert_eq!(created, 201, "{text}");
}

#[tokio::test]
async fn who_runs_the_manager_lets_others_in() {
    let engine = Engine::start("node-0").await;
    let directory = tempfile::tempdir().expect("a directory");
    let socket = Address::Unix(directory.path().join("socket"));
    let mut options = options(&nodes([&engine]));
    options.hosts.push(socket.to_string());
    options.allowed = Allowed {
        hosts: vec!["manager.example".to_owned()],
        origins: vec!["http://panel.example".to_owned()],
        any_origin: false,
    };
    let swarm = Swarm::with(options.clone()).await;
    let get = |host: &str| request("GET /_ping", &[&format!("Host: {host}")], "");
    assert_eq!(status(&swarm.address, &get("manager.example:80")).await.0, 200);
    assert_eq!(status(&swarm.address, &get("other.example")).await.0, 403);
    assert_eq!(
        status(&socket, &get("other.example")).await.0,
        200,
        "no page reaches it"
    );
    let post = |origin: &str| {
        request(
            "POST /containers/x/start",
            &["Host: localhost", &format!("Origin: {origin}")],
            "",
        )
    };
    assert_eq!(status(&swarm.address, &post("http://panel.example")).await.0, 404);
    assert_eq!(status(&swarm.address, &post("http://evil.example")).await.0, 403);
    drop(swarm);
    options.hosts.truncate(1);
    options.cors = true;
    let open = Swarm::with(options).await;
    assert_eq!(status(&open.address, &post("http://evil.example")).await.0, 404);
}

/// As daemons refuse them.
#[tokio::test]
async fn values_of_the_wrong_type_are_refused() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    for body in [
        serde_json::json!({ "Image": "busybox", "Labels": { "a": 1 } }),
        serde_json::json!({ "Image": "busybox", "Env": "A=1" }),
        serde_json::json!({ "Image": "busybox", "HostConfig": { "Memory": "1g" } }),
    ] {
        let (status, message) = swarm.post("/containers/create", &body).await.failure();
        assert!(
            status == 400 && message.starts_with("json: cannot unmarshal "),
            "{body}: {message}"
        );
    }
    for list in ["/containers/json", "/images/json", "/networks", "/volumes", "/events"] {
        let (status, message) = swarm.get(&format!("{list}?filters=garbage")).await.failure();
        assert!(
            status == 400 && message.starts_with("invalid filters: "),
            "{list}: {message}"
        );
    }
}
