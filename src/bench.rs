//! How long one decision takes, by cluster size, kind of request and strategy, and whether it takes longer than before.
//!
//! Owns what is measured ([`Subject`], [`Trial`]), how ([`sample`], [`sample_in_turn`], [`Callgrind`]), what is kept of it
//! ([`Baseline`]) and when a difference is a regression ([`Judgement`]). Reads a clock and starts processes; must not
//! know how results are shown. Nothing that is measured here has an influence on where a container goes.

mod baseline;
mod builtin;
mod callgrind;
mod case;
mod judgement;
mod measure;
mod origin;
mod protocol;
mod repeat;
mod serve;
mod subject;
mod trial;
mod worker;

pub use baseline::{Baseline, BaselineError, Recorded};
pub use callgrind::{Callgrind, CountError};
pub use case::{Case, Figures, Unit};
pub use judgement::{ALPHA, Judgement, Verdict};
pub use measure::{SAMPLES_MIN, Timed, sample, sample_in_turn};
pub use origin::Origin;
pub use protocol::{ScenarioSpec, SubjectSpec};
pub use serve::serve;
pub use subject::{FIRST_SIGHT, Kind, Subject, SubjectError};
pub use trial::{Stage, Trial};
pub use worker::{COMMAND as WORKER_COMMAND, Worker, WorkerError};
