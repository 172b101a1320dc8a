//! Commands that are executed in a container. They write their words, echo what they read, and end.

use crate::docker::json::{self, Map};

use super::{Model, Refusal};

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
    pub output: Vec<u8>,
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
                output: Vec::new(),
                number: self.numbered,
            },
        );
        Ok(exec)
    }

    /// Starts a command. Without input it ends at once.
    pub fn start_exec(&mut self, id: &str) -> Result<(), Refusal> {
        let Some(exec) = self.execs.get_mut(id) else {
            return Err(Refusal::new(404, format!("No such exec instance: {id}")));
        };
        if exec.started {
            return Err(Refusal::new(409, format!("Error: Exec command {id} has already run")));
        }
        (exec.started, exec.running) = (true, true);
        let (words, code) = said_by(&exec.command);
        exec.output = words;
        exec.exit_code = code;
        let (container, command, stdin) = (exec.container.clone(), exec.command.join(" "), exec.stdin);
        self.tell_of(
            &container,
            &format!("exec_start: {command}"),
            &[("execID", id.to_owned())],
        );
        if !stdin {
            self.end_exec(id);
        }
        Ok(())
    }

    /// What a command reads, it writes.
    pub fn feed_exec(&mut self, id: &str, bytes: &[u8]) {
        if let Some(exec) = self.execs.get_mut(id).filter(|exec| exec.running) {
            exec.output.extend_from_slice(bytes);
            self.touch();
        }
    }

    /// A command has nothing more to read.
    pub fn end_exec(&mut self, id: &str) {
        let Some(exec) = self.execs.get_mut(id).filter(|exec| exec.running) else {
            return;
        };
        exec.running = false;
        let (container, code) = (exec.container.clone(), exec.exit_code.to_string());
        self.tell_of(&container, "exec_die", &[("execID", id.to_owned()), ("exitCode", code)]);
    }
}

/// What a process with these words writes by itself, and the code that it ends with: `echo` and whatever has no meaning
/// here writes its words, `sh -c 'exit 3'` ends with 3, shells and `cat` only echo.
pub(in crate::engines) fn said_by(command: &[String]) -> (Vec<u8>, i64) {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["cat" | "sh" | "bash" | "ash" | "/bin/sh" | "/bin/bash" | "/bin/ash"] => (Vec::new(), 0),
        [shell, "-c", script] if shell.ends_with("sh") => {
            let last = script.rsplit(';').next().unwrap_or(script).trim();
            let code = last.strip_prefix("exit").and_then(|code| code.trim().parse().ok());
            let words: Vec<String> = script
                .split(';')
                .map(str::trim)
                .filter_map(|part| part.strip_prefix("echo "))
                .map(|text| format!("{}\n", text.trim_matches(['\'', '"'])))
                .collect();
            (words.concat().into_bytes(), code.unwrap_or(0))
        }
        ["true" | "sleep" | "top", ..] => (Vec::new(), 0),
        ["false", ..] => (Vec::new(), 1),
        ["echo", rest @ ..] => (format!("{}\n", rest.join(" ")).into_bytes(), 0),
        all => (format!("{}\n", all.join(" ")).into_bytes(), 0),
    }
}
