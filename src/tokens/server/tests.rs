//! The protocol, spoken to a service in this process.

use std::sync::atomic::{AtomicU64, Ordering};

use hyper::Method;
use hyper::header::{ALLOW, HeaderMap, RETRY_AFTER};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::net::{self, Address, Allowed, Client as Sender};
use crate::tokens::{Options, Running, start_by};

/// Far longer than anything takes, so that a test that hangs fails.
const AGES: Duration = Duration::from_secs(60);

struct Fixture {
    directory: tempfile::TempDir,
    time: Arc<AtomicU64>,
    stop: CancellationToken,
    running: Running,
    sender: Sender,
}

/// A service without a limit on requests.
fn free() -> Limits {
    Limits {
        rate: 0,
        ..Limits::default()
    }
}

impl Fixture {
    async fn new(limits: Limits) -> Fixture {
        let directory = tempfile::tempdir().expect("a directory");
        Fixture::reopened(directory, Arc::new(AtomicU64::new(1_000_000)), limits).await
    }

    async fn reopened(directory: tempfile::TempDir, time: Arc<AtomicU64>, limits: Limits) -> Fixture {
        let stop = CancellationToken::new();
        let options = Options {
            listen: "127.0.0.1:0".to_owned(),
            data: directory.path().join("register"),
            tls: None,
            limits,
            allowed: Allowed::default(),
        };
        let clock = Arc::clone(&time);
        let clock = Arc::new(move || clock.load(Ordering::SeqCst));
        let running = start_by(options, stop.clone(), clock).await.expect("it starts");
        let sender = Sender::new(running.address().clone(), None, AGES);
        Fixture {
            directory,
            time,
            stop,
            running,
            sender,
        }
    }

    async fn send(&self, method: Method, target: &str, body: impl Into<Bytes>) -> (u16, HeaderMap, String) {
        let request = Request::builder().method(method).uri(target).body(net::full(body));
        let request = request.expect("a request");
        let answered = tokio::time::timeout(AGES, self.sender.send(request)).await;
        let (head, body) = answered.expect("in time").expect("an answer").into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let body = String::from_utf8(body.to_vec()).expect("text");
        (head.status.as_u16(), head.headers, body)
    }

    async fn status(&self, method: Method, target: &str, body: &str) -> u16 {
        self.send(method, target, body.to_owned()).await.0
    }

    async fn create(&self) -> String {
        let (status, _, token) = self.send(Method::POST, "/v1/clusters", "").await;
        assert_eq!(status, 200, "{token}");
        token
    }

    async fn end(self) -> (tempfile::TempDir, Arc<AtomicU64>) {
        self.stop.cancel();
        self.running.ended().await.expect("a good end");
        (self.directory, self.time)
    }

    async fn dial(&self) -> TcpStream {
        match self.running.address() {
            Address::Tcp(address) => TcpStream::connect(address).await.expect("a connection"),
            Address::Unix(_) => unreachable!("it listens on TCP"),
        }
    }
}

#[tokio::test]
async fn clusters_are_created_filled_listed_and_emptied() {
    let service = Fixture::new(free()).await;
    let token = service.create().await;
    assert!(token.parse::<Token>().is_ok(), "{token}");
    let cluster = format!("/v1/clusters/{token}");
    let (status, headers, body) = service.send(Method::GET, &cluster, "").await;
    assert_eq!((status, body.as_str()), (200, "[]"));
    assert_eq!(headers["content-type"], "application/json");
    for (query, address) in [("?ttl=10", "b:2"), ("", "a:1"), ("?ttl=20", "[::1]:5")] {
        let target = format!("{cluster}{query}");
        assert_eq!(service.status(Method::POST, &target, address).await, 200);
    }
    let listed = async || service.send(Method::GET, &cluster, "").await.2;
    assert_eq!(listed().await, r#"["[::1]:5","a:1","b:2"]"#);
    let entry = format!("{cluster}/%5B::1%5D:5");
    assert_eq!(service.status(Method::DELETE, &entry, "").await, 204);
    assert_eq!(service.status(Method::DELETE, &entry, "").await, 404);
    assert_eq!(listed().await, r#"["a:1","b:2"]"#);
    service.time.fetch_add(10_000, Ordering::SeqCst);
    assert_eq!(listed().await, r#"["a:1"]"#, "it has run out");
    let (directory, time) = service.end().await;
    let service = Fixture::reopened(directory, time, free()).await;
    assert_eq!(service.send(Method::GET, &cluster, "").await.2, r#"["a:1"]"#);
    let (_, _, metrics) = service.send(Method::GET, "/metrics", "").await;
    for line in [
        "swarmlab_discovery_clusters 1",
        "swarmlab_discovery_addresses 1",
        "swarmlab_discovery_requests_total{route=\"list\",code=\"200\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    service.end().await;
}

#[tokio::test]
async fn what_cannot_be_done_is_told_in_json() {
    let limits = Limits {
        clusters: 1,
        entries: 1,
        ..free()
    };
    let service = Fixture::new(limits).await;
    let token = service.create().await;
    let cluster = format!("/v1/clusters/{token}");
    let unknown = "/v1/clusters/0123456789abcdef0123456789abcdef";
    assert_eq!(service.status(Method::POST, &cluster, "a:1").await, 200);
    let long = "x".repeat(BODY_BYTES + 1);
    for (method, target, body, status, message) in [
        (Method::GET, unknown, "", 404, "no such cluster"),
        (Method::POST, unknown, "a:1", 404, "no such cluster"),
        (Method::GET, "/v1/clusters/x", "", 400, "a token has 32 digits"),
        (Method::POST, &cluster, "nohost", 400, "ip:port or hostname:port"),
        (Method::POST, &format!("{cluster}?ttl=0"), "a:1", 400, "ttl should be"),
        (Method::POST, &cluster, &long, 413, "longer than 1024 bytes"),
        (Method::PUT, &cluster, "", 405, "this takes GET, POST"),
        (Method::GET, "/v2", "", 404, "page not found"),
        (Method::POST, &cluster, "b:1", 507, "has 1 addresses"),
        (Method::POST, "/v1/clusters", "", 507, "has 1 clusters"),
    ] {
        let (found, headers, body) = service.send(method, target, body.to_owned()).await;
        assert_eq!(found, status, "{target}: {body}");
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert!(body["message"].as_str().expect("a message").contains(message), "{body}");
        assert_eq!(headers.contains_key(ALLOW), status == 405);
    }
    assert_eq!(service.send(Method::GET, "/_ping", "").await.2, "OK");
    service.end().await;
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let service = Fixture::new(Limits {
        rate: 1,
        ..Limits::default()
    })
    .await;
    service.create().await;
    let (status, headers, body) = service.send(Method::POST, "/v1/clusters", "").await;
    assert_eq!(status, 429, "{body}");
    let wait: u64 = headers[RETRY_AFTER].to_str().expect("text").parse().expect("a number");
    assert!((1..=11).contains(&wait), "{wait}");
    assert!(body.contains("message"));
    service.end().await;
}

#[tokio::test]
async fn what_is_acknowledged_together_is_written_together() {
    let service = Arc::new(Fixture::new(free()).await);
    let token = service.create().await;
    let mut writers = tokio::task::JoinSet::new();
    for number in 1000..1100 {
        let (service, target) = (Arc::clone(&service), format!("/v1/clusters/{token}"));
        writers.spawn(async move { service.status(Method::POST, &target, &format!("h:{number}")).await });
    }
    assert!(writers.join_all().await.iter().all(|status| *status == 200));
    let (_, _, list) = service.send(Method::GET, &format!("/v1/clusters/{token}"), "").await;
    let list: Vec<String> = serde_json::from_str(&list).expect("a list");
    assert_eq!(list.len(), 100);
    assert!(list.is_sorted());
}

/// What the service says on a connection until it closes it.
async fn heard(mut connection: TcpStream) -> String {
    let mut said = String::new();
    let heard = tokio::time::timeout(AGES, connection.read_to_string(&mut said)).await;
    // A connection that is reset is closed as well.
    let _ = heard.expect("it is closed");
    said
}

#[tokio::test]
async fn hostile_clients_are_shown_out_and_hold_up_nobody() {
    let limits = Limits {
        connections: 4,
        ..free()
    };
    let service = Fixture::new(limits).await;
    let mut garbage = service.dial().await;
    garbage.write_all(b"\x16\x03\x01garbage\r\n\r\n").await.expect("sent");
    assert!(heard(garbage).await.starts_with("HTTP/1.1 400"));
    let mut endless = service.dial().await;
    let head = format!("GET /_ping HTTP/1.1\r\nx: {}", "x".repeat(2 * HEAD_BYTES));
    let _ = endless.write_all(head.as_bytes()).await;
    assert!(heard(endless).await.starts_with("HTTP/1.1 431"));
    // Two of four places are one client's; a third connection is closed before anything is read.
    let silent = [service.dial().await, service.dial().await];
    let said = heard(service.dial().await).await;
    assert_eq!(said, "");
    drop(silent);
    // As soon as the service has noticed, there is room.
    for _ in 0..100 {
        let mut connection = service.dial().await;
        let _ = connection
            .write_all(b"GET /_ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await;
        if heard(connection).await.ends_with("OK") {
            service.end().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("there is no room");
}

#[tokio::test]
async fn web_pages_alter_nothing() {
    let service = Fixture::new(free()).await;
    let token = service.create().await;
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("host", "evil.example"),
    ] {
        let request = Request::post(format!("/v1/clusters/{token}")).header(name, value);
        let request = request.body(net::full("a:1")).expect("a request");
        let answer = service.sender.send(request).await.expect("an answer");
        assert_eq!(answer.status(), 403, "{name}: {value}");
    }
    assert_eq!(
        service.send(Method::GET, &format!("/v1/clusters/{token}"), "").await.2,
        "[]"
    );
}
