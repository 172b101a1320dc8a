//! Containers that refer to other containers: as Docker 20.10 does, and through a manager when an engine fails.

use hyper::Method;
use serde_json::{Value, json};

use swarmlab::engines::Crash;

use super::manager::Managed;
use super::{Cluster, ask, nodes};
use crate::live::within;

/// The same requests, sent to Docker 20.10.24, were answered so.
#[tokio::test]
async fn engines_resolve_references_and_refuse_those_that_lead_nowhere() {
    let cluster = Cluster::start(nodes(1)).await;
    let create = async |name: &str, host: Value| {
        let body = json!({ "Image": "busybox", "Cmd": ["sleep", "9"], "HostConfig": host }).to_string();
        let target = format!("/containers/create?name={name}");
        let (status, text) = cluster.ask(0, Method::POST, &target, &body).await;
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let told = answer["Id"].as_str().or(answer["message"].as_str()).expect("a text");
        (status, told.to_owned())
    };
    let start = async |name: &str| {
        let target = format!("/containers/{name}/start");
        let (status, text) = cluster.ask(0, Method::POST, &target, "").await;
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        (status, answer["message"].as_str().unwrap_or("").to_owned())
    };
    let inspect = async |name: &str| {
        cluster
            .json(0, Method::GET, &format!("/containers/{name}/json"), "")
            .await
    };
    cluster
        .ask(0, Method::POST, "/images/create?fromImage=busybox&tag=latest", "")
        .await;
    let body = json!({ "Binds": ["data:/data"], "IpcMode": "shareable" });
    let (_, db) = create("db", body).await;
    assert_eq!(start("db").await.0, 204);
    for reference in ["db", "/db", &db, &db[..12], &db[..5]] {
        for mode in ["NetworkMode", "PidMode", "IpcMode"] {
            assert_eq!(
                create("other", json!({ mode: format!("container:{reference}") }))
                    .await
                    .0,
                201
            );
            assert_eq!(start("other").await.0, 204, "{mode} {reference}");
            let inspected = inspect("other").await;
            assert_eq!(inspected["HostConfig"][mode], format!("container:{db}"));
            let host_name = inspected["Config"]["Hostname"].as_str().expect("a name");
            assert_eq!(host_name == &db[..12], mode == "NetworkMode");
            cluster.ask(0, Method::DELETE, "/containers/other?force=1", "").await;
        }
    }
    let host = json!({ "VolumesFrom": [format!("{}:ro", &db[..12])], "Links": [format!("{}:x", &db[..6]), "db"] });
    assert_eq!(create("user", host).await.0, 201);
    let inspected = inspect("user").await;
    assert_eq!(
        inspected["HostConfig"]["VolumesFrom"],
        json!([format!("{}:ro", &db[..12])])
    );
    assert_eq!(inspected["HostConfig"]["Links"], json!(["/db:/user/x", "/db:/user/db"]));
    assert_eq!(
        (&inspected["Mounts"][0]["Name"], &inspected["Mounts"][0]["RW"]),
        (&json!("data"), &json!(false))
    );
    for (host, text) in [
        (json!({ "PidMode": "container:nope" }), "No such container: nope"),
        (json!({ "IpcMode": "container:nope" }), "No such container: nope"),
        (json!({ "VolumesFrom": ["nope:ro"] }), "No such container: nope"),
        (
            json!({ "Links": ["nope:x"] }),
            "could not get container for nope: No such container: nope",
        ),
        (
            json!({ "NetworkMode": "container:" }),
            "Invalid network mode: invalid container format container:<name|id>",
        ),
        (
            json!({ "NetworkMode": "container:db", "PublishAllPorts": true }),
            "conflicting options: port publishing and the container type network mode",
        ),
    ] {
        assert_eq!(create("refused", host).await, (400, text.to_owned()));
    }
    // Whose network is shared is looked for when the container is started.
    assert_eq!(
        create("astray", json!({ "NetworkMode": "container:nope" })).await.0,
        201
    );
    assert_eq!(inspect("astray").await["HostConfig"]["NetworkMode"], "container:nope");
    assert_eq!(start("astray").await, (404, "No such container: nope".to_owned()));
    assert_eq!(
        create("alone", json!({ "NetworkMode": "container:alone" })).await.0,
        201
    );
    assert_eq!(start("alone").await, (500, "cannot join own network".to_owned()));
    create("net", json!({ "NetworkMode": "container:db" })).await;
    create("pid", json!({ "PidMode": "container:db" })).await;
    create("ipc", json!({ "IpcMode": "container:db" })).await;
    cluster.ask(0, Method::POST, "/containers/db/stop", "").await;
    for (name, status, text) in [
        (
            "net",
            409,
            format!("cannot join network of a non running container: {db}"),
        ),
        ("pid", 500, format!("container {db} is not running")),
        (
            "ipc",
            500,
            format!("can't join IPC of container {db}: container {db} is not running"),
        ),
        (
            "user",
            500,
            "Cannot link to a non running container: /db AS /user/x".to_owned(),
        ),
    ] {
        assert_eq!(start(name).await, (status, text));
    }
    cluster.ask(0, Method::DELETE, "/containers/db?force=1", "").await;
    let gone = format!("No such container: {db}");
    for (name, status, text) in [
        ("net", 404, gone.clone()),
        (
            "pid",
            500,
            format!("cannot join PID of a non running container: {db}: {gone}"),
        ),
        ("ipc", 500, format!("can't join IPC of container {db}: {gone}")),
    ] {
        assert_eq!(start(name).await, (status, text));
    }
}

/// Whichever way they refer to one another, and whichever of them is looked at first.
#[tokio::test]
async fn containers_that_refer_to_one_another_move_together() {
    let managed = Managed::start(Cluster::start(nodes(3)).await).await;
    let run = async |name: &str, env: &[&str], host: Value| {
        let env = [&["reschedule:on-node-failure"], env].concat();
        let body = json!({ "Image": "busybox", "Cmd": ["sleep", "999"], "Env": env, "HostConfig": host });
        let (status, text) = managed.create(name, &body).await;
        assert_eq!(status, 201, "{name}: {text}");
        let started = ask(&managed.address, Method::POST, &format!("/containers/{name}/start"), "").await;
        assert_eq!(started.0, 204, "{name}: {}", started.1);
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        answer["Id"].as_str().expect("an ID").to_owned()
    };
    let first = managed.cluster.engines.look(0, |model| model.name().to_owned());
    let there = format!("constraint:node==~{first}");
    let half = json!({ "IpcMode": "shareable", "Memory": 3_u64 << 30 });
    let db = run("db", &[&there], half).await;
    run("a-by-id", &[], json!({ "NetworkMode": format!("container:{db}") })).await;
    run("by-name", &[], json!({ "NetworkMode": "container:db" })).await;
    run("chained", &[], json!({ "NetworkMode": "container:by-name" })).await;
    run(
        "spaces",
        &[&there],
        json!({ "PidMode": "container:db", "IpcMode": format!("container:{}", &db[..12]) }),
    )
    .await;
    run("volumes", &[], json!({ "VolumesFrom": [format!("{}:ro", &db[..12])] })).await;
    run("a-linked", &[], json!({ "Links": [format!("{db}:store")] })).await;
    // It alone would fit on either of the other engines, with the others only on one.
    let near = format!("affinity:container=={db}");
    run("a-near", &[&near], json!({ "Memory": 3_u64 << 30 })).await;
    let second = managed.cluster.engines.look(1, |model| model.name().to_owned());
    let blocker = json!({
        "Image": "busybox", "Env": [format!("constraint:node=={second}")], "HostConfig": { "Memory": 4_u64 << 30 },
    });
    assert_eq!(managed.create("blocker", &blocker).await.0, 201);

    managed.cluster.engines.crash(0, Crash::ContainersKept);
    let third = managed.cluster.engines.look(2, |model| model.name().to_owned());
    let all = [
        "a-by-id", "a-linked", "a-near", "by-name", "chained", "db", "spaces", "volumes",
    ];
    let expected = all.map(|name| format!("/{third}/{name}"));
    let moved = async {
        loop {
            let listed = managed.get("/containers/json").await;
            let listed = listed.as_array().expect("a list").iter();
            let mut names: Vec<String> = listed
                .map(|entry| entry["Names"][0].as_str().expect("a name").to_owned())
                .collect();
            names.sort_unstable();
            if names == expected {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    within(moved).await;
    let inspect = async |name: &str| managed.get(&format!("/containers/{name}/json")).await;
    let new = inspect("db").await["Id"].as_str().expect("an ID").to_owned();
    assert_ne!(new, db);
    for (name, key) in [
        ("a-by-id", "NetworkMode"),
        ("by-name", "NetworkMode"),
        ("spaces", "PidMode"),
        ("spaces", "IpcMode"),
    ] {
        let host = &inspect(name).await["HostConfig"];
        assert_eq!(host[key], format!("container:{new}"), "{name}");
    }
    let by_name = inspect("by-name").await["Id"].as_str().expect("an ID").to_owned();
    assert_eq!(
        inspect("chained").await["HostConfig"]["NetworkMode"],
        format!("container:{by_name}")
    );
    assert_eq!(
        inspect("volumes").await["HostConfig"]["VolumesFrom"],
        json!([format!("{new}:ro")])
    );
    assert_eq!(
        inspect("a-linked").await["HostConfig"]["Links"],
        json!(["/db:/a-linked/store"])
    );
    assert_eq!(
        inspect("a-near").await["Config"]["Labels"]["com.docker.swarm.affinities"],
        json!([format!("container=={new}")]).to_string()
    );
    managed.cluster.engines.bring_back(0);
    managed.until_healthy(3).await;
    let gone = async {
        while managed.cluster.json(0, Method::GET, "/containers/json?all=1", "").await != json!([]) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    within(gone).await;
    assert_eq!(managed.get("/containers/json").await.as_array().map(Vec::len), Some(8));
}
