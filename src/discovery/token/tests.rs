//! Where a service is looked for, and what becomes of its answers.

use super::*;
use proptest::prelude::*;
use std::io::{Read, Write};
use std::net::TcpListener;

fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    owned.collect()
}

/// Where a cluster would be looked for.
fn place(rest: &str, url: &str) -> Result<String, String> {
    match Cluster::open(rest, &options(&[(URL_OPTION, url)])) {
        Ok(cluster) => Ok(format!("{}/clusters{}", cluster.service.base.url(), cluster.path())),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn the_service_is_where_the_option_or_the_url_says() {
    for (rest, url, expected) in [
        ("abc", "http://h:1", "http://h:1/v1/clusters/abc"),
        ("abc", "http://h/", "http://h/v1/clusters/abc"),
        (
            "abc",
            "http://[::1]:1/some/where/",
            "http://[::1]:1/some/where/clusters/abc",
        ),
        ("a?b", "http://h", "http://h/v1/clusters/a%3Fb"),
        ("H:1/v1/abc", "http://h:1", "http://H:1/v1/clusters/abc"),
        ("h:1/abc", "http://h:1/ignored", "http://h:1/clusters/abc"),
    ] {
        assert_eq!(place(rest, url).as_deref(), Ok(expected), "{rest} {url}");
    }
    for (rest, url, expected) in [
        ("", "http://h", "token is empty"),
        ("h/v1/", "http://h", "token is empty"),
        ("abc", "", "--discovery-url"),
        ("abc", "h:1", "begin with http://"),
        ("abc", "http://", "no host"),
        ("abc", "http://h:1?x", "host, a port and a path only"),
        ("abc", "http://h:port", "h:port"),
        ("abc", "https://h", "https://h/v1 needs to know whom to trust"),
        // As in the original, unless the option names the same host.
        ("h:1/v1/abc", "", "https://h:1/v1 needs to know whom to trust"),
        (
            "h:1/v1/abc",
            "http://other:1",
            "https://h:1/v1 needs to know whom to trust",
        ),
        ("/v1/abc", "", "no host"),
    ] {
        let error = place(rest, url).expect_err(rest);
        assert!(error.contains(expected), "{rest} {url}: {error}");
    }
    let missing = options(&[("kv.cacertfile", "/nowhere")]);
    let error = Cluster::open("h/v1/abc", &missing)
        .expect_err("no certificates")
        .to_string();
    assert!(error.contains("/nowhere"), "{error}");
}

/// A service that gives prepared answers, each on a connection of its own. Returns its URL.
fn scripted(answers: Vec<(u16, &'static str)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for (status, body) in answers {
            let (mut connection, _) = listener.accept().expect("a connection");
            let mut head = [0; 4096];
            let _ = connection.read(&mut head).expect("a request");
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            connection.write_all(answer.as_bytes()).expect("an answer");
        }
    });
    url
}

fn cluster(url: &str) -> Arc<Cluster> {
    Arc::new(Cluster::open("abc", &options(&[(URL_OPTION, url)])).expect("a cluster"))
}

#[tokio::test]
async fn lists_and_faults_are_told_once() {
    let fault = (500, "");
    let url = scripted(vec![
        (200, r#"["b:1","","[::1]:5"]"#),
        (200, r#"["b:1","","[::1]:5"]"#),
        fault,
        fault,
        (200, "{}"),
        (200, r#"["nohost"]"#),
        (200, r#"["b:1","","[::1]:5"]"#),
        (200, "null"),
    ]);
    let mut lists = cluster(&url).watch(Duration::from_millis(1));
    let mut told = Vec::new();
    for _ in 0..6 {
        let next = tokio::time::timeout(Duration::from_secs(60), lists.recv()).await;
        told.push(match next.expect("in time").expect("it goes on") {
            Ok(list) => list.iter().map(Entry::to_string).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        });
    }
    assert_eq!(told[0], "b:1 [::1]:5");
    assert_eq!(
        told[1],
        "Failed to fetch entries, Discovery service returned 500 HTTP status code"
    );
    assert!(told[2].starts_with("Failed to decode response: "), "{}", told[2]);
    assert_eq!(told[3], "address nohost: missing port in address");
    assert_eq!(told[4], "b:1 [::1]:5", "again, since there was trouble");
    assert_eq!(told[5], "");
}

#[tokio::test]
async fn what_a_service_refuses_is_told_with_its_reason() {
    let url = scripted(vec![
        (507, r#"{"message":"full"}"#),
        (404, "gone"),
        (200, ""),
        (405, ""),
    ]);
    let cluster = cluster(&url);
    let register = async || {
        let registered = cluster.register("a:1", Duration::from_millis(1500)).await;
        registered.map_err(|error| error.to_string())
    };
    let start = "Failed to register, Discovery service returned";
    assert_eq!(register().await, Err(format!("{start} 507 HTTP status code: full")));
    assert_eq!(register().await, Err(format!("{start} 404 HTTP status code: gone")));
    cluster.withdraw().await.expect("nothing was registered");
    assert_eq!(register().await, Ok(()));
    cluster.withdraw().await.expect("a service that cannot is no fault");
}

#[tokio::test]
async fn a_token_is_a_token() {
    let url = scripted(vec![
        (200, "0123\n"),
        (200, "<html> </html>"),
        (200, ""),
        (429, r#"{"message":"too many requests"}"#),
    ]);
    let created = async || {
        let created = create_token(&options(&[(URL_OPTION, &url)])).await;
        created.map_err(|error| error.to_string())
    };
    assert_eq!(created().await.as_deref(), Ok("0123"));
    for _ in 0..2 {
        assert!(created().await.expect_err("no token").contains("no token"));
    }
    let refused = created().await.expect_err("refused");
    assert!(
        refused.ends_with("429 HTTP status code: too many requests"),
        "{refused}"
    );
    let nowhere = create_token(&BTreeMap::new()).await.expect_err("nowhere").to_string();
    assert!(nowhere.contains("$SWARM_DISCOVERY_URL"), "{nowhere}");
}

proptest! {
    #[test]
    fn any_url_is_a_cluster_or_an_error(rest in any::<String>(), url in "(https?://)?.*") {
        let _ = place(&rest, &url);
    }
}
