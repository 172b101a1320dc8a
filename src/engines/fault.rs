//! How engines misbehave.

use crate::sim::Sampler;

/// How an engine misbehaves; by default not at all. What is not said here goes on as before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Nobody can connect; who is connected stays so.
    pub refuse: bool,
    /// Requests are taken and never answered.
    pub hang: bool,
    /// Answers are no JSON, nor anything else.
    pub garbage: bool,
    /// Answers take so much longer, in the time of the world.
    pub delay: Option<Delay>,
    /// Every request is answered with this status, as by a daemon that fails inside.
    pub status: Option<u16>,
}

/// How much longer answers take, in nanoseconds.
pub type Delay = Sampler;

/// What a crash does to containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// They have exited when the engine is back, and those with a restart policy are started again.
    ContainersKept,
    /// They are gone.
    ContainersLost,
}
