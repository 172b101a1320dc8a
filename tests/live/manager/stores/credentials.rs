//! Stores that serve only who says a password or shows a token.

use std::time::Duration;

use super::server::SECRET;
use super::{Join, Kind, Manager, Server, eventually, list, listing, nodes, outcome, until_listed};

fn options(pairs: &[String]) -> Vec<&str> {
    pairs
        .iter()
        .flat_map(|pair| ["--discovery-opt", pair.as_str()])
        .collect()
}

/// Who knows the secret, by option or from the environment, can do everything; nobody else finds out anything.
pub fn are_asked_for(kind: Kind) {
    let server = Server::guarded(kind);
    let url = server.url("safe");
    let (user, key, variable) = match kind {
        Kind::Consul => (None, "kv.token", "CONSUL_HTTP_TOKEN"),
        _ => (
            Some("kv.username=root".to_owned()),
            "kv.password",
            "SWARM_DISCOVERY_PASSWORD",
        ),
    };
    let user: Vec<String> = user.into_iter().collect();
    let with = |secret: &str| [&user[..], &[format!("{key}={secret}")]].concat();
    let (good, wrong) = (with(SECRET), with("00000000-0000-0000-0000-000000000000"));
    let (good, wrong) = (options(&good), options(&wrong));

    until_listed(&url, &good, &[]);
    let joined = Join::start(&url, "10.231.0.99:1", &good);
    let there = Ok(vec!["10.231.0.99:1".to_owned()]);
    until_listed(&url, &good, &["10.231.0.99:1"]);
    let manager = Manager::start(&good, &url);
    eventually(|| nodes(&manager), |count| *count == 1);
    let mut from_environment = listing(&url, &options(&user));
    from_environment.env(variable, SECRET);
    assert_eq!(outcome(from_environment), there);

    let refused = list(&url, &wrong).expect_err("it is wrong");
    assert!(refused.contains("refuses: "), "{refused}");
    match list(&url, &[]) {
        // Consul shows to everybody what they may see: here, nothing.
        Ok(seen) if kind == Kind::Consul => assert!(seen.is_empty(), "{seen:?}"),
        Ok(seen) => panic!("{seen:?}"),
        Err(refused) => assert!(refused.contains("refuses: "), "{refused}"),
    }
    let intruders = [&wrong[..], &[]].map(|flags| Join::start(&url, "10.231.0.99:2", flags));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(list(&url, &good), there);
    assert_eq!(nodes(&manager), 1);
    drop(intruders);
    joined.end();
    eventually(|| nodes(&manager), |count| *count == 0);
}
