//! Our manager in front of simulated engines, well and ill.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use swarmlab::docker::Timeouts;
use swarmlab::engines::{Crash, Faults};
use swarmlab::manager::{self, Options};
use swarmlab::net::{self, Address};
use swarmlab::scheduler::Strict;
use swarmlab::sim::Sampler;

use super::{Cluster, ask, nodes};
use crate::live::{AGES, within};

/// A manager in front of a cluster, until this is dropped.
pub struct Managed {
    pub cluster: Cluster,
    pub address: Address,
    stop: CancellationToken,
}

impl Drop for Managed {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Managed {
    pub async fn start(cluster: Cluster) -> Managed {
        Managed::start_with(cluster, Strict::default()).await
    }

    pub async fn start_with(cluster: Cluster, strict: Strict) -> Managed {
        let stop = CancellationToken::new();
        let options = Options {
            hosts: vec!["tcp://127.0.0.1:0".to_owned()],
            strict,
            refresh_min: Duration::from_millis(100),
            refresh_max: Duration::from_millis(150),
            timeouts: Timeouts {
                dial: Duration::from_secs(2),
                answer: Duration::from_secs(2),
                order: AGES,
            },
            ..Options::new(&cluster.discovery())
        };
        let running = manager::start(options, [7; 32], stop.clone()).await.expect("a manager");
        let address = running.addresses()[0].clone();
        let managed = Managed { cluster, address, stop };
        managed.until_healthy(managed.cluster.addresses.len()).await;
        managed
    }

    pub async fn get(&self, target: &str) -> Value {
        let (_, text) = ask(&self.address, Method::GET, target, "").await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Waits until so many engines are healthy.
    pub async fn until_healthy(&self, count: usize) {
        let looking = async {
            loop {
                let info = self.get("/info").await.to_string();
                if info.matches("\"Healthy\"").count() == count {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within(looking).await;
    }

    /// Something is done to a container, by an empty request.
    pub async fn order(&self, container: &str, what: &str) -> (u16, String) {
        let target = format!("/containers/{container}/{what}");
        ask(&self.address, Method::POST, &target, "").await
    }

    pub async fn create(&self, name: &str, body: &Value) -> (u16, String) {
        let target = format!("/containers/create?name={name}");
        ask(&self.address, Method::POST, &target, &body.to_string()).await
    }
}

#[tokio::test]
async fn fifty_engines_are_taken_for_daemons_and_each_gets_its_share() {
    let managed = Managed::start(Cluster::start(nodes(50)).await).await;
    for number in 0..100 {
        let body = json!({ "Image": "busybox", "HostConfig": { "Memory": 1 << 28 } });
        let (status, text) = managed.create(&format!("web-{number}"), &body).await;
        assert_eq!(status, 201, "{text}");
        let target = format!("/containers/web-{number}/start");
        assert_eq!(ask(&managed.address, Method::POST, &target, "").await.0, 204);
    }
    let all = managed.get("/containers/json").await;
    assert_eq!(all.as_array().map(Vec::len), Some(100));
    for engine in 0..50 {
        let own = managed.cluster.json(engine, Method::GET, "/containers/json", "").await;
        assert_eq!(
            own.as_array().map(Vec::len),
            Some(2),
            "spread gives every engine as many"
        );
    }
}

/// A client that asks for no upgrade: what it starts detached leaves its connection to the manager, and what it starts
/// otherwise takes it over.
#[tokio::test]
async fn a_connection_is_an_engines_once_that_engine_takes_it_over() {
    let managed = Managed::start(Cluster::start(nodes(2)).await).await;
    for name in ["aa", "bb"] {
        assert_eq!(managed.create(name, &json!({ "Image": "busybox" })).await.0, 201);
        let target = format!("/containers/{name}/start");
        assert_eq!(ask(&managed.address, Method::POST, &target, "").await.0, 204);
    }
    let mut bytes = String::new();
    for (detach, connection) in [(true, "Connection: keep-alive\r\n"), (true, ""), (false, "")] {
        let config = r#"{"Cmd":["cat"],"AttachStdin":true,"AttachStdout":true}"#;
        let (_, exec) = ask(&managed.address, Method::POST, "/containers/aa/exec", config).await;
        let exec: Value = serde_json::from_str(&exec).expect("an object");
        let (id, body) = (
            exec["Id"].as_str().expect("an ID"),
            json!({ "Detach": detach }).to_string(),
        );
        bytes += &format!(
            "POST /exec/{id}/start HTTP/1.1\r\nHost: localhost\r\n{connection}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
    }
    let mut stream = net::dial(&managed.address, None, AGES).await.expect("a connection");
    stream.write_all(bytes.as_bytes()).await.expect("sent");
    stream.write_all(b"GET /info HTTP/1.1\r\n\r\n").await.expect("sent");
    stream.shutdown().await.expect("ended");
    let mut heard = String::new();
    within(stream.read_to_string(&mut heard)).await.expect("heard");
    assert_eq!(heard.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{heard}");
    assert!(
        heard.ends_with("GET /info HTTP/1.1\r\n\r\n"),
        "it is the command's input, which it echoes: {heard}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_an_engine_is_seen_and_so_is_its_recovery() {
    let managed = Managed::start(Cluster::start(nodes(3)).await).await;
    let faults = [
        Faults {
            hang: true,
            ..Faults::default()
        },
        Faults {
            refuse: true,
            ..Faults::default()
        },
        // Longer than the manager waits.
        Faults {
            delay: Some(Sampler::fixed(5_000_000_000)),
            ..Faults::default()
        },
    ];
    for fault in faults {
        let refuses = fault.refuse;
        managed.cluster.engines.set_faults(1, fault);
        if refuses {
            // Connections that there are go on; a daemon that is gone has none.
            managed.cluster.engines.crash(1, Crash::ContainersKept);
        }
        managed.until_healthy(2).await;
        managed.cluster.engines.set_faults(1, Faults::default());
        managed.cluster.engines.bring_back(1);
        managed.until_healthy(3).await;
    }
    // An engine that answers, whatever it says, is there: what is known of it holds until it makes sense again.
    let senseless = [
        Faults {
            garbage: true,
            ..Faults::default()
        },
        Faults {
            status: Some(500),
            ..Faults::default()
        },
        Faults {
            delay: Some(Sampler::fixed(50_000_000)),
            ..Faults::default()
        },
    ];
    for fault in senseless {
        managed.cluster.engines.set_faults(1, fault);
        // Time for several refreshes.
        tokio::time::sleep(Duration::from_millis(600)).await;
        managed.until_healthy(3).await;
        assert!(managed.get("/containers/json?all=1").await.is_array());
        managed.cluster.engines.set_faults(1, Faults::default());
    }
    // Without the stream of its events, what happens to it is seen all the same.
    managed.cluster.engines.drop_events(1);
    let (status, _) = managed
        .cluster
        .ask(1, Method::POST, "/images/create?fromImage=busybox&tag=latest", "")
        .await;
    assert_eq!(status, 200);
    managed
        .cluster
        .ask(
            1,
            Method::POST,
            "/containers/create?name=behind",
            r#"{"Image":"busybox"}"#,
        )
        .await;
    let seen = async {
        while !managed
            .get("/containers/json?all=1")
            .await
            .to_string()
            .contains("behind")
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(seen).await;
    // A crash that loses containers loses them here as well.
    managed.cluster.engines.crash(1, Crash::ContainersLost);
    managed.until_healthy(2).await;
    managed.cluster.engines.bring_back(1);
    managed.until_healthy(3).await;
    let gone = async {
        while managed
            .get("/containers/json?all=1")
            .await
            .to_string()
            .contains("behind")
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(gone).await;
}

/// `docker-compose up --force-recreate` of a service that publishes a port on every node.
#[tokio::test]
async fn containers_are_recreated_with_their_ports_on_a_full_cluster_if_stopped_ones_hold_none() {
    for correct in [false, true] {
        let strict = Strict {
            stopped_ports: correct,
            ..Strict::default()
        };
        let managed = Managed::start_with(Cluster::start(nodes(2)).await, strict).await;
        let www = |affinity: &[String]| {
            json!({
                "Image": "busybox", "Cmd": ["sleep", "1000"], "Env": affinity,
                "ExposedPorts": { "80/tcp": {} },
                "HostConfig": { "PortBindings": { "80/tcp": [{ "HostIp": "", "HostPort": "8888" }] } },
            })
        };
        let mut old = Vec::new();
        for name in ["www-1", "www-2"] {
            let (status, text) = managed.create(name, &www(&[])).await;
            assert_eq!(status, 201, "{text}");
            let created: Value = serde_json::from_str(&text).expect("JSON");
            old.push(created["Id"].as_str().expect("an ID").to_owned());
            assert_eq!(managed.order(name, "start").await.0, 204);
        }
        let (status, text) = managed.create("more", &www(&[])).await;
        assert!(status == 500 && text.contains("[port 8888 (Bridge mode)]"), "{text}");
        for (number, id) in old.iter().enumerate() {
            let name = format!("www-{}", number + 1);
            assert_eq!(managed.order(id, "stop?t=0").await.0, 204);
            let renamed = format!("{}_{name}", &id[..12]);
            assert_eq!(managed.order(id, &format!("rename?name={renamed}")).await.0, 204);
            let affinity = format!("affinity:container=={id}");
            let (status, text) = managed.create(&name, &www(&[affinity])).await;
            if !correct {
                assert!(status == 500 && text.contains("[port 8888 (Bridge mode)]"), "{text}");
                continue;
            }
            assert_eq!(status, 201, "{text}");
            assert_eq!(managed.order(&name, "start").await.0, 204);
            let node = |seen: &Value| seen["Node"]["Name"].as_str().map(str::to_owned);
            let inspect = async |container: &str| managed.get(&format!("/containers/{container}/json")).await;
            assert_eq!(
                node(&inspect(&name).await),
                node(&inspect(id).await),
                "each on its node"
            );
            // The new one has its port, and whoever wants it back hears so from the engine.
            let (status, text) = managed.order(id, "start").await;
            assert!(
                status == 500 && text.contains("port is already allocated"),
                "{status} {text}"
            );
        }
        if correct {
            // Started again, it holds its ports again.
            assert_eq!(managed.order("www-1", "stop?t=0").await.0, 204);
            assert_eq!(managed.order(&old[0], "start").await.0, 204);
            managed.get("/containers/json").await;
            let (status, text) = managed.create("more", &www(&[])).await;
            assert!(status == 500 && text.contains("[port 8888 (Bridge mode)]"), "{text}");
        }
    }
}
