//! Requests about containers, and about commands in them.

use std::borrow::Cow;
use std::ops::Bound;

use serde_json::{Value, json};

use super::system::{instant, pruned};
use super::{Answered, Ask, Reply, files, not_found, show};
use crate::docker::json::{self, Map};
use crate::docker::{ContainerFilters, ContainerState, FilteredContainer, PruneFilters, check_create};
use crate::engines::follow::{Attached, Follow, Later, Session, Until, Wanted};
use crate::engines::model::Signal;
use crate::engines::model::container::{Container, read_policy};
use crate::engines::model::{Model, Refusal};
use crate::model::Labels;
use crate::sim::Phase;

pub(super) fn answer(model: &mut Model, ask: &Ask, method: &str, rest: &[&str]) -> Answered {
    match (method, rest) {
        ("GET", ["json" | "ps"]) => list(model, ask),
        ("POST", ["create"]) => create(model, ask),
        ("POST", ["prune"]) => {
            let now = model.date(model.now());
            let filters = PruneFilters::new(ask.filters()?, &["label", "label!", "until"], now)?;
            let gone: Vec<String> = model
                .containers
                .values()
                .filter(|container| matches!(container.life.phase(), Phase::Created | Phase::Exited))
                .filter(|container| filters.wants(&container.labels, model.date(container.created)))
                .map(|container| container.id.clone())
                .collect();
            for id in &gone {
                model.remove_container(id, false, false)?;
            }
            Ok(Reply::Json(200, pruned("ContainersDeleted", gone)))
        }
        (_, [name, rest @ ..]) => {
            let id = model.find(name)?;
            about_one(model, ask, method, &id, rest)
        }
        _ => Err(not_found()),
    }
}

fn create(model: &mut Model, ask: &Ask) -> Answered {
    let config = ask.object()?;
    check_create(&config).map_err(|text| Refusal::new(400, text))?;
    if config.is_empty() {
        return Err(Refusal::new(
            400,
            "config cannot be empty in order to create a container",
        ));
    }
    let id = model.create(ask.parameter("name"), config)?;
    Ok(Reply::Json(201, json!({ "Id": id, "Warnings": [] })))
}

fn list(model: &Model, ask: &Ask) -> Answered {
    let filters = ContainerFilters::new(ask.filters()?, &[])?;
    let limit: usize = ask.parameter("limit").parse().unwrap_or(0);
    let all = ask.flag("all") || limit > 0 || filters.asks_for_status();
    let bound = |name: &str| -> Result<Option<crate::model::Time>, Refusal> {
        let value = filters.values(name).next();
        value.map(|value| Ok(of_name_or_id(model, value)?.created)).transpose()
    };
    let (before, since) = (bound("before")?, bound("since")?);
    let ids = filters.values("id").filter_map(|id| only_with_prefix(model, id));
    let ids: Option<Vec<&str>> = filters.has("id").then(|| ids.collect());
    let ancestors = filters
        .values("ancestor")
        .filter_map(|reference| model.image(reference));
    let ancestors: Option<Vec<&str>> = filters
        .has("ancestor")
        .then(|| ancestors.map(|image| image.id.as_str()).collect());
    let mut found: Vec<&Container> = model
        .containers
        .values()
        .filter(|container| all || container.is_running())
        .filter(|container| before.is_none_or(|before| container.created < before))
        .filter(|container| since.is_none_or(|since| container.created > since))
        .filter(|container| ids.as_ref().is_none_or(|ids| ids.contains(&container.id.as_str())))
        .filter(|container| {
            let ancestors = ancestors.as_ref();
            ancestors.is_none_or(|ancestors| ancestors.contains(&container.image_id.as_str()))
        })
        .filter(|container| filters.wants(&Seen { model, container }))
        .collect();
    found.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
    if limit > 0 {
        found.truncate(limit);
    }
    let size = ask.flag("size");
    let shown: Vec<Value> = found
        .into_iter()
        .map(|container| show::listed(model, container, size))
        .collect();
    Ok(Reply::Json(200, shown.into()))
}

/// The container with this name or whole ID.
fn of_name_or_id<'a>(model: &'a Model, text: &str) -> Result<&'a Container, Refusal> {
    let name = text.strip_prefix('/').unwrap_or(text);
    let named = || model.containers.values().find(|container| container.name == name);
    let found = model.containers.get(text).or_else(named);
    found.ok_or_else(|| Refusal::new(500, format!("no such container {text}")))
}

/// The ID that begins so, if it is the only one.
fn only_with_prefix<'a>(model: &'a Model, prefix: &str) -> Option<&'a str> {
    let from = model
        .containers
        .range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
    let mut found = from.map(|(id, _)| id.as_str()).take_while(|id| id.starts_with(prefix));
    match (found.next(), found.next()) {
        (Some(only), None) if !prefix.is_empty() => Some(only),
        _ => None,
    }
}

/// A container as filters look at it.
struct Seen<'a> {
    model: &'a Model,
    container: &'a Container,
}

impl FilteredContainer for Seen<'_> {
    fn name(&self) -> &str {
        &self.container.name
    }

    fn labels(&self) -> &Labels {
        &self.container.labels
    }

    fn state(&self) -> Cow<'_, ContainerState> {
        Cow::Owned(self.container.state(self.model))
    }

    fn is_task(&self) -> bool {
        false
    }

    fn has_mount(&self, value: &str) -> bool {
        let mut mounts = self.container.mounts.iter();
        mounts.any(|mount| mount.source == value || mount.target == value)
    }

    fn is_in_network(&self, value: &str) -> bool {
        let mut endpoints = self.container.endpoints.iter();
        endpoints.any(|endpoint| {
            let network = self.model.network(&endpoint.network);
            endpoint.network == value || network.is_ok_and(|network| network.id.starts_with(value))
        })
    }

    fn has_published(&self, wanted: &dyn Fn(u16, &str) -> bool) -> bool {
        let mut ports = self.container.ports.iter();
        ports.any(|port| wanted(port.outside, show::port_of(&port.inside).1))
    }

    fn has_exposed(&self, wanted: &dyn Fn(u16, &str) -> bool) -> bool {
        let mut exposed = self.container.open_ports().into_iter();
        exposed.any(|port| {
            let (number, protocol) = show::port_of(&port);
            wanted(number, protocol)
        })
    }
}

/// The number of a signal by its name or number; 9 if none is given.
fn signal(text: &str) -> Result<i64, Refusal> {
    let name = text.trim().to_uppercase();
    let number = match name.strip_prefix("SIG").unwrap_or(&name) {
        "" | "KILL" => 9,
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "USR1" => 10,
        "USR2" => 12,
        "TERM" => 15,
        "WINCH" => 28,
        other => other
            .parse()
            .ok()
            .filter(|number| (1..=64).contains(number))
            .unwrap_or(0),
    };
    match number {
        0 => Err(Refusal::new(400, format!("Invalid signal: {text}"))),
        number => Ok(number),
    }
}

fn about_one(model: &mut Model, ask: &Ask, method: &str, id: &str, rest: &[&str]) -> Answered {
    let container = &model.containers[id];
    let phase = container.life.phase();
    let run = container.awaited_run();
    let no_process = || Refusal::new(409, format!("Container {id} is not running"));
    match (method, rest) {
        ("GET", ["json"]) => Ok(Reply::Json(200, show::inspected(model, container))),
        ("DELETE", []) => {
            model.remove_container(id, ask.flag("force"), ask.flag("v"))?;
            Ok(Reply::Empty(204))
        }
        ("POST", ["start"]) => match model.begin_start(id)? {
            true => Ok(Reply::Later(Later::Started { id: id.to_owned() })),
            false => Ok(Reply::Empty(304)),
        },
        ("POST", ["stop"]) => Ok(Reply::Empty(if model.stop(id, Signal::Stop) { 204 } else { 304 })),
        ("POST", ["kill"]) => {
            let number = signal(ask.parameter("signal"))?;
            if !container.life.is_up() {
                return Err(Refusal::new(
                    409,
                    format!("Cannot kill container: {id}: Container {id} is not running"),
                ));
            }
            match number {
                // These ask for something else than an end.
                1 | 10 | 12 | 28 => model.tell_of(id, "kill", &[("signal", number.to_string())]),
                _ => {
                    model.stop(id, Signal::Kill(number));
                }
            }
            Ok(Reply::Empty(204))
        }
        ("POST", ["restart"]) => {
            let removes = std::mem::replace(&mut container_mut(model, id)?.auto_remove, false);
            model.stop(id, Signal::Stop);
            container_mut(model, id)?.auto_remove = removes;
            model.begin_start(id)?;
            model.tell_of(id, "restart", &[]);
            Ok(Reply::Later(Later::Started { id: id.to_owned() }))
        }
        ("POST", ["pause"]) => {
            model.pause(id, true)?;
            Ok(Reply::Empty(204))
        }
        ("POST", ["unpause"]) => {
            model.pause(id, false)?;
            Ok(Reply::Empty(204))
        }
        ("POST", ["rename"]) => {
            model.rename(id, ask.parameter("name"))?;
            Ok(Reply::Empty(204))
        }
        ("POST", ["update"]) => update(model, ask, id),
        ("POST", ["wait"]) => {
            let until = match ask.parameter("condition") {
                "" | "not-running" => Until::NotRunning,
                "next-exit" => Until::Exit(run),
                "removed" => Until::Removed,
                other => return Err(Refusal::new(400, format!("invalid condition: \"{other}\""))),
            };
            Ok(Reply::Follow {
                follow: Box::new(Follow::Wait {
                    id: id.to_owned(),
                    until,
                }),
                raw: false,
            })
        }
        ("POST", ["resize"]) => match container.life.is_up() {
            true => Ok(Reply::Empty(200)),
            false => Err(no_process()),
        },
        ("POST", ["attach"]) => {
            let logs = ask.flag("logs");
            if phase == Phase::Paused {
                return Err(Refusal::new(
                    409,
                    format!("Container {id} is paused, unpause the container before attach."),
                ));
            }
            Ok(Reply::TakeOver(Session {
                attached: Attached::Container { id: id.to_owned(), run },
                stdin: ask.flag("stdin") && container.open_stdin,
                wanted: wanted(ask, container),
                stream: ask.flag("stream"),
                framed: !container.tty,
                next: if logs {
                    container.log.first()
                } else {
                    container.log.next()
                },
            }))
        }
        ("GET", ["logs"]) => logs(model, ask, container),
        ("GET", ["stats"]) => Ok(Reply::Follow {
            raw: false,
            follow: Box::new(Follow::Stats {
                id: id.to_owned(),
                once: !ask.flag("stream") && !ask.parameter("stream").is_empty(),
                due: model.now(),
                before: None,
            }),
        }),
        ("GET", ["top"]) => {
            if !container.life.is_up() {
                return Err(no_process());
            }
            let command = container.command.join(" ");
            let process = json!([
                "root",
                show::pid(container).to_string(),
                "1",
                "0",
                "00:00",
                "?",
                "00:00:00",
                command
            ]);
            model.tell_of(id, "top", &[]);
            let titles = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"];
            Ok(Reply::Json(200, json!({ "Titles": titles, "Processes": [process] })))
        }
        ("GET", ["changes"]) => Ok(Reply::Json(200, files::changes(model, id))),
        ("POST", ["exec"]) => {
            let exec = model.create_exec(id, &ask.object()?)?;
            Ok(Reply::Json(201, json!({ "Id": exec })))
        }
        (_, ["archive"]) => files::archive(model, ask, method, id),
        ("GET", ["export"]) => files::export(model, id),
        (_, ["checkpoints", ..]) => Err(Refusal::new(501, "simulated engines make no checkpoints of processes")),
        _ => Err(not_found()),
    }
}

fn container_mut<'a>(model: &'a mut Model, id: &str) -> Result<&'a mut Container, Refusal> {
    model.containers.get_mut(id).ok_or_else(|| Refusal::no_container(id))
}

fn update(model: &mut Model, ask: &Ask, id: &str) -> Answered {
    let changes = ask.object()?;
    let container = container_mut(model, id)?;
    let mut host = container.host();
    for (key, value) in &changes {
        // A zero says that nothing is to change.
        let is_zero = value.is_null() || value == 0 || value == "";
        if key == "RestartPolicy" {
            let restart = value.as_object().cloned().unwrap_or_default();
            if !json::text(&restart, "Name").is_empty() {
                (container.policy, container.unless_stopped) = read_policy(&restart)?;
            }
        } else if !is_zero {
            json::set(&mut host, key, value.clone());
        }
    }
    container.host = Value::Object(host).to_string().into();
    model.tell_of(id, "update", &[]);
    Ok(Reply::Json(200, json!({ "Warnings": null })))
}

/// What a client wants of a container's output; a terminal has only one stream.
fn wanted(ask: &Ask, container: &Container) -> Wanted {
    let (output, errors) = (ask.flag("stdout"), ask.flag("stderr"));
    Wanted {
        output,
        errors: errors || (container.tty && output),
    }
}

fn logs(model: &Model, ask: &Ask, container: &Container) -> Answered {
    if !ask.flag("stdout") && !ask.flag("stderr") {
        return Err(Refusal::new(400, "Bad parameters: you must choose at least one stream"));
    }
    let since = instant(ask, "since")?.map(|date| model.shared.calendar.time(date));
    let until = instant(ask, "until")?.map(|date| model.shared.calendar.time(date));
    let kept = container.log.next() - container.log.first();
    let tail = ask.parameter("tail").parse::<u64>().unwrap_or(kept).min(kept);
    let ends = match (ask.flag("follow"), container.life.phase()) {
        (true, Phase::Running | Phase::Paused | Phase::Restarting | Phase::Starting) => Some(container.awaited_run()),
        _ => None,
    };
    Ok(Reply::Follow {
        raw: true,
        follow: Box::new(Follow::Logs {
            id: container.id.clone(),
            next: container.log.next() - tail,
            ends,
            framed: !container.tty,
            wanted: wanted(ask, container),
            dated: ask.flag("timestamps"),
            since,
            until,
        }),
    })
}

pub(super) fn about_exec(model: &mut Model, ask: &Ask, method: &str, rest: &[&str]) -> Answered {
    let [id, what] = rest else { return Err(not_found()) };
    let Some(exec) = model.execs.get(*id) else {
        return Err(Refusal::new(404, format!("No such exec instance: {id}")));
    };
    match (method, *what) {
        ("GET", "json") => Ok(Reply::Json(
            200,
            json!({
                "ID": exec.id, "Running": exec.running, "ExitCode": if exec.running || !exec.started { Value::Null } else {
                    exec.exit_code.into() },
                "ProcessConfig": {
                    "tty": exec.tty, "entrypoint": exec.command.first(), "arguments": exec.command.get(1..), "privileged": false,
                },
                "OpenStdin": exec.stdin, "OpenStderr": true, "OpenStdout": true, "CanRemove": !exec.running,
                "ContainerID": exec.container, "DetachKeys": "", "Pid": if exec.running { 4242 } else { 0 },
            }),
        )),
        ("POST", "resize") => match exec.running {
            true => Ok(Reply::Empty(200)),
            false => Err(Refusal::new(400, format!("cannot resize exec {id}: it is not running"))),
        },
        ("POST", "start") => {
            let config: Map = ask.object()?;
            let (stdin, framed) = (exec.stdin, !exec.tty);
            model.start_exec(id)?;
            if json::flag(&config, "Detach") {
                model.end_exec_input(id);
                return Ok(Reply::Empty(200));
            }
            Ok(Reply::TakeOver(Session {
                attached: Attached::Exec { id: (*id).to_owned() },
                stdin,
                wanted: Wanted {
                    output: true,
                    errors: true,
                },
                stream: true,
                framed,
                next: 0,
            }))
        }
        _ => Err(not_found()),
    }
}
