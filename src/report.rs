//! Renders results for people and for programs: tables, files and pictures of numbers that were computed elsewhere.
//!
//! Owns the looks, and the directory that results are written into. Must not know how a number was made: it computes no
//! metric and decides nothing.

pub mod chart;
mod explanation;
mod files;
mod latency;
mod output;
mod pictures;
mod placements;
mod summary;
mod table;

pub use explanation::ShownExplanation;
pub use files::{comparison, comparison_json, decisions, summary, timeseries};
pub use latency::{bench_csv, bench_json, bench_picture, bench_table, change, judgement_table};
pub use output::{OutputDir, OutputError, PendingFile, ResultSet};
pub use pictures::{Picture, STEMS, pictures};
pub use placements::{HEADER as PLACEMENTS_HEADER, Placements, ROW_BYTES, mebibytes, seconds};
pub use summary::{comparison_table, latency_table, queue_note, rejections_table, run_json, runs_table, verdicts};
pub use table::{Align, render as table};
