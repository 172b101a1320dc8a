//! From the lines of a log to the inputs of a replay.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Labels, Request, Time};
use crate::scheduler::Prepared;
use crate::sim::{Input, Inputs, NodeAction, NodeInput, Plan, Submission};

use super::line::{FORMAT, FORMAT_WITHOUT_CHECKSUM, Header, Line, NodeChange};
use super::writer::Checksum;

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// It has no lines.
    #[error("the log is empty")]
    Empty,
    /// It is of another format or version.
    #[error("line 1: not an event log of format {FORMAT}: {0}")]
    Format(String),
    /// A line cannot be read.
    #[error("line {line}: {message}")]
    Line {
        /// Number, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The last line is missing: the run that wrote it was killed.
    #[error("the log ends after line {0} without an \"end\" event: the run that wrote it did not finish")]
    Torn(usize),
}

/// The inputs of a recorded run.
pub struct Recorded {
    inputs: VecDeque<(Time, Input)>,
    /// When the run ended, until the repeated one has come there: what came from outside later, or without any effect,
    /// kept it going, and is not in the log.
    end: Option<Time>,
    integrity: Integrity,
}

/// Whether a log is as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// Its lines give the checksum in the last one.
    Whole,
    /// They do not: lines were changed, added or removed.
    Altered,
    /// It is of an older format without checksum.
    Unknown,
}

impl Recorded {
    /// Reads the header alone, which is needed to know the plan.
    pub fn header(text: &str) -> Result<Header, LogError> {
        let first = text.lines().next().ok_or(LogError::Empty)?;
        let header: Header = serde_json::from_str(first).map_err(|error| LogError::Format(error.to_string()))?;
        if ![FORMAT, FORMAT_WITHOUT_CHECKSUM].contains(&header.format.as_str()) {
            return Err(LogError::Format(header.format));
        }
        Ok(header)
    }

    /// Reads the inputs of a log whose plan is known.
    pub fn read(
        text: &str,
        plan: &Plan,
        prepare: &mut dyn FnMut(Arc<Request>) -> Prepared,
    ) -> Result<Recorded, LogError> {
        let nodes: HashMap<&str, usize> = plan.nodes.iter().map(|node| node.name.as_str()).zip(0..).collect();
        let classes: HashMap<&str, usize> = plan.classes.iter().map(|class| class.name.as_str()).zip(0..).collect();
        let mut labels: Vec<Labels> = plan.nodes.iter().map(|node| node.labels.clone()).collect();
        let mut requests: Vec<Prepared> = Vec::new();
        let mut checksum = Recorded::header(text)?.has_checksum().then(Checksum::default);
        let add = |checksum: &mut Option<Checksum>, text: &str| {
            if let Some(checksum) = checksum {
                checksum.add(text);
            }
        };
        let mut integrity = Integrity::Unknown;
        let mut inputs = VecDeque::new();
        let mut ended = None;
        let mut last = 1;
        for (number, text) in text.lines().enumerate() {
            last = number + 1;
            if number == 0 {
                add(&mut checksum, text);
                continue;
            }
            let fault = |message: String| LogError::Line { line: last, message };
            if ended.is_some() {
                return Err(fault("something follows the \"end\" event".to_owned()));
            }
            let line: Line<'_> = serde_json::from_str(text).map_err(|error| fault(error.to_string()))?;
            match line {
                Line::Request { id, request } => {
                    if id != requests.len() as u64 {
                        return Err(fault(format!("request {id} is out of order")));
                    }
                    requests.push(prepare(Arc::new(Request::from(*request))));
                }
                Line::Submit {
                    t,
                    container,
                    class,
                    request,
                    lifetime,
                } => {
                    let class = classes
                        .get(&*class)
                        .ok_or_else(|| fault(format!("there is no class {class:?}")))?;
                    let index = usize::try_from(request).ok();
                    let prepared = index.and_then(|index| requests.get(index));
                    let submission = Submission {
                        class: *class,
                        name: container.as_ref().into(),
                        request: prepared
                            .ok_or_else(|| fault(format!("there is no request {request}")))?
                            .clone(),
                        lifetime: lifetime.map(Duration::from_nanos),
                    };
                    inputs.push_back((Time(t), Input::Submit(submission)));
                }
                Line::Node {
                    t,
                    node,
                    change,
                    labels: after,
                    health,
                } => {
                    let node = *nodes
                        .get(&*node)
                        .ok_or_else(|| fault(format!("there is no node {node:?}")))?;
                    let change = match change {
                        NodeChange::Fail => NodeAction::Fail,
                        NodeChange::Recover => NodeAction::Recover,
                        NodeChange::Drain => NodeAction::Drain,
                        NodeChange::Undrain => NodeAction::Undrain,
                        NodeChange::Join => NodeAction::Join,
                        NodeChange::Leave => NodeAction::Leave,
                        NodeChange::Health => {
                            NodeAction::Health(health.ok_or_else(|| fault("the health is missing".to_owned()))?)
                        }
                        NodeChange::Relabel => {
                            let after = after.ok_or_else(|| fault("the labels are missing".to_owned()))?;
                            let before = std::mem::replace(&mut labels[node], after.clone());
                            let gone = before
                                .into_keys()
                                .filter(|key| !after.contains_key(key))
                                .map(|key| (key, None));
                            let mut changes: Vec<_> = gone.collect();
                            changes.extend(after.into_iter().map(|(key, value)| (key, Some(value))));
                            NodeAction::Relabel(changes)
                        }
                    };
                    inputs.push_back((Time(t), Input::Node(NodeInput { node, change })));
                }
                Line::End { t, sha256 } => {
                    ended = Some(Time(t));
                    let found = checksum.take().map(|checksum| checksum.close(t));
                    integrity = match (sha256, found) {
                        (None, None) => Integrity::Unknown,
                        (Some(written), Some(found)) if *found == *written => Integrity::Whole,
                        _ => Integrity::Altered,
                    };
                }
                Line::Place { .. }
                | Line::Reject { .. }
                | Line::Retry { .. }
                | Line::Queue { .. }
                | Line::GiveUp { .. }
                | Line::Pull { .. }
                | Line::Start { .. }
                | Line::Exit { .. }
                | Line::Lose { .. } => {}
            }
            add(&mut checksum, text);
        }
        if ended.is_none() {
            return Err(LogError::Torn(last));
        }
        let times = || inputs.iter().map(|(time, _)| *time).chain(ended);
        if !times().is_sorted() {
            let message = "the events are not in order of time".to_owned();
            return Err(LogError::Line { line: last, message });
        }
        Ok(Recorded {
            inputs,
            end: ended,
            integrity,
        })
    }

    /// Whether the log is as it was written.
    pub fn integrity(&self) -> Integrity {
        self.integrity
    }
}

impl Inputs for Recorded {
    fn next_time(&mut self) -> Option<Time> {
        self.inputs.front().map(|(time, _)| *time).or(self.end)
    }

    fn next_input(&mut self) -> Option<Input> {
        if self.inputs.is_empty() {
            self.end = None;
        }
        self.inputs.pop_front().map(|(_, input)| input)
    }

    fn only_random(&self) -> bool {
        self.inputs.is_empty() && self.end.is_none()
    }
}
