//! A tiny daemon that keeps containers, images, networks and volumes in memory, and misbehaves on demand.

mod goods;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use hyper::{Method, Response};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use swarmlab::docker::{Timestamp, path};
use swarmlab::net::{self, Address, Listener};

use crate::live::fake::{Fake, Reply, Routes, Seen, ping, without_version};
use crate::live::within;

use goods::{about_images, about_networks, about_volumes};

/// How the daemon behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Fine,
    /// Takes requests and never answers.
    Hangs,
    /// Answers 500 to everything.
    Refuses,
    /// Closes every connection without an answer.
    Resets,
    /// Answers with bytes that are no JSON of its kind.
    Babbles,
    /// Does what it is told, and answers questions only.
    Sulks,
    /// Does what it is told and says so, and answers no questions.
    Obeys,
}

/// One container.
#[derive(Clone, Debug)]
pub struct Container {
    pub id: String,
    pub name: String,
    /// The body of the request that created it.
    pub body: Value,
    pub running: bool,
    pub exit_code: i64,
    /// Nanoseconds by this daemon's clock.
    pub created: i64,
    pub started: Option<i64>,
}

/// Everything that the daemon has.
#[derive(Debug)]
pub struct World {
    pub mood: Mood,
    pub id: String,
    pub name: String,
    /// The lowest and the highest version of the API.
    pub versions: [&'static str; 2],
    pub cpus: u64,
    pub memory: u64,
    pub labels: Vec<String>,
    /// Nanoseconds that the daemon's clock is ahead.
    pub clock: i64,
    pub containers: BTreeMap<String, Container>,
    /// ID and tags.
    pub images: Vec<(String, Vec<String>)>,
    /// Images that can be pulled.
    pub registry: Vec<String>,
    pub networks: Vec<Map<String, Value>>,
    pub volumes: Vec<Map<String, Value>>,
    /// Calls that alter something, as `METHOD TARGET`.
    pub orders: Vec<String>,
    listeners: Vec<UnboundedSender<String>>,
    created: u64,
    holds: Vec<Hold>,
}

/// What of a call is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is not carried out yet.
    Request,
    /// It is carried out, and not answered yet.
    Answer,
}

#[derive(Debug)]
struct Hold {
    stage: Stage,
    call: String,
    told: oneshot::Receiver<()>,
}

impl World {
    fn new(name: &str) -> World {
        let network = |kind: &str| {
            let network = json!({
                "Id": format!("{kind}-{name}-0123456789abcdef"), "Name": kind, "Driver": kind, "Scope": "local",
                "Labels": {}, "Containers": {},
            });
            network.as_object().expect("an object").clone()
        };
        World {
            mood: Mood::Fine,
            id: format!("ID-{name}"),
            name: name.to_owned(),
            versions: ["1.12", "1.41"],
            cpus: 4,
            memory: 8 << 30,
            labels: Vec::new(),
            clock: 0,
            containers: BTreeMap::new(),
            images: vec![("sha256:b0".to_owned(), vec!["busybox:latest".to_owned()])],
            registry: Vec::new(),
            networks: ["bridge", "host", "none"].map(network).to_vec(),
            volumes: Vec::new(),
            orders: Vec::new(),
            listeners: Vec::new(),
            created: 0,
            holds: Vec::new(),
        }
    }

    fn now(&self) -> i64 {
        Timestamp::now().0 + self.clock
    }

    /// Holds back the next call whose method and target contain the text until the sender is told; if that is dropped,
    /// the connection is cut.
    pub fn hold(&mut self, stage: Stage, call: &str) -> oneshot::Sender<()> {
        let (sender, told) = oneshot::channel();
        let call = call.to_owned();
        self.holds.push(Hold { stage, call, told });
        sender
    }

    /// Tells all listeners.
    pub fn tell(&mut self, event: &Value) {
        self.say(&format!("{event}\n"));
    }

    /// Sends any text as if it were events.
    pub fn say(&mut self, text: &str) {
        self.listeners.retain(|listener| listener.send(text.to_owned()).is_ok());
    }

    /// How many follow the events.
    pub fn listeners(&mut self) -> usize {
        self.listeners.retain(|listener| !listener.is_closed());
        self.listeners.len()
    }

    fn tell_of(&mut self, action: &str, container: &str) {
        self.tell_more_of(action, container, "", String::new());
    }

    fn tell_more_of(&mut self, action: &str, container: &str, key: &str, value: String) {
        let now = self.now();
        let name = self.containers.get(container).map(|known| known.name.clone());
        self.tell(&json!({
            "status": action, "id": container, "from": "busybox", "Type": "container", "Action": action,
            "Actor": { "ID": container, "Attributes": { "image": "busybox", "name": name, key: value } },
            "scope": "local", "time": now / 1_000_000_000, "timeNano": now,
        }));
    }

    /// Creates a container as if a client had asked this daemon.
    pub fn create(&mut self, name: &str, body: &Value) -> String {
        self.created += 1;
        let digest: u64 = self.id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let id = format!("{:016x}{digest:016x}", self.created.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(2);
        let name = match name.trim_start_matches('/') {
            "" => format!("quirky_{}", self.created),
            name => name.to_owned(),
        };
        let container = Container {
            id: id.clone(),
            name,
            body: body.clone(),
            running: false,
            exit_code: 0,
            created: self.now(),
            started: None,
        };
        self.containers.insert(id.clone(), container);
        self.tell_of("create", &id);
        id
    }

    /// Starts a container.
    pub fn start(&mut self, id: &str) {
        let now = self.now();
        if let Some(container) = self.containers.get_mut(id) {
            container.running = true;
            container.started = Some(now);
        }
        self.tell_of("start", id);
    }

    /// Lets a container end.
    pub fn end(&mut self, id: &str, exit_code: i64) {
        if let Some(container) = self.containers.get_mut(id) {
            container.running = false;
            container.exit_code = exit_code;
        }
        self.tell_more_of("die", id, "exitCode", exit_code.to_string());
    }

    /// Stops a container as a client wants it, or the daemon itself when it is stopped.
    pub fn stop(&mut self, id: &str) {
        self.tell_more_of("kill", id, "signal", "15".to_owned());
        self.end(id, 137);
        self.tell_of("stop", id);
    }

    /// Removes a container.
    pub fn remove(&mut self, id: &str) {
        self.containers.remove(id);
        self.tell_of("destroy", id);
    }

    /// The container of that name.
    pub fn named(&self, name: &str) -> Option<&Container> {
        self.containers.values().find(|container| container.name == name)
    }

    fn listed(&self, container: &Container) -> Value {
        let state = if container.running { "running" } else { "exited" };
        json!({
            "Id": container.id, "Names": [format!("/{}", container.name)], "Image": container.body["Image"],
            "ImageID": "sha256:b0", "Command": "true", "Created": container.created / 1_000_000_000,
            "Labels": container.body["Labels"], "State": state, "Status": state,
            "Ports": ports(container, |public, private, kind, ip| json!({
                "IP": ip, "PublicPort": public, "PrivatePort": private, "Type": kind,
            })),
            "HostConfig": { "NetworkMode": "default" }, "NetworkSettings": { "Networks": networks(container) },
            "Mounts": container.body["Mounts"].as_array().cloned().unwrap_or_default(),
            "FieldOfTheFuture": 1,
        })
    }

    fn inspected(&self, container: &Container) -> Value {
        let time = |nanos: Option<i64>| match nanos {
            Some(nanos) => Timestamp(nanos).to_string(),
            None => "0001-01-01T00:00:00Z".to_owned(),
        };
        let mut config = container.body.clone();
        let host = config.as_object_mut().and_then(|config| config.remove("HostConfig"));
        let finished = container.started.filter(|_| !container.running);
        let mut published = Map::new();
        for binding in ports(container, |public, private, kind, ip| {
            json!([
                format!("{private}/{kind}"),
                { "HostIp": ip, "HostPort": public.to_string() }
            ])
        }) {
            let port = binding[0].as_str().expect("a port").to_owned();
            published.insert(port, json!([binding[1]]));
        }
        json!({
            "Id": container.id, "Name": format!("/{}", container.name), "Created": time(Some(container.created)),
            "Image": "sha256:b0", "Config": config, "HostConfig": host.unwrap_or_default(),
            "State": {
                "Status": if container.running { "running" } else { "exited" },
                "Running": container.running, "Paused": false, "Restarting": false, "Dead": false,
                "ExitCode": container.exit_code, "StartedAt": time(container.started), "FinishedAt": time(finished),
            },
            "Mounts": container.body["Mounts"].as_array().cloned().unwrap_or_default(),
            "NetworkSettings": { "Ports": published, "Networks": networks(container) },
            "FieldOfTheFuture": 1,
        })
    }
}

/// The published ports of a container that runs.
fn ports(container: &Container, show: impl Fn(u64, u64, &str, &str) -> Value) -> Vec<Value> {
    let bindings = container.body["HostConfig"]["PortBindings"].as_object();
    let bindings = bindings.filter(|_| container.running).into_iter().flatten();
    bindings
        .flat_map(|(port, bindings)| {
            let (private, kind) = port.split_once('/').unwrap_or((port, "tcp"));
            let bindings = bindings.as_array().map_or(&[][..], Vec::as_slice);
            let show = &show;
            bindings.iter().map(move |binding| {
                let public = binding["HostPort"].as_str().and_then(|port| port.parse().ok());
                let ip = binding["HostIp"]
                    .as_str()
                    .filter(|ip| !ip.is_empty())
                    .unwrap_or("0.0.0.0");
                show(public.unwrap_or(40000), private.parse().unwrap_or(0), kind, ip)
            })
        })
        .collect()
}

fn networks(container: &Container) -> Value {
    let named = container.body["NetworkingConfig"]["EndpointsConfig"].as_object();
    let names: Vec<String> = named.map_or_else(|| vec!["bridge".to_owned()], |named| named.keys().cloned().collect());
    let networks = names
        .into_iter()
        .map(|name| (name, json!({ "NetworkID": "", "IPAddress": "172.17.0.2" })));
    Value::Object(networks.collect())
}

/// A daemon that can be ended and started again at the same address, with everything that it has.
pub struct Engine {
    pub address: Address,
    world: Arc<Mutex<World>>,
    fake: Option<Fake>,
}

/// An address that no connection of another test is ever given, so that it can be listened on again.
async fn own_address() -> Address {
    if !cfg!(target_os = "linux") {
        return Fake::nowhere().await;
    }
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let (process, number) = (std::process::id() % 16_384, NUMBER.fetch_add(1, Ordering::Relaxed));
    let address = format!(
        "127.{}.{}.{}:23750",
        64 + process / 128,
        process % 128 + number / 250,
        number % 250 + 1
    );
    Address::Tcp(address)
}

impl Engine {
    pub async fn start(name: &str) -> Engine {
        Engine::start_with(name, |_| {}).await
    }

    /// Starts a daemon that has been altered first.
    pub async fn start_with(name: &str, alter: impl FnOnce(&mut World)) -> Engine {
        let mut engine = Engine::not_yet(name).await;
        alter(&mut engine.world());
        engine.resume().await;
        engine
    }

    /// A daemon that does not run yet, at an address where nobody else listens.
    pub async fn not_yet(name: &str) -> Engine {
        Engine::not_yet_at(name, own_address().await)
    }

    /// A daemon that does not run yet.
    pub fn not_yet_at(name: &str, address: Address) -> Engine {
        Engine {
            address,
            world: Arc::new(Mutex::new(World::new(name))),
            fake: None,
        }
    }

    /// `host:port`, or `unix://path`
    pub fn authority(&self) -> String {
        match &self.address {
            Address::Tcp(authority) => authority.clone(),
            socket @ Address::Unix(_) => socket.to_string(),
        }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no panic under this lock")
    }

    pub fn set_mood(&self, mood: Mood) {
        self.world().mood = mood;
    }

    /// Ends the daemon with all its connections, until nobody listens at its address.
    pub async fn kill(&mut self) {
        self.fake = None;
        self.world().listeners.clear();
        within(async {
            while Listener::bind(&self.address, None).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Starts the daemon again.
    pub async fn resume(&mut self) {
        let world = Arc::clone(&self.world);
        let routes = Routes::default().otherwise(move |seen| {
            let mut own = world.lock().expect("no panic under this lock");
            let call = format!("{} {}", seen.method, seen.target);
            let held = own.holds.iter().position(|hold| call.contains(&hold.call));
            let Some(hold) = held.map(|held| own.holds.swap_remove(held)) else {
                return answer(&mut own, seen);
            };
            match hold.stage {
                Stage::Request => {
                    let (world, seen) = (Arc::clone(&world), seen.clone());
                    let then = move || answer(&mut world.lock().expect("no panic under this lock"), &seen);
                    Reply::Held(hold.told, Box::new(then))
                }
                Stage::Answer => {
                    let reply = answer(&mut own, seen);
                    Reply::Held(hold.told, Box::new(move || reply))
                }
            }
        });
        self.fake = Some(routes.start_at(&self.address, None).await);
    }

    /// How often the daemon was asked, with a target that contains the text.
    pub fn asked(&self, text: &str) -> usize {
        let calls = self.fake.as_ref().map(Fake::calls).unwrap_or_default();
        calls.iter().filter(|call| call.contains(text)).count()
    }

    /// The last request whose target contains the text.
    pub fn last(&self, text: &str) -> Option<Seen> {
        let seen = self.fake.as_ref().map(Fake::seen).unwrap_or_default();
        seen.into_iter().rfind(|seen| seen.target.contains(text))
    }
}

fn answer(world: &mut World, seen: &Seen) -> Reply {
    let reply = what_it_says(world, seen);
    match world.mood {
        Mood::Sulks if !matches!(seen.method, Method::GET | Method::HEAD) => Reply::Hang,
        Mood::Obeys if matches!(seen.method, Method::GET | Method::HEAD) => Reply::Hang,
        _ => reply,
    }
}

fn what_it_says(world: &mut World, seen: &Seen) -> Reply {
    let (raw_path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
    let whole = path::unescape_path(without_version(raw_path));
    let query = path::pairs(query);
    let parameter = |name: &str| {
        let found = query.iter().find(|(own, _)| own == name);
        found.map_or(String::new(), |(_, value)| value.clone())
    };
    match world.mood {
        Mood::Fine | Mood::Sulks | Mood::Obeys => {}
        Mood::Hangs => return Reply::Hang,
        Mood::Refuses => return Reply::Json(500, json!({ "message": "not today" })),
        Mood::Resets => return Reply::Close,
        Mood::Babbles => return Reply::Text(200, "{\"Containers\": [[[ gibberish"),
    }
    if !matches!(seen.method, Method::GET | Method::HEAD) {
        let target = format!("{} {}", seen.method, without_version(&seen.target));
        world.orders.push(target);
    }
    let body: Value = serde_json::from_slice(&seen.body).unwrap_or(Value::Null);
    let segments: Vec<&str> = whole.trim_start_matches('/').split('/').collect();
    match (seen.method.as_str(), segments.as_slice()) {
        ("HEAD" | "GET", ["_ping"]) => ping(world.versions[1]),
        ("GET", ["info"]) => Reply::Json(
            200,
            json!({
                "ID": world.id, "Name": world.name, "NCPU": world.cpus, "MemTotal": world.memory,
                "Driver": "overlay2", "KernelVersion": "5.10", "OperatingSystem": "FakeOS 1", "OSType": "linux",
                "Labels": world.labels, "SystemTime": Timestamp(world.now()).to_string(),
            }),
        ),
        ("GET", ["version"]) => Reply::Json(
            200,
            json!({ "Version": "20.10.0", "ApiVersion": world.versions[1], "MinAPIVersion": world.versions[0] }),
        ),
        ("GET", ["events"]) => events(world),
        ("GET", ["containers", "json"]) => {
            let filters: Value = serde_json::from_str(&parameter("filters")).unwrap_or_default();
            let ids = filters["id"].as_array();
            let wanted = |id: &str| ids.is_none_or(|ids| ids.iter().any(|own| own.as_str() == Some(id)));
            let listed = world.containers.values().filter(|container| wanted(&container.id));
            Reply::Json(200, listed.map(|container| world.listed(container)).collect())
        }
        ("POST", ["containers", "create"]) => {
            let image = body["Image"].as_str().unwrap_or("").to_owned();
            let known = world.images.iter().any(|(id, tags)| {
                *id == image
                    || tags
                        .iter()
                        .any(|tag| *tag == image || *tag == format!("{image}:latest"))
            });
            if !known {
                return Reply::Json(404, json!({ "message": format!("No such image: {image}") }));
            }
            let name = parameter("name");
            if name.contains('!') {
                return Reply::Json(400, json!({ "message": format!("Invalid container name ({name})") }));
            }
            if world.named(name.trim_start_matches('/')).is_some() {
                return Reply::Json(
                    409,
                    json!({ "message": format!("Conflict. The name {name} is in use") }),
                );
            }
            let id = world.create(&name, &body);
            Reply::Json(201, json!({ "Id": id, "Warnings": null }))
        }
        (_, ["containers", id, ..]) => {
            let Some(container) = world.containers.get(*id).cloned() else {
                return Reply::Json(404, json!({ "message": format!("No such container: {id}") }));
            };
            about_container(world, seen, &container, &segments[2..], &parameter, &body)
        }
        (_, ["exec", exec, what]) => match *what {
            "json" => Reply::Json(200, json!({ "ID": exec, "Running": false, "ExitCode": 0 })),
            _ => Reply::Text(200, "executed"),
        },
        (method, ["images", ..]) => about_images(world, method, &segments[1..], &parameter),
        (method, ["networks", ..]) => about_networks(world, method, &segments[1..], &body),
        (method, ["volumes", ..]) => about_volumes(world, method, &segments[1..], &body),
        ("POST", ["commit"]) => {
            world
                .images
                .push(("sha256:c0".to_owned(), vec![format!("{}:latest", parameter("repo"))]));
            Reply::Json(201, json!({ "Id": "sha256:c0" }))
        }
        _ => Reply::Json(404, json!({ "message": "page not found" })),
    }
}

/// An event stream that stays open.
fn events(world: &mut World) -> Reply {
    let (sender, mut events) = unbounded_channel::<String>();
    world.listeners.push(sender);
    let (mut pipe, body) = net::channel();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if pipe.send_data(event.into()).await.is_err() {
                return;
            }
        }
        pipe.abort("the daemon ends".into());
    });
    Reply::With(Response::new(body))
}

fn about_container(
    world: &mut World,
    seen: &Seen,
    container: &Container,
    rest: &[&str],
    parameter: &dyn Fn(&str) -> String,
    body: &Value,
) -> Reply {
    let id = &container.id;
    match (seen.method.as_str(), rest) {
        ("GET", ["json"]) => Reply::Json(200, world.inspected(container)),
        ("GET", ["logs"]) => Reply::Stalled(vec!["line 1\n"]),
        ("GET", ["top"]) => Reply::Json(200, json!({ "Titles": ["PID"], "Processes": [["1"]] })),
        ("POST", ["start"]) => {
            world.start(id);
            Reply::Text(204, "")
        }
        ("POST", ["kill" | "stop"]) => {
            world.stop(id);
            Reply::Text(204, "")
        }
        ("POST", ["wait"]) => Reply::Stalled(vec![" "]),
        ("POST", ["rename"]) => {
            let name = parameter("name").trim_start_matches('/').to_owned();
            if let Some(own) = world.containers.get_mut(id) {
                own.name = name;
            }
            world.tell_of("rename", id);
            Reply::Text(204, "")
        }
        ("POST", ["exec"]) if !container.running => {
            Reply::Json(409, json!({ "message": format!("Container {id} is not running") }))
        }
        ("POST", ["exec"]) => Reply::Json(201, json!({ "Id": format!("exec-{}", body["Cmd"].to_string().len()) })),
        ("DELETE", []) if container.running && parameter("force").is_empty() => {
            Reply::Json(409, json!({ "message": "You cannot remove a running container" }))
        }
        ("DELETE", []) => {
            world.remove(id);
            Reply::Text(204, "")
        }
        _ => Reply::Json(404, json!({ "message": "page not found" })),
    }
}
