//! Routes and answers in general (`manager/API.md` §11, 1 to 6).

use hyper::Method;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, LOCATION,
};

use super::engine::Engine;
use super::{Swarm, plain, until};

/// `manager/API.md` §11, 1.
#[tokio::test]
async fn a_ping_is_answered_in_every_version() {
    let swarm = Swarm::of(&[]).await;
    for path in ["/_ping", "/v1.24/_ping"] {
        let answer = swarm.get(path).await.expect(200);
        assert_eq!(
            (answer.text(), &answer.headers["api-version"]),
            ("OK", &"1.40".parse().expect("a value"))
        );
    }
    let version = swarm.get("/version").await.expect(200).json();
    // `manager/RULES.md` §18, 26.
    assert_eq!(version["Version"], "swarm/1.2.9");
}

/// Clients agree with the manager on what all daemons speak that are there.
#[tokio::test]
async fn the_versions_of_the_api_are_those_of_the_daemons() {
    let old = Engine::start_with("node-0", |world| world.versions = ["1.12", "1.41"]).await;
    let mut new = Engine::start_with("node-1", |world| world.versions = ["1.44", "1.51"]).await;
    let future = Engine::start_with("node-2", |world| world.versions = ["1.24", "1.99"]).await;
    let spoken = async |engines: &[&Engine]| {
        let swarm = Swarm::of(engines).await;
        let version = swarm.get("/version").await.expect(200);
        let told = version.json();
        assert_eq!(
            version.headers["api-version"],
            told["ApiVersion"].as_str().expect("a text")
        );
        (told["MinAPIVersion"].clone(), told["ApiVersion"].clone())
    };
    assert_eq!(spoken(&[&new]).await, ("1.44".into(), "1.51".into()));
    assert_eq!(spoken(&[&future]).await, ("1.24".into(), "1.52".into()));
    // Nothing suits both; the older one says so itself to whoever asks for more than it has.
    assert_eq!(spoken(&[&old, &new]).await, ("1.41".into(), "1.41".into()));
    let swarm = Swarm::of(&[&new, &future]).await;
    new.kill().await;
    until("only the other one counts", async || {
        (swarm.get("/_ping").await.headers["api-version"] == "1.52").then_some(())
    })
    .await;
}

/// `manager/API.md` §11, 2, 3 and 4.
#[tokio::test]
async fn what_there_is_not_is_not_found() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    for (method, path, said) in [
        (Method::POST, "/info", "404 page not found"),
        (Method::GET, "/services", "This endpoint is a standalone cluster"),
        (
            Method::POST,
            "/v1.41/swarm/init",
            "This endpoint is a standalone cluster",
        ),
        (Method::GET, "/", "404 page not found"),
        (Method::PATCH, "/containers/json", "404 page not found"),
    ] {
        let answer = swarm.ask(method, path, None).await;
        let (status, message) = answer.failure();
        assert!(status == 404 && message.starts_with(said), "{path}: {message}");
        assert!(!answer.headers.contains_key("api-version"), "{path}");
    }
    let moved = swarm.get("/containers//json?all=1").await.expect(301);
    assert_eq!(moved.headers[LOCATION], "/containers/json?all=1");
    let unsupported = swarm.get("/images/viz").await.failure();
    assert_eq!(unsupported, (501, "Not supported in clustering mode.".to_owned()));
}

/// `manager/API.md` §11, 5.
#[tokio::test]
async fn other_origins_are_let_in_only_if_that_is_wanted() {
    let engine = Engine::start("node-0").await;
    let open = Swarm::tuned(&[&engine], |options| options.cors = true).await;
    let closed = Swarm::of(&[&engine]).await;
    let all = [
        ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS,
    ];
    let answer = open.ask(Method::OPTIONS, "/containers/json", None).await.expect(200);
    assert!(all.iter().all(|name| answer.headers.contains_key(name)));
    let answer = open.get("/containers/json").await.expect(200);
    assert!(all.iter().all(|name| answer.headers.contains_key(name)));
    closed.ask(Method::OPTIONS, "/containers/json", None).await.expect(404);
    let answer = closed.get("/containers/json").await.expect(200);
    assert!(!all.iter().any(|name| answer.headers.contains_key(name)));
}

/// `manager/API.md` §11, 6.
#[tokio::test]
async fn unknown_containers_are_told_in_four_ways() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    for (method, path, text) in [
        (Method::GET, "/containers/x/json", "No such container x"),
        (Method::GET, "/containers/x/logs", "No such container: x"),
        (Method::POST, "/containers/x/start", "No such container x"),
        (Method::DELETE, "/containers/x", "Container x not found"),
        (Method::GET, "/exec/x/json", "Exec x not found"),
        (Method::GET, "/containers/json?before=x", "No such container x"),
        (Method::GET, "/images/x/json", "No such image: x"),
        (Method::DELETE, "/images/x", "No such image x"),
        (Method::GET, "/networks/x", "No such network: x"),
        (Method::DELETE, "/networks/x", "No such network x"),
        (Method::GET, "/volumes/x", "No such volume: x"),
        (Method::DELETE, "/volumes/x", "No such volume x"),
    ] {
        let failure = swarm.ask(method.clone(), path, None).await.failure();
        assert_eq!(failure, (404, text.to_owned()), "{method} {path}");
    }
}

/// What a manager counts can be read.
#[tokio::test]
async fn figures_are_served() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    swarm.create("web", &plain()).await;
    let text = swarm.get("/metrics").await.expect(200).text().to_owned();
    assert!(text.contains("# EOF") && text.contains("swarm"), "{text}");
}
