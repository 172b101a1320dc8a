//! What comes from outside: containers that clients ask for, and what happens to nodes.
//!
//! Nothing here depends on a placement, so one plan and seed give every strategy the same inputs. A recorded run is
//! replayed by handing its inputs in again.

use std::time::Duration;

use crate::model::{Name, Time};
use crate::scheduler::Prepared;

/// Something that comes from outside.
#[derive(Clone, Debug)]
pub enum Input {
    /// A client asks for a container.
    Submit(Submission),
    /// Something happens to a node.
    Node(NodeInput),
}

/// A container that a client asks for.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Index into [`Plan::classes`](super::Plan::classes).
    pub class: usize,
    /// Its name. If a container of the cluster has it already, a suffix is added.
    pub name: Name,
    /// What it asks for.
    pub request: Prepared,
    /// How long it runs from its start; `None` runs for ever.
    pub lifetime: Option<Duration>,
}

/// Something that happens to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInput {
    /// Index into [`Plan::nodes`](super::Plan::nodes).
    pub node: usize,
    /// What.
    pub change: NodeAction,
}

/// What happens to a node. What cannot happen, such as the recovery of a node that has not failed, changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeAction {
    /// It fails and loses its containers.
    Fail,
    /// It comes back, empty, with its images.
    Recover,
    /// It takes no new containers; those that may be are moved.
    Drain,
    /// It takes containers again.
    Undrain,
    /// It enters the cluster as a fresh machine.
    Join,
    /// It leaves the cluster; its containers are lost.
    Leave,
    /// Its labels change: `None` removes one.
    Relabel(Vec<(String, Option<String>)>),
    /// Its daemon misbehaves as the event with this number in [`Plan::events`](super::Plan::events) says.
    Misbehave(usize),
    /// It behaves again after that event.
    Behave(usize),
    /// Its health indicator changes, 0 to 100.
    Health(u8),
}

/// Inputs in order of time.
pub trait Inputs {
    /// When the next input comes; `None` if there is none.
    fn next_time(&mut self) -> Option<Time>;

    /// Takes the next input.
    fn next_input(&mut self) -> Option<Input>;

    /// Whether only random events of nodes are left, of which there is no last one.
    fn only_random(&self) -> bool;
}
