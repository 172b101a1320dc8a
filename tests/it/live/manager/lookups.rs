//! Names and IDs (`manager/RULES.md` §18, 10 to 14).

use serde_json::json;

use super::engine::Engine;
use super::{Swarm, plain, until, with_env};

/// `manager/RULES.md` §18, 10: refreshes are hours away, so that it can only be the event.
#[tokio::test]
async fn what_is_started_behind_our_back_is_seen_by_its_event() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::tuned(&[&engine], |options| {
        options.refresh_min = std::time::Duration::from_secs(3600);
        options.refresh_max = std::time::Duration::from_secs(3600);
    })
    .await;
    let mut listening = swarm.listen("").await;
    {
        let mut world = engine.world();
        let id = world.create("web", &plain());
        world.start(&id);
    }
    listening.until("start").await;
    // Who hears of it finds it.
    assert_eq!(swarm.names("").await, ["/node-0/web"]);
    let id = engine.world().named("web").expect("a container").id.clone();
    engine.world().remove(&id);
    listening.until("destroy").await;
    assert!(swarm.names("?all=1").await.is_empty());
}

/// `manager/RULES.md` §18, 11.
#[tokio::test]
async fn a_name_on_two_nodes_means_none_without_its_node() {
    let (a, b) = (Engine::start("node-0").await, Engine::start("node-1").await);
    a.world().create("web", &plain());
    let there = b.world().create("web", &plain());
    let swarm = Swarm::of(&[&a, &b]).await;
    let unknown = swarm.get("/containers/web/json").await.failure();
    assert_eq!(unknown, (404, "No such container web".to_owned()));
    for name in ["node-1/web", "node-1%2Fweb"] {
        let found = swarm.get(&format!("/containers/{name}/json")).await.expect(200).json();
        assert_eq!(found["Id"], there.as_str());
    }
}

/// `manager/RULES.md` §18, 12 and 13.
#[tokio::test]
async fn names_come_before_ids_and_prefixes_last() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    let first = swarm.create("first", &plain()).await;
    // Named like the beginning of the other's ID.
    let second = swarm.create(&first[..3], &plain()).await;
    let id_of = async |query: &str| {
        let answer = swarm.get(&format!("/containers/{query}/json")).await;
        (answer.status == 200).then(|| answer.json()["Id"].as_str().expect("an ID").to_owned())
    };
    assert_eq!(id_of(&first[..3]).await.as_deref(), Some(second.as_str()));
    assert_eq!(id_of(&first[..4]).await.as_deref(), Some(first.as_str()));
    let inspected = swarm.get("/containers/first/json").await.json();
    let swarm_id = inspected["Config"]["Labels"]["com.docker.swarm.id"]
        .as_str()
        .expect("an ID");
    assert_eq!(swarm_id.len(), 64);
    for query in [swarm_id, &swarm_id[..12], &first, &first[..12]] {
        assert_eq!(id_of(query).await.as_deref(), Some(first.as_str()), "{query}");
    }
    // Every text begins with nothing, and nothing is no name.
    for engine_id in ["c0ffee01", "c0ffee02"] {
        let mut world = engine.world();
        let id = world.create(engine_id, &plain());
        let mut moved = world.containers.remove(&id).expect("a container");
        moved.id = format!("{engine_id}{}", &id[8..]);
        world.containers.insert(moved.id.clone(), moved);
    }
    until("both are known", async || {
        (swarm.names("?all=1").await.len() == 4).then_some(())
    })
    .await;
    assert_eq!(id_of("c0ffee0").await, None);
    let commit = swarm
        .ask(
            hyper::Method::POST,
            &format!("/commit?container={}&repo=x", &swarm_id[..12]),
            None,
        )
        .await;
    assert_eq!(commit.expect(201).json()["Id"], "sha256:c0");
}

/// `manager/RULES.md` §18, 14; `manager/API.md` §11, 27.
#[tokio::test]
async fn a_network_on_each_node_means_none_without_its_node() {
    let (a, b) = (Engine::start("node-0").await, Engine::start("node-1").await);
    let swarm = Swarm::of(&[&a, &b]).await;
    let unknown = swarm.get("/networks/bridge").await.failure();
    assert_eq!(unknown, (404, "No such network: bridge".to_owned()));
    let found = swarm.get("/networks/node-0/bridge").await.expect(200).json();
    assert_eq!(found["Id"], "bridge-node-0-0123456789abcdef");
    let listed = swarm.get("/networks").await.expect(200).json();
    let mut names: Vec<&str> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|n| n["Name"].as_str().expect("a name"))
        .collect();
    names.sort_unstable();
    let all = [
        "node-0/bridge",
        "node-0/host",
        "node-0/none",
        "node-1/bridge",
        "node-1/host",
        "node-1/none",
    ];
    assert_eq!(names, all);
    assert_eq!(
        swarm
            .get("/networks?filters=%7B%22type%22%3A%5B%22foo%22%5D%7D")
            .await
            .failure()
            .0,
        400
    );
    let listed = swarm
        .get("/networks?filters=%7B%22id%22%3A%5B%22zzz%22%5D%7D")
        .await
        .expect(200)
        .json();
    assert_eq!(listed, json!([]));
}

/// `scheduler/RULES.md` §15, 23.
#[tokio::test]
async fn a_name_is_given_once_in_the_whole_cluster() {
    let (a, b) = (Engine::start("node-0").await, Engine::start("node-1").await);
    let swarm = Swarm::of(&[&a, &b]).await;
    let id = swarm.create("web", &with_env(&["constraint:node==node-0"])).await;
    let (status, message) = swarm
        .post("/containers/create?name=web", &with_env(&["constraint:node==node-1"]))
        .await
        .failure();
    assert_eq!(status, 409);
    assert!(message.contains("Conflict") && message.contains("web"), "{message}");
    swarm.create(&id[..12], &plain()).await;
}
