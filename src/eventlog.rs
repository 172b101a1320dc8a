//! The log of a run: one JSON object a line, complete enough to replay it.
//!
//! The first line says which scenario, strategy and seed the run had. Every further line is something that happened.
//! Lines that came from outside, [`Line::Submit`] and [`Line::Node`], are the inputs of a replay; everything else
//! follows from them and must come out the same.
//!
//! Owns the format of these lines. Must not know where they are stored, nor how a run is measured.

mod line;
mod reader;
mod writer;

pub use line::{FORMAT, Header, Line, LoggedRequest, NodeChange};
pub use reader::{LogError, Recorded};
pub use writer::{Sink, Writer};
