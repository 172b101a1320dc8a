//! One daemon with the machine it believes to be on.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::network::{self, Cable};
use super::{image, registry};
use crate::clients::Client;
use crate::guardian;
use crate::programs;

/// How long a daemon may take until it answers. It takes two seconds on an idle machine.
const START_MAX: Duration = Duration::from_secs(60);

/// The port of every daemon.
const PORT: u16 = 2375;

/// What `unshare` gives a node beside the network namespace, which its cable brings.
const NAMESPACES: [&str; 6] = ["--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Docker,
    Podman,
}

/// What a daemon is to be like.
#[derive(Clone, Debug)]
pub struct Setup {
    kind: Kind,
    name: String,
    labels: Vec<String>,
    arguments: Vec<String>,
    image: bool,
}

impl Setup {
    /// A Docker daemon with this host name.
    pub fn new(name: &str) -> Self {
        Self {
            kind: Kind::Docker,
            name: name.to_owned(),
            labels: Vec::new(),
            arguments: Vec::new(),
            image: true,
        }
    }

    /// Podman's Docker-compatible service with this host name. It knows no labels.
    pub fn podman(name: &str) -> Self {
        Self {
            kind: Kind::Podman,
            ..Self::new(name)
        }
    }

    pub fn label(mut self, label: &str) -> Self {
        self.labels.push(label.to_owned());
        self
    }

    /// Further arguments of the daemon, for example for TLS.
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Leaves the daemon without any image.
    pub fn without_image(mut self) -> Self {
        self.image = false;
        self
    }
}

/// A daemon that was started. Dropping it ends everything that runs on it and removes its files.
pub struct Node {
    setup: Setup,
    directory: PathBuf,
    cable: Cable,
    running: Mutex<Option<Running>>,
}

/// The first process of a node, and the two ends of the conversation with it.
struct Running {
    process: Child,
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Node {
    pub fn start(setup: Setup) -> Self {
        let cable = Cable::lay();
        let scratch = guardian::laboratory().expect("in the laboratory");
        let directory = scratch.join(cable.namespace());
        fs::create_dir(&directory).expect("the node's directory");
        let registry = format!("{}:{}", network::OWN_ADDRESS, registry::PORT);
        let settings = serde_json::json!({ "insecure-registries": [registry] });
        fs::write(directory.join("daemon.json"), settings.to_string()).expect("the daemon's configuration");
        let node = Self {
            setup,
            directory,
            cable,
            running: Mutex::new(None),
        };
        node.boot();
        if node.setup.image {
            let archive = image::archive().display().to_string();
            node.docker().ok(["load", "--input", archive.as_str()]);
        }
        node
    }

    /// The host name, which is the name of the node in a cluster.
    pub fn name(&self) -> &str {
        &self.setup.name
    }

    pub fn ip(&self) -> String {
        self.cable.ip()
    }

    /// `10.231.0.11:2375`
    pub fn address(&self) -> String {
        format!("{}:{PORT}", self.ip())
    }

    /// `tcp://10.231.0.11:2375`
    pub fn endpoint(&self) -> String {
        format!("tcp://{}", self.address())
    }

    /// The directory of everything that the daemon keeps, which no other node sees.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The unix socket of a Docker daemon.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("docker.sock")
    }

    /// What the daemon has said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("daemon.log")).unwrap_or_default()
    }

    /// The `docker` program, talking to this daemon directly.
    pub fn docker(&self) -> Client {
        match self.setup.kind {
            Kind::Docker => Client::docker(&format!("unix://{}", self.socket().display())),
            Kind::Podman => Client::docker(&self.endpoint()),
        }
    }

    /// The processes of this node, seen from the laboratory.
    pub fn processes(&self) -> Vec<u32> {
        let namespace = Path::new("/run/netns").join(self.cable.namespace());
        let Ok(own) = fs::metadata(namespace) else {
            return Vec::new();
        };
        let inode = std::os::unix::fs::MetadataExt::ino(&own);
        let entries = fs::read_dir("/proc").expect("the processes").flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let inside = |pid: &u32| {
            let link = fs::read_link(format!("/proc/{pid}/ns/net"));
            link.is_ok_and(|link| link.to_string_lossy() == format!("net:[{inode}]"))
        };
        pids.filter(inside).collect()
    }

    /// Asks the daemon over the network whether it is there.
    pub fn ping(&self, deadline: Duration) -> io::Result<String> {
        let address: SocketAddr = self.address().parse().expect("an address");
        let stream = TcpStream::connect_timeout(&address, deadline)?;
        stream.set_read_timeout(Some(deadline))?;
        ask(stream)
    }

    /// The node dies: daemon, shims and containers at once, without a word. Its address refuses connections.
    pub fn kill(&self) {
        let running = self.running().take();
        if let Some(running) = running {
            running.end();
        }
    }

    /// The node comes back after `kill`, or is shut down in an orderly way and booted again, with everything that was
    /// on its disk. Containers are there again and run if their restart policy says so.
    pub fn restart(&self) {
        if self.is_up() {
            self.tell("end");
            self.kill();
        }
        self.cable.renew();
        self.boot();
    }

    /// Ends the daemon in an orderly way and with it the node.
    pub fn stop(&self) {
        if self.is_up() {
            self.tell("end");
        }
        self.kill();
    }

    /// Kills the daemon alone; containers stay as their shims leave them. `relaunch` brings it back.
    pub fn crash_daemon(&self) {
        self.tell("crash");
    }

    /// Starts the daemon again on a node that is up.
    pub fn relaunch_daemon(&self) {
        self.tell("launch");
        self.wait_until_ready();
    }

    /// The daemon stands still (SIGSTOP): connections are taken, and nothing answers. Containers go on.
    pub fn pause(&self) {
        self.tell("pause");
    }

    pub fn resume(&self) {
        self.tell("resume");
    }

    /// Pulls the plug: connections neither work nor break, and new ones are met with silence.
    pub fn unplug(&self) {
        self.cable.set_plugged(false);
    }

    pub fn plug(&self) {
        self.cable.set_plugged(true);
    }

    /// Whether the node was neither killed nor stopped.
    pub fn is_up(&self) -> bool {
        self.running().is_some()
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        // A test that failed in between has left it as it was.
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn tell(&self, word: &str) -> String {
        let mut running = self.running();
        let running = running.as_mut().expect("the node is up");
        writeln!(running.words, "{word}").expect("the node listens");
        running
            .answer()
            .unwrap_or_else(|| panic!("{} has ended: {}", self.name(), self.last_words()))
    }

    fn boot(&self) {
        let errors = File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("daemon.log"));
        let mut process = Command::new("nsenter")
            .arg(format!("--net=/run/netns/{}", self.cable.namespace()))
            .arg("unshare")
            .args(NAMESPACES)
            .args([
                "--mount-proc",
                "--",
                "tini",
                "-s",
                "--",
                "sh",
                "-c",
                include_str!("node.sh"),
                "node",
            ])
            .args(self.command())
            .env("NODE_NAME", self.name())
            .env("NODE_DIRECTORY", &self.directory)
            .env("CONTAINERS_CONF", self.directory.join("containers.conf"))
            .env_remove("DOCKER_HOST")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors.expect("the node's log"))
            .spawn()
            .expect("the node's first process");
        let words = process.stdin.take().expect("its input");
        let answers = BufReader::new(process.stdout.take().expect("its output"));
        let mut running = Running {
            process,
            words,
            answers,
        };
        if running.answer().is_none() {
            running.end();
            panic!("{} does not start: {}", self.name(), self.last_words());
        }
        *self.running() = Some(running);
        self.wait_until_ready();
    }

    fn command(&self) -> Vec<String> {
        let within = |name: &str| self.directory.join(name).display().to_string();
        let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let mut command = match self.setup.kind {
            Kind::Docker => {
                let mut command = vec![program("dockerd")];
                // Said outright, or the daemon waits for the reader of a warning.
                if !self
                    .setup
                    .arguments
                    .iter()
                    .any(|argument| argument.starts_with("--tls"))
                {
                    command.push("--tls=false".to_owned());
                }
                command.extend(text(&["--host", &format!("tcp://0.0.0.0:{PORT}")]));
                command.extend(text(&["--host", &format!("unix://{}", within("docker.sock"))]));
                command.extend(text(&[
                    "--config-file",
                    &within("daemon.json"),
                    "--data-root",
                    &within("data"),
                ]));
                command.extend(text(&["--exec-root", "/run/docker", "--pidfile", "/run/docker.pid"]));
                command.extend(text(&["--storage-driver", storage_driver()]));
                // There may be no systemd to ask for control groups, and ours must be known to be ours.
                command.extend(text(&["--exec-opt", "native.cgroupdriver=cgroupfs"]));
                command.extend(text(&["--cgroup-parent", &format!("/{}", self.cgroup())]));
                command.extend(self.setup.labels.iter().flat_map(|label| text(&["--label", label])));
                command
            }
            Kind::Podman => {
                let settings = "[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n";
                fs::write(self.directory.join("containers.conf"), settings).expect("Podman's settings");
                let driver = if storage_driver() == "vfs" { "vfs" } else { "overlay" };
                let mut command = vec![program("podman")];
                command.extend(text(&["--root", &within("data"), "--runroot", "/run/podman"]));
                command.extend(text(&["--tmpdir", "/run/libpod", "--storage-driver", driver]));
                command.extend(text(&["system", "service", "--time=0", &format!("tcp:0.0.0.0:{PORT}")]));
                command
            }
        };
        command.extend(self.setup.arguments.iter().cloned());
        command
    }

    /// The control group of all containers of the node.
    fn cgroup(&self) -> String {
        let scratch = guardian::laboratory().expect("in the laboratory");
        format!("{}/{}", guardian::cgroup_of(scratch), self.cable.namespace())
    }

    fn wait_until_ready(&self) {
        let until = Instant::now() + START_MAX;
        loop {
            let patience = Duration::from_secs(5);
            let answer = match self.setup.kind {
                Kind::Docker => std::os::unix::net::UnixStream::connect(self.socket()).and_then(|stream| {
                    stream.set_read_timeout(Some(patience))?;
                    ask(stream)
                }),
                Kind::Podman => self.ping(patience),
            };
            match answer {
                Ok(text) if text.contains(" 200 ") => return,
                _ if self.tell("state") == "Z" => panic!("{} has ended: {}", self.name(), self.last_words()),
                other if Instant::now() > until => {
                    panic!("{} does not answer ({other:?}): {}", self.name(), self.last_words())
                }
                _ => thread::sleep(Duration::from_millis(30)),
            }
        }
    }

    /// The end of the log, for the message of a test that fails.
    fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        guardian::remove_cgroup(&self.cgroup());
        guardian::remove_podman_cgroups(&self.directory);
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            // The guardian tries again.
            eprintln!("swarmlab: {} is not removed yet: {error}", self.directory.display());
        }
    }
}

impl Running {
    fn answer(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line).expect("the node's answer");
        (read > 0).then(|| line.trim().to_owned())
    }

    /// Ends the first process by ending its input, and waits for the last one.
    fn end(self) {
        let Self {
            mut process,
            words,
            answers,
        } = self;
        drop((words, answers));
        process.wait().expect("the node ends");
    }
}

/// Asks the shortest question of the API and returns the whole answer, head and body.
fn ask(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(b"GET /_ping HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn program(name: &str) -> String {
    programs::find(name).expect("it was installed").display().to_string()
}

/// `overlay2` where the file system takes it, which not every container's does, else `vfs`.
fn storage_driver() -> &'static str {
    static DRIVER: std::sync::OnceLock<&str> = std::sync::OnceLock::new();
    DRIVER.get_or_init(|| {
        let place = guardian::laboratory().expect("in the laboratory").join("overlay");
        let [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map(|name| place.join(name));
        for directory in [&lower, &upper, &work, &merged] {
            fs::create_dir_all(directory).expect("a directory");
        }
        let [lower, upper, work] = [lower, upper, work].map(|path| path.display().to_string());
        let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
        let tried = Command::new("mount")
            .args(["-t", "overlay", "-o", &options, "overlay"])
            .arg(&merged)
            .output();
        if !tried.is_ok_and(|output| output.status.success()) {
            return "vfs";
        }
        Command::new("umount").arg(&merged).status().expect("umount starts");
        "overlay2"
    })
}
