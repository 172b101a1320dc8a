//! What happens to containers: they are created, started, stopped and removed, end by themselves and start again. Which
//! of it is possible, and what follows, says [`Life`](crate::sim::Life), as in simulated runs.

use crate::docker::json::{self, Map};
use crate::model::{Labels, PortBinding};
use crate::sim::{Exit, Phase};

use super::container::{Container, Port};
use super::{DEPARTED_MAX, Due, Model, Refusal, references};

/// The first of the ports that daemons choose.
const PORT_FIRST: u16 = 32_768;

/// Input that is kept until a process is there to read it.
const EARLY_INPUT_MAX: usize = 64 << 10;

/// Whose work a stop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `docker stop`: the process is asked to end.
    Stop,
    /// `docker kill` with a signal of this number that ends it.
    Kill(i64),
}

impl Model {
    /// The ID of the container with this name, ID or beginning of an ID.
    pub fn find(&self, reference: &str) -> Result<String, Refusal> {
        let reference = reference.trim_start_matches('/');
        if reference.is_empty() {
            return Err(Refusal::no_container(reference));
        }
        if self.containers.contains_key(reference) {
            return Ok(reference.to_owned());
        }
        if let Some(named) = self.containers.values().find(|container| container.name == reference) {
            return Ok(named.id.clone());
        }
        let mut found = self
            .containers
            .range(reference.to_owned()..)
            .take_while(|(id, _)| id.starts_with(reference));
        match (found.next(), found.next()) {
            (Some((id, _)), None) => Ok(id.clone()),
            (Some(_), Some(_)) => Err(Refusal::new(
                400,
                format!("Multiple IDs found with provided prefix: {reference}"),
            )),
            (None, _) => Err(Refusal::no_container(reference)),
        }
    }

    /// Creates a container and gives its ID.
    pub fn create(&mut self, name: &str, mut config: Map) -> Result<String, Refusal> {
        references::refuse_conflicts(&config)?;
        let image = json::text(&config, "Image").to_owned();
        if image.is_empty() {
            return Err(Refusal::new(400, "No image specified"));
        }
        let found = self.image(&image).map(|image| (image.id.clone(), image.files.clone()));
        let Some((image_id, files)) = found else {
            return Err(Refusal::new(
                404,
                format!("No such image: {}", super::image::tagged(&image)),
            ));
        };
        let id = self.new_id("container");
        let name = match name.trim_start_matches('/') {
            "" => self.invented_name(&id),
            name => name.to_owned(),
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if name.len() < 2 || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(allowed) {
            let text = format!("Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
            return Err(Refusal::new(400, text));
        }
        self.refuse_taken_name(&name)?;
        let networking = json::remove(&mut config, "NetworkingConfig");
        let mut container = Container::read(self, id.clone(), name, config)?;
        container.image_id = image_id;
        if let Some(files) = files {
            container.files = files;
        }
        self.resolve_references(&mut container)?;
        self.attach_networks(&mut container, networking.as_ref())?;
        self.attach_mounts(&mut container);
        self.containers.insert(id.clone(), container);
        self.tell_of(&id, "create", &[]);
        Ok(id)
    }

    fn refuse_taken_name(&self, name: &str) -> Result<(), Refusal> {
        let Some(taken) = self.containers.values().find(|container| container.name == name) else {
            return Ok(());
        };
        Err(Refusal::new(
            409,
            format!(
                "Conflict. The container name \"/{name}\" is already in use by container \"{}\". You have to remove (or \
                 rename) that container to be able to reuse that name.",
                taken.id
            ),
        ))
    }

    fn invented_name(&self, id: &str) -> String {
        const LEFT: [&str; 8] = ["amber", "bold", "calm", "dapper", "eager", "frosty", "gallant", "happy"];
        const RIGHT: [&str; 8] = [
            "curie", "darwin", "euler", "fermi", "gauss", "hopper", "noether", "turing",
        ];
        let byte = |at: usize| usize::from_str_radix(id.get(at..at + 2).unwrap_or("0"), 16).unwrap_or(0);
        let name = format!("{}_{}", LEFT[byte(0) % LEFT.len()], RIGHT[byte(2) % RIGHT.len()]);
        match self.refuse_taken_name(&name) {
            Ok(()) => name,
            Err(_) => format!("{name}_{}", &id[..6]),
        }
    }

    /// Begins to start a container: its process is there after the scenario's start latency. `false` if it is up
    /// already.
    pub fn begin_start(&mut self, id: &str) -> Result<bool, Refusal> {
        let Some(container) = self.containers.get(id) else {
            return Err(Refusal::no_container(id));
        };
        match container.life.phase() {
            Phase::Paused => {
                let text = "cannot start a paused container, try unpause instead";
                return Err(Refusal::new(409, text));
            }
            Phase::Running | Phase::Starting | Phase::Restarting => return Ok(false),
            Phase::Created | Phase::Exited => {}
        }
        let host_name = self.check_references(id)?;
        let ports = self.open_ports(id)?;
        let latency = self.shared.plan.run.start_latency;
        let Some(container) = self.containers.get_mut(id) else {
            return Ok(false);
        };
        container.life.forget_restarts();
        container.life.start();
        container.generation += 1;
        container.stopped_by_hand = false;
        self.port_changes += u64::from(!ports.is_empty());
        container.ports = ports;
        if let Some(name) = host_name {
            let mut config = container.config();
            json::set(&mut config, "Hostname", name);
            container.config = serde_json::Value::Object(config).to_string().into();
        }
        let generation = container.generation;
        if latency.is_zero() {
            self.container_started(id);
        } else {
            self.plan_in(latency, Due::Started, id, generation);
        }
        Ok(true)
    }

    pub(super) fn container_started(&mut self, id: &str) {
        let now = self.now;
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        if !container.life.started() {
            return;
        }
        container.runs += 1;
        container.started = Some(now);
        container.exit_code = 0;
        self.set_out(id);
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        let early = std::mem::take(&mut container.early_input);
        if !early.is_empty() && container.course.reads {
            container.log.echo(now, &early);
        }
        let input_ended = std::mem::take(&mut container.input_ended);
        self.join_networks(id);
        self.tell_of(id, "start", &[]);
        if input_ended {
            self.input_ends(id);
        }
    }

    /// A container has come to its end.
    pub(super) fn container_ends(&mut self, id: &str) {
        let Some(container) = self.containers.get(id) else {
            return;
        };
        let restarts = container.life.restarts();
        let fate = container.class.map(|class| {
            let class = &self.shared.plan.classes[class];
            self.shared
                .fates
                .at_exit(class, &container.name, restarts, container.lifetime)
        });
        let code = match (container.end_code, fate) {
            (Some(code), _) => code,
            // The scenario speaks of those whose end it knows.
            (None, Some(fate)) if container.lifetime.is_some() => i64::from(fate.failed),
            (None, _) => container.course.code,
        };
        self.exit_with(id, code, fate.and_then(|fate| fate.lifetime));
    }

    /// A container's process ends by itself with a code; its policy may start it again, to run for so long.
    pub fn exit_with(&mut self, id: &str, code: i64, next_lifetime: Option<std::time::Duration>) {
        let now = self.now;
        let Some(container) = self.containers.get_mut(id).filter(|container| container.life.is_up()) else {
            return;
        };
        let exit = Exit {
            failed: code != 0,
            ran: container.started.map_or_else(Default::default, |started| now - started),
            policy: container.policy,
            delay: container.delay,
        };
        let again = container.life.exited(&exit);
        container.generation += 1;
        container.write_due(now);
        container.course.clear();
        container.finished = Some(now);
        container.exit_code = code;
        container.ends_at = None;
        if again.is_some() && next_lifetime.is_some() {
            container.lifetime = next_lifetime;
        }
        let generation = container.generation;
        self.tell_of(id, "die", &[("exitCode", code.to_string())]);
        self.leave_networks(id);
        match again {
            Some(delay) => self.plan_in(delay, Due::Restarted, id, generation),
            None => self.after_the_end(id),
        }
    }

    pub(super) fn container_restarts(&mut self, id: &str) {
        self.container_started(id);
    }

    /// Ends a container; `false` if it does not run.
    pub fn stop(&mut self, id: &str, signal: Signal) -> bool {
        let now = self.now;
        let Some(container) = self.containers.get_mut(id) else {
            return false;
        };
        let had_process = container.life.is_up();
        if !container.life.stop() {
            return false;
        }
        let (number, code) = match signal {
            Signal::Stop => (15, 143),
            Signal::Kill(number) => (number, 128 + number),
        };
        container.generation += 1;
        container.ends_at = None;
        container.course.clear();
        container.stopped_by_hand = true;
        if had_process {
            container.finished = Some(now);
            container.exit_code = code;
            self.tell_of(id, "kill", &[("signal", number.to_string())]);
            self.tell_of(id, "die", &[("exitCode", code.to_string())]);
            self.leave_networks(id);
        }
        if signal == Signal::Stop {
            self.tell_of(id, "stop", &[]);
        }
        self.after_the_end(id);
        true
    }

    /// Nothing starts it again: its ports are free, and one that was created with `--rm` is removed.
    fn after_the_end(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        self.port_changes += u64::from(!container.ports.is_empty());
        container.ports.clear();
        let removes = container.auto_remove;
        self.execs.retain(|_, exec| !exec.running || exec.container != id);
        if removes {
            self.remove(id, true);
        }
    }

    /// Stops a container in its tracks, or lets it go on.
    pub fn pause(&mut self, id: &str, pauses: bool) -> Result<(), Refusal> {
        let now = self.now;
        let Some(container) = self.containers.get_mut(id) else {
            return Err(Refusal::no_container(id));
        };
        if !container.life.is_up() {
            let text = match pauses {
                true => format!("Container {id} is not running"),
                false => format!("Container {id} is not paused"),
            };
            return Err(Refusal::new(if pauses { 409 } else { 500 }, text));
        }
        if pauses {
            if !container.life.pause() {
                return Err(Refusal::new(409, format!("Container {id} is already paused")));
            }
            container.generation += 1;
            // What is left of its life is left when it goes on.
            container.ends_at = container.ends_at.map(|end| crate::model::Time::ZERO + (end - now));
            container.course.pause(now);
            self.tell_of(id, "pause", &[]);
            return Ok(());
        }
        if !container.life.unpause() {
            return Err(Refusal::new(500, format!("Container {id} is not paused")));
        }
        container.generation += 1;
        container.ends_at = container.ends_at.map(|left| now + (left - crate::model::Time::ZERO));
        container.course.resume(now);
        self.plan_course(id);
        self.tell_of(id, "unpause", &[]);
        Ok(())
    }

    /// Gives a container another name.
    pub fn rename(&mut self, id: &str, name: &str) -> Result<(), Refusal> {
        let name = name.trim_start_matches('/');
        if name.is_empty() {
            return Err(Refusal::new(400, "Neither old nor new names may be empty"));
        }
        self.refuse_taken_name(name)?;
        let Some(container) = self.containers.get_mut(id) else {
            return Err(Refusal::no_container(id));
        };
        let old = std::mem::replace(&mut container.name, name.to_owned());
        self.tell_of(id, "rename", &[("oldName", format!("/{old}"))]);
        Ok(())
    }

    /// Removes a container, which must not run unless `force` is given.
    pub fn remove_container(&mut self, id: &str, force: bool, volumes: bool) -> Result<(), Refusal> {
        let Some(container) = self.containers.get(id) else {
            return Err(Refusal::no_container(id));
        };
        if !matches!(container.life.phase(), Phase::Created | Phase::Exited) {
            if !force {
                let text = match container.life.phase() {
                    Phase::Paused => format!(
                        "You cannot remove a paused container {id}. Unpause and then stop the container before attempting \
                         removal or force remove"
                    ),
                    _ => format!(
                        "You cannot remove a running container {id}. Stop the container before attempting removal or force \
                         remove"
                    ),
                };
                return Err(Refusal::new(409, text));
            }
            self.stop(id, Signal::Kill(9));
        }
        self.remove(id, volumes);
        Ok(())
    }

    fn remove(&mut self, id: &str, volumes: bool) {
        self.tell_of(id, "destroy", &[]);
        let Some(mut container) = self.containers.remove(id) else {
            return;
        };
        self.execs.retain(|_, exec| exec.container != id);
        if volumes {
            for mount in std::mem::take(&mut container.mounts) {
                if self.volumes.get(&mount.source).is_some_and(|volume| volume.anonymous) {
                    self.volumes.remove(&mount.source);
                    self.tell("volume", "destroy", &mount.source, Labels::new());
                }
            }
        }
        // Of the rest nobody asks any more.
        (container.config, container.host) = (Box::default(), Box::default());
        if self.departed.len() == DEPARTED_MAX {
            self.departed.pop_front();
        }
        self.departed.push_back(container);
    }

    /// The ports that a container opens, which nobody else may have open.
    fn open_ports(&mut self, id: &str) -> Result<Vec<Port>, Refusal> {
        let Some(container) = self.containers.get(id) else {
            return Err(Refusal::no_container(id));
        };
        let host = container.host();
        let mode = container.network_mode();
        if mode == "host" || mode == "none" || mode.starts_with("container:") {
            return Ok(Vec::new());
        }
        let mut ports: Vec<Port> = Vec::new();
        let bindings = json::map(&host, "PortBindings").cloned().unwrap_or_default();
        let mut wanted: Vec<PortBinding> = Vec::new();
        for (inside, list) in &bindings {
            let list = list.as_array().map_or(&[][..], Vec::as_slice);
            for binding in list.iter().filter_map(serde_json::Value::as_object) {
                wanted.push(PortBinding {
                    container_port: with_protocol(inside).into(),
                    host_ip: json::text(binding, "HostIp").into(),
                    host_port: json::text(binding, "HostPort").into(),
                });
            }
        }
        if json::flag(&host, "PublishAllPorts") {
            let config = container.config();
            for inside in json::map(&config, "ExposedPorts").into_iter().flat_map(Map::keys) {
                wanted.push(PortBinding {
                    container_port: with_protocol(inside).into(),
                    ..PortBinding::default()
                });
            }
        }
        let name = container.name.clone();
        for binding in wanted {
            let ip = if binding.binds_all_interfaces() {
                "0.0.0.0"
            } else {
                binding.host_ip.as_str()
            };
            let first = binding.host_port.split('-').next().unwrap_or_default();
            let outside = match first.parse::<u16>() {
                Ok(port) if port > 0 => port,
                _ => self.choose_port(binding.protocol(), &ports),
            };
            if self.is_port_open(ip, outside, binding.protocol(), &ports) {
                let text = format!(
                    "driver failed programming external connectivity on endpoint {name} ({}): Bind for {ip}:{outside} \
                     failed: port is already allocated",
                    super::hash(&name)
                );
                return Err(Refusal::new(500, text));
            }
            ports.push(Port {
                inside: binding.container_port.to_string(),
                ip: ip.to_owned(),
                outside,
            });
        }
        Ok(ports)
    }

    fn is_port_open(&self, ip: &str, outside: u16, protocol: &str, own: &[Port]) -> bool {
        let everywhere = |ip: &str| ip == "0.0.0.0" || ip == "::";
        self.containers
            .values()
            .flat_map(|container| &container.ports)
            .chain(own)
            .any(|port| {
                port.outside == outside
                    && port.inside.ends_with(&format!("/{protocol}"))
                    && (port.ip == ip || everywhere(&port.ip) || everywhere(ip))
            })
    }

    fn choose_port(&mut self, protocol: &str, own: &[Port]) -> u16 {
        let span = u16::MAX - PORT_FIRST;
        for _ in 0..span {
            let port = PORT_FIRST + self.ports_chosen % span;
            self.ports_chosen = (self.ports_chosen + 1) % span;
            if !self.is_port_open("0.0.0.0", port, protocol, own) {
                return port;
            }
        }
        PORT_FIRST
    }

    /// Input of a container, which is echoed.
    pub fn feed(&mut self, id: &str, bytes: &[u8]) {
        let now = self.now;
        let Some(container) = self.containers.get_mut(id).filter(|container| container.open_stdin) else {
            return;
        };
        if container.life.phase() == Phase::Running {
            if container.course.reads {
                container.log.echo(now, bytes);
                self.touch();
            }
        } else if container.early_input.len() + bytes.len() <= EARLY_INPUT_MAX {
            container.early_input.extend_from_slice(bytes);
        }
    }

    /// The one who gives a container its input has no more: a process that only has it ends.
    pub fn end_input(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        if container.stdin_once && container.open_stdin && !container.tty {
            match container.life.is_up() {
                true => self.input_ends(id),
                false => container.input_ended = true,
            }
        }
    }
}

fn with_protocol(port: &str) -> String {
    match port.contains('/') {
        true => port.to_owned(),
        false => format!("{port}/tcp"),
    }
}
