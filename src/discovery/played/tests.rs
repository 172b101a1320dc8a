//! What stores are asked, and what becomes of their answers, good and bad.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::super::consul::Consul;
use super::super::etcd::{Etcd, User};
use super::super::moment::Moment;
use super::super::store::{BREATH, Ending, Lease, Mark, Place, Store};
use super::super::{Discovery, DiscoveryError, Entry, open};
use super::*;

const TTL: Duration = Duration::from_secs(3);

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(test)
}

fn opened(url: &str) -> Arc<dyn Discovery> {
    open(url, &BTreeMap::new()).expect("a store")
}

/// `a:1` in base64.
const A: &str = "YTox";

/// etcd with one address in it, as far as nothing else is said.
fn etcd(asked: &Asked) -> Value {
    match asked.line.as_str() {
        "POST /v3/kv/range" => json!({ "header": { "revision": "7" }, "kvs": [{ "value": A }] }),
        "POST /v3/lease/grant" => json!({ "ID": "5", "TTL": "3" }),
        "POST /v3/lease/keepalive" => json!({ "result": { "ID": "5", "TTL": "3" } }),
        "POST /v3/kv/txn" => json!({ "succeeded": true }),
        "POST /v3/watch" => json!({ "result": { "events": [{}] } }),
        _ => json!({}),
    }
}

async fn next(lists: &mut mpsc::Receiver<Result<Vec<Entry>, DiscoveryError>>) -> Result<Vec<Entry>, DiscoveryError> {
    let next = tokio::time::timeout(Duration::from_secs(10), lists.recv()).await;
    next.expect("news in time").expect("an open channel")
}

#[test]
fn addresses_that_are_registered_together_share_a_lease_and_go_with_it() {
    run(async {
        let played = Played::start(|asked| answer(200, &etcd(asked))).await;
        let store = opened(&format!("etcd://{}", played.address));
        for _ in 0..2 {
            store
                .register_all(&["a:1", "b:1", "c:1"], TTL)
                .await
                .expect("they are there");
        }
        store.withdraw().await.expect("they are gone");
        let count = |line: &str| played.asked(line).len();
        assert_eq!(
            (count("lease/grant"), count("lease/keepalive"), count("lease/revoke")),
            (1, 1, 1)
        );
        // Of the list that is played, all but a:1 are missing the second time.
        assert_eq!(count("kv/put"), 3 + 2);
        let all = played.asked("kv/put");
        assert!(
            all.iter().all(|asked| asked.body.contains("\"lease\":\"5\"")),
            "{all:?}"
        );
    });
}

#[test]
fn only_time_ends_a_session_of_consul() {
    run(async {
        let played = Played::start(|_| answer(200, &json!({ "ID": "s" }))).await;
        let consul = Consul::new(played.client(), None);
        let lease = consul.grant(TTL * 10, Ending::Release).await.expect("a session");
        assert_eq!(lease.lasts, TTL * 5);
        let body: Value = serde_json::from_str(&played.asked("session/create")[0].body).expect("JSON");
        assert_eq!(body["Checks"], json!([]));
        assert_eq!(body["NodeChecks"], json!([]));
        assert_eq!(body["TTL"], "15000ms");
    });
}

#[test]
fn a_key_of_an_earlier_session_of_consul_is_taken_over_without_a_gap() {
    run(async {
        let tries = AtomicUsize::new(0);
        let played = Played::start(move |asked| match asked.line.contains("acquire=new") {
            true => answer(200, &json!(tries.fetch_add(1, Ordering::Relaxed) > 0)),
            false if asked.line.starts_with("GET") => answer(200, &json!([{ "Session": "old", "Value": A }])),
            false => answer(200, &json!(true)),
        })
        .await;
        let consul = Consul::new(played.client(), None);
        let lease = Lease::new("new".to_owned(), TTL);
        consul.put(&lease, "p/a:1", "a:1").await.expect("it is written");
        let lines: Vec<String> = played.asked("PUT").into_iter().map(|asked| asked.line).collect();
        let parts = ["acquire=new", "release=old", "acquire=new"];
        assert_eq!(lines.len(), parts.len());
        for (line, part) in lines.iter().zip(parts) {
            assert!(
                line.starts_with("PUT /v1/kv/p/a:1?") && line.contains(part),
                "{lines:?}"
            );
        }
    });
}

#[test]
fn a_store_that_always_reports_changes_is_not_asked_as_fast_as_it_answers() {
    run(async {
        let played = Played::start(|asked| answer(200, &etcd(asked))).await;
        let mut lists = opened(&format!("etcd://{}/x", played.address)).watch(TTL);
        assert_eq!(next(&mut lists).await.expect("a list").len(), 1);
        let since = Instant::now();
        let before = played.asked("range").len();
        tokio::time::sleep(BREATH * 6).await;
        let most = since.elapsed().as_millis() / BREATH.as_millis() + 1;
        let looks = played.asked("range").len() - before;
        assert!(looks > 0 && looks as u128 <= most, "{looks} looks");
        assert!(lists.try_recv().is_err(), "it is the same list");
    });
}

#[test]
fn a_watch_that_breaks_once_is_repeated_silently_and_one_that_always_breaks_is_told_once() {
    run(async {
        let played = Played::start(|asked| match asked.line.contains("watch") {
            true => Vec::new(),
            false => answer(200, &etcd(asked)),
        })
        .await;
        let mut lists = opened(&format!("etcd://{}/x", played.address)).watch(TTL);
        assert!(next(&mut lists).await.is_ok());
        assert!(next(&mut lists).await.is_err());
        assert_eq!(played.asked("watch").len(), 2);
        while played.asked("watch").len() < 4 {
            tokio::time::sleep(BREATH).await;
        }
        assert!(lists.try_recv().is_err(), "no news");
    });
}

#[test]
fn trouble_with_several_members_is_told_once() {
    run(async {
        let gone = || answer(503, &json!({ "error": "etcdserver: no leader" }));
        let (one, other) = (
            Played::start(move |_| gone()).await,
            Played::start(move |_| gone()).await,
        );
        let discovery = opened(&format!("etcd://{},{}/x", one.address, other.address));
        let mut lists = Arc::clone(&discovery).watch(TTL);
        assert!(next(&mut lists).await.is_err());
        while one.asked("range").len() < 4 {
            // Somebody else who asks, so that the members are asked in another order.
            discovery.register("a:1", TTL).await.expect_err("there is no leader");
            tokio::time::sleep(BREATH).await;
        }
        assert!(lists.try_recv().is_err(), "no news");
    });
}

#[test]
fn what_may_have_been_written_is_withdrawn_too() {
    run(async {
        let played = Played::start(|asked| match asked.line.contains("put") {
            true => Vec::new(),
            false => answer(200, &etcd(asked)),
        })
        .await;
        let discovery = opened(&format!("etcd://{}/x", played.address));
        discovery.register("a:1", TTL).await.expect_err("no answer");
        discovery.register("a:1", TTL).await.expect("it is there");
        assert_eq!(played.asked("grant").len(), 1, "the lease is as good as before");
        discovery.withdraw().await.expect("an answer");
        assert_eq!(played.asked("revoke").len(), 1);
    });
}

#[test]
fn a_claim_without_an_answer_leaves_no_lease_behind() {
    run(async {
        let played = Played::start(|asked| match asked.line.contains("txn") {
            true => Vec::new(),
            false => answer(200, &etcd(asked)),
        })
        .await;
        let discovery = opened(&format!("etcd://{}/x", played.address));
        let election = discovery.election().expect("it elects");
        election.campaign("a:1", TTL).await.expect_err("no answer");
        let since = Instant::now();
        while played.asked("revoke").is_empty() {
            assert!(since.elapsed() < TTL, "the lease stays");
            tokio::time::sleep(BREATH).await;
        }
    });
}

#[test]
fn a_leader_knows_in_time_that_its_store_has_fallen_silent() {
    const TTL: Duration = Duration::from_secs(1);
    run(async {
        let renewals = AtomicUsize::new(0);
        let played = Played::start(move |asked| {
            // The one before the claim, and one more.
            let is_silent = asked.line.contains("keepalive") && renewals.fetch_add(1, Ordering::Relaxed) > 1;
            if is_silent {
                Vec::new()
            } else {
                answer(200, &etcd(asked))
            }
        })
        .await;
        let discovery = opened(&format!("etcd://{}/x", played.address));
        let election = discovery.election().expect("it elects");
        let before = Moment::now();
        let leadership = election.campaign("a:1", TTL).await.expect("nobody else stands");
        let first = leadership.until();
        assert!(
            first >= before + TTL && first <= Moment::now() + TTL,
            "counted from before it was asked"
        );
        leadership.lost().await;
        assert!(leadership.until() > first, "it was renewed once");
        assert!(Moment::now() >= leadership.until(), "what is certain is not given away");
        assert!(leadership.until() <= before + TTL * 2);
        assert!(played.asked("keepalive").len() > 3, "it has tried again");
    });
}

#[test]
fn rights_that_have_changed_are_asked_for_again() {
    run(async {
        let introductions = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&introductions);
        let played = Played::start(move |asked| match asked.line.contains("authenticate") {
            true => {
                counted.fetch_add(1, Ordering::Relaxed);
                answer(200, &json!({ "token": "t" }))
            }
            false if counted.load(Ordering::Relaxed) < 2 => {
                answer(400, &json!({ "error": "etcdserver: revision of auth store is old" }))
            }
            false => answer(200, &etcd(asked)),
        })
        .await;
        let user = User {
            name: "u".to_owned(),
            password: "p".to_owned(),
        };
        let (values, _) = Etcd::new(vec![played.client()], Some(user))
            .list("/x")
            .await
            .expect("a list");
        assert_eq!(values, ["a:1"]);
        assert_eq!(introductions.load(Ordering::Relaxed), 2);
    });
}

/// Does everything to a store that there is. What matters is that it comes to an end.
async fn everything(store: &Store) {
    let lease = Lease::new("1".to_owned(), TTL);
    for mark in [Mark(1), Mark(u64::MAX)] {
        for place in [Place::Key("/k"), Place::Below("/d")] {
            let _ = match store {
                Store::Etcd(etcd) => etcd.wait(place, mark, BREATH).await,
                Store::Consul(consul) => consul.wait(place, mark, BREATH).await,
                #[cfg(feature = "zookeeper")]
                Store::ZooKeeper(servers) => servers.wait(place, mark, BREATH).await,
            };
        }
    }
    let _ = store.list("/d").await;
    let _ = store.read("/k").await;
    let _ = store.grant(TTL, Ending::Delete).await;
    let _ = store.renew(&lease).await;
    let _ = store.put(&lease, "/k", "v").await;
    let _ = store.claim(&lease, "/k", "v").await;
    let _ = store.revoke(&lease).await;
}

async fn everything_with(answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) {
    let played = Played::start(answer).await;
    let user = User {
        name: "u".to_owned(),
        password: "p".to_owned(),
    };
    everything(&Store::Etcd(Etcd::new(vec![played.client()], None))).await;
    everything(&Store::Etcd(Etcd::new(
        vec![played.client(), played.client()],
        Some(user),
    )))
    .await;
    everything(&Store::Consul(Consul::new(played.client(), None))).await;
}

/// JSON with the names that stores use, in the wrong places.
fn any_json() -> impl Strategy<Value = Value> {
    const NAMES: [&str; 20] = [
        "kvs",
        "value",
        "header",
        "revision",
        "ID",
        "TTL",
        "result",
        "events",
        "canceled",
        "error",
        "token",
        "succeeded",
        "responses",
        "response_range",
        "lease",
        "Session",
        "Value",
        "Key",
        "LockIndex",
        "message",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!(u64::MAX)),
        Just(json!(u64::MAX.to_string())),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((proptest::sample::select(&NAMES[..]), inner), 0..4).prop_map(|pairs| {
                Value::Object(
                    pairs
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_json_is_an_answer_or_an_error(
        status in prop_oneof![Just(200_u16), Just(401), Just(404), Just(500), Just(503), 200_u16..600],
        body in any_json(),
    ) {
        run(everything_with(move |_| answer(status, &body)));
    }

    #[test]
    fn any_bytes_are_an_answer_or_an_error(
        head in prop_oneof![
            Just(&b""[..]),
            Just(&b"HTTP/1.1 200 OK\r\n\r\n"[..]),
            Just(&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"[..]),
            Just(&b"HTTP/1.1 200 OK\r\nX-Consul-Index: 99999999999999999999\r\nContent-Length: 9\r\n\r\n"[..]),
        ],
        rest in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let bytes = [head, &rest].concat();
        run(everything_with(move |_| bytes.clone()));
    }
}

#[cfg(feature = "zookeeper")]
mod zookeeper {
    use super::super::super::store::StoreError;
    use super::super::super::zookeeper::ZooKeeper;
    use super::*;

    /// A server that says the bytes to everybody, and closes the connection.
    async fn saying(bytes: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(bytes).await.ok();
                // What it is told is read first, or the bytes might be lost with the connection.
                stream.read_buf(&mut Vec::with_capacity(512)).await.ok();
            }
        });
        address
    }

    #[test]
    fn any_bytes_are_an_error() {
        let answers: [&[u8]; 6] = [
            b"",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            // Lengths: the largest, a negative one, one of nothing.
            b"\x7f\xff\xff\xff",
            b"\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\0\0\0\0",
            // The greeting of a session, and then one that is not asked for.
            b"\0\0\0\x25\0\0\0\0\0\0\x0f\xa0\0\0\0\0\0\0\0\x01\0\0\0\x10AAAAAAAAAAAAAAAA\0\0\0\0\x14\0\0\0\x09\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0",
        ];
        for bytes in answers {
            run(async {
                let servers = ZooKeeper::new(vec![saying(bytes).await.parse().expect("an address")], None, None);
                let found = tokio::time::timeout(TTL * 3, servers.list("/d")).await;
                let error = found.expect("an end").expect_err("no list");
                assert!(!matches!(error, StoreError::LeaseLost), "{error}");
            });
        }
    }
}
