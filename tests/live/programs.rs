//! The programs that the tests drive, and how they are installed where they are missing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

mod older;
mod registries;

pub use older::consul;
pub use registries::Language;

/// ZooKeeper itself.
pub const ZOOKEEPER: &str = "/usr/share/java/zookeeper.jar";

/// An installation that takes longer is given up.
const INSTALL_MAX: Duration = Duration::from_secs(900);

/// Keeps packages from starting services of their own while they are installed.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const POLICY_TEXT: &str = "#!/bin/sh\n# Put here by the tests of swarmlab while they install packages.\nexit 101\n";

/// What a test may need of the machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Needed by all.
    Engine,
    Compose,
    Podman,
    /// A registry to push to and pull from.
    Registry,
    Etcd,
    Consul,
    ZooKeeper,
    /// Libraries that speak to Docker, for this language.
    Python,
    Node,
}

impl Need {
    pub fn name(self) -> &'static str {
        match self {
            Self::Engine => "docker engine",
            Self::Compose => "docker-compose",
            Self::Podman => "podman",
            Self::Registry => "docker-registry",
            Self::Etcd => "etcd",
            Self::Consul => "consul",
            Self::ZooKeeper => "zookeeper",
            Self::Python => "docker-py and testcontainers for Python",
            Self::Node => "dockerode and testcontainers for Node.js",
        }
    }

    /// Programs, each with the packages of Debian that bring it: the first that exists is taken.
    fn programs(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::Engine => &[
                ("dockerd", &["docker.io"]),
                ("docker", &["docker-cli", "docker.io"]),
                ("busybox", &["busybox-static"]),
                ("ip", &["iproute2"]),
                ("iptables", &["iptables"]),
                ("tini", &["tini"]),
                ("unshare", &["util-linux"]),
                ("setpriv", &["util-linux"]),
                ("setsid", &["util-linux"]),
                ("hostname", &["hostname"]),
                ("mount", &["mount"]),
                ("tar", &["tar"]),
            ],
            Self::Compose => &[("docker-compose", &["docker-compose"])],
            Self::Podman => &[("podman", &["podman"])],
            Self::Registry => &[("docker-registry", &["docker-registry"])],
            Self::Etcd => &[("etcd", &["etcd-server"])],
            // Fetched, not installed: see `registries`.
            Self::Python => &[("libraries", &[])],
            Self::Node => &[("libraries", &[])],
            // Fetched, not installed: see `older`.
            Self::Consul => &[("consul", &[])],
            Self::ZooKeeper => &[("java", &["default-jre-headless"]), (ZOOKEEPER, &["libzookeeper-java"])],
        }
    }

    pub fn is_missing(self) -> bool {
        self.missing().next().is_some()
    }

    /// The language of whose registry it is.
    fn language(self) -> Option<Language> {
        match self {
            Self::Python => Some(Language::Python),
            Self::Node => Some(Language::Node),
            _ => None,
        }
    }

    fn missing(self) -> impl Iterator<Item = &'static (&'static str, &'static [&'static str])> {
        let absent = move |program: &str| match find(program) {
            _ if self.language().is_some_and(|language| !language.is_missing()) => false,
            // Only a static one runs in an image that holds nothing else.
            Some(path) if program == "busybox" => !is_static(&path),
            // Programs of Java's are not on the path.
            None if program.starts_with('/') => !Path::new(program).exists(),
            None if program == "consul" => !older::consul().exists(),
            found => found.is_none(),
        };
        self.programs().iter().filter(move |(program, _)| absent(program))
    }
}

/// Where a program is. Users' search paths often leave out where daemons are.
pub fn find(program: &str) -> Option<PathBuf> {
    find_all(program).into_iter().next()
}

/// Every place where a program is, the distribution's own first.
pub fn find_all(program: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].map(PathBuf::from);
    let mut found: Vec<PathBuf> = Vec::new();
    for directory in own.into_iter().chain(std::env::split_paths(&path)) {
        let candidate = directory.join(program);
        let Ok(real) = candidate.canonicalize() else { continue };
        if real.is_file()
            && !found
                .iter()
                .any(|other| other.canonicalize().is_ok_and(|other| other == real))
        {
            found.push(candidate);
        }
    }
    found
}

fn is_static(program: &Path) -> bool {
    let bytes = fs::read(program).unwrap_or_default();
    let names_loader = |name: &[u8]| bytes.windows(name.len()).any(|window| window == name);
    !bytes.is_empty() && !names_loader(b"/ld-linux") && !names_loader(b"/ld-musl")
}

/// Makes sure that an engine can run here and that everything else is installed if it can be, or says why there can be
/// no engine.
pub fn ensure(needs: &[Need], scratch: &Path) -> Result<(), String> {
    // Two runs at the same time must not both install.
    let lock = File::create(scratch.join("install.lock")).map_err(|error| format!("cannot lock: {error}"))?;
    lock.lock().map_err(|error| format!("cannot lock: {error}"))?;
    supply(Need::Engine, scratch)?;
    for need in needs.iter().filter(|need| **need != Need::Engine) {
        if let Err(reason) = supply(*need, scratch) {
            eprintln!("swarmlab: no {}: {reason}", need.name());
        }
    }
    let namespaces = ["--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "true"];
    let tried = Command::new("unshare").args(namespaces).stdin(Stdio::null()).output();
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "no namespaces: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Err(format!("unshare does not start: {error}")),
    }
}

fn supply(need: Need, scratch: &Path) -> Result<(), String> {
    let missing: Vec<_> = need.missing().collect();
    if missing.is_empty() {
        return Ok(());
    }
    if let Some(language) = need.language() {
        if language.interpreter().is_none() {
            let apt = find("apt-get").ok_or_else(|| format!("there is no {language:?}"))?;
            let packages = language.debian();
            eprintln!(
                "swarmlab: installing {} for the tests with other clients",
                packages.join(" ")
            );
            let _policy = Policy::put();
            let words = [&["install", "--yes", "--no-install-recommends"], packages].concat();
            apt_get(&apt, &words, scratch).or_else(|_| {
                // The lists of packages may be missing or old.
                apt_get(&apt, &["update"], scratch)?;
                apt_get(&apt, &words, scratch)
            })?;
        }
        return language.fetch(scratch);
    }
    let names: Vec<&str> = missing.iter().map(|(program, _)| *program).collect();
    let (Some(apt), true) = (find("apt-get"), Path::new("/etc/debian_version").exists()) else {
        return Err(format!(
            "{} is missing, and this is no Debian to install it on",
            names.join(", ")
        ));
    };
    if need == Need::Consul {
        return older::fetch_consul(&apt, scratch);
    }
    let mut installed = install(&apt, &missing, scratch);
    if installed.is_err() || need.is_missing() {
        // The lists of packages may be missing or old.
        apt_get(&apt, &["update"], scratch)?;
        installed = install(&apt, &missing, scratch);
    }
    installed?;
    let still: Vec<&str> = need.missing().map(|(program, _)| *program).collect();
    if still.is_empty() {
        Ok(())
    } else {
        Err(format!("{} is still missing", still.join(", ")))
    }
}

fn install(apt: &Path, missing: &[&(&'static str, &'static [&'static str])], scratch: &Path) -> Result<(), String> {
    let known = |package: &str| {
        let shown = Command::new("apt-cache")
            .args(["show", package])
            .stdin(Stdio::null())
            .output();
        shown.is_ok_and(|output| output.status.success() && !output.stdout.is_empty())
    };
    let mut packages = Vec::new();
    for (program, candidates) in missing {
        let package = candidates.iter().find(|package| known(package));
        let package = package.ok_or_else(|| format!("no package has {program}"))?;
        if !packages.contains(package) {
            packages.push(*package);
        }
    }
    eprintln!(
        "swarmlab: installing {} for the tests on real daemons",
        packages.join(" ")
    );
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    let _policy = Policy::put();
    apt_get(apt, &arguments, scratch)
}

fn apt_get(apt: &Path, arguments: &[&str], scratch: &Path) -> Result<(), String> {
    let log = scratch.join("install.log");
    let out = File::create(&log).map_err(|error| error.to_string())?;
    let errors = out.try_clone().map_err(|error| error.to_string())?;
    let mut child = Command::new(apt)
        .args([
            "-qq",
            "-o",
            "DPkg::Lock::Timeout=300",
            "-o",
            "Acquire::Retries=2",
            "-o",
            "Acquire::http::Timeout=30",
        ])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(errors)
        .spawn()
        .map_err(|error| format!("apt-get does not start: {error}"))?;
    let until = Instant::now() + INSTALL_MAX;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        if Instant::now() > until {
            // Asked, not killed: it leaves the system's packages in order.
            rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).ok();
            return Err(format!(
                "apt-get {} took over {} s",
                arguments[0],
                INSTALL_MAX.as_secs()
            ));
        }
        thread::sleep(Duration::from_millis(50));
    };
    if status.success() {
        return Ok(());
    }
    let text = fs::read_to_string(&log).unwrap_or_default();
    let last = text
        .lines()
        .rfind(|line| line.starts_with("E:"))
        .or(text.lines().last());
    Err(format!(
        "apt-get {} failed: {}",
        arguments[0],
        last.unwrap_or("without a word")
    ))
}

/// The policy that no service starts, if the machine has none of its own.
struct Policy(bool);

impl Policy {
    fn put() -> Self {
        let ours = fs::read_to_string(POLICY).map_or(true, |text| text == POLICY_TEXT);
        if ours && fs::write(POLICY, POLICY_TEXT).is_ok() {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)).ok();
        }
        Self(ours)
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.0 {
            fs::remove_file(POLICY).ok();
        }
    }
}
