//! The process that outlives the tests: it owns the scratch directory, starts the laboratory and cleans up behind it.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::programs::{self, Need};

/// Set for the laboratory: its scratch directory.
pub const LABORATORY: &str = "SWARMLAB_LIVE_LABORATORY";

/// Set to `no`, it keeps these tests from being run, and anything from being installed.
const SWITCH: &str = "SWARMLAB_LIVE";

/// Where control groups are kept.
const CGROUPS: &str = "/sys/fs/cgroup";

/// How long processes may take to be gone after they were killed.
const GONE_MAX: Duration = Duration::from_secs(20);

/// The scratch directory, if this process is the laboratory.
pub fn laboratory() -> Option<&'static Path> {
    static DIRECTORY: OnceLock<Option<PathBuf>> = OnceLock::new();
    DIRECTORY
        .get_or_init(|| std::env::var_os(LABORATORY).map(PathBuf::from))
        .as_deref()
}

/// The name of the control group of a run, which is that of its scratch directory.
pub fn cgroup_of(scratch: &Path) -> String {
    let name = scratch.file_name().unwrap_or_default().to_string_lossy();
    format!("swarmlab-live-{name}")
}

/// Runs the laboratory and says how it ended, or why there cannot be one.
pub fn guard(needs: &[Need]) -> Result<ExitCode, String> {
    if std::env::var_os(SWITCH).is_some_and(|value| value == "no") {
        return Err(format!("{SWITCH}=no"));
    }
    if !rustix::process::geteuid().is_root() {
        return Err("these tests must be run as root".to_owned());
    }
    ctrlc::set_handler(interrupt).map_err(|error| format!("signals cannot be handled: {error}"))?;
    let outcome = supply_and_run(needs);
    if INTERRUPTED.load(Ordering::SeqCst) {
        eprintln!("\nswarmlab: interrupted");
        return Ok(ExitCode::from(130));
    }
    outcome
}

fn supply_and_run(needs: &[Need]) -> Result<ExitCode, String> {
    let parent = parent_directory()?;
    programs::ensure(needs, &parent)?;
    let scratch = Scratch::open(&parent)?;
    run(&scratch.directory)
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The process to end with the laboratory, once it runs.
static LABORATORY_PID: AtomicI32 = AtomicI32::new(0);

/// Ends the laboratory; what cleans up behind it then runs as always.
fn interrupt() {
    INTERRUPTED.store(true, Ordering::SeqCst);
    if let Some(pid) = Pid::from_raw(LABORATORY_PID.load(Ordering::SeqCst)) {
        rustix::process::kill_process(pid, Signal::KILL).ok();
    }
}

/// Where the directory of all runs is.
pub fn parent_path() -> PathBuf {
    std::env::temp_dir().join("swarmlab-live")
}

/// The directory of all runs. It belongs to us and nobody else can write to it, so what is in it is ours.
fn parent_directory() -> Result<PathBuf, String> {
    let path = parent_path();
    let say = |error: std::io::Error| format!("cannot use {}: {error}", path.display());
    match fs::DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(say(error)),
        _ => (),
    }
    let found = fs::symlink_metadata(&path).map_err(say)?;
    let own = rustix::process::geteuid().as_raw();
    if !found.is_dir() || found.uid() != own || found.mode() & 0o077 != 0 {
        return Err(format!("{} is not a directory of ours alone", path.display()));
    }
    Ok(path)
}

/// The scratch directory of this run, and its lock, which dies with this process.
struct Scratch {
    directory: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Makes one, after removing those whose owners are dead.
    fn open(parent: &Path) -> Result<Self, String> {
        let say = |error: std::io::Error| format!("cannot use {}: {error}", parent.display());
        // Under this lock nobody else is between making a lock and holding it.
        let all = File::create(parent.join("runs.lock")).map_err(say)?;
        all.lock().map_err(say)?;
        for entry in fs::read_dir(parent).map_err(say)? {
            let lock_path = entry.map_err(say)?.path();
            if lock_path.extension().is_some_and(|extension| extension == "run") {
                let lock = File::open(&lock_path).map_err(say)?;
                match lock.try_lock() {
                    Ok(()) => remove(&lock_path.with_extension(""), &lock_path),
                    Err(TryLockError::WouldBlock) => (),
                    Err(TryLockError::Error(error)) => return Err(say(error)),
                }
            }
        }
        let directory = parent.join(std::process::id().to_string());
        let lock_path = directory.with_extension("run");
        let lock = File::create(&lock_path).map_err(say)?;
        lock.lock().map_err(say)?;
        fs::create_dir(&directory).map_err(say)?;
        Ok(Self {
            directory,
            lock_path,
            _lock: lock,
        })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.directory, &self.lock_path);
    }
}

/// Removes what a run leaves: its control groups with what still runs in them, its files, and last its lock.
fn remove(directory: &Path, lock_path: &Path) {
    remove_cgroup(&cgroup_of(directory));
    let nodes = fs::read_dir(directory).into_iter().flatten().flatten();
    nodes.for_each(|node| remove_podman_cgroups(&node.path()));
    let until = Instant::now() + GONE_MAX;
    while let Err(error) = fs::remove_dir_all(directory) {
        if error.kind() == std::io::ErrorKind::NotFound {
            break;
        }
        if Instant::now() > until {
            // Its lock stays, so that the next run tries again.
            eprintln!("swarmlab: cannot remove {}: {error}", directory.display());
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    fs::remove_file(lock_path).ok();
}

/// Removes a control group of ours in every hierarchy. What still runs in it is a container of ours.
pub fn remove_cgroup(name: &str) {
    let hierarchies = fs::read_dir(CGROUPS)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let roots = hierarchies.chain([PathBuf::from(CGROUPS)]).map(|root| root.join(name));
    let until = Instant::now() + GONE_MAX;
    for group in roots.filter(|group| group.is_dir()) {
        while !remove_group(&group) && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Podman puts the groups of all its containers into one of the machine's, so ours are told by the IDs that are kept in
/// the directory of a node. The common group goes when it is empty, and only then.
pub fn remove_podman_cgroups(node: &Path) {
    let lists = ["overlay", "vfs"].map(|driver| node.join(format!("data/{driver}-containers/containers.json")));
    let Some(text) = lists.iter().find_map(|list| fs::read_to_string(list).ok()) else {
        return;
    };
    let listed: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap_or_default();
    for id in listed.iter().filter_map(|container| container["id"].as_str()) {
        remove_cgroup(&format!("libpod_parent/libpod-{id}"));
    }
    for hierarchy in fs::read_dir(CGROUPS).into_iter().flatten().flatten() {
        let common = hierarchy.path().join("libpod_parent");
        fs::remove_dir(common.join("conmon")).ok();
        fs::remove_dir(common).ok();
    }
}

/// One attempt to remove a control group with those below it.
fn remove_group(group: &Path) -> bool {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_group(&entry.path());
        }
    }
    for line in fs::read_to_string(group.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
    {
        if let Some(pid) = line.parse().ok().and_then(Pid::from_raw) {
            rustix::process::kill_process(pid, Signal::KILL).ok();
        }
    }
    fs::remove_dir(group).is_ok() || !group.exists()
}

/// Runs this program again, as the laboratory. In its own network namespace addresses and ports are free, so any number
/// of runs go side by side; when this process ends for whatever reason, so does the process with ID 1 of its process
/// namespace, and with that everything in it.
fn run(scratch: &Path) -> Result<ExitCode, String> {
    let program = std::env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--"])
        .args([
            "unshare",
            "--net",
            "--mount",
            "--uts",
            "--ipc",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--",
        ])
        .args(["tini", "-s", "--"])
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(LABORATORY, scratch)
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("the laboratory does not start: {error}"))?;
    LABORATORY_PID.store(Pid::from_child(&child).as_raw_nonzero().get(), Ordering::SeqCst);
    if INTERRUPTED.load(Ordering::SeqCst) {
        interrupt();
    }
    let ended = child.wait();
    LABORATORY_PID.store(0, Ordering::SeqCst);
    let status = ended.map_err(|error| format!("the laboratory is lost: {error}"))?;
    if INTERRUPTED.load(Ordering::SeqCst) {
        return Ok(ExitCode::from(130));
    }
    let end = match (status.code(), status.signal()) {
        // It has said itself how the tests went.
        (Some(0), _) => return Ok(ExitCode::SUCCESS),
        (Some(101), _) => return Ok(ExitCode::from(101)),
        (Some(code), _) => format!("with exit code {code}"),
        (None, signal) => format!("by signal {}", signal.unwrap_or_default()),
    };
    println!("\n\ntest result: FAILED. The laboratory ended {end} before the tests did");
    Ok(ExitCode::from(101))
}
