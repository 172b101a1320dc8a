//! Commands that are executed in a container: they come to what their programs say, and end where that is not known.

use crate::docker::json::{self, Map};
use crate::model::Time;

use super::course::Course;
use super::output::Output;
use super::program::{End, Input};
use super::{Due, Model, Refusal};

/// Commands that are remembered after their end.
const KEPT: usize = 64;

/// One command.
#[derive(Debug)]
pub struct Exec {
    pub id: String,
    pub container: String,
    pub command: Vec<String>,
    pub tty: bool,
    pub stdin: bool,
    pub started: bool,
    pub running: bool,
    pub exit_code: i64,
    /// What it has written so far.
    pub output: Output,
    /// Variables that it has beside those of its container.
    variables: Vec<String>,
    /// What it will still write.
    course: Course,
    /// When it ends by itself.
    ends_at: Option<Time>,
    /// The order in which they were created.
    number: u64,
}

impl Model {
    /// Creates a command.
    pub fn create_exec(&mut self, container: &str, config: &Map) -> Result<String, Refusal> {
        let id = self.find(container)?;
        let found = &self.containers[&id];
        if !found.life.is_up() {
            return Err(Refusal::new(409, format!("Container {id} is not running")));
        }
        if found.life.phase() == crate::sim::Phase::Paused {
            let text = format!("Container {container} is paused, unpause the container before exec");
            return Err(Refusal::new(409, text));
        }
        let command: Vec<String> = json::texts(config, "Cmd").map(str::to_owned).collect();
        if command.is_empty() {
            return Err(Refusal::new(400, "No exec command specified"));
        }
        let exec = self.new_id("exec");
        self.tell_of(
            &id,
            &format!("exec_create: {}", command.join(" ")),
            &[("execID", exec.clone())],
        );
        while self.execs.len() >= KEPT
            && let Some(oldest) = self
                .execs
                .values()
                .filter(|exec| !exec.running)
                .min_by_key(|exec| exec.number)
        {
            let oldest = oldest.id.clone();
            self.execs.remove(&oldest);
        }
        self.numbered += 1;
        self.execs.insert(
            exec.clone(),
            Exec {
                id: exec.clone(),
                container: id,
                command,
                tty: json::flag(config, "Tty"),
                stdin: json::flag(config, "AttachStdin"),
                started: false,
                running: false,
                exit_code: 0,
                output: Output::default(),
                variables: json::texts(config, "Env").map(str::to_owned).collect(),
                course: Course::default(),
                ends_at: None,
                number: self.numbered,
            },
        );
        Ok(exec)
    }

    /// Starts a command.
    pub fn start_exec(&mut self, id: &str) -> Result<(), Refusal> {
        let now = self.now;
        let Some(exec) = self.execs.get_mut(id) else {
            return Err(Refusal::new(404, format!("No such exec instance: {id}")));
        };
        if exec.started {
            return Err(Refusal::new(409, format!("Error: Exec command {id} has already run")));
        }
        (exec.started, exec.running) = (true, true);
        let input = match exec.stdin || exec.tty {
            true => Input::Open,
            false => Input::Nothing,
        };
        if let Some(container) = self.containers.get(&exec.container) {
            let program = container.interpret(&exec.command, &exec.variables, input);
            exec.ends_at = match program.end {
                End::Known(after, _) => Some(now + after),
                // What is not known is taken for a command that only looks at something.
                End::Open(_) if !exec.stdin => Some(now),
                End::Open(_) | End::Never => None,
            };
            exec.course = Course::of(program.writes, program.end, now);
            exec.exit_code = exec.course.code;
        }
        let (container, command) = (exec.container.clone(), exec.command.join(" "));
        self.tell_of(
            &container,
            &format!("exec_start: {command}"),
            &[("execID", id.to_owned())],
        );
        self.exec_goes_on(id);
        Ok(())
    }

    /// A command writes what is due, and ends if it is time.
    pub(super) fn exec_goes_on(&mut self, id: &str) {
        let now = self.now;
        let Some(exec) = self.execs.get_mut(id).filter(|exec| exec.running) else {
            return;
        };
        while let Some((time, errors, bytes)) = exec.course.take(now) {
            exec.output.write(time, errors, &bytes, exec.tty);
        }
        match (exec.ends_at, exec.course.next()) {
            (Some(end), _) if end <= now => self.exec_ends(id),
            (None, None) => {}
            (end, next) => {
                let first = end.into_iter().chain(next).min().unwrap_or(Time::MAX);
                self.plan_at(first, Due::Executed, id, 0);
            }
        }
        self.touch();
    }

    /// What a command reads, it writes.
    pub fn feed_exec(&mut self, id: &str, bytes: &[u8]) {
        let now = self.now;
        if let Some(exec) = self.execs.get_mut(id).filter(|exec| exec.running && exec.course.reads) {
            exec.output.echo(now, bytes);
            self.touch();
        }
    }

    /// A command has nothing more to read: one that goes on only for the sake of its input ends.
    pub fn end_exec_input(&mut self, id: &str) {
        let reads = self.execs.get(id).is_some_and(|exec| exec.running && exec.course.reads);
        if reads {
            self.exec_ends(id);
        }
    }

    fn exec_ends(&mut self, id: &str) {
        let Some(exec) = self.execs.get_mut(id) else { return };
        exec.running = false;
        let (container, code) = (exec.container.clone(), exec.exit_code.to_string());
        self.tell_of(&container, "exec_die", &[("execID", id.to_owned()), ("exitCode", code)]);
    }
}
