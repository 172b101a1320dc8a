//! Published ports, as clients of containers see them.

use std::net::SocketAddr;

use hyper::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Cluster, nodes};
use crate::live::within;

/// What is answered at a port of an engine; nothing if nobody accepts.
async fn fetch(cluster: &Cluster, engine: usize, port: u16) -> Option<String> {
    let own = cluster.addresses[engine].to_string().replace("tcp://", "");
    let mut address: SocketAddr = own.parse().expect("an address");
    address.set_port(port);
    let mut stream = within(TcpStream::connect(address)).await.ok()?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.ok()?;
    let mut heard = String::new();
    within(stream.read_to_string(&mut heard)).await.ok()?;
    Some(heard)
}

async fn start(cluster: &Cluster, engine: usize, name: &str, ports: impl IntoIterator<Item = u16>) {
    let pull = "/images/create?fromImage=busybox&tag=latest";
    cluster.ask(engine, Method::POST, pull, "").await;
    let bindings: serde_json::Map<String, serde_json::Value> = ports
        .into_iter()
        .enumerate()
        .map(|(inside, port)| {
            (
                format!("{}/tcp", 80 + inside),
                json!([{ "HostPort": port.to_string() }]),
            )
        })
        .collect();
    let body = json!({ "Image": "busybox", "HostConfig": { "PortBindings": bindings } }).to_string();
    let target = format!("/containers/create?name={name}");
    cluster.ask(engine, Method::POST, &target, &body).await;
    let (status, text) = cluster
        .ask(engine, Method::POST, &format!("/containers/{name}/start"), "")
        .await;
    assert_eq!(status, 204, "{text}");
}

#[tokio::test]
async fn published_ports_answer_for_as_long_as_their_container_runs() {
    let cluster = Cluster::start(nodes(2)).await;
    // Each engine has an address of its own, and so the same port.
    for (engine, name) in [(0, "web"), (1, "other")] {
        start(&cluster, engine, name, [18_080]).await;
        let heard = fetch(&cluster, engine, 18_080).await.expect("an answer");
        let asked = format!(
            "container {name} on node {}",
            cluster.engines.look(engine, |model| model.name().to_owned())
        );
        assert!(
            heard.starts_with("HTTP/1.1 200 OK") && heard.contains(&asked),
            "{heard}"
        );
    }
    for (order, answers) in [("restart", true), ("stop", false), ("start", true), ("kill", false)] {
        cluster
            .ask(0, Method::POST, &format!("/containers/web/{order}"), "")
            .await;
        let heard = async {
            while fetch(&cluster, 0, 18_080).await.is_some() != answers {
                // Who ends a container does not wait for its sockets, and who starts one need not.
                assert!(!answers, "{order}");
                tokio::task::yield_now().await;
            }
        };
        within(heard).await;
    }
    assert!(fetch(&cluster, 1, 18_080).await.is_some());
}

#[tokio::test]
async fn no_more_ports_are_listened_on_than_allowed() {
    let cluster = Cluster::start(nodes(1)).await;
    start(&cluster, 0, "web", 18_100..18_120).await;
    let mut answered = 0;
    for port in 18_100..18_120 {
        answered += u32::from(fetch(&cluster, 0, port).await.is_some());
    }
    assert_eq!(answered, 16);
    // Nothing else is refused for it.
    assert_eq!(cluster.ask(0, Method::GET, "/_ping", "").await.0, 200);
}
