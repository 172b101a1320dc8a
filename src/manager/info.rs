//! What the manager says of itself and of the cluster: `info`, `version`, `_ping` (`manager/RULES.md` §15 and §16).

use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, json_answer};
use super::server::Call;
use super::state::{Engine, EngineId, State, Tally, Waiting};
use super::{Manager, SERVER_VERSION};
use crate::docker::words::human_size;
use crate::docker::{Map, Timestamp};
use crate::model::Cpus;
use crate::net;

/// What is not known of the machine.
const UNKNOWN: &str = "<unknown>";

/// `GET` and `HEAD /_ping`.
pub(super) fn ping() -> Answer {
    let mut answer = Answer::new(net::full("OK"));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store, must-revalidate"),
    );
    headers.insert("ostype", HeaderValue::from_static(std::env::consts::OS));
    answer
}

/// `GET /version`.
pub(super) fn version(call: &Call) -> Answer {
    let versions = call.manager.versions();
    let mut body = json!({
        "Platform": { "Name": "Docker Swarm - Community" },
        "Version": SERVER_VERSION,
        "ApiVersion": versions.highest.to_string(),
        "MinAPIVersion": versions.lowest.to_string(),
        "GitCommit": "",
        "GoVersion": "",
        "Os": std::env::consts::OS,
        "Arch": architecture(),
        "KernelVersion": kernel().0,
        "BuildTime": UNKNOWN,
        "Components": [{
            "Name": "swarmlab",
            "Version": env!("CARGO_PKG_VERSION"),
        }],
    });
    if call.manager.options.experimental
        && let Some(body) = body.as_object_mut()
    {
        body.insert("Experimental".to_owned(), Value::from(true));
    }
    json_answer(&body)
}

/// `GET /info`.
pub(super) async fn info(call: Call) -> Result<Answer, Failure> {
    let manager = &call.manager;
    manager.looks.settle().await;
    let (kernel, name) = kernel();
    let proxy = |variable: &str| std::env::var(variable).unwrap_or_default();
    let now = manager.now();
    let (counts, status) = look_around(manager);
    let mut fields = Map::new();
    let mut add = |key: &str, value: Value| {
        fields.insert(key.to_owned(), value);
    };
    add("ID", json!(""));
    add("Containers", json!(counts.tally.containers));
    add("ContainersRunning", json!(counts.tally.running));
    add("ContainersPaused", json!(counts.tally.paused));
    add("ContainersStopped", json!(counts.tally.stopped()));
    add("Images", json!(counts.images));
    add("Driver", json!(""));
    add("DriverStatus", Value::Null);
    add(
        "Plugins",
        json!({ "Volume": [], "Network": [], "Authorization": null, "Log": null }),
    );
    add("MemoryLimit", json!(true));
    add("SwapLimit", json!(true));
    add("KernelMemory", json!(false));
    add("CpuCfsPeriod", json!(true));
    add("CpuCfsQuota", json!(true));
    add("CPUShares", json!(true));
    add("CPUSet", json!(true));
    add("IPv4Forwarding", json!(true));
    add("BridgeNfIptables", json!(true));
    add("BridgeNfIp6tables", json!(true));
    add("Debug", json!(manager.options.debug));
    add("NFd", json!(0));
    add("OomKillDisable", json!(true));
    add("NGoroutines", json!(0));
    add("SystemTime", json!(now.to_string()));
    add("LoggingDriver", json!(""));
    add("CgroupDriver", json!(""));
    add("NEventsListener", json!(manager.hub.listeners()));
    add("KernelVersion", json!(kernel));
    add("OperatingSystem", json!(std::env::consts::OS));
    add("OSType", json!(std::env::consts::OS));
    add("Architecture", json!(architecture()));
    add("IndexServerAddress", json!(""));
    add("RegistryConfig", json!(null));
    add("NCPU", json!(counts.cpus));
    add("MemTotal", json!(counts.memory));
    add("DockerRootDir", json!(""));
    add("HttpProxy", json!(proxy("http_proxy")));
    add("HttpsProxy", json!(proxy("https_proxy")));
    add("NoProxy", json!(proxy("no_proxy")));
    add("Name", json!(name));
    add("Labels", json!(null));
    add("ExperimentalBuild", json!(manager.options.experimental));
    add("ServerVersion", json!(SERVER_VERSION));
    add("Warnings", json!(null));
    Ok(json_answer(&Info { fields, status }))
}

/// Engines described under the lock at a time.
const ENGINES_AT_A_TIME: usize = 32;

/// The whole answer, most of which is told of the engines.
#[derive(Serialize)]
struct Info {
    #[serde(flatten)]
    fields: Map,
    #[serde(rename = "SystemStatus")]
    status: Status,
}

/// Names and values, indented as clients show them: first of the cluster, then of each engine.
struct Status {
    cluster: Vec<[String; 2]>,
    engines: Vec<Told>,
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pairs = serializer.serialize_seq(None)?;
        for pair in &self.cluster {
            pairs.serialize_element(pair)?;
        }
        for engine in &self.engines {
            let shown = match engine.name.as_str() {
                "" => " (unknown)".to_owned(),
                name => format!(" {name}"),
            };
            pairs.serialize_element(&[&shown, &engine.address])?;
            for (name, value) in &engine.lines {
                pairs.serialize_element(&[name, value.as_str()])?;
            }
        }
        pairs.end()
    }
}

/// What is told of one engine.
struct Told {
    name: String,
    address: String,
    counts: Counts,
    lines: Vec<(&'static str, String)>,
}

/// All engines, in sums and one by one. Others get their turn at the state in between.
fn look_around(manager: &Manager) -> (Counts, Status) {
    let (engines, strategy) = manager.keeper.with(|state| {
        let engines: Vec<EngineId> = state.engines().map(|(id, _)| id).collect();
        (engines, state.scheduler.settings().strategy.name())
    });
    let mut told = Vec::with_capacity(engines.len());
    for some in engines.chunks(ENGINES_AT_A_TIME) {
        manager.keeper.with(|state| {
            let known = some.iter().filter_map(|id| Some((*id, state.engine(*id)?)));
            told.extend(known.map(|(id, engine)| tell(state, id, engine)));
        });
    }
    told.sort_by(|a, b| natural(&a.name, &b.name).then_with(|| a.address.cmp(&b.address)));
    let filters: Vec<&str> = manager.options.filters.iter().map(|filter| filter.name()).collect();
    let mut cluster = manager.role().lines();
    cluster.extend([
        ["Strategy".to_owned(), strategy.to_owned()],
        ["Filters".to_owned(), filters.join(", ")],
    ]);
    let strict = manager.options.strict.enabled();
    if !strict.is_empty() {
        cluster.push(["Strict".to_owned(), strict.join(", ")]);
    }
    cluster.push(["Nodes".to_owned(), told.len().to_string()]);
    let mut counts = Counts::default();
    for engine in &told {
        counts.add(&engine.counts);
    }
    let engines = told;
    (counts, Status { cluster, engines })
}

/// What is on engines that have been validated, whatever their health.
#[derive(Default)]
struct Counts {
    tally: Tally,
    images: u64,
    /// Whole CPUs, those of overcommit included.
    cpus: u64,
    /// Bytes, the same.
    memory: u64,
}

impl Counts {
    fn of(state: &State, id: EngineId, engine: &Engine) -> Counts {
        let Some(node) = engine.node else {
            return Counts::default();
        };
        let total = state.cluster.node(node).total();
        Counts {
            tally: state.tally(id),
            images: engine.images.iter().filter(|image| image.is_tagged()).count() as u64,
            cpus: total.cpus.nanos() / Cpus::whole(1).nanos(),
            memory: total.memory.get(),
        }
    }

    fn add(&mut self, other: &Counts) {
        self.tally.add(other.tally);
        self.images += other.images;
        self.cpus += other.cpus;
        self.memory = self.memory.saturating_add(other.memory);
    }
}

fn tell(state: &State, id: EngineId, engine: &Engine) -> Told {
    let counts = Counts::of(state, id, engine);
    let tally = counts.tally;
    let containers = match engine.is_healthy() {
        true => format!(
            "{} ({} Running, {} Paused, {} Stopped)",
            tally.containers,
            tally.running,
            tally.paused,
            tally.stopped()
        ),
        false => tally.containers.to_string(),
    };
    let (cpus, memory) = engine.node.map_or_else(
        || ("0 / 0".to_owned(), "0 B / 0 B".to_owned()),
        |node| {
            let node = state.cluster.node(node);
            let (used, total) = (node.used(), node.total());
            (
                format!("{} / {}", decimal(used.cpus), decimal(total.cpus.nanos())),
                format!("{} / {}", human_size(used.memory), human_size(total.memory.get())),
            )
        },
    );
    let (labels, version) = engine.facts.as_ref().map_or_else(Default::default, |facts| {
        let labels: Vec<String> = facts
            .labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        (labels.join(", "), facts.version.clone())
    });
    let mut lines = vec![
        ("  └ ID", engine.id().to_owned()),
        ("  └ Status", engine.condition.to_string()),
        ("  └ Containers", containers),
        ("  └ Reserved CPUs", cpus),
        ("  └ Reserved Memory", memory),
        ("  └ Labels", labels),
    ];
    if !engine.last_error.is_empty() {
        lines.push(("  └ Error", engine.last_error.clone()));
    }
    let waiting: Vec<String> = state.waiting_on(id).take(WAITING_MAX + 1).map(waits).collect();
    if let Some((shown, more)) = split_shown(&waiting) {
        lines.push(("  └ Not rescheduled", format!("{}{more}", shown.join("; "))));
    }
    lines.extend([
        ("  └ UpdatedAt", engine.updated_at.to_seconds_text()),
        ("  └ ServerVersion", version),
    ]);
    Told {
        name: engine.name().to_owned(),
        address: engine.address.clone(),
        counts,
        lines,
    }
}

/// Containers shown that cannot be rescheduled, of one engine.
const WAITING_MAX: usize = 5;

/// Why a container is not rescheduled, in one line.
fn waits(waiting: &Waiting) -> String {
    let words: Vec<&str> = waiting.reason.split_whitespace().collect();
    format!("{}: {}", waiting.name, words.join(" "))
}

/// As much as is shown, and what is said of the rest; `None` if there is nothing.
fn split_shown(waiting: &[String]) -> Option<(&[String], &'static str)> {
    match waiting.len() {
        0 => None,
        1..=WAITING_MAX => Some((waiting, "")),
        _ => Some((&waiting[..WAITING_MAX], "; and others")),
    }
}

/// CPUs as people write them: without a fraction where there is none.
fn decimal(nanos: u64) -> String {
    let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Compares names as people count: digits by their number.
fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let (mut a_rest, mut b_rest) = (a.as_bytes(), b.as_bytes());
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    loop {
        let (Some(a_first), Some(b_first)) = (a_rest.first(), b_rest.first()) else {
            return a_rest.len().cmp(&b_rest.len()).then_with(|| a.cmp(b));
        };
        let (a_digits, b_digits) = (digits(a_rest), digits(b_rest));
        let (order, a_step, b_step) = if a_digits > 0 && b_digits > 0 {
            let (a_number, b_number) = (number(&a_rest[..a_digits]), number(&b_rest[..b_digits]));
            let by_length = a_number.len().cmp(&b_number.len());
            let order = by_length.then_with(|| a_number.cmp(b_number));
            (order, a_digits, b_digits)
        } else {
            (a_first.cmp(b_first), 1, 1)
        };
        if order.is_ne() {
            return order;
        }
        (a_rest, b_rest) = (&a_rest[a_step..], &b_rest[b_step..]);
    }
}

/// Digits without zeros before them.
fn number(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    &digits[zeros..]
}

/// Docker's word for the machine's architecture.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The machine's kernel and its name.
fn kernel() -> (String, String) {
    let names = rustix::system::uname();
    let text = |name: &std::ffi::CStr| name.to_str().unwrap_or(UNKNOWN).to_owned();
    (text(names.release()), text(names.nodename()))
}

impl Manager {
    /// The time now.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_count_by_their_number() {
        let mut names = ["node-10", "node-2", "", "node-2a", "node-02", "a", "node-1"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["", "a", "node-1", "node-02", "node-2", "node-2a", "node-10"]);
    }

    #[test]
    fn cpus_have_a_fraction_only_where_there_is_one() {
        assert_eq!(decimal(4_000_000_000), "4");
        assert_eq!(decimal(1_500_000_000), "1.5");
        assert_eq!(decimal(0), "0");
        assert_eq!(decimal(10_000_000_000), "10");
    }
}
