//! Many clients at once: nothing is given twice, and nothing is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::engine::Engine;
use super::{Swarm, plain, until};

const CLIENTS: usize = 16;

async fn three() -> Vec<Engine> {
    vec![
        Engine::start("node-0").await,
        Engine::start("node-1").await,
        Engine::start("node-2").await,
    ]
}

/// What `ask` returned for each client.
async fn all<F: Future<Output = u16> + Send + 'static>(ask: impl Fn(usize) -> F) -> Vec<u16> {
    (0..CLIENTS).map(ask).collect::<JoinSet<u16>>().join_all().await
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|own| **own == status).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_name_a_port_and_room_are_given_once() {
    let engines = three().await;
    let swarm = Arc::new(Swarm::of(&engines.iter().collect::<Vec<_>>()).await);
    let ask = |name: Option<&'static str>, body: Value| {
        let swarm = Arc::clone(&swarm);
        move |client: usize| {
            let (swarm, body) = (Arc::clone(&swarm), body.clone());
            let name = name.map_or_else(|| format!("{}-{client}", body["Labels"]["kind"]), str::to_owned);
            let target = format!("/containers/create?name={}", name.replace('"', ""));
            async move { swarm.post(&target, &body).await.status }
        }
    };
    let statuses = all(ask(Some("web"), plain())).await;
    assert_eq!(
        (count(&statuses, 201), count(&statuses, 409)),
        (1, CLIENTS - 1),
        "{statuses:?}"
    );
    let port = json!({
        "Image": "busybox", "Labels": { "kind": "port" },
        "HostConfig": { "PortBindings": { "80/tcp": [{ "HostPort": "80" }] } },
    });
    let statuses = all(ask(None, port)).await;
    assert_eq!(
        (count(&statuses, 201), count(&statuses, 500)),
        (3, CLIENTS - 3),
        "{statuses:?}"
    );
    // 8.4 GiB on each engine.
    let memory = json!({ "Image": "busybox", "Labels": { "kind": "memory" }, "HostConfig": { "Memory": 4_i64 << 30 } });
    let statuses = all(ask(None, memory)).await;
    assert_eq!(
        (count(&statuses, 201), count(&statuses, 500)),
        (6, CLIENTS - 6),
        "{statuses:?}"
    );
    // `scheduler/RULES.md` §15, 12.
    let alone = json!({ "Image": "busybox", "Labels": { "kind": "alone" }, "Env": ["affinity:kind!=alone"] });
    let statuses = all(ask(None, alone)).await;
    assert_eq!(
        (count(&statuses, 201), count(&statuses, 500)),
        (3, CLIENTS - 3),
        "{statuses:?}"
    );
    for engine in &engines {
        let world = engine.world();
        for (kind, wanted) in [("port", 1), ("memory", 2), ("alone", 1)] {
            let found = world
                .containers
                .values()
                .filter(|c| c.body["Labels"]["kind"] == kind)
                .count();
            assert_eq!(found, wanted, "{kind} on {}", world.name);
        }
    }
    // Nothing is kept for those that were refused.
    for engine in &engines {
        assert_eq!(
            swarm.line(&engine.authority(), "Reserved Memory").await,
            "8 GiB / 8.4 GiB"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn creates_renames_removals_and_lists_side_by_side() {
    let mut engines = three().await;
    let swarm = Arc::new(Swarm::tuned(&engines.iter().collect::<Vec<_>>(), |options| options.create_retry = 3).await);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let swarm = Arc::clone(&swarm);
        clients.spawn(async move {
            let mut kept = Vec::new();
            for round in 0..12 {
                let name = format!("c-{client}-{round}");
                let created = swarm.post(&format!("/containers/create?name={name}"), &plain()).await;
                if created.status != 201 {
                    // Its engine may just have been killed.
                    assert_eq!(created.failure().0, 500, "{}", created.text());
                    continue;
                }
                let other = format!("r-{client}-{round}");
                let target = format!("/containers/{name}/rename?name={other}");
                let renamed = swarm.ask(hyper::Method::POST, &target, None).await.status == 204;
                swarm.get("/containers/json?all=1").await.expect(200);
                swarm.get("/info").await.expect(200);
                let now = if renamed { other } else { name };
                let removed = round % 2 == 0 && swarm.delete(&format!("/containers/{now}")).await.status == 204;
                if !removed {
                    kept.push(now);
                }
            }
            kept
        });
    }
    // One engine is away for a while.
    until("there is something on it", async || {
        (!engines[1].world().containers.is_empty()).then_some(())
    })
    .await;
    engines[1].kill().await;
    swarm.until_status(&engines[1].authority(), "Unhealthy").await;
    engines[1].resume().await;
    clients.join_all().await;
    swarm.until_status(&engines[1].authority(), "Healthy").await;
    // What the manager knows is what there is.
    let really = || {
        let of = |engine: &Engine| {
            let world = engine.world();
            let names = world
                .containers
                .values()
                .map(|container| format!("/{}/{}", world.name, container.name));
            names.collect::<Vec<_>>()
        };
        engines.iter().flat_map(of).collect::<BTreeSet<_>>()
    };
    let expected = really();
    until("the list is true", async || {
        let names: BTreeSet<String> = swarm.names("?all=1").await.into_iter().collect();
        (names == expected).then_some(())
    })
    .await;
    let bare: BTreeSet<&str> = expected.iter().filter_map(|name| name.rsplit('/').next()).collect();
    assert_eq!(bare.len(), expected.len(), "no name is given twice");
}

/// However many create containers at once, each finds in the next list what it has created.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_list_has_whatever_was_created_before() {
    let engines = three().await;
    let swarm = Arc::new(Swarm::of(&engines.iter().collect::<Vec<_>>()).await);
    let found = all(|client| {
        let swarm = Arc::clone(&swarm);
        async move {
            let mut found = 0;
            for number in 0..8 {
                let name = format!("c{client}-{number}");
                swarm.create(&name, &plain()).await;
                let end = format!("/{name}");
                found += u16::from(swarm.names("?all=1").await.iter().any(|listed| listed.ends_with(&end)));
            }
            found
        }
    });
    assert_eq!(found.await, [8; CLIENTS]);
}
