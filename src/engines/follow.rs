//! Answers that come later, and bodies that come piece by piece: what comes next is asked of the model, whenever
//! something has changed or a time has come.

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::json;
use std::time::Duration;

use super::api::{Reply, refuse, show};
use super::model::image::Pulling;
use super::model::output::Line;
use super::model::{Model, Refusal};
use crate::docker::{Filters, Timestamp};
use crate::model::Time;
use crate::sim::Phase;

/// The time between two reports of the progress of a layer, in the time of the scenario.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// An answer that comes later.
#[derive(Clone, Debug)]
pub enum Later {
    /// A container's process is there.
    Started {
        /// The container.
        id: String,
    },
}

impl Later {
    /// The answer, if it is time for it.
    pub fn poll(&self, model: &Model) -> Option<Reply> {
        let Later::Started { id } = self;
        match model.containers.get(id).map(|container| container.life.phase()) {
            Some(Phase::Starting) => None,
            Some(_) => Some(Reply::Empty(204)),
            // It was so quick that it is gone already, or somebody removed it.
            None if model.departed(id).is_some() => Some(Reply::Empty(204)),
            None => Some(refuse(&Refusal::no_container(id))),
        }
    }
}

/// What a client waits for.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// That it does not run.
    NotRunning,
    /// The end of its run with this number.
    Exit(u32),
    /// That it is removed.
    Removed,
}

/// A body that comes piece by piece.
#[derive(Debug)]
pub enum Follow {
    /// Events.
    Events {
        /// Which.
        filters: Filters,
        /// Not those before.
        since: Option<Timestamp>,
        /// Not those after.
        until: Option<Timestamp>,
        /// The number of the next one.
        next: u64,
    },
    /// The output of a container.
    Logs {
        /// The container.
        id: String,
        /// The number of the next line.
        next: u64,
        /// With the end of which run it ends; `None` ends it with the last line there is.
        ends: Option<u32>,
        /// Whether pieces have headers that say where they were written to.
        framed: bool,
        /// What is wanted of it.
        wanted: Wanted,
        /// Whether lines begin with their time.
        dated: bool,
        /// Not what was written before.
        since: Option<Time>,
        /// Not what was written after.
        until: Option<Time>,
    },
    /// What a container uses, once a second.
    Stats {
        /// The container.
        id: String,
        /// Only once.
        once: bool,
        /// When it is told next.
        due: Time,
        /// When it was told last.
        before: Option<Time>,
    },
    /// The progress of a pull.
    Pull {
        /// The pull.
        pulling: Pulling,
        /// What was told about each layer: 0 nothing, 1 that it is waited for, 2 and more its progress, `u64::MAX` its
        /// end.
        told: Vec<u64>,
        /// Whether the first line has been told.
        begun: bool,
        /// The size of the image.
        size: u64,
    },
    /// The exit code of a container.
    Wait {
        /// The container.
        id: String,
        /// What is waited for.
        until: Until,
    },
    /// What a command writes.
    Exec {
        /// The command.
        id: String,
        /// The number of the next line.
        next: u64,
        /// As for logs.
        framed: bool,
    },
    /// Nothing more.
    Over,
}

/// What is wanted of the output of a process.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// What it writes to the standard output.
    pub output: bool,
    /// What it writes to the standard error.
    pub errors: bool,
}

impl Wanted {
    fn takes(self, line: &Line) -> bool {
        if line.errors { self.errors } else { self.output }
    }
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// A piece.
    Send(Bytes),
    /// Nothing until something changes, or the time comes.
    Wait(Option<Time>),
    /// The end.
    End,
}

/// A connection that becomes one to a process.
#[derive(Clone, Debug)]
pub struct Session {
    /// To which.
    pub attached: Attached,
    /// Whether it gets the client's input.
    pub stdin: bool,
    /// What of its output the client gets.
    pub wanted: Wanted,
    /// Whether the client gets what is yet to come.
    pub stream: bool,
    /// Whether output has headers.
    pub framed: bool,
    /// The number of the first line of output.
    pub next: u64,
}

/// A process.
#[derive(Clone, Debug)]
pub enum Attached {
    /// That of a container, in its run with this number.
    Container {
        /// The container.
        id: String,
        /// The run.
        run: u32,
    },
    /// A command.
    Exec {
        /// Its ID.
        id: String,
    },
}

impl Session {
    /// The output of the process.
    pub fn follow(&self) -> Follow {
        match &self.attached {
            Attached::Container { id, run } => Follow::Logs {
                id: id.clone(),
                next: self.next,
                ends: self.stream.then_some(*run),
                framed: self.framed,
                wanted: self.wanted,
                dated: false,
                since: None,
                until: None,
            },
            Attached::Exec { id } => Follow::Exec {
                id: id.clone(),
                next: 0,
                framed: self.framed,
            },
        }
    }

    /// The client has written something.
    pub fn feed(&self, model: &mut Model, bytes: &[u8]) {
        match &self.attached {
            Attached::Container { id, .. } => model.feed(id, bytes),
            Attached::Exec { id } => model.feed_exec(id, bytes),
        }
    }

    /// The client will write nothing more.
    pub fn end_input(&self, model: &mut Model) {
        match &self.attached {
            Attached::Container { id, .. } => model.end_input(id),
            Attached::Exec { id } => model.end_exec_input(id),
        }
    }
}

fn line(value: &serde_json::Value) -> Bytes {
    let mut text = value.to_string();
    text.push('\n');
    text.into()
}

/// A piece of output, with its header if it has one.
fn piece(bytes: &[u8], framed: bool, errors: bool) -> Bytes {
    if !framed {
        return Bytes::copy_from_slice(bytes);
    }
    let mut out = BytesMut::with_capacity(bytes.len() + 8);
    let stream: u32 = if errors { 2 } else { 1 };
    out.put_u32(stream << 24);
    out.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.put_slice(bytes);
    out.freeze()
}

impl Follow {
    /// What comes next.
    pub fn next(&mut self, model: &Model) -> Step {
        match self {
            Follow::Over => Step::End,
            Follow::Events {
                filters,
                since,
                until,
                next,
            } => events(model, filters, *since, *until, next),
            Follow::Wait { id, until } => {
                let Some(code) = exit_code(model, id, *until) else {
                    return Step::Wait(None);
                };
                let told = line(&json!({ "Error": null, "StatusCode": code }));
                *self = Follow::Over;
                Step::Send(told)
            }
            Follow::Exec { id, next, framed } => {
                let Some(exec) = model.execs.get(id) else {
                    return Step::End;
                };
                if let Some((number, line)) = exec.output.line(*next) {
                    *next = number + 1;
                    return Step::Send(piece(&line.bytes, *framed, line.errors));
                }
                if exec.running { Step::Wait(None) } else { Step::End }
            }
            Follow::Stats { id, once, due, before } => {
                let Some(container) = model.containers.get(id) else {
                    return Step::End;
                };
                let now = model.now();
                if now < *due {
                    return Step::Wait(Some(*due));
                }
                let second = Duration::from_secs_f64(model.shared.calendar.speed);
                let previous = before.unwrap_or_else(|| Time(now.0.saturating_sub(second.as_nanos() as u64)));
                let told = line(&show::stats(model, container, previous));
                (*due, *before) = (now + second, Some(now));
                if *once {
                    *self = Follow::Over;
                }
                Step::Send(told)
            }
            Follow::Logs {
                id,
                next,
                ends,
                framed,
                wanted,
                dated,
                since,
                until,
            } => {
                let here = model.containers.get(id);
                let Some(container) = here.or_else(|| model.departed(id)) else {
                    return Step::End;
                };
                while let Some((number, line)) = container.log.line(*next) {
                    *next = number + 1;
                    let outside =
                        since.is_some_and(|since| line.time < since) || until.is_some_and(|until| line.time > until);
                    if outside || !wanted.takes(line) {
                        continue;
                    }
                    let mut bytes = Vec::new();
                    if *dated {
                        bytes.extend_from_slice(format!("{} ", model.date(line.time)).as_bytes());
                    }
                    bytes.extend_from_slice(&line.bytes);
                    return Step::Send(piece(&bytes, *framed, line.errors));
                }
                match ends {
                    Some(run) if here.is_some() && !container.has_ended(*run) => Step::Wait(None),
                    _ => Step::End,
                }
            }
            Follow::Pull {
                pulling,
                told,
                begun,
                size,
            } => {
                let step = pull(model, pulling, told, begun, *size);
                if matches!(step, Step::Send(_))
                    && told.iter().all(|told| *told == u64::MAX)
                    && pulling.ready <= model.now()
                {
                    *self = Follow::Over;
                }
                step
            }
        }
    }
}

fn exit_code(model: &Model, id: &str, until: Until) -> Option<i64> {
    let Some(container) = model.containers.get(id) else {
        return Some(model.departed(id).map_or(0, |gone| gone.exit_code));
    };
    let has_come = match until {
        Until::NotRunning => matches!(container.life.phase(), Phase::Created | Phase::Exited),
        // An end counts here even if its policy starts it again.
        Until::Exit(run) => {
            container.has_ended(run) || (container.runs == run && container.life.phase() == Phase::Restarting)
        }
        Until::Removed => false,
    };
    has_come.then_some(container.exit_code)
}

fn events(
    model: &Model,
    filters: &Filters,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    next: &mut u64,
) -> Step {
    if *next < model.events.first_number() || *next > model.events.next_number() {
        // Who falls so far behind, or has followed a daemon that has crashed since, must not believe to have seen all.
        return Step::End;
    }
    let mut out = BytesMut::new();
    while let Some(event) = model.events.get(*next) {
        *next += 1;
        let date = model.date(event.time);
        if until.is_some_and(|until| date > until) {
            break;
        }
        if since.is_none_or(|since| date >= since) && event.wanted(filters) {
            out.extend_from_slice(&line(&event.told(date)));
        }
    }
    if !out.is_empty() {
        return Step::Send(out.freeze());
    }
    match until {
        Some(until) if until <= model.date(model.now()) => Step::End,
        Some(until) => Step::Wait(Some(model.shared.calendar.time(until))),
        None => Step::Wait(None),
    }
}

/// The lines that are due about a pull.
fn pull(model: &Model, pulling: &Pulling, told: &mut [u64], begun: &mut bool, size: u64) -> Step {
    let now = model.now();
    let mut out = BytesMut::new();
    let mut say = |value: serde_json::Value| out.extend_from_slice(&line(&value));
    let (name, tag) = pulling
        .reference
        .rsplit_once([':', '@'])
        .unwrap_or((&pulling.reference, "latest"));
    if !*begun {
        *begun = true;
        say(json!({ "status": format!("Pulling from {}", full(name)), "id": tag }));
    }
    let mut wakes = Some(pulling.ready);
    for ((layer, begins, ready), told) in pulling.layers.iter().zip(told.iter_mut()) {
        if *told == u64::MAX {
            continue;
        }
        let id = &show::layer_digest(layer.id)["sha256:".len()..][..12];
        if pulling.known || (*ready <= now && *told == 0 && begins == ready && *ready < now) {
            say(json!({ "status": "Already exists", "progressDetail": {}, "id": id }));
            *told = u64::MAX;
            continue;
        }
        if *told == 0 {
            say(json!({ "status": "Pulling fs layer", "progressDetail": {}, "id": id }));
            *told = 1;
        }
        if *ready <= now {
            say(json!({ "status": "Download complete", "progressDetail": {}, "id": id }));
            say(json!({ "status": "Pull complete", "progressDetail": {}, "id": id }));
            *told = u64::MAX;
        } else if *begins <= now {
            let spent = now.since(*begins);
            let reports = 2 + (spent.as_nanos() / PROGRESS_EVERY.as_nanos()) as u64;
            if reports > *told {
                *told = reports;
                let span = ready.since(*begins).as_secs_f64().max(1e-9);
                let current = (layer.bytes as f64 * (spent.as_secs_f64() / span).min(1.0)) as u64;
                say(json!({
                    "status": "Downloading", "progressDetail": { "current": current, "total": layer.bytes },
                    "progress": "", "id": id,
                }));
            }
            wakes = wakes.min(Some(now + PROGRESS_EVERY)).min(Some(*ready));
        } else {
            wakes = wakes.min(Some(*begins));
        }
    }
    if pulling.ready <= now {
        let digest = model
            .image(&pulling.reference)
            .map(|image| image.digest())
            .unwrap_or_default();
        let what = match pulling.known {
            true => "Image is up to date for",
            false => "Downloaded newer image for",
        };
        say(json!({ "status": format!("Digest: {digest}") }));
        say(json!({ "status": format!("Status: {what} {}", pulling.reference) }));
        let _ = size;
        told.fill(u64::MAX);
    } else if !model.is_pulling(&pulling.reference) {
        return Step::End;
    }
    match out.is_empty() {
        true => Step::Wait(wakes),
        false => Step::Send(out.freeze()),
    }
}

/// A name as the public registry has it.
fn full(name: &str) -> String {
    match name.contains('/') {
        true => name.to_owned(),
        false => format!("library/{name}"),
    }
}
