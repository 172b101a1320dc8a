//! Stores that speak TLS, with those only who have a certificate of the right authority.

use std::time::Duration;

use swarmlab::net::tls::Files;

use super::super::{Manager, eventually};
use super::{Join, Kind, Server, election, list, nodes, until_listed};
use crate::certificates::Authority;
use crate::daemons::OWN_ADDRESS;
use crate::guardian;

const YEAR: i32 = 2099;
const LONG_AGO: i32 = 2001;

/// What is said when the store does not believe us, and when we do not believe it.
const NOT_BELIEVED: &str = "the other side does not accept our certificate, or wants one";
const NOT_BELIEVING: &str = "is it signed by the given CA?";

/// Flags with the authority that is believed, and with what is shown to the store.
fn flags(authority: &Authority, own: Option<&Files>) -> Vec<String> {
    let mut files = vec![format!("kv.cacertfile={}", authority.ca().display())];
    if let Some(own) = own {
        files.push(format!("kv.certfile={}", own.cert.display()));
        files.push(format!("kv.keyfile={}", own.key.display()));
    }
    files
        .into_iter()
        .flat_map(|file| ["--discovery-opt".to_owned(), file])
        .collect()
}

fn borrowed(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
}

/// A wrong, expired or foreign certificate is refused with a clear message, and nothing gets in.
pub fn is_only_believed_with_a_good_certificate(kind: Kind) {
    let place = guardian::laboratory().expect("in the laboratory");
    let (ours, foreign) = (Authority::within("stores", place), Authority::within("others", place));
    let mut server = Server::not_yet(kind).secured(&ours.certify("store", &[OWN_ADDRESS], YEAR));
    server.resume();
    let url = server.url("safe");
    let person = ours.certify("member", &["member"], YEAR);
    let good = flags(&ours, Some(&person));
    let good = borrowed(&good);
    until_listed(&url, &good, &[]);

    let joined = Join::start(&url, "10.231.0.99:1", &good);
    until_listed(&url, &good, &["10.231.0.99:1"]);
    let advertise = format!("{OWN_ADDRESS}:3375");
    let replication = ["--replication", "--advertise", &advertise, "--replication-ttl", "3s"];
    let manager = Manager::start(&[&good[..], &replication].concat(), &url);
    eventually(|| nodes(&manager), |count| *count == 1);
    eventually(|| election::role(&manager), |role| role == "primary");
    server.kill();
    server.resume();
    until_listed(&url, &good, &["10.231.0.99:1"]);
    eventually(|| election::role(&manager), |role| role == "primary");

    let expired = ours.certify("former", &["member"], LONG_AGO);
    let stranger = foreign.certify("stranger", &["member"], YEAR);
    let not_this_server = flags(&foreign, Some(&stranger));
    let bad = [
        ("expired", flags(&ours, Some(&expired)), NOT_BELIEVED),
        ("foreign", flags(&ours, Some(&stranger)), NOT_BELIEVED),
        ("none", flags(&ours, None), NOT_BELIEVED),
        (
            "wrong authority",
            not_this_server.clone(),
            "is it signed by the given CA?",
        ),
        ("no TLS", Vec::new(), "the store"),
    ];
    for (what, flags, reason) in &bad {
        let flags = borrowed(flags);
        let fault = list(&url, &flags).expect_err("not believed");
        assert!(fault.contains(reason), "{what}: {fault}");
    }
    // Nor does anybody get in who keeps trying.
    let intruders: Vec<Join> = bad
        .iter()
        .map(|(_, flags, _)| Join::start(&url, "10.231.0.99:2", &borrowed(flags)))
        .collect();
    let deceived = Manager::start_at(3376, &borrowed(&not_this_server), &url);
    eventually(|| deceived.log(), |log| log.contains(NOT_BELIEVING));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(nodes(&deceived), 0);
    assert_eq!(list(&url, &good), Ok(vec!["10.231.0.99:1".to_owned()]));
    assert_eq!(nodes(&manager), 1);
    drop(intruders);
    joined.end();
    until_listed(&url, &good, &[]);
    eventually(|| nodes(&manager), |count| *count == 0);
    drop((manager, deceived, server));

    for (name, last_year, reason) in [
        (OWN_ADDRESS, LONG_AGO, "certificate expired"),
        ("elsewhere", YEAR, "subject alternative names"),
    ] {
        let mut server = Server::not_yet(kind).secured(&ours.certify("pretender", &[name], last_year));
        server.resume();
        let fault = list(&server.url("safe"), &good).expect_err("not believed");
        assert!(fault.contains(reason), "{name}: {fault}");
    }
}
