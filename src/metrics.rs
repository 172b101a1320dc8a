//! Turns observations into numbers, and numbers into comparisons.
//!
//! Owns the definition of every figure that is published: [`Metric`] describes each once, and what files, tables and
//! documentation say of it follows from there. A [`Recorder`] watches one run and leaves a [`RunRecord`]; a
//! [`Comparison`] takes the summaries of several strategies over the same seeds and says what follows. Must not know
//! where observations come from or how numbers are drawn; reads no clock, and no run depends on a draw made here.

mod admission;
mod balance;
mod comparison;
mod disruption;
mod gauge;
mod ledger;
mod load;
mod metric;
mod occupancy;
mod record;
mod recorder;
mod resource;
mod running;
mod series;
mod setup;
mod shapes;
mod snapshot;
mod spans;
mod startup;
pub mod stats;
mod unit;

pub use balance::Balance;
pub use comparison::{Comparison, Finding, MetricComparison, Pair, PairTest};
pub use load::{LOAD_COLUMNS_MAX, LOAD_ROWS_MAX, LoadMap, LoadRow, LoadUnit};
pub use metric::{Better, Definition, Metric, Summary};
pub use occupancy::Occupancy;
pub use record::{ClassCounts, Reason, RunRecord};
pub use recorder::Recorder;
pub use resource::PerResource;
pub use series::{SERIES, SeriesColumn, SeriesRow};
pub use setup::{Setup, SetupNode};
pub use shapes::TypicalShapes;
pub use unit::Unit;
