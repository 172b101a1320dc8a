//! Files of containers and images: what is put in comes out again, by whichever way.

use http_body_util::BodyExt;
use hyper::{Method, Request, Response, body::Incoming};
use serde_json::{Value, json};
use tar::{Archive, Builder, Header};

use swarmlab::net;

use super::{Cluster, nodes};
use crate::live::{AGES, within};

/// An archive of files with their texts.
fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, text.as_bytes()).expect("a path");
    }
    builder.into_inner().expect("an archive")
}

/// The names in an archive.
fn names(bytes: &[u8]) -> Vec<String> {
    let mut archive = Archive::new(bytes);
    let entries = archive.entries().expect("an archive");
    let name = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        entry.expect("whole").path().expect("a path").display().to_string()
    };
    entries.map(name).collect()
}

async fn send(cluster: &Cluster, method: Method, target: &str, body: Vec<u8>) -> Response<Incoming> {
    let client = net::Client::new(cluster.addresses[0].clone(), None, AGES);
    let request = Request::builder().method(method).uri(target).body(net::full(body));
    within(client.send(request.expect("a request")))
        .await
        .expect("an answer")
}

async fn exchange(cluster: &Cluster, method: Method, target: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
    let answer = send(cluster, method, target, body).await;
    let status = answer.status().as_u16();
    let body = within(answer.into_body().collect()).await.expect("a whole body");
    (status, body.to_bytes().to_vec())
}

/// An engine with a container called `web`.
async fn started() -> Cluster {
    let cluster = Cluster::start(nodes(1)).await;
    cluster
        .ask(0, Method::POST, "/images/create?fromImage=busybox&tag=latest", "")
        .await;
    let body = r#"{"Image":"busybox","HostConfig":{"Binds":["data:/data"]}}"#;
    assert_eq!(
        cluster
            .ask(0, Method::POST, "/containers/create?name=web", body)
            .await
            .0,
        201
    );
    cluster
}

#[tokio::test]
async fn files_that_are_copied_in_can_be_copied_out() {
    let cluster = started().await;
    let target = "/containers/web/archive?path=";
    let hello = archive(&[("hello", "world"), ("deep/er", "x")]);
    for directory in ["/tmp", "/data/"] {
        let (status, told) = exchange(&cluster, Method::PUT, &format!("{target}{directory}"), hello.clone()).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&told));
    }
    let (status, body) = exchange(&cluster, Method::GET, &format!("{target}/tmp/hello"), Vec::new()).await;
    assert_eq!((status, names(&body)), (200, vec!["hello".to_owned()]));
    assert!(body.windows(5).any(|bytes| bytes == b"world"));
    let (_, body) = exchange(&cluster, Method::GET, &format!("{target}/tmp/deep"), Vec::new()).await;
    assert_eq!(names(&body), ["deep/", "deep/er"]);
    let head = send(&cluster, Method::HEAD, &format!("{target}/tmp/hello"), Vec::new()).await;
    assert!(head.status() == 200 && head.headers().contains_key("x-docker-container-path-stat"));
    let (_, body) = exchange(&cluster, Method::GET, "/containers/web/export", Vec::new()).await;
    let all = names(&body);
    assert!(
        all.contains(&"tmp/hello".to_owned()) && all.contains(&"etc/".to_owned()),
        "{all:?}"
    );
    let changes = cluster.json(0, Method::GET, "/containers/web/changes", "").await;
    assert!(
        changes.to_string().contains(r#"{"Path":"/tmp/hello","Kind":1}"#),
        "{changes}"
    );
    for (method, path, body, status, expected) in [
        (
            Method::GET,
            "/nowhere",
            Vec::new(),
            404,
            "Could not find the file /nowhere in container web",
        ),
        (
            Method::PUT,
            "/tmp/hello",
            hello.clone(),
            400,
            "extraction point is not a directory",
        ),
        (
            Method::PUT,
            "/tmp",
            b"gibberish".to_vec(),
            400,
            "the archive cannot be read",
        ),
        (
            Method::PUT,
            "/tmp",
            b"\x1f\x8b\x08".to_vec(),
            501,
            "no compressed archives",
        ),
        (Method::GET, "", Vec::new(), 400, "path cannot be empty"),
    ] {
        let (answered, told) = exchange(&cluster, method, &format!("{target}{path}"), body).await;
        let told = String::from_utf8_lossy(&told);
        assert!(
            answered == status && told.contains(expected),
            "{path}: {answered} {told}"
        );
    }
}

#[tokio::test]
async fn an_image_that_is_committed_saved_and_loaded_keeps_its_files() {
    let cluster = started().await;
    exchange(
        &cluster,
        Method::PUT,
        "/containers/web/archive?path=/tmp",
        archive(&[("hello", "world")]),
    )
    .await;
    let made = cluster
        .json(0, Method::POST, "/commit?container=web&repo=snap&tag=1", "")
        .await;
    assert!(
        made["Id"].as_str().is_some_and(|id| id.starts_with("sha256:")),
        "{made}"
    );
    let (status, saved) = exchange(&cluster, Method::GET, "/images/snap:1/get", Vec::new()).await;
    assert_eq!(status, 200);
    assert!(
        names(&saved).contains(&"manifest.json".to_owned()),
        "{:?}",
        names(&saved)
    );
    assert_eq!(cluster.ask(0, Method::DELETE, "/images/snap:1", "").await.0, 200);
    let (status, told) = exchange(&cluster, Method::POST, "/images/load", saved).await;
    let told = String::from_utf8_lossy(&told);
    assert!(status == 200 && told.contains("Loaded image: snap:1"), "{told}");
    assert_eq!(
        cluster
            .ask(
                0,
                Method::POST,
                "/containers/create?name=again",
                r#"{"Image":"snap:1"}"#
            )
            .await
            .0,
        201
    );
    let (status, _) = exchange(
        &cluster,
        Method::GET,
        "/containers/again/archive?path=/tmp/hello",
        Vec::new(),
    )
    .await;
    assert_eq!(status, 200);
    let (status, told) = exchange(&cluster, Method::POST, "/images/load", archive(&[("x", "y")])).await;
    assert!(status == 400 && String::from_utf8_lossy(&told).contains("no manifest.json"));
    assert_eq!(
        exchange(&cluster, Method::GET, "/images/nowhere/get", Vec::new())
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn a_build_copies_files_labels_and_tags() {
    let cluster = started().await;
    let dockerfile = "# A comment\nFROM busybox AS first\nWORKDIR /srv\nCOPY page \\\n  ./\nRUN make\n\n\
                      FROM scratch\nCOPY --from=first /srv/page /www/\nLABEL a=b\nCMD [\"sh\"]\n";
    let context = archive(&[("Dockerfile", dockerfile), ("page", "hello")]);
    let (status, told) = exchange(&cluster, Method::POST, "/build?t=site:2&t=other", context.clone()).await;
    let told = String::from_utf8_lossy(&told).into_owned();
    for expected in [
        "Step 1/8 : FROM busybox AS first",
        "run nothing",
        "\"aux\"",
        "tagged site:2",
        "tagged other:latest",
    ] {
        assert!(
            status == 200 && told.contains(expected),
            "{expected} is missing in\n{told}"
        );
    }
    let image = cluster.json(0, Method::GET, "/images/site:2/json", "").await;
    assert_eq!(image["Config"]["Labels"], json!({ "a": "b" }));
    let listed = cluster
        .json(
            0,
            Method::GET,
            "/images/json?filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D",
            "",
        )
        .await;
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    cluster
        .ask(0, Method::POST, "/containers/create?name=www", r#"{"Image":"site:2"}"#)
        .await;
    let (status, _) = exchange(
        &cluster,
        Method::GET,
        "/containers/www/archive?path=/www/page",
        Vec::new(),
    )
    .await;
    assert_eq!(status, 200);
    // The same again is the same image.
    let (_, again) = exchange(&cluster, Method::POST, "/build?t=site:3", context).await;
    assert!(String::from_utf8_lossy(&again).contains(image["Id"].as_str().expect("an ID")));
    for (dockerfile, target, status, expected) in [
        ("FROM busybox\nFLY away\n", "/build", 200, "unknown instruction: FLY"),
        ("FROM busybox\nCOPY absent /\n", "/build", 200, "file does not exist"),
        ("FROM busybox\nCOPY *.c /\n", "/build", 200, "only files by their names"),
        ("FROM nowhere/x\n", "/build", 200, "pull access denied"),
        ("RUN x\n", "/build", 400, "No build stage"),
        ("", "/build", 400, "cannot be empty"),
        (
            "FROM busybox\n",
            "/build?dockerfile=other",
            500,
            "Cannot locate specified Dockerfile: other",
        ),
        ("FROM busybox\n", "/build?version=2", 501, "DOCKER_BUILDKIT=0"),
        ("FROM busybox\n", "/build?remote=http://x", 501, "fetch nothing"),
    ] {
        let (answered, told) = exchange(&cluster, Method::POST, target, archive(&[("Dockerfile", dockerfile)])).await;
        let told = String::from_utf8_lossy(&told);
        assert!(
            answered == status && told.contains(expected),
            "{dockerfile}: {answered} {told}"
        );
    }
    let error: Value =
        serde_json::from_slice(&exchange(&cluster, Method::POST, "/session", Vec::new()).await.1).expect("JSON");
    assert!(error["message"].to_string().contains("BuildKit"));
}
