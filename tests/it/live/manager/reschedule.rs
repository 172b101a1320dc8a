//! Containers that outlive their engine (`manager/RULES.md` §18, 15 to 18).

use serde_json::{Value, json};

use super::engine::{Engine, Mood};
use super::{Swarm, options, until};

/// A container that wants to live on, with more in its environment and a published port.
fn durable(env: &[&str], port: &str) -> Value {
    let mut all = vec!["reschedule:on-node-failure"];
    all.extend(env);
    let bindings = match port {
        "" => json!({}),
        port => json!({ "80/tcp": [{ "HostIp": "", "HostPort": port }] }),
    };
    json!({ "Image": "busybox", "Env": all, "HostConfig": { "PortBindings": bindings } })
}

async fn two() -> (Engine, Engine) {
    let a = Engine::start_with("node-0", |world| world.labels = vec!["disk=ssd".to_owned()]).await;
    (a, Engine::start("node-1").await)
}

async fn swarm_of(a: &Engine, b: &Engine) -> Swarm {
    Swarm::tuned(&[a, b], |options| options.failure_retry = 2).await
}

async fn swarm_id(swarm: &Swarm, name: &str) -> String {
    let inspected = swarm.get(&format!("/containers/{name}/json")).await.expect(200).json();
    let id = &inspected["Config"]["Labels"]["com.docker.swarm.id"];
    id.as_str().expect("an ID").to_owned()
}

/// `manager/RULES.md` §18, 15, 17 and 18: its volumes stay.
#[tokio::test]
async fn containers_of_a_dead_engine_live_on_elsewhere_once() {
    let (mut a, b) = two().await;
    let swarm = swarm_of(&a, &b).await;
    let old = swarm
        .run("web", &durable(&["constraint:disk==~ssd", "A=b"], "80"))
        .await;
    swarm
        .run(
            "mortal",
            &json!({ "Image": "busybox", "Env": ["constraint:node==node-0"] }),
        )
        .await;
    assert_eq!(swarm.names("").await.len(), 2);
    assert!(a.world().named("web").is_some());
    let own_id = swarm_id(&swarm, "web").await;
    a.kill().await;
    until("it runs on the other engine", async || {
        (swarm.names("").await == ["/node-1/web"]).then_some(())
    })
    .await;
    let inspected = swarm.get("/containers/web/json").await.expect(200).json();
    assert_ne!(inspected["Id"], old.as_str());
    assert_eq!(inspected["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"], "80");
    assert_eq!(inspected["Config"]["Env"], json!(["A=b"]));
    assert_eq!(swarm_id(&swarm, "web").await, own_id);
    let mut all = swarm.names("?all=1").await;
    all.sort_unstable();
    assert_eq!(all, ["/node-0/mortal", "/node-1/web"]);
    let listed = swarm.get("/containers/json?all=1").await.json();
    let down = listed
        .as_array()
        .expect("a list")
        .iter()
        .find(|entry| entry["Names"][0] == "/node-0/mortal");
    assert_eq!(down.expect("an entry")["Status"], "Host Down");
    assert_eq!(
        swarm.get("/containers/mortal/json").await.failure(),
        (500, "Container mortal running on unhealthy node node-0".to_owned())
    );

    a.resume().await;
    until("the stale copy is removed", async || {
        a.world().named("web").is_none().then_some(())
    })
    .await;
    let removal = format!("DELETE /containers/{old}?force=1");
    assert!(a.world().orders.contains(&removal), "{:?}", a.world().orders);
    swarm.until_status(&a.authority(), "Healthy").await;
    until("one is left", async || {
        let mut all = swarm.names("?all=1").await;
        all.sort_unstable();
        (all == ["/node-0/mortal", "/node-1/web"]).then_some(())
    })
    .await;
    assert!(b.world().named("web").is_some_and(|container| container.running));
}

/// `manager/RULES.md` §18, 16.
#[tokio::test]
async fn a_container_that_must_be_there_stays() {
    let (mut a, b) = two().await;
    let swarm = swarm_of(&a, &b).await;
    swarm.run("tied", &durable(&["constraint:disk==ssd"], "")).await;
    swarm.run("free", &durable(&["constraint:disk==~ssd"], "")).await;
    a.kill().await;
    until("the free one runs elsewhere", async || {
        swarm.names("").await.contains(&"/node-1/free".to_owned()).then_some(())
    })
    .await;
    let mut all = swarm.names("?all=1").await;
    all.sort_unstable();
    assert_eq!(all, ["/node-0/tied", "/node-1/free"]);
    assert_eq!(
        swarm.get("/containers/tied/json").await.failure(),
        (500, "Container tied running on unhealthy node node-0".to_owned())
    );
    let taken = swarm
        .post("/containers/create?name=tied", &json!({ "Image": "busybox" }))
        .await;
    assert_eq!(taken.failure().0, 409);
}

#[tokio::test]
async fn a_container_without_room_is_tried_again() {
    let (mut a, b) = two().await;
    let swarm = swarm_of(&a, &b).await;
    let blocker = json!({
        "Image": "busybox", "Env": ["constraint:node==node-1"],
        "HostConfig": { "PortBindings": { "80/tcp": [{ "HostPort": "80" }] } },
    });
    swarm.run("blocker", &blocker).await;
    swarm.run("web", &durable(&["constraint:disk==~ssd"], "80")).await;
    assert!(a.world().named("web").is_some());
    a.kill().await;
    swarm.until_status(&a.authority(), "Unhealthy").await;
    swarm.delete("/containers/blocker?force=1").await.expect(204);
    until("it runs on the other engine", async || {
        (swarm.names("").await == ["/node-1/web"]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_engine_that_is_taken_out_keeps_its_containers() {
    let (a, b) = two().await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("cluster");
    let write = |text: String| std::fs::write(&file, text).expect("a file");
    write(format!("{}\n{}\n", a.authority(), b.authority()));
    let swarm = Swarm::with(options(&format!("file://{}", file.display()))).await;
    swarm.until_status(&a.authority(), "Healthy").await;
    swarm.until_status(&b.authority(), "Healthy").await;
    swarm.run("web", &durable(&["constraint:node==~node-0"], "")).await;
    assert!(a.world().named("web").is_some());
    write(format!("{}\n", b.authority()));
    until("it is forgotten", async || {
        swarm.told(&a.authority()).await.is_empty().then_some(())
    })
    .await;
    // Would anything be rescheduled, it would be by the time that another engine's failure is seen to.
    b.set_mood(Mood::Resets);
    swarm.until_status(&b.authority(), "Unhealthy").await;
    b.set_mood(Mood::Fine);
    swarm.until_status(&b.authority(), "Healthy").await;
    assert!(b.world().orders.is_empty(), "{:?}", b.world().orders);
    write(format!("{}\n{}\n", a.authority(), b.authority()));
    swarm.until_status(&a.authority(), "Healthy").await;
    until("it is seen again", async || {
        (swarm.names("").await == ["/node-0/web"]).then_some(())
    })
    .await;
}

/// A manager that starts before two engines with the same container removes one of the two, and not both.
#[tokio::test]
async fn of_two_copies_one_stays() {
    let (a, b) = two().await;
    let copies = 8;
    for number in 0..copies {
        let body = json!({ "Image": "busybox", "Labels": { "com.docker.swarm.id": format!("{number:064x}") } });
        for engine in [&a, &b] {
            engine.world().create(&format!("web-{number}"), &body);
        }
    }
    let swarm = Swarm::of(&[&a, &b]).await;
    until("one of each is left", async || {
        let left = a.world().containers.len() + b.world().containers.len();
        (left <= copies).then_some(())
    })
    .await;
    until("the list shows them", async || {
        (swarm.names("?all=1").await.len() == copies).then_some(())
    })
    .await;
    for number in 0..copies {
        let name = format!("web-{number}");
        assert!(
            a.world().named(&name).is_some() != b.world().named(&name).is_some(),
            "{name}"
        );
    }
}

/// The port of a container that is being rescheduled is not given to anybody else, and neither is its name.
#[tokio::test]
async fn several_containers_find_their_places_side_by_side() {
    let (mut a, b) = two().await;
    let c = Engine::start("node-2").await;
    let swarm = Swarm::tuned(&[&a, &b, &c], |options| options.failure_retry = 2).await;
    for number in 0..6 {
        let body = durable(&["constraint:disk==~ssd"], &format!("{}", 8000 + number));
        swarm.run(&format!("web-{number}"), &body).await;
    }
    assert_eq!(a.world().containers.len(), 6);
    a.kill().await;
    until("all run elsewhere", async || {
        let names = swarm.names("").await;
        (names.len() == 6 && !names.iter().any(|name| name.starts_with("/node-0/"))).then_some(())
    })
    .await;
    let (on_b, on_c) = (b.world().containers.len(), c.world().containers.len());
    assert_eq!((on_b, on_c), (3, 3));
    assert!(
        b.world()
            .containers
            .values()
            .chain(c.world().containers.values())
            .all(|container| container.running)
    );
}

/// What `info` says about containers of an engine that cannot be rescheduled.
async fn waiting(swarm: &Swarm) -> String {
    let info = swarm.get("/info").await.json();
    let pairs = info["SystemStatus"].as_array().expect("pairs").iter();
    let lines = pairs.filter(|pair| pair[0] == "  └ Not rescheduled");
    lines.map(|pair| pair[1].as_str().expect("text")).collect()
}

fn sharing_network(target: &str, env: &[&str]) -> Value {
    let mode = format!("container:{target}");
    json!({ "Image": "busybox", "Env": env, "HostConfig": { "NetworkMode": mode } })
}

/// Nothing is left of a move that fails half-way, and it succeeds when it can.
#[tokio::test]
async fn a_group_moves_as_a_whole_or_not_at_all() {
    let (mut a, b) = two().await;
    let special = |world: &mut super::engine::World| {
        world
            .images
            .push(("sha256:b1".to_owned(), vec!["special:latest".to_owned()]));
    };
    special(&mut a.world());
    let swarm = swarm_of(&a, &b).await;
    let db = swarm.run("db", &durable(&["constraint:disk==~ssd"], "")).await;
    let mut side = sharing_network(&db, &["reschedule:on-node-failure"]);
    side["Image"] = json!("special");
    swarm.run("a-side", &side).await;
    a.kill().await;
    until("it is said why", async || {
        let told = waiting(&swarm).await;
        (told.contains("creating a-side failed") && told.contains("goes to one node with db, or not at all"))
            .then_some(())
    })
    .await;
    assert!(
        b.world()
            .orders
            .iter()
            .any(|order| order.contains("/containers/create?name=db"))
    );
    assert!(b.world().containers.is_empty(), "{:?}", b.world().containers);
    let mut all = swarm.names("?all=1").await;
    all.sort_unstable();
    assert_eq!(all, ["/node-0/a-side", "/node-0/db"]);
    special(&mut b.world());
    until("both run on the other engine", async || {
        let mut names = swarm.names("").await;
        names.sort_unstable();
        (names == ["/node-1/a-side", "/node-1/db"]).then_some(())
    })
    .await;
    let new = b.world().named("db").expect("it is there").id.clone();
    let mode = b.world().named("a-side").expect("it is there").body["HostConfig"]["NetworkMode"].clone();
    assert_eq!(mode, format!("container:{new}"));
    until("nobody waits", async || waiting(&swarm).await.is_empty().then_some(())).await;
    a.resume().await;
    until("nothing is left", async || {
        a.world().containers.is_empty().then_some(())
    })
    .await;
    assert_eq!(b.world().containers.len(), 2);
}

/// Who depends on a container that stays has to stay as well; who is depended upon by one that stays does not.
#[tokio::test]
async fn without_a_policy_a_container_stays_and_those_that_need_it() {
    let (mut a, b) = two().await;
    let swarm = swarm_of(&a, &b).await;
    let near = "constraint:disk==~ssd";
    let db = swarm.run("db", &durable(&[near], "")).await;
    swarm.run("left", &sharing_network(&db, &[])).await;
    let body = json!({ "Image": "busybox", "Env": [near] });
    let root = swarm.run("root", &body).await;
    let tied = swarm
        .run("tied", &sharing_network(&root, &["reschedule:on-node-failure"]))
        .await;
    let mut far = durable(&[], "");
    far["HostConfig"]["VolumesFrom"] = json!([format!("{}:ro", &tied[..12])]);
    swarm.run("far", &far).await;
    // Containers without the policy are answered before they are described.
    until("all are described", async || {
        (swarm.names("").await.len() == 5).then_some(())
    })
    .await;
    a.kill().await;
    for told in [
        "tied: it shares the network of container root, which stays on node-0: that has no reschedule policy",
        "far: it mounts the volumes of container tied, which has to wait itself",
        "left: it shares the network of container db, which was rescheduled; it has no reschedule policy",
    ] {
        until(told, async || waiting(&swarm).await.contains(told).then_some(())).await;
    }
    assert_eq!(swarm.names("").await, ["/node-1/db"]);
    a.resume().await;
    until("the former db is removed", async || {
        a.world().named("db").is_none().then_some(())
    })
    .await;
    let mut rest: Vec<String> = a
        .world()
        .containers
        .values()
        .map(|container| container.name.clone())
        .collect();
    rest.sort_unstable();
    assert_eq!(rest, ["far", "left", "root", "tied"]);
}

/// An engine ends containers by a signal before it is gone, as machines do that shut down. What a client has stopped, or
/// what came to its end by itself, is not started again.
#[tokio::test]
async fn what_an_engine_interrupts_is_started_elsewhere_and_nothing_else() {
    for start_interrupted in [true, false] {
        let (mut a, b) = two().await;
        let swarm = Swarm::tuned(&[&a, &b], |options| {
            options.failure_retry = 2;
            options.start_interrupted = start_interrupted;
        })
        .await;
        let mut ids = Vec::new();
        for name in ["interrupted", "stopped", "aside", "done"] {
            ids.push(swarm.run(name, &durable(&["constraint:disk==~ssd"], "")).await);
        }
        assert_eq!(a.world().containers.len(), 4);
        swarm.post("/containers/stopped/stop", &json!({})).await.expect(204);
        a.world().stop(&ids[2]);
        a.world().end(&ids[3], 0);
        a.world().end(&ids[0], 137);
        until("all have ended", async || {
            swarm.names("").await.is_empty().then_some(())
        })
        .await;
        a.kill().await;
        let on_b = |name: &str| b.world().named(name).map(|container| container.running);
        until("all are on the other engine", async || {
            let started = on_b("interrupted")? || !start_interrupted;
            (started && b.world().containers.len() == 4).then_some(())
        })
        .await;
        assert_eq!(on_b("interrupted"), Some(start_interrupted));
        for name in ["stopped", "aside", "done"] {
            assert_eq!(on_b(name), Some(false), "{name}");
        }
    }
}
