//! A manager in front of simulated engines, each in a process of its own: started, filled and measured.
//!
//! Owns which processes there are, when they count as ready, what is asked of them in which order, and what they use
//! meanwhile. Must not know what kind of manager it is, or how results are shown.

mod health;
mod process;
mod stages;
mod template;
mod usage;

pub use health::Health;
pub use process::{Child, ChildError, GUARD_COMMAND, guard};
pub use stages::{Fill, Findings, Idle, Plan, Progress, Stage, measure};
pub use template::{Places, Template, TemplateError};
pub use usage::Usage;
