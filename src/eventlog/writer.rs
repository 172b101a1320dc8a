//! From observations to lines.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use crate::cluster::Cluster;
use crate::model::{NodeIdx, Request, Time};
use crate::scheduler::SoftRules;
use crate::sim::{NodeEvent, Observation, Observer, Plan, Verdict};

use super::line::{Header, Line, LoggedRequest, NodeChange};

/// Where lines go. It keeps its own errors: an observer cannot stop a run.
pub trait Sink {
    /// Takes one line, without its line break.
    fn line(&mut self, text: &str);
}

/// Turns a run into the lines of its log.
pub struct Writer<S> {
    sink: S,
    classes: Vec<String>,
    /// Numbers of the requests already written. Keyed by content, so that a replay gives the same numbers.
    requests: FxHashMap<Request, u64>,
    /// Of the lines so far; `None` for a log of a format without checksum.
    checksum: Option<Checksum>,
}

/// The checksum of the lines of a log.
#[derive(Default)]
pub(super) struct Checksum(Sha256);

impl Checksum {
    /// Takes one line, without its line break.
    pub fn add(&mut self, line: &str) {
        self.0.update(line);
        self.0.update("\n");
    }

    /// What the last line has, of a run that ended at this time.
    pub fn close(mut self, t: u64) -> String {
        self.add(&to_json(&Line::End { t, sha256: None }));
        let digest = self.0.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl<S: Sink> Writer<S> {
    /// Begins a log with its header.
    pub fn new(sink: S, header: &Header, plan: &Plan) -> Writer<S> {
        Writer::repeating(sink, &to_json(header), header, plan)
    }

    /// Begins a log with the header of another one, in the words in which it was written.
    pub fn repeating(sink: S, line: &str, header: &Header, plan: &Plan) -> Writer<S> {
        let mut writer = Writer {
            sink,
            classes: plan.classes.iter().map(|class| class.name.clone()).collect(),
            requests: FxHashMap::default(),
            checksum: header.has_checksum().then(Checksum::default),
        };
        writer.put(line);
        writer
    }

    /// Hands the sink back.
    pub fn into_sink(self) -> S {
        self.sink
    }

    fn write(&mut self, line: &Line<'_>) {
        self.put(&to_json(line));
    }

    fn put(&mut self, text: &str) {
        if let Some(checksum) = &mut self.checksum {
            checksum.add(text);
        }
        self.sink.line(text);
    }

    /// The number of a request, which is written before it is first used.
    fn request(&mut self, request: &Request) -> u64 {
        if let Some(id) = self.requests.get(request) {
            return *id;
        }
        let id = self.requests.len() as u64;
        self.requests.insert(request.clone(), id);
        let request = Box::new(LoggedRequest::from(request));
        self.write(&Line::Request { id, request });
        id
    }
}

fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("lines have text keys and no maps that could fail")
}

impl<S: Sink> Observer for Writer<S> {
    fn observe(&mut self, time: Time, cluster: &Cluster, observation: &Observation<'_>) {
        let t = time.0;
        let name = |node: NodeIdx| cluster.node(node).name().into();
        let line = match observation {
            Observation::Begin | Observation::Sample => return,
            Observation::Submitted { subject, lifetime } => Line::Submit {
                t,
                container: subject.name.into(),
                request: self.request(subject.request),
                class: self.classes[subject.class].as_str().into(),
                lifetime: lifetime.map(|span| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)),
            },
            Observation::Decided {
                subject,
                verdict,
                attempts,
                ..
            } => match verdict {
                Verdict::Placed { node, soft, .. } => Line::Place {
                    t,
                    container: subject.name.into(),
                    node: name(*node),
                    attempt: *attempts,
                    soft_dropped: *soft == SoftRules::Dropped,
                },
                Verdict::Rejected(rejection) => Line::Reject {
                    t,
                    container: subject.name.into(),
                    reason: rejection.name().into(),
                    attempt: *attempts,
                },
            },
            Observation::Retrying { subject, again } => Line::Retry {
                t,
                container: subject.name.into(),
                again: again.0,
            },
            Observation::Queued { subject, length } => Line::Queue {
                t,
                container: subject.name.into(),
                place: *length as u64,
            },
            Observation::GaveUp { subject, rejection, .. } => Line::GiveUp {
                t,
                container: subject.name.into(),
                reason: rejection.map(|rejection| rejection.name().into()),
            },
            Observation::Started { subject, node, .. } => Line::Start {
                t,
                container: subject.name.into(),
                node: name(*node),
            },
            Observation::Exited {
                subject,
                node,
                failed,
                restarts,
            } => Line::Exit {
                t,
                container: subject.name.into(),
                node: name(*node),
                failed: *failed,
                restarts: *restarts,
            },
            Observation::Lost {
                subject,
                node,
                reschedules,
            } => Line::Lose {
                t,
                container: subject.name.into(),
                node: name(*node),
                reschedules: *reschedules,
            },
            Observation::Pulling { node, bytes } => Line::Pull {
                t,
                node: name(*node),
                bytes: *bytes,
            },
            Observation::Node { node, change } => {
                let labels = || -> BTreeMap<String, String> { cluster.node(*node).labels().clone() };
                let (change, labels, health) = match change {
                    NodeEvent::Failed => (NodeChange::Fail, None, None),
                    NodeEvent::Recovered => (NodeChange::Recover, None, None),
                    NodeEvent::Drained => (NodeChange::Drain, None, None),
                    NodeEvent::Undrained => (NodeChange::Undrain, None, None),
                    NodeEvent::Joined => (NodeChange::Join, None, None),
                    NodeEvent::Left => (NodeChange::Leave, None, None),
                    NodeEvent::Relabelled => (NodeChange::Relabel, Some(labels()), None),
                    NodeEvent::Health(health) => (NodeChange::Health, None, Some(*health)),
                };
                Line::Node {
                    t,
                    node: name(*node),
                    change,
                    labels,
                    health,
                }
            }
            Observation::End => Line::End {
                t,
                sha256: self.checksum.take().map(|checksum| checksum.close(t).into()),
            },
        };
        // The line borrows from the observation, not from the writer.
        let text = to_json(&line);
        self.put(&text);
    }
}
