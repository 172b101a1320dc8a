//! Requests about containers, and about commands in them.

use serde_json::{Value, json};

use super::system::{instant, pruned};
use super::{Answered, Ask, Reply, files, not_found, show};
use crate::docker::json::{self, Map};
use crate::docker::{Filters, check_create, words};
use crate::engines::follow::{Attached, Follow, Later, Session, Until};
use crate::engines::model::Signal;
use crate::engines::model::container::{Container, read_policy};
use crate::engines::model::{Model, Refusal};
use crate::sim::Phase;

pub(super) fn answer(model: &mut Model, ask: &Ask, method: &str, rest: &[&str]) -> Answered {
    match (method, rest) {
        ("GET", ["json" | "ps"]) => list(model, ask),
        ("POST", ["create"]) => create(model, ask),
        ("POST", ["prune"]) => {
            let filters = ask.filters()?;
            let gone: Vec<String> = model
                .containers
                .values()
                .filter(|container| matches!(container.life.phase(), Phase::Created | Phase::Exited))
                .filter(|container| filters.labels_match("label", &container.labels))
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
    let filters = ask.filters()?;
    let fault = |error: crate::docker::FiltersError| Refusal::new(400, error.to_string());
    let exited = filters.numbers("exited").map_err(fault)?;
    let limit: usize = ask.parameter("limit").parse().unwrap_or(0);
    let all = ask.flag("all") || limit > 0 || filters.has("status") || filters.has("exited");
    let earlier = |name: &str| -> Result<Option<crate::model::Time>, Refusal> {
        let values = filters
            .values(name)
            .next()
            .or(Some(ask.parameter(name)))
            .filter(|value| !value.is_empty());
        values
            .map(|value| Ok(model.containers[&model.find(value)?].created))
            .transpose()
    };
    let (before, since) = (earlier("before")?, earlier("since")?);
    let mut found: Vec<&Container> = model
        .containers
        .values()
        .filter(|container| all || container.state(model).running)
        .filter(|container| before.is_none_or(|before| container.created < before))
        .filter(|container| since.is_none_or(|since| container.created > since))
        .filter(|container| {
            exited.is_empty() || (container.life.phase() == Phase::Exited && exited.contains(&container.exit_code))
        })
        .filter(|container| is_wanted(model, container, &filters))
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

fn is_wanted(model: &Model, container: &Container, filters: &Filters) -> bool {
    let by_name = |value: &str| filters.matches("name", value);
    let by_image = |value: &str| {
        let image = model.image(value);
        image.is_some_and(|image| image.id == container.image_id) || value == container.image
    };
    let network = |value: &str| {
        let network = model.network(value);
        network.is_ok_and(|network| container.is_in(&network.name))
    };
    let volume = |value: &str| {
        let mut mounts = container.mounts.iter();
        mounts.any(|mount| mount.source == value || mount.target == value)
    };
    let published = |value: &str| {
        let (wanted, protocol) = value.split_once('/').unwrap_or((value, "tcp"));
        container
            .ports
            .iter()
            .any(|port| port.outside.to_string() == wanted && port.inside.ends_with(protocol))
    };
    (!filters.has("id") || filters.values("id").any(|value| container.id.starts_with(value)))
        && (by_name(&container.name) || by_name(&format!("/{}", container.name)))
        && filters.labels_match("label", &container.labels)
        && filters.equals("status", words::state(&container.state(model)))
        && (!filters.has("ancestor") || filters.values("ancestor").any(by_image))
        && (!filters.has("network") || filters.values("network").any(network))
        && (!filters.has("volume") || filters.values("volume").any(volume))
        && (!filters.has("publish") || filters.values("publish").any(published))
        && filters.equals("health", "none")
        && filters.equals("is-task", "false")
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
                output: ask.flag("stdout") || ask.flag("stderr"),
                stream: ask.flag("stream"),
                framed: !container.tty,
                next: if logs {
                    container.log_first
                } else {
                    container.next_line()
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
    Ok(Reply::Json(200, json!({ "Warnings": [] })))
}

fn logs(model: &Model, ask: &Ask, container: &Container) -> Answered {
    if !ask.flag("stdout") && !ask.flag("stderr") {
        return Err(Refusal::new(400, "Bad parameters: you must choose at least one stream"));
    }
    let since = instant(ask, "since")?.map(|date| model.shared.calendar.time(date));
    let until = instant(ask, "until")?.map(|date| model.shared.calendar.time(date));
    let kept = container.log.len() as u64;
    let tail = ask.parameter("tail").parse::<u64>().unwrap_or(kept).min(kept);
    let ends = match (ask.flag("follow"), container.life.phase()) {
        (true, Phase::Running | Phase::Paused | Phase::Restarting | Phase::Starting) => Some(container.awaited_run()),
        _ => None,
    };
    Ok(Reply::Follow {
        raw: true,
        follow: Box::new(Follow::Logs {
            id: container.id.clone(),
            next: container.log_first + kept - tail,
            ends,
            framed: !container.tty,
            // Everything is written to the standard output.
            silent: !ask.flag("stdout"),
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
                model.end_exec(id);
                return Ok(Reply::Empty(200));
            }
            Ok(Reply::TakeOver(Session {
                attached: Attached::Exec { id: (*id).to_owned() },
                stdin,
                output: true,
                stream: true,
                framed,
                next: 0,
            }))
        }
        _ => Err(not_found()),
    }
}
