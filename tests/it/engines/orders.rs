//! Faults on command: what is ordered at the admin endpoint is what clients of the engines see.

use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::Value;

use swarmlab::net::{self, Address};

use super::{Cluster, ask, nodes, plan};
use crate::live::within;

async fn order(admin: &Address, method: Method, target: &str, body: &str) -> (u16, Value) {
    let (status, text) = ask(admin, method, target, body).await;
    (
        status,
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")),
    )
}

#[tokio::test]
async fn orders_are_obeyed_until_they_are_taken_back() {
    let cluster = Cluster::start(nodes(2)).await;
    let address = cluster
        .engines
        .admit("127.0.0.1:0".parse().expect("an address"))
        .await
        .expect("a socket");
    let admin = Address::Tcp(address.to_string());
    let (_, all) = order(&admin, Method::GET, "/engines", "").await;
    assert_eq!(all.as_array().map(Vec::len), Some(2));
    let name = all[0]["name"].as_str().expect("a name").to_owned();
    let faults = format!("/engines/{name}/faults");

    order(&admin, Method::POST, &faults, r#"{"status":503}"#).await;
    assert_eq!(cluster.ask(0, Method::GET, "/info", "").await.0, 503);
    assert_eq!(
        cluster.ask(1, Method::GET, "/info", "").await.0,
        200,
        "the other is well"
    );

    order(&admin, Method::POST, &faults, r#"{"garbage":true}"#).await;
    assert!(cluster.ask(0, Method::GET, "/info", "").await.1.contains("gibberish"));

    order(
        &admin,
        Method::POST,
        &faults,
        r#"{"delay":{"uniform":["60ms","70ms"]}}"#,
    )
    .await;
    let begun = Instant::now();
    assert_eq!(cluster.ask(0, Method::GET, "/info", "").await.0, 200);
    assert!(begun.elapsed() >= Duration::from_millis(60));

    order(&admin, Method::POST, &faults, r#"{"hang":true}"#).await;
    let asked = cluster.ask(0, Method::GET, "/info", "");
    assert!(tokio::time::timeout(Duration::from_millis(100), asked).await.is_err());

    order(&admin, Method::POST, "/engines/*/faults", r#"{"refuse":true}"#).await;
    let refused = |engine: usize| {
        let address = cluster.addresses[engine].clone();
        async move {
            while net::dial(&address, None, Duration::from_secs(5)).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    within(refused(0)).await;
    within(refused(1)).await;
    order(&admin, Method::DELETE, "/engines/*/faults", "").await;
    let crash = format!("/engines/{name}/crash");
    let (_, crashed) = order(&admin, Method::POST, &crash, r#"{"containers":"lost","for":"50ms"}"#).await;
    assert_eq!(crashed[0]["up"], false);
    let back = async {
        while net::dial(&cluster.addresses[0], None, Duration::from_secs(5))
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(back).await;
    assert_eq!(cluster.ask(0, Method::GET, "/info", "").await.0, 200);
}

#[tokio::test]
async fn orders_that_make_no_sense_change_nothing() {
    let cluster = Cluster::start(nodes(1)).await;
    assert!(
        cluster
            .engines
            .admit("10.0.0.1:0".parse().expect("an address"))
            .await
            .is_err()
    );
    let address = cluster
        .engines
        .admit("127.0.0.1:0".parse().expect("an address"))
        .await
        .expect("a socket");
    let admin = Address::Tcp(address.to_string());
    for (target, body, status) in [
        ("/engines/nobody/faults", "{}", 404),
        ("/engines/*/faults", "{", 400),
        ("/engines/*/faults", r#"{"hnag":true}"#, 400),
        ("/engines/*/faults", r#"{"status":200}"#, 400),
        ("/engines/*/faults", r#"{"delay":"soon"}"#, 400),
        ("/engines/*/faults", r#"{"delay":{"uniform":["1ms"]}}"#, 400),
        ("/engines/*/crash", r#"{"containers":"some"}"#, 400),
        ("/engines/*/dance", "", 404),
    ] {
        let (answered, told) = order(&admin, Method::POST, target, body).await;
        assert!(
            answered == status && told["message"].is_string(),
            "{target} {body}: {answered} {told}"
        );
    }
    assert_eq!(cluster.ask(0, Method::GET, "/info", "").await.0, 200);
}

#[tokio::test]
async fn the_scenario_orders_every_fault_and_takes_it_back() {
    let events = [
        ("n-1", "status = 503"),
        ("n-2", "garbage = true"),
        (
            "n-3",
            "delay = { distribution = \"uniform\", low = \"60ms\", high = \"70ms\" }",
        ),
        ("n-4", "hang = true"),
        ("n-5", "refuse = true"),
        ("n-6", "crash = true"),
        ("n-7", "drop-events = true"),
    ];
    let events = events.map(|(nodes, fault)| {
        format!("[[events]]\naction = \"misbehave\"\nat = \"60s\"\nlasts = \"5m\"\nnodes = \"{nodes}\"\n{fault}\n")
    });
    let plan = plan(&format!(
        "[run]\nduration = \"1h\"\n[cluster.nodes.n]\ncount = 7\ncpus = 4\nmemory = \"8GiB\"\n\
         [workload.none]\narrivals = {{ process = \"at-start\", count = 1 }}\ncpus = 1\nmemory = \"1MiB\"\n{}",
        events.concat()
    ));
    // A minute is half a second, and five of them are two and a half.
    let cluster = Cluster::fast(plan, 120.0).await;
    let body = r#"{"Image":"busybox","Labels":{"swarmlab.lifetime":"forever"}}"#;
    cluster
        .ask(5, Method::POST, "/images/create?fromImage=busybox&tag=latest", "")
        .await;
    cluster.ask(5, Method::POST, "/containers/create?name=kept", body).await;
    cluster.ask(5, Method::POST, "/containers/kept/start", "").await;
    let address = cluster.addresses[6].clone();
    let broken = tokio::spawn(async move { hears_the_end(&address).await });
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(cluster.ask(0, Method::GET, "/info", "").await.0, 503);
    assert!(cluster.ask(1, Method::GET, "/info", "").await.1.contains("gibberish"));
    let begun = Instant::now();
    assert_eq!(cluster.ask(2, Method::GET, "/_ping", "").await.0, 200);
    assert!(begun.elapsed() >= Duration::from_millis(60));
    let asked = cluster.ask(3, Method::GET, "/info", "");
    assert!(tokio::time::timeout(Duration::from_millis(100), asked).await.is_err());
    for gone in [4, 5] {
        let dialled = net::dial(&cluster.addresses[gone], None, Duration::from_secs(5)).await;
        assert!(dialled.is_err(), "n-{}", gone + 1);
    }
    assert!(broken.await.expect("no panic"), "the stream of events breaks off");
    let well = async {
        for engine in 0..7 {
            while net::dial(&cluster.addresses[engine], None, Duration::from_secs(5))
                .await
                .is_err()
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        while cluster.ask(3, Method::GET, "/_ping", "").await.0 != 200 {}
        while cluster.ask(0, Method::GET, "/info", "").await.0 != 200 {}
    };
    tokio::time::sleep(Duration::from_secs(3)).await;
    within(well).await;
    assert!(!cluster.ask(1, Method::GET, "/info", "").await.1.contains("gibberish"));
    let kept = cluster.json(5, Method::GET, "/containers/kept/json", "").await;
    assert_eq!(
        kept["State"]["Status"], "exited",
        "it kept its container, which has ended"
    );
}

/// Whether a stream of events ends, or breaks off.
async fn hears_the_end(address: &Address) -> bool {
    use http_body_util::BodyExt;
    let client = net::Client::new(address.clone(), None, Duration::from_secs(5));
    let request = hyper::Request::get("/events").body(net::empty()).expect("a request");
    let Ok(answer) = client.send(request).await else {
        return false;
    };
    let heard = tokio::time::timeout(Duration::from_secs(10), answer.into_body().collect()).await;
    heard.is_ok()
}

#[tokio::test]
async fn web_pages_give_no_orders() {
    let cluster = Cluster::start(nodes(1)).await;
    let address = cluster.engines.admit("127.0.0.1:0".parse().expect("an address")).await;
    let admin = Address::Tcp(address.expect("a socket").to_string());
    let client = net::Client::new(admin, None, Duration::from_secs(5));
    for (method, name, value, status) in [
        (Method::POST, "origin", "http://evil.example", 403),
        (Method::POST, "sec-fetch-site", "cross-site", 403),
        (Method::GET, "host", "evil.example", 403),
        (Method::GET, "origin", "http://evil.example", 200),
    ] {
        let target = if method == Method::GET {
            "/engines"
        } else {
            "/engines/*/crash"
        };
        let request = hyper::Request::builder().method(method).uri(target).header(name, value);
        let answer = within(client.send(request.body(net::empty()).expect("a request")))
            .await
            .expect("an answer");
        assert_eq!(answer.status(), status, "{name}: {value}");
    }
    assert_eq!(
        cluster.ask(0, Method::GET, "/_ping", "").await.0,
        200,
        "it has not crashed"
    );
}
