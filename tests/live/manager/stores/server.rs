//! Real servers of each kind of store, with data that outlives them until it is wiped.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use swarmlab::net::tls::Files;

use super::super::{SOON, within};
use crate::certificates::Authority;
use crate::daemons::{self, OWN_ADDRESS};
use crate::{guardian, programs};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Etcd,
    Consul,
    ZooKeeper,
}

/// A server that can be killed and started again with what it has.
pub struct Server {
    kind: Kind,
    directory: PathBuf,
    host: &'static str,
    port: u16,
    /// Flags beyond the usual ones.
    flags: Vec<String>,
    process: Option<Child>,
}

impl Server {
    pub fn start(kind: Kind) -> Server {
        let mut server = Self::not_yet(kind);
        server.resume();
        server
    }

    pub fn not_yet(kind: Kind) -> Server {
        daemons::open_network();
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let place = guardian::laboratory().expect("in the laboratory");
        let directory = place.join(format!("store-{number}"));
        fs::create_dir(&directory).expect("the store's directory");
        Server {
            kind,
            directory,
            host: OWN_ADDRESS,
            port: 4000 + u16::try_from(number).expect("few stores") * 10,
            flags: Vec::new(),
            process: None,
        }
    }

    /// The same at another address.
    pub fn at(mut self, host: &'static str, port: u16) -> Server {
        (self.host, self.port) = (host, port);
        self
    }

    /// A cluster of etcd.
    pub fn three_members() -> Vec<Server> {
        let mut members: Vec<Server> = (0..3).map(|_| Self::not_yet(Kind::Etcd)).collect();
        let peers: Vec<String> = members
            .iter()
            .map(|one| format!("m{}=http://{}", one.port, one.peer()))
            .collect();
        for member in &mut members {
            member.flags = vec!["--initial-cluster".to_owned(), peers.join(",")];
            member.launch();
        }
        for member in &members {
            member.wait();
        }
        members
    }

    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn peer(&self) -> String {
        format!("{OWN_ADDRESS}:{}", self.port + 1)
    }

    pub fn url(&self, prefix: &str) -> String {
        self.url_by(&self.address(), prefix)
    }

    /// The URL for who reaches it at another address.
    pub fn url_by(&self, address: &str, prefix: &str) -> String {
        let scheme = match self.kind {
            Kind::Etcd => "etcd",
            Kind::Consul => "consul",
            Kind::ZooKeeper => "zk",
        };
        let slash = if prefix.is_empty() { "" } else { "/" };
        format!("{scheme}://{address}{slash}{prefix}")
    }

    /// Starts it, and waits until it answers.
    pub fn resume(&mut self) {
        self.launch();
        self.wait();
    }

    fn launch(&mut self) {
        let data = self.directory.join("data");
        let mut command = match self.kind {
            Kind::Etcd => self.etcd(&data),
            Kind::Consul => self.consul(&data),
            Kind::ZooKeeper => self.zookeeper(&data),
        };
        let log = File::create(self.directory.join("log")).expect("the store's log");
        let errors = log.try_clone().expect("the store's log");
        let process = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        self.process = Some(process.expect("the store starts"));
    }

    fn etcd(&self, data: &Path) -> Command {
        let (client, peer) = (format!("http://{}", self.address()), format!("http://{}", self.peer()));
        let name = format!("m{}", self.port);
        let mut command = Command::new(programs::find("etcd").expect("the test says that it needs etcd"));
        command
            .args([
                "--name",
                &name,
                "--heartbeat-interval",
                "50",
                "--election-timeout",
                "500",
            ])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .arg("--data-dir")
            .arg(data);
        if self.flags.is_empty() {
            command.args(["--initial-cluster", &format!("{name}={peer}")]);
        }
        if !self.flags.iter().any(|flag| flag == "--listen-client-urls") {
            command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        }
        command.args(&self.flags);
        command
    }

    /// An agent of Consul through which this server can be asked, and which can die without it.
    pub fn agent(&self) -> Server {
        assert_eq!(self.kind, Kind::Consul);
        let mut agent = Self::not_yet(Kind::Consul);
        let server = format!("{OWN_ADDRESS}:{}", self.port + 2);
        agent.flags = ["-retry-join", &server, "-retry-interval", "200ms"]
            .map(str::to_owned)
            .to_vec();
        agent.resume();
        agent
    }

    fn consul(&self, data: &Path) -> Command {
        let port = |offset: u16| (self.port + offset).to_string();
        let mut command = Command::new(programs::consul());
        command
            .args(["agent", "-node", &format!("n{}", self.port), "-disable-host-node-id"])
            .args(["-bind", OWN_ADDRESS, "-client", OWN_ADDRESS])
            .args(["-http-port", &port(0), "-serf-lan-port", &port(2)])
            .args(["-dns-port", "-1", "-grpc-port", "-1"])
            // Sessions shorter than ten seconds, a server that is up soon, and agents that are soon known to be dead.
            .args([
                "-hcl",
                "session_ttl_min = \"100ms\" performance { raft_multiplier = 1 } \
                 gossip_lan { probe_interval = \"100ms\" probe_timeout = \"50ms\" suspicion_mult = 1 }",
            ])
            .arg("-data-dir")
            .arg(data);
        if self.flags.is_empty() {
            command.args(["-server", "-bootstrap-expect", "1"]);
            command.args(["-server-port", &port(1), "-serf-wan-port", &port(3)]);
        }
        command.args(&self.flags);
        command
    }

    fn zookeeper(&self, data: &Path) -> Command {
        let settings = format!(
            "tickTime=200\ndataDir={}\nclientPort={}\nclientPortAddress={}\nadmin.enableServer=false\n\
             minSessionTimeout=400\n4lw.commands.whitelist=srvr\n",
            data.display(),
            self.port,
            self.host
        );
        let file = self.directory.join("zoo.cfg");
        fs::write(&file, settings).expect("the store's settings");
        let mut command = Command::new(programs::find("java").expect("the test says that it needs ZooKeeper"));
        command
            .args(["-Xmx128m", "-cp", "/usr/share/java/*"])
            .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
            .arg(file);
        command
    }

    fn wait(&self) {
        within(SOON, || (self.answers(), self.log()), |(answers, _)| *answers);
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    /// Whether it serves: listening is not enough.
    fn answers(&self) -> bool {
        let asked = match self.kind {
            Kind::Etcd if self.flags.iter().any(|flag| flag == "--client-cert-auth") => {
                return TcpStream::connect(self.address()).is_ok();
            }
            Kind::Etcd => "GET /health HTTP/1.0\r\n\r\n",
            Kind::Consul => "GET /v1/status/leader HTTP/1.0\r\n\r\n",
            Kind::ZooKeeper => "srvr",
        };
        let answer = TcpStream::connect(self.address()).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(asked.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        });
        let right = match self.kind {
            Kind::Etcd => "\"true\"",
            Kind::Consul => ":",
            Kind::ZooKeeper => "Mode: ",
        };
        let body = |answer: String| answer.rsplit("\r\n\r\n").next().unwrap_or_default().contains(right);
        answer.is_ok_and(body)
    }

    /// Ends it as a power failure does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
    }

    /// Loses everything that it had.
    pub fn wipe(&self) {
        fs::remove_dir_all(self.directory.join("data")).ok();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        fs::remove_dir_all(&self.directory).ok();
    }
}

/// Runs a test with an etcd that speaks TLS to those only who have a certificate of its authority: with its URL, the
/// flags that it believes, and those that it does not or that do not believe it, with the reason.
pub fn with_certificates(test: impl FnOnce(&str, &[&str], &[(Vec<String>, &str)])) {
    const YEAR: i32 = 2099;
    const LONG_AGO: i32 = 2001;
    let place = guardian::laboratory().expect("in the laboratory");
    let (ours, foreign) = (Authority::within("stores", place), Authority::within("others", place));
    let own = ours.certify("store", &[OWN_ADDRESS], YEAR);
    let mut server = Server::not_yet(Kind::Etcd);
    let path = |path: &Path| path.display().to_string();
    let url = format!("https://{}", server.address());
    server.flags = [
        ("--listen-client-urls", url.clone()),
        ("--advertise-client-urls", url),
        ("--cert-file", path(&own.cert)),
        ("--key-file", path(&own.key)),
        ("--trusted-ca-file", path(&ours.ca())),
    ]
    .into_iter()
    .flat_map(|(flag, value)| [flag.to_owned(), value])
    .chain(["--client-cert-auth".to_owned()])
    .collect();
    server.flags.extend([
        "--initial-cluster".to_owned(),
        format!("m{}=http://{}", server.port, server.peer()),
    ]);
    server.resume();
    let flags = |authority: &Authority, person: &Files| -> Vec<String> {
        let files = [
            format!("kv.cacertfile={}", path(&authority.ca())),
            format!("kv.certfile={}", path(&person.cert)),
            format!("kv.keyfile={}", path(&person.key)),
        ];
        files
            .into_iter()
            .flat_map(|file| ["--discovery-opt".to_owned(), file])
            .collect()
    };
    let person = ours.certify("member", &["member"], YEAR);
    let expired = ours.certify("former", &["member"], LONG_AGO);
    let stranger = foreign.certify("stranger", &["member"], YEAR);
    let bad = [
        (flags(&ours, &expired), "ertificate"),
        (flags(&ours, &stranger), "ertificate"),
        (flags(&foreign, &stranger), "ertificate"),
        (Vec::new(), "store"),
    ];
    let good = flags(&ours, &person);
    let good: Vec<&str> = good.iter().map(String::as_str).collect();
    test(&server.url("safe"), &good, &bad);
}
