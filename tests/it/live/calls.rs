//! Calls to a daemon: what succeeds, and in which class what fails belongs.

use std::time::Duration;

use hyper::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use swarmlab::docker::{ApiVersion, CallError, Daemon, Timeouts, json};
use swarmlab::net::Address;

use super::fake::{Fake, Reply, Routes, ping};
use super::{AGES, SOON, within};

const PATIENT: Timeouts = Timeouts {
    dial: AGES,
    answer: AGES,
    order: AGES,
};

fn client(fake: &Fake) -> Daemon {
    Daemon::new(fake.address.clone(), None, PATIENT)
}

/// The error of `GET /info` of a daemon that does so about it.
async fn failure(reply: impl Fn() -> Reply + Send + Sync + 'static, answer: Duration) -> (Address, CallError) {
    let fake = Routes::default().on("GET", "/info", move |_| reply()).start().await;
    let daemon = Daemon::new(fake.address.clone(), None, Timeouts { answer, ..PATIENT });
    (
        fake.address.clone(),
        within(daemon.info()).await.expect_err("a failure"),
    )
}

fn no_daemon(address: &Address) -> CallError {
    CallError::Unreachable(format!(
        "Cannot connect to the Docker daemon at {address}. Is the docker daemon running?"
    ))
}

#[tokio::test]
async fn a_daemon_is_asked_as_the_original_does() {
    let fake = Routes::daemon("node-0")
        .on("POST", "/containers/create", |_| {
            Reply::Json(201, json!({"Id": "abc", "Warnings": null}))
        })
        .on("POST", "/containers/abc/start", |_| Reply::Text(304, ""))
        .on("DELETE", "/containers/abc", |_| Reply::Text(204, ""))
        .on("GET", "/volumes/v", |_| Reply::Json(200, json!({"Name": "v"})))
        .start()
        .await;
    let daemon = client(&fake);
    within(async {
        assert_eq!(json::text(&daemon.info().await?, "Name"), "node-0");
        assert_eq!(json::text(&daemon.version().await?, "Version"), "20.10.0");
        assert_eq!(daemon.negotiate().await?, ApiVersion::HIGHEST);
        assert!(
            daemon.containers(None).await?.is_empty()
                && daemon.containers(Some(&["a\"b".to_owned()])).await?.is_empty()
        );
        assert!(daemon.images().await?.is_empty() && daemon.volumes().await?.is_empty());
        assert!(daemon.networks().await?.is_empty());
        assert_eq!(
            json::text(
                &daemon.create_container("/web", "", &json!({"Image": "x"})).await?,
                "Id"
            ),
            "abc"
        );
        daemon.start_container("abc").await?;
        daemon.remove_container("abc", true, true, false).await?;
        assert_eq!(json::text(&daemon.volume("v").await?, "Name"), "v");
        Ok::<_, CallError>(())
    })
    .await
    .expect("a daemon that answers");
    assert_eq!(
        fake.calls(),
        [
            "GET /info",
            "GET /version",
            "HEAD /_ping",
            "GET /v1.40/containers/json?all=1&limit=0",
            "GET /v1.40/containers/json?all=1&limit=0&filters=%7B%22id%22%3A%5B%22a%5C%22b%22%5D%7D",
            "GET /v1.40/images/json?all=1",
            "GET /v1.40/volumes",
            "GET /v1.40/networks",
            "POST /v1.40/containers/create?name=%2Fweb",
            "POST /v1.40/containers/abc/start",
            "DELETE /v1.40/containers/abc?force=1&v=1",
            "GET /v1.40/volumes/v",
        ]
    );
    let create = &fake.seen()[8];
    assert_eq!(
        (&create.body[..], &create.headers["content-type"]),
        (&br#"{"Image":"x"}"#[..], &"application/json".parse().expect("a value"))
    );
}

#[tokio::test]
async fn versions_are_agreed_upon_and_may_rise_again() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let asked = AtomicUsize::new(0);
    let fake = Routes::default()
        .on("HEAD", "/_ping", move |_| match asked.fetch_add(1, Ordering::Relaxed) {
            0 => ping("1.30"),
            1 => Reply::Text(405, "no"),
            2 => ping("1.51"),
            _ => ping("nonsense"),
        })
        .on("GET", "/_ping", |_| ping("1.26"))
        .on("GET", "/version", |_| {
            Reply::Json(200, json!({"MinAPIVersion": "1.44"}))
        })
        .start()
        .await;
    let daemon = client(&fake);
    assert_eq!(
        (daemon.api_version(), daemon.versioned("/info").as_str()),
        (None, "/info")
    );
    for expected in ["1.30", "1.26", "1.40", "1.24"] {
        assert_eq!(
            within(daemon.negotiate()).await.expect("an answer").to_string(),
            expected
        );
    }
    // A daemon that no longer speaks what we prefer.
    within(daemon.version()).await.expect("an answer");
    assert_eq!(daemon.versioned("/info"), "/v1.44/info");
}

#[tokio::test]
async fn nobody_there_is_a_failure_of_the_daemon() {
    let address = Fake::nowhere().await;
    let daemon = Daemon::new(address.clone(), None, PATIENT);
    assert_eq!(within(daemon.info()).await, Err(no_daemon(&address)));
    assert_eq!(within(daemon.negotiate()).await, Err(no_daemon(&address)));
    assert_eq!(within(daemon.dial()).await.err(), Some(no_daemon(&address)));
    assert_eq!(within(daemon.events()).await.err(), Some(no_daemon(&address)));

    let directory = tempfile::tempdir().expect("a directory");
    let missing = Address::Unix(directory.path().join("none.sock"));
    assert_eq!(
        within(Daemon::new(missing.clone(), None, PATIENT).info()).await,
        Err(no_daemon(&missing))
    );

    let unnamed = Address::Tcp("no-such-host.invalid:2375".to_owned());
    let error = within(Daemon::new(unnamed, None, PATIENT).info())
        .await
        .expect_err("a name without address");
    assert!(
        error.is_unreachable()
            && error
                .to_string()
                .contains("cannot resolve tcp://no-such-host.invalid:2375"),
        "{error}"
    );
}

#[tokio::test]
async fn a_daemon_that_does_not_answer_in_time_has_failed() {
    for stalled in [|| Reply::Hang, || Reply::Stalled(vec!["{\"Name\":"])] {
        let (address, error) = failure(stalled, SOON).await;
        assert_eq!(error, no_daemon(&address));
        let fake = Routes::default().on("GET", "/info", move |_| stalled()).start().await;
        let error = within(client(&fake).with_patience(SOON).info())
            .await
            .expect_err("no answer");
        assert_eq!(error, no_daemon(&fake.address));
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_failure_of_the_daemon() {
    for broken in [|| Reply::Close, || Reply::Broken(vec!["{\"Name\":"])] {
        let (address, error) = failure(broken, AGES).await;
        assert!(error.is_unreachable(), "{error:?}");
        assert!(
            error
                .to_string()
                .starts_with(&format!("error during connect: {address}: ")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_daemon_that_refuses_is_alive() {
    let (_, error) = failure(|| Reply::Json(500, json!({"message": "out of disk"})), AGES).await;
    assert_eq!(
        error,
        CallError::Answered {
            status: 500,
            message: "out of disk".to_owned()
        }
    );
    assert_eq!(error.to_string(), "Error response from daemon: out of disk");
    let (_, error) = failure(|| Reply::Text(404, "404 page not found\n"), AGES).await;
    assert!(error.is_not_found() && !error.is_unreachable());
    assert_eq!(error.to_string(), "Error response from daemon: 404 page not found");
}

#[tokio::test]
async fn what_no_daemon_says_is_garbled() {
    for reply in [
        || Reply::Text(200, "<html>"),
        || Reply::Json(200, json!([])),
        || Reply::Text(204, ""),
    ] {
        let (_, error) = failure(reply, AGES).await;
        assert!(matches!(error, CallError::Garbled(_)), "{error:?}");
    }
    let fake = Routes::default()
        .raw("GET", "/info", |_, mut stream| async move {
            stream
                .write_all(b"SSH-2.0-OpenSSH_9.2\r\n")
                .await
                .expect("a client that listens");
        })
        .on("GET", "/networks", |_| Reply::Json(200, json!([1])))
        .start()
        .await;
    for error in [
        within(client(&fake).info()).await.expect_err("no HTTP"),
        within(client(&fake).networks()).await.expect_err("no objects"),
    ] {
        assert!(matches!(error, CallError::Garbled(_)), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    // Claims more than is read; what matters is that nothing is kept of it.
    let fake = Routes::default()
        .raw("GET", "/info", |_, mut stream| async move {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            let piece = [b' '; 64 << 10];
            while stream.write_all(&piece).await.is_ok() {}
        })
        .start()
        .await;
    let error = within(client(&fake).info()).await.expect_err("too much");
    assert_eq!(
        error,
        CallError::Garbled(format!("{}: more than {} bytes", fake.address, 64 << 20))
    );
}

#[tokio::test]
async fn events_come_as_they_happen() {
    let fake = Routes::default()
        .on("GET", "/events", |_| {
            Reply::Stalled(vec!["{\"id\":\"a\"}\n{\"id\"", ":\"}\"}{\"id\":\"c\"}"])
        })
        .on("POST", "/images/create", |_| {
            Reply::Stream(vec!["{\"status\":\"x\"}\r\n", "{\"status\":\"y\"}"])
        })
        .start()
        .await;
    let daemon = client(&fake);
    let mut events = within(daemon.events()).await.expect("a stream");
    for id in ["a", "}", "c"] {
        assert_eq!(
            json::text(
                &within(events.next()).await.expect("an event").expect("not the end"),
                "id"
            ),
            id
        );
    }
    let pull = hyper::Request::builder()
        .method(Method::POST)
        .uri("/images/create?fromImage=x");
    let pull = pull.body(swarmlab::net::empty()).expect("a request");
    let progress = within(daemon.stream(pull)).await.expect("a stream");
    assert_eq!(within(progress.collect(10, AGES)).await.expect("all of it").len(), 2);
}

#[tokio::test]
async fn streams_end_properly_or_fail() {
    for (reply, expected) in [
        (
            Reply::Stream as fn(Vec<&'static str>) -> Reply,
            "the stream ended within an object",
        ),
        (Reply::Broken, "error during connect"),
    ] {
        let fake = Routes::default()
            .on("GET", "/events", move |_| reply(vec!["{}", "{\"id\""]))
            .start()
            .await;
        let mut events = within(client(&fake).events()).await.expect("a stream");
        assert!(within(events.next()).await.expect("an object").is_some());
        let error = within(events.next()).await.expect_err("no end of an object");
        assert!(
            error.is_unreachable() && error.to_string().contains(expected),
            "{error}"
        );
    }
    let fake = Routes::default()
        .on("GET", "/events", |_| Reply::Stream(vec!["{}", "junk"]))
        .on("GET", "/refused", |_| Reply::Json(409, json!({"message": "no"})))
        .start()
        .await;
    let mut events = within(client(&fake).events()).await.expect("a stream");
    assert!(within(events.next()).await.expect("an object").is_some());
    assert!(matches!(within(events.next()).await, Err(CallError::Garbled(_))));
}

#[tokio::test]
async fn a_daemon_that_comes_back_is_found_again() {
    let fake = Routes::daemon("node-0").start().await;
    let address = fake.address.clone();
    let daemon = client(&fake);
    within(daemon.info()).await.expect("an answer");
    drop(fake);
    // The connection that was kept may or may not be known to be dead yet.
    while within(daemon.info()).await != Err(no_daemon(&address)) {
        tokio::task::yield_now().await;
    }
    let _fake = Routes::daemon("node-0").start_at(&address, None).await;
    within(daemon.info()).await.expect("an answer");
    daemon.close_idle();
    within(daemon.info()).await.expect("an answer");
}
