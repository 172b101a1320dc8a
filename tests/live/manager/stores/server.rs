//! Real servers of each kind of store, with data that outlives them until it is wiped.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use swarmlab::net::tls::Files;

use super::super::{SOON, within};
use crate::daemons::{self, OWN_ADDRESS};
use crate::{guardian, programs};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Etcd,
    Consul,
    ZooKeeper,
}

/// A password to some, and a token to others, who want such a form.
pub const SECRET: &str = "7d4cbe41-5d59-4a7c-9f0e-6d2a4b6f3c11";

/// A server that can be killed and started again with what it has.
pub struct Server {
    kind: Kind,
    directory: PathBuf,
    host: &'static str,
    port: u16,
    /// Flags beyond the usual ones; for ZooKeeper, lines of its settings.
    flags: Vec<String>,
    speaks_tls: bool,
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
            speaks_tls: false,
            process: None,
        }
    }

    /// The same, but it speaks TLS only, and to those only who have a certificate of the same authority.
    pub fn secured(mut self, own: &Files) -> Server {
        let path = |path: &Path| path.display().to_string();
        let (cert, key) = (path(&own.cert), path(&own.key));
        let ca = path(own.ca.as_deref().expect("an authority"));
        self.speaks_tls = true;
        self.flags = match self.kind {
            Kind::Etcd => {
                let url = format!("https://{}", self.address());
                let words = format!(
                    "--client-cert-auth --trusted-ca-file {ca} --cert-file {cert} --key-file {key} \
                     --listen-client-urls {url} --advertise-client-urls {url}"
                );
                words.split(' ').map(str::to_owned).collect()
            }
            Kind::Consul => {
                let files = format!("ca_file = {ca:?} cert_file = {cert:?} key_file = {key:?} verify_incoming = true");
                let port = self.port.to_string();
                let flags = ["-http-port", "-1", "-https-port", &port, "-hcl", &files];
                flags.map(str::to_owned).to_vec()
            }
            Kind::ZooKeeper => {
                let identity = self.directory.join("identity.pem");
                let both = [&own.key, &own.cert].map(|file| fs::read_to_string(file).expect("a file"));
                fs::write(&identity, both.concat()).expect("the store's identity");
                let settings = format!(
                    "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n\
                     ssl.keyStore.type=PEM\nssl.keyStore.location={}\n\
                     ssl.trustStore.type=PEM\nssl.trustStore.location={ca}\n",
                    identity.display()
                );
                settings.lines().map(str::to_owned).collect()
            }
        };
        self
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
        if !self.flags.iter().any(|flag| flag == "--initial-cluster") {
            command.args(["--initial-cluster", &format!("{name}={peer}")]);
        }
        if !self.speaks_tls {
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
        if !self.flags.iter().any(|flag| flag == "-retry-join") {
            command.args(["-server", "-bootstrap-expect", "1"]);
            command.args(["-server-port", &port(1), "-serf-wan-port", &port(3)]);
        }
        command.args(&self.flags);
        command
    }

    fn zookeeper(&self, data: &Path) -> Command {
        let port = if self.speaks_tls {
            "secureClientPort"
        } else {
            "clientPort"
        };
        let settings = format!(
            "tickTime=200\ndataDir={}\n{port}={}\n{port}Address={}\nadmin.enableServer=false\n\
             minSessionTimeout=400\n4lw.commands.whitelist=srvr\n{}\n",
            data.display(),
            self.port,
            self.host,
            self.flags.join("\n")
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

    /// One that serves only who knows [`SECRET`].
    pub fn guarded(kind: Kind) -> Server {
        let mut server = Self::not_yet(kind);
        if kind == Kind::Consul {
            let rules =
                format!("acl {{ enabled = true default_policy = \"deny\" tokens {{ master = \"{SECRET}\" }} }}");
            server.flags = vec!["-hcl".to_owned(), rules];
        }
        server.resume();
        match kind {
            Kind::Etcd => {
                let user = format!("{{\"name\":\"root\",\"password\":\"{SECRET}\"}}");
                server.ask("POST", "/v3/auth/user/add", &user);
                server.ask("POST", "/v3/auth/role/add", "{\"name\":\"root\"}");
                server.ask("POST", "/v3/auth/user/grant", "{\"user\":\"root\",\"role\":\"root\"}");
                let enabled = server.ask("POST", "/v3/auth/enable", "{}");
                assert!(enabled.contains("\"header\""), "{enabled}");
            }
            Kind::Consul => {}
            Kind::ZooKeeper => {
                let account = format!("addauth digest root:{SECRET}\ncreate /safe\nsetAcl /safe auth::cdrwa\n");
                server.command(&account);
            }
        }
        server
    }

    /// What the store has under a key, and whether it has it for a time only.
    pub fn stored(&self, key: &str) -> (String, bool) {
        let bytes = |text: &Value| STANDARD.decode(text.as_str().unwrap_or_default()).unwrap_or_default();
        let text = |value: &Value| String::from_utf8(bytes(value)).expect("text");
        match self.kind {
            Kind::Etcd => {
                let range = json!({ "key": STANDARD.encode(format!("/{key}")) });
                let told: Value =
                    serde_json::from_str(&self.ask("POST", "/v3/kv/range", &range.to_string())).expect("JSON");
                let pair = &told["kvs"][0];
                (text(&pair["value"]), pair["lease"].is_string())
            }
            Kind::Consul => {
                let told: Value = serde_json::from_str(&self.ask("GET", &format!("/v1/kv/{key}"), "")).expect("JSON");
                (text(&told[0]["Value"]), told[0]["Session"].is_string())
            }
            Kind::ZooKeeper => {
                let told = self.command(&format!("get -s /{key}\n"));
                let owner = told.lines().find_map(|line| line.strip_prefix("ephemeralOwner = "));
                let value = told.lines().rev().skip_while(|line| !line.starts_with("cZxid")).nth(1);
                (
                    value.unwrap_or_default().to_owned(),
                    owner.is_some_and(|owner| owner != "0x0"),
                )
            }
        }
    }

    /// The body of an answer.
    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let request = format!(
            "{method} {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = self.exchange(&request).expect("an answer");
        answer.split_once("\r\n\r\n").expect("a whole head").1.to_owned()
    }

    fn exchange(&self, asked: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.address())?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(asked.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Lets ZooKeeper's own client do something, a command a line.
    pub fn command(&self, commands: &str) -> String {
        let file = self.directory.join("commands");
        fs::write(&file, commands).expect("the commands");
        let java = programs::find("java").expect("the test says that it needs ZooKeeper");
        let done = Command::new(java)
            .args([
                "-Xmx128m",
                "-cp",
                "/usr/share/java/*",
                "org.apache.zookeeper.ZooKeeperMain",
            ])
            .args(["-server", &self.address()])
            .stdin(File::open(file).expect("the commands"))
            .output()
            .expect("the client starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
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
            // The test itself finds out the rest.
            _ if self.speaks_tls => return TcpStream::connect(self.address()).is_ok(),
            Kind::Etcd => "GET /health HTTP/1.0\r\n\r\n",
            Kind::Consul => "GET /v1/status/leader HTTP/1.0\r\n\r\n",
            Kind::ZooKeeper => "srvr",
        };
        let answer = self.exchange(asked);
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
