//! The discovery service and the commands that use it, as users start them.

use super::running::{PATIENCE, Running};
use super::*;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::live::certificates::Authority;

/// A service that listens.
struct Service {
    running: Running,
    address: String,
}

impl Service {
    fn start(data: &Path, flags: &str) -> Service {
        Service::listen("127.0.0.1:0", data, flags)
    }

    fn listen(address: &str, data: &Path, flags: &str) -> Service {
        let data = data.display();
        let line = format!("discovery-service --listen {address} --data {data} {flags}");
        Service::of(Running::start(&line))
    }

    fn of(running: Running) -> Service {
        let line = running.expect("msg=\"Listening for HTTP\"");
        let address = line.split("addr=\"").nth(1).expect("an address");
        Service {
            running,
            address: address.split('"').next().expect("a closed quote").to_owned(),
        }
    }

    /// What to say to a command that uses it.
    fn flag(&self) -> String {
        format!("--discovery-url http://{}", self.address)
    }

    /// A new cluster.
    fn create(&self) -> String {
        let (code, token, errors) = outcome(&format!("create {}", self.flag()));
        assert_eq!((code, errors.as_str()), (0, ""));
        let token = token.strip_suffix('\n').expect("a line");
        assert!(
            token.len() == 32 && token.bytes().all(|digit| digit.is_ascii_hexdigit()),
            "{token}"
        );
        token.to_owned()
    }

    fn list(&self, token: &str) -> Vec<String> {
        listed(&format!("list {} token://{token}", self.flag()))
    }

    /// Waits until the list is this one.
    fn expect(&self, token: &str, expected: &[&str]) {
        let start = Instant::now();
        loop {
            let list = self.list(token);
            if list == expected {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{list:?} is not {expected:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn join(&self, address: &str, token: &str, flags: &str) -> Running {
        let flag = self.flag();
        Running::start(&format!("join --advertise {address} {flags} {flag} token://{token}"))
    }

    fn register(&self, token: &str, address: &str, ttl: u64) -> io::Result<u16> {
        let mut connection = BufReader::new(TcpStream::connect(&self.address)?);
        post(&mut connection, token, address, ttl)
    }
}

/// Registers over a connection that stays open. Returns the status.
fn post(connection: &mut BufReader<TcpStream>, token: &str, address: &str, ttl: u64) -> io::Result<u16> {
    let length = address.len();
    let request = format!(
        "POST /v1/clusters/{token}?ttl={ttl} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{address}"
    );
    connection.get_mut().write_all(request.as_bytes())?;
    let mut first = String::new();
    connection.read_line(&mut first)?;
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if connection.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or(io::ErrorKind::InvalidData.into())
}

fn data() -> (TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("register");
    (directory, path)
}

#[test]
fn daemons_join_are_listed_and_leave() {
    let (_directory, path) = data();
    let service = Service::start(&path, "");
    let token = service.create();
    assert_ne!(token, service.create());
    assert_eq!(service.list(&token), [""; 0]);
    let first = service.join("1.2.3.4:2375", &token, "--heartbeat 1s --ttl 60s");
    let second = service.join("[::1]:2375", &token, "");
    service.expect(&token, &["1.2.3.4:2375", "[::1]:2375"]);
    assert_eq!(first.end("-TERM"), Some(0));
    assert_eq!(service.list(&token), ["[::1]:2375"], "it has taken itself off the list");
    // The environment says where the service is, too; without either, there is a word about what to do.
    let mut command = swarmlab(&["list", &format!("token://{token}")]);
    command.env("SWARM_DISCOVERY_URL", format!("http://{}", service.address));
    assert_eq!(finish(command), (0, "[::1]:2375\n".to_owned(), String::new()));
    for line in ["create".to_owned(), format!("list token://{token}")] {
        assert!(
            complaint(&line).contains("--discovery-url http://<host>:<port>"),
            "{line}"
        );
    }
    // The option of the discovery is the same; the flag counts more.
    let option = format!("--discovery-opt token.url=http://{}", service.address);
    assert_eq!(listed(&format!("list {option} token://{token}")), ["[::1]:2375"]);
    let long = format!("token://{}/v1/{token}", service.address);
    assert_eq!(listed(&format!("list {} {long}", service.flag())), ["[::1]:2375"]);
    let unknown = "0123456789abcdef0123456789abcdef";
    let expected = "Failed to fetch entries, Discovery service returned";
    for (token, status) in [(unknown, 404), ("x", 400)] {
        let complaint = complaint(&format!("list {} token://{token}", service.flag()));
        assert_eq!(complaint, format!("{expected} {status} HTTP status code"));
    }
    drop(second);
    assert_eq!(service.running.end("-TERM"), Some(0));
    let gone = complaint(&format!("create --discovery-url http://{}", service.address));
    assert!(
        gone.starts_with("cannot reach the discovery service at http://127.0.0.1:"),
        "{gone}"
    );
}

#[test]
fn entries_run_out_also_while_the_service_does_not_run() {
    let (_directory, path) = data();
    let service = Service::start(&path, "");
    let token = service.create();
    let join = service.join("1.2.3.4:2375", &token, "--heartbeat 1s --ttl 3s");
    service.expect(&token, &["1.2.3.4:2375"]);
    // Killed, it takes nothing off the list.
    join.end("-KILL");
    service.expect(&token, &[]);
    assert_eq!(service.register(&token, "short:1", 1).expect("an answer"), 200);
    assert_eq!(service.register(&token, "long:1", 1000).expect("an answer"), 200);
    service.running.end("-KILL");
    thread::sleep(Duration::from_millis(1100));
    let service = Service::start(&path, "");
    assert_eq!(service.list(&token), ["long:1"]);
    assert_eq!(service.running.end("-INT"), Some(0));
}

/// Writers register one address after the other, as fast as they can, when the service is killed.
#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_service_is_killed() {
    const WRITERS: usize = 16;
    const ACKNOWLEDGED_MIN: usize = 300;
    let (_directory, path) = data();
    let mut service = Service::start(&path, "--rate 0");
    let token = service.create();
    let acknowledged: Mutex<Vec<String>> = Mutex::default();
    for round in 0..3 {
        let before = acknowledged.lock().expect("no panic").len();
        let Service { running, address } = service;
        let code = thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (acknowledged, address, token) = (&acknowledged, &address, &token);
                scope.spawn(move || {
                    let Ok(connection) = TcpStream::connect(address) else {
                        return;
                    };
                    let mut connection = BufReader::new(connection);
                    for number in 0.. {
                        let address = format!("h-{round}-{writer}-{number}:1");
                        match post(&mut connection, token, &address, 3600) {
                            Ok(200) => acknowledged.lock().expect("no panic").push(address),
                            Ok(status) => panic!("{status}"),
                            Err(_) => return,
                        }
                    }
                });
            }
            let start = Instant::now();
            while acknowledged.lock().expect("no panic").len() < before + ACKNOWLEDGED_MIN {
                assert!(start.elapsed() < PATIENCE, "too slow");
                thread::sleep(Duration::from_millis(1));
            }
            running.end("-KILL")
        });
        assert_eq!(code, None, "killed");
        service = Service::start(&path, "--rate 0");
        let list = service.list(&token);
        let acknowledged = acknowledged.lock().expect("no panic");
        assert!(acknowledged.len() >= before + ACKNOWLEDGED_MIN);
        for address in acknowledged.iter() {
            assert!(list.binary_search(address).is_ok(), "{address} is lost");
        }
    }
}

/// A service whose file may not become larger than it soon must, as on a full disk.
#[test]
fn a_service_that_cannot_write_acknowledges_nothing_more_and_ends() {
    let (_directory, path) = data();
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 1000; exec \"$0\" \"$@\""])
        .args([env!("CARGO_BIN_EXE_swarmlab"), "discovery-service", "--rate", "0"])
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(&path)
        .stdin(Stdio::null());
    let service = Service::of(Running::of(command));
    let token = service.create();
    let mut connection = BufReader::new(TcpStream::connect(&service.address).expect("a connection"));
    let mut acknowledged = Vec::new();
    let status = loop {
        let address = format!("h-{}-{}:1", acknowledged.len(), "x".repeat(300));
        match post(&mut connection, &token, &address, 3600).expect("an answer") {
            200 => acknowledged.push(address),
            status => break status,
        }
    };
    assert_eq!(status, 503);
    assert!(!acknowledged.is_empty());
    service.running.expect("level=fatal msg=\"the register failed: ");
    assert_eq!(service.running.wait(), Some(1));
    let service = Service::start(&path, "");
    let list = service.list(&token);
    for address in &acknowledged {
        assert!(list.contains(address), "{address} is lost");
    }
}

#[test]
fn limits_hold() {
    let (_directory, path) = data();
    let service = Service::start(&path, "--max-clusters 1 --max-entries 2 --max-connections 20 --rate 0");
    let token = service.create();
    let full = complaint(&format!("create {}", service.flag()));
    let expected = "Failed to create a cluster, Discovery service returned 507 HTTP status code: this service has 1 \
                    clusters, the most that it takes";
    assert_eq!(full, expected);
    let register = |address: &str| service.register(&token, address, 60).expect("an answer");
    assert_eq!(
        (register("a:1"), register("b:1"), register("a:1"), register("c:1")),
        (200, 200, 200, 507)
    );
    assert_eq!(register("a"), 400);
    let join = service.join("c:1", &token, "");
    join.expect("level=error msg=\"Failed to register, Discovery service returned 507 HTTP status code: the cluster");
    // Clients that say nothing, or not enough, are shown out, and others are served meanwhile.
    let mut slow = [(); 3].map(|()| TcpStream::connect(&service.address).expect("a connection"));
    slow[1].write_all(b"GET /_ping HTTP/1.1\r\nHost:").expect("sent");
    slow[2]
        .write_all(b"GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .expect("sent");
    assert_eq!(service.list(&token), ["a:1", "b:1"]);
    for connection in &mut slow {
        connection.set_read_timeout(Some(PATIENCE)).expect("a time");
        let mut said = Vec::new();
        connection.read_to_end(&mut said).expect("it is closed");
    }
    drop(service);
    let (_directory, path) = data();
    let service = Service::start(&path, "--rate 1");
    service.create();
    let often = complaint(&format!("create {}", service.flag()));
    assert!(
        often.ends_with("429 HTTP status code: too many requests from this address"),
        "{often}"
    );
}

#[test]
fn a_service_is_started_once_and_with_all_it_needs() {
    for (flags, expected) in [
        ("", "missing mandatory --listen flag"),
        ("--listen 127.0.0.1:0", "missing mandatory --data flag"),
        (
            "--tls --listen x",
            "--tlscert and --tlskey must be provided when using --tls",
        ),
        (
            "x",
            "the `discovery-service` command takes no arguments. See 'swarmlab discovery-service --help'.",
        ),
        (
            "--listen 127.0.0.1:0 --data x --max-clusters 0",
            "--max-clusters should be a positive number",
        ),
    ] {
        assert_eq!(fatal(&format!("discovery-service {flags}")), expected, "{flags}");
    }
    let (_directory, path) = data();
    let service = Service::start(&path, "");
    let second = fatal(&format!(
        "discovery-service --listen 127.0.0.1:0 --data {}",
        path.display()
    ));
    assert!(second.starts_with("cannot open the register"), "{second}");
    assert_eq!(service.running.end("-TERM"), Some(0));
    let (code, help, _) = outcome("discovery-service --help");
    assert_eq!(code, 0);
    assert!(
        help.starts_with("Usage: swarmlab discovery-service [OPTIONS]\n\nServe token:// discovery"),
        "{help}"
    );
    assert!(
        help.contains("--max-clusters \"10000\"") && help.contains("--tlsverify"),
        "{help}"
    );
}

/// What a manager says about its cluster.
fn info(address: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    connection.write_all(b"GET /info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut said = String::new();
    connection.read_to_string(&mut said)?;
    Ok(said)
}

#[test]
fn a_manager_follows_the_list_and_keeps_it_when_the_service_is_away() {
    let (_directory, path) = data();
    let service = Service::start(&path, "");
    let token = service.create();
    let manage = Running::start(&format!(
        "manage -H tcp://127.0.0.1:0 --heartbeat 1s {} token://{token}",
        service.flag()
    ));
    let line = manage.expect("msg=\"Listening for HTTP\"");
    let manager = line.split("addr=\"").nth(1).and_then(|rest| rest.split('"').next());
    let manager = manager.expect("an address").to_owned();
    let expect = |text: &str, is_there: bool| {
        let start = Instant::now();
        while info(&manager).expect("an answer").contains(text) != is_there {
            assert!(start.elapsed() < PATIENCE, "{text}");
            thread::sleep(Duration::from_millis(50));
        }
    };
    // Nothing listens there.
    for address in ["127.0.0.1:1", "127.0.0.1:2"] {
        assert_eq!(service.register(&token, address, 1000).expect("an answer"), 200);
    }
    expect("\"127.0.0.1:2\"", true);
    let address = service.address.clone();
    service.running.end("-KILL");
    manage.expect("Discovery error: cannot reach the discovery service at http://127.0.0.1:");
    expect("\"127.0.0.1:1\"", true);
    let service = Service::listen(&address, &path, "");
    let mut connection = TcpStream::connect(&address).expect("a connection");
    let request =
        format!("DELETE /v1/clusters/{token}/127.0.0.1:1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).expect("sent");
    let mut said = String::new();
    connection.read_to_string(&mut said).expect("an answer");
    assert!(said.starts_with("HTTP/1.1 204"), "{said}");
    expect("\"127.0.0.1:1\"", false);
    expect("\"127.0.0.1:2\"", true);
    assert_eq!(manage.end("-TERM"), Some(0));
    drop(service);
}

#[test]
fn certificates_are_asked_for_and_believed_or_not() {
    let authority = Authority::new("ours");
    let foreign = Authority::new("theirs");
    let files = authority.certify("service", &["127.0.0.1"], 2099);
    let (cert, key, ca) = (files.cert.display(), files.key.display(), authority.ca());
    let (_directory, path) = data();
    let flags = format!("--tlscert {cert} --tlskey {key}");
    let trust = |ca: &Path| format!("--discovery-opt kv.cacertfile={}", ca.display());
    let own = format!("--discovery-opt kv.certfile={cert} --discovery-opt kv.keyfile={key}");

    let service = Service::start(&path, &format!("--tls {flags}"));
    let url = format!("https://{}", service.address);
    let (code, token, errors) = outcome(&format!("create --discovery-url {url} {}", trust(&ca)));
    assert_eq!((code, errors.as_str()), (0, ""), "no certificate of ours is needed");
    let long = format!("token://{}/v1/{}", service.address, token.trim());
    assert_eq!(listed(&format!("list {} {long}", trust(&ca))), [""; 0]);
    let distrust = complaint(&format!("list {} {long}", trust(&foreign.ca())));
    assert!(
        distrust.starts_with("cannot reach the discovery service at https://"),
        "{distrust}"
    );
    let untold = complaint(&format!("list {long}"));
    assert!(untold.contains("needs to know whom to trust"), "{untold}");
    service.running.end("-TERM");

    let service = Service::start(&path, &format!("--tlsverify --tlscacert {} {flags}", ca.display()));
    let long = format!("token://{}/v1/{}", service.address, token.trim());
    assert_eq!(listed(&format!("list {} {own} {long}", trust(&ca))), [""; 0]);
    let stranger = complaint(&format!("list {} {long}", trust(&ca)));
    assert!(
        stranger.starts_with("cannot reach the discovery service at https://"),
        "{stranger}"
    );
    let stranger = foreign.certify("stranger", &["127.0.0.1"], 2099);
    let theirs = format!(
        "--discovery-opt kv.certfile={} --discovery-opt kv.keyfile={}",
        stranger.cert.display(),
        stranger.key.display()
    );
    let stranger = complaint(&format!("list {} {theirs} {long}", trust(&ca)));
    assert!(
        stranger.starts_with("cannot reach the discovery service at https://"),
        "{stranger}"
    );
}

#[test]
fn simulated_engines_are_listed_for_as_long_as_they_run() {
    let (_directory, path) = data();
    let service = Service::start(&path, "");
    let token = service.create();
    let network = format!(
        "127.{}.{}.0",
        70 + std::process::id() % 50,
        std::process::id() / 50 % 250
    );
    let engines = |store: &str| {
        format!(
            "engines scenarios/zones.toml --network {network} --port 23753 --heartbeat 1s --ttl 5s {} --register {store}",
            service.flag()
        )
    };
    let running = Running::start(&engines(&format!("token://{token}")));
    running.expect(&format!("They are registered in token://{token}"));
    let expected: Vec<String> = (1..=24)
        .map(|number| format!("{}{number}:23753", network.trim_end_matches('0')))
        .collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    let mut listed = service.list(&token);
    listed.sort_by_key(|address| expected.iter().position(|known| known == address));
    assert_eq!(listed, expected);
    // Longer than a registration lasts, so that it must have been renewed.
    thread::sleep(Duration::from_secs(6));
    assert_eq!(service.list(&token).len(), 24);
    assert_eq!(running.end("-TERM"), Some(0));
    assert_eq!(service.list(&token), Vec::<String>::new());
    for (store, expected) in [
        ("nodes://a:1", "nothing is registered in nodes://a:1; take etcd://"),
        ("bogus://a:1", "discovery service not supported"),
    ] {
        let (code, _, errors) = outcome(&engines(store));
        assert!(code == 2 && errors.contains(expected), "{code} {errors}");
    }
}
