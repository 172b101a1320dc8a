//! The course of a process that runs: what it will still write, and how it ends, as its program says.

use std::cell::OnceCell;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::docker::json;
use crate::model::Time;

use super::container::Container;
use super::program::{self, End, Input, Program, Surroundings, Write};
use super::{Due, Model};

/// How long a process lives at least, in the time of the world: it takes a daemon as long to start one and to see it end.
/// Who is attached to it has heard all of it when its end is told.
const LIFE_MIN: Duration = Duration::from_millis(100);

/// What a process will still do.
#[derive(Debug, Default)]
pub struct Course {
    /// What it will write, with the times; while it is paused, with what is left until then.
    ahead: VecDeque<(Time, bool, Vec<u8>)>,
    /// The code with which it ends by itself.
    pub code: i64,
    /// Whether it writes what it reads, and ends with it.
    pub reads: bool,
}

impl Course {
    /// The course of a program that starts now.
    pub fn of(writes: impl IntoIterator<Item = Write>, end: End, now: Time) -> Course {
        let (code, reads) = match end {
            End::Known(_, code) => (code, false),
            End::Open(code) => (code, true),
            End::Never => (0, false),
        };
        Course {
            ahead: writes
                .into_iter()
                .map(|write| (now + write.after, write.errors, write.bytes))
                .collect(),
            code,
            reads,
        }
    }

    /// Nothing more will be written.
    pub fn clear(&mut self) {
        *self = Course::default();
    }

    /// When it writes next.
    pub fn next(&self) -> Option<Time> {
        self.ahead.front().map(|(time, ..)| *time)
    }

    /// What is due.
    pub fn take(&mut self, now: Time) -> Option<(Time, bool, Vec<u8>)> {
        match self.next() {
            Some(time) if time <= now => self.ahead.pop_front(),
            _ => None,
        }
    }

    /// From now on its time stands still.
    pub fn pause(&mut self, now: Time) {
        for (time, ..) in &mut self.ahead {
            *time = Time::ZERO + (*time - now);
        }
    }

    /// Its time goes on.
    pub fn resume(&mut self, now: Time) {
        for (time, ..) in &mut self.ahead {
            *time = now + (*time - Time::ZERO);
        }
    }
}

impl Container {
    /// Writes what is due.
    pub fn write_due(&mut self, now: Time) {
        while let Some((time, errors, bytes)) = self.course.take(now) {
            self.log.write(time, errors, &bytes, self.tty);
        }
    }

    /// What its command comes to.
    fn program(&self) -> Program {
        let input = match self.open_stdin || self.tty {
            true => Input::Open,
            false => Input::Nothing,
        };
        self.interpret(&self.command, &[], input)
    }

    /// What a command comes to in it, with further variables.
    pub fn interpret(&self, command: &[String], more: &[String], input: Input) -> Program {
        // Most commands ask for none of it.
        let config = OnceCell::new();
        let config = || config.get_or_init(|| self.config());
        let variables: OnceCell<BTreeMap<String, String>> = OnceCell::new();
        let variable = |name: &str| {
            let variables = variables.get_or_init(|| {
                let pairs = json::texts(config(), "Env").chain(more.iter().map(String::as_str));
                let pairs = pairs.filter_map(|line| line.split_once('='));
                pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
            });
            let usual = || match name {
                "HOME" => Some("/root".to_owned()),
                "HOSTNAME" => match json::text(config(), "Hostname") {
                    "" => Some(self.id[..12].to_owned()),
                    name => Some(name.to_owned()),
                },
                _ => None,
            };
            variables.get(name).cloned().or_else(usual)
        };
        program::interpret(
            command,
            &Surroundings {
                variable: &variable,
                files: &self.files,
                directory: &|| match json::text(config(), "WorkingDir") {
                    "" => "/".to_owned(),
                    directory => directory.to_owned(),
                },
                input,
            },
        )
    }
}

impl Model {
    /// The process of a container is there: it begins to do what its command says.
    pub(super) fn set_out(&mut self, id: &str) {
        let now = self.now;
        let shortest = LIFE_MIN.mul_f64(self.shared.calendar.speed);
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        let Program { mut writes, end, sure } = container.program();
        let natural = match end {
            // What comes after something unknown, nobody knows.
            End::Open(_) => {
                writes.truncate(sure);
                None
            }
            End::Known(after, _) if !container.forever => Some(after.max(shortest)),
            End::Known(..) | End::Never => None,
        };
        container.course = Course::of(writes, end, now);
        container.ends_at = container.lifetime.or(natural).map(|span| now + span);
        container.write_due(now);
        self.plan_course(id);
    }

    /// Plans what a container writes next, and its end.
    pub(super) fn plan_course(&mut self, id: &str) {
        let Some(container) = self.containers.get(id) else {
            return;
        };
        let (next, ends_at, generation) = (container.course.next(), container.ends_at, container.generation);
        if let Some(next) = next {
            self.plan_at(next, Due::Writes, id, generation);
        }
        if let Some(end) = ends_at {
            self.plan_at(end, Due::Exited, id, generation);
        }
    }

    /// A container writes what is due.
    pub(super) fn container_writes(&mut self, id: &str) {
        let now = self.now;
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        container.write_due(now);
        let (next, generation) = (container.course.next(), container.generation);
        self.touch();
        if let Some(next) = next {
            self.plan_at(next, Due::Writes, id, generation);
        }
    }

    /// The input of a container has ended: so does a process that goes on only for its sake.
    pub(super) fn input_ends(&mut self, id: &str) {
        let course = self.containers.get(id).map(|container| &container.course);
        if let Some(Course { code, reads: true, .. }) = course {
            let code = *code;
            self.exit_with(id, code, None);
        }
    }
}
