//! Faults on command: what is ordered at the admin endpoint is what clients of the engines see.

use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::Value;

use swarmlab::net::{self, Address};

use super::{Cluster, ask, nodes};
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
