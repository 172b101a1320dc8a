//! A manager without sockets: it drives the scheduler as a live one would, towards daemons that are plain data.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use swarmlab::cluster::{Cluster, HEALTHY, Identity, Image, NewNode, NodeChange, health_indicator};
use swarmlab::model::{Bytes, ContainerIdx, Cpus, Labels, NodeIdx, Overcommit, PortBinding, Request, Resources};
use swarmlab::scheduler::{
    CreateError, Creation, DaemonError, Filter, Scheduler, Settings, Strategy, reschedule_policy, swarm_id, to_shares,
    translate,
};

/// `--engine-failure-retry`.
const FAILURES_MAX: u32 = 3;

pub struct Manager {
    pub cluster: Cluster,
    pub scheduler: Scheduler,
    /// `swarm.createretry`.
    pub retries: u32,
    pub daemons: Vec<Daemon>,
    /// Images that can be pulled.
    pub registry: BTreeSet<String>,
    rng: ChaCha8Rng,
}

/// One Docker daemon.
pub struct Daemon {
    pub node: NodeIdx,
    pub alive: bool,
    address: String,
    failures: u32,
    images: BTreeSet<String>,
    pub containers: Vec<Inspected>,
}

/// What a daemon says of a container, from what it was told.
#[derive(Clone, Debug)]
pub struct Inspected {
    pub name: String,
    pub env: Vec<String>,
    pub labels: Labels,
    pub cpu_shares: u64,
    pub running: bool,
    index: ContainerIdx,
}

/// What a client sends.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub env: Vec<String>,
    pub labels: Labels,
    pub image: String,
    /// `--cpu-shares`: whole CPUs.
    pub cpus: u64,
    pub memory: u64,
    /// Docker's `NetworkMode`.
    pub network_mode: String,
    pub exposed_ports: Vec<String>,
    pub port_bindings: Vec<PortBinding>,
    pub volumes_from: Vec<String>,
    pub links: Vec<String>,
}

/// What a client gets: status 201 and this, …
#[derive(Clone, Debug)]
pub struct Created {
    pub id: String,
    /// Name of the node.
    pub node: String,
}

/// … or this.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub status: u16,
    pub body: String,
}

/// A create whose node is chosen and whose daemon has not answered yet.
pub struct Started {
    creation: Creation,
    env: Vec<String>,
    name: String,
    swarm_id: String,
    reserved: ContainerIdx,
}

impl Manager {
    /// No nodes, the default filters, 0.05 overcommit.
    pub fn new(strategy: Strategy) -> Manager {
        Manager {
            cluster: Cluster::new(),
            scheduler: Scheduler::new(Settings::new(strategy)),
            retries: 0,
            daemons: Vec::new(),
            registry: BTreeSet::from([String::new()]),
            rng: ChaCha8Rng::seed_from_u64(1),
        }
    }

    /// The nodes of `scheduler/RULES.md` §15: n1 (region=us, 4 CPU, 8 GiB) and n2 (region=eu, 2 CPU, 4 GiB) under
    /// spread.
    pub fn with_two_nodes() -> Manager {
        let mut manager = Manager::new(Strategy::Spread);
        manager.add_node("n1", 4, Bytes::from_gib(8), &[("region", "us")]);
        manager.add_node("n2", 2, Bytes::from_gib(4), &[("region", "eu")]);
        manager
    }

    pub fn set_filters(&mut self, filters: &[Filter]) {
        let settings = Settings {
            filters: filters.to_vec(),
            ..self.scheduler.settings().clone()
        };
        self.scheduler = Scheduler::new(settings);
    }

    pub fn add_node(&mut self, name: &str, cpus: u64, memory: Bytes, labels: &[(&str, &str)]) {
        let number = self.daemons.len() + 1;
        let address = format!("10.0.0.{number}:2375");
        let node = self.cluster.add_node(NewNode {
            id: format!("DAEMON{number}|{address}"),
            name: name.to_owned(),
            capacity: Resources::new(Cpus::whole(cpus), memory),
            overcommit: Overcommit::DEFAULT,
            labels: labels
                .iter()
                .map(|(key, value)| (key.to_string(), value.to_string()))
                .collect(),
            extra: Vec::new(),
        });
        self.daemons.push(Daemon {
            node,
            alive: true,
            address,
            failures: 0,
            images: BTreeSet::from([String::new()]),
            containers: Vec::new(),
        });
    }

    pub fn daemon(&mut self, name: &str) -> &mut Daemon {
        let cluster = &self.cluster;
        let mut daemons = self.daemons.iter_mut();
        daemons
            .find(|daemon| cluster.node(daemon.node).name() == name)
            .expect("the daemon exists")
    }

    pub fn node(&self, name: &str) -> &swarmlab::cluster::Node {
        self.cluster
            .nodes()
            .find(|(_, node)| node.name() == name)
            .expect("the node exists")
            .1
    }

    /// `docker pull` behind the manager's back, which it notices.
    pub fn add_image(&mut self, node: &str, reference: &str) {
        let daemon = self.daemon(node);
        daemon.images.insert(reference.to_owned());
        let idx = daemon.node;
        self.cluster
            .update_node(idx, NodeChange::AddImage(Arc::new(Image::tagged(reference))));
    }

    /// So many connection failures in a row.
    pub fn set_failures(&mut self, node: &str, failures: u32) {
        let daemon = self.daemon(node);
        daemon.failures = failures;
        let idx = daemon.node;
        self.cluster
            .update_node(idx, NodeChange::Health(health_indicator(failures, FAILURES_MAX)));
    }

    /// `docker stop`: nothing that scheduling looks at changes.
    pub fn stop(&mut self, name: &str) {
        self.inspect_mut(name).running = false;
    }

    pub fn inspect(&mut self, name: &str) -> Inspected {
        self.inspect_mut(name).clone()
    }

    fn inspect_mut(&mut self, name: &str) -> &mut Inspected {
        let mut all = self.daemons.iter_mut().flat_map(|daemon| &mut daemon.containers);
        all.find(|container| container.name == name)
            .expect("the container exists")
    }

    /// Containers on a node, as the manager sees it.
    pub fn count(&self, node: &str) -> usize {
        self.node(node).containers().len()
    }

    /// `POST /containers/create` from the request to the answer.
    pub fn create(&mut self, name: &str, config: Config) -> Result<Created, Failure> {
        let started = self.start(name, config)?;
        self.finish(started)
    }

    /// As far as the scheduler goes: a node is chosen and room reserved.
    pub fn start(&mut self, name: &str, config: Config) -> Result<Started, Failure> {
        let Config {
            mut env, mut labels, ..
        } = config;
        let expressions = translate(&mut env, &mut labels);
        let reschedule = reschedule_policy(&expressions.reschedule).map_err(|error| failure(&error.into()))?;
        let swarm_id = swarm_id(&mut labels, &self.cluster, &mut self.rng);
        let request = Request {
            resources: Resources::new(Cpus::whole(config.cpus), Bytes::new(config.memory)),
            extra: Vec::new(),
            image: config.image,
            labels,
            network_mode: config.network_mode,
            exposed_ports: config.exposed_ports,
            port_bindings: config.port_bindings,
            volumes_from: config.volumes_from,
            links: config.links,
            constraints: expressions.constraints,
            affinities: expressions.affinities,
            whitelists: expressions.whitelists,
            reschedule,
        };
        let mut creation = Creation::new(request, self.retries);
        let reserved = self.reserve(&mut creation, name, &swarm_id)?;
        Ok(Started {
            creation,
            env,
            name: name.to_owned(),
            swarm_id,
            reserved,
        })
    }

    /// The rest: the daemon is told, and if it refuses, retries are made.
    pub fn finish(&mut self, started: Started) -> Result<Created, Failure> {
        let Started {
            mut creation,
            env,
            name,
            swarm_id,
            mut reserved,
        } = started;
        loop {
            let node = self.cluster.container(reserved).expect("the room is reserved").node();
            let told = self.tell_daemon(node, reserved, creation.request(), &env, &name);
            let error = match told {
                Ok(id) => {
                    return Ok(Created {
                        id,
                        node: self.cluster.node(node).name().to_owned(),
                    });
                }
                Err(error) => CreateError::from(error),
            };
            self.cluster.remove(reserved);
            if !creation.retry_after(&error, &self.cluster) {
                return Err(failure(&error));
            }
            reserved = self.reserve(&mut creation, &name, &swarm_id)?;
        }
    }

    /// Attempts until one reserves room or no other is due.
    fn reserve(&mut self, creation: &mut Creation, name: &str, swarm_id: &str) -> Result<ContainerIdx, Failure> {
        loop {
            let attempt = creation.attempt(&mut self.scheduler, &mut self.cluster, name, swarm_id, &mut self.rng);
            match attempt {
                Ok((container, _)) => return Ok(container),
                Err(error) if creation.retry_after(&error, &self.cluster) => {}
                Err(error) => return Err(failure(&error)),
            }
        }
    }

    /// The engine call of `scheduler/RULES.md` §9.2, with its implicit pull.
    fn tell_daemon(
        &mut self,
        node: NodeIdx,
        container: ContainerIdx,
        request: &Request,
        env: &[String],
        name: &str,
    ) -> Result<String, DaemonError> {
        let mut digits = [0; 32];
        self.rng.fill_bytes(&mut digits);
        let real = self.cluster.node(node).capacity().cpus;
        let daemon = self
            .daemons
            .iter_mut()
            .find(|daemon| daemon.node == node)
            .expect("every node has a daemon");
        if !daemon.alive {
            daemon.failures += 1;
            let health = health_indicator(daemon.failures, FAILURES_MAX);
            self.cluster.update_node(node, NodeChange::Health(health));
            return Err(DaemonError::unreachable(&daemon.address));
        }
        daemon.failures = 0;
        self.cluster.update_node(node, NodeChange::Health(HEALTHY));
        if !daemon.images.contains(&request.image) {
            if !self.registry.contains(&request.image) {
                return Err(DaemonError::pull(
                    &request.image,
                    "repository does not exist or may require 'docker login'",
                ));
            }
            daemon.images.insert(request.image.clone());
            let image = Arc::new(Image::tagged(&request.image));
            self.cluster.update_node(node, NodeChange::AddImage(image));
        }
        let id: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
        daemon.containers.push(Inspected {
            name: name.to_owned(),
            env: env.to_vec(),
            labels: request.labels.clone(),
            cpu_shares: to_shares(request.resources.cpus, real),
            running: true,
            index: container,
        });
        let aliases = if name.is_empty() {
            vec![format!("quirky_{}", &id[..6])]
        } else {
            Vec::new()
        };
        self.cluster.commit(
            container,
            Some(Identity {
                id: id.clone(),
                aliases,
                ..Identity::default()
            }),
        );
        Ok(id)
    }

    /// `docker rm`
    pub fn remove(&mut self, name: &str) {
        let index = self.inspect_mut(name).index;
        self.cluster.remove(index);
        for daemon in &mut self.daemons {
            daemon.containers.retain(|container| container.name != name);
        }
    }
}

fn failure(error: &CreateError) -> Failure {
    Failure {
        status: error.status(),
        body: format!("{error}\n"),
    }
}

impl Failure {
    /// The last line of the body.
    pub fn last_line(&self) -> &str {
        self.body.lines().last().unwrap_or_default()
    }
}
