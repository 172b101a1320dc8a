//! One container of an engine: what it was created with, and how it stands.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::docker::json::{self, Map};
use crate::docker::{ContainerState, Timestamp};
use crate::model::{Labels, Time};
use crate::scenario::units;
use crate::sim::{Life, Phase, Restart, RestartDelay};

use super::course::Course;
use super::files::Files;
use super::output::Output;
use super::{Model, Refusal};

/// Label, or variable of the environment, that says how long a container runs each time: `30s`, or `forever`.
pub const LIFETIME: &str = "swarmlab.lifetime";
/// Label, or variable of the environment, that says with which code it ends then.
pub const EXIT_CODE: &str = "swarmlab.exit-code";
/// Label that says which class of the scenario it belongs to, if not the one with its image.
pub const CLASS: &str = "swarmlab.class";

/// Docker's own delays between restarts.
const DELAY: RestartDelay = RestartDelay::Doubling {
    first: Duration::from_millis(100),
    most: Duration::from_secs(60),
};

/// A port that is open while the container runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Inside, such as `80/tcp`.
    pub inside: String,
    /// Address on the host.
    pub ip: String,
    /// Port on the host.
    pub outside: u16,
}

/// A network that the container is in.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Name of the network.
    pub network: String,
    /// Its ID there.
    pub id: String,
    /// The number of its address in the network; 0 while it does not run.
    pub address: u32,
    /// Other names that it has there.
    pub aliases: Vec<String>,
}

/// A volume or directory in the container.
#[derive(Clone, Debug)]
pub struct Mount {
    /// `volume` or `bind`.
    pub kind: &'static str,
    /// Name of the volume, or path on the host.
    pub source: String,
    /// Where it is in the container.
    pub target: String,
    /// Whether it can be written to.
    pub writable: bool,
}

/// One container.
#[derive(Debug)]
pub struct Container {
    pub id: String,
    /// Without a slash.
    pub name: String,
    /// The JSON of its `Config` as it was given: kept as text, which takes a fraction of the memory.
    pub config: Box<str>,
    /// The JSON of its `HostConfig`.
    pub host: Box<str>,
    pub labels: Labels,
    pub image: String,
    pub image_id: String,
    pub command: Vec<String>,
    pub tty: bool,
    pub open_stdin: bool,
    pub stdin_once: bool,
    pub auto_remove: bool,
    pub life: Life,
    /// Raised whenever what was planned for it becomes void.
    pub generation: u32,
    /// How often its process was started.
    pub runs: u32,
    pub policy: Restart,
    /// Whether a stop by hand outlasts a restart of the daemon (`unless-stopped`), and whether there was one.
    pub unless_stopped: bool,
    pub stopped_by_hand: bool,
    pub delay: RestartDelay,
    /// Its class, as an index into the plan's.
    pub class: Option<usize>,
    /// How long it runs from its start, if the scenario or its creator says so.
    pub lifetime: Option<Duration>,
    /// When it ends by itself; while it is paused, what was left then.
    pub ends_at: Option<Time>,
    /// Whether it runs until it is stopped, whatever its command.
    pub forever: bool,
    /// The code with which it ends by itself; `None` leaves it to its class or command.
    pub end_code: Option<i64>,
    pub created: Time,
    pub started: Option<Time>,
    pub finished: Option<Time>,
    pub exit_code: i64,
    pub ports: Vec<Port>,
    pub endpoints: Vec<Endpoint>,
    pub mounts: Vec<Mount>,
    /// Its files, shared with its image until they change.
    pub files: Arc<Files>,
    /// Input that came before the process was there, and whether there will be no more.
    pub early_input: Vec<u8>,
    pub input_ended: bool,
    /// What it will still write in this run, in its order.
    pub course: Course,
    /// What it has written.
    pub log: Output,
}

impl Container {
    /// A container as its creator describes it.
    pub(in crate::engines) fn read(
        model: &Model,
        id: String,
        name: String,
        mut config: Map,
    ) -> Result<Container, Refusal> {
        let host = match json::remove(&mut config, "HostConfig") {
            Some(Value::Object(host)) => host,
            _ => Map::new(),
        };
        json::remove(&mut config, "NetworkingConfig");
        let labels: Labels = json::map(&config, "Labels")
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        let said = |key: &str| {
            let variable = json::texts(&config, "Env").find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            labels.get(key).map(String::as_str).or(variable)
        };
        let image = json::text(&config, "Image").to_owned();
        let classes = &model.shared.plan.classes;
        let class = match said(CLASS) {
            Some(name) => classes.iter().position(|class| class.name == name),
            None => classes.iter().position(|class| super::image::asks_for(class, &image)),
        };
        let forever = said(LIFETIME) == Some("forever");
        let lifetime = match said(LIFETIME) {
            Some("forever") => None,
            Some(text) => {
                let fault = |_| Refusal::new(400, format!("{LIFETIME}={text} is no duration such as 30s"));
                Some(units::duration(text).map_err(fault)?)
            }
            None => class.and_then(|class| model.shared.fates.lifetime(&classes[class], &name)),
        };
        let restart = json::map(&host, "RestartPolicy").cloned().unwrap_or_default();
        let (policy, unless_stopped) = read_policy(&restart)?;
        let command = json::texts(&config, "Entrypoint")
            .chain(json::texts(&config, "Cmd"))
            .map(str::to_owned)
            .collect();
        let given = class.filter(|_| json::text(&restart, "Name").is_empty());
        Ok(Container {
            image_id: String::new(),
            command,
            tty: json::flag(&config, "Tty"),
            open_stdin: json::flag(&config, "OpenStdin"),
            stdin_once: json::flag(&config, "StdinOnce"),
            auto_remove: json::flag(&host, "AutoRemove"),
            life: Life::default(),
            generation: 0,
            runs: 0,
            // Who says nothing about restarts gets what the scenario says about the class.
            policy: given.map_or(policy, |class| classes[class].restart.policy),
            unless_stopped,
            stopped_by_hand: false,
            delay: class.map_or(DELAY, |class| RestartDelay::Fixed(classes[class].restart.delay)),
            class,
            lifetime,
            forever,
            ends_at: None,
            end_code: said(EXIT_CODE).and_then(|code| code.parse().ok()),
            created: model.now,
            started: None,
            finished: None,
            exit_code: 0,
            ports: Vec::new(),
            endpoints: Vec::new(),
            mounts: Vec::new(),
            files: Files::usual(),
            early_input: Vec::new(),
            input_ended: false,
            course: Course::default(),
            log: Output::default(),
            config: Value::Object(config).to_string().into(),
            host: Value::Object(host).to_string().into(),
            labels,
            image,
            id,
            name,
        })
    }

    /// Its `Config`.
    pub fn config(&self) -> Map {
        serde_json::from_str(&self.config).unwrap_or_default()
    }

    /// Its `HostConfig`.
    pub fn host(&self) -> Map {
        serde_json::from_str(&self.host).unwrap_or_default()
    }

    /// What its network is: a name, `host`, `none`, or `container:NAME`.
    pub fn network_mode(&self) -> String {
        match json::text(&self.host(), "NetworkMode") {
            "" | "default" => "bridge".to_owned(),
            mode => mode.to_owned(),
        }
    }

    /// Its state in the form in which the words of Docker's clients are made from it.
    pub fn state(&self, model: &Model) -> ContainerState {
        let date = |time: Option<Time>| time.map(|time| model.date(time));
        ContainerState {
            running: self.is_running(),
            paused: self.life.phase() == Phase::Paused,
            restarting: self.life.phase() == Phase::Restarting,
            dead: false,
            exit_code: self.exit_code,
            started_at: date(self.started),
            finished_at: date(self.finished),
            ..ContainerState::default()
        }
    }

    /// Whether lists show it to who does not ask for all.
    pub fn is_running(&self) -> bool {
        matches!(self.life.phase(), Phase::Running | Phase::Paused | Phase::Restarting)
    }

    /// Its own ports that are open, such as `80/tcp`: none while it does not run.
    pub fn open_ports(&self) -> std::collections::BTreeSet<String> {
        if !self.life.is_up() {
            return std::collections::BTreeSet::new();
        }
        let config = self.config();
        let exposed = json::map(&config, "ExposedPorts")
            .into_iter()
            .flat_map(Map::keys)
            .cloned();
        exposed
            .chain(self.ports.iter().map(|port| port.inside.clone()))
            .collect()
    }

    /// The run that an end that is waited for belongs to: this one, or if none is under way, the next.
    pub fn awaited_run(&self) -> u32 {
        match self.life.phase() {
            Phase::Running | Phase::Paused | Phase::Restarting => self.runs,
            Phase::Created | Phase::Starting | Phase::Exited => self.runs + 1,
        }
    }

    /// Whether the run has ended for good.
    pub fn has_ended(&self, run: u32) -> bool {
        self.runs > run || (self.runs == run && self.life.phase() == Phase::Exited)
    }

    /// Whether the daemon starts it when it is started itself.
    pub fn restarts_with_daemon(&self) -> bool {
        self.policy == Restart::Always && self.runs > 0 && !(self.unless_stopped && self.stopped_by_hand)
    }
}

/// Docker's restart policy, and whether it is `unless-stopped`.
pub(in crate::engines) fn read_policy(restart: &Map) -> Result<(Restart, bool), Refusal> {
    let limit = json::number(restart, "MaximumRetryCount").unwrap_or_default();
    let policy = match json::text(restart, "Name") {
        "" | "no" => Restart::No,
        "always" | "unless-stopped" => Restart::Always,
        "on-failure" => Restart::OnFailure {
            limit: u32::try_from(limit).ok().filter(|limit| *limit > 0),
        },
        other => return Err(Refusal::new(400, format!("invalid restart policy '{other}'"))),
    };
    Ok((policy, json::text(restart, "Name") == "unless-stopped"))
}

/// The date of a time, or the year 1 if it has not come.
pub(in crate::engines) fn date_text(date: Option<Timestamp>) -> String {
    date.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |date| date.to_string())
}
