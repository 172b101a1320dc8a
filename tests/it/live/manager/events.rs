//! What clients hear (`manager/RULES.md` §18, 19 and 20; `manager/API.md` §11, 30).

use super::engine::Engine;
use super::{Swarm, options, plain, until};

/// `manager/RULES.md` §18, 19 and 20; `manager/DISCOVERY.md` §6, 17.
#[tokio::test]
async fn engines_come_and_go_as_the_file_says_and_clients_hear_of_it() {
    let (a, b) = (Engine::start("node-0").await, Engine::start("node-1").await);
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("cluster");
    let write = |text: String| std::fs::write(&file, text).expect("a file");
    write(format!("{}\n", a.authority()));
    let swarm = Swarm::with(options(&format!("file://{}", file.display()))).await;
    swarm.until_status(&a.authority(), "Healthy").await;
    let mut listening = swarm.listen("").await;
    write(format!("{}\n{}\n", a.authority(), b.authority()));
    listening.until("engine_connect").await;
    swarm.until_status(&b.authority(), "Healthy").await;
    b.world().create("web", &plain());
    listening.until("create").await;
    write(format!("{}\n", a.authority()));
    let events = listening.until("engine_disconnect").await;
    for event in &events {
        assert!(
            event["from"].as_str().expect("a text").ends_with(" node:node-1"),
            "{event}"
        );
        assert_eq!(
            event
                .as_object()
                .expect("an object")
                .keys()
                .next_back()
                .map(String::as_str),
            Some("node")
        );
        assert_eq!(event["node"]["Name"], "node-1");
        assert_eq!(event["node"]["Addr"], b.authority());
        assert_eq!(event["Actor"]["Attributes"]["node.addr"], b.authority());
        assert_eq!(event["Actor"]["Attributes"]["node.id"], event["node"]["Id"]);
    }
    assert_eq!(events[0]["from"], "swarm node:node-1");
    assert_eq!(events[0]["Type"], "swarm");
    until("it is forgotten", async || {
        swarm.told(&b.authority()).await.is_empty().then_some(())
    })
    .await;
    // A file that is gone removes nobody.
    std::fs::remove_file(&file).expect("a file to remove");
    write(format!("{}\n{}\n", a.authority(), b.authority()));
    swarm.until_status(&b.authority(), "Healthy").await;
    assert_eq!(swarm.line(&a.authority(), "Status").await, "Healthy");
}

/// `manager/API.md` §11, 30.
#[tokio::test]
async fn a_stream_of_the_past_is_over() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    assert_eq!(swarm.get("/events?until=1000").await.expect(200).text(), "");
    assert_eq!(swarm.get("/events?until=abc").await.failure().0, 400);
}

/// Two clients hear the same, each what it asked for, and are counted.
#[tokio::test]
async fn clients_hear_what_they_asked_for() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    let mut all = swarm.listen("").await;
    let mut few = swarm
        .listen("?filters=%7B%22event%22%3A%7B%22start%22%3Atrue%7D%7D")
        .await;
    assert_eq!(swarm.get("/info").await.json()["NEventsListener"], 2);
    swarm.run("web", &plain()).await;
    assert_eq!(all.until("start").await.len(), 2);
    assert_eq!(few.until("start").await.len(), 1);
    drop((all, few));
    until("nobody listens", async || {
        (swarm.get("/info").await.json()["NEventsListener"] == 0).then_some(())
    })
    .await;
}
