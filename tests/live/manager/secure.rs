//! TLS from end to end: clients, the manager and the daemons believe one authority and nobody else.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use swarmlab::net::tls::Files;

use super::stores::{Join, Kind, Server};
use super::{Manager, SOON, eventually, words};
use crate::certificates::Authority;
use crate::clients::Client;
use crate::daemons::{Daemons, OWN_ADDRESS, Setup};
use crate::guardian;
use crate::runner::{Case, cases};

pub const CASES: [Case; 3] = cases!(secure:
    everything_works_under_tls_and_strangers_are_kept_out,
    a_replica_passes_everything_on_under_tls needs Etcd,
    engines_that_cannot_prove_who_they_are_stay_out,
);

/// Certificates that are good for longer than these tests are run, and one that has never been good for them.
const YEAR: i32 = 2099;
const LONG_AGO: i32 = 2001;

/// An authority that keeps its files in the laboratory, so that nothing is left of them.
fn authority(name: &str) -> Authority {
    Authority::within(name, guardian::laboratory().expect("in the laboratory"))
}

/// A certificate for any of the machines that are there, whose addresses are not known before.
fn for_any_node(authority: &Authority, file: &str, last_year: i32) -> Files {
    let addresses: Vec<String> = (1..255).map(|last| format!("10.231.0.{last}")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    authority.certify(file, &addresses, last_year)
}

/// The flags of TLS, which daemon and manager share.
fn flags(authority: &Path, own: &Files) -> Vec<String> {
    let path = |path: &Path| path.display().to_string();
    let flag = |flag: &str, value: &Path| [flag.to_owned(), path(value)];
    let pairs = [
        flag("--tlscacert", authority),
        flag("--tlscert", &own.cert),
        flag("--tlskey", &own.key),
    ];
    std::iter::once("--tlsverify".to_owned())
        .chain(pairs.into_iter().flatten())
        .collect()
}

fn daemon(name: &str, authority: &Path, own: &Files) -> Setup {
    let flags = flags(authority, own);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Setup::new(name).arguments(&flags)
}

fn manager(authority: &Authority, discovery: &str) -> Manager {
    let own = authority.certify("manager", &[OWN_ADDRESS], YEAR);
    let flags = flags(&authority.ca(), &own);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Manager::start(&flags, discovery)
}

/// Makes a client speak TLS, `--tlsverify` and all, as this person or as nobody.
fn as_person(client: Client, authority: &Path, person: Option<&Files>) -> Client {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    let place: PathBuf = guardian::laboratory()
        .expect("in the laboratory")
        .join(format!("person-{number}"));
    fs::create_dir(&place).expect("a directory for certificates");
    fs::copy(authority, place.join("ca.pem")).expect("the authority");
    if let Some(person) = person {
        fs::copy(&person.cert, place.join("cert.pem")).expect("the certificate");
        fs::copy(&person.key, place.join("key.pem")).expect("its key");
    }
    client
        .environment("DOCKER_TLS_VERIFY", "1")
        .environment("DOCKER_CERT_PATH", &place.display().to_string())
}

/// live-manager 13; api 18 under TLS.
fn everything_works_under_tls_and_strangers_are_kept_out() {
    let (ours, foreign) = (authority("ours"), authority("theirs"));
    let own = for_any_node(&ours, "node-1", YEAR);
    let daemons = Daemons::start([daemon("node-1", &ours.ca(), &own)]);
    let manager = manager(&ours, &daemons.addresses());
    let person = ours.certify("person", &["person"], YEAR);
    for docker in manager.every_docker() {
        let docker = as_person(docker, &ours.ca(), Some(&person));
        eventually(|| docker.run(["info"]).out, |info| info.contains("Status: Healthy"));
        works(&docker);
    }

    let docker = manager.docker();
    let expired = ours.certify("expired", &["person"], LONG_AGO);
    let stranger = foreign.certify("stranger", &["person"], YEAR);
    // Of an authority that only calls itself ours.
    let forger = authority("ours");
    let forged = forger.certify("forged", &["person"], YEAR);
    let refused = [
        (as_person(docker.clone(), &ours.ca(), None), "certificate required"),
        (
            as_person(docker.clone(), &ours.ca(), Some(&expired)),
            "expired certificate",
        ),
        (
            // The client sees that its certificate is none of those asked for, and keeps it.
            as_person(docker.clone(), &ours.ca(), Some(&stranger)),
            "certificate required",
        ),
        (
            // This is how TLS calls a signature that is not the authority's.
            as_person(docker.clone(), &ours.ca(), Some(&forged)),
            "tls: error decrypting message",
        ),
        // And who does not speak TLS at all.
        (docker.clone(), "Client sent an HTTP request to an HTTPS server"),
    ];
    for (stranger, reason) in refused {
        // The refusal must reach the client each time, though it has sent more than was read by then.
        for _ in 0..8 {
            let said = stranger.fails(words("create --name intruder busybox"));
            assert!(said.contains(reason), "{said}");
        }
    }
    let docker = as_person(docker, &ours.ca(), Some(&person));
    assert_eq!(docker.ok(words("ps -aq")), "");
    assert_eq!(daemons[0].docker().ok(words("ps -aq")), "");
    // Nor does a client believe a manager of another ours.
    let doubting = as_person(manager.docker(), &foreign.ca(), Some(&person));
    let said = doubting.fails(["ps"]);
    assert!(said.contains("certificate"), "{said}");
}

/// What streams, takes over connections, or closes one half of them.
fn works(docker: &Client) {
    assert_eq!(docker.ok(words("run --rm busybox echo here")), "here");
    let mut shell = docker.terminal(words("run -it --rm --name shell busybox sh"));
    shell.expect("# ", SOON);
    let mut second = docker.terminal(words("exec -it shell sh"));
    second.expect("# ", SOON);
    second.send("exit 3\n");
    assert_eq!(second.finish().code, Some(3));
    shell.send("exit 7\n");
    assert_eq!(shell.finish().code, Some(7));

    // Its input ends, and its output goes on.
    let line = [
        "create",
        "-i",
        "--name",
        "cat",
        "busybox",
        "sh",
        "-c",
        "cat; sleep 0.5; echo end",
    ];
    docker.ok(line);
    docker.ok(words("start cat"));
    let mut attached = docker.start(words("attach cat"));
    attached.send("first\n");
    attached.expect("first", SOON);
    attached.end_input();
    let output = attached.finish();
    assert_eq!(
        (output.code, output.out.as_str()),
        (Some(0), "first\nend\n"),
        "{output:?}"
    );
    docker.ok(words("rm cat"));
    let much = "0123456789abcde\n".repeat(1 << 16);
    let back = docker.fed(much.as_bytes(), words("run -i --rm busybox cat"));
    assert!(back.code == Some(0) && back.out == much, "{:?}", back.err);

    let chatter = "echo one; while ! [ -e /go ]; do sleep 0.1; done; echo two";
    docker.ok([
        "run", "-d", "--init", "--name", "chatter", "busybox", "sh", "-c", chatter,
    ]);
    let following = docker.start(words("logs -f chatter"));
    following.expect("one", SOON);
    docker.ok(words("exec chatter touch /go"));
    let output = following.finish();
    assert_eq!(
        (output.code, output.out.as_str()),
        (Some(0), "one\ntwo\n"),
        "{output:?}"
    );
    docker.ok(words("rm chatter"));

    let place = guardian::laboratory().expect("in the laboratory").join("secure-build");
    fs::create_dir_all(&place).expect("a directory");
    fs::write(
        place.join("Dockerfile"),
        "FROM busybox\nRUN echo built >/what\nCMD cat /what\n",
    )
    .expect("a recipe");
    let docker = docker.clone().environment("DOCKER_BUILDKIT", "0");
    docker.ok(["build", "-t", "built:1", &place.display().to_string()]);
    assert_eq!(docker.ok(words("run --rm built:1")), "built");
    docker.ok(words("rmi built:1"));
}

fn a_replica_passes_everything_on_under_tls() {
    let ours = authority("ours");
    let own = for_any_node(&ours, "node-1", YEAR);
    let daemons = Daemons::start([daemon("node-1", &ours.ca(), &own)]);
    let store = Server::start(Kind::Etcd);
    let url = store.url("secure");
    let _joined = Join::start(&url, &daemons[0].address(), &[]);
    let own = ours.certify("manager", &[OWN_ADDRESS], YEAR);
    let person = ours.certify("person", &["person"], YEAR);
    let start = |port: u16| {
        let mut flags = flags(&ours.ca(), &own);
        let advertise = format!("{OWN_ADDRESS}:{port}");
        flags.extend(["--replication", "--advertise", &advertise].map(str::to_owned));
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let manager = Manager::start_at(port, &flags, &url);
        let docker = as_person(manager.docker(), &ours.ca(), Some(&person));
        (manager, docker)
    };
    let (_primary, first) = start(3375);
    eventually(|| first.run(["info"]).out, |info| info.contains("Role: primary"));
    let (_replica, second) = start(3376);
    eventually(
        || second.run(["info"]).out,
        |info| info.contains("Primary: 10.231.0.1:3375") && info.contains("Status: Healthy"),
    );
    eventually(|| first.run(["info"]).out, |info| info.contains("Status: Healthy"));
    works(&second);
}

fn engines_that_cannot_prove_who_they_are_stay_out() {
    let (ours, foreign) = (authority("ours"), authority("theirs"));
    let setups = [
        for_any_node(&ours, "good", YEAR),
        for_any_node(&foreign, "foreign", YEAR),
        for_any_node(&ours, "expired", LONG_AGO),
        ours.certify("elsewhere", &["10.231.1.1", "elsewhere"], YEAR),
    ];
    let names = ["node-good", "node-foreign", "node-expired", "node-elsewhere"];
    let setups = names.iter().zip(&setups);
    let without_tls = Setup::new("node-plain").without_image();
    let daemons = Daemons::start(
        setups
            .map(|(name, own)| daemon(name, &ours.ca(), own).without_image())
            .chain([without_tls]),
    );
    let manager = manager(&ours, &daemons.addresses());
    let person = ours.certify("person", &["person"], YEAR);
    let docker = as_person(manager.docker(), &ours.ca(), Some(&person));
    let told = || docker.run(["info"]).out;
    let info = eventually(told, |info| {
        info.contains("Status: Healthy") && info.matches("Error:").count() == 4
    });
    let reasons = [
        "",
        "UnknownIssuer",
        "certificate expired",
        "not valid for name",
        "does the other side speak TLS?",
    ];
    for (node, reason) in daemons.iter().zip(reasons) {
        let own: Vec<&str> = info
            .lines()
            .skip_while(|line| !line.contains(&node.address()))
            .take_while(|line| !line.contains("ServerVersion"))
            .collect();
        let own = own.join("\n");
        if reason.is_empty() {
            assert!(own.contains("node-good") && own.contains("Status: Healthy"), "{own}");
        } else {
            assert!(own.contains("(unknown)") && own.contains("Status: Pending"), "{own}");
            assert!(own.contains(reason), "{reason}: {own}");
        }
    }
    docker.ok(words("volume create everywhere"));
    assert_eq!(docker.ok(words("volume ls -q")), "node-good/everywhere");
    for node in daemons.iter().skip(1) {
        assert_eq!(node.docker().ok(words("volume ls -q")), "", "{}", node.name());
    }
}
