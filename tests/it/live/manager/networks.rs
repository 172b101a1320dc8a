//! Networks and volumes (`manager/API.md` §11, 26 and 28).

use serde_json::json;

use super::Swarm;
use super::engine::Engine;

/// `manager/API.md` §11, 26.
#[tokio::test]
async fn networks_are_made_where_their_name_says() {
    let (a, b) = (Engine::start("node-0").await, Engine::start("node-1").await);
    let swarm = Swarm::of(&[&a, &b]).await;
    swarm
        .post("/networks/create", &json!({ "Name": "wide" }))
        .await
        .expect(201);
    let found = swarm.get("/networks/wide").await.expect(200).json();
    assert_eq!(found["Driver"], "overlay");
    swarm
        .post("/networks/create", &json!({ "Name": "node-1/br1", "Driver": "bridge" }))
        .await
        .expect(201);
    let has = |engine: &Engine| engine.world().networks.iter().any(|network| network["Name"] == "br1");
    assert_eq!((has(&a), has(&b)), (false, true));
    let nowhere = swarm
        .post("/networks/create", &json!({ "Name": "node-9/x" }))
        .await
        .failure();
    assert!(nowhere.0 == 500 && nowhere.1.contains("[node==node-9]"), "{nowhere:?}");
    swarm.delete("/networks/node-1/br1").await.expect(204);
    assert!(!has(&b));
}

/// `manager/API.md` §11, 28.
#[tokio::test]
async fn volumes_are_made_on_all_engines_or_on_those_named() {
    let (a, b) = (Engine::start("node-0").await, Engine::start("node-1").await);
    let c = Engine::start("node-2").await;
    let swarm = Swarm::of(&[&a, &b, &c]).await;
    let names = async || {
        let listed = swarm.get("/volumes").await.expect(200).json();
        let listed = listed["Volumes"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> = listed
            .iter()
            .map(|v| v["Name"].as_str().expect("a name").to_owned())
            .collect();
        names.sort_unstable();
        names
    };
    swarm
        .post("/volumes/create", &json!({ "Name": "v1" }))
        .await
        .expect(201);
    assert_eq!(names().await, ["node-0/v1", "node-1/v1", "node-2/v1"]);
    assert_eq!(
        swarm.get("/volumes/v1").await.failure(),
        (404, "No such volume: v1".to_owned())
    );
    swarm.get("/volumes/node-0/v1").await.expect(200);
    swarm.delete("/volumes/v1").await.expect(204);
    assert!(names().await.is_empty());
    swarm
        .post("/volumes/create", &json!({ "Name": "node-1/v2" }))
        .await
        .expect(201);
    assert_eq!(names().await, ["node-1/v2"]);
    let some = json!({ "Name": "v3", "Labels": { "com.docker.swarm.whitelists": "[\"node==node-1|node-2\"]" } });
    swarm.post("/volumes/create", &some).await.expect(201);
    assert_eq!(names().await, ["node-1/v2", "node-1/v3", "node-2/v3"]);
}
