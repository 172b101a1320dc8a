//! The log of a run: one JSON object a line, complete enough to replay it.
//!
//! The first line says which scenario, strategy and seed the run had. Every further line is something that happened.
//! Lines that came from outside, [`Line::Submit`] and [`Line::Node`], are the inputs of a replay; everything else
//! follows from them and must come out the same. An input that changes nothing else, such as the failure of an empty
//! node, follows from no other line: the last line has a checksum of all others, so that none can go missing.
//!
//! Owns the format of these lines. Must not know where they are stored, nor how a run is measured.

mod line;
mod reader;
mod writer;

pub use line::{FORMAT, Header, Line, LoggedRequest, NodeChange};
pub use reader::{Integrity, LogError, Recorded};
pub use writer::{Sink, Writer};
